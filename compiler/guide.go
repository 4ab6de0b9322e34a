package compiler

import "strings"

// hint is one line of toolpack.yaml's hints: "/post/{id}" makes the segment a
// parameter, "/post/^new" keeps it literal. It holds for every path that
// starts so. A {} without a name before the end is only the way there.
type hint []hintSegment

type hintSegment struct {
	text string // names erased
	keep bool   // "^": this segment is a literal
	pass bool   // a parameter if something else says so
}

// parseHints reads the hints; empty ones are ignored.
func parseHints(lines []string) []hint {
	var out []hint
	for _, line := range lines {
		var h hint
		segments := split(strings.TrimSpace(line))
		for i, s := range segments {
			t, keep := strings.CutPrefix(s, "^")
			h = append(h, hintSegment{text: eraseSegment(t), keep: keep, pass: strings.Contains(t, "{}") && i < len(segments)-1})
		}
		if len(h) > 0 {
			out = append(out, h)
		}
	}
	return out
}

// overruled says whether a hint that ends in a parameter is about a segment
// that a template has as a literal, and no hint keeps it.
func overruled(template string, rules []hint) bool {
	segments := split(template)
	forced, kept := map[int]bool{}, map[int]bool{}
	for _, h := range rules {
		last := len(h) - 1
		if last >= len(segments) || isPlaceholder(segments[last]) || !h.startsLike(segments[:last]) {
			continue
		}
		_, fits := capturePattern(h[last].text, segments[last])
		switch {
		case h[last].keep:
			kept[last] = kept[last] || h[last].text == segments[last]
		case fits && isPlaceholder(h[last].text):
			forced[last] = true
		}
	}
	for i := range forced {
		if !kept[i] {
			return true
		}
	}
	return false
}

// startsLike compares the beginning of a hint with that of a template.
func (h hint) startsLike(segments []string) bool {
	for i, s := range segments {
		if h[i].text != s {
			return false
		}
	}
	return true
}

// eraseSegment replaces every {name} of a segment by {}.
func eraseSegment(s string) string {
	if !isPlaceholder(s) {
		return s
	}
	var b strings.Builder
	for {
		i := strings.IndexByte(s, '{')
		if i < 0 {
			break
		}
		j := strings.IndexByte(s[i:], '}')
		if j < 0 {
			break
		}
		b.WriteString(s[:i] + "{}")
		s = s[i+j+1:]
	}
	return b.String() + s
}

// guide is what hints and known templates say about the segments that follow
// a path.
type guide struct {
	literals map[string]*guide
	patterns map[string]*guide
	// kept and forced are the literals and patterns that a hint names.
	kept, forced map[string]bool
}

func (g *guide) know(segments []string) {
	for _, s := range segments {
		g = g.step(s)
	}
}

func (g *guide) hint(h hint) {
	for _, s := range h {
		switch {
		case s.keep:
			g.kept = mark(g.kept, s.text)
		case isPlaceholder(s.text) && !s.pass:
			g.forced = mark(g.forced, s.text)
		}
		g = g.step(s.text)
	}
}

func mark(m map[string]bool, k string) map[string]bool {
	if m == nil {
		m = map[string]bool{}
	}
	m[k] = true
	return m
}

func (g *guide) step(segment string) *guide {
	m := &g.literals
	if isPlaceholder(segment) {
		m = &g.patterns
	}
	next := (*m)[segment]
	if next == nil {
		next = &guide{}
		if *m == nil {
			*m = map[string]*guide{}
		}
		(*m)[segment] = next
	}
	return next
}

// literal and parameter follow a decision; nil says nothing.
func (g *guide) literal(segment string) *guide {
	if g == nil {
		return nil
	}
	return g.literals[segment]
}

func (g *guide) parameter(segment string) *guide {
	if g == nil {
		return nil
	}
	return g.patterns[segment]
}

// rule says what the guide knows of a value: the kind of evidence, and
// whether it is a parameter.
func (g *guide) rule(value string) (kind string, parameter, ok bool) {
	switch {
	case g == nil:
		return "", false, false
	case g.kept[value]:
		return "hint", false, true
	}
	for p := range g.forced {
		if _, fits := capturePattern(p, value); fits {
			return "hint", true, true
		}
	}
	if g.literals[value] != nil {
		return "known", false, true
	}
	for p := range g.patterns {
		if _, fits := capturePattern(p, value); fits {
			return "known", true, true
		}
	}
	return "", false, false
}
