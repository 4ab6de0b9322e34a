package schema

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Cursor reads a JSON text (RFC 8259) from the front to the back, one value at
// a time, without decoding what its user skips. Its errors are *SyntaxErrors.
type Cursor struct {
	text    string
	at      int
	nesting int
}

// NewCursor returns a Cursor before the first value of text.
func NewCursor(text string) *Cursor { return &Cursor{text: text, at: skipSpace(text, 0)} }

// Offset is where the next value begins, in bytes.
func (c *Cursor) Offset() int { return c.at }

func (c *Cursor) fail(reason string) error { return &SyntaxError{c.at, reason} }

// Null reads a null if the next value is one, and reports whether it did.
func (c *Cursor) Null() bool {
	end, err := skipLiteral(c.text, c.at, "null")
	if err != nil {
		return false
	}
	c.at = end
	return true
}

// Kind is the first byte of the next value, which tells what it is: one of
// {["tfn, a digit or a minus; 0 at the end.
func (c *Cursor) Kind() byte {
	if c.at >= len(c.text) {
		return 0
	}
	return c.text[c.at]
}

// Peek returns the text of the next value without reading it.
func (c *Cursor) Peek() (string, error) {
	end, err := skipValue(c.text, c.at, c.nesting)
	if err != nil {
		return "", err
	}
	return c.text[c.at:end], nil
}

// Skip reads the next value.
func (c *Cursor) Skip() error {
	end, err := skipValue(c.text, c.at, c.nesting)
	c.at = end
	return err
}

// End reports an error unless there is nothing but white space left.
func (c *Cursor) End() error {
	if c.at = skipSpace(c.text, c.at); c.at != len(c.text) {
		return c.fail("text after the value")
	}
	return nil
}

// Text reads a scalar: the value of a string, "" for null, and otherwise what
// it is written as.
func (c *Cursor) Text() (string, error) {
	if c.at < len(c.text) && (c.text[c.at] == '{' || c.text[c.at] == '[') {
		return "", c.fail("text expected")
	}
	start := c.at
	if err := c.Skip(); err != nil {
		return "", err
	}
	switch raw := c.text[start:c.at]; {
	case raw[0] == '"':
		return unquote(raw), nil
	case raw == "null":
		return "", nil
	default:
		return raw, nil
	}
}

// Object reads an object and calls member with each key; member has to read
// the value.
func (c *Cursor) Object(member func(key string) error) error {
	return c.members('{', '}', "object expected", func() error {
		if c.at >= len(c.text) || c.text[c.at] != '"' {
			return c.fail("expected a key")
		}
		end, err := skipString(c.text, c.at)
		if err != nil {
			return err
		}
		key := unquote(c.text[c.at:end])
		if c.at = skipSpace(c.text, end); c.at >= len(c.text) || c.text[c.at] != ':' {
			return c.fail("expected a colon")
		}
		c.at = skipSpace(c.text, c.at+1)
		return member(key)
	})
}

// Array reads an array and calls item before each of its values; item has to
// read the value.
func (c *Cursor) Array(item func() error) error {
	return c.members('[', ']', "array expected", item)
}

func (c *Cursor) members(opening, closing byte, expected string, member func() error) error {
	if c.at >= len(c.text) || c.text[c.at] != opening {
		return c.fail(expected)
	}
	if c.nesting++; c.nesting > maxNesting {
		return c.fail("nested too deeply")
	}
	c.at = skipSpace(c.text, c.at+1)
	for first := true; ; first = false {
		switch {
		case c.at >= len(c.text):
			return c.fail("unexpected end")
		case first && c.text[c.at] == closing:
			c.at++
			c.nesting--
			return nil
		}
		if err := member(); err != nil {
			return err
		}
		c.at = skipSpace(c.text, c.at)
		switch {
		case c.at >= len(c.text):
			return c.fail("unexpected end")
		case c.text[c.at] == closing:
			c.at++
			c.nesting--
			return nil
		case c.text[c.at] != ',':
			return c.fail("expected a comma")
		}
		c.at = skipSpace(c.text, c.at+1)
	}
}

// unquote returns the value of a valid JSON string. It shares the text's
// memory where it can. Like encoding/json it writes U+FFFD for what is no
// character.
func unquote(quoted string) string {
	plain := quoted[1 : len(quoted)-1]
	ascii := true
	for i := range len(plain) {
		if plain[i] == '\\' {
			return unescape(plain, i)
		}
		if plain[i] >= utf8.RuneSelf {
			ascii = false
		}
	}
	if ascii || utf8.ValidString(plain) {
		return plain
	}
	return unescape(plain, 0)
}

// unescape decodes the inside of a valid JSON string whose first start bytes
// need nothing done unless they are no UTF-8.
func unescape(s string, start int) string {
	var b strings.Builder
	b.Grow(len(s))
	if !utf8.ValidString(s[:start]) {
		start = 0
	}
	b.WriteString(s[:start])
	for i := start; i < len(s); {
		switch c := s[i]; {
		case c == '\\' && s[i+1] == 'u':
			r, size := escapedRune(s[i:])
			b.WriteRune(r)
			i += size
		case c == '\\':
			b.WriteByte(escaped(s[i+1]))
			i += 2
		case c < utf8.RuneSelf:
			end := i + 1
			for end < len(s) && s[end] != '\\' && s[end] < utf8.RuneSelf {
				end++
			}
			b.WriteString(s[i:end])
			i = end
		default:
			r, size := utf8.DecodeRuneInString(s[i:])
			b.WriteRune(r)
			i += size
		}
	}
	return b.String()
}

func escaped(c byte) byte {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return c
}

// escapedRune decodes \uXXXX, or two of them that are a surrogate pair, and
// returns how many bytes that took.
func escapedRune(s string) (rune, int) {
	const size = len(`\uXXXX`)
	r := hexRune(s[2:size])
	if !utf16.IsSurrogate(r) {
		return r, size
	}
	if len(s) >= 2*size && s[size] == '\\' && s[size+1] == 'u' {
		if pair := utf16.DecodeRune(r, hexRune(s[size+2:2*size])); pair != utf8.RuneError {
			return pair, 2 * size
		}
	}
	return utf8.RuneError, size
}

func hexRune(digits string) rune {
	var r rune
	for i := range len(digits) {
		c := digits[i]
		switch {
		case isDigit(c):
			c -= '0'
		default:
			c = c | 0x20 - 'a' + 10
		}
		r = r<<4 | rune(c)
	}
	return r
}
