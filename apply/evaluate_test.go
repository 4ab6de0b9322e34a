package apply_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tomallicino/caskmcp/apply"
	"github.com/tomallicino/caskmcp/lockfile"
	"github.com/tomallicino/caskmcp/plan"
	"github.com/tomallicino/caskmcp/surface"
)

// People of the tests. Everyone but mallory and the bot may write.
var (
	alice   = apply.Person{Login: "alice", ID: 1, Permission: "write"}
	bob     = apply.Person{Login: "bob", ID: 2, Permission: "admin", Teams: []string{"acme/security"}}
	carol   = apply.Person{Login: "carol", ID: 3, Permission: "maintain", Teams: []string{"acme/security", "acme/web"}}
	mallory = apply.Person{Login: "mallory", ID: 4, Permission: "triage", Teams: []string{"acme/security"}}
	robot   = apply.Person{Login: "helper[bot]", ID: 5, Bot: true, Permission: "write", Teams: []string{"acme/security"}}
	author  = apply.Person{Login: "author", ID: 6, Permission: "admin", Teams: []string{"acme/security"}}
)

const head, older = "head0000", "older000"

func minute(n int) time.Time { return now.Add(time.Duration(n) * time.Minute) }

func review(id int64, who apply.Person, state, commit string, at int) apply.Review {
	return apply.Review{ID: id, User: who, State: state, Commit: commit, At: minute(at)}
}

func approve(id int64, who apply.Person, at int) apply.Review {
	return review(id, who, apply.ReviewApproved, head, at)
}

func pull() apply.Pull {
	return apply.Pull{Number: 7, Author: author, Contributors: []apply.Person{author}, Head: head, Base: "base0000"}
}

func writeTool(name, path string) surface.Tool {
	w := tool(name, path)
	w.Binding.Method, w.Effect, w.Risk, w.Annotations.ReadOnly = "POST", surface.Write, surface.Medium, false
	return w
}

// secured asks the security team from the high tier on.
var secured = apply.Rules{Accept: []string{"review"}, Approvers: map[surface.Risk][]string{
	surface.Safe: {"alice", "@bob", "carol"}, surface.High: {"@acme/security"},
}}

// planOfTools is a plan against a state with the tool "old" in it.
func planOfTools(t *testing.T, tools ...surface.Tool) *plan.Plan {
	t.Helper()
	old := tool("old", "/old")
	return planOf(t, approved(t, desired(old)), desired(append(tools, old)...))
}

func evaluate(t *testing.T, p *plan.Plan, pr apply.Pull, rules apply.Rules, reviews ...apply.Review) *apply.Approvals {
	t.Helper()
	return apply.Evaluate(p, pr, reviews, map[string]apply.Seen{head: apply.SeenOf(p, minute(0))}, rules)
}

func toolApproval(t *testing.T, a *apply.Approvals, name string) apply.ChangeApproval {
	t.Helper()
	for _, c := range a.Changes {
		if c.Kind == plan.ToolKind && c.Name == name {
			return c
		}
	}
	require.Fail(t, "no such change", name)
	return apply.ChangeApproval{}
}

