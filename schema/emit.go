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
	// variedAnswers is how many, where the objects mostly have other properties
	// that some of them lack: it could be one more of those.
	variedAnswers = 40
)

// Output returns a JSON Schema (2020-12) of what an API returns. It is
// lenient, because a client that validates would reject the first answer that
// a stricter schema did not foresee: additional properties are allowed,
// properties are required only at the root and if at least 20 or 40 objects all
// had them, numbers are integers only if at least 10 bodies had whole ones and none
// had others, or their key says so, and the values of an enum are described, not
// enforced. The schema of a nil or empty shape is {}.
func (s *Shape) Output() map[string]any { return s.OutputOf(nil) }

// OutputOf is Output for an API with habits: null is allowed where it is to be
// expected, and so are numbers for texts and texts for numbers.
func (s *Shape) OutputOf(habits *Habits) map[string]any {
	return emitter{output: true, habits: habits, bodies: s.Total()}.emit(s, "", true)
}

// Input returns a JSON Schema (2020-12) of what an API is sent. It differs
// from Output in that an object at the root allows no other properties.
func (s *Shape) Input() map[string]any { return s.InputAs("", nil) }

// InputAs is Input for values that are known by a name, such as a parameter's:
// a page or an id is an integer after one whole number.
func (s *Shape) InputAs(name string, habits *Habits) map[string]any {
	e := emitter{habits: habits, bodies: s.Total()}
	doc := e.expected(s, name, true)
	if doc["type"] == "object" && !s.Objects.Map && s.Objects.Entries == nil {
		doc["additionalProperties"] = false
	}
	return doc
}

// emitter writes shapes as schemas.
type emitter struct {
	output bool
	habits *Habits
	// bodies is how many values there are at the root. What is below arrays and
	// maps is much alike in one body, so its number alone promises nothing.
	bodies int
}

// expected writes the schema of the values under a key, with what is to be
// expected of them although it was not seen.
func (e emitter) expected(s *Shape, key string, root bool) map[string]any {
	few := min(s.Total(), e.bodies) < support
	doc := e.emit(s, key, root)
	if s == nil {
		return doc
	}
	if few && e.habits.isMixed(key) {
		if s.Strings != nil {
			allow(doc, "number", "integer")
		} else if s.Integers != nil || s.Numbers > 0 {
			allow(doc, "string")
		}
	}
	if s.Nulls == 0 && e.habits.mayBeNull(key, few) {
		allow(doc, "null")
	}
	return doc
}

// allow adds a type to a schema that has types, unless it has one of unless.
func allow(doc map[string]any, name string, unless ...any) {
	var types []any
	switch t := doc["type"].(type) {
	case string:
		types = []any{t}
	case []any:
		types = t
	default:
		return
	}
	for _, t := range types {
		if t == name || slices.Contains(unless, t) {
			return
		}
	}
	doc["type"] = append(types, name)
}

// emit writes the schema of the values under a key.
func (e emitter) emit(s *Shape, key string, root bool) map[string]any {
	doc := make(map[string]any)
	if s == nil {
		return doc
	}
	types := e.types(s, key)
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
		e.texts(s.Strings, key, doc)
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
func (e emitter) types(s *Shape, key string) []any {
	var types []any
	add := func(name string, seen bool) {
		if seen {
			types = append(types, name)
		}
	}
	whole := s.Integers != nil && s.Numbers == 0 && (min(s.Integers.Count, e.bodies) >= support || countsOrIdentifies(key))
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

// uriKeys are the last words of keys whose texts are URIs.
var uriKeys = map[string]bool{"url": true, "urls": true, "uri": true, "uris": true, "href": true, "link": true, "links": true, "website": true, "homepage": true}

func (e emitter) texts(s *Strings, key string, doc map[string]any) {
	for _, class := range s.Classes {
		if class.N != s.Count {
			continue
		}
		words := Words(key)
		switch format := formats[class.Name]; {
		case format == "uri" && min(s.Count, e.bodies) < support && (len(words) == 0 || !uriKeys[words[len(words)-1]]):
			// A path or a place may be a URI or not.
		case format != "":
			doc["format"] = format
		case class.Name == ClassJSON:
			doc["contentMediaType"] = "application/json"
		}
	}
	if s.isEnum() && sorts(key) {
		doc["description"] = "Values seen: " + strings.Join(s.Values.names(), ", ") + "."
	}
}

func (e emitter) object(o *Objects, doc map[string]any, root bool) {
	if len(o.Properties) > 0 {
		properties := make(map[string]any, len(o.Properties))
		var required []any
		for _, name := range slices.Sorted(maps.Keys(o.Properties)) {
			p := o.Properties[name]
			properties[name] = e.expected(p, name, false)
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
	if e.output && !root || p.Total() < o.Count {
		return false
	}
	seen := min(o.Count, e.bodies)
	return seen >= variedAnswers || seen >= answers && !o.varied()
}

// varied reports whether o has properties that some objects lack and most have.
func (o *Objects) varied() bool {
	given, possible := 0, 0
	for _, p := range o.Properties {
		if n := p.Total(); n < o.Count {
			given, possible = given+n, possible+o.Count
		}
	}
	return given*3 > possible*2
}
