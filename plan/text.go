package plan

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// TextOptions say how Text writes a plan.
type TextOptions struct {
	// Whether ANSI colours may be used.
	Color bool
	// Proposals lists what would be written differently but is no change;
	// otherwise they are only counted.
	Proposals bool
	// Drift words changes as what happened, not as what will.
	Drift bool
	// Verbose writes every field of new tools, too.
	Verbose bool
}

// Text writes p for a terminal, in Terraform's words. Every differing field of
// what is approved is in it, whole; a new tool is in it with its request, texts
// and arguments, and with Verbose whole. Captured text cannot leave its line, colour the terminal, or
// hide: see Printable.
func Text(p *Plan, opt TextOptions) string {
	w := &textWriter{color: opt.Color, drift: opt.Drift, verbose: opt.Verbose}
	if !p.HasChanges() {
		w.line(bold, "No changes. What is approved matches the configuration.")
	} else {
		w.legend(p.Changes)
		w.share(p.Changes)
		w.changes(p.Changes)
		w.whole(p.Changes)
	}
	w.notes("Review: inferred with low confidence; each hint settles one:", p.Reviews)
	w.notes("Notes:", p.Notes)
	w.notes("Proposed merges; approved tools stay until a hint asks for it:", p.Merges())
	w.proposals(p.Rewrites(), opt.Proposals)
	if p.HasChanges() {
		w.line("", "")
		w.line(bold, "%s", p.Summary.String())
	}
	w.line("", "%s", p.Cost.String())
	return w.buf.String()
}

// ChangesText writes only changes, each whole, for reports that speak of changes
// without being plans.
func ChangesText(changes []Change, opt TextOptions) string {
	w := &textWriter{color: opt.Color, drift: opt.Drift, verbose: true}
	w.changes(changes)
	return w.buf.String()
}

// String is Terraform's summary line, with the zeros.
func (s Summary) String() string {
	line := fmt.Sprintf("Plan: %d to add, %d to change, %d to replace, %d to remove.", s.Add, s.Change, s.Replace, s.Remove)
	if s.Other > 0 {
		line += fmt.Sprintf(" %s of policy, server or toolsets.", plural(s.Other, "change"))
	}
	if s.Unchanged > 0 {
		line += fmt.Sprintf(" %d unchanged.", s.Unchanged)
	}
	return line
}

// String says what agents pay for the surface, and what changes: tokens are
// an estimate.
func (c Cost) String() string {
	line := fmt.Sprintf("Context cost of tools/list: %s, %d bytes, about %d tokens", plural(c.After.Tools, "tool"), c.After.Bytes, c.After.Tokens)
	if c.Before == c.After {
		return line + "."
	}
	return line + fmt.Sprintf(" (%+d tools, %+d tokens).", c.After.Tools-c.Before.Tools, c.After.Tokens-c.Before.Tokens)
}

