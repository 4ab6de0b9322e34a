package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/tomallicino/caskmcp/surface"
)

// toolJudge explains the difference between two definitions of one tool.
type toolJudge struct {
	reasons
	before, after surface.Tool
}

// explainTool gives the reasons of an update or replacement. Fields must be
// all differences between the canonical forms.
func explainTool(before, after surface.Tool, fields []Field) *toolJudge {
	j := &toolJudge{before: before, after: after}
	j.explainFields(fields, []rule{
		{prefix: "/name", explain: j.name},
		{prefix: "/title", explain: j.text},
		{prefix: "/description", explain: j.text},
		{prefix: "/inputSchema", once: true, explain: func(Field) { j.inputSchema() }},
		{prefix: "/outputSchema", once: true, explain: func(Field) { j.outputSchema() }},
		{prefix: "/annotations", explain: j.annotation},
		{prefix: "/binding/arguments", once: true, explain: func(Field) { j.arguments() }},
		{prefix: "/binding/fixed", explain: j.fixed},
		{prefix: "/binding/method", explain: j.target("method")},
		{prefix: "/binding/scheme", explain: j.target("scheme")},
		{prefix: "/binding/host", explain: j.target("host")},
		{prefix: "/binding/port", explain: j.target("port")},
		{prefix: "/binding/path", explain: j.target("path")},
		{prefix: "/binding", explain: j.binding},
		{prefix: "/auth", once: true, explain: func(Field) { j.auth() }},
		{prefix: "/effect", explain: func(Field) { j.effect() }},
		{prefix: "/risk", explain: func(Field) { j.risk() }},
		{prefix: "/confirm", explain: func(Field) { j.confirm() }},
		{prefix: "/limits", explain: j.limit},
		{prefix: "/redact", explain: func(Field) { j.redact() }},
		{prefix: "/toolsets", explain: func(Field) { j.toolsets() }},
		{prefix: "/expires", explain: func(Field) { j.expires() }},
	})
	j.lintTexts(&before, after)
	return j
}

func (j *toolJudge) name(Field) {
	j.block("tool.renamed", "renamed from %s to %s", quote(j.before.Name), quote(j.after.Name))
}

func (j *toolJudge) text(f Field) {
	j.block("text.changed", "%s changed from %s to %s", strings.TrimPrefix(f.Path, "/"), value(f.Before), value(f.After))
}

// annotation tells hints that make a client more careless from the others;
// both are text that agents read.
func (j *toolJudge) annotation(f Field) {
	hint := strings.TrimPrefix(f.Path, "/annotations/")
	careless := map[string]string{"readOnlyHint": "true", "destructiveHint": "false", "idempotentHint": "true", "openWorldHint": "false"}
	code := "text.changed"
	if want, ok := careless[hint]; ok && string(f.After) == want {
		code = "annotation.relaxed"
	}
	j.block(code, "annotation %s changed from %s to %s", hint, value(f.Before), value(f.After))
}

func (j *toolJudge) target(what string) func(Field) {
	return func(f Field) {
		j.block(what+".changed", "%s changed from %s to %s", what, value(f.Before), value(f.After))
	}
}

func (j *toolJudge) binding(f Field) {
	j.block("binding.changed", "the request changed: %s was %s, is now %s", strings.TrimPrefix(f.Path, "/binding/"), value(f.Before), value(f.After))
}

func (j *toolJudge) fixed(f Field) {
	j.block("fixed_value.changed", "fixed value %s changed from %s to %s", strings.TrimPrefix(f.Path, "/binding/fixed"), value(f.Before), value(f.After))
}

// arguments compares where arguments go, by name. An argument that comes and
// goes with its property of the input schema widens or narrows; one that moves
// makes the same call another request.
func (j *toolJudge) arguments() {
	for _, a := range j.after.Binding.Arguments {
		i := slices.IndexFunc(j.before.Binding.Arguments, func(b surface.Argument) bool { return b.Name == a.Name })
		switch {
		case i < 0 && a.In == surface.InHeader:
			j.block("input.widened", "agents may set the header %s through the new argument %s", quote(a.Key), quote(a.Name))
		case i < 0:
			j.add("input.widened", j.widening(), "agents may set %s through the new argument %s", placeOf(a), quote(a.Name))
		case j.before.Binding.Arguments[i] != a && samePlace(j.before.Binding.Arguments[i], a):
			if a.EscapedSlash {
				j.escapedSlash(a)
			} else {
				j.review("input.narrowed", "values of the argument %s may hold no %q any more", quote(a.Name), "/")
			}
		case j.before.Binding.Arguments[i] != a:
			j.block("binding.changed", "argument %s goes to %s, it went to %s", quote(a.Name), placeOf(a), placeOf(j.before.Binding.Arguments[i]))
		}
	}
	for _, b := range j.before.Binding.Arguments {
		if !slices.ContainsFunc(j.after.Binding.Arguments, func(a surface.Argument) bool { return a.Name == b.Name }) {
			j.review("input.narrowed", "argument %s no longer goes to %s", quote(b.Name), placeOf(b))
		}
	}
}