func TestWhoseReviewCounts(t *testing.T) {
	contributed := pull()
	contributed.Contributors = append(contributed.Contributors, apply.Person{Login: "bob", ID: 2})
	unread := apply.Person{Login: "carol", ID: 7, Permission: "write", Unread: []string{"acme/security"}}
	renamed := pull()
	renamed.Contributors = []apply.Person{{Login: "bob-was-here", ID: 2}}
	pushed := pull()
	pushed.Pushers = []apply.Person{{Login: "bob", ID: 2}}
	for name, tt := range map[string]struct {
		pull    *apply.Pull
		rules   apply.Rules
		reviews []apply.Review
		// approves is the reason why not; "" for approved
		why string
	}{
		"a writer, where nobody is named":        {reviews: []apply.Review{approve(1, alice, 1)}},
		"nobody":                                 {why: "0 of 1"},
		"the author":                             {reviews: []apply.Review{approve(1, author, 1)}, why: "opened this pull request"},
		"the author under another spelling":      {reviews: []apply.Review{approve(1, apply.Person{Login: "AUTHOR", Permission: "admin"}, 1)}, why: "opened this pull request"},
		"a committer":                            {pull: &contributed, reviews: []apply.Review{approve(1, bob, 1)}, why: "has commits in this pull request"},
		"a committer who changed their login":    {pull: &renamed, reviews: []apply.Review{approve(1, bob, 1)}, why: "has commits in this pull request"},
		"somebody who pushed what another wrote": {pull: &pushed, reviews: []apply.Review{approve(1, bob, 1)}, why: "is by who pushed to this pull request"},
		"somebody who may not write":             {reviews: []apply.Review{approve(1, mallory, 1)}, why: "may not write to this repository"},
		"unknown permission":                     {reviews: []apply.Review{approve(1, apply.Person{Login: "x", ID: 9}, 1)}, why: "may not write to this repository"},
		"a bot":                                  {reviews: []apply.Review{approve(1, robot, 1)}, why: "is not a person"},
		"a deleted account":                      {reviews: []apply.Review{approve(1, apply.Person{Permission: "write"}, 1)}, why: "is not a person"},
		"a comment":                              {reviews: []apply.Review{review(1, alice, apply.ReviewCommented, head, 1)}, why: "0 of 1"},
		"pending":                                {reviews: []apply.Review{review(1, alice, "PENDING", head, 1)}, why: "0 of 1"},
		"a comment after approval":               {reviews: []apply.Review{approve(1, alice, 1), review(2, alice, apply.ReviewCommented, head, 2)}},
		"dismissed":                              {reviews: []apply.Review{review(1, alice, apply.ReviewDismissed, head, 1)}, why: "was dismissed"},
		"dismissed after approval":               {reviews: []apply.Review{approve(1, alice, 1), review(2, alice, apply.ReviewDismissed, head, 2)}, why: "was dismissed"},
		"changes requested, then approval":       {reviews: []apply.Review{review(1, alice, apply.ReviewChangesRequested, head, 1), approve(2, alice, 2)}},
		"approval, then changes requested":       {reviews: []apply.Review{approve(1, alice, 1), review(2, alice, apply.ReviewChangesRequested, head, 2)}, why: "changes requested by alice"},
		"order of the list does not matter":      {reviews: []apply.Review{review(2, alice, apply.ReviewChangesRequested, head, 2), approve(1, alice, 1)}, why: "changes requested by alice"},
		"same second, later review":              {reviews: []apply.Review{review(2, alice, apply.ReviewChangesRequested, head, 1), approve(1, alice, 1)}, why: "changes requested by alice"},
		"somebody else requests changes":         {reviews: []apply.Review{approve(1, alice, 1), review(2, bob, apply.ReviewChangesRequested, older, -5)}, why: "changes requested by bob"},
		"one without a say requests changes":     {reviews: []apply.Review{approve(1, alice, 1), review(2, mallory, apply.ReviewChangesRequested, head, 2)}},
		"a bot requests changes":                 {reviews: []apply.Review{approve(1, alice, 1), review(2, robot, apply.ReviewChangesRequested, head, 2)}},
		"before the plan was there":              {reviews: []apply.Review{approve(1, alice, -1)}, why: "was given before the plan was there"},
		"in the second of the plan":              {reviews: []apply.Review{approve(1, alice, 0)}, why: "was given before the plan was there"},
		"of a commit without plan":               {reviews: []apply.Review{review(1, alice, apply.ReviewApproved, older, 1)}, why: "was given for a commit that has no plan"},
		"only the command line is accepted":      {rules: apply.Rules{Accept: []string{"cli"}}, reviews: []apply.Review{approve(1, alice, 1)}, why: "is a review, and approvals.accept in caskmcp.yaml has none"},
		"listed by login":                        {rules: apply.Rules{Approvers: map[surface.Risk][]string{surface.Low: {"@Alice"}}}, reviews: []apply.Review{approve(1, alice, 1)}},
		"listed by team":                         {rules: apply.Rules{Approvers: map[surface.Risk][]string{surface.Low: {"@Acme/Security"}}}, reviews: []apply.Review{approve(1, bob, 1)}},
		"not listed":                             {rules: apply.Rules{Approvers: map[surface.Risk][]string{surface.Low: {"@acme/security"}}}, reviews: []apply.Review{approve(1, alice, 1)}, why: "is none of @acme/security"},
		"in a team that cannot be read": {
			rules: apply.Rules{Approvers: map[surface.Risk][]string{surface.Low: {"@Acme/Security"}}}, reviews: []apply.Review{approve(1, unread, 1)},
			why: "may be in @Acme/Security, but this token may not read who is: give caskmcp the token of an app with the organization permission Members (read), or name logins",
		},
		"listed, and in a team that cannot be read": {rules: apply.Rules{Approvers: map[surface.Risk][]string{surface.Low: {"@acme/security", "carol"}}}, reviews: []apply.Review{approve(1, unread, 1)}},
		"in a team that nobody asks":                {rules: apply.Rules{Approvers: map[surface.Risk][]string{surface.Low: {"@acme/owners"}}}, reviews: []apply.Review{approve(1, unread, 1)}, why: "is none of @acme/owners"},
		"in a team that cannot be read, requests changes": {
			rules:   apply.Rules{Approvers: map[surface.Risk][]string{surface.Low: {"alice", "@acme/security"}}},
			reviews: []apply.Review{approve(1, alice, 1), review(2, unread, apply.ReviewChangesRequested, head, 2)}, why: "changes requested by carol",
		},
		"login like a team":             {rules: apply.Rules{Approvers: map[surface.Risk][]string{surface.Low: {"security"}}}, reviews: []apply.Review{approve(1, bob, 1)}, why: "is none of security"},
		"listed for a lower tier":       {rules: apply.Rules{Approvers: map[surface.Risk][]string{surface.Safe: {"alice"}}}, reviews: []apply.Review{approve(1, alice, 1)}},
		"listed for a higher tier only": {rules: apply.Rules{Approvers: map[surface.Risk][]string{surface.High: {"bob"}}}, reviews: []apply.Review{approve(1, alice, 1)}},
		"not listed, requests changes":  {rules: apply.Rules{Approvers: map[surface.Risk][]string{surface.Low: {"alice"}}}, reviews: []apply.Review{approve(1, alice, 1), review(2, bob, apply.ReviewChangesRequested, head, 2)}},
	} {
		t.Run(name, func(t *testing.T) {
			p, pr := planOfTools(t, tool("users", "/users")), pull()
			if tt.pull != nil {
				pr = *tt.pull
			}
			a := evaluate(t, p, pr, tt.rules, tt.reviews...)
			c := toolApproval(t, a, "users")
			require.Equal(t, tt.why == "", c.Approved)
			require.Equal(t, c.Approved, a.Approved)
			if tt.why == "" {
				require.Empty(t, c.Missing)
				return
			}
			said := []string{c.Missing}
			for _, i := range a.Ignored {
				said = append(said, i.Why)
			}
			require.Contains(t, said, tt.why)
		})
	}
}

