package schema

import "fmt"

// maxNesting is how deep ObserveJSON follows a text; encoding/json's own
// limit is 10000.
const maxNesting = 1000

// A SyntaxError says where a text stops being JSON.
type SyntaxError struct {
	Offset int // in bytes
	Reason string
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("%s at byte %d", e.Reason, e.Offset) }

// ObserveJSON adds the JSON value that text spells (RFC 8259), like Observe
// but without building it. A key that an object repeats is counted each time.
// Visit, if not nil, gets every string and number of the value with the key
// it was found under, the key of the array for an item; it must not keep
// either. It returns a *SyntaxError, and leaves s as it was, if text is not
// exactly one value.
func (s *Shape) ObserveJSON(text string, visit func(key, value string)) error {
	start := skipSpace(text, 0)
	end, err := skipValue(text, start, 0)
	if err != nil {
		return err
	}
	if rest := skipSpace(text, end); rest != len(text) {
		return &SyntaxError{rest, "text after the value"}
	}
	w := walker{text: text, visit: visit}
	w.value(s, "", start, 0)
	return nil
}

// walker reads a text that skipValue has found to be valid.
type walker struct {
	text  string
	visit func(key, value string)
}

// value adds the value at i to s and returns where it ends.
func (w *walker) value(s *Shape, key string, i, depth int) int {
	if depth > MaxDepth {
		s.Deep++
		end, _ := skipValue(w.text, i, 0)
		return end
	}
	switch w.text[i] {
	case '{':
		return w.object(s, key, i, depth)
	case '[':
		return w.array(s, key, i, depth)
	case '"':
		end, _ := skipString(w.text, i)
		v := unquote(w.text[i:end])
		s.text(v)
		w.found(key, v)
		return end
	case 't':
		s.Booleans++
		return i + len("true")
	case 'f':
		s.Booleans++
		return i + len("false")
	case 'n':
		s.Nulls++
		return i + len("null")
	default:
		end, _ := scanNumber(w.text, i)
		s.number(w.text[i:end])
		w.found(key, w.text[i:end])
		return end
	}
}

func (w *walker) found(key, value string) {
	if w.visit != nil {
		w.visit(key, value)
	}
}

func (w *walker) object(s *Shape, own string, i, depth int) int {
	o := s.objects()
	o.Count++
	named := false
	i = skipSpace(w.text, i+1)
	for w.text[i] != '}' {
		end, _ := skipString(w.text, i)
		key := unquote(w.text[i:end])
		i = skipSpace(w.text, end) // colon
		i = skipSpace(w.text, i+1) // value
		if own != "" && w.text[i] == '"' && identifying[key] && !named {
			end, _ := skipString(w.text, i)
			if named = unquote(w.text[i:end]) == own; named {
				o.Named++
			}
		}
		i = w.value(o.at(key), key, i, depth+1)
		i = skipSpace(w.text, i)
		if w.text[i] == ',' {
			i = skipSpace(w.text, i+1)
		}
	}
	o.bound()
	return i + 1
}

func (w *walker) array(s *Shape, key string, i, depth int) int {
	a := s.arrays()
	a.Count++
	i = skipSpace(w.text, i+1)
	if w.text[i] == ']' {
		a.Empty++
	}
	for w.text[i] != ']' {
		i = w.value(a.items(), key, i, depth+1)
		i = skipSpace(w.text, i)
		if w.text[i] == ',' {
			i = skipSpace(w.text, i+1)
		}
	}
	return i + 1
}

func skipSpace(t string, i int) int {
	for i < len(t) && (t[i] == ' ' || t[i] == '\n' || t[i] == '\t' || t[i] == '\r') {
		i++
	}
	return i
}

// skipValue returns where the value at i ends.
func skipValue(t string, i, nesting int) (int, error) {
	if i >= len(t) {
		return i, &SyntaxError{i, "unexpected end"}
	}
	switch c := t[i]; {
	case c == '{' || c == '[':
		if nesting == maxNesting {
			return i, &SyntaxError{i, "nested too deeply"}
		}
		return skipMembers(t, i, nesting)
	case c == '"':
		return skipString(t, i)
	case c == 't':
		return skipLiteral(t, i, "true")
	case c == 'f':
		return skipLiteral(t, i, "false")
	case c == 'n':
		return skipLiteral(t, i, "null")
	default:
		end, ok := scanNumber(t, i)
		if !ok {
			return end, &SyntaxError{end, "unexpected character"}
		}
		return end, nil
	}
}

// skipMembers returns where the object or array at i ends.
func skipMembers(t string, i, nesting int) (int, error) {
	object := t[i] == '{'
	closing := t[i] + 2 // '}' and ']' are two after '{' and '['
	if i = skipSpace(t, i+1); i < len(t) && t[i] == closing {
		return i + 1, nil
	}
	for {
		var err error
		if object {
			if i >= len(t) || t[i] != '"' {
				return i, &SyntaxError{i, "expected a key"}
			}
			if i, err = skipString(t, i); err != nil {
				return i, err
			}
			if i = skipSpace(t, i); i >= len(t) || t[i] != ':' {
				return i, &SyntaxError{i, "expected a colon"}
			}
			i = skipSpace(t, i+1)
		}
		if i, err = skipValue(t, i, nesting+1); err != nil {
			return i, err
		}
		i = skipSpace(t, i)
		switch {
		case i >= len(t):
			return i, &SyntaxError{i, "unexpected end"}
		case t[i] == closing:
			return i + 1, nil
		case t[i] != ',':
			return i, &SyntaxError{i, "expected a comma"}
		}
		i = skipSpace(t, i+1)
	}
}

func skipLiteral(t string, i int, literal string) (int, error) {
	if len(t)-i < len(literal) || t[i:i+len(literal)] != literal {
		return i, &SyntaxError{i, "unexpected character"}
	}
	return i + len(literal), nil
}

// skipString returns where the string at i ends.
func skipString(t string, i int) (int, error) {
	for j := i + 1; j < len(t); j++ {
		switch c := t[j]; {
		case c == '"':
			return j + 1, nil
		case c < ' ':
			return j, &SyntaxError{j, "control character in a string"}
		case c == '\\':
			j++
			switch {
			case j >= len(t):
			case t[j] == 'u':
				if j+5 > len(t) || !isHex(t[j+1:j+5]) {
					return j, &SyntaxError{j, "bad escape"}
				}
				j += 4
			case !isEscape(t[j]):
				return j, &SyntaxError{j, "bad escape"}
			}
		}
	}
	return len(t), &SyntaxError{len(t), "unexpected end"}
}

func isEscape(c byte) bool {
	switch c {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return true
	}
	return false
}

// scanNumber returns where the number at i ends, and whether it is one by RFC
// 8259 section 6.
func scanNumber(t string, i int) (int, bool) {
	if i < len(t) && t[i] == '-' {
		i++
	}
	switch {
	case i < len(t) && t[i] == '0':
		i++
	default:
		j := skipDigits(t, i)
		if j == i {
			return i, false
		}
		i = j
	}
	if i < len(t) && t[i] == '.' {
		j := skipDigits(t, i+1)
		if j == i+1 {
			return j, false
		}
		i = j
	}
	if i < len(t) && t[i]|0x20 == 'e' {
		i++
		if i < len(t) && (t[i] == '+' || t[i] == '-') {
			i++
		}
		j := skipDigits(t, i)
		if j == i {
			return j, false
		}
		i = j
	}
	return i, true
}

func skipDigits(t string, i int) int {
	for i < len(t) && isDigit(t[i]) {
		i++
	}
	return i
}
