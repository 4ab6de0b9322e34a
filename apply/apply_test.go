package apply_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tomallicino/caskmcp/apply"
	"github.com/tomallicino/caskmcp/compiler"
	"github.com/tomallicino/caskmcp/internal/files"
	"github.com/tomallicino/caskmcp/lockfile"
	"github.com/tomallicino/caskmcp/plan"
	"github.com/tomallicino/caskmcp/policy"
	"github.com/tomallicino/caskmcp/surface"
)

var now = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)

func tool(name, path string) surface.Tool {
	return surface.Tool{
		Name:        name,
		Description: "Reads " + path + ".",
		InputSchema: json.RawMessage(`{"type":"object","properties":{},"additionalProperties":false}`),
		Annotations: surface.Annotations{ReadOnly: true, Idempotent: true, OpenWorld: true},
		Binding: surface.Binding{
			Method: "GET", Scheme: "https", Host: "api.example.com", Port: 443, Path: path, Arguments: []surface.Argument{},
		},
		Effect: surface.Read, Risk: surface.Low, Confirm: surface.Never, Limits: surface.DefaultLimits,
		Toolsets: []string{"readonly"}, Evidence: &surface.Evidence{Captures: []string{"a-12345678"}, Observations: 4},
	}
}

func desired(tools ...surface.Tool) surface.Surface {
	slices.SortFunc(tools, func(a, b surface.Tool) int { return strings.Compare(a.Name, b.Name) })
	return surface.Surface{
		Tools:    tools,
		Toolsets: []surface.Toolset{{Name: "readonly", Description: "Reads.", Default: true}},
		Policy:   policy.Default(),
		Server:   surface.Server{Name: "example"},
	}
}

func open(t testing.TB, dir string) *lockfile.State {
	t.Helper()
	state, err := lockfile.Open(os.DirFS(dir))
	require.NoError(t, err)
	return state
}

func planOf(t testing.TB, dir string, want surface.Surface, reconsider ...string) *plan.Plan {
	t.Helper()
	p, err := plan.New(plan.Params{Toolpack: "example", State: open(t, dir), Result: &compiler.Result{Surface: want}, Reconsider: reconsider})
	require.NoError(t, err)
	return p
}

// decide gives every change of the plan that yes accepts the verdict.
func decide(p *plan.Plan, verdict string, yes func(plan.Change) bool) []apply.Decision {
	var ds []apply.Decision
	for _, c := range p.Changes {
		if c.Kind != plan.StateKind && (yes == nil || yes(c)) {
			ds = append(ds, apply.Decision{
				Kind: c.Kind, Name: c.Name, Action: apply.ActionOf(c), Digest: apply.DigestOf(c), Verdict: verdict,
				Approval: lockfile.Approval{By: lockfile.By{Login: "alice"}, Via: lockfile.ViaCLI},
			})
		}
	}
	return ds
}

func named(names ...string) func(plan.Change) bool {
	return func(c plan.Change) bool { return c.Kind == plan.ToolKind && slices.Contains(names, c.Name) }
}

func run(t testing.TB, dir string, want surface.Surface, p *plan.Plan, ds []apply.Decision) *apply.Result {
	t.Helper()
	r, err := apply.Apply(t.Context(), apply.Params{Dir: dir, Plan: p, Desired: want, Decisions: ds, Now: now})
	require.NoError(t, err)
	return r
}

// approved is a folder with that surface applied.
func approved(t testing.TB, want surface.Surface) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "lockfile")
	p := planOf(t, dir, want)
	r := run(t, dir, want, p, decide(p, lockfile.Approve, nil))
	require.Empty(t, r.LeftOut)
	return dir
}

// names lists outcomes as "action kind name".
func names(list []apply.Outcome) []string {
	out := []string{}
	for _, o := range list {
		out = append(out, fmt.Sprintf("%s %s %s", o.Action, o.Kind, o.Name))
	}
	slices.Sort(out)
	return out
}

func served(s *lockfile.State) []string {
	out := []string{}
	for _, t := range s.Surface.Tools {
		out = append(out, t.Name+" "+t.Binding.Path)
	}
	return out
}

// tree is every file below dir with its content, but the lock's.
func tree(t testing.TB, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == lockfile.FlockName {
			return err
		}
		doc, err := os.ReadFile(path)
		rel, _ := filepath.Rel(dir, path)
		out[filepath.ToSlash(rel)] = string(doc)
		return err
	}))
	return out
}

