package compiler

import (
	"net/url"
	"strings"
)

// nameWords splits a name as APIs write it (camelCase, kebab-case, snake_case,
// dots) into lower-case ASCII words. Everything else separates words, so no
// captured punctuation can reach a name.
func nameWords(s string) []string {
	if u, err := url.PathUnescape(s); err == nil {
		s = u
	}
	var out []string
	start := -1
	flush := func(end int) {
		if start >= 0 && end > start {
			out = append(out, strings.ToLower(s[start:end]))
		}
		start = -1
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case !isAlnum(c):
			flush(i)
			continue
		case start >= 0 && isUpper(c) && boundary(s, i):
			flush(i)
		}
		if start < 0 {
			start = i
		}
	}
	flush(len(s))
	return out
}

// boundary reports whether an upper-case letter begins a word: after a lower
// case letter or digit (userId, v1Pods), or as the last capital of an acronym
// (HTTPServer). A lone plural s belongs to the acronym (userIDs).
func boundary(s string, i int) bool {
	prev := s[i-1]
	if !isUpper(prev) {
		return true
	}
	if i+1 >= len(s) || !isLower(s[i+1]) {
		return false
	}
	pluralAcronym := s[i+1] == 's' && (i+2 == len(s) || !isLower(s[i+2]))
	return !pluralAcronym
}

func isAlnum(c byte) bool { return isLower(c) || isUpper(c) || c >= '0' && c <= '9' }
func isLower(c byte) bool { return c >= 'a' && c <= 'z' }
func isUpper(c byte) bool { return c >= 'A' && c <= 'Z' }

// snake joins the words of s with underscores.
func snake(s string) string { return strings.Join(nameWords(s), "_") }

// singularLast is the words with the last one, apart from a version, in the
// singular.
func singularLast(ws []string) []string {
	if len(ws) == 0 {
		return nil
	}
	out := append([]string(nil), ws...)
	last := len(out) - 1
	if last > 0 && isVersion(out[last]) { // projects v2
		last--
	}
	out[last] = singular(out[last])
	return out
}

// wordSet is a set of words, written as one string.
func wordSet(list string) map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(list) {
		set[w] = true
	}
	return set
}
