package comment

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tomallicino/caskmcp/apply"
	"github.com/tomallicino/caskmcp/lockfile"
	"github.com/tomallicino/caskmcp/plan"
	"github.com/tomallicino/caskmcp/surface"
)

// called is p as the plan of another toolpack.
func called(p *plan.Plan, name string) *plan.Plan {
	p.Toolpack = name
	return p
}

// severalPacks are one that changes much, one that changes a response, one that
// only loses a tool, and one that does not change.
func severalPacks(t testing.TB) []*plan.Plan {
	list := tool("list_parts", "GET", "api.stock.example", "/parts", surface.Read)
	fewer := list
	fewer.OutputSchema = json.RawMessage(`{"type":"object","properties":{"id":{"type":"string"}}}`)
	return []*plan.Plan{
		called(threeChanges(t), "billing"),
		called(makePlan(t, state(shop(list, tool("get_part", "GET", "api.stock.example", "/part", surface.Read))), shop(list)), "parts"),
		called(makePlan(t, state(shop(list)), shop(list)), "shipping"),
		called(makePlan(t, state(shop(list)), shop(fewer)), "stock"),
	}
}

// packsOf evaluates each plan by the same reviews.
func packsOf(plans []*plan.Plan, rules apply.Rules, logins ...string) (packs []Toolpack) {
	for _, p := range plans {
		packs = append(packs, Toolpack{Plan: p, Approvals: evaluate(p, rules, logins...)})
	}
	return packs
}

var teams = apply.Rules{Approvers: map[surface.Risk][]string{surface.Safe: {"alice", "bob"}, surface.High: {"@acme/security"}}}

func TestSeveralGolden(t *testing.T) {
	plans := severalPacks(t)
	unchanged := []*plan.Plan{plans[2], called(makePlan(t, state(shop()), shop()), "other")}
	base := shop(tool("get_plan", "GET", "api.billing.example", "/v1/plan", surface.Read))
	st := state(base)
	st.Surface.Tools = nil
	st.Findings = []lockfile.Finding{{Kind: "tool", Name: "get_plan", Code: "digest.mismatch", Text: "approved/get_plan.json is not what was approved"}}
	tampered := []*plan.Plan{plans[2], called(makePlan(t, st, base), "tampered")}
	for _, tt := range []struct {
		name  string
		packs []Toolpack
		state State
		want  string
	}{
		{"several.md", packsOf(plans, teams, "alice"), Planned, "## 🛑 caskmcp plan: 4 of 6 changes need approval, 2 approved so far"},
		{"several-approved.md", packsOf(plans, teams, "alice", "sec1", "sec2"), Planned, "## 🟢 caskmcp plan: approved, applies on merge"},
		{"several-blocked.md", packsOf(plans, teams, "alice", "-bob"), Planned, "## 🛑 caskmcp plan: <code>bob</code> requests changes"},
		{"several-applied.md", packsOf(plans, teams, "alice"), Applied, "## ⚠️ caskmcp plan: 4 of 6 changes applied in <code>def5678</code>, 2 without approval left out"},
		{"several-outdated.md", packsOf(plans, teams), Outdated, "## ⏳ caskmcp plan: outdated, planning <code>def5678</code>"},
		{"several-unchanged.md", packsOf(unchanged, teams), Planned, "## ✅ caskmcp plan: no changes"},
		{"several-tampered.md", packsOf(tampered, teams), Planned, "## 🛑 caskmcp plan: the approved state was changed outside caskmcp, and 1 of 1 change needs approval"},
		{"none.md", nil, Planned, "## ✅ caskmcp plan: no toolpack"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			opt := Options{Key: "default", Head: "9f2c1e4b7a10aa", Base: "5d7710aa21c3", RunURL: "https://ci.example/1", State: tt.state, Commit: "def5678aa00"}
			text := Plan(tt.packs, opt)
			require.True(t, strings.HasPrefix(text, Marker("plan", "default")))
			_, text, _ = strings.Cut(text, "\n")
			require.True(t, strings.HasPrefix(text, tt.want), text)
			requireSafe(t, text)
			golden(t, tt.name, text)
		})
	}
}

