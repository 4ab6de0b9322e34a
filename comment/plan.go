package comment

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tomallicino/caskmcp/plan"
)

// MaxBytes is the default budget. GitHub refuses bodies over 65,536
// characters.
const MaxBytes = 60_000

// Options are what a comment says beyond the plan. The zero Options render
// the plan alone.
type Options struct {
	// Marker is written before everything else, as one line: the HTML comment
	// by which the sticky comment is found again.
	Marker string
	// Head and Base name the revisions, where they are known.
	Head, Base string
	// RunURL and PlanURL link to the full plan and to plan.json.
	RunURL, PlanURL string
	// Approvals are those given so far, by the digest they are for (the one
	// after the change). Nil means that approvals are not tracked here.
	Approvals map[string]Approval
	// MaxBytes is the budget; 0 means MaxBytes of this package.
	MaxBytes int
}

// Approval is how far the approval of one definition is.
type Approval struct {
	By []string // logins of eligible approvers
}

// level says how much is left out to stay in the budget.
type level int

const (
	full           level = iota // everything
	noRemovals                  // without details of removals and remarks
	noAdditions                 // and without details of new reads
	tableOnly                   // the approval table, its first rows
	countsAndLinks              // no table
)

// maxRows is how many rows the approval table has at tableOnly.
const maxRows = 200

// Plan renders p as GitHub Markdown within the budget. It leaves out details
// before it shortens the table, and says what it left out.
func Plan(p *plan.Plan, opt Options) string {
	return fit(opt.MaxBytes, func(l level, budget int) string { return renderPlan(p, opt, l, budget) })
}

// fit renders at the first level that stays within the budget. A render may
// stop early once it is over.
func fit(budget int, render func(l level, budget int) string) string {
	if budget == 0 {
		budget = MaxBytes
	}
	for l := full; l < countsAndLinks; l++ {
		if text := render(l, budget); len(text) <= budget {
			return text
		}
	}
	return render(countsAndLinks, budget)
}

func renderPlan(p *plan.Plan, opt Options, l level, budget int) string {
	var b strings.Builder
	if opt.Marker != "" {
		b.WriteString(strings.ReplaceAll(plan.Printable(opt.Marker), "\n", " ") + "\n")
	}
	need, free, outside := split(p.Changes)
	missing := 0
	for _, c := range need {
		if len(opt.approval(c).By) < c.RequiredApprovals {
			missing++
		}
	}
	b.WriteString(verdict(p, opt, len(need), missing, len(outside)) + "\n\n")
	b.WriteString(summary(p) + "\n")
	b.WriteString(revisions(opt) + "\n\n")
	if text := caution(p); text != "" {
		b.WriteString("> [!CAUTION]\n> " + text + "\n\n")
	}
	b.WriteString(toolpackTable(p, opt, need, missing))
	if l < countsAndLinks {
		b.WriteString(outsideTable(outside))
		b.WriteString(approvalTable(opt, need, l, budget))
	}
	if b.Len() > budget {
		return b.String()
	}
	b.WriteString(planDetails(p, need, free, l, budget))
	if l >= tableOnly {
		b.WriteString("\n**This comment is shortened.** The full plan is in the job's summary and in plan.json.\n")
	}
	b.WriteString(footer(p, opt, missing))
	return b.String()
}

// split divides changes into those that need approval, those that need none,
// and findings about the state.
func split(changes []plan.Change) (need, free, outside []plan.Change) {
	for _, c := range changes {
		switch {
		case c.Kind == plan.StateKind:
			outside = append(outside, c)
		case c.RequiredApprovals > 0:
			need = append(need, c)
		default:
			free = append(free, c)
		}
	}
	return need, free, outside
}

func (o Options) approval(c plan.Change) Approval { return o.Approvals[c.Digest.After] }

func verdict(p *plan.Plan, opt Options, need, missing, outside int) string {
	switch {
	case secrets(p) > 0:
		return fmt.Sprintf("## 🛑 caskmcp plan: %s in the captures", plural(secrets(p), "secret"))
	case outside > 0:
		return fmt.Sprintf("## 🛑 caskmcp plan: the approved state was changed outside caskmcp, and %s", needs(need, len(p.Changes)-outside))
	case !p.HasChanges():
		return "## ✅ caskmcp plan: no changes"
	case missing == 0 && need > 0:
		return "## 🟢 caskmcp plan: approved, applies on merge"
	case need == 0:
		return fmt.Sprintf("## 🟢 caskmcp plan: %s, no approval needed", plural(len(p.Changes), "change"))
	case opt.Approvals != nil && missing < need:
		return fmt.Sprintf("## 🛑 caskmcp plan: %s, %d approved so far", needs(need, len(p.Changes)), need-missing)
	}
	return "## 🛑 caskmcp plan: " + needs(need, len(p.Changes))
}

func needs(need, all int) string {
	verb := "need"
	if need == 1 {
		verb = "needs"
	}
	return fmt.Sprintf("%d of %s %s approval", need, plural(all, "change"), verb)
}

