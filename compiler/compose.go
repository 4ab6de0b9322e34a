package compiler

import (
	"sort"
	"strings"
)

// composed are the values of one parameter, or of several in one segment.
type composed struct {
	segment string // "{}", "{}.csv", "{}...{}", "@{}"
	values  []string
}

// compose finds the literal text that all values of a place have in common:
// an extension, a custom method behind a colon, an OData key predicate.
func compose(params []string) []composed {
	if len(params) == 0 {
		return nil
	}
	groups := map[string][]string{}
	if all(params, func(v string) bool { return handle(v) }) {
		groups["@{}"] = params
	} else {
		tails := map[string]bool{}
		for _, v := range params {
			if _, tail, ok := cutLast(v, ":"); ok {
				tails[tail] = true
			}
		}
		for _, v := range params {
			s := pattern1(v, len(tails))
			groups[s] = append(groups[s], v)
		}
		dissolveExtensions(groups)
	}
	out := make([]composed, 0, len(groups))
	for s, v := range groups {
		sort.Strings(v)
		out = append(out, composed{s, v})
	}
	sort.Slice(out, func(i, j int) bool { return out[i].segment < out[j].segment })
	return out
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

// pattern1 is the pattern that one value suggests; tails is the number of
// different texts behind a colon among all of them.
func pattern1(v string, tails int) string {
	if erased := eraseSegment(v); erased != v && erased != "{}" {
		return erased
	}
	if i := strings.IndexByte(v, '('); i > 0 && strings.HasSuffix(v, ")") && letters(v[:i]) {
		if strings.HasPrefix(v[i+1:], "'") && strings.HasSuffix(v, "')") {
			return v[:i] + "('{}')"
		}
		return v[:i] + "({})"
	}
	if head, tail, ok := cutLast(v, ":"); ok && !strings.HasPrefix(v, "arn:") && !strings.HasPrefix(v, "urn:") && !isIP(v) && !isDigest(v) {
		switch {
		case letters(tail) && lower(tail[0]) && (tails == 1 || routeWord(tail) < -1.5):
			return "{}:" + tail
		case tails > 1 && !strings.Contains(head, ":"):
			return "{}:{}"
		}
	}
	if strings.Contains(v, "...") && !strings.HasPrefix(v, "...") && !strings.HasSuffix(v, "...") {
		return "{}...{}"
	}
	if _, ext, ok := cutLast(v, "."); ok && extensions[strings.ToLower(ext)] {
		return "{}." + ext
	}
	return "{}"
}

func lower(c byte) bool { return c >= 'a' && c <= 'z' }

func letters(s string) bool { return s != "" && count(s).lowers+count(s).uppers == len(s) }

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
	for _, v := range plain {
		dotted = dotted || strings.Contains(v, ".")
	}
	for _, s := range exts {
		if len(exts) > 2 || some && (len(groups[s]) < 2 || dotted) {
			groups["{}"] = append(groups["{}"], groups[s]...)
			delete(groups, s)
		}
	}
}