func TestHowManyApprovals(t *testing.T) {
	for name, tt := range map[string]struct {
		tool     surface.Tool
		rules    apply.Rules
		reviews  []apply.Review
		required int
		tier     surface.Risk
		missing  string
	}{
		"read":                             {tool: tool("x", "/x"), rules: secured, reviews: []apply.Review{approve(1, alice, 1)}, required: 1, tier: surface.Low},
		"write takes two":                  {tool: writeTool("x", "/x"), rules: secured, reviews: []apply.Review{approve(1, bob, 1)}, required: 2, tier: surface.High, missing: "1 of 2, needs @acme/security"},
		"write by two":                     {tool: writeTool("x", "/x"), rules: secured, reviews: []apply.Review{approve(1, bob, 1), approve(2, carol, 2)}, required: 2, tier: surface.High},
		"one person is one approval":       {tool: writeTool("x", "/x"), rules: secured, reviews: []apply.Review{approve(1, bob, 1), approve(2, bob, 2)}, required: 2, tier: surface.High, missing: "1 of 2, needs @acme/security"},
		"write by one of the team":         {tool: writeTool("x", "/x"), rules: secured, reviews: []apply.Review{approve(1, bob, 1), approve(2, alice, 2)}, required: 2, tier: surface.High, missing: "1 of 2, needs @acme/security"},
		"fewer named than it takes":        {tool: writeTool("x", "/x"), rules: apply.Rules{Approvers: map[surface.Risk][]string{surface.Low: {"@bob"}}}, reviews: []apply.Review{approve(1, bob, 1)}, required: 2, tier: surface.High, missing: "1 of 2, needs @bob; caskmcp.yaml on the base names only 1 of the 2 people it takes"},
		"write, nobody named":              {tool: writeTool("x", "/x"), reviews: []apply.Review{approve(1, alice, 1)}, required: 1, tier: surface.High},
		"another host is the high tier":    {tool: onHost(tool("x", "/x"), "files.example.com"), rules: secured, reviews: []apply.Review{approve(1, alice, 1)}, required: 1, tier: surface.High, missing: "0 of 1, needs @acme/security"},
		"another host by the team":         {tool: onHost(tool("x", "/x"), "files.example.com"), rules: secured, reviews: []apply.Review{approve(1, carol, 1)}, required: 1, tier: surface.High},
		"a tier that does not exist":       {tool: risky(tool("x", "/x"), "harmless"), rules: secured, reviews: []apply.Review{approve(1, alice, 1)}, required: 1, tier: surface.Critical, missing: "0 of 1, needs @acme/security"},
		"critical has the list below":      {tool: risky(tool("x", "/x"), surface.Critical), rules: secured, reviews: []apply.Review{approve(1, bob, 1)}, required: 1, tier: surface.Critical},
		"where lists of lower tiers empty": {tool: risky(tool("x", "/x"), surface.Medium), rules: apply.Rules{Approvers: map[surface.Risk][]string{surface.Low: {}, surface.Critical: {"bob"}}}, reviews: []apply.Review{approve(1, alice, 1)}, required: 1, tier: surface.Medium},
	} {
		t.Run(name, func(t *testing.T) {
			a := evaluate(t, planOfTools(t, tt.tool), pull(), tt.rules, tt.reviews...)
			c := toolApproval(t, a, "x")
			require.Equal(t, tt.required, c.Required)
			require.Equal(t, tt.tier, c.Tier)
			require.Equal(t, tt.missing, c.Missing)
			require.Equal(t, tt.missing == "", c.Approved)
		})
	}
}

