package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tomallicino/caskmcp/internal/githubfake"
)

// act runs a repository's workflows in github.com/nektos/act, against the fake
// behind Prism: a proxy that holds every request and reply against GitHub's
// OpenAPI document.
type act struct {
	bin, api, stub, module string
	env                    []string
}

// revision is what workflows of "init --github" pin the action to; act takes
// this module for it.
const revision = "0123456789abcdef0123456789abcdef01234567"

// workflowOf is the file of a command's workflow for an event.
func workflowOf(command, event string) string {
	if event == "workflow_run" {
		return "caskmcp-forks.yml"
	}
	return "caskmcp-" + command + ".yml"
}

// actPrograms are the paths of act and Prism, from CASKMCP_ACT and
// CASKMCP_PRISM. Without them the test is skipped: .ci/github sets them.
func actPrograms(t *testing.T) (bin, prism string) {
	t.Helper()
	bin, prism = os.Getenv("CASKMCP_ACT"), os.Getenv("CASKMCP_PRISM")
	if bin == "" || prism == "" {
		t.Skip("CASKMCP_ACT and CASKMCP_PRISM are not set: see .ci/github")
	}
	return bin, prism
}

// newAct starts Prism in front of the story's fake.
func newAct(t *testing.T, s *story) *act {
	bin, prism := actPrograms(t)
	a := &act{bin: bin, stub: t.TempDir(), module: filepath.Join(t.TempDir(), "caskmcp")}
	answers := a.startPrism(t, prism, s.url)
	cloneModule(t, a.module)
	// What act leaves behind goes with the test; what Go has built stays.
	a.env = []string{"XDG_CACHE_HOME=" + t.TempDir()}
	for _, name := range []string{"GOCACHE", "GOMODCACHE"} {
		out, err := exec.CommandContext(t.Context(), "go", "env", name).Output()
		require.NoError(t, err)
		a.env = append(a.env, name+"="+strings.TrimSpace(string(out)))
	}
	// Stands for actions that need the network and do nothing here: Go is on
	// the PATH, and there is no artifact server.
	require.NoError(t, os.WriteFile(filepath.Join(a.stub, "action.yml"), []byte("name: stub\ndescription: does nothing\nruns: {using: composite, steps: [{run: \"true\", shell: bash}]}\n"), 0o644))
	answers()
	return a
}

// startPrism starts the proxy; what it returns waits until it answers.
func (a *act) startPrism(t *testing.T, prism, upstream string) (answers func()) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	require.NoError(t, l.Close())
	name := filepath.Join(t.TempDir(), "prism.log")
	log, err := os.Create(name)
	require.NoError(t, err)
	proxy := exec.CommandContext(t.Context(), prism, "proxy", filepath.Join("..", "..", "testdata", "github", "gh-slice.json"), upstream, "-h", "127.0.0.1", "-p", port, "--errors")
	proxy.Stdout, proxy.Stderr = log, log
	require.NoError(t, proxy.Start())
	t.Cleanup(func() { _ = proxy.Process.Kill(); _ = proxy.Wait(); _ = log.Close() })
	a.api = "http://127.0.0.1:" + port
	return func() {
		for begin := time.Now(); time.Since(begin) < 3*time.Minute; time.Sleep(200 * time.Millisecond) {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, a.api+"/repos/acme/shop/git/ref/heads%2Fmain", nil)
			require.NoError(t, err)
			req.Header.Set("Authorization", "Bearer "+githubfake.Token)
			if resp, err := http.DefaultClient.Do(req); err == nil && resp.Body.Close() == nil && resp.StatusCode == http.StatusOK {
				return
			}
		}
		said, err := os.ReadFile(name)
		require.NoError(t, err)
		require.Fail(t, "Prism does not answer", "%s", said)
	}
}

// cloneModule clones this repository: what is committed, and no more.
func cloneModule(t *testing.T, dir string) {
	t.Helper()
	module, err := filepath.Abs(filepath.Join("..", ".."))
	require.NoError(t, err)
	out, err := exec.CommandContext(t.Context(), "git", "clone", "-q", module, dir).CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// run runs the workflow of a command for an event and returns 0, or 3 where a
// job failed.
func (a *act) run(s *story, command, event string, payload map[string]any) int {
	s.t.Helper()
	payload["repository"] = map[string]any{"full_name": "acme/shop", "name": "shop", "default_branch": "main", "owner": map[string]any{"login": "acme"}}
	doc, err := json.Marshal(payload)
	require.NoError(s.t, err)
	file := filepath.Join(s.t.TempDir(), "event.json")
	require.NoError(s.t, os.WriteFile(file, doc, 0o644))
	local := func(uses, to string) string {
		uses, _, _ = strings.Cut(uses, " ")
		return "--local-repository=" + uses + "=" + to
	}
	cmd := exec.CommandContext(s.t.Context(), a.bin, event, "-W", filepath.Join(".github", "workflows", workflowOf(command, event)),
		"-P", "ubuntu-latest=-self-hosted", "-e", file, "-s", "GITHUB_TOKEN="+s.token, "--env", "GITHUB_API_URL="+a.api, "--no-cache-server",
		local(pinnedActions["setup-go"], a.stub), local(pinnedActions["upload-artifact"], a.stub),
		local(actionRepository+"@"+revision, a.module))
	cmd.Dir = s.actCheckout(event, payload)
	cmd.Env = append(os.Environ(), append(a.env, "NO_COLOR=1")...)
	log, err := cmd.CombinedOutput()
	s.log = string(log)
	require.Contains(s.t, s.log, "Job ", "no job ran")
	if err == nil {
		return exitOK
	}
	var exit *exec.ExitError
	require.ErrorAs(s.t, err, &exit)
	return exitGate
}

// actCheckout is a clone with what GitHub checks out for an event: the merge of a
// pull request, a merge group, else main.
func (s *story) actCheckout(event string, payload map[string]any) string {
	s.t.Helper()
	dir := s.t.TempDir()
	git := func(args ...string) {
		cmd := exec.CommandContext(s.t.Context(), "git", append([]string{"-C", dir, "-c", "user.name=GitHub", "-c", "user.email=noreply@github.com"}, args...)...)
		out, err := cmd.CombinedOutput()
		require.NoError(s.t, err, "git %s\n%s", strings.Join(args, " "), out)
	}
	git("clone", "-q", s.bare, ".")
	switch event {
	case "pull_request", "pull_request_review":
		git("fetch", "-q", "origin", fmt.Sprintf("refs/pull/%d/head", payload["number"]))
		git("merge", "-q", "--no-ff", "--no-edit", "FETCH_HEAD")
	case "merge_group":
		group, ok := payload["merge_group"].(map[string]any)
		require.True(s.t, ok)
		git("merge", "-q", "--ff-only", fmt.Sprint(group["head_sha"]))
	}
	return dir
}
