package openapi

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/tomallicino/caskmcp/capture"
	"github.com/tomallicino/caskmcp/surface"
)

// notArguments are headers that a description must not declare (OpenAPI 3.1
// section 4.8.12.1) or that only the client may set.
var notArguments = map[string]string{
	"Accept":        "the client sets it",
	"Content-Type":  "the client sets it",
	"Authorization": "credentials are no arguments; the document should declare a security scheme, or set auth: in toolpack.yaml",
	"Cookie":        "credentials are no arguments; the document should declare a security scheme, or set auth: in toolpack.yaml",
	"Host":          "the client sets it", "Content-Length": "the client sets it",
	"Connection": "the client sets it", "Transfer-Encoding": "the client sets it",
	"Proxy-Authorization": "the client sets it", "Te": "the client sets it",
	"Upgrade": "the client sets it", "Trailer": "the client sets it",
}

// parameters declares the parameters of a path item and an operation; the
// operation's replace those of the same name and place. Path variables that
// are not declared are strings.
func (w *work) parameters(variables []string, lists ...any) ([]capture.DeclaredParameter, error) {
	merged := map[place]map[string]any{}
	for _, list := range lists {
		entries, _ := list.([]any)
		for _, e := range entries {
			m, err := w.doc.object(e)
			if err != nil {
				return nil, fmt.Errorf("a parameter %w", err)
			}
			name, _ := m["name"].(string)
			in, _ := m["in"].(string)
			if in == surface.InHeader {
				name = strings.ToLower(name) // as captures have them
			}
			merged[place{in, name}] = m
		}
	}
	for _, v := range variables {
		if p := (place{surface.InPath, v}); merged[p] == nil {
			w.leave("parameter "+v, "it is not declared, so it is taken as a string")
			merged[p] = map[string]any{"schema": map[string]any{"type": "string"}}
		}
	}
	places := slices.SortedFunc(maps.Keys(merged), func(a, b place) int {
		return cmp.Or(strings.Compare(a.in, b.in), strings.Compare(a.name, b.name))
	})
	var out []capture.DeclaredParameter
	for _, p := range places {
		m := merged[p]
		if p.in == surface.InPath && !slices.Contains(variables, p.name) {
			w.leave("parameter "+clip(p.name, 80), "the path has no such variable")
			continue
		}
		declared, err := w.parameter(p.in, p.name, m)
		if err != nil {
			return nil, err
		}
		out = append(out, declared...)
	}
	slices.SortFunc(out, compareParameters)
	return slices.CompactFunc(out, func(a, b capture.DeclaredParameter) bool { return compareParameters(a, b) == 0 }), nil
}

// place is what tells parameters of one operation apart.
type place struct{ in, name string }

func compareParameters(a, b capture.DeclaredParameter) int {
	return cmp.Or(strings.Compare(a.In, b.In), strings.Compare(a.Name, b.Name))
}

// parameter declares one parameter: none where it cannot be an argument,
// several where an object is spread over query keys.
func (w *work) parameter(in, name string, m map[string]any) ([]capture.DeclaredParameter, error) {
	part := "parameter " + clip(name, 80)
	switch {
	case name == "":
		w.leave("a parameter", "it has no name")
		return nil, nil
	case in == surface.InHeader && notArguments[http.CanonicalHeaderKey(name)] != "":
		w.leave(part, notArguments[http.CanonicalHeaderKey(name)])
		return nil, nil
	case in == "cookie":
		w.leave(part, "cookies are no arguments; if it is a session, set auth: in toolpack.yaml")
		return nil, nil
	case !slices.Contains([]string{surface.InPath, surface.InQuery, surface.InHeader}, in):
		w.leave(part, fmt.Sprintf("caskmcp does not know parameters in %q", clip(in, 40)))
		return nil, nil
	}
	p := capture.DeclaredParameter{
		Name: name, In: in,
		Required:    in == surface.InPath || m["required"] == true,
		Description: w.text(w.request, "description of "+part, m["description"]),
	}
	if content, ok := m["content"].(map[string]any); ok {
		schema, err := w.encoded(part, content)
		p.Schema = schema
		return []capture.DeclaredParameter{p}, err
	}
	schema, err := w.emit(part, m["schema"], toRequest)
	if err != nil {
		return nil, fmt.Errorf("the %s: %w", part, err)
	}
	p.Schema = schema
	return w.serialised(part, p, m)
}

