package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// archive is a release as goreleaser packs it: the binary beside a licence.
func archive(t *testing.T) []byte {
	var buf bytes.Buffer
	z := gzip.NewWriter(&buf)
	w := tar.NewWriter(z)
	for name, text := range map[string]string{"LICENSE": "MIT\n", "caskmcp": "#!/bin/sh\necho released\n"} {
		require.NoError(t, w.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(text))}))
		_, err := w.Write([]byte(text))
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	require.NoError(t, z.Close())
	return buf.Bytes()
}

// TestInstallRelease downloads from a local release server: what arrives is
// used only if its SHA-256 is the one in the action's own revision.
func TestInstallRelease(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the archive here is the one for Unix")
	}
	doc := archive(t)
	name := "caskmcp_1.2.3_" + runtime.GOOS + "_" + runtime.GOARCH + ".tar.gz"
	sum := sha256.Sum256(doc)
	right := hex.EncodeToString(sum[:])
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1.2.3/"+name {
			http.NotFound(w, r)
			return
		}
		_, err := w.Write(doc)
		require.NoError(t, err)
	}))
	t.Cleanup(server.Close)
	wrong := "0" + right[1:]
	if wrong == right {
		wrong = "1" + right[1:]
	}

	for _, c := range []struct {
		name, sums, install, version, refused string
	}{
		{"right", right + "  " + name + "\n", "release", "", ""},
		{"right, with a version", right + "  " + name + "\n", "release", "v1.2.3", ""},
		{"by default where there is one", right + "  " + name + "\n", "", "", ""},
		{"wrong", wrong + "  " + name + "\n", "release", "", "is not what was released"},
		{"missing for this platform", right + "  caskmcp_1.2.3_plan9_mips.tar.gz\n", "release", "", "has no " + name},
		{"missing for this version", right + "  " + name + "\n", "release", "9.9.9", "has no caskmcp_9.9.9_"},
		{"missing altogether", "# no release\n", "release", "", "has no release"},
		{"not downloadable", right + "  caskmcp_1.2.4_" + runtime.GOOS + "_" + runtime.GOARCH + ".tar.gz\n", "release", "", "downloading"},
		{"unknown mode", "", "docker", "", "want release, source or none"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			script, err := os.ReadFile(filepath.Join("..", "..", ".github", "actions", "install", "install.sh"))
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(filepath.Join(dir, "install.sh"), script, 0o755))
			require.NoError(t, os.WriteFile(filepath.Join(dir, "checksums.txt"), []byte(c.sums), 0o644))
			path := filepath.Join(dir, "path")
			cmd := exec.CommandContext(t.Context(), "bash", filepath.Join(dir, "install.sh"))
			cmd.Env = append(os.Environ(), "CASKMCP_INSTALL="+c.install, "CASKMCP_VERSION="+c.version, "CASKMCP_RELEASES="+server.URL,
				"RUNNER_TEMP="+filepath.Join(dir, "temp"), "GITHUB_PATH="+path)
			out, err := cmd.CombinedOutput()
			binary := filepath.Join(dir, "temp", "caskmcp-bin", "caskmcp")
			if c.refused != "" {
				require.Error(t, err, "%s", out)
				require.Contains(t, string(out), c.refused)
				require.NoFileExists(t, binary)
				require.NoFileExists(t, path)
				return
			}
			require.NoError(t, err, "%s", out)
			said, err := exec.CommandContext(t.Context(), binary).Output()
			require.NoError(t, err)
			require.Equal(t, "released\n", string(said))
			added, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Equal(t, filepath.Dir(binary)+"\n", string(added))
		})
	}
}

