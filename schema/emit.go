package schema

import (
	"maps"
	"slices"
	"strings"
)

const (
	// support is how many values a statement like "always there" or "always
	// whole" needs before it is put into a schema.
	support = 10
	// answers is how many objects must all have a property before a schema
	// requires it of every other.
	answers = 20
)

// Output returns a JSON Schema (2020-12) of what an API returns. It is
// lenient, because a client that validates would reject the first answer that
// a stricter schema did not foresee: additional properties are allowed,
// properties are required only at the root and if at least 20 objects all had
// them, numbers are integers only if at least 10 were whole and none was not,
// or their key says so, and the values of an enum are described, not enforced.
// The schema of a nil or empty shape is {}.
func (s *Shape) Output() map[string]any { return s.OutputOf(nil) }

// OutputOf is Output for an API that writes null where it has no value; a nil
// nullable stands for one that never does. Null is allowed under the keys that
// nullable reports, and wherever fewer than 10 values were seen.
func (s *Shape) OutputOf(nullable func(key string) bool) map[string]any {
	return emitter{output: true, nullable: nullable}.emit(s, "", true)
}

// Input returns a JSON Schema (2020-12) of what an API is sent. It differs
// from Output in that an object at the root allows no other properties.
func (s *Shape) Input() map[string]any { return s.InputAs("") }

// InputAs is Input for values that are known by a name, such as a parameter's:
// a page or an id is an integer after one whole number.
func (s *Shape) InputAs(name string) map[string]any {
	doc := emitter{}.emit(s, name, true)
	if doc["type"] == "object" && !s.Objects.Map && s.Objects.Entries == nil {
		doc["additionalProperties"] = false
	}
	return doc
}

// emitter writes shapes as schemas.
type emitter struct {
	output   bool
	nullable func(key string) bool
}

// emit writes the schema of the values under a key.
func (e emitter) emit(s *Shape, key string, root bool) map[string]any {
	doc := make(map[string]any)
	if s == nil {
		return doc
	}
	types := s.types(key)
	switch {
	case s.Deep > 0 || len(types) == 0:
		// Nothing is known of some values, so nothing may be said of all.
		return doc
	case len(types) == 1 && types[0] == "null":
		// What it is when it is not null was not seen.
		return doc
	case len(types) == 1:
		doc["type"] = types[0]
	default:
		doc["type"] = types
	}
	if s.Strings != nil {
		s.Strings.emit(doc)
	}
	if s.Arrays != nil {
		if items := e.emit(s.Arrays.Items, key, false); len(items) > 0 {
			doc["items"] = items
		}
	}
	if s.Objects != nil {
		e.object(s.Objects, doc, root)
	}
	return doc
}

// types lists the JSON Schema types of s in a fixed order, as []any. Integers
// that a double cannot hold may also come as strings.
func (s *Shape) types(key string) []any {
	var types []any
	add := func(name string, seen bool) {
		if seen {
			types = append(types, name)
		}
	}
	whole := s.Integers != nil && s.Numbers == 0 && (s.Integers.Count >= support || countsOrIdentifies(key))
	unsafe := s.Integers != nil && s.Integers.Unsafe > 0
	add("object", s.Objects != nil)
	add("array", s.Arrays != nil)
	add("string", s.Strings != nil || unsafe)
	add("integer", whole)
	add("number", !whole && (s.Integers != nil || s.Numbers > 0))
	add("boolean", s.Booleans > 0)
	add("null", s.Nulls > 0)
	return types
}

// wholeKeys are the last words of keys whose numbers are whole.
var wholeKeys = map[string]bool{
	"id": true, "ids": true, "number": true, "no": true, "count": true, "counts": true, "total": true, "index": true, "position": true, "page": true, "pages": true, "per": true,
	"limit": true, "offset": true, "skip": true, "size": true, "year": true, "month": true, "day": true, "days": true, "port": true, "version": true, "revision": true,
	"quantity": true, "qty": true, "bytes": true, "status": true, "code": true, "attempts": true, "retries": true, "replicas": true, "generation": true, "timestamp": true,
}

func countsOrIdentifies(key string) bool {
	words := Words(key)
	return len(words) > 0 && (wholeKeys[words[len(words)-1]] || words[0] == "num" || words[0] == "page" || words[0] == "per")
}

// formats maps classes to the formats of JSON Schema 2020-12 Validation
// section 7.3.
var formats = map[string]string{
	ClassUUID: "uuid", ClassEmail: "email", ClassIPv4: "ipv4", ClassIPv6: "ipv6", ClassDate: "date",
	ClassDateTime: "date-time", ClassTime: "time", ClassURI: "uri",
}

func (s *Strings) emit(doc map[string]any) {
	for _, class := range s.Classes {
		if class.N != s.Count {
			continue
		}
		if format := formats[class.Name]; format != "" {
			doc["format"] = format
		} else if class.Name == ClassJSON {
			doc["contentMediaType"] = "application/json"
		}
	}
	if s.isEnum() {
		doc["description"] = "Values seen: " + strings.Join(s.Values.names(), ", ") + "."
	}
}

func (e emitter) object(o *Objects, doc map[string]any, root bool) {
	if len(o.Properties) > 0 {
		properties := make(map[string]any, len(o.Properties))
		var required []any
		for _, name := range slices.Sorted(maps.Keys(o.Properties)) {
			p := o.Properties[name]
			doc := e.emit(p, name, false)
			if e.mayBeNull(p, name) {
				allowNull(doc)
			}
			properties[name] = doc
			if e.requires(o, p, root) {
				required = append(required, name)
			}
		}
		doc["properties"] = properties
		if len(required) > 0 {
			doc["required"] = required
		}
		return
	}
	if o.Entries != nil {
		if entries := e.emit(o.Entries, "", false); len(entries) > 0 {
			doc["additionalProperties"] = entries
		}
	}
}

// requires reports whether a property is stated to be always there. Of what is
// returned only the answer itself promises anything, after many of them: the
// items of one list are too much alike, and what is nested is there or not for
// reasons that a recording need not have met.
func (e emitter) requires(o *Objects, p *Shape, root bool) bool {
	return (root || !e.output) && o.Count >= answers && p.Total() >= o.Count
}

// mayBeNull reports whether null has to be expected where it was not seen.
func (e emitter) mayBeNull(s *Shape, key string) bool {
	return e.nullable != nil && s.Nulls == 0 && (s.Total() < support || e.nullable(key))
}

// allowNull adds null to the types of a schema that has any.
func allowNull(doc map[string]any) {
	switch t := doc["type"].(type) {
	case string:
		doc["type"] = []any{t, "null"}
	case []any:
		doc["type"] = append(t, "null")
	}
}

// NullKeys adds to a set the keys of s, at any depth, that are sometimes null.
func (s *Shape) NullKeys(into map[string]bool) {
	if s == nil {
		return
	}
	if s.Arrays != nil {
		s.Arrays.Items.NullKeys(into)
	}
	if s.Objects == nil {
		return
	}
	s.Objects.Entries.NullKeys(into)
	for key, p := range s.Objects.Properties {
		if p.Nulls > 0 {
			into[key] = true
		}
		p.NullKeys(into)
	}
}
