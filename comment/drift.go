package comment

import (
	"fmt"
	"strings"

	"github.com/tomallicino/caskmcp/drift"
	"github.com/tomallicino/caskmcp/plan"
)

// Drift renders r as GitHub Markdown within the budget of MaxBytes.
func Drift(r *drift.Report) string { return DriftWith(r, Options{}) }

// DriftWith renders r with a marker (Options.Key), a link (RunURL) and a budget
// of its own.
func DriftWith(r *drift.Report, opt Options) string {
	return fit(opt.MaxBytes, func(l level, budget int) string { return renderDrift(r, opt, l, budget) })
}

func renderDrift(r *drift.Report, opt Options, l level, budget int) string {
	var b strings.Builder
	b.WriteString(marker("drift", opt, r.Digest))
	var serious, info []plan.Change
	for _, c := range r.Changes {
		if c.Class() == plan.Info {
			info = append(info, c)
		} else {
			serious = append(serious, c)
		}
	}
	b.WriteString(driftVerdict(r) + "\n\n")
	fmt.Fprintf(&b, "**Drift:** %d blocking, %d to review, %d for information · %d approved %s as approved\n", r.Summary.Block, r.Summary.Review, r.Summary.Info, r.Summary.Unchanged, verbTools(r.Summary.Unchanged))
	b.WriteString(gainBox("What nobody approved", []portion{{changes: serious}}, l))
	if l < countsAndLinks {
		driftTable(&sheet{b: &b, room: budget, short: l >= tableOnly}, serious)
	}
	if b.Len() > budget {
		return b.String()
	}
	if l < tableOnly {
		if body, lines := changeDetails(withFields(serious), budget); body != "" {
			b.WriteString("\n" + details(len(serious) <= openTools && lines <= openLines, "Details", body))
		}
	}
	if l == full && len(info) > 0 {
		b.WriteString("\n" + details(false, "For information: "+plural(len(info), "operation"), freeList(info)))
	}
	if l < tableOnly {
		b.WriteString(noteList("Notes", r.Notes))
	}
	if l >= tableOnly {
		b.WriteString("\n**This report is shortened.** `caskmcp drift --format json` has all of it.\n")
	}
	if r.Blocks {
		b.WriteString("\n**To settle it:** import what changed (`caskmcp capture import` or `caskmcp openapi`), commit it, and have the plan approved; or fix the API.\n")
	}
	b.WriteString(links(link("Full report", opt.RunURL), "report "+inline(shorten(r.Digest, 19))))
	return b.String()
}

func verbTools(n int) string {
	if n == 1 {
		return "tool is"
	}
	return "tools are"
}

func driftVerdict(r *drift.Report) string {
	switch {
	case r.Blocks:
		return "## 🛑 caskmcp drift: " + plural(r.Summary.Block, "blocking change")
	case r.HasDrift():
		return "## ⚠️ caskmcp drift: " + plural(r.Summary.Review, "change") + " to review, none blocks"
	}
	return "## ✅ caskmcp drift: none"
}

func driftTable(s *sheet, changes []plan.Change) {
	r := rowsOf(changes)
	head := "\n" + r.facts(s.short) + "| Class | Tool |\n|:--|:--|\n"
	s.leftOut(s.write(section{head, len(changes), func(i int) string {
		c := changes[i]
		return fmt.Sprintf("| %s | %s |\n", classMark(c.Class()), r.text(c, s.short))
	}}), "row", "")
}

func classMark(c plan.Class) string {
	switch c {
	case plan.Block:
		return "🛑 blocks"
	case plan.Review:
		return "⚠️ review"
	}
	return "info"
}

// withFields leaves out changes that the table says all about.
func withFields(changes []plan.Change) []plan.Change {
	var out []plan.Change
	for _, c := range changes {
		if len(c.Fields) > 0 {
			out = append(out, c)
		}
	}
	return out
}
