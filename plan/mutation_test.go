package plan

import (
	"encoding/json"
	"fmt"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tomallicino/caskmcp/compiler"
	"github.com/tomallicino/caskmcp/policy"
	"github.com/tomallicino/caskmcp/surface"
)

// mutation changes one leaf of a value.
type mutation struct {
	path  string
	apply func(root reflect.Value)
}

// mutations walks v and returns one mutation for every leaf and, for every
// slice and pointer, one that grows, empties or drops it. Fields that are
// empty in v are filled. No field of any struct is left out.
func mutations(t *testing.T, v reflect.Value) []mutation {
	t.Helper()
	var out []mutation
	var walk func(path string, v reflect.Value, at func(root reflect.Value) reflect.Value)
	add := func(path string, at func(reflect.Value) reflect.Value, set func(reflect.Value)) {
		out = append(out, mutation{path, func(root reflect.Value) { set(at(root)) }})
	}
	walk = func(path string, v reflect.Value, at func(root reflect.Value) reflect.Value) {
		switch v.Kind() {
		case reflect.Struct:
			for i := range v.NumField() {
				if v.Type().Field(i).Name == "Evidence" {
					continue // not in the digest
				}
				walk(path+"/"+v.Type().Field(i).Name, v.Field(i), func(root reflect.Value) reflect.Value { return at(root).Field(i) })
			}
		case reflect.Pointer:
			require.False(t, v.IsNil(), "%s: the fixture leaves it out", path)
			add(path+" dropped", at, func(v reflect.Value) { v.SetZero() })
			walk(path, v.Elem(), func(root reflect.Value) reflect.Value { return at(root).Elem() })
		case reflect.Slice:
			if raw, ok := v.Interface().(json.RawMessage); ok {
				require.NotEmpty(t, raw, "%s: the fixture leaves it out", path)
				add(path, at, func(v reflect.Value) { v.Set(reflect.ValueOf(json.RawMessage(`{"type":"object","title":"mutated"}`))) })
				return
			}
			require.NotZero(t, v.Len(), "%s: the fixture leaves it out", path)
			add(path+" emptied", at, func(v reflect.Value) { v.Set(reflect.MakeSlice(v.Type(), 0, 0)) })
			for i := range v.Len() {
				walk(fmt.Sprintf("%s/%d", path, i), v.Index(i), func(root reflect.Value) reflect.Value { return at(root).Index(i) })
			}
			add(path+" grown", at, func(v reflect.Value) { v.Set(reflect.Append(v, reflect.Zero(v.Type().Elem()))) })
		case reflect.String:
			add(path, at, func(v reflect.Value) { v.SetString(v.String() + "x") })
			add(path+" emptied", at, func(v reflect.Value) {
				if v.String() == "" {
					v.SetString("x")
				} else {
					v.SetString("")
				}
			})
		case reflect.Bool:
			add(path, at, func(v reflect.Value) { v.SetBool(!v.Bool()) })
		case reflect.Int, reflect.Int64:
			add(path+" raised", at, func(v reflect.Value) { v.SetInt(v.Int() + 1) })
			add(path+" zeroed", at, func(v reflect.Value) {
				if v.Int() == 0 {
					v.SetInt(7)
				} else {
					v.SetInt(0)
				}
			})
		default:
			t.Fatalf("%s: no mutation for %s", path, v.Kind())
		}
	}
	walk("", v, func(root reflect.Value) reflect.Value { return root })
	return out
}

// clone copies v through JSON, evidence included.
func clone[T any](t *testing.T, v T) T {
	t.Helper()
	doc, err := json.Marshal(v)
	require.NoError(t, err)
	var out T
	require.NoError(t, json.Unmarshal(doc, &out))
	return out
}

// requireExplained checks that a change shows what differs and says why it
// matters.
func requireExplained(t *testing.T, p *Plan, kind Kind) Change {
	t.Helper()
	require.True(t, p.HasChanges(), "the mutation does not show")
	for _, c := range p.Changes {
		if c.Kind != kind {
			continue
		}
		require.NotEmpty(t, c.Reasons)
		if c.Action() == Delete {
			continue // a renamed toolset is another toolset
		}
		require.Positive(t, c.RequiredApprovals)
		require.NotEqual(t, c.Digest.Before, c.Digest.After)
		if c.Action() == Update || c.Action() == Replace {
			require.NotEmpty(t, c.Fields)
		}
		for _, f := range c.Fields {
			require.NotEqual(t, string(f.Before), string(f.After), f.Path)
		}
		return c
	}
	t.Fatalf("no %s change among %v", kind, p.Changes)
	return Change{}
}

