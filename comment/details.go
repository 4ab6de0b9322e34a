package comment

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/tomallicino/caskmcp/plan"
	"github.com/tomallicino/caskmcp/surface"
)

// Details stay open up to this many tools and lines.
const (
	openTools = 3
	openLines = 40
)

// maxValue is how many characters of one value a line of detail shows.
const maxValue = 2000

// planDetails renders the folded parts that the level allows.
func planDetails(p *plan.Plan, t tally, l level, budget int) string {
	if l >= tableOnly {
		return ""
	}
	var b strings.Builder
	shown := t.need
	if l >= noAdditions {
		shown = slices.DeleteFunc(slices.Clone(t.need), additiveRead)
	}
	if len(shown) > 0 {
		body, lines := changeDetails(shown, budget)
		summary := "Details: " + plural(len(shown), "change")
		if left := len(t.need) - len(shown); left > 0 {
			summary += fmt.Sprintf(" (%s left out)", plural(left, "new read tool"))
		}
		b.WriteString("\n" + details(len(shown) <= openTools && lines <= openLines, summary, body))
	}
	if l >= noRemovals {
		if len(t.free) > 0 {
			b.WriteString("\n" + freeTitle(t.free) + ".\n")
		}
		return b.String()
	}
	if len(t.free) > 0 {
		b.WriteString("\n" + details(false, freeTitle(t.free), freeTable(t.free)))
	}
	b.WriteString(noteList("Inferred with low confidence", p.Reviews))
	b.WriteString(noteList("Notes", p.Notes))
	if n := len(p.Proposals); n > 0 {
		fmt.Fprintf(&b, "\n%s would be written differently today and %s as approved (`caskmcp plan --proposals`).\n", plural(n, "tool"), verb(n, "stays", "stay"))
	}
	return b.String()
}

// freeTitle is "Removed, no approval needed: 2 tools" where that is all.
func freeTitle(free []plan.Change) string {
	for _, c := range free {
		if c.Action() != plan.Delete || c.Kind != plan.ToolKind {
			return "No approval needed: " + plural(len(free), "change")
		}
	}
	return "Removed, no approval needed: " + plural(len(free), "tool")
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
		return append(lines, definitionLines("+", c)...)
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

// definitionOrder is the order in which people read a definition; other fields
// follow.
var definitionOrder = []string{"title", "description", "effect", "risk", "confirm", "auth", "inputSchema", "outputSchema", "binding", "toolsets", "annotations", "limits"}

// definitionLines writes every field of a new definition but its name: a schema
// and a binding by member, a property of a schema on its own line.
// What the request above it says already is left out of the binding.
func definitionLines(mark string, c plan.Change) []string {
	var m map[string]json.RawMessage
	if json.Unmarshal(c.After, &m) != nil {
		return []string{mark + " " + shortValue(c.After)}
	}
	delete(m, "name")
	if c.Kind == plan.ToolKind {
		dropSaid(m, c)
	}
	var lines []string
	for _, k := range slices.Concat(definitionOrder, slices.Sorted(maps.Keys(m))) {
		v, ok := m[k]
		if !ok {
			continue
		}
		delete(m, k)
		lines = append(lines, memberLines(mark+" ", k, v)...)
	}
	return lines
}

// dropSaid takes the members out of a tool's binding that c.Request is made of,
// after checking that it is.
func dropSaid(m map[string]json.RawMessage, c plan.Change) {
	t, err := surface.ParseTool(c.After)
	if err != nil || c.Request == "" || t.Binding.Request() != c.Request {
		return
	}
	var binding map[string]json.RawMessage
	if json.Unmarshal(m["binding"], &binding) != nil {
		return
	}
	for _, k := range []string{"method", "scheme", "host", "port", "path"} {
		delete(binding, k)
	}
	if doc, err := json.Marshal(binding); err == nil {
		m["binding"] = doc
	}
}

// nested are the members that are written member by member themselves.
var nested = []string{"inputSchema", "outputSchema", "properties", "binding", "auth"}

func memberLines(indent, name string, doc json.RawMessage) []string {
	var m map[string]json.RawMessage
	if !slices.Contains(nested, name) || json.Unmarshal(doc, &m) != nil || len(m) == 0 {
		return []string{indent + name + ": " + shortValue(doc)}
	}
	lines := []string{indent + name + ":"}
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if name == "properties" {
			lines = append(lines, indent+"  "+k+": "+shortValue(m[k]))
			continue
		}
		lines = append(lines, memberLines(indent+"  ", k, m[k])...)
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

// freeTable names what needs no approval, or is only for information.
func freeTable(free []plan.Change) string {
	r := rowsOf(Options{}, free, full)
	var b strings.Builder
	b.WriteString(r.facts() + "| | Change | Why |\n|:-:|:--|:--|\n")
	for _, c := range free {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", symbol(c.Action()), r.object(c), r.why(c))
	}
	return b.String()
}

func noteList(title string, notes []plan.Note) string {
	if len(notes) == 0 {
		return ""
	}
	var b strings.Builder
	for _, n := range notes {
		b.WriteString("- " + noteText(n) + "\n")
	}
	return "\n" + details(false, fmt.Sprintf("%s: %d", title, len(notes)), b.String())
}

func noteText(n plan.Note) string {
	if n.Hint == "" {
		return inline(n.Text)
	}
	return inline(n.Text) + ": " + inline(n.Hint)
}
