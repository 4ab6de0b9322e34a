package main

import (
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// gitRepo is a repository to commit to; clock makes commit ids repeatable.
type gitRepo struct {
	t     *testing.T
	dir   string
	clock int
}

func newGitRepo(t *testing.T) *gitRepo {
	g := &gitRepo{t: t, dir: t.TempDir()}
	g.git("init", "-q", "-b", "main")
	return g
}

func (g *gitRepo) git(args ...string) string {
	g.t.Helper()
	g.clock++
	cmd := exec.CommandContext(g.t.Context(), "git", append([]string{"-C", g.dir}, args...)...)
	at := "2026-03-01T10:00:00Z"
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com",
		"GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com", "GIT_AUTHOR_DATE="+at, "GIT_COMMITTER_DATE="+at)
	out, err := cmd.CombinedOutput()
	require.NoError(g.t, err, "git %s\n%s", strings.Join(args, " "), out)
	return strings.TrimSpace(string(out))
}

// commit writes files (nil: removes them) and commits everything.
func (g *gitRepo) commit(message string, files map[string]string) string {
	g.t.Helper()
	for name, text := range files {
		path := filepath.Join(g.dir, name)
		require.NoError(g.t, os.MkdirAll(filepath.Dir(path), 0o755))
		if text == "" {
			require.NoError(g.t, os.Remove(path))
			continue
		}
		require.NoError(g.t, os.WriteFile(path, []byte(text), 0o644))
	}
	g.git("add", "-A")
	g.git("commit", "-q", "--allow-empty", "-m", message)
	return g.git("rev-parse", "HEAD")
}

func (g *gitRepo) open(t *testing.T) *repo {
	r, err := openRepo(context.Background(), g.dir, "", "")
	require.NoError(t, err)
	return r
}

func TestMergeIsMadeWithoutTheWorkTree(t *testing.T) {
	g := newGitRepo(t)
	base := g.commit("base", map[string]string{".caskmcp/captures/a.json": "a\n", "caskmcp.yaml": "one\n"})
	g.git("switch", "-q", "-c", "topic")
	head := g.commit("head", map[string]string{".caskmcp/captures/b.json": "b\n"})
	g.git("switch", "-q", "main")
	tip := g.commit("tip", map[string]string{"caskmcp.yaml": "two\n"})
	r := g.open(t)

	tree, err := r.merge(t.Context(), tip, head)
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, r.extract(t.Context(), tree, dir))
	for name, want := range map[string]string{"caskmcp.yaml": "two\n", ".caskmcp/captures/a.json": "a\n", ".caskmcp/captures/b.json": "b\n"} {
		got, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		require.Equal(t, want, string(got))
	}
	require.Empty(t, g.git("status", "--porcelain"))

	g.git("switch", "-q", "-c", "other", base)
	conflicting := g.commit("other", map[string]string{"caskmcp.yaml": "three\n"})
	_, err = r.merge(t.Context(), tip, conflicting)
	require.ErrorIs(t, err, errConflict)
	_, err = r.merge(t.Context(), tip, "--output=/tmp/x")
	require.ErrorContains(t, err, "is no commit id")
	_, err = r.merge(t.Context(), tip, strings.Repeat("0", 40))
	require.ErrorContains(t, err, "fetching 0000000")
}

// A revision must not be able to hide its own files, or to change them on the
// way out, as .gitattributes can do to git archive.
func TestARevisionCannotHideItsFiles(t *testing.T) {
	g := newGitRepo(t)
	sha := g.commit("all", map[string]string{
		".gitattributes":           "*.json export-ignore\n*.yaml export-subst text eol=crlf\n",
		".caskmcp/captures/a.json": "a\n",
		"caskmcp.yaml":             "$Format:%H$\n",
	})
	r := g.open(t)
	dir := t.TempDir()
	require.NoError(t, r.extract(t.Context(), sha, dir))
	for name, want := range map[string]string{".caskmcp/captures/a.json": "a\n", "caskmcp.yaml": "$Format:%H$\n"} {
		got, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		require.Equal(t, want, string(got))
	}
	tree, err := gitTree(t.Context(), filepath.Join(g.dir, ".caskmcp"), "main")
	require.NoError(t, err)
	got, err := fs.ReadFile(tree, "captures/a.json")
	require.NoError(t, err)
	require.Equal(t, "a\n", string(got))
}

func TestLinksInARevisionAreRefused(t *testing.T) {
	g := newGitRepo(t)
	require.NoError(t, os.MkdirAll(filepath.Join(g.dir, ".caskmcp"), 0o755))
	require.NoError(t, os.Symlink("/etc/passwd", filepath.Join(g.dir, ".caskmcp", "captures")))
	sha := g.commit("link", nil)
	require.ErrorContains(t, g.open(t).extract(t.Context(), sha, t.TempDir()), "is a link, not a file")
}

func TestMissingCommitsAreFetched(t *testing.T) {
	g := newGitRepo(t)
	first := g.commit("first", map[string]string{"caskmcp.yaml": "one\n"})
	clone := t.TempDir()
	g.git("clone", "-q", g.dir, clone)
	second := g.commit("second", map[string]string{"caskmcp.yaml": "two\n"})
	r, err := openRepo(t.Context(), clone, "https://github.com", "secret")
	require.NoError(t, err)
	require.NoError(t, r.ensure(t.Context(), second))
	parents, err := r.parents(t.Context(), second)
	require.NoError(t, err)
	require.Equal(t, []string{first}, parents)
	parents, err = r.parents(t.Context(), first)
	require.NoError(t, err)
	require.Empty(t, parents)
}

// The history that apply walks has merges once, and leaves out what changes
// nothing it looks at.
func TestLandedFollowsFirstParents(t *testing.T) {
	g := newGitRepo(t)
	one := g.commit("one", map[string]string{"caskmcp.yaml": "one\n"})
	g.commit("readme", map[string]string{"README": "x\n"})
	g.git("switch", "-q", "-c", "topic")
	g.commit("topic", map[string]string{".caskmcp/captures/b.json": "b\n"})
	g.git("switch", "-q", "main")
	g.commit("readme", map[string]string{"README": "y\n"})
	g.git("merge", "-q", "--no-ff", "-m", "merge", "topic")
	merge := g.git("rev-parse", "HEAD")
	got, err := g.open(t).landed(t.Context(), merge, 10)
	require.NoError(t, err)
	require.Equal(t, []string{merge, one}, got)
}

// A repository below the work tree's top is read from its own folder.
func TestPrefix(t *testing.T) {
	g := newGitRepo(t)
	sha := g.commit("one", map[string]string{"sub/caskmcp.yaml": "sub\n", "sub/.caskmcp/captures/b.json": "b\n", "caskmcp.yaml": "top\n"})
	r, err := openRepo(t.Context(), filepath.Join(g.dir, "sub"), "", "")
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, r.extract(t.Context(), sha, dir))
	got, err := os.ReadFile(filepath.Join(dir, "caskmcp.yaml"))
	require.NoError(t, err)
	require.Equal(t, "sub\n", string(got))
}
