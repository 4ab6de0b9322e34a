package lockfile_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/tomallicino/caskmcp/lockfile"
	"github.com/tomallicino/caskmcp/surface"
)

// Two branches that decide about different tools merge in git; what git
// merges without a conflict is exactly the union of both. CASKMCP_TEST_FULL=1
// tries 300 pairs.
func TestMerge(t *testing.T) {
	git, err := exec.LookPath("git")
	if err != nil {
		require.Empty(t, os.Getenv("CASKMCP_REQUIRE"), "git is not installed")
		t.Skip("git is not installed")
	}
	pairs := 50
	if os.Getenv("CASKMCP_TEST_FULL") != "" {
		pairs = 300
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	base := map[string]string{}
	for i := range 100 {
		base[fmt.Sprintf("tool_%03d", i*10)] = "first"
	}
	known, conflicts := blocks{}, 0
	for range pairs {
		taken := map[string]bool{}
		ours, theirs := branch(rnd, base, taken, "alice"), branch(rnd, base, taken, "bob")
		merged, conflict := mergeFile(t, git, known.state(t, ours.tools), known.state(t, base), known.state(t, theirs.tools))
		if conflict {
			conflicts++
			_, err := lockfile.Parse(merged)
			require.ErrorContains(t, err, "git conflict markers")
			continue
		}
		union := maps.Clone(ours.tools)
		for _, name := range theirs.changed {
			union[name] = theirs.tools[name]
		}
		want := known.state(t, union)
		require.Equal(t, string(want[lockfile.Name].Data), string(merged))
		opened, err := lockfile.Open(want)
		require.NoError(t, err)
		require.Empty(t, opened.Findings)
	}
	t.Logf("%d conflicts in %d pairs of branches with disjoint changes", conflicts, pairs)
	require.LessOrEqual(t, conflicts*100, pairs*5)
}

type changed struct {
	tools   map[string]string
	changed []string
}

// branch changes, adds or removes up to three tools that are not taken.
func branch(rnd *rand.Rand, base map[string]string, taken map[string]bool, by string) changed {
	c := changed{tools: maps.Clone(base)}
	names := slices.Sorted(maps.Keys(base))
	for n := 1 + rnd.IntN(3); len(c.changed) < n; {
		name, value := names[rnd.IntN(len(names))], by+" changed"
		switch rnd.IntN(4) {
		case 0:
			name, value = fmt.Sprintf("tool_%03d", rnd.IntN(1000)), by+" added"
		case 1:
			value = "removed"
		}
		if _, there := base[name]; taken[name] || there != (value != by+" added") {
			continue
		}
		taken[name] = true
		c.tools[name] = value
		c.changed = append(c.changed, name)
	}
	return c
}

// blocks are the sealed blocks and definitions of the tools that state made
// before, by name and value.
type blocks map[string]struct {
	block *lockfile.ToolBlock
	doc   []byte
}

// state has a tool for each name, with the value as its description; tools
// "removed" are tombstones.
func (known blocks) state(t *testing.T, values map[string]string) fstest.MapFS {
	fsys := fstest.MapFS{}
	lock := &lockfile.Lock{Version: lockfile.FormatVersion, Tools: map[string]*lockfile.ToolBlock{}}
	for name, value := range values {
		k, ok := known[name+" "+value]
		if !ok {
			tool := fullTool(name)
			tool.Description = value
			one := stored(t, tool)
			l, err := lockfile.Parse(one[lockfile.Name].Data)
			require.NoError(t, err)
			k.block = l.Tools[name]
			k.block.Approval.Reason = value
			if k.doc = one[lockfile.DefinitionPath(name)].Data; value == "removed" {
				k.block.Status, k.doc = surface.Removed, nil
			}
			require.NoError(t, lockfile.Seal(lockfile.KindTool, name, k.block))
			known[name+" "+value] = k
		}
		lock.Tools[name] = k.block
		if k.doc != nil {
			fsys[lockfile.DefinitionPath(name)] = &fstest.MapFile{Data: k.doc}
		}
	}
	doc, err := lock.Encode()
	require.NoError(t, err)
	fsys[lockfile.Name] = &fstest.MapFile{Data: doc}
	return fsys
}

func mergeFile(t *testing.T, git string, versions ...fstest.MapFS) (merged []byte, conflict bool) {
	dir := t.TempDir()
	args := []string{"merge-file", "-p"}
	for i, v := range versions {
		at := filepath.Join(dir, fmt.Sprint(i))
		require.NoError(t, os.WriteFile(at, v[lockfile.Name].Data, 0o644))
		args = append(args, at)
	}
	merged, err := exec.Command(git, args...).Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() > 0 && exit.ExitCode() < 128 {
		return merged, true
	}
	require.NoError(t, err)
	return merged, false
}