func TestApply(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "lockfile")
	want := desired(tool("list_users", "/users"), tool("list_posts", "/posts"))
	p := planOf(t, dir, want)

	// Nothing decided: nothing written, everything left out.
	r := run(t, dir, want, p, nil)
	require.Len(t, r.LeftOut, 5)
	require.NoDirExists(t, dir)

	// One tool only.
	r = run(t, dir, want, p, decide(p, lockfile.Approve, named("list_users")))
	require.Equal(t, []string{"create tool list_users"}, names(r.Applied))
	require.Len(t, r.LeftOut, 4)
	state := open(t, dir)
	require.Empty(t, state.Findings)
	require.Equal(t, []string{"list_users /users"}, served(state))
	require.False(t, state.PolicyOK)
	require.Equal(t, state, r.State)
	a := state.Lock.Tools["list_users"].Approval
	require.Equal(t, "alice", a.By.Login)
	require.Equal(t, p.PlanDigest, a.Plan)
	require.Equal(t, "2026-11-22T09:00:00Z", a.At)

	// The same plan and decisions again: already there, nothing changes.
	before := tree(t, dir)
	again := run(t, dir, want, p, decide(p, lockfile.Approve, named("list_users")))
	require.Equal(t, names(r.Applied), names(again.Applied))
	require.Equal(t, before, tree(t, dir))

	// The same plan with other decisions is stale.
	_, err := apply.Apply(t.Context(), apply.Params{Dir: dir, Plan: p, Desired: want, Decisions: decide(p, lockfile.Approve, nil), Now: now})
	require.ErrorIs(t, err, apply.ErrStale)
	require.ErrorContains(t, err, `run "caskmcp plan"`)
	_, err = apply.Apply(t.Context(), apply.Params{Dir: dir, Plan: p, Desired: want, Now: now})
	require.ErrorIs(t, err, apply.ErrStale)
	require.Equal(t, before, tree(t, dir))

	// A new plan has what is left.
	p = planOf(t, dir, want)
	r = run(t, dir, want, p, decide(p, lockfile.Approve, nil))
	require.Empty(t, r.LeftOut)
	state = open(t, dir)
	require.Empty(t, state.Findings)
	require.True(t, state.PolicyOK)
	require.True(t, state.ServerOK)
	require.Equal(t, []string{"list_posts /posts", "list_users /users"}, served(state))
	require.Equal(t, want.Toolsets, state.Surface.Toolsets)
	require.Equal(t, 4, state.Surface.Tools[0].Evidence.Observations)
	require.Empty(t, planOf(t, dir, want).Changes)
}

func TestApplyIsDeterministic(t *testing.T) {
	want := desired(tool("a", "/a"), tool("b", "/b"), tool("c", "/c"))
	first := tree(t, approved(t, want))
	for range 3 {
		require.Equal(t, first, tree(t, approved(t, want)))
	}
}

func TestUpdate(t *testing.T) {
	old := desired(tool("list_users", "/users"))
	dir := approved(t, old)
	changed := tool("list_users", "/users")
	changed.Description = "Lists all users."
	want := desired(changed)
	p := planOf(t, dir, want)

	// A rejected change leaves the approved bytes served, and is left out.
	before := tree(t, dir)
	r := run(t, dir, want, p, decide(p, lockfile.Reject, nil))
	require.Equal(t, []string{"update tool list_users"}, names(r.LeftOut))
	require.Equal(t, "rejected", r.LeftOut[0].Reason)
	require.Equal(t, before, tree(t, dir))

	run(t, dir, want, p, decide(p, lockfile.Approve, nil))
	require.Equal(t, "Lists all users.", open(t, dir).Surface.Tools[0].Description)
	require.Empty(t, planOf(t, dir, want).Changes)
}