// settingsChange adds an approver.
func settingsChange(logins ...string) *Toolpack {
	p := &plan.Plan{Changes: []plan.Change{{
		Kind: "settings", Name: "caskmcp.yaml", Actions: []string{"update"}, RequiredApprovals: 1, Risk: plan.RiskChange{After: surface.Critical}, Digest: plan.Digests{After: "sha256:settings"},
		Fields:  []plan.Field{{Path: "/approvers", Before: json.RawMessage(`{"high":["carol"]}`), After: json.RawMessage(`{"high":["mallory"]}`)}},
		Reasons: []plan.Reason{{Code: "settings.changed", Class: plan.Block, Text: "changes whose word counts, from the next pull request on; here the base's rules hold"}},
	}}}
	return &Toolpack{Plan: p, Approvals: evaluate(p, teams, logins...)}
}

// TestBeyondThePlans says what keeps the check red though all plans are
// approved.
func TestBeyondThePlans(t *testing.T) {
	p := threeChanges(t)
	approved := packsOf([]*plan.Plan{p}, teams, "alice", "sec1", "sec2")
	edited := []string{"the pull request edits the lockfile by hand; only what apply computes is accepted", "caskmcp.yaml:3: not YAML @octocat"}
	for _, tt := range []struct {
		name  string
		packs []Toolpack
		opt   Options
		want  string
	}{
		{"settings.md", approved, Options{Settings: settingsChange("alice")}, "## 🛑 caskmcp plan: 4 of 5 changes need approval, 3 approved so far"},
		{"settings-alone.md", nil, Options{Settings: settingsChange("sec1")}, "## 🟢 caskmcp plan: approved, applies on merge"},
		{"refused.md", approved, Options{Refused: edited}, "## 🛑 caskmcp plan: refused, and no review can approve it"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text := Plan(tt.packs, tt.opt)
			require.True(t, strings.HasPrefix(text, tt.want), text)
			requireSafe(t, text)
			requireInert(t, text, foreign)
			golden(t, tt.name, text)
		})
	}
	for i := range hostile { // any text, at any level
		opt := Options{Key: "k", Settings: settingsChange(), Refused: hostile[i:], MaxBytes: []int{60_000, 20_000, 3_000}[i%3]}
		opt.Settings.Plan.Changes[0].Reasons[0].Text = hostile[i]
		text := Plan(approved, opt)
		require.LessOrEqual(t, len(text), opt.MaxBytes)
		requireSafe(t, text)
		requireInert(t, text, foreign)
	}
}

// TestSeveralSayWhatEachDoes compares the comment about several toolpacks with
// what it says of each alone.
func TestSeveralSayWhatEachDoes(t *testing.T) {
	packs := packsOf(severalPacks(t), teams, "alice")
	text := Plan(packs, Options{})
	for _, p := range packs {
		require.Contains(t, text, "| "+inline(p.Plan.Toolpack)+" |")
		for line := range strings.Lines(Plan([]Toolpack{p}, Options{})) {
			if strings.HasPrefix(line, "| ") && !strings.HasPrefix(line, "| Approvals") || strings.HasPrefix(line, "+ ") {
				require.Contains(t, text, line)
			}
		}
	}
	backwards := []Toolpack{packs[3], packs[2], packs[1], packs[0]}
	_, rows, _ := strings.Cut(text, "| Toolpack |")
	_, again, _ := strings.Cut(Plan(backwards, Options{}), "| Toolpack |")
	rows, _, _ = strings.Cut(rows, "plan <code>sha256") // which is in the order given
	again, _, _ = strings.Cut(again, "plan <code>sha256")
	require.Equal(t, rows, again)
}

func manyPacks(t testing.TB, n, each int) (packs []Toolpack) {
	for i := range n {
		p := called(manyChanges(t, each), fmt.Sprintf("pack-%04d", i))
		packs = append(packs, Toolpack{Plan: p, Approvals: apply.Evaluate(p, apply.Pull{}, nil, nil, apply.Rules{})})
	}
	return packs
}

