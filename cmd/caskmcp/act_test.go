package main

import (
	"encoding/json"
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
	"github.com/tomallicino/caskmcp/lockfile"
)

// act runs workflows as "caskmcp init --github" writes them, in
// github.com/nektos/act, against the fake behind Prism: a proxy that holds
// every request and reply against GitHub's OpenAPI document.
type act struct {
	bin, api, stub, module string
}

// revision is what the workflows pin the action to; act takes this module for
// it.
const revision = "0123456789abcdef0123456789abcdef01234567"

// workflows of the commands.
var workflows = map[string]string{"plan": "caskmcp-plan.yml", "approval": "caskmcp-approval.yml", "apply": "caskmcp-apply.yml"}

// newAct starts Prism in front of the story's fake. Without CASKMCP_ACT and
// CASKMCP_PRISM, the paths of the two programs, the test is skipped: .ci/github
// sets them.
func newAct(t *testing.T, s *story) *act {
	bin, prism := os.Getenv("CASKMCP_ACT"), os.Getenv("CASKMCP_PRISM")
	if bin == "" || prism == "" {
		t.Skip("CASKMCP_ACT and CASKMCP_PRISM are not set: see .ci/github")
	}
	module, err := filepath.Abs(filepath.Join("..", ".."))
	require.NoError(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	require.NoError(t, l.Close())
	proxy := exec.CommandContext(t.Context(), prism, "proxy", filepath.Join(module, "testdata", "github", "gh-slice.json"), s.url, "-h", "127.0.0.1", "-p", port, "--errors")
	require.NoError(t, proxy.Start())
	t.Cleanup(func() { _ = proxy.Process.Kill(); _ = proxy.Wait() })
	a := &act{bin: bin, api: "http://127.0.0.1:" + port, stub: t.TempDir(), module: module}
	require.Eventually(t, func() bool {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, a.api+"/repos/acme/shop/git/ref/heads%2Fmain", nil)
		if err != nil {
			return false
		}
		req.Header.Set("Authorization", "Bearer "+githubfake.Token)
		resp, err := http.DefaultClient.Do(req)
		return err == nil && resp.Body.Close() == nil && resp.StatusCode == http.StatusOK
	}, time.Minute, 200*time.Millisecond, "Prism does not answer")
	// Stands for actions that need the network and do nothing here: Go is on
	// the PATH, and there is no artifact server.
	require.NoError(t, os.WriteFile(filepath.Join(a.stub, "action.yml"), []byte("name: stub\ndescription: does nothing\nruns: {using: composite, steps: [{run: \"true\", shell: bash}]}\n"), 0o644))
	return a
}

// run runs the workflow of a command in a clone of the repository and returns
// 0, or 3 where a job failed.
func (a *act) run(s *story, command, event string, payload map[string]any) int {
	s.t.Helper()
	dir := s.t.TempDir()
	args := []string{"clone", "-q"}
	if p, ok := payload["pull_request"].(map[string]any); ok && event == "pull_request" {
		head, ok := p["head"].(map[string]any)
		require.True(s.t, ok)
		branch, ok := head["ref"].(string)
		require.True(s.t, ok)
		args = append(args, "-b", branch)
	}
	out, err := exec.CommandContext(s.t.Context(), "git", append(args, s.bare, dir)...).CombinedOutput()
	require.NoError(s.t, err, "%s", out)
	return a.runIn(s, dir, filepath.Join(".github", "workflows", workflows[command]), event, payload)
}

func (a *act) runIn(s *story, dir, workflow, event string, payload map[string]any) int {
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
	cmd := exec.CommandContext(s.t.Context(), a.bin, event, "-W", workflow, "-P", "ubuntu-latest=-self-hosted", "-e", file,
		"-s", "GITHUB_TOKEN="+s.token, "--env", "GITHUB_API_URL="+a.api, "--no-cache-server",
		local(pinnedActions["setup-go"], a.stub), local(pinnedActions["upload-artifact"], a.stub),
		local(actionRepository+"@"+revision, a.module))
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "NO_COLOR=1")
	log, err := cmd.CombinedOutput()
	s.log = string(log)
	if err == nil {
		return exitOK
	}
	var exit *exec.ExitError
	require.ErrorAs(s.t, err, &exit)
	return exitGate
}