// TestInit writes a repository's files, all of them pinned, and overwrites
// nothing that differs.
func TestInit(t *testing.T) {
	e, _, errs := testEnv(t)
	must(t, e, exitError, "init")
	must(t, e, exitError, "init", "--github", "--revision", "main")
	must(t, e, exitError, "init", "--github", "--revision", revision, "--branch", "x\"]")
	must(t, e, exitOK, "init", "--github", "--revision", revision, "--branch", "trunk", "--allow-self")
	require.Contains(t, errs.String(), `"caskmcp / plan" and "caskmcp/approval"`)
	for _, name := range initWorkflows {
		doc, err := os.ReadFile(filepath.Join(e.Dir, ".github", "workflows", name))
		require.NoError(t, err)
		require.NotContains(t, string(doc), "{{checkout")
		requireSafeWorkflow(t, name, doc)
	}
	apply := filepath.Join(e.Dir, ".github", "workflows", "caskmcp-apply.yml")
	doc, err := os.ReadFile(apply)
	require.NoError(t, err)
	require.Contains(t, string(doc), `branches: ["trunk"]`)
	settings, err := os.ReadFile(filepath.Join(e.Dir, "caskmcp.yaml"))
	require.NoError(t, err)
	require.Contains(t, string(settings), "accept: [review]")
	require.Contains(t, string(settings), "allow_self: true")

	must(t, e, exitOK, "init", "--github", "--revision", revision, "--branch", "trunk")
	require.NoError(t, os.WriteFile(apply, append(doc, "# ours\n"...), 0o644))
	must(t, e, exitError, "init", "--github", "--revision", revision, "--branch", "trunk")
	must(t, e, exitOK, "init", "--github", "--revision", revision, "--branch", "trunk", "--force")
	after, err := os.ReadFile(filepath.Join(e.Dir, "caskmcp.yaml"))
	require.NoError(t, err)
	require.Equal(t, settings, after, "settings are never overwritten")
}

// TestOutputsCannotBeForged writes outputs and log lines that try to be more.
func TestOutputsCannotBeForged(t *testing.T) {
	e, out, _ := testEnv(t)
	dir := t.TempDir()
	e.Getenv = func(k string) string {
		return map[string]string{"GITHUB_OUTPUT": filepath.Join(dir, "output"), "GITHUB_STEP_SUMMARY": filepath.Join(dir, "summary")}[k]
	}
	s, err := e.newStep()
	require.NoError(t, err)
	forged := "x\n_GitHubActionsFileCommandDelimeter_\napproved<<y\ntrue\ny"
	require.NoError(t, s.setOutput("plan-digest", forged))
	require.NoError(t, s.setOutput("exitcode", "0"))
	require.Error(t, s.setOutput("a\nb", "x"))
	doc, err := os.ReadFile(filepath.Join(dir, "output"))
	require.NoError(t, err)
	require.Equal(t, map[string]string{"plan-digest": forged, "exitcode": "0"}, readOutputs(t, string(doc)))

	require.NoError(t, s.logCaptured("::error::no\n ##[set-output name=x]1\n\x1b[31mred\r::add-mask::true\n::stop-commands::x"))
	s.annotate([]annotation{{Level: "warning", File: "a,b::c", Title: "x\n::error::y", Text: "z\n::error::w"}})
	stopped, end := false, ""
	for line := range bytes.Lines(out.Bytes()) {
		text := string(bytes.TrimRight(line, "\n"))
		require.NotContains(t, text, "\x1b")
		require.NotContains(t, text, "\r")
		switch {
		case !stopped && bytes.HasPrefix(line, []byte("::stop-commands::")):
			stopped, end = true, "::"+text[len("::stop-commands::"):]+"::"
		case stopped && text == end:
			stopped = false
		case stopped:
			require.NotContains(t, text, "##[")
		default:
			require.True(t, bytes.HasPrefix(line, []byte("::warning ")), text)
		}
	}
	require.False(t, stopped)
	require.NotEmpty(t, end)
}

// readOutputs reads an output file as the runner does.
func readOutputs(t *testing.T, doc string) map[string]string {
	t.Helper()
	out := map[string]string{}
	lines := bytes.Split([]byte(doc), []byte("\n"))
	for i := 0; i < len(lines); i++ {
		name, delimiter, ok := bytes.Cut(lines[i], []byte("<<"))
		if !ok {
			continue
		}
		var value [][]byte
		for i++; i < len(lines) && !bytes.Equal(lines[i], delimiter); i++ {
			value = append(value, lines[i])
		}
		out[string(name)] = string(bytes.Join(value, []byte("\n")))
	}
	return out
}
