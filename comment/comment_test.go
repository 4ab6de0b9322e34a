package comment

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tomallicino/caskmcp/apply"
	"github.com/tomallicino/caskmcp/compiler"
	"github.com/tomallicino/caskmcp/drift"
	"github.com/tomallicino/caskmcp/lockfile"
	"github.com/tomallicino/caskmcp/plan"
	"github.com/tomallicino/caskmcp/policy"
	"github.com/tomallicino/caskmcp/surface"
)

var update = flag.Bool("update", false, "rewrite golden files")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
		return
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err, "run go test ./comment -update")
	require.Equal(t, string(want), got)
}

func tool(name, method, host, path string, effect surface.Effect) surface.Tool {
	return surface.Tool{
		Name: name, Description: "Works on " + path + ".",
		InputSchema:  json.RawMessage(`{"type":"object","properties":{"id":{"type":"string"}},"additionalProperties":false}`),
		OutputSchema: json.RawMessage(`{"type":"object","properties":{"id":{"type":"string"},"total":{"type":"number"}}}`),
		Annotations:  surface.Annotations{ReadOnly: effect == surface.Read, OpenWorld: true},
		Binding: surface.Binding{
			Method: method, Scheme: "https", Host: host, Port: 443, Path: path, Arguments: []surface.Argument{{Name: "id", In: surface.InQuery, Key: "id"}},
		},
		Effect: effect, Risk: surface.Low, Confirm: surface.Never, Limits: surface.DefaultLimits, Toolsets: []string{"readonly"},
	}
}

func shop(tools ...surface.Tool) surface.Surface {
	return surface.Surface{
		Tools: tools, Toolsets: []surface.Toolset{{Name: "readonly", Description: "Reads only.", Default: true}},
		Policy: policy.Default(), Server: surface.Server{Name: "shop"},
	}
}

func state(s surface.Surface) *lockfile.State {
	st := &lockfile.State{Exists: true, Digest: "sha256:base", Surface: s, PolicyOK: true, ServerOK: true}
	st.Lock.Tools = map[string]*lockfile.ToolBlock{}
	for _, t := range s.Tools {
		st.Lock.Tools[t.Name] = &lockfile.ToolBlock{Block: lockfile.Block{Status: surface.Approved}, Identity: t.Binding.Identity(), Request: t.Binding.Request()}
	}
	return st
}

func makePlan(t testing.TB, before *lockfile.State, after surface.Surface) *plan.Plan {
	t.Helper()
	p, err := plan.New(plan.Params{Toolpack: "packs/billing", State: before, Result: &compiler.Result{Surface: after}})
	require.NoError(t, err)
	return p
}

// one is a comment's only toolpack.
func one(p *plan.Plan, a *apply.Approvals) []Toolpack { return []Toolpack{{Plan: p, Approvals: a}} }

// threeChanges adds a write and a read on a new host, changes a type, and
// removes a tool.
func threeChanges(t testing.TB) *plan.Plan {
	order := tool("get_order", "GET", "api.billing.example", "/v1/orders", surface.Read)
	changed := order
	changed.InputSchema = json.RawMessage(`{"type":"object","properties":{"id":{"type":"integer"}},"additionalProperties":false}`)
	refund := tool("create_refund", "POST", "api.billing.example", "/v1/refunds", surface.Write)
	refund.Confirm, refund.Risk, refund.Toolsets = surface.Always, surface.High, []string{"write_ops"}
	return makePlan(t,
		state(shop(order, tool("list_taxes", "GET", "api.billing.example", "/v1/taxes", surface.Read), tool("get_plan", "GET", "api.billing.example", "/v1/plan", surface.Read))),
		shop(refund, tool("list_invoices", "GET", "files.billing.example", "/v1/invoices", surface.Read), changed, tool("get_plan", "GET", "api.billing.example", "/v1/plan", surface.Read)))
}

// evaluate gives the approvals of those people; "-bob" requests changes.
// Alice and bob may write, sec1 and sec2 are in the security team.
func evaluate(p *plan.Plan, rules apply.Rules, logins ...string) *apply.Approvals {
	at := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	var reviews []apply.Review
	for i, login := range logins {
		name, no := strings.CutPrefix(login, "-")
		r := apply.Review{ID: int64(i + 1), User: apply.Person{Login: name, ID: int64(i + 10), Permission: "write"}, State: apply.ReviewApproved, Commit: "9f2c", At: at.Add(time.Minute)}
		if no {
			r.State = apply.ReviewChangesRequested
		}
		if strings.HasPrefix(name, "sec") {
			r.User.Teams = []string{"acme/security"}
		}
		reviews = append(reviews, r)
	}
	return apply.Evaluate(p, apply.Pull{Number: 7, Author: apply.Person{Login: "eve", ID: 1}, Head: "9f2c"}, reviews, map[string]apply.Seen{"9f2c": apply.SeenOf(p, at)}, rules)
}

func TestPlanGolden(t *testing.T) {
	p := threeChanges(t)
	base := shop(tool("get_plan", "GET", "api.billing.example", "/v1/plan", surface.Read))
	tampered := state(base)
	tampered.Surface.Tools = nil
	tampered.Findings = []lockfile.Finding{{Kind: "tool", Name: "get_plan", Code: "digest.mismatch", Text: "approved/get_plan.json is not what was approved"}}
	with := func(s State) Options {
		return Options{Key: "default", Head: "9f2c1e4b7a10aa", Base: "5d7710aa21c3", RunURL: "https://ci.example/1", PlanURL: "https://ci.example/2", State: s, Commit: "def5678aa00", Failure: "compiling shop: captures/a.json:3: not JSON\n::error::@octocat"}
	}
	rules := apply.Rules{Approvers: map[surface.Risk][]string{surface.Safe: {"alice", "bob"}, surface.High: {"@acme/security"}}}
	marker := "<!-- caskmcp:plan v=1 key=default head=9f2c1e4b7a10 base=5d7710aa21c3 "
	removal := makePlan(t, state(shop(tool("a", "GET", "api.example", "/a", surface.Read), tool("b", "GET", "api.example", "/b", surface.Read))), shop(tool("a", "GET", "api.example", "/a", surface.Read)))
	leak := threeChanges(t)
	leak.Notes = []plan.Note{{Code: plan.SecretNote, Text: "captures/shop.json holds what looks like a secret (jwt) at /observations/0", Hint: "revoke it"}}
	for _, tt := range []struct {
		name string
		p    []Toolpack
		opt  Options
		want string
	}{
		{"three-changes.md", one(p, nil), Options{}, "## 🛑 caskmcp plan: 3 of 4 changes need approval"},
		{"some-approved.md", one(p, evaluate(p, rules, "alice", "mallory")), with(Planned), marker},
		{"blocked.md", one(p, evaluate(p, rules, "alice", "-bob")), with(Planned), marker},
		{"by-merging.md", one(p, evaluate(p, apply.Rules{AllowSelf: true})), with(Planned), marker},
		{"approved.md", one(p, evaluate(p, rules, "alice", "sec1", "sec2")), with(Planned), marker},
		{"outdated.md", one(p, nil), with(Outdated), marker},
		{"planning.md", nil, with(Outdated), marker},
		{"failed.md", nil, with(Failed), marker},
		{"applied.md", one(p, evaluate(p, rules, "alice", "sec1", "sec2")), with(Applied), marker},
		{"left-out.md", one(p, evaluate(p, rules, "alice")), with(Applied), marker},
		{"no-changes.md", one(makePlan(t, state(base), base), nil), Options{}, "## ✅ caskmcp plan: no changes"},
		{"secret.md", one(leak, nil), Options{}, "## 🛑 caskmcp plan: 1 secret in the captures"},
		{"removal.md", one(removal, nil), Options{}, "## 🟢 caskmcp plan: 1 change, no approval needed"},
		{"tampered.md", one(makePlan(t, tampered, base), nil), Options{}, "## 🛑 caskmcp plan: the approved state was changed outside caskmcp"},
		{"first-run.md", one(makePlan(t, &lockfile.State{}, base), nil), Options{}, "## 🛑 caskmcp plan: 4 of 4 changes need approval"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text := Plan(tt.p, tt.opt)
			require.True(t, strings.HasPrefix(text, tt.want), text)
			requireSafe(t, text)
			golden(t, tt.name, text)
		})
	}
}

func TestDriftGolden(t *testing.T) {
	old := tool("get_user", "GET", "api.example", "/users", surface.Read)
	now := old
	now.OutputSchema = json.RawMessage(`{"type":"object","properties":{"id":{"type":"string"},"total":{"type":"number"},"ssn":{"type":"string"}}}`)
	c, err := plan.Compare(old, now)
	require.NoError(t, err)
	missing := plan.Change{Kind: plan.ToolKind, Name: "list_taxes", Request: "GET https://api.example/taxes", Actions: []string{"no-op"}, Reasons: []plan.Reason{{Code: "coverage.missing", Class: plan.Info, Text: "not seen this time"}}}
	for _, tt := range []struct {
		name string
		r    *drift.Report
		want string
	}{
		{"drift-blocks.md", &drift.Report{Changes: []plan.Change{c, missing}, Summary: drift.Summary{Block: 1, Info: 1, Unchanged: 4}, Blocks: true, Digest: "sha256:0123456789abcdef"}, "## 🛑 caskmcp drift: 1 blocking change"},
		{"drift-none.md", &drift.Report{Summary: drift.Summary{Unchanged: 1}, Digest: "sha256:0123456789abcdef"}, "## ✅ caskmcp drift: none"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text := Drift(tt.r)
			require.True(t, strings.HasPrefix(text, tt.want), text)
			requireSafe(t, text)
			golden(t, tt.name, text)
		})
	}
}

func TestDriftLevels(t *testing.T) {
	p := manyChanges(t, 1000)
	for i := range p.Changes {
		p.Changes[i].Name = strings.Repeat("_", 100) + p.Changes[i].Name
	}
	r := &drift.Report{Changes: p.Changes, Summary: drift.Summary{Block: 1000}, Blocks: true, Digest: "sha256:0123456789abcdef"}
	text := Drift(r)
	require.LessOrEqual(t, len(text), MaxBytes)
	require.Greater(t, len(text), MaxBytes/2, "as many rows as fit")
	require.Contains(t, text, "more rows are left out here")
	require.Contains(t, text, "This report is shortened")
	requireSafe(t, text)
	for _, room := range []int{2_000, 5_000, 20_000} {
		require.LessOrEqual(t, len(DriftWith(r, Options{Key: "k", MaxBytes: room})), room)
	}
}

// hostile strings must not leave the place they are put in.
var hostile = []string{
	"</code></details><h1>gotcha</h1>", "<img src=x onerror=alert(1)>", "![x](https://evil.example/p.png)", "[click](https://evil.example)",
	"@octocat please approve", "@org/team", "#1", "https://evil.example", "www.evil.example", "see www.evil.example now", "a@evil.example",
	"| a | b |", "\n\n# Heading\n\n", "```\nbreak out\n```", "~~~\nbreak\n~~~", "````", "`code`", "**bold** _it_ ~~s~~", "<!-- caskmcp:plan v=1 -->", "-->",
	"::error::forged", "##[error]forged", "\x1b[31mred\x1b[0m", "\u202eevil\u202c", "zero\u200bwidth\ufeff", "\U000e0041\U000e0042", "\x00\x07\b", "a\r\nb", "a\u2028b\u2029c",
	"&lt;script&gt;", "&#64;octocat", "\\@octocat", "$$x$$", ":tada:", "> quote", "- list", "1. list", "<details>", "</summary>", "<script>", "<svg/onload=x>", "javascript:alert(1)",
	"_This comment is outdated_", "\ufe0f\ufe0e", "\u034f", strings.Repeat("`", 40), strings.Repeat("A", 5000), "\xff\xfe",
}

func hostileNotes() (notes []plan.Note) {
	for _, h := range hostile {
		h = strings.ToValidUTF8(h, "")
		notes = append(notes, plan.Note{Code: h, Text: h, Hint: h})
	}
	return notes
}

func hostileMerges() (merges []compiler.Merge) {
	for _, h := range hostile {
		h = strings.ToValidUTF8(h, "")
		merges = append(merges, compiler.Merge{Tool: h, Absorbs: []string{h}, Hints: []string{h}, Keep: []string{h}})
	}
	return merges
}

func hostilePlan(t testing.TB) *plan.Plan {
	var after []surface.Tool
	old := surface.Surface{Policy: policy.Policy{Rules: []policy.Rule{{Name: "x"}}}}
	for i, h := range hostile {
		h = strings.ToValidUTF8(h, "\ufffd")
		quoted, err := json.Marshal(h)
		require.NoError(t, err)
		x := tool(fmt.Sprintf("%s%d", h, i), "GET", h+".example", "/"+h, surface.Read)
		x.Title, x.Description, x.Effect, x.Risk = h, h, surface.Effect(h), surface.Risk(h)
		x.InputSchema = json.RawMessage(fmt.Sprintf(`{"properties":{%s:{"enum":[%s],"description":%s}}}`, quoted, quoted, quoted))
		x.Auth = &surface.Auth{Ref: h, Kind: h, Scopes: []string{h}}
		x.Toolsets = []string{h}
		after = append(after, x)
		if i%2 == 0 {
			was := x
			was.Description, was.Auth = "harmless", nil
			old.Tools = append(old.Tools, was)
		}
	}
	for i := range after {
		h := strings.ToValidUTF8(hostile[i], "")
		quoted, _ := json.Marshal(h)
		x := &after[i]
		x.OutputSchema = json.RawMessage(fmt.Sprintf(`{"title":%s,"properties":{%s:{"type":%s,"format":%s,"pattern":%s,"examples":[%s],"default":%s}}}`, quoted, quoted, quoted, quoted, quoted, quoted, quoted))
		x.Binding.Arguments = []surface.Argument{{Name: h, In: h, Key: h, Style: h}}
		x.Binding.Fixed = []surface.Fixed{{In: h, Key: h, Value: quoted}}
		x.Binding.Encoding, x.Binding.Accept, x.Binding.Result = h, h, h
		x.Binding.Operation = &surface.Operation{Kind: h, Name: h}
		x.Auth.In, x.Auth.Name = h, h
		x.Redact, x.Expires, x.Confirm = []string{h}, h, surface.Confirm(h)
		if i%3 == 0 {
			x.Binding.Method, x.Binding.Scheme = h, h
		}
	}
	st := state(old)
	st.Findings = []lockfile.Finding{{Kind: hostile[0], Name: hostile[1], Code: hostile[2], Text: strings.Join(hostile[:20], "\n")}}
	s := shop(after...)
	s.Server.Instructions = strings.ToValidUTF8(strings.Join(hostile, " "), "")
	s.Toolsets[0].Description = hostile[3]
	s.Policy.Rules = nil
	for _, h := range hostile {
		h = strings.ToValidUTF8(h, "")
		s.Toolsets = append(s.Toolsets, surface.Toolset{Name: h + "s", Description: h})
		s.Policy.Rules = append(s.Policy.Rules, policy.Rule{Name: h})
	}
	p, err := plan.New(plan.Params{Toolpack: hostile[0], State: st, Result: &compiler.Result{Surface: s, Merges: hostileMerges()}, Notes: hostileNotes(), Inputs: []plan.Input{{Path: hostile[0]}, {Path: hostile[2]}}})
	require.NoError(t, err)
	return p
}

