package canonical

import (
	"bytes"
	"slices"
	"unicode/utf8"
)

// sorted returns the RFC 8785 form of a document that needs nothing but its
// members sorted and its white space dropped, which is nearly every one. It
// reports false for any other, valid or not: one with other escapes than RFC
// 8785 writes, with fractions, exponents or long integers, with names that
// UTF-16 orders differently from UTF-8, or with a name twice.
func sorted(doc []byte) ([]byte, bool) {
	s := sorter{in: doc, out: make([]byte, 0, len(doc))}
	ok := s.value(0)
	s.space()
	return s.out, ok && s.at == len(s.in)
}

// sorter copies one value after the other from in to out.
type sorter struct {
	in  []byte
	at  int
	out []byte
	// members are those of the objects that are being copied.
	members []member
	scratch []byte
}

// member is where out has a member of an object: the name in its quotes, and
// all of it.
type member struct{ start, name, end int }

// sorterDepth bounds the recursion of sorter.
const sorterDepth = 500

func (s *sorter) space() {
	for s.at < len(s.in) && (s.in[s.at] == ' ' || s.in[s.at] == '\n' || s.in[s.at] == '\r' || s.in[s.at] == '\t') {
		s.at++
	}
}

// take copies the next byte if it is c.
func (s *sorter) take(c byte) bool {
	s.space()
	if s.at >= len(s.in) || s.in[s.at] != c {
		return false
	}
	s.at++
	s.out = append(s.out, c)
	return true
}

func (s *sorter) value(depth int) bool {
	s.space()
	if s.at >= len(s.in) || depth > sorterDepth {
		return false
	}
	switch c := s.in[s.at]; c {
	case '{':
		return s.object(depth)
	case '[':
		return s.array(depth)
	case '"':
		return s.text()
	case 't':
		return s.literal("true")
	case 'f':
		return s.literal("false")
	case 'n':
		return s.literal("null")
	default:
		return s.integer()
	}
}

func (s *sorter) literal(word string) bool {
	if !bytes.HasPrefix(s.in[s.at:], []byte(word)) {
		return false
	}
	s.at += len(word)
	s.out = append(s.out, word...)
	return true
}

// integer copies an integer of at most 15 digits, which every double holds.
func (s *sorter) integer() bool {
	i := s.at
	if s.in[i] == '-' {
		i++
	}
	first := i
	for i < len(s.in) && s.in[i] >= '0' && s.in[i] <= '9' {
		i++
	}
	digits := i - first
	if digits == 0 || digits > 15 || s.in[first] == '0' && (digits > 1 || first > s.at) {
		return false
	}
	if i < len(s.in) && (s.in[i] == '.' || s.in[i]|0x20 == 'e') {
		return false
	}
	s.out = append(s.out, s.in[s.at:i]...)
	s.at = i
	return true
}

// text copies a string that is spelt as RFC 8785 section 3.2.2.2 spells it.
func (s *sorter) text() bool {
	ascii := true
	for i := s.at + 1; i < len(s.in); i++ {
		switch c := s.in[i]; {
		case c == '"':
			quoted := s.in[s.at : i+1]
			s.out = append(s.out, quoted...)
			s.at = i + 1
			return ascii || utf8.Valid(quoted)
		case c == '\\':
			i++
			if i >= len(s.in) || !isShortEscape(s.in[i]) {
				return false
			}
		case c < ' ':
			return false
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	return false
}

func isShortEscape(c byte) bool {
	switch c {
	case '"', '\\', 'b', 'f', 'n', 'r', 't':
		return true
	}
	return false
}

func (s *sorter) array(depth int) bool {
	s.take('[')
	if s.take(']') {
		return true
	}
	for s.value(depth + 1) {
		if s.take(']') {
			return true
		}
		if !s.take(',') {
			return false
		}
	}
	return false
}

func (s *sorter) object(depth int) bool {
	s.take('{')
	if s.take('}') {
		return true
	}
	first, start := len(s.members), len(s.out)
	for {
		s.space()
		m := member{start: len(s.out)}
		if s.at >= len(s.in) || s.in[s.at] != '"' || !s.text() || !plainName(s.out[m.start:]) {
			return false
		}
		m.name = len(s.out)
		if !s.take(':') || !s.value(depth+1) {
			return false
		}
		m.end = len(s.out)
		s.members = append(s.members, m)
		if s.take('}') {
			break
		}
		if !s.take(',') {
			return false
		}
	}
	ok := s.order(s.members[first:], start)
	s.members = s.members[:first]
	return ok
}

// plainName reports whether a name in its quotes is ordered by its bytes as
// RFC 8785 section 3.2.3 orders it by its UTF-16 units: escapes and what comes
// after the surrogates in Unicode may not be.
func plainName(quoted []byte) bool {
	for _, c := range quoted {
		if c == '\\' || c >= 0xee {
			return false
		}
	}
	return true
}

// order sorts the members of the object that is the end of out. It reports
// false if two have one name.
func (s *sorter) order(members []member, start int) bool {
	compare := func(a, b member) int { return bytes.Compare(s.out[a.start+1:a.name-1], s.out[b.start+1:b.name-1]) }
	moved := !slices.IsSortedFunc(members, compare)
	if moved {
		slices.SortFunc(members, compare)
	}
	for i := 1; i < len(members); i++ {
		if compare(members[i-1], members[i]) == 0 {
			return false
		}
	}
	if !moved {
		return true
	}
	s.scratch = s.scratch[:0]
	for i, m := range members {
		if i > 0 {
			s.scratch = append(s.scratch, ',')
		}
		s.scratch = append(s.scratch, s.out[m.start:m.end]...)
	}
	copy(s.out[start:], s.scratch)
	return true
}
