package upstream

import (
	"encoding/json"
	"strings"
	"unicode"
)

// cleaner makes upstream data fit to be shown to a model: no invisible text,
// no credential values, no redacted fields.
type cleaner struct {
	secrets *secrets
	// removed counts the invisible characters taken out.
	removed int
}

// text cleans one string. Invisible characters go first, so that a value
// split by them is still found.
func (c *cleaner) text(s string) string {
	return c.secrets.hide(c.visible(s))
}

// value cleans every string and key of a decoded JSON value, in place where
// it can.
func (c *cleaner) value(v any) any {
	switch v := v.(type) {
	case string:
		return c.text(v)
	case json.Number:
		if h := c.secrets.hide(v.String()); h != v.String() {
			return h
		}
		return v
	case []any:
		for i := range v {
			v[i] = c.value(v[i])
		}
		return v
	case map[string]any:
		for k, item := range v {
			if clean := c.text(k); clean != k {
				delete(v, k)
				v[clean] = c.value(item)
				continue
			}
			switch item.(type) {
			case string, json.Number, map[string]any, []any:
				v[k] = c.value(item)
			}
		}
		return v
	}
	return v
}

// visible takes out control characters other than tab and newlines, escape
// sequences' ESC among them, bidirectional controls, zero-width characters,
// tags and variation selectors. One joiner or selector between visible
// non-ASCII characters stays: scripts and emoji are written with them.
func (c *cleaner) visible(s string) string {
	if plain(s) || strings.IndexFunc(s, invisible) < 0 && !strings.ContainsRune(s, unicode.ReplacementChar) {
		return s
	}
	var b strings.Builder
	rs := []rune(s) // invalid UTF-8 becomes U+FFFD here
	for i, r := range rs {
		if invisible(r) && (!joins(r) || i == 0 || rs[i-1] < 0x80 || invisible(rs[i-1])) {
			c.removed++
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// plain reports printable ASCII, which most text is.
func plain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' {
			return false
		}
	}
	return true
}

func invisible(r rune) bool {
	switch {
	case r == '\t' || r == '\n' || r == '\r':
		return false
	case unicode.IsControl(r), unicode.Is(unicode.Cf, r): // bidi, zero width, tags, soft hyphen
		return true
	case 0xFE00 <= r && r <= 0xFE0F, 0xE0000 <= r && r <= 0xE0FFF:
		return true
	case r == 0x034F, r == 0x115F, r == 0x1160, r == 0x17B4, r == 0x17B5, r == 0x3164, r == 0xFFA0, r == 0x2800:
		return true // blanks that carry nothing
	}
	return false
}

// joins reports the invisible characters that ordinary text needs one of.
func joins(r rune) bool {
	return r == 0x200C || r == 0x200D || (0xFE00 <= r && r <= 0xFE0F)
}

// redacted stands for the value of a redacted field.
const redacted = "[redacted]"

// redact returns v with the values under the given keys, at any depth and in
// any case, masked, or left out where omit is set. v is not changed.
func redact(v any, keys []string, omit bool) any {
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = redact(v[i], keys, omit)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, item := range v {
			switch {
			case !isRedacted(k, keys):
				out[k] = redact(item, keys, omit)
			case !omit:
				out[k] = redacted
			}
		}
		return out
	}
	return v
}

func isRedacted(key string, keys []string) bool {
	for _, k := range keys {
		if strings.EqualFold(k, key) {
			return true
		}
	}
	return false
}