// TestActStory is the life of a pull request in the workflows themselves: the
// plan, a review that does not count, one that does, a push after it, the
// merge queue, the merge, and a second run.
func TestActStory(t *testing.T) {
	s := newStory(t, onlyReviews)
	s.act = newAct(t, s)
	s.push("carol", "main", func() { s.caskmcp("init", "--github", "--revision", revision) })
	s.push("alice", "topic", s.shop)
	n := s.open("alice", "topic")

	require.Equal(t, exitOK, s.planned(n), s.log)
	require.Equal(t, "9 of 9 changes lack approval", s.requireStatus(n, "failure"))
	comments := s.fake.State().Comments
	require.Len(t, comments, 1)
	require.Contains(t, comments[0].Body, "create_order")

	s.review(n, "eve", "APPROVED")
	require.Equal(t, exitOK, s.counted(n), s.log)
	s.requireStatus(n, "failure")

	s.review(n, "bob", "APPROVED")
	require.Equal(t, exitOK, s.counted(n), s.log)
	s.requireStatus(n, "success")

	s.push("alice", "topic", func() { s.override("get_mug", "Returns one mug by its id.") })
	require.Equal(t, exitOK, s.planned(n), s.log)
	require.Equal(t, "1 of 9 changes lack approval", s.requireStatus(n, "failure"))
	comments = s.fake.State().Comments
	require.Len(t, comments, 1)
	require.Positive(t, comments[0].Edits)

	s.review(n, "bob", "APPROVED")
	require.Equal(t, exitOK, s.counted(n), s.log)
	s.requireStatus(n, "success")

	group := s.queue(n)
	require.Equal(t, exitOK, s.step("plan", "merge_group", s.groupPayload(n, group)), s.log)
	state, _ := s.status(group, "caskmcp/approval")
	require.Equal(t, "success", state, s.log)

	merge := s.merge(n, "bob", githubfake.MergeCommit)
	require.Equal(t, exitOK, s.pushed(), s.log)
	lock := s.lock()
	require.Len(t, lock.Tools, 3, s.log)
	a := lock.Tools["get_mug"].Approval
	require.Equal(t, []any{lockfile.ViaReview, "bob", n, merge}, []any{a.Via, a.By.Login, a.PR, a.Merge})

	head := s.main()
	require.Equal(t, exitOK, s.pushed(), s.log)
	require.Equal(t, head, s.main(), "a second run has nothing to do")
}

// TestActDayOne is a maintainer alone, with a specification: init, a pull
// request, its merge, and the tools are served.
func TestActDayOne(t *testing.T) {
	s := newStory(t, onlyReviews)
	s.act = newAct(t, s)
	s.push("carol", "main", func() {
		require.NoError(t, os.Remove(filepath.Join(s.work, "caskmcp.yaml")))
		s.caskmcp("init", "--github", "--allow-self", "--revision", revision)
	})
	s.push("carol", "tools", s.shop)
	n := s.open("carol", "tools")
	require.Equal(t, exitOK, s.planned(n), s.log)
	require.Equal(t, "an approver's merge approves 9 changes", s.requireStatus(n, "success"))
	s.merge(n, "carol", githubfake.Squash)
	require.Equal(t, exitOK, s.pushed(), s.log)
	require.NotEmpty(t, s.lock().Tools, s.log)
	require.Equal(t, lockfile.ViaSelf, s.lock().Tools["list_mugs"].Approval.Via)
	require.Contains(t, s.served("carol"), `"name":"list_mugs"`)
}

// TestActDogfood runs this repository's own workflow, which uses "./".
func TestActDogfood(t *testing.T) {
	s := newStory(t, onlyReviews)
	s.act = newAct(t, s)
	dir := t.TempDir()
	out, err := exec.CommandContext(t.Context(), "git", "clone", "-q", s.act.module, dir).CombinedOutput()
	require.NoError(t, err, "%s", out)
	code := s.act.runIn(s, dir, filepath.Join(".github", "workflows", "dogfood.yml"), "push", map[string]any{"ref": "refs/heads/main", "after": revision})
	require.Equal(t, exitOK, code, s.log)
	require.Contains(t, s.log, "No changes.")
	require.Contains(t, s.log, "No drift.")
}