func onHost(x surface.Tool, host string) surface.Tool { x.Binding.Host = host; return x }

func risky(x surface.Tool, r surface.Risk) surface.Tool { x.Risk = r; return x }

func TestRemovalTakesNoApproval(t *testing.T) {
	dir := approved(t, desired(tool("a", "/a"), tool("b", "/b")))
	p := planOf(t, dir, desired(tool("a", "/a")))
	a := evaluate(t, p, pull(), secured)
	require.True(t, a.Approved)
	require.Zero(t, toolApproval(t, a, "b").Required)
	a = evaluate(t, p, pull(), secured, review(1, bob, apply.ReviewChangesRequested, head, 1))
	require.False(t, a.Approved, "an approver may object")
}

func TestNothingToApprove(t *testing.T) {
	a := evaluate(t, planOfTools(t), pull(), secured)
	require.True(t, a.Approved)
	require.False(t, a.OnMerge)
	require.Equal(t, []apply.ChangeApproval{}, a.Changes)
}

// A push that changes one tool voids the approval of that tool only.
func TestPushAfterApproval(t *testing.T) {
	before := planOfTools(t, tool("a", "/a"), tool("b", "/b"))
	changed := tool("b", "/b")
	changed.Description = "Reads /b and tells more."
	after := planOfTools(t, tool("a", "/a"), changed)
	a := apply.Evaluate(after, pull(), []apply.Review{review(1, alice, apply.ReviewApproved, older, 1)}, map[string]apply.Seen{
		older: apply.SeenOf(before, minute(0)), head: apply.SeenOf(after, minute(2)),
	}, apply.Rules{})
	require.False(t, a.Approved)
	require.True(t, toolApproval(t, a, "a").Approved)
	require.False(t, toolApproval(t, a, "b").Approved)
	require.Empty(t, a.Ignored, "it counts for a")

	// Once it is reviewed at the head, all is well again.
	a = apply.Evaluate(after, pull(), []apply.Review{review(1, alice, apply.ReviewApproved, older, 1), approve(2, alice, 3)}, map[string]apply.Seen{
		older: apply.SeenOf(before, minute(0)), head: apply.SeenOf(after, minute(2)),
	}, apply.Rules{})
	require.True(t, a.Approved)
}

