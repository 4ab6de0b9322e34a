package capture

import (
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/tomallicino/caskmcp/schema"
)

// maxSegments is how many segments a path may have.
const maxSegments = 64

// segment is one segment of a path as it was requested.
type segment struct {
	value string // decoded
	text  string // as it stands in Key.Path
	class string // of the value the placeholder stands for; empty for a literal
	part  string // the value the placeholder stands for
}

// splitPath splits an escaped path. It returns whether there was a trailing
// slash, and false if the path is none that a capture can hold.
func splitPath(escaped string) (segments []segment, slash, ok bool) {
	escaped = strings.TrimPrefix(escaped, "/")
	if escaped == "" {
		return nil, false, true
	}
	if strings.HasSuffix(escaped, "/") {
		escaped, slash = strings.TrimSuffix(escaped, "/"), true
	}
	parts := strings.Split(escaped, "/")
	if len(parts) > maxSegments {
		return nil, slash, false
	}
	segments = make([]segment, len(parts))
	for i, part := range parts {
		value, err := url.PathUnescape(part)
		if err != nil {
			value = part
		}
		if value == "." || value == ".." {
			return nil, slash, false
		}
		segments[i] = newSegment(value)
	}
	return segments, slash, true
}

func joinPath(segments []segment, slash bool) string {
	if len(segments) == 0 {
		return "/"
	}
	var b strings.Builder
	for _, s := range segments {
		b.WriteByte('/')
		b.WriteString(s.text)
	}
	if slash {
		b.WriteByte('/')
	}
	return b.String()
}

// newSegment replaces what can only be an id, in whole or in part, and the
// values of matrix parameters (RFC 3986 section 3.3) by placeholders.
func newSegment(value string) segment {
	s := segment{value: value}
	if class, ok := onlyID(value); ok {
		s.text, s.class, s.part = "{"+class+"}", class, value
		return s
	}
	name, matrix, _ := strings.Cut(value, ";")
	s.text = s.replaceParts(name)
	if matrix != "" {
		for parameter := range strings.SplitSeq(matrix, ";") {
			key, v, found := strings.Cut(parameter, "=")
			s.text += ";" + escapeSegment(key)
			if found {
				s.class, s.part = schema.Classify(v), v
				s.text += "={" + s.class + "}"
			}
		}
	}
	return s
}

// onlyID returns the class of what cannot be a fixed part of a path.
func onlyID(value string) (string, bool) {
	if len(value) > 200 {
		return schema.ClassToken, true
	}
	switch class := schema.Classify(value); class {
	case schema.ClassUUID, schema.ClassULID, schema.ClassJWT, schema.ClassDigest, schema.ClassEmail:
		return class, true
	case schema.ClassHex:
		return class, len(value) >= 16
	case schema.ClassToken:
		// Long random text is a secret more often than not.
		return class, len(value) >= 20 && strings.ContainsAny(value, "0123456789")
	case schema.ClassInt:
		return class, len(strings.TrimPrefix(value, "-")) >= 5
	}
	return "", false
}

// replaceParts replaces the ids in a composite such as 4711.csv or a...b.
func (s *segment) replaceParts(name string) string {
	switch schema.Classify(name) {
	case schema.ClassDecimal, schema.ClassSemver, schema.ClassVersion, schema.ClassIPv4, schema.ClassIPv6, schema.ClassDateTime:
		return escapeSegment(name)
	}
	var b strings.Builder
	for len(name) > 0 {
		end := strings.IndexAny(name, ".,:()'@=~+!*&$")
		if end < 0 {
			end = len(name)
		}
		if end == 0 {
			b.WriteString(escapeSegment(name[:1]))
			name = name[1:]
			continue
		}
		if class, ok := onlyID(name[:end]); ok {
			s.class, s.part = class, name[:end]
			b.WriteString("{" + class + "}")
		} else {
			b.WriteString(escapeSegment(name[:end]))
		}
		name = name[end:]
	}
	return b.String()
}

// escapeSegment writes a decoded segment so that it can be decoded again:
// slashes, percent signs, braces, controls, "?", "#" and bytes that are no
// UTF-8 stay percent-encoded.
func escapeSegment(value string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := 0; i < len(value); {
		r, size := utf8.DecodeRuneInString(value[i:])
		plain := r > ' ' && r != 0x7f && (r != utf8.RuneError || size > 1) && !strings.ContainsRune("/%{}?#\\", r) &&
			!(r >= 0x80 && r < 0xa0) && !invisible(r)
		for _, c := range []byte(value[i : i+size]) {
			if plain {
				b.WriteByte(c)
			} else {
				b.WriteByte('%')
				b.WriteByte(hex[c>>4])
				b.WriteByte(hex[c&15])
			}
		}
		i += size
	}
	return b.String()
}

// invisible reports characters that a reader of the path would not see or
// that change what is seen: separators, zero-width and bidirectional controls.
func invisible(r rune) bool {
	return r == 0xad || r == 0x61c || r == 0xfeff || r >= 0x200b && r <= 0x200f || r >= 0x2028 && r <= 0x202e || r >= 0x2060 && r <= 0x206f || r >= 0xe0000 && r <= 0xe0fff
}
