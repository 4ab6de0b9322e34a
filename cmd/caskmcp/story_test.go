package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"

	"github.com/tomallicino/caskmcp/internal/githubfake"
	"github.com/tomallicino/caskmcp/internal/githubfake/contract"
	"github.com/tomallicino/caskmcp/lockfile"
)

// story is a repository at the fake of GitHub, with people who work in it.
type story struct {
	t    *testing.T
	fake *githubfake.Server
	url  string
	bare string
	work string // a clone that people push from
	// folder holds .caskmcp and caskmcp.yaml, from the repository's top.
	folder string
	// summary and output are those of the last step, log what it printed.
	summary, output, log string
	// checkout is the work tree of the last step, branch what it was made from:
	// main if it is empty.
	checkout, branch string
	token            string
	act              *act // nil: steps run in this process
	// before sees each request before the fake does.
	before func(r *http.Request)
	// written is how many of the fake's writes wrote has told.
	written int
}

// githubDocument is GitHub's own description of its API: every request and
// every reply of a story is held against it.
var githubDocument = sync.OnceValues(func() (*openapi3.T, error) {
	return contract.Load(filepath.Join("..", "..", "testdata", "github", "gh-slice.json"))
})

func newStory(t *testing.T, settings string) *story {
	s := emptyStory(t)
	s.git("alice", "init", "-q", "-b", "main")
	s.git("alice", "remote", "add", "origin", s.bare)
	s.write("caskmcp.yaml", settings)
	s.write(".caskmcp/.gitignore", "plans/\ntoolpacks/*/artifact/\ntoolpacks/*/lockfile/.*\n")
	s.commit("alice", "settings")
	s.git("alice", "push", "-q", "origin", "main")
	return s
}

// emptyStory is a repository without a commit.
func emptyStory(t *testing.T) *story {
	s := &story{t: t, bare: filepath.Join(t.TempDir(), "repo.git"), work: t.TempDir(), token: githubfake.Token}
	fake, err := githubfake.New(s.bare, "acme/shop")
	require.NoError(t, err)
	s.fake = fake
	doc, err := githubDocument()
	require.NoError(t, err)
	checked := contract.New(doc, fake, t.Errorf)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.before != nil {
			s.before(r)
		}
		if s.act != nil {
			fake.ServeHTTP(w, r) // Prism checks
			return
		}
		checked.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	s.url = server.URL
	for login, permission := range map[string]string{"alice": "write", "bob": "write", "carol": "admin", "eve": "read"} {
		require.NoError(t, fake.AddUser(githubfake.User{Login: login, Permission: permission}))
	}
	return s
}

// git runs git in the clone as a person.
func (s *story) git(login string, args ...string) string {
	s.t.Helper()
	cmd := exec.CommandContext(s.t.Context(), "git", append([]string{"-C", s.work}, args...)...)
	mail := login + "@users.noreply.github.com"
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_AUTHOR_NAME="+login, "GIT_AUTHOR_EMAIL="+mail, "GIT_COMMITTER_NAME="+login, "GIT_COMMITTER_EMAIL="+mail)
	out, err := cmd.CombinedOutput()
	require.NoError(s.t, err, "git %s\n%s", strings.Join(args, " "), out)
	return strings.TrimSpace(string(out))
}

func (s *story) write(name, text string) {
	s.t.Helper()
	path := filepath.Join(s.work, name)
	require.NoError(s.t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(s.t, os.WriteFile(path, []byte(text), 0o644))
}

func (s *story) commit(login, message string) string {
	s.t.Helper()
	s.git(login, "add", "-A")
	s.git(login, "commit", "-q", "--allow-empty", "-m", message)
	return s.git(login, "rev-parse", "HEAD")
}

// push commits what f does on a branch that starts at main, or goes on.
func (s *story) push(login, branch string, f func()) string {
	s.t.Helper()
	s.git(login, "fetch", "-q", "origin")
	if _, ok := s.fake.State().Refs["refs/heads/"+branch]; ok {
		s.git(login, "checkout", "-q", "-B", branch, "origin/"+branch)
	} else {
		s.git(login, "checkout", "-q", "-B", branch, "origin/main")
	}
	f()
	sha := s.commit(login, "work on "+branch)
	before := s.fake.State().Refs["refs/heads/"+branch]
	s.git(login, "push", "-q", "origin", branch)
	if login == "mallory" {
		return sha // she pushes to her fork; here it is only kept where the fake finds it
	}
	require.NoError(s.t, s.fake.Pushed(login, branch, before, sha))
	return sha
}

// caskmcp runs a command of the product in the clone.
func (s *story) caskmcp(args ...string) {
	s.t.Helper()
	e := s.env(s.at(), nil)
	require.Equal(s.t, exitOK, run(context.Background(), e, args), "%s", args)
}

// at is where .caskmcp is in the clone.
func (s *story) at() string { return filepath.Join(s.work, s.folder) }

func (s *story) env(dir string, vars map[string]string) *env {
	return &env{
		Stdin: strings.NewReader(""), Stdout: io.Discard, Stderr: io.Discard, Dir: dir, User: "tester",
		Getenv:    func(k string) string { return vars[k] },
		LookupEnv: func(k string) (string, bool) { v, ok := vars[k]; return v, ok },
		Now:       func() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) },
	}
}

