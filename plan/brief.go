package plan

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tomallicino/caskmcp/surface"
)

// isBrief reports whether a change is shown by what matters of it rather than
// field by field: a new tool, of which everything is new.
func (w *textWriter) isBrief(c Change) bool {
	return !w.verbose && !w.drift && c.Kind == ToolKind && c.Before == nil && c.After != nil
}

// facts are codes of reasons that are one fact about several new tools.
var facts = []string{"host.added", "tool.added", "tool.write_added"}

// share writes facts once each, with the number of new tools that they concern.
func (w *textWriter) share(changes []Change) {
	counts := map[Reason]int{}
	for _, c := range changes {
		if w.isBrief(c) {
			for _, r := range c.Reasons {
				if slices.Contains(facts, r.Code) {
					counts[r]++
				}
			}
		}
	}
	maps.DeleteFunc(counts, func(_ Reason, n int) bool { return n < 2 })
	if w.shared = counts; len(counts) == 0 {
		return
	}
	r := reasons{list: slices.Collect(maps.Keys(counts))}
	w.line("", "")
	w.line(bold, "Of several new tools, said once:")
	for _, x := range r.sorted() {
		w.line("", "      # %-6s %s: %s (%d tools)", x.Class, x.Code, x.Text, counts[x])
	}
}

// whole says how to see new tools in full.
func (w *textWriter) whole(changes []Change) {
	n := 0
	for _, c := range changes {
		if w.isBrief(c) {
			n++
		}
	}
	if n > 0 {
		w.line("", "")
		w.line("", "%s shown in brief: caskmcp plan --verbose shows every field, caskmcp plan --html FILE a page with all.", plural(n, "new tool"))
	}
}

// ownReasons parts the reasons of a tool from those that were said once.
func (w *textWriter) ownReasons(list []Reason) (own []Reason, said []string) {
	for _, r := range list {
		if w.shared[r] > 0 {
			said = append(said, string(r.Class)+" "+r.Code)
		} else {
			own = append(own, r)
		}
	}
	return own, said
}

// brief writes a new tool in a few lines: what it calls, why it needs whom, what
// agents read of it, and what they may set.
func (w *textWriter) brief(c Change) {
	const indent = "      "
	own, said := w.ownReasons(c.Reasons)
	w.line("", "")
	w.line(green, "%4s %s %q", c.Action().Symbol(), c.Kind, c.Name)
	w.line("", indent+"# %s", c.Request)
	for _, r := range own {
		w.line("", indent+"# %-6s %s: %s", r.Class, r.Code, r.Text)
	}
	var t surface.Tool
	err := json.Unmarshal(c.After, &t)
	effect := ""
	if t.Effect != "" {
		effect = string(t.Effect) + ", "
	}
	above := ""
	if len(said) > 0 {
		above = "; as above: " + strings.Join(said, ", ")
	}
	w.line("", indent+"# %s%s%s%s", effect, c.Risk.text(), approvals(c.RequiredApprovals), above)
	if err != nil {
		w.definition(indent, Create, c.After)
		return
	}
	w.field(indent, Field{Path: "description", After: quoted(t.Description)})
	if args := argumentsOf(&t); args != "" {
		w.line(green, "%s+ arguments: %s", indent, args)
	}
	if sent := sentWith(&t); sent != "" {
		w.line(green, "%s+ sends: %s", indent, sent)
	}
}

func quoted(text string) json.RawMessage {
	doc, err := surface.MarshalIndent(text)
	if err != nil {
		return json.RawMessage(`""`) // texts always encode
	}
	return json.RawMessage(strings.TrimSuffix(string(doc), "\n"))
}

// member is a schema as far as brief texts tell it.
type member struct {
	Type       any               `json:"type"`
	Properties map[string]member `json:"properties"`
	Required   []string          `json:"required"`
}

// maxMembers is how many properties of an object argument are named.
const maxMembers = 8

// argumentsOf are the arguments with their types, and those of objects with the
// names of their properties; a star marks what must be given.
func argumentsOf(t *surface.Tool) string {
	var doc member
	if json.Unmarshal(t.InputSchema, &doc) != nil {
		return "not readable"
	}
	var list []string
	for _, name := range slices.Sorted(maps.Keys(doc.Properties)) {
		m := doc.Properties[name]
		about := typeNames(m.Type)
		if n := len(m.Properties); n > 0 && n <= maxMembers {
			var names []string
			for _, x := range slices.Sorted(maps.Keys(m.Properties)) {
				names = append(names, m.label(x))
			}
			about = strings.TrimPrefix(about+" of "+strings.Join(names, ", "), " ")
		}
		if about != "" {
			about = " (" + about + ")"
		}
		list = append(list, doc.label(name)+about)
	}
	return strings.Join(list, ", ")
}

// label is the name of a property, quoted where it could be taken for more than
// a name, with a star if it must be given.
func (m member) label(name string) string {
	label := name
	if strings.ContainsAny(name, " ,()*\"") || name == "" {
		label = quote(name)
	}
	if slices.Contains(m.Required, name) {
		label += "*"
	}
	return label
}

func typeNames(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case []any:
		var names []string
		for _, x := range v {
			names = append(names, fmt.Sprint(x))
		}
		return strings.Join(names, " or ")
	}
	return ""
}

// sentWith are the credentials and fixed values of each call.
func sentWith(t *surface.Tool) string {
	var list []string
	for _, c := range t.Auth.All() {
		list = append(list, "credential "+quote(c.Ref))
	}
	for _, f := range t.Binding.Fixed {
		list = append(list, fmt.Sprintf("%s %s: %s", f.In, quote(f.Key), value(f.Value)))
	}
	return strings.Join(list, ", ")
}
