package lockfile_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/tomallicino/caskmcp/internal/format"
	"github.com/tomallicino/caskmcp/lockfile"
)

// A lockfile that could be read in two ways is not read at all.
func TestUnreadableLockfile(t *testing.T) {
	good := string(stored(t, fullTool("list_users"), other())[lockfile.Name].Data)
	edit := func(old, now string) string {
		require.Contains(t, good, old)
		return strings.Replace(good, old, now, 1)
	}
	for name, tc := range map[string]struct {
		doc  string
		says string
	}{
		"empty":                 {"", "it is empty"},
		"only a comment":        {"# nothing\n", "it is empty"},
		"a list":                {"- a\n", "expected keys and values"},
		"a word":                {"hello\n", "expected keys and values"},
		"no version":            {edit(`version: "1.0"`, ""), "names no version"},
		"unknown version":       {edit(`"1.0"`, `"99"`), "newer caskmcp"},
		"future minor version":  {edit(`"1.0"`, `"1.1"`), "newer caskmcp"},
		"unknown key":           {edit("version:", "serial: 3\nversion:"), `unknown key "serial"`},
		"unknown key in a tool": {edit("    request:", "    trusted: true\n    request:"), `unknown key "trusted"`},
		"unknown key below by":  {edit("login: alice", "login: alice\n      email: a@b"), `unknown key "email"`},
		"key twice":             {edit("    request:", "    request: x\n    request:"), `key "request" is there twice`},
		"tool twice":            {good + "\n" + good[strings.Index(good, "  list_users:"):strings.Index(good, "  other:")], `key "list_users" is there twice`},
		"tools twice":           {good + "tools: {}\n", `key "tools" is there twice`},
		"anchor":                {edit("login: alice", "login: &a alice"), "anchors and aliases"},
		"alias":                 {edit("toolsets: [readonly]", "toolsets: [*a]"), ""},
		"merge key":             {edit("    request:", "    <<: {risk: safe}\n    request:"), "is not a string"},
		"tag":                   {edit("login: alice", "login: !!binary YWxpY2U="), "tags are not allowed"},
		"key that is no string": {edit("  list_users:", "  12:"), `key "12" is not a string`},
		"null block":            {edit("tools:\n", "tools:\n  gone:\n"), "expected keys and values"},
		"keys for a value":      {edit("risk: low", "risk: {low: 1}"), "expected a value, not keys"},
		"value for keys":        {edit("by:\n", "by: alice\n      x:\n"), ""},
		"list in a list":        {edit("toolsets: [readonly]", "toolsets: [[readonly]]"), "expected a list of strings"},
		"text for a number":     {edit("pr: 12", "pr: twelve"), "cannot unmarshal"},
		"two documents":         {good + "---\n" + good, "more than one YAML document"},
		"conflict markers":      {edit("tools:\n", "tools:\n<<<<<<< HEAD\n=======\n>>>>>>> feature\n"), "git conflict markers"},
		"not UTF-8":             {edit("alice", "al\xffce"), ""},
		"cut off":               {good[:strings.LastIndex(good, "checksum:")+len("check")], ""},
		"too large":             {strings.Repeat("#", lockfile.MaxBytes+1), "more than"},
		"nothing but commas":    {"a: {" + strings.Repeat("a,", 1<<20) + "}", "lines and list items"},
		"deep":                  {strings.Repeat("[", 100_000), ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := lockfile.Parse([]byte(tc.doc))
			require.ErrorContains(t, err, tc.says)
			_, err = lockfile.Open(fstest.MapFS{lockfile.Name: &fstest.MapFile{Data: []byte(tc.doc)}})
			require.ErrorContains(t, err, "reading lockfile: ")
		})
	}
	_, err := lockfile.Parse([]byte(edit(`"1.0"`, `"99"`)))
	require.ErrorIs(t, err, format.ErrUnsupported)
	_, err = lockfile.Parse([]byte("a: [\n"))
	require.ErrorIs(t, err, lockfile.ErrSyntax)
}