// shop is the configuration of a toolpack, from a specification.
func (s *story) shop() {
	s.t.Helper()
	spec, err := filepath.Abs(filepath.Join("..", "..", "examples", "shop", "openapi.yaml"))
	require.NoError(s.t, err)
	s.caskmcp("openapi", spec, "--name", "shop")
	s.caskmcp("compile", "--name", "shop")
}

// override asks for another description of a tool.
func (s *story) override(tool, description string) {
	s.t.Helper()
	path := filepath.Join(s.at(), ".caskmcp/toolpacks/shop/toolpack.yaml")
	doc, err := os.ReadFile(path)
	require.NoError(s.t, err)
	text, _, _ := strings.Cut(string(doc), "\ntools: {")
	require.NoError(s.t, os.WriteFile(path, []byte(text+"\ntools: {"+tool+": {description: "+description+"}}\n"), 0o644))
}

func (s *story) open(login, branch string) int {
	s.t.Helper()
	n, err := s.fake.OpenPull(githubfake.Pull{Title: branch, Author: login, Head: branch})
	require.NoError(s.t, err)
	return n
}

func (s *story) review(n int, login, state string) {
	s.t.Helper()
	_, err := s.fake.AddReview(githubfake.Review{Pull: n, User: login, State: state})
	require.NoError(s.t, err)
}

func (s *story) merge(n int, login, kind string) string {
	s.t.Helper()
	sha, err := s.fake.MergePull(githubfake.Merging{Pull: n, By: login, Kind: kind})
	require.NoError(s.t, err)
	return sha
}

// pull of the fake.
func (s *story) pull(n int) githubfake.Pull {
	s.t.Helper()
	for _, p := range s.fake.State().Pulls {
		if p.Number == n {
			return p
		}
	}
	s.t.Fatalf("no pull request %d", n)
	return githubfake.Pull{}
}

// step runs the action in a fresh checkout of main, as a workflow does, and
// returns its exit code.
func (s *story) step(command, event string, payload map[string]any, inputs ...string) int {
	s.t.Helper()
	if s.act != nil {
		return s.act.run(s, command, event, payload)
	}
	dir, files := s.t.TempDir(), s.t.TempDir()
	s.checkout = dir
	out, err := exec.CommandContext(s.t.Context(), "git", "clone", "-q", "-b", cmp.Or(s.branch, "main"), s.bare, dir).CombinedOutput()
	require.NoError(s.t, err, "%s", out)
	payload["repository"] = map[string]any{"full_name": "acme/shop", "default_branch": "main"}
	doc, err := json.Marshal(payload)
	require.NoError(s.t, err)
	require.NoError(s.t, os.WriteFile(filepath.Join(files, "event.json"), doc, 0o644))
	vars := map[string]string{
		"GITHUB_OUTPUT": filepath.Join(files, "output"), "GITHUB_STEP_SUMMARY": filepath.Join(files, "summary"),
		"GITHUB_EVENT_PATH": filepath.Join(files, "event.json"), "GITHUB_EVENT_NAME": event, "GITHUB_API_URL": s.url,
		"GITHUB_REF": "refs/heads/main", "CASKMCP_COMMAND": command, "CASKMCP_GITHUB_TOKEN": s.token,
	}
	for _, in := range inputs {
		k, v, _ := strings.Cut(in, "=")
		vars[k] = v
	}
	var log strings.Builder
	e := s.env(filepath.Join(dir, s.folder), vars)
	e.Stdout, e.Stderr = &log, &log
	code := run(context.Background(), e, []string{"action"})
	read := func(name string) string {
		doc, err := os.ReadFile(filepath.Join(files, name))
		if os.IsNotExist(err) {
			return ""
		}
		require.NoError(s.t, err)
		return string(doc)
	}
	s.summary, s.output, s.log = read("summary"), read("output"), log.String()
	return code
}

