package comment

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tomallicino/caskmcp/apply"
	"github.com/tomallicino/caskmcp/plan"
)

// MaxBytes is the default budget of a comment. GitHub refuses bodies over
// 65,536 characters.
const MaxBytes = 60_000

// State is where the life of a plan in a pull request stands.
type State string

// The states. Whether a plan that is Planned needs approval, is approved, or
// changes nothing follows from the plan and the approvals.
const (
	Planned  State = ""
	Failed   State = "failed"   // there is no plan, see Options.Failure
	Outdated State = "outdated" // another commit is being planned, see Options.Commit
	Applied  State = "applied"  // see Options.Commit
)

// Options are what a comment says beyond the plan. The zero Options render
// the plan alone.
type Options struct {
	// Key tells apart several comments of one pull request. It is part of the
	// marker, which is on the first byte; without a key there is no marker.
	Key string
	// Head and Base name the revisions, where they are known.
	Head, Base string
	// RunURL and PlanURL link to the full plan and to plan.json.
	RunURL, PlanURL string
	// Approvals say who approved what so far. Nil means that approvals are not
	// tracked here.
	Approvals *apply.Approvals
	State     State
	// Commit is the one being planned (Outdated) or the one that holds the
	// lockfile now (Applied).
	Commit string
	// Failure is why there is no plan (Failed).
	Failure string
	// MaxBytes is the budget; 0 means MaxBytes of this package.
	MaxBytes int

	byChange map[apply.ChangeKey]*apply.ChangeApproval // see indexed
}

// level says how much is left out to stay in the budget.
type level int

const (
	full           level = iota // everything
	noRemovals                  // without details of removals and remarks
	noAdditions                 // and without details of new reads
	tableOnly                   // the approval table, as many rows as fit
	countsAndLinks              // no table
)

// maxRows is how many rows the approval table has at tableOnly.
const maxRows = 200

// Plan renders p as GitHub Markdown within the budget. It leaves out details
// before it shortens the table, and says what it left out. P may be nil where
// the state is Failed or Outdated.
func Plan(p *plan.Plan, opt Options) string {
	if p == nil || opt.State == Failed {
		return withoutPlan(opt)
	}
	opt = opt.indexed()
	return fit(opt.MaxBytes, func(l level, budget int) string { return renderPlan(p, opt, l, budget) })
}

// MaxSummary is the budget of a job summary. The runner drops a file over
// 1,048,576 bytes.
const MaxSummary = 1_000_000

// Summary renders p for the summary of a job: a comment with more room and
// without a marker.
func Summary(p *plan.Plan, opt Options) string {
	opt.Key, opt.MaxBytes = "", MaxSummary
	return Plan(p, opt)
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
	b.WriteString(marker("plan", opt, p.PlanDigest))
	t := tallyOf(p, opt)
	b.WriteString(verdict(p, opt, t) + "\n\n")
	b.WriteString(summary(p) + "\n\n")
	b.WriteString(revisions(p, opt, t) + "\n")
	if secrets(p.Notes) > 0 {
		b.WriteString(secretList(p.Notes, l) + footer(p, opt))
		return b.String()
	}
	b.WriteString(gainBox("What agents gain", granted(p, opt), l))
	if l < countsAndLinks {
		b.WriteString(outsideTable(t.outside))
		b.WriteString(approvalTable(opt, t.need, l, budget-b.Len()))
		b.WriteString(ignoredReviews(opt))
	}
	if b.Len() > budget {
		return b.String()
	}
	b.WriteString(howTo(opt, t))
	b.WriteString(planDetails(p, t, l, budget))
	if l >= tableOnly {
		b.WriteString("\n**This comment is shortened.** The full plan is in the job's summary and in plan.json.\n")
	}
	b.WriteString(footer(p, opt))
	return b.String()
}

// tally divides changes into those that need approval, those that need none,
// and findings about the state.
type tally struct {
	need, free, outside []plan.Change
	// missing counts those of need that are not approved; onMerge says that
	// merging approves them.
	missing int
	onMerge bool
	// blockers are the logins of those who request changes.
	blockers []string
}

