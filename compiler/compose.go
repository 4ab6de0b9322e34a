package compiler

import (
	"slices"
	"sort"
	"strings"
)

// composed are the nodes of one parameter, or of several in one segment.
type composed struct {
	segment string // "{}", "{}.csv", "{}...{}", "@{}"
	nodes   []*node
}

// compose finds the literal text that the values of a place have in common:
// an extension, a custom method behind a colon, an OData key predicate. What
// ends at a value and what goes on below it is composed apart, because only
// the former has extensions: /posts/7.json, /posts/7/likes.json.
func compose(n *node, params []string) []composed {
	var leaves, inner []string
	for _, v := range params {
		if len(n.kids[v].ends) > 0 {
			leaves = append(leaves, v)
		}
		if len(n.kids[v].kids) > 0 {
			inner = append(inner, v)
		}
	}
	groups := map[string][]*node{}
	for segment, values := range patterns(leaves, n.namesWhole) {
		for _, v := range values {
			k := n.kids[v]
			groups[segment] = append(groups[segment], &node{segment: v, ends: k.ends, ops: k.ops, hits: k.hits, seen: k.seen})
		}
	}
	for segment, values := range patterns(inner, n.namesWhole) {
		for _, v := range values {
			k := n.kids[v]
			groups[segment] = append(groups[segment], &node{segment: v, kids: k.kids, hits: k.hits, seen: k.seen})
		}
	}
	out := make([]composed, 0, len(groups))
	for s, nodes := range groups {
		out = append(out, composed{s, nodes})
	}
	sort.Slice(out, func(i, j int) bool { return out[i].segment < out[j].segment })
	return out
}

// namesWhole says whether responses held all of a segment, with its extension:
// then the extension belongs to the name.
func (n *node) namesWhole(segment string) bool {
	seen := n.kids[segment].seen
	return seen.own+seen.above > 0 || seen.id
}

// patterns groups values by the pattern that they have in common; whole says
// which are not to be taken apart at an extension.
func patterns(values []string, whole func(string) bool) map[string][]string {
	groups := map[string][]string{}
	if len(values) == 0 {
		return groups
	}
	if all(values, handle) {
		groups["@{}"] = values
		return groups
	}
	c := colons{map[string]bool{}, map[string]int{}}
	for _, v := range values {
		if head, tail, ok := cutLast(v, ":"); ok {
			c.add(head, tail)
		}
	}
	for _, v := range values {
		s := patternOf(v, c)
		if strings.HasPrefix(s, "{}.") && whole(v) {
			s = "{}"
		}
		groups[s] = append(groups[s], v)
	}
	dissolveExtensions(groups)
	return groups
}

func all(values []string, f func(string) bool) bool {
	for _, v := range values {
		if !f(v) {
			return false
		}
	}
	return true
}

// handle recognises @name; a scoped package @scope/name is none.
func handle(v string) bool {
	return len(v) > 1 && v[0] == '@' && !strings.Contains(text(v), "/")
}

func cutLast(s, sep string) (before, after string, ok bool) {
	if i := strings.LastIndex(s, sep); i > 0 && i < len(s)-len(sep) {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// formats are the extensions that choose a representation. Others are part of
// a file's name.
var formats = set("json xml csv tsv html txt pdf png jpg jpeg gif svg webp zip gz tgz tar ics rss atom diff patch xlsx yaml yml")

// colons are the texts before the last colon of the values of a place, and
// the counts of those behind it.
type colons struct {
	heads map[string]bool
	tails map[string]int
}

// add counts a value; a placeholder stands for at least two.
func (c colons) add(head, tail string) {
	c.heads[head] = true
	c.tails[tail]++
	if isPlaceholder(head) {
		c.heads["{}"] = true
		c.tails[tail]++
	}
	if isPlaceholder(tail) {
		c.tails["{}"]++
	}
}

// patternOf is the pattern that one value among others suggests.
func patternOf(v string, c colons) string {
	if strings.Contains(v, ";") && isPlaceholder(v) { // matrix parameters
		return eraseSegment(v)
	}
	if i := strings.IndexByte(v, '('); i > 0 && strings.HasSuffix(v, ")") && letters(v[:i]) {
		switch key := v[i+1 : len(v)-1]; {
		case len(key) > 2 && key[0] == '\'' && key[len(key)-1] == '\'':
			return v[:i] + "('{}')"
		case key != "":
			return v[:i] + "({})"
		}
		return "{}"
	}
	if head, tail, ok := cutLast(v, ":"); ok && !strings.HasPrefix(v, "arn:") && !strings.HasPrefix(v, "urn:") && !isIP(v) && !isDigest(v) && !isDate(v) {
		switch {
		case wordParts(head) == nil && !isPlaceholder(head):
			return "{}"
		case len(c.heads) == 1 && len(c.tails) > 1:
			return head + ":{}"
		case action(tail) && (c.tails[tail] > 1 || len(c.tails) == 1):
			return "{}:" + tail
		case len(c.tails) > 1 && !strings.Contains(head, ":"):
			return "{}:{}"
		}
	}
	if strings.Contains(v, "...") && !strings.HasPrefix(v, "...") && !strings.HasSuffix(v, "...") {
		return "{}...{}"
	}
	if _, ext, ok := cutLast(v, "."); ok && formats[ext] {
		return "{}." + ext
	}
	return "{}"
}

func lower(c byte) bool { return c >= 'a' && c <= 'z' }

func letters(s string) bool { return s != "" && count(s).lowers+count(s).uppers == len(s) }

// ofID says whether the stem of a value with an extension is certainly an id: then
// the extension chooses a representation of it.
func ofID(value string) bool {
	stem, _, _ := cutLast(value, ".")
	return !formOf(stem).weak()
}

// dissolveExtensions takes extensions for a part of the values where they
// vary.
func dissolveExtensions(groups map[string][]string) {
	var exts []string
	for s := range groups {
		if strings.HasPrefix(s, "{}.") && strings.Count(s, "{}") == 1 {
			exts = append(exts, s)
		}
	}
	plain, some := groups["{}"]
	dotted := false
	sealed := func(s string) bool { return slices.ContainsFunc(groups[s], isPlaceholder) }
	for _, v := range plain {
		dotted = dotted || strings.Contains(v, ".")
	}
	for _, s := range exts {
		if len(exts) > 2 || some && (len(groups[s]) < 2 && !sealed(s) && !ofID(groups[s][0]) || dotted) {
			groups["{}"] = append(groups["{}"], groups[s]...)
			delete(groups, s)
		}
	}
}