// planned runs the plan of a pull request.
func (s *story) planned(n int, inputs ...string) int {
	s.t.Helper()
	return s.step("plan", "pull_request", s.payload(n), inputs...)
}

// counted runs the count of its reviews.
func (s *story) counted(n int) int {
	s.t.Helper()
	return s.step("approval", "pull_request_review", s.payload(n))
}

// second runs the second stage for a pull request from a fork, after a run of
// its plan (pull_request) or of a review (pull_request_review).
func (s *story) second(n int, after string) int {
	s.t.Helper()
	p := s.pull(n)
	return s.step("approval", "workflow_run", map[string]any{"workflow_run": map[string]any{
		"event": after, "head_sha": p.SHA, "head_branch": p.Head,
		"head_repository": map[string]any{"full_name": p.Author + "/shop", "owner": map[string]any{"login": p.Author}},
	}})
}

func (s *story) payload(n int) map[string]any {
	p := s.pull(n)
	repo := map[string]any{"full_name": "acme/shop"}
	head := repo
	if p.Fork {
		head = map[string]any{"full_name": "mallory/shop"}
	}
	return map[string]any{"number": n, "pull_request": map[string]any{
		"number": n, "head": map[string]any{"sha": p.SHA, "ref": p.Head, "repo": head},
		"base": map[string]any{"sha": s.fake.State().Refs["refs/heads/main"], "ref": "main", "repo": repo},
	}}
}

// pushed runs apply for main as it is now.
func (s *story) pushed(inputs ...string) int {
	s.t.Helper()
	return s.step("apply", "push", map[string]any{"ref": "refs/heads/main", "after": s.main()}, inputs...)
}

func (s *story) main() string { return s.fake.State().Refs["refs/heads/main"] }

// status of a commit: its state and description.
func (s *story) status(sha, context string) (state, description string) {
	for _, x := range s.fake.State().Statuses {
		if x.SHA == sha && x.Context == context {
			state, description = x.State, x.Description
		}
	}
	return state, description
}

// named matches what a path of the API is about: numbers and commits.
var named = regexp.MustCompile(`/([0-9]+|[0-9a-f]{40})\b`)

// wrote is what was written through the API since the last call, as methods
// and kinds: "POST statuses".
func (s *story) wrote() []string {
	all := s.fake.State().Writes
	var out []string
	for _, w := range all[s.written:] {
		out = append(out, strings.Replace(named.ReplaceAllString(w, ""), "/repos/acme/shop/", "", 1))
	}
	s.written = len(all)
	return out
}

func (s *story) requireStatus(n int, want string) string {
	s.t.Helper()
	state, description := s.status(s.pull(n).SHA, "caskmcp/approval")
	require.Equal(s.t, want, state, "%s\n%s", description, s.log)
	return description
}

// lock is the lockfile on main, empty without one.
func (s *story) lock() *lockfile.Lock {
	s.t.Helper()
	out, err := exec.CommandContext(s.t.Context(), "git", "-C", s.bare, "show", "main:"+path.Join(s.folder, ".caskmcp/toolpacks/shop/lockfile/caskmcp.lock.yaml")).Output()
	if err != nil {
		return &lockfile.Lock{}
	}
	l, err := lockfile.Parse(out)
	require.NoError(s.t, err)
	return l
}

const onlyReviews = "version: \"1.0\"\napprovals:\n  accept: [review]\n"

func TestStoryOfAPullRequest(t *testing.T) {
	t.Parallel()
	s := newStory(t, onlyReviews)
	s.push("alice", "topic", s.shop)
	n := s.open("alice", "topic")

	require.Equal(t, exitOK, s.planned(n), s.log)
	require.Equal(t, "9 of 9 changes lack approval", s.requireStatus(n, "failure"))
	comments := s.fake.State().Comments
	require.Len(t, comments, 1)
	require.True(t, strings.HasPrefix(comments[0].Body, "<!-- caskmcp:plan v=1 key=default "))
	require.Contains(t, comments[0].Body, "create_order")
	require.Contains(t, s.output, "needs-approval<<")

	s.review(n, "eve", "APPROVED")
	require.Equal(t, exitOK, s.counted(n), s.log)
	require.Equal(t, "9 of 9 changes lack approval", s.requireStatus(n, "failure"))

	s.review(n, "bob", "APPROVED")
	require.Equal(t, exitOK, s.counted(n), s.log)
	require.Equal(t, "9 changes approved", s.requireStatus(n, "success"))
	require.Len(t, s.fake.State().Comments, 1)

	s.push("alice", "topic", func() { s.override("get_mug", "Returns one mug by its id.") })
	require.Equal(t, exitOK, s.planned(n), s.log)
	require.Equal(t, "1 of 9 changes lacks approval", s.requireStatus(n, "failure"))

	s.review(n, "bob", "APPROVED")
	require.Equal(t, exitOK, s.counted(n), s.log)
	s.requireStatus(n, "success")

	merge := s.merge(n, "bob", githubfake.Squash)
	require.Equal(t, exitOK, s.pushed(), s.log)
	lock := s.lock()
	require.Len(t, lock.Tools, 3)
	a := lock.Tools["get_mug"].Approval
	require.Equal(t, lockfile.ViaReview, a.Via)
	require.Equal(t, "bob", a.By.Login)
	require.Equal(t, n, a.PR)
	require.Equal(t, merge, a.Merge)
	require.NotZero(t, a.Review)
	require.NotEqual(t, merge, s.main())

	head := s.main()
	require.Equal(t, exitOK, s.pushed(), s.log)
	require.Equal(t, head, s.main(), "a second run has nothing to do")
	require.Contains(t, s.summary, "nothing to do")
}

