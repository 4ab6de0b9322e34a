package upstream

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// lookalikes are characters that some server or file system maps to "/" or
// "\" although Unicode normalisation (NFKC) does not.
const lookalikes = "\u2044\u2215\u2216\u29f5\u29f8\u2571\u2572"

// pathSegment encodes one path argument so that it stays the argument of its
// segment whatever a server does with it (RFC 3986 section 3.3): values that
// decode, normalise or trim to a separator, a dot segment or nothing are
// refused, everything but unreserved characters is percent-encoded. Where an
// escaped slash is part of a value, what is between the slashes is held to the
// same, so that a server that does decode them stays below the same path. Only
// "/" itself, which is a name in some APIs, has nothing between.
func pathSegment(v string, escapedSlash bool) (string, error) {
	if !utf8.ValidString(v) {
		return "", fmt.Errorf("is not valid UTF-8")
	}
	parts := []string{v}
	if escapedSlash && v == "/" {
		return "%2F", nil
	}
	if escapedSlash {
		parts = strings.Split(v, "/")
	}
	for i, part := range parts {
		for _, s := range []string{part, norm.NFKC.String(part)} {
			if err := checkSegment(s); err != nil {
				return "", err
			}
		}
		parts[i] = percentEncode(part)
	}
	return strings.Join(parts, "%2F"), nil
}

func checkSegment(s string) error {
	if s == "" || strings.TrimFunc(s, unicode.IsSpace) != s {
		return fmt.Errorf("is empty, or begins or ends with a space")
	}
	// Some servers cut ";…" off a segment before they resolve dot segments.
	if name, _, _ := strings.Cut(s, ";"); name == "." || name == ".." {
		return fmt.Errorf("is a dot segment, which would change the path")
	}
	for _, r := range s {
		switch {
		case strings.ContainsRune(`/\%?#`, r), strings.ContainsRune(lookalikes, r):
			return fmt.Errorf("contains %q, which could leave its place in the path", r)
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r), r == '\u2028', r == '\u2029':
			return fmt.Errorf("contains the invisible character %U", r)
		}
	}
	return nil
}

func percentEncode(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; unreserved(c) {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// unreserved reports membership in RFC 3986 section 2.3.
func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0
}

// queryEscape encodes a key or value of a query or form; a space becomes %20,
// which every server reads the same way.
func queryEscape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

// scalar writes a JSON string, number or boolean as parameter text.
func scalar(v any) (string, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case json.Number:
		return v.String(), nil
	case bool:
		if v {
			return "true", nil
		}
		return "false", nil
	}
	return "", fmt.Errorf("is not a string, number or boolean")
}

// scalars writes a parameter as the texts of its values: one for a scalar,
// one for each item of an array, none for null.
func scalars(v any) ([]string, error) {
	if v == nil {
		return nil, nil
	}
	items, ok := v.([]any)
	if !ok {
		items = []any{v}
	}
	texts := make([]string, 0, len(items))
	for _, item := range items {
		t, err := scalar(item)
		if err != nil {
			return nil, err
		}
		texts = append(texts, t)
	}
	return texts, nil
}

// pairs appends key=value pairs in the given style, encoded.
func pairs(to []string, key, style string, values []string) []string {
	if len(values) == 0 {
		return to
	}
	encoded := make([]string, len(values))
	for i, v := range values {
		encoded[i] = queryEscape(v)
	}
	if style == styleComma {
		return append(to, queryEscape(key)+"="+strings.Join(encoded, ","))
	}
	for _, v := range encoded {
		to = append(to, queryEscape(key)+"="+v)
	}
	return to
}

// encodeJSON writes v with sorted keys, numbers as they are and no HTML escapes.
func encodeJSON(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("encoding JSON: %w", err)
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}

// writeJSON appends what encodeJSON writes, for decoded JSON. It does without
// reflection, which for a response is a good part of the cost of a call.
func writeJSON(to []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(to, "null"...), nil
	case bool:
		return strconv.AppendBool(to, v), nil
	case json.Number:
		return append(to, v...), nil
	case string:
		return writeString(to, v)
	case []any:
		return writeArray(to, v)
	case map[string]any:
		return writeObject(to, v)
	}
	doc, err := encodeJSON(v)
	return append(to, doc...), err
}

func writeString(to []byte, s string) ([]byte, error) {
	if plain(s) && !strings.ContainsAny(s, "\"\\") {
		to = append(to, '"')
		to = append(to, s...)
		return append(to, '"'), nil
	}
	doc, err := encodeJSON(s)
	return append(to, doc...), err
}

func writeArray(to []byte, items []any) ([]byte, error) {
	to = append(to, '[')
	var err error
	for i, item := range items {
		if i > 0 {
			to = append(to, ',')
		}
		if to, err = writeJSON(to, item); err != nil {
			return to, err
		}
	}
	return append(to, ']'), nil
}

func writeObject(to []byte, m map[string]any) ([]byte, error) {
	to = append(to, '{')
	var err error
	for i, k := range slices.Sorted(maps.Keys(m)) {
		if i > 0 {
			to = append(to, ',')
		}
		if to, err = writeString(to, k); err != nil {
			return to, err
		}
		to = append(to, ':')
		if to, err = writeJSON(to, m[k]); err != nil {
			return to, err
		}
	}
	return append(to, '}'), nil
}