func TestReject(t *testing.T) {
	dir := approved(t, desired(tool("list_users", "/users")))
	want := desired(tool("list_users", "/users"), tool("delete_all", "/all"))
	p := planOf(t, dir, want)
	ds := decide(p, lockfile.Reject, nil)
	ds[0].Approval.Reason = "far too\nmuch \u202epower"
	r := run(t, dir, want, p, ds)
	require.Equal(t, []string{"create tool delete_all"}, names(r.Rejected))
	require.Empty(t, r.LeftOut)
	state := open(t, dir)
	require.Empty(t, state.Findings)
	require.Equal(t, []string{"list_users /users"}, served(state))
	b := state.Lock.Tools["delete_all"]
	require.Equal(t, surface.Rejected, b.Status)
	require.Equal(t, "far too much power", b.Approval.Reason)
	require.NoFileExists(t, filepath.Join(dir, "approved", "delete_all.json"))

	// The rejection is remembered, under another name too; approving it
	// takes the block over.
	require.Empty(t, planOf(t, dir, want).Changes)
	renamed := desired(tool("list_users", "/users"), tool("clean_up", "/all"))
	p = planOf(t, dir, renamed)
	require.Len(t, p.Changes, 1)
	require.True(t, slices.ContainsFunc(p.Changes[0].Reasons, func(r plan.Reason) bool {
		return r.Code == "tool.was_rejected" && r.Class == plan.Block
	}))
	run(t, dir, renamed, p, decide(p, lockfile.Approve, nil))
	state = open(t, dir)
	require.Empty(t, state.Findings)
	require.Equal(t, []string{"clean_up /all", "list_users /users"}, served(state))
	require.NotContains(t, state.Lock.Tools, "delete_all")
}

func TestRejectingTwiceIsNoError(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "lockfile")
	want := desired(tool("a", "/a"))
	p := planOf(t, dir, want)
	ds := decide(p, lockfile.Reject, nil)
	first := run(t, dir, want, p, ds)
	before := tree(t, dir)
	again := run(t, dir, want, p, ds)
	require.Equal(t, names(first.Rejected), names(again.Rejected))
	require.Equal(t, before, tree(t, dir))
	_, err := apply.Apply(t.Context(), apply.Params{Dir: dir, Plan: p, Desired: want, Decisions: decide(p, lockfile.Approve, nil), Now: now})
	require.ErrorIs(t, err, apply.ErrStale)
}

// An apply that was killed after it had committed is finished by the next
// one, which finds its own decisions in the state.
func TestFinishesAKilledApply(t *testing.T) {
	want := desired(tool("a", "/a"), tool("b", "/b"))
	done := approved(t, want)
	var changes []files.Change
	for path, doc := range tree(t, done) {
		changes = append(changes, files.Change{Path: path, Data: []byte(doc)})
	}
	journal, err := files.EncodeJournal(changes)
	require.NoError(t, err)
	dir := filepath.Join(t.TempDir(), "lockfile")
	p := planOf(t, dir, want)
	require.NoError(t, files.Write(filepath.Join(dir, files.JournalName), journal, 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(dir, ".caskmcp.lock.yaml4815162342108"), []byte("half"), 0o644))
	r := run(t, dir, want, p, decide(p, lockfile.Approve, nil))
	require.Len(t, r.Applied, len(p.Changes))
	require.Equal(t, tree(t, done), tree(t, dir))
}

// A tool whose definition is lost can be removed.
func TestRemovesATamperedTool(t *testing.T) {
	dir := approved(t, desired(tool("a", "/a"), tool("b", "/b")))
	require.NoError(t, os.Remove(filepath.Join(dir, "approved", "b.json")))
	want := desired(tool("a", "/a"))
	p := planOf(t, dir, want)
	r := run(t, dir, want, p, decide(p, lockfile.Approve, nil))
	require.Equal(t, []string{"delete tool b"}, names(r.Applied))
	require.Empty(t, r.State.Findings)
}

func TestRejectedNameIsHeld(t *testing.T) {
	dir := approved(t, desired())
	want := desired(tool("get", "/a"))
	p := planOf(t, dir, want)
	run(t, dir, want, p, decide(p, lockfile.Reject, nil))
	want = desired(tool("get", "/b"))
	p = planOf(t, dir, want)
	before := tree(t, dir)
	r := run(t, dir, want, p, decide(p, lockfile.Approve, nil))
	require.Contains(t, r.LeftOut[0].Reason, "the name is held by GET https://api.example.com/a (rejected)")
	require.Equal(t, before, tree(t, dir))
}

