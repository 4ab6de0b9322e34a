package apply_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tomallicino/caskmcp/apply"
	"github.com/tomallicino/caskmcp/lockfile"
	"github.com/tomallicino/caskmcp/plan"
	"github.com/tomallicino/caskmcp/policy"
	"github.com/tomallicino/caskmcp/surface"
)

// A changed definition is pending: the plan has it, nothing applies it without
// a decision, and the approved bytes stay in force.
func TestDesiredChangeIsPending(t *testing.T) {
	for name, change := range map[string]func(*surface.Tool){
		"LOCK-01 description":    func(t *surface.Tool) { t.Description += "." },
		"LOCK-02 optional field": func(t *surface.Tool) { t.InputSchema = json.RawMessage(`{"type":"object","properties":{"all":{}}}`) },
		"LOCK-04 confirmation":   func(t *surface.Tool) { t.Confirm = surface.Never },
		"LOCK-05 fixed value":    func(t *surface.Tool) { t.Binding.Fixed[0].Value = json.RawMessage(`"all"`) },
		"LOCK-07 title":          func(t *surface.Tool) { t.Title = "Users" },
		"LOCK-07 annotation":     func(t *surface.Tool) { t.Annotations.Destructive = true },
		"LOCK-07 header":         func(t *surface.Tool) { t.Binding.Arguments[0].In = surface.InHeader },
		"schema type":            func(t *surface.Tool) { t.InputSchema = json.RawMessage(`{"type":["object"]}`) },
	} {
		t.Run(name, func(t *testing.T) {
			before := tool("list_users", "/users")
			before.Confirm = surface.Always
			before.Binding.Arguments = []surface.Argument{{Name: "page", In: surface.InQuery, Key: "page"}}
			before.Binding.Fixed = []surface.Fixed{{In: surface.InBody, Key: "mode", Value: json.RawMessage(`"one"`)}}
			dir := approved(t, desired(before))
			files := tree(t, dir)

			after := before
			after.Binding.Arguments = append([]surface.Argument{}, before.Binding.Arguments...)
			after.Binding.Fixed = append([]surface.Fixed{}, before.Binding.Fixed...)
			change(&after)
			want := desired(after)
			p := planOf(t, dir, want)
			require.NotEmpty(t, p.Changes)
			require.True(t, named("list_users")(p.Changes[0]))
			r := run(t, dir, want, p, nil)
			require.NotEmpty(t, r.LeftOut)
			require.Equal(t, files, tree(t, dir))
		})
	}
}

// LOCK-10: a tombstone or a new block that says "approved" by hand is none.
func TestHandEditedApproval(t *testing.T) {
	dir := approved(t, desired(tool("a", "/a")))
	want := desired(tool("a", "/a"), tool("b", "/b"))
	p := planOf(t, dir, want)
	run(t, dir, want, p, decide(p, lockfile.Reject, nil))
	at := filepath.Join(dir, lockfile.Name)
	doc, err := os.ReadFile(at)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(at, []byte(strings.Replace(string(doc), "status: rejected", "status: approved", 1)), 0o644))
	definition, err := surface.MarshalIndent(tool("b", "/b"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "approved", "b.json"), definition, 0o644))
	state := open(t, dir)
	require.Equal(t, []string{"a /a"}, served(state))
	require.Len(t, state.Findings, 1)
	require.Equal(t, lockfile.CodeApproval, state.Findings[0].Code)
}

// LOCK-14: an expired tool verifies, and is not to be served.
func TestExpiredTool(t *testing.T) {
	gone := tool("a", "/a")
	gone.Expires = "2026-11-21"
	state := open(t, approved(t, desired(gone)))
	require.Empty(t, state.Findings)
	require.True(t, lockfile.Expired(state.Surface.Tools[0], now))
	require.False(t, lockfile.Expired(state.Surface.Tools[0], now.Add(-48*time.Hour)))
}