// Printable shows every character of s that a terminal would obey or hide, see
// Hidden, as \u{HEX}. Newlines are shown too: the result is one line.
func Printable(s string) string {
	if !strings.ContainsFunc(s, Hidden) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if Hidden(r) {
			fmt.Fprintf(&b, `\u{%04X}`, r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// ANSI codes of the styles.
const (
	bold   = "\x1b[1m"
	green  = "\x1b[32m"
	yellow = "\x1b[33m"
	red    = "\x1b[31m"
	reset  = "\x1b[0m"
)

func (a Action) style() string {
	switch a {
	case Create:
		return green
	case Update, Replace:
		return yellow
	case Delete:
		return red
	}
	return ""
}

type textWriter struct {
	buf     strings.Builder
	color   bool
	drift   bool
	verbose bool
	shared  map[Reason]int // reasons that were said once, with their tools
}

// line writes one line, made printable as a whole.
func (w *textWriter) line(style, format string, args ...any) {
	text := strings.TrimRight(Printable(fmt.Sprintf(format, args...)), " ")
	if w.color && style != "" && text != "" {
		text = style + text + reset
	}
	w.buf.WriteString(text + "\n")
}

var legends = []struct {
	action Action
	text   string
}{{Create, "create"}, {Update, "change in place"}, {Replace, "replace: remove, then create"}, {Delete, "remove"}}

func (w *textWriter) legend(changes []Change) {
	w.line("", "caskmcp will make these changes to what agents may use:")
	for _, l := range legends {
		if slices.ContainsFunc(changes, func(c Change) bool { return c.Action() == l.action }) {
			w.line(l.action.style(), "%4s %s", l.action.Symbol(), l.text)
		}
	}
}

// changes writes each change as a block; what happened to the state outside
// caskmcp comes first.
func (w *textWriter) changes(changes []Change) {
	outside := slices.ContainsFunc(changes, func(c Change) bool { return c.Kind == StateKind })
	if outside {
		w.line("", "")
		w.line(bold, "Changed outside caskmcp:")
		for _, c := range changes {
			if c.Kind == StateKind {
				for _, r := range c.Reasons {
					w.line(red, "  ! %s %s: %s: %s", c.Identity, c.Name, r.Code, r.Text)
				}
			}
		}
	}
	for _, c := range changes {
		if c.Kind != StateKind {
			w.change(c)
		}
	}
}

// Verbs of a plan and of a drift report.
var (
	planVerbs  = map[Action]string{Create: "will be created", Update: "will be changed", Replace: "must be replaced", Delete: "will be removed", NoOp: "stays as it is"}
	driftVerbs = map[Action]string{Create: "is new", Update: "is not what was approved", Replace: "has moved", Delete: "is gone", NoOp: "is not concerned"}
)

func (w *textWriter) change(c Change) {
	if w.isBrief(c) {
		w.brief(c)
		return
	}
	verbs := planVerbs
	if w.drift {
		verbs = driftVerbs
	}
	why := ""
	if len(c.Reasons) > 0 {
		why = ": " + c.Reasons[0].Text
	}
	w.line("", "")
	w.line(bold, "  # %s %s%s", c.Name, verbs[c.Action()], why)
	w.line(c.Action().style(), "%4s %s %q", c.Action().Symbol(), c.Kind, c.Name)
	const indent = "      "
	if c.Request != "" {
		w.line("", indent+"# %s", c.Request)
	}
	for _, r := range c.Reasons {
		w.line("", indent+"# %-6s %s: %s", r.Class, r.Code, r.Text)
	}
	if !w.drift {
		w.line("", indent+"# %s%s", c.Risk.text(), approvals(c.RequiredApprovals))
	}
	switch {
	case c.Before != nil && c.After != nil:
		for _, f := range c.Fields {
			w.field(indent, f)
		}
		if n := hiddenFields(c); n > 0 {
			w.line("", indent+"# (%s hidden)", plural(n, "unchanged field"))
		}
	case c.After != nil:
		w.definition(indent, Create, c.After)
	case c.Before != nil:
		w.line("", indent+"# digest %s", c.Digest.Before)
	}
}

// text is "risk low -> high, ", or empty where nothing has a risk.
func (r RiskChange) text() string {
	switch {
	case r.Before == r.After && r.After == "":
		return ""
	case r.Before == r.After || r.Before == "":
		return fmt.Sprintf("risk %s, ", r.After)
	case r.After == "":
		return fmt.Sprintf("risk was %s, ", r.Before)
	}
	return fmt.Sprintf("risk %s -> %s, ", r.Before, r.After)
}

func approvals(n int) string {
	if n == 0 {
		return "no approval needed"
	}
	return plural(n, "approval") + " needed"
}

// hiddenFields counts the top-level fields without a difference.
func hiddenFields(c Change) int {
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

// oneLine is how long a value may be to stand beside its name.
const oneLine = 100

func (w *textWriter) field(indent string, f Field) {
	switch {
	case f.Before == nil:
		w.value(indent, Create, f.Path, f.After)
	case f.After == nil:
		w.value(indent, Delete, f.Path, f.Before)
	case len(f.Before)+len(f.After) <= oneLine:
		w.line(yellow, "%s~ %s: %s -> %s", indent, f.Path, f.Before, f.After)
	default:
		w.line(yellow, "%s~ %s:", indent, f.Path)
		w.replacement(indent+"    ", f)
	}
}

// replacement writes a long value: lists element by element, everything else
// old above new.
func (w *textWriter) replacement(indent string, f Field) {
	var before, after []json.RawMessage
	if json.Unmarshal(f.Before, &before) == nil && json.Unmarshal(f.After, &after) == nil {
		same := 0
		for _, x := range before {
			if slices.ContainsFunc(after, func(y json.RawMessage) bool { return string(x) == string(y) }) {
				same++
			} else {
				w.line(red, "%s- %s", indent, x)
			}
		}
		for _, y := range after {
			if !slices.ContainsFunc(before, func(x json.RawMessage) bool { return string(x) == string(y) }) {
				w.line(green, "%s+ %s", indent, y)
			}
		}
		if same < len(before) || same < len(after) {
			w.line("", "%s# (%s hidden)", indent, plural(same, "unchanged element"))
			return
		}
	}
	w.line(red, "%s- %s", indent, f.Before)
	w.line(green, "%s+ %s", indent, f.After)
}

// value writes an added or removed value: on one line where it fits, else key
// by key.
func (w *textWriter) value(indent string, a Action, name string, doc json.RawMessage) {
	if len(doc) <= oneLine || (doc[0] != '{' && doc[0] != '[') {
		w.line(a.style(), "%s%s %s: %s", indent, a.Symbol(), name, doc)
		return
	}
	w.line(a.style(), "%s%s %s:", indent, a.Symbol(), name)
	if doc[0] == '[' {
		var list []json.RawMessage
		if json.Unmarshal(doc, &list) == nil {
			for _, x := range list {
				w.line(a.style(), "%s    %s %s", indent, a.Symbol(), x)
			}
		}
		return
	}
	w.members(indent+"    ", a, doc, nil)
}

// definitionOrder is the order people read a tool in; other fields follow.
var definitionOrder = []string{"title", "description", "effect", "risk", "confirm", "binding", "auth", "inputSchema", "outputSchema", "annotations"}

// definition writes every field of a canonical definition but its name.
func (w *textWriter) definition(indent string, a Action, doc json.RawMessage) {
	w.members(indent, a, doc, definitionOrder)
}

func (w *textWriter) members(indent string, a Action, doc json.RawMessage, order []string) {
	var m map[string]json.RawMessage
	if json.Unmarshal(doc, &m) != nil {
		w.line(a.style(), "%s%s %s", indent, a.Symbol(), doc)
		return
	}
	if order != nil {
		delete(m, "name")
	}
	for _, k := range order {
		if v, ok := m[k]; ok {
			w.value(indent, a, k, v)
			delete(m, k)
		}
	}
	for _, k := range slices.Sorted(maps.Keys(m)) {
		w.value(indent, a, k, m[k])
	}
}

func (w *textWriter) notes(title string, notes []Note) {
	if len(notes) == 0 {
		return
	}
	w.line("", "")
	w.line(bold, "%s", title)
	for _, n := range notes {
		w.line("", "  %s: %s", n.Code, n.Text)
		if n.Hint != "" {
			w.line("", "    hint: %s", n.Hint)
		}
	}
}

func (w *textWriter) proposals(proposals []Proposal, list bool) {
	if len(proposals) == 0 {
		return
	}
	w.line("", "")
	if !list {
		w.line("", "%s would be written differently today and stay as approved (--proposals lists them).", plural(len(proposals), "tool"))
		return
	}
	w.line(bold, "Proposals, which change nothing:")
	for _, p := range proposals {
		w.line("", "")
		w.line("", "  # %s: %s", p.Name, p.Text)
		for _, f := range p.Fields {
			w.field("      ", f)
		}
	}
}
