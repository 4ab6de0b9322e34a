package compiler

import (
	"strings"

	"github.com/tomallicino/caskmcp/capture"
	"github.com/tomallicino/caskmcp/schema"
	"github.com/tomallicino/caskmcp/surface"
)

// typeVariables gives the variables of a GraphQL operation the types that its
// document defines: traffic shows only some of their values. Input objects,
// enums and custom scalars, whose definition is not in the document, keep the
// shape that was seen.
func (in *inputs) typeVariables(e *endpoint) {
	_, name, _ := strings.Cut(e.key.operation, ":")
	_, operation, _ := strings.Cut(name, " ")
	defined, ok := capture.Variables(document(e), operation)
	if !ok || e.key.method == "GET" {
		return // in a query, they are the text of a JSON document
	}
	at := -1
	for i, a := range in.arguments {
		if a.In == surface.InBody && a.Key == "variables" {
			at = i
		}
	}
	seen := map[string]*schema.Shape{}
	if at >= 0 && in.arguments[at].shape != nil && in.arguments[at].shape.Objects != nil {
		seen = in.arguments[at].shape.Objects.Properties
	}
	properties, required := map[string]any{}, []any{}
	for key, s := range seen {
		properties[key] = openObjects(s.InputAs(key, nil))
	}
	for _, v := range defined {
		properties[v.Name] = variableSchema(v, seen[v.Name])
		if v.Type.NonNull && !v.Default {
			required = append(required, v.Name)
		}
	}
	if len(properties) == 0 {
		if at >= 0 {
			in.arguments = append(in.arguments[:at:at], in.arguments[at+1:]...)
		}
		return
	}
	doc := map[string]any{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		doc["required"] = required
	}
	if at < 0 {
		in.arguments = append(in.arguments, argument{Argument: surface.Argument{In: surface.InBody, Key: "variables"}, description: texts["variables"]})
		at = len(in.arguments) - 1
	}
	in.arguments[at].schema, in.arguments[at].required = doc, len(required) > 0
}

// scalarTypes are the JSON types of GraphQL's own scalars as input (GraphQL
// October 2021 section 3.5).
var scalarTypes = map[string][]any{
	"Int": {"integer"}, "Float": {"number"}, "String": {"string"}, "Boolean": {"boolean"}, "ID": {"integer", "string"},
}

// variableSchema is the schema of a variable; what was sent decides where a
// server takes more than its types say.
func variableSchema(v capture.Variable, seen *schema.Shape) map[string]any {
	doc, known := typeSchema(v.Type)
	observed := map[string]any{}
	if seen.Total() > 0 {
		observed = openObjects(seen.InputAs(v.Name, nil))
	}
	if !known {
		doc = observed
		if !v.Type.NonNull {
			allowNull(doc)
		}
		doc["description"] = "GraphQL type " + v.Type.String() + "."
		return doc
	}
	encoded, err := encode(doc)
	if err != nil || seen != nil && contradicted(schema.Conflicts(encoded, seen)) {
		return observed
	}
	return doc
}

func contradicted(conflicts []schema.Conflict) bool {
	for _, c := range conflicts {
		if c.Contradicts {
			return true
		}
	}
	return false
}

// typeSchema is the schema of a type that is made of GraphQL's own scalars; known
// is false for others.
func typeSchema(t capture.VariableType) (doc map[string]any, known bool) {
	var types []any
	doc = map[string]any{}
	if t.List != nil {
		items, known := typeSchema(*t.List)
		if !known {
			return nil, false
		}
		doc["items"], types = items, []any{"array"}
	} else if types = scalarTypes[t.Name]; types == nil {
		return nil, false
	}
	if !t.NonNull {
		types = append(types[:len(types):len(types)], "null")
	}
	doc["type"] = types
	if len(types) == 1 {
		doc["type"] = types[0]
	}
	return doc, true
}

// allowNull lets a value be null, if its schema says which types it has.
func allowNull(doc map[string]any) {
	if types, ok := doc["type"].([]any); ok {
		for _, t := range types {
			if t == "null" {
				return
			}
		}
		doc["type"] = append(types[:len(types):len(types)], "null")
	} else if name, ok := doc["type"].(string); ok && name != "null" {
		doc["type"] = []any{name, "null"}
	}
	if values, ok := doc["enum"].([]any); ok {
		doc["enum"] = append(values[:len(values):len(values)], nil)
	}
}