// LOCK-19, LOCK-20, LOCK-23: what cannot be read without guessing is never
// rewritten.
func TestUnreadableStateIsNotRewritten(t *testing.T) {
	for name, change := range map[string]func(string) string{
		"LOCK-19 duplicate tool":  func(doc string) string { return doc + "\n" + doc[strings.Index(doc, "  a:"):] },
		"LOCK-20 unknown version": func(doc string) string { return strings.Replace(doc, `"1.0"`, `"99"`, 1) },
		"LOCK-23 50 MiB":          func(doc string) string { return doc + strings.Repeat("#", 50<<20) },
		"conflict markers":        func(doc string) string { return "<<<<<<< HEAD\n" + doc },
		"empty":                   func(string) string { return "" },
	} {
		t.Run(name, func(t *testing.T) {
			want := desired(tool("a", "/a"))
			dir := approved(t, want)
			next := desired(tool("a", "/a"), tool("b", "/b"))
			p := planOf(t, dir, next)
			at := filepath.Join(dir, lockfile.Name)
			doc, err := os.ReadFile(at)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(at, []byte(change(string(doc))), 0o644))
			before := tree(t, dir)
			_, err = lockfile.Open(os.DirFS(dir))
			require.Error(t, err)
			_, err = apply.Apply(t.Context(), apply.Params{Dir: dir, Plan: p, Desired: next, Decisions: decide(p, lockfile.Approve, nil), Now: now})
			require.ErrorContains(t, err, "applying: reading lockfile: ")
			require.True(t, before[lockfile.Name] == tree(t, dir)[lockfile.Name])
		})
	}
}

// LOCK-22: a lockfile that is a link, wherever it leads, is neither read nor
// replaced.
func TestLinkedLockfile(t *testing.T) {
	dir := approved(t, desired(tool("a", "/a")))
	next := desired(tool("a", "/a"), tool("b", "/b"))
	p := planOf(t, dir, next)
	at := filepath.Join(dir, lockfile.Name)
	require.NoError(t, os.Remove(at))
	require.NoError(t, os.Symlink("/etc/passwd", at))
	_, err := apply.Apply(t.Context(), apply.Params{Dir: dir, Plan: p, Desired: next, Decisions: decide(p, lockfile.Approve, nil), Now: now})
	require.ErrorContains(t, err, "not a regular file (symbolic link)")
	link, err := os.Readlink(at)
	require.NoError(t, err)
	require.Equal(t, "/etc/passwd", link)
}

// LOCK-29: a decision counts for the bytes it was made about, and for the
// state it was made on.
func TestMovedHead(t *testing.T) {
	dir := approved(t, desired(tool("a", "/a")))
	shown := tool("b", "/b")
	p := planOf(t, dir, desired(tool("a", "/a"), shown))
	ds := decide(p, lockfile.Approve, nil)

	pushed := shown
	pushed.Description = "Something else."
	want := desired(tool("a", "/a"), pushed)
	_, err := apply.Apply(t.Context(), apply.Params{Dir: dir, Plan: planOf(t, dir, want), Desired: want, Decisions: ds, Now: now})
	require.ErrorIs(t, err, apply.ErrDecision)
	_, err = apply.Apply(t.Context(), apply.Params{Dir: dir, Plan: p, Desired: want, Decisions: ds, Now: now})
	require.ErrorIs(t, err, apply.ErrDesired)

	other := desired(tool("a", "/a"), tool("c", "/c"))
	p2 := planOf(t, dir, other)
	run(t, dir, other, p2, decide(p2, lockfile.Approve, nil))
	_, err = apply.Apply(t.Context(), apply.Params{Dir: dir, Plan: p, Desired: desired(tool("a", "/a"), shown), Decisions: ds, Now: now})
	require.ErrorIs(t, err, apply.ErrStale)
	require.Equal(t, []string{"a /a", "c /c"}, served(open(t, dir)))
}

// REL-07: a lock file without a process that holds it does not matter.
func TestLeftOverLockFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "lockfile")
	require.NoError(t, os.MkdirAll(dir, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, lockfile.FlockName), []byte("1"), 0o444))
	want := desired(tool("a", "/a"))
	p := planOf(t, dir, want)
	require.Empty(t, run(t, dir, want, p, decide(p, lockfile.Approve, nil)).LeftOut)
}

// Approving a policy that allows more is a decision of its own, and an
// approved tool does not carry it.
func TestPolicyIsDecidedOnItsOwn(t *testing.T) {
	dir := approved(t, desired(tool("a", "/a")))
	want := desired(tool("a", "/a"), tool("b", "/b"))
	want.Policy = policy.Policy{Default: policy.Allow}
	p := planOf(t, dir, want)
	run(t, dir, want, p, decide(p, lockfile.Approve, func(c plan.Change) bool { return c.Kind != plan.PolicyKind }))
	state := open(t, dir)
	require.True(t, state.PolicyOK)
	require.Equal(t, policy.Default(), state.Surface.Policy)
	require.Len(t, state.Surface.Tools, 2)
}
