package schema

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
)

// DifferenceKind says what a difference does to the set of valid values.
type DifferenceKind string

// The kinds of Difference. A keyword that does both widens and narrows is
// reported once as each.
const (
	// Widened: values are valid after that were not before.
	Widened DifferenceKind = "widened"
	// Narrowed: values were valid before that are not after.
	Narrowed DifferenceKind = "narrowed"
	// TypeChanged: the types before and after exclude each other in part.
	TypeChanged DifferenceKind = "type_changed"
	// PropertyAdded and PropertyRemoved: an object property is declared, or
	// not declared any more. Difference.Name is its name.
	PropertyAdded   DifferenceKind = "property_added"
	PropertyRemoved DifferenceKind = "property_removed"
	// RequiredAdded and RequiredRemoved: a property must be present, or need
	// not any more. Difference.Name is its name.
	RequiredAdded   DifferenceKind = "required_added"
	RequiredRemoved DifferenceKind = "required_removed"
	// TextChanged: only what a reader sees differs: titles, descriptions,
	// defaults, examples, and keywords that validation does not know.
	TextChanged DifferenceKind = "text"
)

// Difference is one place where two schemas differ.
type Difference struct {
	// Path is the JSON Pointer (RFC 6901) of the keyword or subschema, in the
	// later schema where it still exists there.
	Path string
	Kind DifferenceKind
	// Name is the property concerned, for the property and required kinds.
	Name string
	// Before and After are the values at Path; nil means that there was none.
	Before, After json.RawMessage
}

// Compare lists how the JSON Schema (2020-12) after differs from before,
// sorted by path. It has no opinion on which differences matter: the same
// widening is new power on an input and new data on an output. Nil means that
// there is no schema, which accepts everything. Two documents that are not the
// same JSON value always have at least one difference; a document that is not
// JSON differs from every other in type.
func Compare(before, after json.RawMessage) []Difference {
	b, okB := decodeSchema(before)
	a, okA := decodeSchema(after)
	if !okB || !okA {
		if bytes.Equal(before, after) {
			return nil
		}
		return []Difference{{Kind: TypeChanged, Before: before, After: after}}
	}
	c := &comparison{}
	c.schemas("", b, a)
	if len(c.found) == 0 && !sameJSON(b, a) {
		c.add("", TextChanged, b, a)
	}
	slices.SortStableFunc(c.found, func(x, y Difference) int {
		return cmp.Or(strings.Compare(x.Path, y.Path), strings.Compare(string(x.Kind), string(y.Kind)), strings.Compare(x.Name, y.Name))
	})
	return c.found
}

// absent marks a keyword or document that is not there.
type absent struct{}

func decodeSchema(doc json.RawMessage) (any, bool) {
	if len(doc) == 0 {
		return absent{}, true
	}
	dec := json.NewDecoder(bytes.NewReader(doc))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, false
	}
	_, err := dec.Token()
	return v, errors.Is(err, io.EOF)
}

// comparison collects differences. While negated is odd, directions swap: what
// a schema under "not" accepts more, the whole accepts less.
type comparison struct {
	found   []Difference
	negated int
}

func (c *comparison) add(path string, kind DifferenceKind, before, after any) {
	c.addNamed(path, kind, "", before, after)
}

func (c *comparison) addNamed(path string, kind DifferenceKind, name string, before, after any) {
	if c.negated%2 == 1 {
		switch kind {
		case Widened:
			kind = Narrowed
		case Narrowed:
			kind = Widened
		}
	}
	c.found = append(c.found, Difference{Path: path, Kind: kind, Name: name, Before: encodeValue(before), After: encodeValue(after)})
}

// both reports a change whose direction cannot be told.
func (c *comparison) both(path string, before, after any) {
	c.add(path, Widened, before, after)
	c.add(path, Narrowed, before, after)
}

// schemas compares two schemas at one place: objects, booleans, or absent.
func (c *comparison) schemas(path string, before, after any) {
	if sameJSON(before, after) {
		return
	}
	b, okB := before.(map[string]any)
	a, okA := after.(map[string]any)
	switch {
	case okB && okA:
		c.keywords(path, b, a)
	case isAny(before) && isAny(after): // true, {} and absent mean the same
		c.add(path, TextChanged, before, after)
	case before == false || isAny(after):
		c.add(path, Widened, before, after)
	case after == false || isAny(before):
		c.add(path, Narrowed, before, after)
	default:
		c.add(path, TypeChanged, before, after)
	}
}

// isAny reports whether the schema v accepts everything on its face.
func isAny(v any) bool {
	switch v := v.(type) {
	case absent:
		return true
	case bool:
		return v
	case map[string]any:
		return len(v) == 0
	}
	return false
}

func (c *comparison) keywords(path string, before, after map[string]any) {
	keys := map[string]bool{}
	for k := range before {
		keys[k] = true
	}
	for k := range after {
		keys[k] = true
	}
	for k := range keys {
		b, a := get(before, k), get(after, k)
		if !sameJSON(b, a) {
			c.keyword(pointer(path, k), k, b, a)
		}
	}
}

// keyword compares the values of one keyword that differ. The groups follow
// JSON Schema Core and Validation (2020-12), by how a value can be ordered.
func (c *comparison) keyword(path, key string, before, after any) {
	switch key {
	case "type":
		c.types(path, before, after)
	case "enum":
		c.enum(path, before, after)
	case "const", "pattern", "format", "contentEncoding", "contentMediaType", "$ref", "$dynamicRef":
		c.assertion(path, before, after)
	case "maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties", "maxContains":
		c.bound(path, before, after, 1)
	case "minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties", "minContains":
		c.bound(path, before, after, -1)
	case "multipleOf":
		c.multipleOf(path, before, after)
	case "uniqueItems":
		c.uniqueItems(path, before, after)
	case "required":
		c.required(path, before, after)
	case "properties", "patternProperties":
		c.properties(path, before, after)
	case "$defs", "definitions", "dependentSchemas", "dependentRequired", "dependencies":
		c.dictionary(path, key, before, after)
	case "additionalProperties", "unevaluatedProperties", "items", "additionalItems", "unevaluatedItems", "contains", "propertyNames", "contentSchema":
		c.schemas(path, before, after)
	case "not":
		c.not(path, before, after)
	case "if", "then", "else":
		c.both(path, before, after)
	case "allOf", "prefixItems":
		c.list(path, before, after, Narrowed, Widened)
	case "anyOf", "oneOf":
		c.list(path, before, after, Widened, Narrowed)
	default:
		c.add(path, TextChanged, before, after)
	}
}