// encoded is the schema of a parameter whose value is a document in the text
// of the parameter.
func (w *work) encoded(part string, content map[string]any) (json.RawMessage, error) {
	mediaType, media := preferred(content)
	inner, err := w.emit(part, media["schema"], toRequest)
	if err != nil {
		return nil, fmt.Errorf("the %s: %w", part, err)
	}
	schema := map[string]any{"type": "string", "contentMediaType": mediaType}
	// References of an inner schema would be lost, as it is no longer the root.
	if inner != nil && !strings.Contains(string(inner), `"$ref"`) {
		schema["contentSchema"] = inner
	}
	return marshal(schema)
}

// serialised settles how a parameter is written (OpenAPI 3.1 section
// 4.8.12.4), where a call can write it at all.
func (w *work) serialised(part string, p capture.DeclaredParameter, m map[string]any) ([]capture.DeclaredParameter, error) {
	one := []capture.DeclaredParameter{p}
	style, _ := m["style"].(string)
	if style == "" {
		style = map[string]string{surface.InQuery: "form"}[p.In]
		if style == "" {
			style = "simple"
		}
	}
	explode, given := m["explode"].(bool)
	if !given {
		explode = style == "form"
	}
	shape := shapeOf(p.Schema)
	switch {
	case style == "deepObject" || shape.object && style == "form" && explode:
		return w.spread(part, p, style == "deepObject")
	case shape.object:
		return w.unwritable(part, p, fmt.Sprintf("an object in style %s", style))
	case (style == "form" || style == "simple") && !shape.array:
		return one, nil
	case style == "form" && explode:
		return one, nil
	case style == "form", style == "simple":
		one[0].Style = "comma"
		return one, nil
	case (style == "spaceDelimited" || style == "pipeDelimited") && (!shape.array || explode):
		return one, nil
	}
	return w.unwritable(part, p, "style "+clip(style, 40))
}

// unwritable leaves out an optional parameter; without a required one, there
// is no operation.
func (w *work) unwritable(part string, p capture.DeclaredParameter, what string) ([]capture.DeclaredParameter, error) {
	if p.Required {
		return nil, fmt.Errorf("the required %s is %s, which caskmcp cannot write", part, what)
	}
	w.leave(part, "it is "+what+", which caskmcp cannot write")
	return nil, nil
}

// spread declares each property of an object as a query key of its own:
// "color[R]" for deepObject, "R" for an exploded form.
func (w *work) spread(part string, p capture.DeclaredParameter, deep bool) ([]capture.DeclaredParameter, error) {
	var object struct {
		Properties map[string]json.RawMessage `json:"properties"`
		Required   []string                   `json:"required"`
	}
	if err := json.Unmarshal(p.Schema, &object); err != nil || len(object.Properties) == 0 || strings.Contains(string(p.Schema), `"$ref"`) {
		return w.unwritable(part, p, "an object without declared properties")
	}
	var out []capture.DeclaredParameter
	for _, name := range sortedKeys(object.Properties) {
		q := capture.DeclaredParameter{
			Name: name, In: p.In, Schema: object.Properties[name],
			Required: p.Required && slices.Contains(object.Required, name),
		}
		if deep {
			q.Name = p.Name + "[" + name + "]"
		}
		if shape := shapeOf(q.Schema); shape.object || shape.array && deep {
			left, err := w.unwritable("parameter "+q.Name, q, "nested in an object")
			if err != nil {
				return nil, err
			}
			out = append(out, left...)
			continue
		}
		out = append(out, q)
	}
	return out, nil
}

// shape says which composite values a schema takes.
type shape struct{ array, object bool }

func shapeOf(schema json.RawMessage) shape {
	var node map[string]any
	if json.Unmarshal(schema, &node) != nil {
		return shape{}
	}
	var s shape
	s.add(node, 0)
	return s
}

func (s *shape) add(node map[string]any, depth int) {
	types, isList := node["type"].([]any)
	if !isList {
		types = []any{node["type"]}
	}
	_, properties := node["properties"]
	_, items := node["items"]
	s.array = s.array || slices.Contains(types, any("array")) || node["type"] == nil && items
	s.object = s.object || slices.Contains(types, any("object")) || node["type"] == nil && properties
	for _, keyword := range []string{"allOf", "anyOf", "oneOf"} {
		list, _ := node[keyword].([]any)
		for _, v := range list {
			if m, ok := v.(map[string]any); ok && depth < 8 {
				s.add(m, depth+1)
			}
		}
	}
}
