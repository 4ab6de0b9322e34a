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

// fold is a part of a comment that can be folded.
type fold struct {
	summary, body  string
	changes, lines int // that are in the body
}

// details renders the folded parts that the level allows.
func (v *view) details(l level, budget int) string {
	var b strings.Builder
	var folds []fold
	changes, lines := 0, 0
	for _, p := range v.asked() {
		f := v.changeFold(p, l, budget)
		budget -= len(f.body)
		changes, lines = changes+f.changes, lines+f.lines
		folds = append(folds, f)
	}
	for _, f := range folds {
		if f.body != "" {
			b.WriteString("\n" + details(changes <= openTools && lines <= openLines, f.summary, f.body))
		}
	}
	for _, p := range v.packs {
		switch {
		case len(p.free) > 0 && l < noRemovals:
			b.WriteString("\n" + details(false, v.freeTitle(p), freeList(p.free)))
		case len(p.free) > 0:
			b.WriteString("\n" + v.freeTitle(p) + ".\n")
		}
		if l < noRemovals {
			b.WriteString(v.remarks(p))
		}
	}
	return b.String()
}

// changeFold has the details of what needs approval in p; none once the budget
// is spent, for the render will not be used.
func (v *view) changeFold(p *pack, l level, budget int) fold {
	shown := p.need
	if l >= noAdditions {
		shown = slices.DeleteFunc(slices.Clone(p.need), additiveRead)
	}
	if len(shown) == 0 || budget < 0 {
		return fold{}
	}
	f := fold{summary: "Details" + v.in(p) + ": " + plural(len(shown), "change"), changes: len(shown)}
	if p == v.settings {
		f.summary = settingsTitle
	}
	if left := len(p.need) - len(shown); left > 0 {
		f.summary += fmt.Sprintf(" (%s left out)", plural(left, "new read tool"))
	}
	f.body, f.lines = changeDetails(shown, budget)
	return f
}

// remarks are what p says beside its changes. A toolpack without changes among
// others says only what is wrong with its inputs.
func (v *view) remarks(p *pack) string {
	text := noteList("Notes"+v.in(p), p.Notes)
	if v.several() && !p.HasChanges() {
		return text
	}
	text = noteList("Inferred with low confidence"+v.in(p), p.Reviews) + text
	text += noteList("Proposed merges of approved tools"+v.in(p), p.Merges())
	if n := len(p.Rewrites()); n > 0 {
		text += fmt.Sprintf("\n%s%s would be written differently today and %s as approved (`caskmcp plan --proposals`).\n", plural(n, "tool"), v.in(p), verb(n, "stays", "stay"))
	}
	return text
}

// freeTitle is "Removed, no approval needed: 2 tools" where that is all.
func (v *view) freeTitle(p *pack) string {
	for _, c := range p.free {
		if c.Action() != plan.Delete || c.Kind != plan.ToolKind {
			return "No approval needed" + v.in(p) + ": " + plural(len(p.free), "change")
		}
	}
	return "Removed" + v.in(p) + ", no approval needed: " + plural(len(p.free), "tool")
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

// freeList names what needs no approval, or is only for information.
func freeList(free []plan.Change) string {
	r := rowsOf(free)
	var b strings.Builder
	b.WriteString(r.facts(false))
	for _, c := range free {
		b.WriteString("- " + r.text(c, false) + "\n")
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