func tallyOf(p *plan.Plan, opt Options) tally {
	t := tally{onMerge: true}
	for _, c := range p.Changes {
		a := opt.approval(c)
		switch {
		case c.Kind == plan.StateKind:
			t.outside = append(t.outside, c)
			continue
		case c.RequiredApprovals == 0 && (a == nil || a.Required == 0):
			t.free = append(t.free, c)
		default:
			t.need = append(t.need, c)
		}
		if a == nil && c.RequiredApprovals > 0 || a != nil && !a.Approved {
			t.missing++
			t.onMerge = t.onMerge && a != nil && a.OnMerge
		}
		if a != nil {
			for _, by := range a.BlockedBy {
				if !slices.Contains(t.blockers, by.Person.Login) {
					t.blockers = append(t.blockers, by.Person.Login)
				}
			}
		}
	}
	return t
}

// indexed is o with its approvals by change.
func (o Options) indexed() Options {
	o.byChange = map[apply.ChangeKey]*apply.ChangeApproval{}
	if o.Approvals != nil {
		for i, a := range o.Approvals.Changes {
			o.byChange[a.ChangeKey] = &o.Approvals.Changes[i]
		}
	}
	return o
}

// approval is how far c is approved, nil where nobody tracks it. O is indexed.
func (o Options) approval(c plan.Change) *apply.ChangeApproval { return o.byChange[apply.KeyOf(c)] }

// summary is Terraform's line and what a reviewer looks for next.
func summary(p *plan.Plan) string {
	s := p.Summary
	parts := []string{fmt.Sprintf("**Plan:** %d to add, %d to change, %d to replace, %d to remove", s.Add, s.Change, s.Replace, s.Remove)}
	if s.Other > 0 {
		parts = append(parts, plural(s.Other, "change")+" of policy, server or toolsets")
	}
	parts = append(parts, fmt.Sprintf("%d unchanged", s.Unchanged))
	if risk := riskChange(p); risk != "" {
		parts = append(parts, risk)
	}
	if n := countTools(p.Changes, breaking); n > 0 {
		parts = append(parts, plural(n, "breaking schema change"))
	}
	if d := p.Cost.After.Tokens - p.Cost.Before.Tokens; d != 0 {
		parts = append(parts, fmt.Sprintf("context %+d tokens (estimate)", d))
	}
	return strings.Join(parts, " · ")
}

// riskChange is the highest risk of what changes, before and after.
func riskChange(p *plan.Plan) string {
	before, after := "", string(p.Summary.Risk)
	highest := -1
	for _, c := range p.Changes {
		if c.Kind == plan.ToolKind && c.Risk.Before.Rank() > highest {
			highest, before = c.Risk.Before.Rank(), string(c.Risk.Before)
		}
	}
	switch {
	case after == "":
		return ""
	case before == "" || before == after:
		return "risk **" + escapeWord(after) + "**"
	}
	return "risk " + escapeWord(before) + " → **" + escapeWord(after) + "**"
}

func revisions(p *plan.Plan, opt Options, t tally) string {
	text := "Toolpack " + inline(p.Toolpack)
	if opt.Head != "" && opt.Base != "" {
		text += fmt.Sprintf(" at %s, against the lockfile at %s", commit(opt.Head), commit(opt.Base))
	}
	switch {
	case opt.State == Applied && t.missing > 0:
		return text + ". What was left out is not served."
	case opt.State == Applied || len(t.need)+len(t.free) == 0:
		return text + "."
	}
	return text + ". Nothing below is served until it is approved and applied."
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

// howTo says what a reviewer does next.
func howTo(opt Options, t tally) string {
	switch {
	case t.missing == 0 || opt.State == Applied || opt.State == Outdated:
		return ""
	case t.onMerge:
		return "\n**To approve:** merge this pull request. The merge by an approver counts as the approval of exactly these definitions.\n"
	}
	return "\n**To approve:** review this pull request with **Approve**. It counts for exactly these definitions.\n"
}

func footer(p *plan.Plan, opt Options) string {
	var links []string
	if opt.RunURL != "" {
		name := "Full plan"
		if p == nil {
			name = "Log"
		}
		links = append(links, "["+name+"]("+linkTarget(opt.RunURL)+")")
	}
	if p != nil && opt.PlanURL != "" {
		links = append(links, "[plan.json]("+linkTarget(opt.PlanURL)+")")
	}
	if p != nil {
		links = append(links, "plan "+inline(shorten(p.PlanDigest, 19)))
	}
	if len(links) == 0 {
		return ""
	}
	return "\n" + strings.Join(links, " · ") + "\n"
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
