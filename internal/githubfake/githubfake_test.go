package githubfake_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tomallicino/caskmcp/internal/githubfake"
)

// story is a fake that is told what happens over HTTP, as scripts do it.
type story struct {
	t    *testing.T
	url  string
	bare string
}

func newStory(t *testing.T) *story {
	s := &story{t: t, bare: filepath.Join(t.TempDir(), "repo.git")}
	fake, err := githubfake.New(s.bare, "acme/tools")
	require.NoError(t, err)
	server := httptest.NewServer(fake)
	t.Cleanup(server.Close)
	s.url = server.URL
	s.commit("main", "one")
	return s
}

func (s *story) commit(branch, text string) {
	from := ""
	if out, err := exec.Command("git", "-C", s.bare, "rev-parse", "-q", "--verify", "refs/heads/main").Output(); err == nil {
		from = "from " + strings.TrimSpace(string(out)) + "\n"
	}
	cmd := exec.Command("git", "-C", s.bare, "fast-import", "--quiet", "--force")
	cmd.Stdin = strings.NewReader("commit refs/heads/" + branch + "\ncommitter alice <1+alice@x> 1795338000 +0000\ndata 1\nx\n" + from + "M 100644 inline file\ndata <<E\n" + text + "\nE\n")
	out, err := cmd.CombinedOutput()
	require.NoError(s.t, err, string(out))
}

// post answers the status and the reply.
func (s *story) post(path, body string) (int, map[string]any) {
	s.t.Helper()
	resp, err := http.Post(s.url+path, "application/json", strings.NewReader(body))
	require.NoError(s.t, err)
	defer func() { _ = resp.Body.Close() }()
	doc, err := io.ReadAll(resp.Body)
	require.NoError(s.t, err)
	var v map[string]any
	require.NoError(s.t, json.Unmarshal(doc, &v), string(doc))
	return resp.StatusCode, v
}

func (s *story) state() githubfake.State {
	s.t.Helper()
	resp, err := http.Get(s.url + "/_fake/state")
	require.NoError(s.t, err)
	defer func() { _ = resp.Body.Close() }()
	var state githubfake.State
	require.NoError(s.t, json.NewDecoder(resp.Body).Decode(&state))
	return state
}

func (s *story) must(path, body string) map[string]any {
	s.t.Helper()
	code, v := s.post(path, body)
	require.Equal(s.t, http.StatusOK, code, v)
	return v
}

func TestStory(t *testing.T) {
	s := newStory(t)
	s.must("/_fake/users", `{"login": "alice", "permission": "write"}`)
	s.must("/_fake/users", `{"login": "bob", "permission": "admin"}`)
	s.must("/_fake/teams", `{"team": "acme/security", "members": ["bob"]}`)
	s.commit("feature", "two")
	pull := s.must("/_fake/pulls", `{"title": "Two", "author": "alice", "head": "feature"}`)
	require.EqualValues(t, 1, pull["number"])
	before := s.state()
	review := s.must("/_fake/reviews", `{"pull": 1, "user": "bob", "state": "APPROVED"}`)
	s.commit("feature", "three")
	after := s.state()
	require.NotEqual(t, before.Pulls[0].SHA, after.Pulls[0].SHA, "the head follows the branch")
	require.Equal(t, before.Pulls[0].SHA, after.Reviews[0].SHA, "the review does not")
	require.Equal(t, after.Pulls[0].SHA, after.Refs["refs/pull/1/head"])
	require.EqualValues(t, after.Reviews[0].ID, review["id"])
	require.True(t, after.Reviews[0].At.After(after.Pulls[0].CreatedAt))
	sha := s.must("/_fake/merges", `{"pull": 1, "kind": "squash", "by": "bob"}`)["sha"]
	end := s.state()
	require.Equal(t, sha, end.Refs["refs/heads/main"])
	require.Equal(t, "bob", end.Pulls[0].MergedBy)
	require.Equal(t, []string{"bob"}, end.Teams["acme/security"])
}

func TestImpossibleStories(t *testing.T) {
	s := newStory(t)
	s.must("/_fake/users", `{"login": "alice"}`)
	s.commit("feature", "two")
	s.must("/_fake/pulls", `{"title": "Two", "author": "alice", "head": "feature"}`)
	s.commit("conflict", "three")
	s.must("/_fake/pulls", `{"title": "Three", "author": "alice", "head": "conflict"}`)
	s.must("/_fake/merges", `{"pull": 1, "kind": "rebase", "by": "alice"}`)
	for path, bodies := range map[string][]string{
		"users":    {`{}`, `{"login": 1}`, `{"name": "x"}`},
		"pulls":    {`{"author": "nobody", "head": "feature"}`, `{"author": "alice", "head": "nowhere"}`, `{"author": "alice", "head": "main"}`},
		"reviews":  {`{"pull": 2, "user": "alice", "state": "APPROVED"}`, `{"pull": 9, "user": "alice", "state": "APPROVED"}`, `{"pull": 2, "user": "alice", "state": "LGTM"}`},
		"merges":   {`{"pull": 1, "by": "alice"}`, `{"pull": 2, "by": "nobody"}`, `{"pull": 2, "by": "alice"}`, `{"pull": 2, "by": "alice", "kind": "rebase"}`, `{"pull": 2, "by": "alice", "kind": "octopus"}`},
		"comments": {`{"issue": 1, "user": "nobody", "body": "x"}`},
	} {
		before := s.state()
		for _, body := range bodies {
			code, _ := s.post("/_fake/"+path, body)
			require.GreaterOrEqual(t, code, 400, "%s %s", path, body)
		}
		require.Equal(t, before.Refs, s.state().Refs)
	}
}

func TestTokens(t *testing.T) {
	s := newStory(t)
	for token, code := range map[string]int{"": 401, "Bearer x": 401, "Bearer " + githubfake.Token: 201, "Bearer " + githubfake.ForkToken: 403} {
		req, err := http.NewRequest(http.MethodPost, s.url+"/repos/acme/tools/issues", strings.NewReader(`{"title": "x"}`))
		require.NoError(t, err)
		req.Header.Set("Authorization", token)
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, code, resp.StatusCode, token)
	}
	require.Equal(t, []string{"POST /repos/acme/tools/issues"}, s.state().Writes)
}
