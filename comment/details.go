package comment

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/tomallicino/caskmcp/plan"
)

// Details stay open up to this many tools and lines.
const (
	openTools = 3
	openLines = 40
)

// maxValue is how many characters of one value a line of detail shows.
const maxValue = 2000

// planDetails renders the folded parts that the level allows.
func planDetails(p *plan.Plan, need, free []plan.Change, l level, budget int) string {
	if l >= tableOnly {
		return ""
	}
	var b strings.Builder
	shown := need
	if l >= noAdditions {
		shown = slices.DeleteFunc(slices.Clone(need), additiveRead)
	}
	if body, lines := changeDetails(shown, budget); len(shown) > 0 {
		summary := "Details: " + plural(len(shown), "change")
		if left := len(need) - len(shown); left > 0 {
			summary += fmt.Sprintf(" (%s left out)", plural(left, "new read tool"))
		}
		b.WriteString("\n" + details(len(shown) <= openTools && lines <= openLines, summary, body))
	}
	if len(free) > 0 {
		b.WriteString("\n" + details(false, "No approval needed: "+plural(len(free), "change"), freeList(free, l)))
	}
	if l >= noRemovals {
		return b.String()
	}
	b.WriteString(noteList("Inferred with low confidence", p.Reviews))
	b.WriteString(noteList("Notes", p.Notes))
	if n := len(p.Proposals); n > 0 {
		fmt.Fprintf(&b, "\n%s would be written differently today and stay as approved (`caskmcp plan --proposals`).\n", plural(n, "tool"))
	}
	return b.String()
}

// additiveRead reports whether c only adds a tool that reads.
func additiveRead(c plan.Change) bool {
	return c.Kind == plan.ToolKind && c.Action() == plan.Create && !hasCode(c, "tool.write_added")
}

// changeDetails renders each change as one diff and counts its lines. It stops
// once it is over the budget.
func changeDetails(changes []plan.Change, budget int) (body string, lines int) {
	var b strings.Builder
	for _, c := range changes {
		if b.Len() > budget {
			break
		}
		text := changeLines(c)
		lines += len(text)
		b.WriteString(fence("diff", text))
	}
	return b.String(), lines
}

// diffMarks are the symbols that GitHub colours in a diff block.
var diffMarks = map[plan.Action]string{plan.Create: "+", plan.Update: "!", plan.Replace: "!", plan.Delete: "-", plan.NoOp: "#"}

func changeLines(c plan.Change) []string {
	lines := []string{fmt.Sprintf("%s %s %s (%s)", diffMarks[c.Action()], c.Kind, c.Name, strings.Join(c.Actions, ", "))}
	if c.Request != "" {
		lines = append(lines, "# "+c.Request)
	}
	for _, r := range c.Reasons {
		lines = append(lines, fmt.Sprintf("# %s %s: %s", r.Class, r.Code, r.Text))
	}
	if c.Before != nil && c.After != nil {
		for _, f := range c.Fields {
			lines = append(lines, fieldLines(f)...)
		}
		if n := unchangedFields(c); n > 0 {
			lines = append(lines, fmt.Sprintf("  # (%s hidden)", plural(n, "unchanged field")))
		}
		return lines
	}
	if c.After != nil {
		return append(lines, definitionLines("+", c.After)...)
	}
	for _, f := range c.Fields {
		lines = append(lines, fieldLines(f)...)
	}
	return lines
}

func fieldLines(f plan.Field) []string {
	before, after := shortValue(f.Before), shortValue(f.After)
	switch {
	case f.Before == nil:
		return []string{"+ " + f.Path + ": " + after}
	case f.After == nil:
		return []string{"- " + f.Path + ": " + before}
	case len(before)+len(after) <= 80:
		return []string{"! " + f.Path + ": " + before + " -> " + after}
	}
	return []string{"! " + f.Path, "- " + before, "+ " + after}
}

// shortValue writes a JSON value on one line, and says where it is cut.
func shortValue(doc json.RawMessage) string {
	if utf8.RuneCount(doc) <= maxValue {
		return string(doc)
	}
	cut := string([]rune(string(doc))[:maxValue])
	return fmt.Sprintf("%s… (%d more bytes, see plan.json)", cut, len(doc)-len(cut))
}

// definitionLines writes the fields of a new definition, texts first; schemas
// by property.
func definitionLines(mark string, doc json.RawMessage) []string {
	var m map[string]json.RawMessage
	if json.Unmarshal(doc, &m) != nil {
		return []string{mark + " " + shortValue(doc)}
	}
	var lines []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if k == "name" {
			continue
		}
		if !strings.HasSuffix(k, "Schema") {
			lines = append(lines, fmt.Sprintf("%s %s: %s", mark, k, shortValue(m[k])))
			continue
		}
		var schema map[string]json.RawMessage
		if json.Unmarshal(m[k], &schema) != nil {
			lines = append(lines, fmt.Sprintf("%s %s: %s", mark, k, shortValue(m[k])))
			continue
		}
		for _, keyword := range slices.Sorted(maps.Keys(schema)) {
			lines = append(lines, fmt.Sprintf("%s %s/%s: %s", mark, k, keyword, shortValue(schema[keyword])))
		}
	}
	return lines
}

// unchangedFields counts the top-level fields without a difference.
func unchangedFields(c plan.Change) int {
	var before, after map[string]json.RawMessage
	if json.Unmarshal(c.Before, &before) != nil || json.Unmarshal(c.After, &after) != nil {
		return 0
	}
	n := 0
	for k, v := range after {
		if string(before[k]) == string(v) {
			n++
		}
	}
	return n
}

// freeList names what needs no approval.
func freeList(free []plan.Change, l level) string {
	rows := free
	if l >= noRemovals && len(rows) > maxRows {
		rows = rows[:maxRows]
	}
	var b strings.Builder
	b.WriteString("| | Tool | Request | Why |\n|:-:|:--|:--|:--|\n")
	for _, c := range rows {
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", codeSpan(c.Action().Symbol()), inline(c.Name), inline(c.Request), why(c, l))
	}
	if more := len(free) - len(rows); more > 0 {
		fmt.Fprintf(&b, "\n%d more rows are left out here.\n", more)
	}
	return b.String()
}

func noteList(title string, notes []plan.Note) string {
	if len(notes) == 0 {
		return ""
	}
	var b strings.Builder
	for _, n := range notes {
		fmt.Fprintf(&b, "- %s", inline(n.Text))
		if n.Hint != "" {
			fmt.Fprintf(&b, ": %s", inline(n.Hint))
		}
		b.WriteString("\n")
	}
	return "\n" + details(false, fmt.Sprintf("%s: %d", title, len(notes)), b.String())
}
