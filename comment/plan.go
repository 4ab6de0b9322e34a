package comment

import (
	"fmt"
	"slices"
	"strings"

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

// Options are what a comment says beyond the plans. The zero Options render
// the plans alone.
type Options struct {
	// Key tells apart several comments of one pull request. It is part of the
	// marker, which is on the first byte; without a key there is no marker.
	Key string
	// Head and Base name the revisions, where they are known.
	Head, Base string
	// RunURL and PlanURL link to the full plan and to plan.json.
	RunURL, PlanURL string
	// Refused says what no approval can help, beyond what the plans say.
	Refused []string
	// Settings is a change of whose word counts, which is in no toolpack.
	Settings *Toolpack
	State    State
	// Commit is the one being planned (Outdated) or the one that holds the
	// lockfile now (Applied).
	Commit string
	// Failure is why there is no plan (Failed).
	Failure string
	// MaxBytes is the budget; 0 means MaxBytes of this package.
	MaxBytes int
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

// Plan renders the plans of those toolpacks as one GitHub Markdown comment
// within the budget. It leaves out details before it shortens tables, and says
// what it left out. A State of Failed needs no plans, and says none.
func Plan(packs []Toolpack, opt Options) string {
	if opt.State == Failed || len(packs) == 0 && opt.Settings == nil && len(opt.Refused) == 0 {
		return withoutPlan(opt)
	}
	return fit(opt.MaxBytes, newView(packs, opt).render)
}

// MaxSummary is the budget of a job summary. The runner drops a file over
// 1,048,576 bytes.
const MaxSummary = 1_000_000

// Summary renders the plans for the summary of a job: a comment with more room
// and without a marker.
func Summary(packs []Toolpack, opt Options) string {
	opt.Key, opt.MaxBytes = "", MaxSummary
	return Plan(packs, opt)
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

func (v *view) render(l level, budget int) string {
	var b strings.Builder
	b.WriteString(marker("plan", v.opt, v.digest))
	b.WriteString(v.verdict() + "\n\n" + v.summary() + "\n\n" + v.revisions() + "\n")
	if v.n.secrets > 0 {
		b.WriteString(v.secretList(l) + v.footer())
		return b.String()
	}
	b.WriteString(v.refused(l) + gainBox("What agents gain", v.granted(), l))
	if l < countsAndLinks {
		v.tables(&sheet{b: &b, room: budget, short: l >= tableOnly})
		b.WriteString(v.ignoredReviews())
	}
	if b.Len() > budget {
		return b.String()
	}
	b.WriteString(v.howTo())
	if l < tableOnly {
		b.WriteString(v.details(l, budget))
	} else {
		b.WriteString("\n**This comment is shortened.** The full plan is in the job's summary and in plan.json.\n")
	}
	b.WriteString(v.footer())
	return b.String()
}

// revisions says what was planned, against what, and what it means.
func (v *view) revisions() string {
	text, lockfile := fmt.Sprintf("%d toolpacks", len(v.packs)), "the lockfiles"
	switch len(v.packs) {
	case 0:
		return "No toolpack."
	case 1:
		text, lockfile = "Toolpack "+inline(v.packs[0].Toolpack), "the lockfile"
	}
	if v.opt.Head != "" && v.opt.Base != "" {
		text += fmt.Sprintf(" at %s, against %s at %s", commit(v.opt.Head), lockfile, commit(v.opt.Base))
	}
	switch {
	case v.opt.State == Applied && v.n.missing > 0:
		return text + ". What was left out is not served."
	case v.opt.State == Applied || v.n.changes() == 0:
		return text + "."
	}
	return text + ". Nothing below is served until it is approved and applied."
}

// howTo says what a reviewer does next.
func (v *view) howTo() string {
	switch {
	case v.n.missing == 0 || v.opt.State == Applied || v.opt.State == Outdated:
		return ""
	case v.n.onMerge:
		return "\n**To approve:** merge this pull request. The merge by an approver counts as the approval of exactly these definitions.\n"
	}
	return "\n**To approve:** review this pull request with **Approve**. It counts for exactly these definitions.\n"
}

func (v *view) footer() string {
	digest := ""
	if v.digest != "" {
		digest = "plan " + inline(shorten(v.digest, 19))
	}
	return links(link("Full plan", v.opt.RunURL), link("plan.json", v.opt.PlanURL), digest)
}

// link is a Markdown link, empty without a URL.
func link(name, url string) string {
	if url == "" {
		return ""
	}
	return "[" + name + "](" + linkTarget(url) + ")"
}

// links is the last line of a comment, of those that there are.
func links(all ...string) string {
	all = slices.DeleteFunc(all, func(l string) bool { return l == "" })
	if len(all) == 0 {
		return ""
	}
	return "\n" + strings.Join(all, " · ") + "\n"
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
