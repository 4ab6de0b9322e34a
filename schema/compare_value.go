package schema

import (
	"bytes"
	"cmp"
	"encoding/json"
	"math/big"
	"slices"
	"strings"
)

func get(m map[string]any, k string) any {
	if v, ok := m[k]; ok {
		return v
	}
	return absent{}
}

func isAbsent(v any) bool { _, ok := v.(absent); return ok }

// dictionaryOf reads an object; an absent one is empty.
func dictionaryOf(v any) (map[string]any, bool) {
	if isAbsent(v) {
		return nil, true
	}
	m, ok := v.(map[string]any)
	return m, ok
}

// stringList reads an array of strings; an absent one is empty.
func stringList(v any) ([]string, bool) {
	if isAbsent(v) {
		return nil, true
	}
	list, ok := v.([]any)
	if !ok {
		return nil, false
	}
	out := make([]string, 0, len(list))
	for _, x := range list {
		s, ok := x.(string)
		if !ok {
			return nil, false
		}
		out = append(out, s)
	}
	return out, true
}

// subset reports whether every element of xs is in ys. Strings, which long
// enums are made of, are looked up; other values are compared one by one.
func subset(xs, ys []any) bool {
	words := map[string]bool{}
	for _, y := range ys {
		if s, ok := y.(string); ok {
			words[s] = true
		}
	}
	return !slices.ContainsFunc(xs, func(x any) bool {
		if s, ok := x.(string); ok {
			return !words[s]
		}
		return !slices.ContainsFunc(ys, func(y any) bool { return sameJSON(x, y) })
	})
}

// sameJSON reports whether two decoded documents are the same JSON value:
// numbers by value, so that 1 and 1.0 are one.
func sameJSON(x, y any) bool {
	switch x := x.(type) {
	case map[string]any:
		y, ok := y.(map[string]any)
		if !ok || len(x) != len(y) {
			return false
		}
		for k, v := range x {
			w, ok := y[k]
			if !ok || !sameJSON(v, w) {
				return false
			}
		}
		return true
	case []any:
		y, ok := y.([]any)
		return ok && slices.EqualFunc(x, y, sameJSON)
	case json.Number:
		y, ok := y.(json.Number)
		if !ok {
			return false
		}
		order, comparable := compareNumbers(x, y)
		return x == y || comparable && order == 0
	default:
		switch y.(type) {
		case map[string]any, []any:
			return false
		}
		return x == y
	}
}

// compareNumbers orders two JSON numbers. Whole numbers are compared exactly,
// others as IEEE 754 doubles, which is what RFC 8785 makes of them.
func compareNumbers(x, y json.Number) (int, bool) {
	i, okI := integer(x)
	j, okJ := integer(y)
	if okI && okJ {
		return i.Cmp(j), true
	}
	f, errF := x.Float64()
	g, errG := y.Float64()
	return cmp.Compare(f, g), errF == nil && errG == nil
}

// integer reads a whole number written without fraction or exponent.
func integer(v any) (*big.Int, bool) {
	n, ok := v.(json.Number)
	if !ok || strings.ContainsAny(string(n), ".eE") {
		return nil, false
	}
	return new(big.Int).SetString(string(n), 10)
}

func encodeValue(v any) json.RawMessage {
	if isAbsent(v) {
		return nil
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil // v was decoded from JSON: it always encodes
	}
	return json.RawMessage(bytes.TrimSuffix(buf.Bytes(), []byte("\n")))
}

var pointerEscaper = strings.NewReplacer("~", "~0", "/", "~1")

// pointer appends a reference token to an RFC 6901 JSON Pointer.
func pointer(path, token string) string { return path + "/" + pointerEscaper.Replace(token) }
