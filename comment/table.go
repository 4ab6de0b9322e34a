package comment

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tomallicino/caskmcp/apply"
	"github.com/tomallicino/caskmcp/lockfile"
	"github.com/tomallicino/caskmcp/plan"
)

// tables has what is never folded: a row for each toolpack, and then a row for
// each change that needs approval.
func (v *view) tables(s *sheet) {
	v.packTable(s)
	var all []section
	for _, p := range v.packs {
		all = append(all, v.outsideTable(p))
	}
	for _, p := range v.asked() {
		all = append(all, v.approvalTable(p, s.short))
	}
	s.leftOut(s.write(all...), "row", verb(v.n.need, " It needs", " They need")+" approval all the same.")
}

// packTable has one row for each toolpack, where there are several.
func (v *view) packTable(s *sheet) {
	if !v.several() || !slices.ContainsFunc(v.packs, func(p *pack) bool { return p.HasChanges() }) {
		return
	}
	other := slices.ContainsFunc(v.packs, func(p *pack) bool { return p.Summary.Other > 0 })
	head := "\n| Toolpack | Approvals | Risk | Add | Change | Replace | Remove |\n|:--|:--|:--|--:|--:|--:|--:|\n"
	if other {
		head = "\n| Toolpack | Approvals | Risk | Add | Change | Replace | Remove | Other |\n|:--|:--|:--|--:|--:|--:|--:|--:|\n"
	}
	s.leftOut(s.write(section{head, len(v.packs), func(i int) string {
		p := v.packs[i]
		row := fmt.Sprintf("| %s | %s | %s | %d | %d | %d | %d |", inline(p.Toolpack), p.n.state(v.opt.State), riskChange(p), p.Summary.Add, p.Summary.Change, p.Summary.Replace, p.Summary.Remove)
		if other {
			row += fmt.Sprintf(" %d |", p.Summary.Other)
		}
		return row + "\n"
	}}), "toolpack", "")
}

// state is how far a toolpack is approved, in a cell of a table.
func (n tally) state(state State) string {
	switch {
	case n.outside > 0:
		return "🛑 does not verify"
	case n.changes() == 0:
		return "no changes"
	case state == Applied && n.missing == 0:
		return "✅ applied"
	case state == Applied:
		return fmt.Sprintf("🛑 %d of %d left out", n.missing, n.changes())
	case len(n.blockers) > 0:
		return "⛔ " + names(n.blockers) + " " + verb(len(n.blockers), "objects", "object")
	case n.need == 0:
		return "✅ none needed"
	case n.missing == 0:
		return "✅ approved"
	case n.onMerge:
		return "🟡 by merging"
	case !n.tracked:
		return fmt.Sprintf("🛑 %d needed", n.missing)
	}
	return fmt.Sprintf("🛑 %d of %d", n.need-n.missing, n.need)
}

func (v *view) outsideTable(p *pack) section {
	head := "\n### Changed outside caskmcp" + v.in(p) + "\nWhat does not verify is not served.\n\n| What | Finding |\n|:--|:--|\n"
	return section{head, len(p.outside), func(i int) string {
		c, row := p.outside[i], ""
		for _, r := range c.Reasons {
			row += fmt.Sprintf("| %s %s | %s<br>%s |\n", escapeWord(c.Identity), inline(c.Name), inline(r.Code), inline(r.Text))
		}
		return row
	}}
}

func (v *view) approvalTable(p *pack, short bool) section {
	title := "Needs approval" + v.in(p)
	switch {
	case p == v.settings:
		title = settingsTitle
	case v.opt.State == Applied:
		title = "Changes" + v.in(p)
	}
	head := "\n### " + title + "\n" + p.rows.facts(short) + "| Approvals | Change |\n|:--|:--|\n"
	return section{head, len(p.need), func(i int) string {
		c := p.need[i]
		return fmt.Sprintf("| %s | %s |\n", p.state(c, v.opt.State), p.rows.text(c, short))
	}}
}

// state is how far c is approved and, under it, who is asked.
func (p *pack) state(c plan.Change, state State) string {
	a := p.approval(c)
	switch {
	case !p.n.tracked:
		return unbroken(fmt.Sprintf("🛑 %d needed", c.RequiredApprovals))
	case a == nil:
		return "🛑 unknown"
	case a.Approved:
		return "✅ " + given(a)
	case len(a.BlockedBy) > 0:
		blockers := logins(a.BlockedBy)
		return "⛔ " + names(blockers) + "<br>" + verb(len(blockers), "requests", "request") + " changes"
	}
	text := fmt.Sprintf("🛑 %d of %d", len(a.By), a.Required)
	switch {
	case state == Applied:
		text = "🛑 left out"
	case a.OnMerge:
		text = "🟡 by merging"
	}
	if text = unbroken(text); len(a.By) > 0 {
		text += "<br>✅ " + given(a)
	}
	return text + "<br>" + asked(a)
}

// unbroken keeps our few words in one line of a narrow column.
func unbroken(s string) string { return strings.ReplaceAll(s, " ", "&nbsp;") }

// asked names the approvers of a change.
func asked(a *apply.ChangeApproval) string {
	if len(a.Approvers) == 0 {
		return "any writer"
	}
	var who []string
	for _, x := range a.Approvers {
		who = append(who, inline(strings.TrimPrefix(x, "@")))
	}
	return list(who, 3)
}

// given names who approved a change.
func given(a *apply.ChangeApproval) string {
	var by []string
	for _, x := range a.By {
		name := inline(x.Person.Login)
		if x.Via == lockfile.ViaSelf {
			name += " by merging"
		}
		by = append(by, name)
	}
	return strings.Join(by, ", ")
}

// ignoredReviews explains reviews that count for nothing in any toolpack, so
// that their authors know why the check stays red.
func (v *view) ignoredReviews() string {
	changed := slices.DeleteFunc(v.asked(), func(p *pack) bool { return len(p.Changes) == 0 })
	if len(changed) == 0 {
		return ""
	}
	var items []string
	for _, x := range changed[0].ignored {
		if !slices.ContainsFunc(changed, func(p *pack) bool { return !p.ignores(x) }) {
			items = append(items, inline(x.Login)+" "+sentence(x.Why))
		}
	}
	if len(items) == 0 {
		return ""
	}
	return "\nReviews that do not count: " + list(items, 5) + ".\n"
}

func (p *pack) ignores(x apply.Ignored) bool {
	return slices.ContainsFunc(p.ignored, func(y apply.Ignored) bool { return y.Review == x.Review && y.Login == x.Login })
}

// names writes logins as code: nobody is mentioned.
func names(logins []string) string {
	var out []string
	for _, l := range logins {
		out = append(out, inline(l))
	}
	return list(out, 3)
}