func TestRemove(t *testing.T) {
	both := desired(tool("list_users", "/users"), tool("list_posts", "/posts"))
	dir := approved(t, both)
	one := desired(tool("list_users", "/users"))
	p := planOf(t, dir, one)
	r := run(t, dir, one, p, decide(p, lockfile.Approve, nil))
	require.Equal(t, []string{"delete tool list_posts"}, names(r.Applied))
	require.NoFileExists(t, filepath.Join(dir, "approved", "list_posts.json"))
	state := open(t, dir)
	require.Empty(t, state.Findings)
	require.Equal(t, surface.Removed, state.Lock.Tools["list_posts"].Status)
	require.Empty(t, planOf(t, dir, one).Changes)

	// It comes back unchanged: the old approval does not count.
	p = planOf(t, dir, both)
	require.Equal(t, []string{"create"}, p.Changes[0].Actions)
	require.Equal(t, []string{"list_users /users"}, served(open(t, dir)))
	run(t, dir, both, p, decide(p, lockfile.Approve, nil))
	state = open(t, dir)
	require.Empty(t, state.Findings)
	require.Len(t, state.Surface.Tools, 2)
}

func TestReplace(t *testing.T) {
	dir := approved(t, desired(tool("list_users", "/users")))
	want := desired(tool("list_users", "/v2/users"))
	p := planOf(t, dir, want)
	require.Equal(t, []string{"delete", "create"}, p.Changes[0].Actions)
	r := run(t, dir, want, p, decide(p, lockfile.Reject, nil))
	require.Len(t, r.LeftOut, 1)
	require.Equal(t, []string{"list_users /users"}, served(open(t, dir)))
	run(t, dir, want, p, decide(p, lockfile.Approve, nil))
	state := open(t, dir)
	require.Empty(t, state.Findings)
	require.Equal(t, []string{"list_users /v2/users"}, served(state))
	require.Empty(t, planOf(t, dir, want).Changes)
}

func TestRename(t *testing.T) {
	dir := approved(t, desired(tool("a", "/a"), tool("b", "/b")))
	for _, want := range []surface.Surface{
		desired(tool("c", "/a"), tool("b", "/b")),
		desired(tool("b", "/a"), tool("c", "/b")),
		desired(tool("c", "/a"), tool("b", "/b")),
	} {
		p := planOf(t, dir, want)
		r := run(t, dir, want, p, decide(p, lockfile.Approve, nil))
		require.Empty(t, r.LeftOut)
		state := open(t, dir)
		require.Empty(t, state.Findings)
		require.Empty(t, planOf(t, dir, want).Changes)
		require.Len(t, state.Surface.Tools, 2)
		require.Len(t, state.Lock.Tools, 2)
	}
}

func TestRenameThatTakesAnApprovedName(t *testing.T) {
	dir := approved(t, desired(tool("a", "/a"), tool("b", "/b")))
	swapped := desired(tool("b", "/a"), tool("a", "/b"))
	p := planOf(t, dir, swapped)
	// Only half of the swap: the tool that has the name keeps it.
	r := run(t, dir, swapped, p, decide(p, lockfile.Approve, named("a")))
	require.Empty(t, r.Applied)
	require.Contains(t, r.LeftOut[0].Reason+r.LeftOut[1].Reason, "the name is held by")
	require.Equal(t, []string{"a /a", "b /b"}, served(open(t, dir)))
	run(t, dir, swapped, p, decide(p, lockfile.Approve, nil))
	require.Equal(t, []string{"a /b", "b /a"}, served(open(t, dir)))
}

func TestPolicyServerToolsets(t *testing.T) {
	dir := approved(t, desired(tool("a", "/a")))
	want := desired(tool("a", "/a"))
	want.Policy.Default = policy.Allow
	want.Server.Instructions = "Hello."
	want.Toolsets = []surface.Toolset{{Name: "everything", Description: "All."}}
	p := planOf(t, dir, want)
	before := tree(t, dir)
	r := run(t, dir, want, p, decide(p, lockfile.Reject, func(c plan.Change) bool { return c.Kind != plan.ToolsetKind }))
	require.Len(t, r.LeftOut, len(p.Changes))
	require.Equal(t, before, tree(t, dir))

	run(t, dir, want, p, decide(p, lockfile.Approve, nil))
	state := open(t, dir)
	require.Empty(t, state.Findings)
	require.Equal(t, want.Policy, state.Surface.Policy)
	require.Equal(t, want.Server, state.Surface.Server)
	require.Equal(t, want.Toolsets, state.Surface.Toolsets)
	require.Equal(t, surface.Removed, state.Lock.Toolsets["readonly"].Status)
	require.Empty(t, planOf(t, dir, want).Changes)
}