// The digest decides, not the name: an approval of a tool's first definition
// is none for another operation that takes the name.
func TestApprovalIsOfTheOperation(t *testing.T) {
	seen := planOfTools(t, tool("a", "/a"))
	p := planOfTools(t, tool("a", "/other"))
	a := apply.Evaluate(p, pull(), []apply.Review{approve(1, alice, 1)}, map[string]apply.Seen{head: apply.SeenOf(seen, minute(0))}, apply.Rules{})
	require.False(t, a.Approved)
	require.Equal(t, "was given for other definitions", a.Ignored[0].Why)
}

// An approval of bytes that come is none of their removal.
func TestApprovalIsOfTheAction(t *testing.T) {
	dir := approved(t, desired(tool("a", "/a"), tool("b", "/b")))
	p := planOf(t, dir, desired(tool("a", "/a")))
	seen := apply.SeenOf(planOfTools(t, tool("b", "/b")), minute(0))
	a := apply.Evaluate(p, pull(), []apply.Review{approve(1, alice, 1)}, map[string]apply.Seen{head: seen}, apply.Rules{})
	require.Empty(t, toolApproval(t, a, "b").By)
}

func TestMergeCountsUnderAllowSelf(t *testing.T) {
	self := apply.Rules{Accept: []string{"review"}, AllowSelf: true}
	merged := func(who apply.Person, at int) apply.Pull {
		pr := pull()
		pr.Merge, pr.FirstParent, pr.MergedBy, pr.MergedAt = "merge000", "base0000", &who, minute(at)
		return pr
	}
	open := evaluate(t, planOfTools(t, tool("a", "/a")), pull(), self)
	require.False(t, open.Approved)
	require.True(t, open.OnMerge)
	require.Equal(t, "0 of 1; merging counts", toolApproval(t, open, "a").Missing)
	require.Empty(t, open.Decisions(), "it is not merged")

	listed := self
	listed.Approvers = map[surface.Risk][]string{surface.Safe: {"alice", "author"}}
	for name, tt := range map[string]struct {
		tool    surface.Tool
		pull    apply.Pull
		rules   apply.Rules
		reviews []apply.Review
		via     string
		who     string
	}{
		"by the author":            {tool: tool("a", "/a"), pull: merged(author, 1), rules: self, via: lockfile.ViaSelf, who: "author"},
		"not allowed":              {tool: tool("a", "/a"), pull: merged(author, 1), rules: apply.Rules{}},
		"by a bot":                 {tool: tool("a", "/a"), pull: merged(robot, 1), rules: self},
		"by one who may not write": {tool: tool("a", "/a"), pull: merged(mallory, 1), rules: self},
		"before the plan":          {tool: tool("a", "/a"), pull: merged(author, -1), rules: self},
		"by one who is not listed": {tool: tool("a", "/a"), pull: merged(bob, 1), rules: listed},
		"by one who is listed":     {tool: tool("a", "/a"), pull: merged(alice, 1), rules: listed, via: lockfile.ViaSelf, who: "alice"},
		"reviews are not accepted": {tool: tool("a", "/a"), pull: merged(author, 1), rules: apply.Rules{AllowSelf: true, Accept: []string{"cli"}}},
		"a review comes first":     {tool: tool("a", "/a"), pull: merged(author, 2), rules: self, reviews: []apply.Review{approve(1, alice, 1)}, via: lockfile.ViaReview, who: "alice"},
		"review and merge are two": {tool: writeTool("a", "/a"), pull: merged(author, 2), rules: listed, reviews: []apply.Review{approve(1, alice, 1)}, via: lockfile.ViaSelf, who: "author"},
		"one person is one":        {tool: writeTool("a", "/a"), pull: merged(alice, 2), rules: listed, reviews: []apply.Review{approve(1, alice, 1)}},
		"against an objection":     {tool: tool("a", "/a"), pull: merged(author, 2), rules: self, reviews: []apply.Review{review(1, alice, apply.ReviewChangesRequested, head, 1)}},
	} {
		t.Run(name, func(t *testing.T) {
			a := evaluate(t, planOfTools(t, tt.tool), tt.pull, tt.rules, tt.reviews...)
			require.Equal(t, tt.via != "", a.Approved)
			if tt.via != "" {
				d := a.Decisions()[0].Approval
				require.Equal(t, tt.via, d.Via)
				require.Equal(t, tt.who, d.By.Login)
			}
		})
	}
	two := evaluate(t, planOfTools(t, writeTool("a", "/a")), pull(), listed)
	require.False(t, two.OnMerge, "a merge is one approval of two")
	alone := listed
	alone.Approvers = map[surface.Risk][]string{surface.Safe: {"alice"}}
	one := evaluate(t, planOfTools(t, writeTool("a", "/a")), pull(), alone, approve(1, alice, 1))
	require.False(t, one.OnMerge, "nobody else may approve")
}