// summary is Terraform's line and what a reviewer looks for next.
func summary(p *plan.Plan) string {
	s := p.Summary
	parts := []string{fmt.Sprintf("**Plan:** %d to add, %d to change, %d to replace, %d to remove", s.Add, s.Change, s.Replace, s.Remove)}
	if s.Other > 0 {
		parts = append(parts, plural(s.Other, "change")+" of policy, server or toolsets")
	}
	parts = append(parts, fmt.Sprintf("%d unchanged", s.Unchanged))
	if s.Risk != "" {
		parts = append(parts, "highest risk **"+escapeWord(string(s.Risk))+"**")
	}
	if n := countTools(p.Changes, breaking); n > 0 {
		parts = append(parts, plural(n, "breaking schema change"))
	}
	if d := p.Cost.After.Tokens - p.Cost.Before.Tokens; d != 0 {
		parts = append(parts, fmt.Sprintf("context %+d tokens (estimate)", d))
	}
	return strings.Join(parts, " · ")
}

func revisions(opt Options) string {
	text := "Nothing below is served until it is approved and applied."
	if opt.Head != "" && opt.Base != "" {
		text = fmt.Sprintf("Plan for %s against the lockfile at %s. ", inline(shorten(opt.Head, 12)), inline(shorten(opt.Base, 12))) + text
	}
	return text
}

func hasCode(c plan.Change, codes ...string) bool {
	return slices.ContainsFunc(c.Reasons, func(r plan.Reason) bool { return slices.Contains(codes, r.Code) })
}

func breaking(c plan.Change) bool {
	return hasCode(c, "input.type_changed", "input.required_added", "input.narrowed", "output.removed", "output.type_changed", "output.required_removed")
}

func countTools(changes []plan.Change, match func(plan.Change) bool) int {
	n := 0
	for _, c := range changes {
		if c.Kind != plan.StateKind && match(c) {
			n++
		}
	}
	return n
}

// secrets counts what the detectors found in the inputs.
func secrets(p *plan.Plan) int {
	n := 0
	for _, note := range p.Notes {
		if note.Code == "secrets.in_capture" {
			n++
		}
	}
	return n
}

// caution says in one sentence what agents gain, or whoever reads the
// repository.
func caution(p *plan.Plan) string {
	changes := p.Changes
	var gains []string
	if n := secrets(p); n > 0 {
		gains = append(gains, "**"+plural(n, "secret")+" in a capture** (revoke it, see the notes)")
	}
	for _, g := range []struct {
		codes []string
		noun  string
	}{
		{[]string{"tool.write_added", "effect.read_to_write"}, "new state-changing tool"},
		{[]string{"policy.relaxed", "default_action.changed", "confirm.relaxed"}, "relaxed rule"},
		{[]string{"network.widened"}, "opening of the network"},
		{[]string{"auth.weakened", "auth.changed", "scope.widened", "credential.rebound", "credential.added"}, "credential change"},
		{[]string{"output.pii_added", "output.secret_shape_added", "redaction.removed"}, "tool that reads more sensitive data"},
		{[]string{"text.injection_lint", "tool.shadowing", "tool.confusable"}, "suspicious text"},
		{[]string{"tool.was_rejected", "tool.name_taken"}, "tool that takes up a rejected operation or another's name"},
	} {
		if n := countTools(changes, func(c plan.Change) bool { return hasCode(c, g.codes...) }); n > 0 {
			gains = append(gains, "**"+plural(n, g.noun)+"**")
		}
	}
	hosts := map[string]bool{}
	for _, c := range changes {
		for _, r := range c.Reasons {
			if r.Code == "host.added" {
				hosts[r.Text] = true
			}
		}
	}
	if len(hosts) > 0 {
		gains = append(gains, "**"+plural(len(hosts), "new host")+"**")
	}
	if len(gains) == 0 {
		return ""
	}
	if n := len(gains); n > 1 {
		gains = append(gains[:n-2], gains[n-2]+" and "+gains[n-1])
	}
	return "This plan brings " + strings.Join(gains, ", ") + "."
}

func footer(p *plan.Plan, opt Options, missing int) string {
	var b strings.Builder
	if missing > 0 {
		b.WriteString("\n**To approve:** review this pull request with **Approve**. It counts for exactly these definitions.\n")
	}
	var links []string
	if opt.RunURL != "" {
		links = append(links, "[Full plan]("+linkTarget(opt.RunURL)+")")
	}
	if opt.PlanURL != "" {
		links = append(links, "[plan.json]("+linkTarget(opt.PlanURL)+")")
	}
	links = append(links, "plan "+inline(shorten(p.PlanDigest, 19)))
	b.WriteString("\n" + strings.Join(links, " · ") + "\n")
	return b.String()
}

// linkTarget writes a URL of ours so that it cannot end the link.
func linkTarget(url string) string {
	return "<" + strings.Map(func(r rune) rune {
		if r == '<' || r == '>' || r == '\\' || r == ' ' || r == '|' || plan.Hidden(r) {
			return -1
		}
		return r
	}, url) + ">"
}
