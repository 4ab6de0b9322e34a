package compiler

import (
	"slices"
	"strings"

	"github.com/tomallicino/caskmcp/schema"
)

// segment is one segment of a name-erased path template, as naming sees it.
type segment struct {
	text  string // "orders", "{}", "{}.csv"
	holes int    // how many parameters it has
	words []string
	// action is a custom method after a colon: "{}:publish".
	action string
}

func (s segment) literal() bool { return s.holes == 0 }

// pure reports whether the segment is a parameter and nothing else.
func (s segment) pure() bool { return s.text == "{}" }

// segments splits a template.
func segments(template string) []segment {
	var out []segment
	for text := range strings.SplitSeq(strings.Trim(template, "/"), "/") {
		if text == "" {
			continue
		}
		s := segment{text: text, holes: strings.Count(text, "{}")}
		rest := text
		if head, action, ok := strings.Cut(text, ":"); ok && !strings.Contains(action, "{}") && action != "" {
			rest, s.action = head, snake(action)
		}
		s.words = nameWords(strings.ReplaceAll(rest, "{}", " "))
		if n := len(s.words); n > 1 && s.words[n-1] == "json" {
			s.words = s.words[:n-1]
		}
		if s.holes > 0 && len(s.words) == 1 && s.words[0] == "json" {
			s.words = nil
		}
		out = append(out, s)
	}
	return out
}

// isVersion reports whether a path segment is a version of the API.
func isVersion(text string) bool {
	if schema.Classify(text) == "version" {
		return true
	}
	if strings.Trim(text, "0123456789.") == "" {
		return text != ""
	}
	rest, ok := strings.CutPrefix(strings.ToLower(text), "v")
	return ok && rest != "" && rest[0] >= '0' && rest[0] <= '9'
}

// prefixWords say that there is an API and not which.
var prefixWords = wordSet("api apis rest public json rpc web services")

// nameless reports whether a literal segment says nothing about the resource.
func (s segment) nameless() bool {
	return isVersion(s.text) || nameless(s.words)
}

// areas are literals that say for whom a part of the API is, not what it is
// about. They name something only where nothing else does.
var areas = wordSet("admin internal client frontend backend server web mobile app core common main portal console management private")

func nameless(words []string) bool {
	return len(words) == 0 || len(words) == 1 && prefixWords[words[0]]
}

// fill writes names into the holes of an erased template, in order.
func fill(template string, names []string) string {
	var b strings.Builder
	for _, name := range names {
		head, tail, _ := strings.Cut(template, "{}")
		b.WriteString(head + "{" + name + "}")
		template = tail
	}
	return b.String() + template
}

// holes returns the names in a template, in order: the inverse of fill.
func holes(path string) []string {
	var out []string
	for {
		_, rest, ok := strings.Cut(path, "{")
		if !ok {
			return out
		}
		name, tail, ok := strings.Cut(rest, "}")
		if !ok {
			return out
		}
		out, path = append(out, name), tail
	}
}

// unique appends _2, _3 … to names that occurred before.
func unique(names []string) []string {
	out := make([]string, 0, len(names))
	for _, name := range names {
		out = append(out, freeName(name, out))
	}
	return out
}

// freeName is name, or name with the lowest number that is not taken.
func freeName(name string, taken []string) string {
	candidate := name
	for n := 2; slices.Contains(taken, candidate); n++ {
		candidate = name + "_" + itoa(n)
	}
	return candidate
}