// queue makes the merge group of one pull request and returns its commit.
func (s *story) queue(n int) string {
	s.t.Helper()
	s.git("bob", "fetch", "-q", "origin")
	s.git("bob", "checkout", "-q", "--detach", "origin/main")
	s.git("bob", "merge", "-q", "--no-ff", "-m", "queue", s.pull(n).SHA)
	sha := s.git("bob", "rev-parse", "HEAD")
	s.git("bob", "push", "-q", "origin", "HEAD:refs/heads/"+queueBranch(n, s.main()))
	return sha
}

func queueBranch(n int, base string) string {
	return fmt.Sprintf("gh-readonly-queue/main/pr-%d-%s", n, base)
}

func (s *story) groupPayload(n int, sha string) map[string]any {
	return map[string]any{"merge_group": map[string]any{
		"head_sha": sha, "head_ref": "refs/heads/" + queueBranch(n, s.main()), "base_sha": s.main(), "base_ref": "refs/heads/main",
	}}
}

// served is what an agent sees of main.
func (s *story) served(login string) string {
	s.t.Helper()
	s.git(login, "fetch", "-q", "origin")
	s.git(login, "checkout", "-q", "-B", "main", "origin/main")
	e := s.env(s.at(), nil)
	var out, errs strings.Builder
	e.Stdout, e.Stderr = &out, &errs
	e.Stdin = strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"test","version":"1"}}}
{"jsonrpc":"2.0","method":"notifications/initialized"}
{"jsonrpc":"2.0","id":2,"method":"tools/list"}
`)
	run(context.Background(), e, []string{"serve", "--toolpack", "shop", "--toolset", "operator", "--accept", "review"})
	return out.String() + errs.String()
}

// proposed is a pull request by alice that brings the shop, planned once.
func (s *story) proposed() int {
	s.t.Helper()
	s.push("alice", "topic", s.shop)
	n := s.open("alice", "topic")
	require.Equal(s.t, exitOK, s.planned(n), s.log)
	return n
}

// landed brings the shop to main with bob's approval, and applies it.
func (s *story) landed() int {
	s.t.Helper()
	n := s.proposed()
	s.review(n, "bob", "APPROVED")
	s.merge(n, "bob", githubfake.Squash)
	require.Equal(s.t, exitOK, s.pushed(), s.log)
	require.Len(s.t, s.lock().Tools, 3, s.log)
	return n
}

// forge edits the lockfile on a branch as an insider would: with commands of
// caskmcp and a checksum that fits.
func (s *story) forge(edit func(l *lockfile.Lock)) {
	s.t.Helper()
	path := filepath.Join(s.work, ".caskmcp/toolpacks/shop/lockfile/caskmcp.lock.yaml")
	doc, err := os.ReadFile(path)
	require.NoError(s.t, err)
	l, err := lockfile.Parse(doc)
	require.NoError(s.t, err)
	edit(l)
	for name, b := range l.Tools {
		require.NoError(s.t, lockfile.Seal(lockfile.KindTool, name, b))
	}
	doc, err = l.Encode()
	require.NoError(s.t, err)
	require.NoError(s.t, os.WriteFile(path, doc, 0o644))
}

// applyByHand approves everything in the clone, as if every way counted.
func (s *story) applyByHand() {
	s.t.Helper()
	s.write("caskmcp.yaml", "version: \"1.0\"\n")
	s.caskmcp("apply", "--auto-approve", "--by", "alice")
	s.write("caskmcp.yaml", onlyReviews)
}