func TestDecisionsHaveTheirProvenance(t *testing.T) {
	pr := pull()
	pr.Merge, pr.FirstParent, pr.MergedBy, pr.MergedAt = "merge000", "base0000", &author, minute(5)
	want := desired(writeTool("a", "/a"))
	dir := approved(t, desired(tool("old", "/old")))
	p := planOf(t, dir, want)
	a := evaluate(t, p, pr, secured, approve(11, bob, 1), approve(12, carol, 2))
	require.True(t, a.Approved)
	ds := a.Decisions()
	r := run(t, dir, want, p, ds)
	require.Empty(t, r.LeftOut)
	got := r.State.Lock.Tools["a"].Approval
	require.NotEmpty(t, got.Checksum)
	got.Checksum = ""
	require.Equal(t, lockfile.Approval{
		By: lockfile.By{Login: "carol", ID: 3}, Via: "review", At: "2026-11-22T09:02:00Z", PR: 7, Head: head,
		Merge: "merge000", Review: 12, Plan: p.PlanDigest, Reason: "also approved by bob (review 11)",
	}, got)
	removed := r.State.Lock.Tools["old"].Approval
	require.Equal(t, surface.Removed, r.State.Lock.Tools["old"].Status)
	require.Equal(t, "bob", removed.By.Login)
}

func TestApprovalsAreData(t *testing.T) {
	a := evaluate(t, planOfTools(t, tool("a", "/a")), pull(), secured, approve(1, alice, 1))
	doc, err := json.Marshal(a)
	require.NoError(t, err)
	require.NotContains(t, string(doc), "null")
}
