package comment

import (
	"fmt"
	"strings"

	"github.com/tomallicino/caskmcp/plan"
	"github.com/tomallicino/caskmcp/surface"
)

func toolpackTable(p *plan.Plan, opt Options, need []plan.Change, missing int) string {
	s := p.Summary
	approvals := "none needed"
	switch {
	case len(need) > 0 && opt.Approvals != nil:
		approvals = fmt.Sprintf("%s %d of %d", mark(missing == 0), len(need)-missing, len(need))
	case len(need) > 0:
		approvals = fmt.Sprintf("🛑 %d needed", len(need))
	}
	before, after := surface.Risk(""), s.Risk
	for _, c := range p.Changes {
		if c.Risk.Before.Rank() > before.Rank() {
			before = c.Risk.Before
		}
	}
	return "| Toolpack | Add | Change | Replace | Remove | Risk | Approvals |\n|:--|--:|--:|--:|--:|:--|:--|\n" +
		fmt.Sprintf("| %s | %d | %d | %d | %d | %s | %s |\n", inline(p.Toolpack), s.Add, s.Change, s.Replace, s.Remove, riskCell(before, after), approvals)
}

func riskCell(before, after surface.Risk) string {
	switch {
	case after == "" && before == "":
		return ""
	case after == "" || before == after:
		return escapeWord(string(before))
	case before == "":
		return "**" + escapeWord(string(after)) + "**"
	}
	return escapeWord(string(before)) + " → **" + escapeWord(string(after)) + "**"
}

func mark(done bool) string {
	if done {
		return "✅"
	}
	return "🛑"
}

func outsideTable(outside []plan.Change) string {
	if len(outside) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("\n### Changed outside caskmcp\nWhat does not verify is not served.\n\n| What | Code | Finding |\n|:--|:--|:--|\n")
	for i, c := range outside {
		if i == maxRows {
			fmt.Fprintf(&b, "| … | | %d more |\n", len(outside)-maxRows)
			break
		}
		for _, r := range c.Reasons {
			fmt.Fprintf(&b, "| %s %s | %s | %s |\n", escapeWord(c.Identity), inline(c.Name), inline(r.Code), inline(r.Text))
		}
	}
	return b.String()
}

// escapeWord writes one of our own words, which a decoded plan could still
// have replaced.
func escapeWord(s string) string {
	for _, r := range s {
		if (r < 'a' || r > 'z') && r != '_' && r != '-' {
			return inline(s)
		}
	}
	return s
}

func approvalTable(opt Options, need []plan.Change, l level, budget int) string {
	if len(need) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("\n### Needs approval\n| | Tool | Request | Why | Approvals |\n|:-:|:--|:--|:--|:--|\n")
	rows := need
	if l >= tableOnly && len(rows) > maxRows {
		rows = rows[:maxRows]
	}
	for _, c := range rows {
		if b.Len() > budget {
			break
		}
		b.WriteString(approvalRow(opt, c, l))
	}
	if more := len(need) - len(rows); more > 0 {
		fmt.Fprintf(&b, "\n**%d more rows are left out here.** They need approval all the same.\n", more)
	}
	return b.String()
}

func approvalRow(opt Options, c plan.Change, l level) string {
	name := inline(c.Name)
	if c.Kind != plan.ToolKind {
		name = escapeWord(string(c.Kind))
		if c.Name != string(c.Kind) {
			name += " " + inline(c.Name)
		}
	}
	request := ""
	if c.Request != "" {
		request = inline(c.Request)
	}
	state := plural(c.RequiredApprovals, "approval")
	if opt.Approvals != nil {
		by := opt.approval(c).By
		state = fmt.Sprintf("%s %d of %d", mark(len(by) >= c.RequiredApprovals), len(by), c.RequiredApprovals)
		if len(by) > 0 {
			state += " " + inline(strings.Join(by, ", "))
		}
	}
	return fmt.Sprintf("| %s | %s | %s | %s | %s |\n", codeSpan(c.Action().Symbol()), name, request, why(c, l), state)
}

// codeSpan writes one of our own symbols as code.
func codeSpan(s string) string { return "`" + s + "`" }

// why names the most severe reasons; one at the tightest levels.
func why(c plan.Change, l level) string {
	most := 3
	if l >= tableOnly {
		most = 1
	}
	var parts []string
	for i, r := range c.Reasons {
		if i == most {
			parts = append(parts, fmt.Sprintf("and %d more", len(c.Reasons)-most))
			break
		}
		name := label(r)
		if r.Class == plan.Block {
			name = "**" + name + "**"
		}
		if l < tableOnly && !selfEvident[r.Code] {
			name += ": " + inline(r.Text)
		}
		parts = append(parts, name)
	}
	return strings.Join(parts, "<br>")
}

// selfEvident are the codes whose label says all that their text does.
var selfEvident = map[string]bool{"tool.added": true, "tool.write_added": true}

// labels are names of codes that read better than the code.
var labels = map[string]string{"tool.added": "new read tool", "tool.write_added": "new state-changing tool", "host.added": "new host", "tool.was_rejected": "was rejected before"}

// label names a reason in plain words.
func label(r plan.Reason) string {
	if l, ok := labels[r.Code]; ok {
		return l
	}
	if strings.Trim(r.Code, "abcdefghijklmnopqrstuvwxyz_.") != "" {
		return inline(r.Code)
	}
	return strings.NewReplacer(".", " ", "_", " ").Replace(r.Code)
}
