package github_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tomallicino/caskmcp/github"
	"github.com/tomallicino/caskmcp/internal/githubfake"
)

func TestTransientFailures(t *testing.T) {
	reset := strconv.FormatInt(time.Date(2026, 11, 22, 9, 1, 0, 0, time.UTC).Unix(), 10)
	for name, tt := range map[string]struct {
		fault githubfake.Fault
		slept []time.Duration
	}{
		"server error":                       {githubfake.Fault{Times: 2, Status: 502}, []time.Duration{time.Second, 2 * time.Second}},
		"secondary limit with time":          {githubfake.Fault{Times: 1, Status: 403, Message: "You have exceeded a secondary rate limit", Headers: map[string]string{"Retry-After": "7"}}, []time.Duration{7 * time.Second}},
		"secondary limit without time":       {githubfake.Fault{Times: 1, Status: 403, Message: "You have exceeded a secondary rate limit."}, []time.Duration{time.Minute}},
		"too many requests":                  {githubfake.Fault{Times: 1, Status: 429}, []time.Duration{time.Minute}},
		"too many requests, several times":   {githubfake.Fault{Times: 3, Status: 429, Headers: map[string]string{"Retry-After": "0"}}, []time.Duration{time.Second, 2 * time.Second, 4 * time.Second}},
		"primary limit that ends in a while": {githubfake.Fault{Times: 1, Status: 403, Headers: map[string]string{"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			n := w.pull("feature", "alice")
			tt.fault.Path = "/reviews"
			require.NoError(t, w.fake.AddFault(tt.fault))
			_, err := w.client(githubfake.Token).Reviews(t.Context(), n)
			require.NoError(t, err)
			if tt.slept == nil {
				require.Len(t, w.slept, 1)
				require.InDelta(t, 60, w.slept[0].Seconds(), 5)
				return
			}
			require.Equal(t, tt.slept, w.slept)
		})
	}
}

func TestLastingFailures(t *testing.T) {
	for name, fault := range map[string]githubfake.Fault{
		"server error":         {Status: 503},
		"limit":                {Status: 429},
		"limit for an hour":    {Status: 403, Headers: map[string]string{"Retry-After": "3600"}},
		"something else":       {Status: 403, Message: "Must have admin rights to Repository."},
		"unprocessable entity": {Status: 422},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			n := w.pull("feature", "alice")
			fault.Path, fault.Times = "/reviews", 100
			require.NoError(t, w.fake.AddFault(fault))
			_, err := w.client(githubfake.Token).Reviews(t.Context(), n)
			require.ErrorContains(t, err, "reading the reviews of pull request 1: ")
			require.LessOrEqual(t, len(w.slept), 4)
			if fault.Status == 403 {
				require.Empty(t, w.slept)
			}
		})
	}
}

// A request that GitHub served, but said it did not, does not write twice.
func TestNothingIsWrittenTwice(t *testing.T) {
	w := newWorld(t)
	c := w.client(githubfake.Token)
	n := w.pull("feature", "alice")
	head := w.tip("feature")
	for _, f := range []githubfake.Fault{
		{Method: "POST", Path: "/comments", Times: 1, Status: 502, Done: true},
		{Method: "POST", Path: "/issues", Times: 1, Status: 502, Done: true},
		{Method: "POST", Path: "/pulls", Times: 1, Status: 502, Done: true},
		{Method: "POST", Path: "/git/", Times: 1, Status: 502, Done: true},
		{Method: "PATCH", Path: "/git/refs", Times: 1, Status: 502, Done: true},
		{Method: "POST", Path: "/statuses", Times: 1, Status: 502, Done: true},
	} {
		require.NoError(t, w.fake.AddFault(f))
	}
	got, err := c.UpsertComment(t.Context(), comment(n, head, "one"))
	require.NoError(t, err)
	require.Equal(t, github.Unchanged, got.Action)
	_, err = c.OpenOrUpdateIssue(t.Context(), github.Issue{Sticky: github.Sticky{Marker: "<!-- x -->"}, Title: "x", Body: "<!-- x -->"})
	require.NoError(t, err)
	sha, err := c.CommitFiles(t.Context(), github.Commit{Branch: "main", Parent: w.tip("main"), Message: "x", Files: files("lock", "1")})
	require.NoError(t, err)
	require.Equal(t, sha, w.tip("main"))
	_, err = c.OpenOrUpdatePull(t.Context(), github.PullRequest{Branch: "feature", Base: "main", Title: "y", Body: "z"})
	require.NoError(t, err)
	_, err = c.SetStatus(t.Context(), head, github.Status{Context: "x", State: github.Success})
	require.NoError(t, err)

	s := w.fake.State()
	require.Len(t, s.Comments, 1)
	require.Len(t, s.Issues, 1)
	require.Len(t, s.Pulls, 1)
	require.Equal(t, "1", w.git("", "rev-list", "--count", sha, "^"+sha+"^"))
}

