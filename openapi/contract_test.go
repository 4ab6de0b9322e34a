package openapi

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"

	"github.com/tomallicino/caskmcp/capture"
	"github.com/tomallicino/caskmcp/surface"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden compares got with a file of testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.WriteFile(path, got, 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), string(got))
}

// toolOf is d as a tool that passes every parameter on under its own name.
func toolOf(d capture.Declaration, name string) surface.Tool {
	t := surface.Tool{
		Name: name, Title: d.Summary, Description: d.Description,
		Binding: surface.Binding{Method: d.Method, Scheme: d.Scheme, Host: d.Host, Port: d.Port, Path: d.Path},
		Effect:  surface.Read, Risk: surface.Low, Confirm: surface.Never, Limits: surface.DefaultLimits,
		Toolsets: []string{"operator"},
	}
	properties, required := map[string]any{}, []string{}
	defs := map[string]json.RawMessage{}
	add := func(in, key, style string, schema json.RawMessage, needed bool) {
		arg := fmt.Sprintf("%s_%s", in, key)
		var m map[string]json.RawMessage
		if json.Unmarshal(schema, &m) != nil {
			m = map[string]json.RawMessage{}
		}
		var inner map[string]json.RawMessage
		_ = json.Unmarshal(m["$defs"], &inner)
		delete(m, "$defs")
		for k, v := range inner {
			defs[k] = v
		}
		properties[arg] = m
		if needed {
			required = append(required, arg)
		}
		t.Binding.Arguments = append(t.Binding.Arguments, surface.Argument{Name: arg, In: in, Key: key, Style: style})
	}
	for _, p := range d.Parameters {
		add(p.In, p.Name, p.Style, p.Schema, p.Required)
	}
	if d.Body != nil {
		t.Binding.Encoding = d.Body.Type
		add(surface.InBody, "", "", d.Body.Schema, d.Body.Required)
	}
	for _, r := range d.Responses {
		if r.Status/100 == 2 && t.OutputSchema == nil {
			t.OutputSchema = r.Schema
		}
	}
	for _, s := range d.Security {
		if s.Kind != "none" {
			t.Auth = &surface.Auth{Ref: s.Name, Kind: s.Kind, In: s.In, Name: s.Key, Scopes: s.Scopes}
		}
	}
	input := map[string]any{"type": "object", "properties": properties, "required": required}
	if len(defs) > 0 {
		input["$defs"] = defs
	}
	t.InputSchema, _ = json.Marshal(input)
	return t
}

// valid checks a contract with kin-openapi, and that both forms are equal.
func valid(t *testing.T, jsonDoc, yamlDoc []byte, options ...openapi3.ValidationOption) *openapi3.T {
	t.Helper()
	loader := openapi3.NewLoader()
	doc, err := loader.LoadFromData(jsonDoc)
	require.NoError(t, err)
	require.NoError(t, doc.Validate(loader.Context, options...))
	fromJSON, err := decode(jsonDoc)
	require.NoError(t, err)
	fromYAML, err := decodeYAML(yamlDoc)
	require.NoError(t, err)
	require.Equal(t, fromJSON, fromYAML)
	return doc
}

func operationIDs(doc *openapi3.T) []string {
	var ids []string
	for _, item := range doc.Paths.Map() {
		for _, op := range item.Operations() {
			ids = append(ids, op.OperationID)
		}
	}
	slices.Sort(ids)
	return ids
}

