package schema

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"math/big"
	"slices"
	"strconv"
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

// assertion compares a keyword that restricts by its presence and whose
// values have no order.
func (c *comparison) assertion(path string, before, after any) {
	switch {
	case isAbsent(before):
		c.add(path, Narrowed, before, after)
	case isAbsent(after):
		c.add(path, Widened, before, after)
	default:
		c.both(path, before, after)
	}
}

var allTypes = []string{"array", "boolean", "integer", "null", "number", "object", "string"}

func (c *comparison) types(path string, before, after any) {
	b, okB := typeSet(before)
	a, okA := typeSet(after)
	if !okB || !okA {
		c.add(path, TypeChanged, before, after)
		return
	}
	gains, loses := false, false
	for _, t := range allTypes {
		gains = gains || (a[t] && !b[t])
		loses = loses || (b[t] && !a[t])
	}
	switch {
	case gains && loses:
		c.add(path, TypeChanged, before, after)
	case gains:
		c.add(path, Widened, before, after)
	case loses:
		c.add(path, Narrowed, before, after)
	default: // "string" and ["string"]
		c.add(path, TextChanged, before, after)
	}
}

// typeSet reads the value of "type". Number includes integer.
func typeSet(v any) (map[string]bool, bool) {
	set := map[string]bool{}
	var names []any
	switch v := v.(type) {
	case absent:
		for _, t := range allTypes {
			set[t] = true
		}
		return set, true
	case string:
		names = []any{v}
	case []any:
		names = v
	default:
		return nil, false
	}
	for _, n := range names {
		s, ok := n.(string)
		if !ok || !slices.Contains(allTypes, s) {
			return nil, false
		}
		set[s] = true
		if s == "number" {
			set["integer"] = true
		}
	}
	return set, true
}

func (c *comparison) enum(path string, before, after any) {
	b, okB := before.([]any)
	a, okA := after.([]any)
	if !okB || !okA {
		c.assertion(path, before, after)
		return
	}
	added, removed := !subset(a, b), !subset(b, a)
	if added {
		c.add(path, Widened, before, after)
	}
	if removed {
		c.add(path, Narrowed, before, after)
	}
	if !added && !removed { // another order is another text
		c.add(path, TextChanged, before, after)
	}
}

// bound compares a limit; sign is 1 where a larger value accepts more.
func (c *comparison) bound(path string, before, after any, sign int) {
	b, okB := before.(json.Number)
	a, okA := after.(json.Number)
	if !okB || !okA {
		c.assertion(path, before, after)
		return
	}
	order, ok := compareNumbers(b, a)
	switch {
	case !ok:
		c.both(path, before, after)
	case order*sign < 0:
		c.add(path, Widened, before, after)
	default:
		c.add(path, Narrowed, before, after)
	}
}

func (c *comparison) multipleOf(path string, before, after any) {
	b, okB := integer(before)
	a, okA := integer(after)
	switch {
	case !okB || !okA || b.Sign() <= 0 || a.Sign() <= 0:
		c.assertion(path, before, after)
	case new(big.Int).Rem(b, a).Sign() == 0:
		c.add(path, Widened, before, after)
	case new(big.Int).Rem(a, b).Sign() == 0:
		c.add(path, Narrowed, before, after)
	default:
		c.both(path, before, after)
	}
}

func (c *comparison) uniqueItems(path string, before, after any) {
	switch {
	case after == true:
		c.add(path, Narrowed, before, after)
	case before == true:
		c.add(path, Widened, before, after)
	default: // false and absent mean the same
		c.add(path, TextChanged, before, after)
	}
}

func (c *comparison) required(path string, before, after any) {
	b, okB := stringList(before)
	a, okA := stringList(after)
	if !okB || !okA {
		c.assertion(path, before, after)
		return
	}
	n := len(c.found)
	for _, name := range a {
		if !slices.Contains(b, name) {
			c.addNamed(path, RequiredAdded, name, before, after)
		}
	}
	for _, name := range b {
		if !slices.Contains(a, name) {
			c.addNamed(path, RequiredRemoved, name, before, after)
		}
	}
	if len(c.found) == n {
		c.add(path, TextChanged, before, after)
	}
}

func (c *comparison) properties(path string, before, after any) {
	b, okB := dictionaryOf(before)
	a, okA := dictionaryOf(after)
	if !okB || !okA {
		c.assertion(path, before, after)
		return
	}
	n := len(c.found)
	for name, v := range a {
		if old, ok := b[name]; ok {
			c.schemas(pointer(path, name), old, v)
		} else {
			c.addNamed(pointer(path, name), PropertyAdded, name, absent{}, v)
		}
	}
	for name, v := range b {
		if _, ok := a[name]; !ok {
			c.addNamed(pointer(path, name), PropertyRemoved, name, v, absent{})
		}
	}
	if len(c.found) == n {
		c.add(path, TextChanged, before, after)
	}
}

// dictionary compares named subschemas that are not properties. An added
// dependency narrows; a definition by itself does nothing until it is referred
// to, and the reference is reported where it is.
func (c *comparison) dictionary(path, key string, before, after any) {
	b, okB := dictionaryOf(before)
	a, okA := dictionaryOf(after)
	if !okB || !okA {
		c.assertion(path, before, after)
		return
	}
	added, removed := Narrowed, Widened
	if key == "$defs" || key == "definitions" {
		added, removed = TextChanged, TextChanged
	}
	n := len(c.found)
	for name, v := range a {
		old, ok := b[name]
		_, isList := v.([]any)
		switch {
		case !ok:
			c.add(pointer(path, name), added, absent{}, v)
		case isList && !sameJSON(old, v):
			c.required(pointer(path, name), old, v)
		default:
			c.schemas(pointer(path, name), old, v)
		}
	}
	for name, v := range b {
		if _, ok := a[name]; !ok {
			c.add(pointer(path, name), removed, v, absent{})
		}
	}
	if len(c.found) == n {
		c.add(path, TextChanged, before, after)
	}
}

func (c *comparison) not(path string, before, after any) {
	if isAbsent(before) || isAbsent(after) {
		c.assertion(path, before, after)
		return
	}
	c.negated++
	c.schemas(path, before, after)
	c.negated--
}

// list compares an array of subschemas: what is equal pairs off, and what is
// left is compared in order where the numbers agree, else added and removed.
func (c *comparison) list(path string, before, after any, added, removed DifferenceKind) {
	b, okB := before.([]any)
	a, okA := after.([]any)
	if !okB || !okA {
		c.assertion(path, before, after)
		return
	}
	restB, restA := unpaired(b, a), unpaired(a, b)
	n := len(c.found)
	if len(restB) == len(restA) {
		for i := range restA {
			c.schemas(pointer(path, strconv.Itoa(restA[i])), b[restB[i]], a[restA[i]])
		}
	} else {
		for _, i := range restA {
			c.add(pointer(path, strconv.Itoa(i)), added, absent{}, a[i])
		}
		for _, i := range restB {
			c.add(pointer(path, strconv.Itoa(i)), removed, b[i], absent{})
		}
	}
	if len(c.found) == n {
		c.add(path, TextChanged, before, after)
	}
}

// unpaired returns the indexes of xs that no element of ys equals, each
// element of ys pairing with one of xs.
func unpaired(xs, ys []any) []int {
	free := slices.Clone(ys)
	var rest []int
	for i, x := range xs {
		j := slices.IndexFunc(free, func(y any) bool { return sameJSON(x, y) })
		if j < 0 {
			rest = append(rest, i)
			continue
		}
		free = slices.Delete(free, j, j+1)
	}
	return rest
}

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