// What is one segment in GitHub's description is one segment in the request,
// also below the path of an enterprise server.
func TestSlashesInsideOneSegment(t *testing.T) {
	w := newWorld(t)
	_, err := w.client(githubfake.Token).Branch(t.Context(), "caskmcp/apply")
	require.ErrorIs(t, err, github.ErrNotFound)
	require.Contains(t, w.valid.Sent(), "GET /repos/acme/tools/git/ref/heads%2Fcaskmcp%2Fapply")

	var sent []string
	var tokens []string
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		sent, tokens = append(sent, r.URL.EscapedPath()), append(tokens, r.Header.Get("Authorization"))
		http.Error(rw, `{"message":"no"}`, http.StatusNotFound)
	}))
	defer server.Close()
	for _, base := range []string{"/api/v3", "/api/v3/"} {
		c, err := github.New(github.Options{BaseURL: server.URL + base, Repository: "git/refs", Token: "t"})
		require.NoError(t, err)
		_, err = c.Branch(t.Context(), "ä b")
		require.ErrorIs(t, err, github.ErrNotFound)
		_, err = c.Reviews(t.Context(), 7)
		require.ErrorIs(t, err, github.ErrNotFound)
	}
	require.Equal(t, []string{
		"/api/v3/repos/git/refs/git/ref/heads%2F%C3%A4%20b", "/api/v3/repos/git/refs/pulls/7/reviews",
		"/api/v3/repos/git/refs/git/ref/heads%2F%C3%A4%20b", "/api/v3/repos/git/refs/pulls/7/reviews",
	}, sent)
	require.Equal(t, []string{"Bearer t", "Bearer t", "Bearer t", "Bearer t"}, tokens)
}

// The token goes to the API only, wherever the API redirects to.
func TestTokenStaysAtHome(t *testing.T) {
	var got []string
	elsewhere := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		got = append(got, r.Header.Get("Authorization"))
		_, _ = rw.Write([]byte("[]"))
	}))
	defer elsewhere.Close()
	home := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		http.Redirect(rw, r, elsewhere.URL+r.URL.Path, http.StatusTemporaryRedirect)
	}))
	defer home.Close()
	c, err := github.New(github.Options{BaseURL: home.URL, Repository: "acme/tools", Token: "secret"})
	require.NoError(t, err)
	_, err = c.Reviews(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, []string{""}, got)
}

type broken struct{ times int }

var errReset = errors.New("connection reset")

func (b *broken) RoundTrip(*http.Request) (*http.Response, error) {
	b.times++
	return nil, errReset
}

func TestBrokenConnection(t *testing.T) {
	w, b := newWorld(t), &broken{}
	c, err := github.New(github.Options{Repository: "acme/tools", Token: "secret-token", Transport: b, Sleep: w.sleep})
	require.NoError(t, err)
	_, err = c.Reviews(t.Context(), 1)
	require.ErrorIs(t, err, errReset)
	require.NotContains(t, err.Error(), "secret-token")
	require.Equal(t, 5, b.times)
	require.Equal(t, "1s 2s 4s 8s", strings.Trim(strings.Join(strings.Fields(durations(w.slept)), " "), "[]"))
}

func durations(list []time.Duration) string {
	var out []string
	for _, d := range list {
		out = append(out, d.String())
	}
	return strings.Join(out, " ")
}
