package openapi

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"github.com/tomallicino/caskmcp/internal/canonical"
)

// plain converts keywords whose value is no schema and no data.
func (e *emitter) plain(kind kind, v any) (any, error) {
	ok := false
	switch kind {
	case isText:
		var s string
		if s, ok = v.(string); ok {
			v = clip(s, maxText)
			return v, e.spend(len(s))
		}
	case isFlag:
		_, ok = v.(bool)
		if v == false {
			return nil, nil
		}
	case isNumber, isCount:
		return e.number(kind, v)
	case isPattern:
		if s, isText := v.(string); isText {
			p, understood := portable(s)
			if understood {
				return p, e.spend(len(p))
			}
			e.note("the pattern %q is not understood everywhere", clip(s, 80))
			return nil, nil
		}
	case isType:
		t := types(map[string]any{"type": v})
		if len(t) == 1 {
			return t[0], e.spend(8)
		} else if len(t) > 1 {
			return t, e.spend(8 * len(t))
		}
	}
	if !ok {
		e.note("the value is not one that JSON Schema 2020-12 allows")
		return nil, nil
	}
	return v, e.spend(8)
}

var digits = regexp.MustCompile(`^[0-9]{1,15}$`)

func (e *emitter) number(kind kind, v any) (any, error) {
	n, ok := v.(json.Number)
	switch {
	case !ok, kind == isCount && !digits.MatchString(string(n)):
		e.note("the value is not one that JSON Schema 2020-12 allows")
	case !exact(n):
		e.note("the number %s cannot be kept exactly", clip(string(n), 40))
	case strings.HasSuffix(strings.Join(e.path, "/"), "multipleOf") && !positive(n):
		e.note("the value is not one that JSON Schema 2020-12 allows")
	default:
		return n, e.spend(len(n))
	}
	return nil, nil
}

func positive(n json.Number) bool {
	f, err := n.Float64()
	return err == nil && f > 0
}

// exact reports whether digests can hold n. Short numbers always are.
func exact(n json.Number) bool {
	if len(n) <= 15 && !strings.ContainsAny(string(n), "eE") {
		return true
	}
	_, err := canonical.JSON(n)
	return err == nil
}

// knownTypes are the types of JSON Schema; what documents write instead of
// them means the second.
var knownTypes = map[string]string{
	"string": "string", "number": "number", "integer": "integer", "boolean": "boolean",
	"array": "array", "object": "object", "null": "null", "file": "string",
}

// types lists the types of a schema that JSON Schema knows.
func types(m map[string]any) []any {
	list, isList := m["type"].([]any)
	if !isList {
		list = []any{m["type"]}
	}
	var out []any
	for _, t := range list {
		name, _ := t.(string)
		if known := knownTypes[name]; known != "" && !slices.Contains(out, any(known)) {
			out = append(out, known)
		}
	}
	return out
}

// required converts "required" and "dependentRequired", without the
// properties that the direction leaves out.
func (e *emitter) required(kind kind, v any, hidden map[string]bool) (any, error) {
	if kind == isNameLists {
		lists, _ := v.(map[string]any)
		out := map[string]any{}
		for _, name := range sortedKeys(lists) {
			names, err := e.required(isNames, lists[name], hidden)
			if err != nil {
				return nil, err
			}
			if names != nil && !hidden[name] {
				out[name] = names
			}
		}
		if len(out) == 0 {
			return nil, nil
		}
		return out, nil
	}
	list, ok := v.([]any)
	if !ok {
		// Draft 3 wrote required: true into the property itself.
		if _, isFlag := v.(bool); !isFlag {
			e.note("it is not a list of names")
		}
		return nil, nil
	}
	var out []any
	for _, n := range list {
		if s, ok := n.(string); ok && !hidden[s] && !slices.Contains(out, n) {
			out = append(out, n)
			if err := e.spend(len(s) + 3); err != nil {
				return nil, err
			}
		}
	}
	if len(out) == 0 {
		return nil, nil
	}
	return out, nil
}

// literal converts data. What digests cannot hold is left out; an enum is
// left out whole, as a part of it would refuse what the document allows.
func (e *emitter) literal(kind kind, v any) (any, error) {
	if kind == isValues {
		list, ok := v.([]any)
		if !ok || len(list) == 0 {
			e.note("it is not a list of values")
			return nil, nil
		}
		v = distinct(list)
	}
	doc, err := canonical.JSON(v)
	if err != nil {
		e.note("a number in it cannot be kept exactly")
		return nil, nil //nolint:nilerr // it is noted and left out
	}
	return v, e.spend(len(doc))
}