// A definition changes only visibly: this walks the structs, so that a field
// added to one of them is covered on the day it is added.
func TestEveryFieldIsExplained(t *testing.T) {
	base := shop(getOrder(), listOrders())
	base.Server = surface.Server{
		Name: "shop", Instructions: "Use it for orders.",
		Credentials:    []surface.Credential{{Ref: "shop", Env: "SHOP_TOKEN", Hosts: []string{"api.shop.example"}}},
		AllowPrivate:   []string{"10.0.0.0/8"},
		AllowRedirects: []string{"https://cdn.shop.example"},
	}
	base.Policy = policy.Policy{Default: policy.Deny, Rules: []policy.Rule{{
		Name: "reads", Action: policy.Allow, Tools: []string{"get_*"}, Toolsets: []string{"readonly"}, Methods: []string{"GET"},
		Hosts: []string{"api.shop.example"}, Effects: []string{"read"}, Risks: []string{"low"}, Principals: []string{"ci"},
	}}}
	for _, part := range []struct {
		kind  Kind
		value any
		set   func(s *surface.Surface, v any)
	}{
		{ToolKind, base.Tools[0], func(s *surface.Surface, v any) { s.Tools[0] = v.(surface.Tool) }},
		{PolicyKind, base.Policy, func(s *surface.Surface, v any) { s.Policy = v.(policy.Policy) }},
		{ServerKind, base.Server, func(s *surface.Surface, v any) { s.Server = v.(surface.Server) }},
		{ToolsetKind, base.Toolsets[1], func(s *surface.Surface, v any) { s.Toolsets[1] = v.(surface.Toolset) }},
	} {
		for _, m := range mutations(t, reflect.ValueOf(part.value)) {
			t.Run(string(part.kind)+m.path, func(t *testing.T) {
				root := reflect.New(reflect.TypeOf(part.value))
				root.Elem().Set(reflect.ValueOf(cloneAny(t, part.value)))
				m.apply(root.Elem())
				after := clone(t, base)
				part.set(&after, root.Elem().Interface())
				c := requireExplained(t, planned(t, base, after), part.kind)
				for _, r := range c.Reasons {
					require.Equal(t, Printable(r.Text), r.Text)
					require.Contains(t, ranks, r.Code)
				}
			})
		}
	}
}

func cloneAny(t *testing.T, v any) any {
	t.Helper()
	out := reflect.New(reflect.TypeOf(v))
	doc, err := json.Marshal(v)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(doc, out.Interface()))
	return out.Elem().Interface()
}

// Every keyword of a schema shows, whatever it is.
func TestEverySchemaKeywordIsExplained(t *testing.T) {
	values := []string{`1`, `"text"`, `true`, `false`, `null`, `[]`, `["a"]`, `{}`, `{"type":"string"}`, `[{"type":"string"}]`, `{"a":{"type":"string"}}`, `{"a":["b"]}`}
	for _, keyword := range []string{
		"$anchor", "$comment", "$defs", "$dynamicAnchor", "$dynamicRef", "$id", "$ref", "$schema", "additionalProperties", "allOf", "anyOf", "const", "contains",
		"contentEncoding", "contentMediaType", "contentSchema", "default", "dependentRequired", "dependentSchemas", "deprecated", "description", "else", "enum",
		"examples", "exclusiveMaximum", "exclusiveMinimum", "format", "if", "items", "maxContains", "maxItems", "maxLength", "maxProperties", "maximum", "minContains",
		"minItems", "minLength", "minProperties", "minimum", "multipleOf", "not", "oneOf", "pattern", "patternProperties", "prefixItems", "properties", "propertyNames",
		"readOnly", "required", "then", "title", "type", "unevaluatedItems", "unevaluatedProperties", "uniqueItems", "writeOnly", "x-vendor", "nonsense",
	} {
		for _, field := range []string{"inputSchema", "outputSchema"} {
			for _, v := range values {
				before, after := getOrder(), getOrder()
				old, now := json.RawMessage(`{"properties":{"p":{}}}`), json.RawMessage(fmt.Sprintf(`{"properties":{"p":{%q:%s}}}`, keyword, v))
				if field == "inputSchema" {
					before.InputSchema, after.InputSchema = old, now
				} else {
					before.OutputSchema, after.OutputSchema = old, now
				}
				for _, pair := range [][2]surface.Tool{{before, after}, {after, before}} {
					c, err := Compare(pair[0], pair[1])
					require.NoError(t, err)
					require.Len(t, c.Fields, 1, "%s %s", keyword, v)
					require.Equal(t, "/"+field+"/properties/p/"+keyword, c.Fields[0].Path)
					require.NotEmpty(t, c.Reasons, "%s %s", keyword, v)
					require.NotContains(t, codesOf(c), "definition.changed", "%s %s", keyword, v)
				}
			}
		}
	}
}

func TestUnknownFieldIsExplained(t *testing.T) {
	r := &reasons{}
	r.explainFields([]Field{{Path: "/new", After: json.RawMessage(`1`)}}, nil)
	require.Equal(t, []Reason{{Code: "definition.changed", Class: Block, Text: `"/new" changed from none to 1`}}, r.sorted())
}

func TestNoStateNoResult(t *testing.T) {
	_, err := New(Params{Result: &compiler.Result{}})
	require.Error(t, err)
}