func TestRejectFirstPolicy(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "lockfile")
	want := desired(tool("a", "/a"))
	p := planOf(t, dir, want)
	r := run(t, dir, want, p, decide(p, lockfile.Reject, nil))
	require.Len(t, r.Rejected, 4)
	state := open(t, dir)
	require.Empty(t, state.Findings)
	require.False(t, state.PolicyOK)
	require.False(t, state.ServerOK)
	require.Empty(t, state.Surface.Tools)
	require.Empty(t, state.Surface.Toolsets)
}

func TestRefusedDecisions(t *testing.T) {
	want := desired(tool("a", "/a"))
	dir := filepath.Join(t.TempDir(), "lockfile")
	p := planOf(t, dir, want)
	good := decide(p, lockfile.Approve, named("a"))[0]
	for name, tc := range map[string]struct {
		change func(*apply.Params)
		is     error
		says   string
	}{
		"another digest": {func(p *apply.Params) { p.Decisions[0].Digest = "sha256:0" }, apply.ErrDecision, `run "caskmcp approve" again`},
		"another action": {func(p *apply.Params) { p.Decisions[0].Action = apply.Delete }, apply.ErrDecision, "it has no delete of tool"},
		"another name":   {func(p *apply.Params) { p.Decisions[0].Name = "b" }, apply.ErrDecision, "it has no create of tool"},
		"twice":          {func(p *apply.Params) { p.Decisions = append(p.Decisions, p.Decisions[0]) }, apply.ErrDecision, "two decisions"},
		"no verdict":     {func(p *apply.Params) { p.Decisions[0].Verdict = "" }, apply.ErrDecision, "neither approve nor reject"},
		"by nobody":      {func(p *apply.Params) { p.Decisions[0].Approval.By.Login = "" }, apply.ErrDecision, "who decided"},
		"no time":        {func(p *apply.Params) { p.Now = time.Time{} }, apply.ErrDecision, "when it was made"},
		"unknown via":    {func(p *apply.Params) { p.Decisions[0].Approval.Via = "telepathy" }, nil, `via "telepathy" is none of`},
		"odd time":       {func(p *apply.Params) { p.Decisions[0].Approval.At = "yesterday" }, nil, "RFC 3339"},
		"other surface":  {func(p *apply.Params) { p.Desired = desired(tool("a", "/b")) }, apply.ErrDesired, "caskmcp plan"},
		"no surface":     {func(p *apply.Params) { p.Desired = surface.Surface{} }, apply.ErrDesired, "caskmcp plan"},
	} {
		t.Run(name, func(t *testing.T) {
			params := apply.Params{Dir: dir, Plan: p, Desired: want, Decisions: []apply.Decision{good}, Now: now}
			tc.change(&params)
			_, err := apply.Apply(t.Context(), params)
			require.ErrorContains(t, err, tc.says)
			if tc.is != nil {
				require.ErrorIs(t, err, tc.is)
			}
			if _, err := os.Stat(dir); err == nil {
				require.Empty(t, tree(t, dir))
			}
		})
	}
}

func TestDefinitionWithoutMeaningIsRefused(t *testing.T) {
	bad := tool("a", "/a")
	bad.Limits.Rate = 0
	want := desired(bad)
	dir := filepath.Join(t.TempDir(), "lockfile")
	p := planOf(t, dir, want)
	_, err := apply.Apply(t.Context(), apply.Params{Dir: dir, Plan: p, Desired: want, Decisions: decide(p, lockfile.Approve, nil), Now: now})
	require.ErrorContains(t, err, "nothing was written")
	require.Empty(t, tree(t, dir))
}

// Names that differ only in case are one file on many machines.
func TestNamesThatDifferInCase(t *testing.T) {
	dir := approved(t, desired(tool("get_user", "/user")))
	want := desired(tool("get_user", "/user"), tool("Get_User", "/users"))
	p := planOf(t, dir, want)
	before := tree(t, dir)
	_, err := apply.Apply(t.Context(), apply.Params{Dir: dir, Plan: p, Desired: want, Decisions: decide(p, lockfile.Approve, nil), Now: now})
	require.ErrorContains(t, err, "differ only in case")
	require.Equal(t, before, tree(t, dir))
}