// samePlace reports whether two arguments differ in nothing but the slashes that
// their values may hold.
func samePlace(b, a surface.Argument) bool {
	b.EscapedSlash = a.EscapedSlash
	return b == a
}

func (j *toolJudge) escapedSlash(a surface.Argument) {
	j.review("path.escaped_slash", "values of the argument %s may hold %q; it is sent as %%2F", quote(a.Name), "/")
}

func placeOf(a surface.Argument) string {
	at := a.In
	if a.Key != "" {
		at += " " + quote(a.Key)
	}
	if a.Style != "" {
		at += " (" + quote(a.Style) + ")"
	}
	return at
}

// authRank orders kinds by how much they prove; kinds of one rank are only
// different.
var authRank = map[string]int{"": 0, "cookie": 1, "basic": 1, "apiKey": 1, "bearer": 2, "oauth2": 3}

func (j *toolJudge) auth() {
	b, a := j.before.Auth, j.after.Auth
	if b == nil || a == nil {
		for _, c := range b.All() {
			j.block("auth.weakened", "calls are no longer authenticated; they used %s (%s)", quote(c.Ref), quote(c.Kind))
		}
		for i, c := range a.All() {
			j.sends(c, map[bool]string{true: "; they sent none", false: " beside it"}[i == 0])
		}
		return
	}
	j.credential(b.All()[0], a.All()[0])
	switch {
	case !b.Optional && a.Optional:
		j.block("auth.weakened", "calls go without the credential %s where it is not set", quote(a.Ref))
	case b.Optional && !a.Optional:
		j.review("auth.changed", "calls need the credential %s; they went without it where it was not set", quote(a.Ref))
	}
	byRef := func(list []surface.Sent, ref string) int {
		return slices.IndexFunc(list, func(c surface.Sent) bool { return c.Ref == ref })
	}
	for _, c := range a.Also {
		if i := byRef(b.Also, c.Ref); i >= 0 {
			j.credential(b.Also[i], c)
		} else {
			j.sends(c, " beside "+quote(a.Ref))
		}
	}
	for _, c := range b.Also {
		if byRef(a.Also, c.Ref) < 0 {
			j.block("auth.weakened", "calls no longer send the credential %s (%s) beside %s", quote(c.Ref), quote(c.Kind), quote(a.Ref))
		}
	}
}

// sends judges a credential that is new to the tool.
func (j *toolJudge) sends(c surface.Sent, instead string) {
	j.block("auth.changed", "calls now send the credential %s (%s)%s", quote(c.Ref), quote(c.Kind), instead)
	j.scopes(nil, c.Scopes)
}

// credential judges a credential that is sent in place of another one.
func (j *toolJudge) credential(b, a surface.Sent) {
	if b.Kind != a.Kind {
		code := "auth.changed"
		if authRank[a.Kind] < authRank[b.Kind] {
			code = "auth.weakened"
		}
		j.block(code, "authentication changed from %s to %s", quote(b.Kind), quote(a.Kind))
	}
	if b.Ref != a.Ref {
		j.block("credential.rebound", "calls send the credential %s; they sent %s", quote(a.Ref), quote(b.Ref))
	}
	if b.In != a.In || b.Name != a.Name {
		j.block("auth.changed", "the credential goes to %s %s; it went to %s %s", orNone(a.In), orNone(a.Name), orNone(b.In), orNone(b.Name))
	}
	if !slices.Equal(b.Scopes, a.Scopes) {
		j.scopes(b.Scopes, a.Scopes)
	}
}

func (j *toolJudge) scopes(before, after []string) {
	if more := gained(before, after); len(more) > 0 {
		j.block("scope.widened", "the credential needs more scopes: %s", quoteAll(more))
	}
	if fewer := gained(after, before); len(fewer) > 0 {
		j.review("scope.narrowed", "the credential no longer needs the scopes %s", quoteAll(fewer))
	}
}

