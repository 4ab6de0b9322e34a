package github_test

import (
	"context"
	"fmt"
	"maps"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"

	"github.com/tomallicino/caskmcp/github"
	"github.com/tomallicino/caskmcp/internal/githubfake"
	"github.com/tomallicino/caskmcp/internal/githubfake/contract"
)

// description is GitHub's own, as far as it is used here.
var description = sync.OnceValues(func() (*openapi3.T, error) {
	return contract.Load(filepath.Join("..", "testdata", "github", "gh-slice.json"))
})

// world is a fake GitHub with a clone, and clients of it.
type world struct {
	t     testing.TB
	fake  *githubfake.Server
	valid *contract.Checker
	url   string
	bare  string
	// slept are the pauses that the clients asked for.
	mu    sync.Mutex
	slept []time.Duration
}

func newWorld(t testing.TB) *world {
	t.Helper()
	doc, err := description()
	require.NoError(t, err)
	w := &world{t: t, bare: filepath.Join(t.TempDir(), "repo.git")}
	w.fake, err = githubfake.New(w.bare, "acme/tools")
	require.NoError(t, err)
	w.valid = contract.New(doc, w.fake, t.Errorf)
	server := httptest.NewServer(w.valid)
	t.Cleanup(server.Close)
	w.url = server.URL
	for _, u := range []githubfake.User{
		{Login: "alice", ID: 1, Permission: "write"}, {Login: "bob", ID: 2, Permission: "maintain"},
		{Login: "mallory", ID: 4, Permission: "triage"}, {Login: "helper[bot]", ID: 5, Type: "Bot", Permission: "write"},
	} {
		require.NoError(t, w.fake.AddUser(u))
	}
	w.commit("main", "alice", map[string]string{"README.md": "tools\n"})
	return w
}

func (w *world) client(token string) *github.Client {
	c, err := github.New(github.Options{BaseURL: w.url, Repository: "acme/tools", Token: token, Sleep: w.sleep})
	require.NoError(w.t, err)
	return c
}

func (w *world) sleep(ctx context.Context, d time.Duration) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.slept = append(w.slept, d)
	return ctx.Err()
}

func (w *world) git(stdin string, args ...string) string {
	w.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir, cmd.Stdin = w.bare, strings.NewReader(stdin)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1")
	out, err := cmd.CombinedOutput()
	require.NoError(w.t, err, string(out))
	return strings.TrimSpace(string(out))
}

// commit puts a commit with these files on a branch, which starts at main, by
// one person, and returns it.
func (w *world) commit(branch, who string, files map[string]string) string {
	w.t.Helper()
	var in strings.Builder
	fmt.Fprintf(&in, "commit refs/heads/%s\ncommitter %s <%s@users.noreply.github.com> 1795338000 +0000\ndata 7\nchange\n\n", branch, who, who)
	if sha := w.tip(branch); sha != "" {
		fmt.Fprintf(&in, "from %s\n", sha)
	} else if sha := w.tip("main"); sha != "" {
		fmt.Fprintf(&in, "from %s\n", sha)
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		fmt.Fprintf(&in, "M 100644 inline %s\ndata %d\n%s\n", name, len(files[name]), files[name])
	}
	w.git(in.String(), "fast-import", "--quiet", "--force")
	return w.tip(branch)
}

func (w *world) tip(branch string) string {
	cmd := exec.Command("git", "rev-parse", "-q", "--verify", "refs/heads/"+branch)
	cmd.Dir = w.bare
	out, _ := cmd.Output()
	return strings.TrimSpace(string(out))
}

// pull opens a pull request by author with one commit of theirs.
func (w *world) pull(branch, author string) int {
	w.t.Helper()
	w.commit(branch, author, map[string]string{branch + ".txt": branch + "\n"})
	n, err := w.fake.OpenPull(githubfake.Pull{Title: "Add " + branch, Author: author, Head: branch, Base: "main"})
	require.NoError(w.t, err)
	return n
}