// contractSurface has what is hard to write as OpenAPI.
func contractSurface() surface.Surface {
	tool := func(name, method, host, path string, args ...surface.Argument) surface.Tool {
		properties := map[string]any{}
		var required []string
		for _, a := range args {
			properties[a.Name] = map[string]any{"type": "string", "description": "The " + a.Name + "."}
			if a.In == surface.InPath {
				required = append(required, a.Name)
			}
		}
		input, _ := json.Marshal(map[string]any{"type": "object", "properties": properties, "required": required, "additionalProperties": false})
		return surface.Tool{
			Name: name, Title: strings.ReplaceAll(name, "_", " "), Description: "Calls " + name + ".", InputSchema: input,
			Binding: surface.Binding{Method: method, Scheme: "https", Host: host, Port: 443, Path: path, Arguments: args},
			Effect:  surface.Read, Risk: surface.Low, Confirm: surface.Never, Limits: surface.DefaultLimits, Toolsets: []string{"readonly"},
		}
	}
	path := func(name, key string) surface.Argument {
		return surface.Argument{Name: name, In: surface.InPath, Key: key}
	}
	getUser := tool("get_user", "GET", "api.example.com", "/users/{user_id}", path("user_id", "user_id"))
	getUser.Auth = &surface.Auth{Ref: "example", Kind: "oauth2", Scopes: []string{"read:user"}}
	getUser.OutputSchema = json.RawMessage(`{"type":"object","properties":{"manager":{"$ref":"#/$defs/User"},"$ref":{"type":"string"},"enum":{"$ref":"#"}},
		"$defs":{"User":{"type":["object","null"],"properties":{"manager":{"$ref":"#/$defs/User"}}}}}`)
	deleteUser := tool("delete_user", "DELETE", "api.example.com", "/users/{id}", path("id", "id"))
	deleteUser.Auth = &surface.Auth{Ref: "session", Kind: "cookie", Name: "sid"}
	otherHost := tool("get_user_eu", "GET", "eu.example.com", "/users/{user_id}", path("user", "user_id"))
	otherHost.Auth = &surface.Auth{Ref: "example", Kind: "apiKey", In: "header", Name: "X-Key"}
	search := tool("search", "GET", "api.example.com", "/search",
		surface.Argument{Name: "q", In: surface.InQuery, Key: "q"},
		surface.Argument{Name: "fields", In: surface.InQuery, Key: "fields[]", Style: "comma"},
		surface.Argument{Name: "language", In: surface.InHeader, Key: "X-Language"})
	search.Binding.Fixed = []surface.Fixed{{In: surface.InQuery, Key: "version", Value: json.RawMessage(`2`)}}
	list := tool("list_users", "GET", "api.example.com", "/users")
	list.Binding.Result = "result"
	list.OutputSchema = json.RawMessage(`{"type":"object","required":["result"],"properties":{"result":{"type":"array","items":{"$ref":"#/$defs/User"}}},"$defs":{"User":{"type":"object"}}}`)
	put := tool("replace_note", "PUT", "api.example.com", "/notes/{note_id}.md", path("note_id", "note_id"), surface.Argument{Name: "text", In: surface.InBody})
	put.Binding.Encoding, put.Effect, put.Confirm = "text/plain", surface.Write, surface.Always
	s := surface.Surface{
		Toolsets: []surface.Toolset{{Name: "readonly", Description: "Tools that only read."}},
		Tools:    []surface.Tool{search, otherHost, getUser, deleteUser, put, list},
	}
	for _, name := range []string{"list_repos", "get_repo", "star_repo"} {
		g := tool(name, "POST", "api.example.com", "/graphql", surface.Argument{Name: "id", In: surface.InBody, Key: "variables"})
		g.Binding.Operation = &surface.Operation{Kind: "graphql", Name: "query " + name}
		g.Binding.Encoding = "application/json"
		g.Binding.Fixed = []surface.Fixed{{In: surface.InBody, Key: "query", Value: json.RawMessage(`"query ` + name + ` { x }"`)}}
		s.Tools = append(s.Tools, g)
	}
	return s
}

func TestContract(t *testing.T) {
	s := contractSurface()
	jsonDoc, yamlDoc, err := Contract(s, "example")
	require.NoError(t, err)
	doc := valid(t, jsonDoc, yamlDoc)
	var names []string
	for _, tool := range s.Tools {
		names = append(names, tool.Name)
	}
	slices.Sort(names)
	require.Equal(t, names, operationIDs(doc), "no tool is lost")
	golden(t, "contract.json", jsonDoc)
	golden(t, "contract.yaml", yamlDoc)

	slices.Reverse(s.Tools)
	again, _, err := Contract(s, "example")
	require.NoError(t, err)
	require.Equal(t, string(jsonDoc), string(again), "the order of tools leaves no trace")
}

func TestContractEmpty(t *testing.T) {
	jsonDoc, yamlDoc, err := Contract(surface.Surface{}, "empty")
	require.NoError(t, err)
	valid(t, jsonDoc, yamlDoc)
}

func TestContractHostileText(t *testing.T) {
	s := contractSurface()
	for i, text := range []string{"a: b\n- c", "\u0085\u2028x", " lead", "tail \n", "\x7f\u200b\ufeff", "# c", "yes", "1e3", "~", "'\"\\", "\t\ttabs\n\n  x", "\r\n", "!!int 3", "{{ x }}", "null", "0x1F", "2001-01-01", "<<", "\ufffe", "a\u0080b"} {
		s.Tools[i%len(s.Tools)].Description = text
		jsonDoc, yamlDoc, err := Contract(s, text)
		require.NoError(t, err)
		valid(t, jsonDoc, yamlDoc)
	}
}

func TestContractReportsBrokenSchema(t *testing.T) {
	s := contractSurface()
	s.Tools[0].InputSchema = json.RawMessage(`{`)
	_, _, err := Contract(s, "example")
	require.ErrorContains(t, err, `tool "search"`)
}