func (j *toolJudge) effect() {
	b, a := j.before.Effect, j.after.Effect
	switch {
	case b == surface.Read:
		j.block("effect.read_to_write", "calls change state: effect was %s, is now %s", quote(string(b)), quote(string(a)))
	case a == surface.Destructive:
		j.block("effect.raised", "calls may destroy: effect was %s, is now %s", quote(string(b)), quote(string(a)))
	default:
		j.block("effect.lowered", "effect is called more harmless: it was %s, is now %s", quote(string(b)), quote(string(a)))
	}
}

func (j *toolJudge) risk() {
	b, a := j.before.Risk, j.after.Risk
	if a.Rank() > b.Rank() {
		j.review("risk.raised", "risk rose from %s to %s", quote(string(b)), quote(string(a)))
	} else {
		j.block("risk.lowered", "risk was lowered from %s to %s", quote(string(b)), quote(string(a)))
	}
}

func (j *toolJudge) confirm() {
	b, a := j.before.Confirm, j.after.Confirm
	if a == surface.Always {
		j.review("confirm.tightened", "each call needs a confirmation: confirm was %s, is now %s", quote(string(b)), quote(string(a)))
	} else {
		j.block("confirm.relaxed", "calls need no confirmation: confirm was %s, is now %s", quote(string(b)), quote(string(a)))
	}
}

// limit explains one bound; zero is no bound at all.
func (j *toolJudge) limit(f Field) {
	name := strings.TrimPrefix(f.Path, "/limits/")
	var b, a int64
	for _, x := range []struct {
		doc []byte
		to  *int64
	}{{f.Before, &b}, {f.After, &a}} {
		if _, err := fmt.Sscan(string(x.doc), x.to); err != nil {
			return // not a number: the generic reason
		}
	}
	if a == 0 || b != 0 && a > b {
		j.block("budget.raised", "limit %s rose from %d to %d", name, b, a)
	} else {
		j.review("budget.lowered", "limit %s fell from %d to %d", name, b, a)
	}
}

func (j *toolJudge) redact() {
	if lost := gained(j.after.Redact, j.before.Redact); len(lost) > 0 {
		j.block("redaction.removed", "response values are no longer masked under %s", quoteAll(lost))
	}
	if more := gained(j.before.Redact, j.after.Redact); len(more) > 0 {
		j.review("redaction.added", "response values are masked under %s", quoteAll(more))
	}
}

func (j *toolJudge) toolsets() {
	if more := gained(j.before.Toolsets, j.after.Toolsets); len(more) > 0 {
		j.block("tool.added_to_toolset", "agents get it with the toolset %s", quoteAll(more))
	}
	if fewer := gained(j.after.Toolsets, j.before.Toolsets); len(fewer) > 0 {
		j.review("tool.removed_from_toolset", "agents no longer get it with the toolset %s", quoteAll(fewer))
	}
}

func (j *toolJudge) expires() {
	b, a := j.before.Expires, j.after.Expires
	if a == "" || b != "" && strings.Compare(a, b) > 0 {
		j.block("expiry.extended", "it is served longer: the last day was %s, is now %s", orNone(b), orNone(a))
	} else {
		j.review("expiry.shortened", "it is served until %s; the last day was %s", orNone(a), orNone(b))
	}
}

// widening is the class of new freedom in the input: a maintainer may grant it
// on a read, its owner on anything that can do damage.
func (j *toolJudge) widening() Class {
	for _, t := range []surface.Tool{j.before, j.after} {
		if t.Effect != surface.Read || t.Risk.Rank() >= surface.High.Rank() || t.Risk.Rank() < 0 {
			return Block
		}
	}
	return Review
}

// explainNewTool gives the reasons of a creation.
func explainNewTool(t surface.Tool) *toolJudge {
	j := &toolJudge{after: t}
	if t.Effect == surface.Read {
		j.review("tool.added", "new read tool")
	} else {
		j.block("tool.write_added", "new %s tool", quoteWord(string(t.Effect)))
		if t.Confirm != surface.Always {
			j.block("confirm.never", "it changes state and asks for no confirmation of its own: confirm is %s", quote(string(t.Confirm)))
		}
	}
	for _, a := range t.Binding.Arguments {
		if a.EscapedSlash {
			j.escapedSlash(a)
		}
	}
	j.sensitiveOutput()
	j.lintTexts(nil, t)
	return j
}

// Order of effects, from harmless to irreversible.
func effectRank(e surface.Effect) int {
	return slices.Index([]surface.Effect{surface.Read, surface.Write, surface.Destructive}, e)
}

// riskier orders risk tiers for a summary.
func riskier(a, b surface.Risk) surface.Risk {
	if cmp.Compare(a.Rank(), b.Rank()) < 0 {
		return b
	}
	return a
}