func TestMendsATamperedState(t *testing.T) {
	want := desired(tool("a", "/a"), tool("b", "/b"))
	dir := approved(t, want)
	at := filepath.Join(dir, "approved", "a.json")
	doc, err := os.ReadFile(at)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(at, []byte(strings.Replace(string(doc), "Reads /a.", "Reads <b>.", 1)), 0o644))
	require.Equal(t, []string{"b /b"}, served(open(t, dir)))
	p := planOf(t, dir, want)
	r := run(t, dir, want, p, decide(p, lockfile.Approve, nil))
	require.Empty(t, r.LeftOut)
	require.Empty(t, r.State.Findings)
	require.Equal(t, []string{"a /a", "b /b"}, served(open(t, dir)))
	now, err := os.ReadFile(at)
	require.NoError(t, err)
	require.Equal(t, string(doc), string(now))
}

func TestMarks(t *testing.T) {
	want := desired(tool("a", "/a"), tool("b", "/b"))
	dir := filepath.Join(t.TempDir(), "lockfile")
	p := planOf(t, dir, want)
	pending := apply.Pending(p, nil)
	require.Empty(t, apply.Marked(p, pending))
	pending.Tools["a"].Mark = &lockfile.Mark{Decision: lockfile.Approve, By: lockfile.By{Login: "bob"}, At: "2026-11-21T00:00:00Z", Plan: p.PlanDigest}
	require.NoError(t, lockfile.WritePending(dir, pending))
	stored, err := lockfile.ReadPending(os.DirFS(dir))
	require.NoError(t, err)
	require.Equal(t, pending, stored)

	ds := apply.Marked(p, stored)
	require.Len(t, ds, 1)
	run(t, dir, want, p, ds)
	state := open(t, dir)
	require.Equal(t, "bob", state.Lock.Tools["a"].Approval.By.Login)
	require.Equal(t, "2026-11-21T00:00:00Z", state.Lock.Tools["a"].Approval.At)

	// The mark is used up; the rest stays pending on the new base.
	stored, err = lockfile.ReadPending(os.DirFS(dir))
	require.NoError(t, err)
	require.Equal(t, state.Digest, stored.Base)
	require.Nil(t, stored.Tools["a"])
	require.NotNil(t, stored.Tools["b"])

	// A mark on another digest is void.
	stored.Tools["b"].Mark = &lockfile.Mark{Decision: lockfile.Approve, By: lockfile.By{Login: "bob"}, At: "2026-11-21T00:00:00Z"}
	changed := tool("b", "/b")
	changed.Description = "Other."
	p = planOf(t, dir, desired(tool("a", "/a"), changed))
	require.Empty(t, apply.Marked(p, stored))
	require.Nil(t, apply.Pending(p, stored).Tools["b"].Mark)
	p = planOf(t, dir, want)
	require.Len(t, apply.Marked(p, apply.Pending(p, stored)), 1)
}

func TestSymbolicLinksAreRefused(t *testing.T) {
	for _, link := range []string{"", lockfile.Name, "approved", "approved/a.json", lockfile.PendingName, files.JournalName, lockfile.FlockName} {
		t.Run("link at "+link, func(t *testing.T) {
			want := desired(tool("a", "/a"))
			dir := approved(t, want)
			outside := filepath.Join(t.TempDir(), "outside")
			at := filepath.Join(dir, filepath.FromSlash(link))
			if _, err := os.Stat(at); err == nil {
				require.NoError(t, os.Rename(at, outside))
			} else {
				require.NoError(t, os.WriteFile(outside, []byte("precious"), 0o644))
			}
			require.NoError(t, os.Symlink(outside, at))
			before := tree(t, filepath.Dir(outside))

			changed := tool("a", "/a")
			changed.Description = "Other."
			next := desired(changed)
			fresh := approved(t, want)
			p := planOf(t, fresh, next)
			_, err := apply.Apply(t.Context(), apply.Params{Dir: dir, Plan: p, Desired: next, Decisions: decide(p, lockfile.Approve, nil), Now: now})
			require.ErrorContains(t, err, "not a regular file")
			require.Equal(t, before, tree(t, filepath.Dir(outside)))
		})
	}
}

func TestCancelled(t *testing.T) {
	want := desired(tool("a", "/a"))
	dir := filepath.Join(t.TempDir(), "lockfile")
	p := planOf(t, dir, want)
	unlock, err := files.Lock(t.Context(), filepath.Join(dir, lockfile.FlockName))
	require.NoError(t, err)
	defer unlock()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err = apply.Apply(ctx, apply.Params{Dir: dir, Plan: p, Desired: want, Decisions: decide(p, lockfile.Approve, nil), Now: now})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorContains(t, err, "another caskmcp holds")
	require.Empty(t, tree(t, dir))
}
