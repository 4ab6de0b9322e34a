package openapi

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/tomallicino/caskmcp/schema"
	"github.com/tomallicino/caskmcp/surface"
)

// operation writes one tool.
func (w *contractWriter) operation(t surface.Tool, key pathKey) (operation, error) {
	digest, err := t.Digest()
	if err != nil {
		return operation{}, err
	}
	op := operation{
		OperationID: t.Name, Summary: t.Title, Description: t.Description, Tags: t.Toolsets,
		Security: w.requirement(t.Auth),
		Caskmcp: extension{
			Tool: t.Name, Digest: digest, Effect: t.Effect, Risk: t.Risk,
			Confirm: t.Confirm, Limits: t.Limits, Expires: t.Expires,
		},
	}
	if o := t.Binding.Operation; o != nil {
		op.Caskmcp.Operation = o.Kind + ":" + o.Name
	}
	if len(w.origins) > 1 {
		op.Servers = []contractServer{{t.Binding.Origin()}}
	}
	input, err := decodeSchema(t.InputSchema)
	if err != nil {
		return operation{}, err
	}
	in := &hoister{root: input, prefix: t.Name + ".input.", schemas: w.schemas, names: map[string]string{}}
	properties, _ := input["properties"].(map[string]any)
	for _, a := range t.Binding.Arguments {
		if a.In == surface.InBody {
			continue
		}
		op.Parameters = append(op.Parameters, argument(a, in.rewrite(properties[a.Name]), requires(input, a.Name), key))
	}
	for _, f := range t.Binding.Fixed {
		if f.In != surface.InBody {
			op.Parameters = append(op.Parameters, fixed(f, key))
		}
	}
	op.Parameters = slices.DeleteFunc(op.Parameters, func(p parameter) bool {
		return p.In == surface.InHeader && notArguments[http.CanonicalHeaderKey(p.Name)] != ""
	})
	op.RequestBody = body(t.Binding, input, in)
	op.Responses, err = w.responses(t)
	return op, err
}

func requires(input map[string]any, name string) bool {
	required, _ := input["required"].([]any)
	return slices.Contains(required, any(name))
}

func argument(a surface.Argument, schema any, required bool, key pathKey) parameter {
	p := parameter{Name: a.Key, In: a.In, Required: required || a.In == surface.InPath, Schema: schema}
	if a.In == surface.InPath {
		p.Name = cmp.Or(key.names[a.Key], a.Key)
	}
	if p.Name != a.Name {
		p.Argument = a.Name
	}
	if m, ok := schema.(map[string]any); ok {
		p.Description, _ = m["description"].(string)
	} else {
		p.Schema = map[string]any{}
	}
	if a.Style == "comma" && a.In == surface.InQuery {
		explode := false
		p.Style, p.Explode = "form", &explode
	}
	return p
}

func fixed(f surface.Fixed, key pathKey) parameter {
	p := parameter{Name: f.Key, In: f.In, Required: true, Schema: map[string]any{"const": f.Value}}
	if f.In == surface.InPath {
		p.Name = cmp.Or(key.names[f.Key], f.Key)
	}
	return p
}

// body writes the request body: one argument that is all of it, or an object
// of arguments and fixed values.
func body(b surface.Binding, input map[string]any, in *hoister) *requestBody {
	properties, _ := input["properties"].(map[string]any)
	object := map[string]any{}
	var required []any
	styles := map[string]encoding{}
	for _, a := range b.Arguments {
		if a.In != surface.InBody {
			continue
		}
		schema := in.rewrite(properties[a.Name])
		if a.Key == "" {
			return &requestBody{Required: requires(input, a.Name), Content: map[string]media{b.Encoding: {Schema: schema}}}
		}
		if schema == nil {
			schema = map[string]any{}
		}
		object[a.Key] = schema
		if requires(input, a.Name) {
			required = append(required, a.Key)
		}
		if a.Style == "comma" {
			styles[a.Key] = encoding{Style: "form"}
		}
	}
	for _, f := range b.Fixed {
		if f.In == surface.InBody {
			object[f.Key] = map[string]any{"const": f.Value}
			required = append(required, f.Key)
		}
	}
	if len(object) == 0 {
		return nil
	}
	schema := map[string]any{"type": "object", "properties": object}
	m := media{Schema: schema}
	if len(required) > 0 {
		schema["required"] = required
	}
	if len(styles) > 0 {
		m.Encoding = styles
	}
	return &requestBody{Required: len(required) > 0, Content: map[string]media{cmp.Or(b.Encoding, "application/json"): m}}
}

