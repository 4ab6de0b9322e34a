package plan

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// reasons collects why a change matters. Every captured string goes through
// quote, so that a reason's text is one printable line.
type reasons struct {
	list  []Reason
	count int // of calls to add, repetitions too
}

func (r *reasons) add(code string, class Class, format string, args ...any) {
	r.count++
	x := Reason{Code: code, Class: class, Text: fmt.Sprintf(format, args...)}
	if !slices.Contains(r.list, x) {
		r.list = append(r.list, x)
	}
}

func (r *reasons) block(code, format string, args ...any)  { r.add(code, Block, format, args...) }
func (r *reasons) review(code, format string, args ...any) { r.add(code, Review, format, args...) }

// sorted returns the reasons, the most severe first.
func (r *reasons) sorted() []Reason {
	slices.SortStableFunc(r.list, func(x, y Reason) int {
		return cmp.Or(
			cmp.Compare(severity(x.Class), severity(y.Class)),
			cmp.Compare(rank(x.Code), rank(y.Code)),
			strings.Compare(x.Code, y.Code),
			strings.Compare(x.Text, y.Text))
	})
	if r.list == nil {
		return []Reason{}
	}
	return r.list
}

func severity(c Class) int { return slices.Index([]Class{Block, Review, Info}, c) }

// rule explains the fields under a JSON Pointer. Once says that one
// call explains all of them together.
type rule struct {
	prefix  string
	once    bool
	explain func(f Field)
}

// explainFields gives each field to the first rule whose prefix covers it, and
// gives a field that no rule had a reason for the generic one: a change nobody
// can explain is the one to look at.
func (r *reasons) explainFields(fields []Field, rules []rule) {
	explained := map[string]bool{} // by prefix, for rules that run once
	for _, f := range fields {
		i := slices.IndexFunc(rules, func(x rule) bool { return f.Path == x.prefix || strings.HasPrefix(f.Path, x.prefix+"/") })
		if i >= 0 {
			x := rules[i]
			ok, ran := explained[x.prefix]
			if !x.once || !ran {
				n := r.count
				x.explain(f)
				ok = r.count > n
				explained[x.prefix] = ok
			}
			if ok {
				continue
			}
		}
		r.block("definition.changed", "%s changed from %s to %s", quote(f.Path), value(f.Before), value(f.After))
	}
}

// maxQuoted is how many characters of one captured value a reason repeats; the
// whole value is in the change's fields.
const maxQuoted = 120

// quote writes s as a Go string literal, which shows every control, format and
// bidirectional character as an escape, and shortens it.
func quote(s string) string {
	if utf8.RuneCountInString(s) > maxQuoted {
		return strconv.Quote(string([]rune(s)[:maxQuoted])) + "…"
	}
	return strconv.Quote(s)
}

// quoteAll quotes each of names and joins them, at most ten.
func quoteAll(names []string) string {
	const most = 10
	var out []string
	for i, n := range names {
		if i == most {
			out = append(out, fmt.Sprintf("and %d more", len(names)-most))
			break
		}
		out = append(out, quote(n))
	}
	return strings.Join(out, ", ")
}

// value writes a JSON value for a sentence: strings quoted, other values as
// JSON, both shortened and printable; "none" where there is no value.
func value(doc json.RawMessage) string {
	if len(doc) == 0 {
		return "none"
	}
	var s string
	if json.Unmarshal(doc, &s) == nil {
		return quote(s)
	}
	q := strconv.Quote(string(doc))
	q = strings.ReplaceAll(q[1:len(q)-1], `\"`, `"`)
	if r := []rune(q); len(r) > maxQuoted {
		return string(r[:maxQuoted]) + "…"
	}
	return q
}

// orNone quotes s, and says "none" for an empty one.
func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return quote(s)
}

// gained returns the elements of after that before has not, in after's order.
func gained(before, after []string) []string {
	var out []string
	for _, s := range after {
		if !slices.Contains(before, s) {
			out = append(out, s)
		}
	}
	return out
}
