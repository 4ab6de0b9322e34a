package compiler

import (
	"strings"
)

// Template is a path template of one origin and method, with its parameters'
// names erased: "/users/{}/reports/{}.csv". Empty fields and port 0 stand for
// any.
type Template struct {
	Method, Scheme, Host string
	Port                 int
	Path                 string
}

// at says whether the template may hold for requests to o.
func (t Template) at(o origin) bool {
	return (t.Scheme == "" || t.Scheme == o.scheme) && (t.Host == "" || t.Host == o.host) && (t.Port == 0 || t.Port == o.port)
}

// router finds the template of a path: most literal first, compared from
// left to right, and a partial parameter before a whole one.
type router struct{ root branch }

type branch struct {
	literals map[string]*branch
	patterns []*pattern // sorted by segment; the whole parameter "{}" is last
	methods  map[string]string
}

type pattern struct {
	segment string
	next    *branch
}

func (r *router) add(method, path string) {
	at := &r.root
	for _, s := range split(path) {
		at = at.grow(s)
	}
	if at.methods == nil {
		at.methods = map[string]string{}
	}
	at.methods[method] = path
}

func (r *branch) grow(segment string) *branch {
	if !isPlaceholder(segment) {
		next := r.literals[segment]
		if next == nil {
			next = &branch{}
			if r.literals == nil {
				r.literals = map[string]*branch{}
			}
			r.literals[segment] = next
		}
		return next
	}
	i := 0
	for ; i < len(r.patterns); i++ {
		if r.patterns[i].segment == segment {
			return r.patterns[i].next
		}
		if narrower(segment, r.patterns[i].segment) {
			break
		}
	}
	p := &pattern{segment, &branch{}}
	r.patterns = append(r.patterns[:i], append([]*pattern{p}, r.patterns[i:]...)...)
	return p.next
}

// narrower orders patterns: more literal text first, then by text.
func narrower(a, b string) bool {
	la, lb := len(a)-2*strings.Count(a, "{}"), len(b)-2*strings.Count(b, "{}")
	return la > lb || la == lb && a < b
}

// match returns the template of a path, or "".
func (r *router) match(method, path string) string {
	return r.root.match(method, split(path))
}

func (r *branch) match(method string, segments []string) string {
	if len(segments) == 0 {
		if t, ok := r.methods[method]; ok {
			return t
		}
		return r.methods[""]
	}
	if next := r.literals[segments[0]]; next != nil {
		if t := next.match(method, segments[1:]); t != "" {
			return t
		}
	}
	for _, p := range r.patterns {
		if _, ok := capturePattern(p.segment, segments[0]); !ok {
			continue
		}
		if t := p.next.match(method, segments[1:]); t != "" {
			return t
		}
	}
	return ""
}

// capturePattern matches a segment with a pattern such as "{}...{}.csv" and
// returns what each {} stands for, never the empty string. The last {} of
// equal choices takes as little as it can.
func capturePattern(pat, segment string) ([]string, bool) {
	parts := strings.Split(pat, "{}")
	if !strings.HasPrefix(segment, parts[0]) {
		return nil, false
	}
	rest := segment[len(parts[0]):]
	values := make([]string, 0, len(parts)-1)
	for i, sep := range parts[1:] {
		if i == len(parts)-2 { // the last parameter ends where the pattern's tail starts
			if len(rest) <= len(sep) || !strings.HasSuffix(rest, sep) {
				return nil, false
			}
			return append(values, rest[:len(rest)-len(sep)]), true
		}
		j := 0
		if sep != "" {
			j = strings.Index(rest[min(1, len(rest)):], sep)
		}
		if j < 0 || rest == "" {
			return nil, false
		}
		values = append(values, rest[:j+1])
		rest = rest[j+1+len(sep):]
	}
	return values, len(parts) == 1 && rest == ""
}