// What only looks different is the same: approvals are for content.
func TestLooksDifferent(t *testing.T) {
	fsys := stored(t, fullTool("list_users"), other())
	doc := string(fsys[lockfile.Name].Data)
	doc = "# checked out on another system\n" + strings.ReplaceAll(doc, "\n", "\r\n")
	fsys[lockfile.Name] = &fstest.MapFile{Data: []byte(doc)}
	at := lockfile.DefinitionPath("list_users")
	fsys[at] = &fstest.MapFile{Data: []byte(strings.ReplaceAll(string(fsys[at].Data), "\n", "\r\n\t "))}
	state, err := lockfile.Open(fsys)
	require.NoError(t, err)
	require.Empty(t, state.Findings)
	require.Len(t, state.Surface.Tools, 2)
}

func TestEncode(t *testing.T) {
	fsys := stored(t, fullTool("list_users"), other())
	doc := fsys[lockfile.Name].Data
	lock, err := lockfile.Parse(doc)
	require.NoError(t, err)
	again, err := lock.Encode()
	require.NoError(t, err)
	require.Equal(t, string(doc), string(again))
	// Between two blocks there is always a line that neither of them has.
	require.Contains(t, string(doc), "\n\n  other:\n")
	require.Contains(t, string(doc), "\n\npolicy:\n")

	golden := filepath.Join("testdata", "caskmcp.lock.yaml")
	if *update {
		require.NoError(t, os.WriteFile(golden, doc, 0o644))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	require.Equal(t, string(want), string(doc))
}

func TestOpenOnDisk(t *testing.T) {
	disk := func(t *testing.T) string {
		dir := t.TempDir()
		require.NoError(t, os.CopyFS(dir, stored(t, fullTool("list_users"), other())))
		return dir
	}
	t.Run("os.Root", func(t *testing.T) {
		root, err := os.OpenRoot(disk(t))
		require.NoError(t, err)
		defer root.Close()
		state, err := lockfile.Open(root.FS())
		require.NoError(t, err)
		require.Empty(t, state.Findings)
		require.Len(t, state.Surface.Tools, 2)
	})
	t.Run("no folder", func(t *testing.T) {
		state, err := lockfile.Open(os.DirFS(filepath.Join(t.TempDir(), "none")))
		require.NoError(t, err)
		require.False(t, state.Exists)
		require.Empty(t, state.Findings)
		require.Zero(t, state.Surface)
	})
	t.Run("50 MiB", func(t *testing.T) {
		dir := disk(t)
		require.NoError(t, os.Truncate(filepath.Join(dir, lockfile.Name), 50<<20))
		_, err := lockfile.Open(os.DirFS(dir))
		require.ErrorContains(t, err, "file is too large")
	})
	for _, name := range []string{lockfile.Name, lockfile.ApprovedDir} {
		t.Run("link at "+name, func(t *testing.T) {
			dir := disk(t)
			outside := filepath.Join(t.TempDir(), "outside")
			require.NoError(t, os.Rename(filepath.Join(dir, name), outside))
			require.NoError(t, os.Symlink(outside, filepath.Join(dir, name)))
			_, err := lockfile.Open(os.DirFS(dir))
			require.ErrorContains(t, err, "not a regular file")
		})
	}
	t.Run("folder as lockfile", func(t *testing.T) {
		dir := t.TempDir()
		require.NoError(t, os.Mkdir(filepath.Join(dir, lockfile.Name), 0o755))
		_, err := lockfile.Open(os.DirFS(dir))
		require.ErrorContains(t, err, "not a regular file")
	})
	t.Run("only pending", func(t *testing.T) {
		dir := t.TempDir()
		p := &lockfile.Pending{}
		p.Set(lockfile.KindTool, "list_users", lockfile.PendingChange{
			Action: "create", Digest: "sha256:0", Mark: &lockfile.Mark{Decision: lockfile.Approve, By: lockfile.By{Login: "alice"}},
		})
		require.NoError(t, lockfile.WritePending(dir, p))
		state, err := lockfile.Open(os.DirFS(dir))
		require.NoError(t, err)
		require.False(t, state.Exists)
		require.Zero(t, state.Surface)
	})
}
