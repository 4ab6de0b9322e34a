package plan

import (
	"bytes"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// fieldsOf lists where two canonical JSON objects differ, sorted by path. It
// knows nothing of what they mean, so no field can be left out. Objects are
// compared key by key, and so are arrays of as many objects; other arrays are
// one value.
func fieldsOf(before, after json.RawMessage) ([]Field, error) {
	var b, a map[string]json.RawMessage
	if err := json.Unmarshal(before, &b); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(after, &a); err != nil {
		return nil, err
	}
	old, now := map[string]any{}, map[string]any{}
	for _, side := range []struct {
		from, other map[string]json.RawMessage
		to          map[string]any
	}{{b, a, old}, {a, b, now}} {
		for k, doc := range side.from {
			if bytes.Equal(doc, side.other[k]) {
				continue // canonical: equal values are equal bytes
			}
			v, err := decode(doc)
			if err != nil {
				return nil, err
			}
			side.to[k] = v
		}
	}
	w := &fieldWalk{fields: []Field{}}
	w.objects("", old, now)
	slices.SortStableFunc(w.fields, func(x, y Field) int { return strings.Compare(x.Path, y.Path) })
	return w.fields, w.err
}

// decode reads one JSON document, numbers as they are written.
func decode(doc json.RawMessage) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(doc))
	dec.UseNumber()
	var v any
	err := dec.Decode(&v)
	return v, err
}

type fieldWalk struct {
	fields []Field
	err    error
}

func (w *fieldWalk) values(path string, before, after any) {
	switch b := before.(type) {
	case map[string]any:
		if a, ok := after.(map[string]any); ok {
			w.objects(path, b, a)
			return
		}
	case []any:
		if a, ok := after.([]any); ok && len(a) == len(b) && allObjects(a) && allObjects(b) {
			for i := range a {
				w.values(path+"/"+strconv.Itoa(i), b[i], a[i])
			}
			return
		}
	}
	if !reflect.DeepEqual(before, after) {
		w.fields = append(w.fields, Field{Path: path, Before: w.encode(before), After: w.encode(after)})
	}
}

func (w *fieldWalk) objects(path string, before, after map[string]any) {
	for _, k := range slices.Sorted(maps.Keys(before)) {
		at := path + "/" + escapePointer(k)
		if v, ok := after[k]; ok {
			w.values(at, before[k], v)
		} else {
			w.fields = append(w.fields, Field{Path: at, Before: w.encode(before[k])})
		}
	}
	for _, k := range slices.Sorted(maps.Keys(after)) {
		if _, ok := before[k]; !ok {
			w.fields = append(w.fields, Field{Path: path + "/" + escapePointer(k), After: w.encode(after[k])})
		}
	}
}

func (w *fieldWalk) encode(v any) json.RawMessage {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		w.err = err
		return nil
	}
	return json.RawMessage(bytes.TrimSuffix(buf.Bytes(), []byte("\n")))
}

func allObjects(list []any) bool {
	return !slices.ContainsFunc(list, func(v any) bool { _, ok := v.(map[string]any); return !ok })
}

var (
	pointerEscaper   = strings.NewReplacer("~", "~0", "/", "~1")
	pointerUnescaper = strings.NewReplacer("~1", "/", "~0", "~")
)

func escapePointer(token string) string { return pointerEscaper.Replace(token) }

// splitPointer returns the reference tokens of an RFC 6901 JSON Pointer.
func splitPointer(path string) []string {
	if path == "" {
		return nil
	}
	tokens := strings.Split(path[1:], "/")
	for i, t := range tokens {
		tokens[i] = pointerUnescaper.Replace(t)
	}
	return tokens
}