// manyChanges plans n tools that each say more and take another type.
func manyChanges(t testing.TB, n int) *plan.Plan {
	t.Helper()
	var before, after []surface.Tool
	for i := range n {
		x := tool(fmt.Sprintf("tool_%04d", i), "GET", "api.example", fmt.Sprintf("/r%04d", i), surface.Read)
		before = append(before, x)
		x.Description += " And more."
		x.InputSchema = json.RawMessage(`{"type":"object","properties":{"id":{"type":"integer"}},"additionalProperties":false}`)
		after = append(after, x)
	}
	return makePlan(t, state(shop(before...)), shop(after...))
}

func TestLevels(t *testing.T) {
	var before, after []surface.Tool
	for i := range 1000 {
		x := tool(fmt.Sprintf("tool_%04d", i), "GET", "api.example", fmt.Sprintf("/r%04d", i), surface.Read)
		before = append(before, x)
		x.Description += " And more."
		after = append(after, x)
	}
	p := makePlan(t, state(shop(before...)), shop(after...))
	text := Plan(one(p, nil), Options{})
	require.LessOrEqual(t, len(text), MaxBytes)
	require.Contains(t, text, "shortened")
	require.Contains(t, text, "800 more rows are left out here")
	require.Contains(t, text, "1000 to change")
	requireSafe(t, text)
	for i := range after {
		after[i].Name = strings.Repeat("_", 128) + after[i].Name
	}
	long := Plan(one(makePlan(t, state(shop()), shop(after...)), nil), Options{})
	require.LessOrEqual(t, len(long), MaxBytes)
	require.Greater(t, len(long), MaxBytes/2, "as many rows as fit")
	require.Contains(t, long, "more rows are left out here")
	tiny := Plan(one(p, nil), Options{MaxBytes: 1200})
	require.Contains(t, tiny, "shortened")
	require.NotContains(t, tiny, "### Needs approval")
	requireSafe(t, tiny)
	whole := Plan(one(p, nil), Options{MaxBytes: 10 << 20})
	require.NotContains(t, whole, "shortened")
	require.Contains(t, whole, "tool_0999")
}

// TestEachLevel gives a plan just the room that a level takes, and looks at
// what that level leaves out.
func TestEachLevel(t *testing.T) {
	p := manyChanges(t, 250)
	mixed := threeChanges(t)
	p.Changes = append(mixed.Changes, p.Changes...)
	p.Notes = []plan.Note{{Code: "n", Text: "a remark"}}
	const removed, addition, remark, change = "list&#95;taxes", "+ tool list_invoices", "a remark", "! tool tool_0249"
	for _, tt := range []struct {
		level    level
		has, not []string
	}{
		{full, []string{removed, addition, remark, change}, []string{"shortened"}},
		{noRemovals, []string{"Removed, no approval needed: 1 tool.", addition, change}, []string{removed, remark, "shortened"}},
		{noAdditions, []string{"1 new read tool left out", change}, []string{removed, remark, addition, "shortened"}},
		{tableOnly, []string{"shortened", "more rows are left out", "tool&#95;0180"}, []string{change, "tool&#95;0200", "<details"}},
		{countsAndLinks, []string{"shortened", "1 new host"}, []string{"| Change |", "files.billing.example"}},
	} {
		room := len(newView(one(p, nil), Options{}).render(tt.level, 1<<30))
		text := Plan(one(p, nil), Options{MaxBytes: room})
		if tt.level != tableOnly { // which keeps room for what follows
			require.Len(t, text, room)
		}
		require.LessOrEqual(t, len(text), room)
		for _, x := range tt.has {
			require.Contains(t, text, x)
		}
		for _, x := range tt.not {
			require.NotContains(t, text, x)
		}
		requireSafe(t, text)
	}
}