// distinct drops repeated scalars, which JSON Schema forbids in an enum.
func distinct(list []any) []any {
	seen := map[any]bool{}
	out := make([]any, 0, len(list))
	for _, v := range list {
		switch v.(type) {
		case string, bool, json.Number, nil:
			if seen[v] {
				continue
			}
			seen[v] = true
		}
		out = append(out, v)
	}
	return out
}

// hiddenBy is at.hidden and the properties that m, or a schema it includes by
// allOf or reference, declares for the other direction only.
func (e *emitter) hiddenBy(m map[string]any, at context, depth int) map[string]bool {
	hidden := at.hidden
	properties, _ := m["properties"].(map[string]any)
	for _, name := range sortedKeys(properties) {
		if e.flagged(properties[name], at.scope) && !hidden[name] {
			hidden = with(hidden, name)
		}
	}
	members, _ := m["allOf"].([]any)
	if depth > 8 {
		return hidden
	}
	for _, member := range members {
		if target, scope := e.follow(member, at.scope); target != nil {
			hidden = e.hiddenBy(target, context{scope: scope, hidden: hidden}, depth+1)
		}
	}
	return hidden
}

func with(names map[string]bool, name string) map[string]bool {
	out := map[string]bool{name: true}
	for n := range names {
		out[n] = true
	}
	return out
}

// flagged reports whether a property, or what it refers to, is for the other
// direction only.
func (e *emitter) flagged(node any, scope map[string]any) bool {
	m, _ := node.(map[string]any)
	if m == nil {
		return false
	}
	if own, ok := m[string(e.hide)].(bool); ok {
		return own
	}
	target, _ := e.follow(node, scope)
	return target != nil && target[string(e.hide)] == true
}

// follow leads a schema's references to the schema meant, or to nil.
func (e *emitter) follow(node any, scope map[string]any) (map[string]any, map[string]any) {
	for range 8 {
		m, ok := node.(map[string]any)
		if !ok {
			return nil, nil
		}
		ref, isRef := reference(m)
		if !isRef {
			return m, scope
		}
		var err error
		if node, _, err = e.doc.resolve(ref, scope); err != nil {
			return nil, nil
		}
		scope, _ = node.(map[string]any)
	}
	return nil, nil
}

// portable writes a pattern so that ECMA-262 with the flag u and RE2 read it
// alike: needless escapes go. It is false for patterns that one of them does
// not understand.
func portable(pattern string) (string, bool) {
	if len(pattern) > 2000 {
		return "", false
	}
	var b strings.Builder
	class := false
	for i := 0; i < len(pattern); i++ {
		c := pattern[i]
		switch {
		case c == '\\' && i+1 < len(pattern):
			i++
			if n := category.FindString(pattern[i:]); n != "" {
				b.WriteString(`\` + n)
				i += len(n) - 1
				continue
			}
			kept, ok := escape(pattern[i], class)
			if !ok {
				return "", false
			}
			b.WriteString(kept)
			continue
		case c == '[' && class && strings.HasPrefix(pattern[i:], "[:"):
			return "", false
		case c == '[' && !class:
			if class = true; strings.HasPrefix(pattern[i:], "[]") || strings.HasPrefix(pattern[i:], "[^]") {
				return "", false
			}
		case c == ']' && class:
			class = false
		case c == ']':
			b.WriteByte('\\')
		case c == '(' && !class && strings.HasPrefix(pattern[i:], "(?") && !strings.HasPrefix(pattern[i:], "(?:"):
			return "", false
		case (c == '{' || c == '}') && !class && !quantifier(pattern, i):
			b.WriteByte('\\')
		}
		b.WriteByte(c)
	}
	_, err := regexp.Compile(b.String())
	return b.String(), err == nil
}

// category is a Unicode class after its backslash.
var category = regexp.MustCompile(`^[pP]\{[A-Za-z]{1,2}\}`)

// escape is "\c" as both dialects spell it.
func escape(c byte, class bool) (string, bool) {
	switch {
	case class && (c == 'b' || c == 'B'):
		return "", false
	case strings.IndexByte(`^$\.*+?()[]{}|/dDwWsSbBnrtfv`, c) >= 0:
		return "\\" + string(c), true
	case c == '-' && class:
		return `\-`, true
	case c < 0x80 && !isAlphanumeric(c):
		return string(c), true
	}
	return "", false
}

var quantifiers = regexp.MustCompile(`\{[0-9]+(,[0-9]*)?\}`)

// quantifier reports whether the brace at i belongs to a quantifier.
func quantifier(pattern string, i int) bool {
	for _, at := range quantifiers.FindAllStringIndex(pattern, -1) {
		if i == at[0] || i == at[1]-1 {
			return true
		}
	}
	return false
}