// TestSeveralLevels gives several toolpacks just the room that a level takes.
func TestSeveralLevels(t *testing.T) {
	packs := append(packsOf(severalPacks(t), teams), manyPacks(t, 12, 20)...)
	const removed, addition, change = "get&#95;part", "+ tool list_invoices", "! tool tool_0019"
	for _, tt := range []struct {
		level    level
		has, not []string
	}{
		{full, []string{removed, addition, change, "Details in <code>pack-0011</code>: 20 changes"}, []string{"shortened"}},
		{noRemovals, []string{"Removed in <code>parts</code>, no approval needed: 1 tool.", addition, change}, []string{removed, "shortened"}},
		{noAdditions, []string{"1 new read tool left out", change}, []string{removed, addition, "shortened"}},
		{tableOnly, []string{"shortened", "more rows are left out", "### Needs approval in <code>stock</code>"}, []string{change, "<details"}},
		{countsAndLinks, []string{"shortened", "1 new host", "16 toolpacks"}, []string{"| Toolpack |", "files.billing.example"}},
	} {
		room := len(newView(packs, Options{}).render(tt.level, 1<<30))
		text := Plan(packs, Options{MaxBytes: room})
		require.LessOrEqual(t, len(text), room)
		for _, x := range tt.has {
			require.Contains(t, text, x, tt.level)
		}
		for _, x := range tt.not {
			require.NotContains(t, text, x, tt.level)
		}
		requireSafe(t, text)
	}
	for _, n := range []int{100, 1000} {
		text := Plan(manyPacks(t, n, 3), Options{Key: "k"})
		require.LessOrEqual(t, len(text), MaxBytes)
		require.Contains(t, text, "shortened")
		require.Equal(t, n > maxRows, strings.Contains(text, "more toolpacks are left out here"))
		require.Contains(t, text, "### Needs approval in <code>pack-0000</code>")
		requireSafe(t, text)
	}
}

// TestSecretsWithholdEveryPlan: who left a secret in one capture may have left
// it in others that the detectors do not see.
func TestSecretsWithholdEveryPlan(t *testing.T) {
	plans := severalPacks(t)
	plans[2].Notes = []plan.Note{{Code: plan.SecretNote, Text: "shipping.json holds what looks like a secret", Hint: "revoke it"}}
	packs := packsOf(plans, teams)
	all := Annotations(packs, nil)
	require.Len(t, all, 1)
	require.Equal(t, "caskmcp: secret in a capture in shipping", all[0].Title)
	for _, text := range []string{Plan(packs, Options{}), Summary(packs, Options{}), all[0].Message} {
		require.NotContains(t, text, "refund")
		require.NotContains(t, text, "stock.example")
		require.Contains(t, text, "what looks like a secret")
	}
}

// TestAnnotationsOfSeveral shares the bound among all toolpacks, the most
// important first.
func TestAnnotationsOfSeveral(t *testing.T) {
	packs := append(manyPacks(t, 3, 10), packsOf(severalPacks(t), teams)...)
	asked := map[int]bool{}
	all := Annotations(packs, func(pack int, _ string) []byte { asked[pack] = true; return nil })
	require.Len(t, all, 10)
	require.Equal(t, "caskmcp: + tool create_refund in billing", all[0].Title)
	require.Equal(t, "27 more remarks: see the job summary", all[9].Message)
}

// TestReviewThatCountsSomewhere is not called one that does not count.
func TestReviewThatCountsSomewhere(t *testing.T) {
	plans := severalPacks(t)
	const ignored = "Reviews that do not count"
	require.NotContains(t, Plan(packsOf(plans, teams, "alice"), Options{}), ignored)
	text := Plan(packsOf(plans, teams, "alice", "mallory"), Options{})
	require.Contains(t, text, ignored+": <code>mallory</code>")
	requireSafe(t, text)
}

// TestCodesAreThePlans: a reason that plans spell otherwise would go unsaid.
func TestCodesAreThePlans(t *testing.T) {
	var codes []string
	for _, g := range append([]gain{newReads}, gains...) {
		codes = append(codes, g.codes...)
	}
	for code := range labels {
		codes = append(codes, code)
	}
	for _, code := range codes {
		c := plan.Change{Reasons: []plan.Reason{{Code: code}}}
		require.NotZero(t, c.Rank(), "plans have no reason %s", code)
	}
}

// TestReviewThatCountsForSettings is not called one that does not count either.
func TestReviewThatCountsForSettings(t *testing.T) {
	packs := packsOf([]*plan.Plan{threeChanges(t)}, apply.Rules{Approvers: map[surface.Risk][]string{surface.Safe: {"alice"}}}, "sec1")
	require.Contains(t, Plan(packs, Options{}), "Reviews that do not count: <code>sec1</code>")
	require.NotContains(t, Plan(packs, Options{Settings: settingsChange("sec1")}), "Reviews that do not count")
}

func BenchmarkSeveral(b *testing.B) {
	packs := manyPacks(b, 10, 100)
	for b.Loop() {
		require.LessOrEqual(b, len(Plan(packs, Options{Key: "k"})), MaxBytes)
	}
}
