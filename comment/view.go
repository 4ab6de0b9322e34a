package comment

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"github.com/tomallicino/caskmcp/apply"
	"github.com/tomallicino/caskmcp/plan"
)

// Toolpack is the part of a comment that is about one toolpack.
type Toolpack struct {
	Plan *plan.Plan
	// Approvals say who approved what so far. Nil means that approvals are not
	// tracked here.
	Approvals *apply.Approvals
}

// view is what is rendered: all toolpacks of a comment and their sums.
type view struct {
	opt Options
	// packs are those that change, the riskiest first, and then the others.
	packs    []*pack
	settings *pack // nil where they do not change
	n        tally
	digest   string
}

// pack is one toolpack, its changes divided into those that need approval,
// those that need none, and findings about the state.
type pack struct {
	*plan.Plan
	need, free, outside []plan.Change
	n                   tally
	rows                rows // of need
	ignored             []apply.Ignored
	byChange            map[apply.ChangeKey]*apply.ChangeApproval
}

// tally is what verdicts depend on.
type tally struct {
	need, free, outside, secrets int
	// missing counts those of need that are not approved; onMerge says that
	// merging approves them.
	missing int
	onMerge bool
	tracked bool
	// blockers are the logins of those who request changes.
	blockers []string
}

func newView(packs []Toolpack, opt Options) *view {
	v := &view{opt: opt, n: tally{onMerge: true, tracked: true}}
	var plans []*plan.Plan
	for _, t := range packs {
		p := newPack(t)
		v.packs = append(v.packs, p)
		v.n.add(p.n)
		plans = append(plans, t.Plan)
	}
	v.digest = plan.DigestOf(plans...)
	if opt.Settings != nil {
		v.settings = newPack(*opt.Settings)
		v.n.add(v.settings.n)
	}
	slices.SortStableFunc(v.packs, func(x, y *pack) int {
		return cmp.Or(cmp.Compare(x.urgency(), y.urgency()), strings.Compare(x.Toolpack, y.Toolpack))
	})
	return v
}

func newPack(t Toolpack) *pack {
	p := &pack{Plan: t.Plan, n: tally{onMerge: true, tracked: t.Approvals != nil, secrets: secrets(t.Plan.Notes)}}
	if t.Approvals != nil {
		p.ignored = t.Approvals.Ignored
		p.byChange = make(map[apply.ChangeKey]*apply.ChangeApproval, len(t.Approvals.Changes))
		for i, a := range t.Approvals.Changes {
			p.byChange[a.ChangeKey] = &t.Approvals.Changes[i]
		}
	}
	for _, c := range p.Changes {
		p.divide(c)
	}
	p.n.need, p.n.free, p.n.outside = len(p.need), len(p.free), len(p.outside)
	p.rows = rowsOf(p.need)
	return p
}

// divide puts c where it belongs.
func (p *pack) divide(c plan.Change) {
	a := p.approval(c)
	switch {
	case c.Kind == plan.StateKind:
		p.outside = append(p.outside, c)
		return
	case c.RequiredApprovals == 0 && (a == nil || a.Required == 0):
		p.free = append(p.free, c)
	default:
		p.need = append(p.need, c)
	}
	if a == nil && c.RequiredApprovals > 0 || a != nil && !a.Approved {
		p.n.missing++
		p.n.onMerge = p.n.onMerge && a != nil && a.OnMerge
	}
	if a != nil {
		p.n.block(logins(a.BlockedBy))
	}
}

// approval is how far c is approved, nil where nobody tracks it.
func (p *pack) approval(c plan.Change) *apply.ChangeApproval {
	if p.byChange == nil {
		return nil
	}
	return p.byChange[apply.KeyOf(c)]
}

// granted are the changes that agents gain by: once a plan is applied, what was
// left out is none.
func (p *pack) granted(state State) []plan.Change {
	if state != Applied {
		return p.Changes
	}
	return slices.DeleteFunc(slices.Clone(p.Changes), func(c plan.Change) bool {
		a := p.approval(c)
		return a != nil && !a.Approved
	})
}

// urgency orders toolpacks by their first change, which is their riskiest;
// those without changes are last.
func (p *pack) urgency() int {
	switch {
	case len(p.Changes) == 0:
		return math.MaxInt
	case len(p.outside) > 0:
		return -1
	}
	return p.Changes[0].Rank()
}

func (n *tally) add(m tally) {
	n.need, n.free, n.outside = n.need+m.need, n.free+m.free, n.outside+m.outside
	n.secrets, n.missing = n.secrets+m.secrets, n.missing+m.missing
	n.onMerge, n.tracked = n.onMerge && m.onMerge, n.tracked && m.tracked
	n.block(m.blockers)
}

func (n *tally) block(logins []string) {
	for _, l := range logins {
		if !slices.Contains(n.blockers, l) {
			n.blockers = append(n.blockers, l)
		}
	}
}

// changes counts what approval or merging makes happen.
func (n tally) changes() int { return n.need + n.free }

func logins(people []apply.Approver) (out []string) {
	for _, x := range people {
		out = append(out, x.Person.Login)
	}
	return out
}

// settingsTitle stands above a change of whose word counts.
const settingsTitle = "Settings of this repository"

// asked are the parts that can need approval.
func (v *view) asked() []*pack {
	if v.settings == nil {
		return slices.Clone(v.packs)
	}
	return append([]*pack{v.settings}, v.packs...)
}

// several reports whether it has to be said which toolpack something is in.
func (v *view) several() bool { return len(v.packs) > 1 }

// in is " in billing" where it has to be said.
func (v *view) in(p *pack) string {
	if !v.several() {
		return ""
	}
	return " in " + inline(p.Toolpack)
}