func (w *contractWriter) responses(t surface.Tool) (map[string]response, error) {
	out := map[string]response{
		"200": {Description: "The result."},
		"4XX": {Description: "The upstream refused the request."},
	}
	if len(t.OutputSchema) == 0 {
		return out, nil
	}
	accept, _, _ := strings.Cut(cmp.Or(t.Binding.Accept, "application/json"), ",")
	accept, _, _ = strings.Cut(accept, ";")
	schema, err := w.output(t)
	if err != nil {
		return nil, err
	}
	out["200"] = response{Description: "The result.", Content: map[string]media{strings.TrimSpace(accept): {Schema: schema}}}
	return out, nil
}

// output is the schema of what the API sends: the agent gets some bodies under
// a key.
func (w *contractWriter) output(t surface.Tool) (any, error) {
	if raw, ok := plainOutput(t); ok {
		return raw, nil
	}
	schema, err := decodeSchema(t.OutputSchema)
	if err != nil {
		return nil, err
	}
	if wrapped := t.Binding.Result; wrapped != "" {
		properties, _ := schema["properties"].(map[string]any)
		body, _ := properties[wrapped].(map[string]any)
		if body = maps.Clone(body); body == nil {
			body = map[string]any{}
		}
		if defs, ok := schema["$defs"]; ok {
			body["$defs"] = defs
		}
		schema = body
	}
	h := &hoister{root: schema, prefix: t.Name + ".output.", schemas: w.schemas, names: map[string]string{}}
	return h.rewrite(schema), nil
}

// plainOutput is output for schemas that need no decoding: those without a key
// that hoister looks for.
func plainOutput(t surface.Tool) (json.RawMessage, bool) {
	doc, wrapped := t.OutputSchema, t.Binding.Result
	if bytes.Contains(doc, []byte(`"$`)) || bytes.Contains(doc, []byte(`"definitions"`)) || !bytes.HasPrefix(doc, []byte("{")) {
		return nil, false
	}
	if wrapped == "" {
		return doc, true
	}
	body := ""
	c := schema.NewCursor(string(doc))
	err := c.Object(func(key string) error {
		if key != "properties" || c.Kind() != '{' {
			return c.Skip()
		}
		return c.Object(func(name string) error {
			var err error
			if name == wrapped && c.Kind() == '{' {
				body, err = c.Peek()
			}
			return errors.Join(err, c.Skip())
		})
	})
	return json.RawMessage(body), err == nil && body != ""
}

// hoister moves the local definitions of a tool's schema to the components of
// the contract, where its references can reach them.
type hoister struct {
	root    map[string]any
	prefix  string
	schemas map[string]any
	names   map[string]string // by reference
}

// rewrite copies a schema, its local references led to components.
func (h *hoister) rewrite(node any) any {
	switch node := node.(type) {
	case map[string]any:
		out := make(map[string]any, len(node))
		for _, k := range sortedKeys(node) {
			v := node[k]
			switch ref, isText := v.(string); {
			case k == "$defs" || k == "definitions" || k == "$schema" || k == "$id":
			case k == "$ref" && isText && strings.HasPrefix(ref, "#"):
				out[k] = "#/components/schemas/" + h.component(ref)
			case isData(k):
				out[k] = v
			case keywords[k] == isSchemaMap:
				out[k] = h.each(v)
			default:
				out[k] = h.rewrite(v)
			}
		}
		return out
	case []any:
		out := make([]any, len(node))
		for i, v := range node {
			out[i] = h.rewrite(v)
		}
		return out
	}
	return node
}

// each rewrites the schemas of a map, whose keys are names.
func (h *hoister) each(node any) any {
	m, ok := node.(map[string]any)
	if !ok {
		return node
	}
	out := make(map[string]any, len(m))
	for _, k := range sortedKeys(m) {
		out[k] = h.rewrite(m[k])
	}
	return out
}

// isData reports whether a keyword holds values rather than schemas.
func isData(keyword string) bool {
	return slices.Contains([]string{"const", "default", "enum", "examples"}, keyword)
}

// component is the name of the component that stands for a local reference.
func (h *hoister) component(ref string) string {
	if name, ok := h.names[ref]; ok {
		return name
	}
	base := h.prefix + notInComponent.ReplaceAllString(strings.TrimPrefix(ref[strings.LastIndexAny(ref, "/#")+1:], "#"), "_")
	name := base
	for taken := h.schemas[name] != nil; taken; taken = h.schemas[name] != nil {
		name += "_"
	}
	h.names[ref] = name
	h.schemas[name] = json.RawMessage("{}") // taken while its references are followed
	target, ok := lookup(h.root, strings.TrimPrefix(ref, "#"))
	if !ok || target == nil {
		target = map[string]any{}
	}
	h.schemas[name] = h.rewrite(target)
	return name
}
