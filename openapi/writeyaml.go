package openapi

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/tomallicino/caskmcp/schema"
)

// toYAML writes a JSON document as YAML 1.2 in block style, its keys in the
// order they are in. Text is plain where no reader could take it for anything
// else, and double-quoted otherwise: that is JSON's own notation.
func toYAML(doc []byte) ([]byte, error) {
	w := yamlWriter{Cursor: schema.NewCursor(string(doc))}
	w.out.Grow(len(doc))
	err := w.value(0, false)
	if err == nil {
		err = w.End()
	}
	if err != nil {
		return nil, fmt.Errorf("writing YAML: %w", err)
	}
	w.out.WriteByte('\n')
	return []byte(strings.TrimPrefix(w.out.String(), " ")), nil
}

// maxKey is how long a key may be that stands on one line with its value
// (YAML 1.2.2 section 8.2.2), with room for quotes and escapes.
const maxKey = 160

// yamlWriter writes one value after the other as it reads them.
type yamlWriter struct {
	*schema.Cursor
	out strings.Builder
}

// value writes the next value after "key:" or "-". Members and items begin on
// new lines at depth, but the first of an item stands beside its dash.
func (w *yamlWriter) value(depth int, item bool) error {
	kind := w.Kind()
	if kind != '{' && kind != '[' {
		w.out.WriteByte(' ')
		return w.scalar(kind)
	}
	first := true
	begin := func() {
		if first && item {
			w.out.WriteByte(' ')
		} else if depth > 0 || !first {
			w.out.WriteByte('\n')
			w.indent(depth)
		}
		first = false
	}
	var err error
	if kind == '{' {
		err = w.Object(func(key string) error {
			begin()
			w.key(key, depth)
			return w.value(depth+1, false)
		})
	} else {
		err = w.Array(func() error {
			begin()
			w.out.WriteByte('-')
			return w.value(depth+1, true)
		})
	}
	if first && kind == '{' {
		w.out.WriteString(" {}")
	} else if first {
		w.out.WriteString(" []")
	}
	return err
}

func (w *yamlWriter) indent(depth int) {
	for range depth {
		w.out.WriteString("  ")
	}
}

func (w *yamlWriter) key(key string, depth int) {
	if len(key) > maxKey {
		w.out.WriteString("? ")
	}
	w.text(key)
	if len(key) > maxKey {
		w.out.WriteByte('\n')
		w.indent(depth)
	}
	w.out.WriteByte(':')
}

func (w *yamlWriter) scalar(kind byte) error {
	raw, err := w.Peek()
	if err != nil {
		return err
	}
	if kind != '"' {
		w.out.WriteString(strings.TrimSpace(raw))
		return w.Skip()
	}
	text, err := w.Text()
	w.text(text)
	return err
}

func (w *yamlWriter) text(s string) {
	if plain(s) {
		w.out.WriteString(s)
		return
	}
	w.out.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			w.out.WriteByte('\\')
			w.out.WriteRune(r)
		case r == '\n':
			w.out.WriteString(`\n`)
		case r == '\t':
			w.out.WriteString(`\t`)
		case unicode.IsPrint(r):
			w.out.WriteRune(r)
		default:
			fmt.Fprintf(&w.out, `\U%08X`, r)
		}
	}
	w.out.WriteByte('"')
}

// notText are words that some reader takes for a boolean or null.
var notText = map[string]bool{"true": true, "false": true, "null": true, "yes": true, "no": true, "on": true, "off": true, "y": true, "n": true, "inf": true, "nan": true}

// plain reports whether s is text in every YAML reader without quotes: it
// begins with a letter, slash or dollar and holds nothing that means something.
func plain(s string) bool {
	if s == "" || len(s) > 4096 || !isLetter(s[0]) && s[0] != '/' && s[0] != '$' || s[len(s)-1] == ' ' || len(s) < 6 && notText[strings.ToLower(s)] {
		return false
	}
	for i := range len(s) {
		c := s[i]
		switch {
		case isLetter(c) || c >= '0' && c <= '9' || c == ' ':
		case strings.IndexByte("_./-{},'();=+*&!?@%$<>[]", c) >= 0:
		case c == ':' && i+1 < len(s) && s[i+1] != ' ':
		case c == '#' && s[i-1] != ' ':
		default:
			return false
		}
	}
	return true
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }
