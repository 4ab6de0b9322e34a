package openapi

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// kind is what a keyword of JSON Schema 2020-12 takes. Keywords that are not
// in the table are dropped: examples, extensions, xml, discriminator, and the
// identifiers that references were resolved by.
type kind int

const (
	isSchema kind = iota + 1
	isSchemas
	isSchemaMap
	isText
	isFlag
	isNumber
	isCount
	isPattern
	isType
	isNames
	isNameLists
	isValue
	isValues
	isOpenOrSchema
)

var keywords = map[string]kind{
	"contains": isSchema, "not": isSchema, "if": isSchema, "then": isSchema, "else": isSchema,
	"propertyNames": isSchema, "contentSchema": isSchema,
	"items": isOpenOrSchema, "additionalProperties": isOpenOrSchema, "unevaluatedProperties": isOpenOrSchema, "unevaluatedItems": isOpenOrSchema,
	"allOf": isSchemas, "anyOf": isSchemas, "oneOf": isSchemas, "prefixItems": isSchemas,
	"properties": isSchemaMap, "patternProperties": isSchemaMap, "dependentSchemas": isSchemaMap,
	"title": isText, "description": isText, "format": isText, "contentEncoding": isText, "contentMediaType": isText,
	"deprecated": isFlag, "uniqueItems": isFlag,
	"maximum": isNumber, "minimum": isNumber, "exclusiveMaximum": isNumber, "exclusiveMinimum": isNumber, "multipleOf": isNumber,
	"maxLength": isCount, "minLength": isCount, "maxItems": isCount, "minItems": isCount,
	"maxProperties": isCount, "minProperties": isCount, "maxContains": isCount, "minContains": isCount,
	"pattern": isPattern, "type": isType, "required": isNames, "dependentRequired": isNameLists,
	"default": isValue, "const": isValue, "enum": isValues,
}

// keywords converts the keywords of a schema that is no reference.
func (e *emitter) keywords(m map[string]any, at context) (map[string]any, error) {
	m = modern(m)
	at.hidden = e.hiddenBy(m, at, 0)
	out := make(map[string]any, len(m))
	for _, k := range sortedKeys(m) {
		kind, known := keywords[k]
		if !known || e.bare && (k == "title" || k == "description") && (at.level > 2 || len(e.path) > 0 && e.path[0] == "$defs") {
			continue
		}
		e.path = append(e.path, k)
		v, err := e.value(kind, k, m[k], at)
		e.path = e.path[:len(e.path)-1]
		if err != nil {
			return nil, err
		}
		if v != nil {
			out[k] = v
			if err := e.spend(len(k) + 4); err != nil {
				return nil, err
			}
		}
	}
	if m["const"] == nil && hasKey(m, "const") {
		out["const"] = nil
	}
	out = nullable(single(out), m)
	if v, ok := out["default"]; ok && !fits(v, out) {
		e.note("the default is not a value that the schema allows")
		delete(out, "default")
	}
	return out, nil
}

// fits reports whether v is of the type of a schema, and one of its enum.
func fits(v any, schema map[string]any) bool {
	if values, ok := schema["enum"].([]any); ok && !slices.ContainsFunc(values, func(e any) bool { return reflect.DeepEqual(e, v) }) {
		return false
	}
	allowed := types(schema)
	if len(allowed) == 0 {
		return true
	}
	name := "null"
	switch v := v.(type) {
	case string:
		name = "string"
	case bool:
		name = "boolean"
	case json.Number:
		if name = "number"; digits.MatchString(strings.TrimPrefix(string(v), "-")) {
			name = "integer"
		}
	case []any:
		name = "array"
	case map[string]any:
		name = "object"
	}
	return slices.Contains(allowed, any(name)) || name == "integer" && slices.Contains(allowed, any("number"))
}

// single replaces allOf with one member, which documents write to put texts
// next to a reference.
func single(out map[string]any) map[string]any {
	members, _ := out["allOf"].([]any)
	if len(members) != 1 {
		return out
	}
	for k := range out {
		if k != "allOf" && !annotations[k] {
			return out
		}
	}
	own := maps.Clone(out)
	delete(own, "allOf")
	return combine(members[0].(map[string]any), own)
}

func hasKey(m map[string]any, k string) bool { _, ok := m[k]; return ok }

// modern writes the draft 4 spellings of OpenAPI 3.0 and Swagger 2.0 as
// 2020-12 does: boolean exclusive bounds, and items as a list.
func modern(m map[string]any) map[string]any {
	out := m
	edit := func() {
		if reflect.ValueOf(out).Pointer() == reflect.ValueOf(m).Pointer() {
			out = maps.Clone(m)
		}
	}
	for exclusive, bound := range map[string]string{"exclusiveMinimum": "minimum", "exclusiveMaximum": "maximum"} {
		flag, isFlag := m[exclusive].(bool)
		if !isFlag {
			continue
		}
		edit()
		delete(out, exclusive)
		if v, ok := m[bound]; flag && ok {
			delete(out, bound)
			out[exclusive] = v
		}
	}
	if list, ok := m["items"].([]any); ok {
		edit()
		delete(out, "items")
		out["prefixItems"] = list
	}
	return out
}

// nullable lets in null where OpenAPI 3.0 says so. Next to no type, which
// OpenAPI 3.0.3 gives no meaning, documents mean the same.
func nullable(out, m map[string]any) map[string]any {
	if m["nullable"] != true {
		return out
	}
	if values, ok := out["enum"].([]any); ok && !slices.Contains(values, nil) {
		out["enum"] = append(slices.Clone(values), nil)
	}
	switch t := out["type"].(type) {
	case string:
		if t != "null" {
			out["type"] = []any{t, "null"}
		}
	case []any:
		if !slices.Contains(t, any("null")) {
			out["type"] = append(slices.Clone(t), "null")
		}
	default:
		return orNull(out)
	}
	return out
}

// orNull adds null as an alternative to a schema without a type.
func orNull(out map[string]any) map[string]any {
	constrains := func(k string) bool { return hasKey(out, k) }
	if !slices.ContainsFunc([]string{"allOf", "anyOf", "oneOf", "not", "if", "const"}, constrains) {
		return out
	}
	rest, wrapped := map[string]any{}, map[string]any{}
	for k, v := range out {
		if annotations[k] {
			wrapped[k] = v
		} else {
			rest[k] = v
		}
	}
	wrapped["anyOf"] = []any{rest, map[string]any{"type": "null"}}
	return wrapped
}

// value converts the value of one keyword; nil drops the keyword.
func (e *emitter) value(kind kind, keyword string, v any, at context) (any, error) {
	below := context{scope: at.scope, level: at.level + 1}
	switch kind {
	case isSchema:
		if slices.Contains(inPlace, keyword) {
			below.hidden = at.hidden
		}
		return e.schema(v, below)
	case isOpenOrSchema:
		if _, ok := v.(bool); ok {
			return v, e.spend(5)
		}
		return e.schema(v, below)
	case isSchemas:
		if keyword != "prefixItems" {
			below.hidden = at.hidden
		}
		return e.list(v, below)
	case isSchemaMap:
		return e.schemaMap(keyword, v, at.hidden, below)
	case isNames, isNameLists:
		return e.required(kind, v, at.hidden)
	case isValue, isValues:
		return e.literal(kind, v)
	default:
		return e.plain(kind, v)
	}
}

func (e *emitter) list(v any, below context) (any, error) {
	members, ok := v.([]any)
	if !ok || len(members) == 0 {
		e.note("it is not a list of schemas")
		return nil, nil
	}
	out := make([]any, 0, len(members))
	for _, m := range members {
		s, err := e.schema(m, below)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

func (e *emitter) schemaMap(keyword string, v any, hidden map[string]bool, below context) (any, error) {
	members, ok := v.(map[string]any)
	if !ok {
		e.note("it is not a map of schemas")
		return nil, nil
	}
	out := make(map[string]any, len(members))
	for _, name := range sortedKeys(members) {
		if keyword == "properties" && hidden[name] {
			continue
		}
		key := name
		if keyword == "patternProperties" {
			if key, ok = portable(name); !ok {
				e.note("the pattern %q is not understood everywhere", clip(name, 80))
				continue
			}
		}
		e.path = append(e.path, name)
		s, err := e.schema(members[name], below)
		e.path = e.path[:len(e.path)-1]
		if err != nil {
			return nil, err
		}
		if err := e.spend(len(key) + 4); err != nil {
			return nil, err
		}
		out[key] = s
	}
	return out, nil
}
