package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// harFile is a HAR log whose entries can be put in another order.
type harFile struct {
	Log struct {
		Version json.RawMessage   `json:"version"`
		Creator json.RawMessage   `json:"creator"`
		Entries []json.RawMessage `json:"entries"`
	} `json:"log"`
}

// TestDeterminism imports, compiles and plans the same exchanges on twenty
// different machines, so to speak: time zone, locale, umask, working folder,
// number of processors, order of entries, and the recording split into seven
// files in any order. The bytes are the same.
func TestDeterminism(t *testing.T) {
	exe, err := os.Executable()
	require.NoError(t, err)
	bin := filepath.Join(t.TempDir(), "caskmcp")
	require.NoError(t, os.Symlink(exe, bin)) // TestMain runs main under this name

	doc, err := os.ReadFile(filepath.Join("demo", "mugs.har"))
	require.NoError(t, err)
	var har harFile
	require.NoError(t, json.Unmarshal(doc, &har))

	var want map[string]string
	for i := range 20 {
		got := machine(t, bin, har, i)
		require.Len(t, got, 1+6+1, "capture, artifacts and plan") // of all, see machine
		if want == nil {
			want = got
			continue
		}
		for name, text := range want {
			require.Equal(t, text, got[name], "run %d: %s differs", i, name)
		}
	}
}

// machine runs the commands on variation i and returns what they wrote.
func machine(t *testing.T, bin string, har harFile, i int) map[string]string {
	t.Helper()
	zones := []string{"UTC", "Asia/Kathmandu", "America/St_Johns", "Pacific/Kiritimati"}
	locales := []string{"C", "C.UTF-8", "tr_TR.UTF-8", "de_DE.UTF-8"}
	umasks := []string{"022", "077", "002"}
	root := filepath.Join(t.TempDir(), fmt.Sprintf("repository %d", i), "ü")
	dir := root
	for range i % 3 {
		dir = filepath.Join(dir, "below")
	}
	require.NoError(t, os.MkdirAll(dir, 0o755))
	require.NoError(t, os.MkdirAll(filepath.Join(root, ".caskmcp"), 0o755))

	r := rand.New(rand.NewPCG(uint64(i), 0))
	r.Shuffle(len(har.Log.Entries), func(a, b int) {
		har.Log.Entries[a], har.Log.Entries[b] = har.Log.Entries[b], har.Log.Entries[a]
	})
	files := write(t, har, 1+6*(i%2), r)
	caskmcp := func(args ...string) string {
		script := `umask ` + umasks[i%len(umasks)] + ` && exec "$0" "$@"`
		cmd := exec.Command("sh", append([]string{"-c", script, bin}, args...)...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "TZ="+zones[i%len(zones)], "LC_ALL="+locales[i/2%len(locales)], fmt.Sprintf("GOMAXPROCS=%d", 1+i%8))
		var errs strings.Builder
		cmd.Stderr = &errs
		out, err := cmd.Output()
		require.NoError(t, err, "caskmcp %s: %s", strings.Join(args, " "), &errs)
		return string(out)
	}
	caskmcp(append([]string{"capture", "import", "-a", shopAddr, "--name", "mugs"}, files...)...)
	caskmcp("compile", "--name", "mugs")
	wrote := map[string]string{"plan.json": caskmcp("plan", "--json")}
	for _, pattern := range []string{"captures/*.json", "toolpacks/mugs/artifact/*"} {
		names, err := filepath.Glob(filepath.Join(root, ".caskmcp", pattern))
		require.NoError(t, err)
		for _, n := range names {
			text, err := os.ReadFile(n)
			require.NoError(t, err)
			wrote[filepath.Base(n)] = string(text)
		}
	}
	return wrote
}

// write writes the entries as n files, named so that they are read in any
// order.
func write(t *testing.T, har harFile, n int, r *rand.Rand) []string {
	dir := t.TempDir()
	var files []string
	for part := range n {
		one := har
		one.Log.Entries = nil
		for i, e := range har.Log.Entries {
			if i%n == part {
				one.Log.Entries = append(one.Log.Entries, e)
			}
		}
		doc, err := json.Marshal(one)
		require.NoError(t, err)
		name := filepath.Join(dir, fmt.Sprintf("%d.har", r.Int()))
		require.NoError(t, os.WriteFile(name, doc, 0o644))
		files = append(files, name)
	}
	return files
}
