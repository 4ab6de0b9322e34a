package compiler

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tomallicino/caskmcp/capture"
	"github.com/tomallicino/caskmcp/surface"
)

// arguments are a tool's arguments as "name:place:key".
func places(x surface.Tool) []string {
	out := []string{}
	for _, a := range x.Binding.Arguments {
		out = append(out, a.Name+":"+a.In+":"+a.Key)
	}
	return out
}

func TestArguments(t *testing.T) {
	tests := []struct {
		name     string
		calls    []exchange
		places   []string
		encoding string
		input    string // JSON
	}{
		{
			name:   "one name in four places",
			calls:  []exchange{{request: "POST https://api.shop.test/orders/{int}/notes?order_id=5", body: `{"order_id":1,"text":"x"}`}},
			places: []string{"order_id:path:order_id", "order_id_body:body:order_id", "order_id_query:query:order_id", "text:body:text"},
			input: `{"type":"object","additionalProperties":false,"required":["order_id"],"properties":{
				"order_id":{"type":["integer","string"],"description":"Identifies the order."},
				"order_id_query":{"type":"integer","description":"Query parameter \"order_id\"."},"order_id_body":{"type":"integer","description":"Identifies the order."},"text":{"type":"string"}}}`,
			encoding: "application/json",
		},
		{
			name:   "names that are no property keys",
			calls:  []exchange{{request: "GET https://api.shop.test/orders?filter[status]=open&$top=5&ids[]=1&ids[]=2&%E2%80%AE=x"}},
			places: []string{"filter_status:query:filter[status]", "ids:query:ids[]", "top:query:$top", "value:query:%E2%80%AE"},
		},
		{
			name:   "credentials and cache busters are no arguments",
			calls:  []exchange{{request: "GET https://api.shop.test/orders?api_key=x&access_token=y&_=123&X-Amz-Signature=z&page=1&page_token=q", auth: "apiKey"}},
			places: []string{"page:query:page", "page_token:query:page_token"},
		},
		{
			name:     "a body that is an array",
			calls:    []exchange{{request: "POST https://api.shop.test/orders/{int}/labels", body: `["a","b"]`}},
			places:   []string{"body:body:", "order_id:path:order_id"},
			encoding: "application/json",
		},
		{
			name:     "a body that is a map from ids",
			calls:    []exchange{{request: "POST https://api.shop.test/stock", body: `{"70001":1,"70002":5}`}},
			places:   []string{"body:body:"},
			encoding: "application/json",
		},
		{
			name:     "a form",
			calls:    []exchange{{request: "POST https://api.shop.test/sessions/check", body: `{"user":"x","remember":"true"}`, reqType: "application/x-www-form-urlencoded"}},
			places:   []string{"remember:body:remember", "user:body:user"},
			encoding: "application/x-www-form-urlencoded",
		},
		{
			name:     "integers beyond 2^53",
			calls:    []exchange{{request: "POST https://api.shop.test/orders", body: `{"id":175928847299117063}`}},
			places:   []string{"id:body:id"},
			input:    `{"type":"object","additionalProperties":false,"properties":{"id":{"type":["string","integer"]}}}`,
			encoding: "application/json",
		},
		{
			name:  "required needs ten exchanges that all had it",
			calls: []exchange{{request: "GET https://api.shop.test/orders?shop=1&page=1", times: 9}, {request: "GET https://api.shop.test/orders?shop=1&state=open"}},
			input: `{"type":"object","additionalProperties":false,"required":["shop"],"properties":{"shop":{"type":"integer"},
				"page":{"type":"integer","description":"Which page of the results to return."},"state":{"type":"string"}}}`,
			places: []string{"page:query:page", "shop:query:shop", "state:query:state"},
		},
		{
			name:   "what others are mostly given needs thirty",
			calls:  []exchange{{request: "GET https://api.shop.test/orders?shop=1&state=open", times: 28}, {request: "GET https://api.shop.test/orders?shop=1"}},
			input:  `{"type":"object","additionalProperties":false,"properties":{"shop":{"type":"integer"},"state":{"type":"string","description":"Values seen: open."}}}`,
			places: []string{"shop:query:shop", "state:query:state"},
		},
		{
			name:   "flags are optional",
			calls:  []exchange{{request: "GET https://api.shop.test/orders?shop=1&archived=true", times: 20}},
			input:  `{"type":"object","additionalProperties":false,"required":["shop"],"properties":{"shop":{"type":"integer"},"archived":{"type":"boolean"}}}`,
			places: []string{"archived:query:archived", "shop:query:shop"},
		},
		{
			name:     "GraphQL",
			calls:    []exchange{{request: "POST https://api.shop.test/graphql", graphql: "graphql:query GetOrder", document: "query GetOrder($id: ID!) { order(id: $id) { id } }", body: `{"operationName":"GetOrder","query":"x","variables":{"id":"5"}}`}},
			places:   []string{"variables:body:variables"},
			encoding: "application/json",
		},
		{
			name:     "JSON-RPC",
			calls:    []exchange{{request: "POST https://api.shop.test/rpc", graphql: "jsonrpc:orders_list", body: `{"jsonrpc":"2.0","id":1,"method":"orders_list","params":["x",true]}`}},
			places:   []string{"params:body:params"},
			encoding: "application/json",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for i := range tt.calls {
				tt.calls[i].response = `{"ok":true}`
			}
			r := compile(t, surface.Prior{}, Options{}, captured(t, "a", tt.calls...))
			require.Len(t, r.Surface.Tools, 1, r.Skipped)
			x := r.Surface.Tools[0]
			require.Equal(t, tt.places, places(x))
			require.Equal(t, tt.encoding, x.Binding.Encoding)
			if tt.input != "" {
				require.JSONEq(t, tt.input, string(x.InputSchema))
			}
		})
	}
}

// What an API answers with null may be sent to it as null.
func TestNullsThatAreAnswered(t *testing.T) {
	r := compile(t, surface.Prior{}, Options{}, captured(t, "a",
		exchange{request: "GET https://api.shop.test/orders/{int}", response: `{"note":null,"total":5.5}`},
		exchange{request: "PATCH https://api.shop.test/orders/{int}", body: `{"note":"x y","total":5.5}`, response: `{"note":"x y"}`},
		exchange{request: "POST https://api.shop.test/notes", body: `{"note":"x y"}`, reqType: "application/x-www-form-urlencoded", response: `{"ok":true}`}))
	note := map[string]string{}
	for _, x := range r.Surface.Tools {
		properties, _ := argumentSchemas(x.InputSchema)
		note[x.Binding.Method] = string(properties["note"])
		if x.Binding.Method == "PATCH" {
			require.JSONEq(t, `{"type":"number"}`, string(properties["total"]))
		}
	}
	require.JSONEq(t, `{"type":["string","null"]}`, note["PATCH"])
	require.JSONEq(t, `{"type":"string"}`, note["POST"], "a form has no null")
}

func TestOutputSchema(t *testing.T) {
	get := func(status int, body string) exchange {
		return exchange{request: "GET https://api.shop.test/orders/{int}", status: status, response: body}
	}
	tests := []struct {
		name, want, result string
		calls              []exchange
	}{
		{"error bodies never count", `{"type":"object","properties":{"id":{"type":"integer"}}}`, "",
			[]exchange{get(200, `{"id":1}`), get(404, `{"error":"x"}`), get(422, `{"detail":[]}`), get(500, `[]`), get(302, `{"x":1}`)}},
		{"several successes", `{"type":"object","properties":{"id":{"type":"integer"},"job":{"type":"string"}}}`, "",
			[]exchange{get(200, `{"id":1}`), get(202, `{"job":"x"}`)}},
		{"an array", `{"type":"object","required":["result"],"properties":{"result":{"type":"array","items":{"type":"object","properties":{"id":{"type":"integer"}}}}}}`, "result",
			[]exchange{get(200, `[{"id":1}]`)}},
		{"an empty array", `{"type":"object","required":["result"],"properties":{"result":{"type":"array"}}}`, "result", []exchange{get(200, `[]`)}},
		{"an empty object", `{"type":"object"}`, "", []exchange{get(200, `{}`)}},
		{"a scalar", `{"type":"object","required":["result"],"properties":{"result":{"type":"boolean"}}}`, "result", []exchange{get(200, `true`)}},
		{"objects and arrays", "", "", []exchange{get(200, `{}`), get(200, `[]`)}},
		{"nothing", "", "", []exchange{get(204, "")}},
		{"a map from ids", `{"type":"object","additionalProperties":{"type":"number"}}`, "", []exchange{get(200, `{"550e8400-e29b-41d4-a716-446655440000":1,"550e8400-e29b-41d4-a716-446655440001":2,"650e8400-e29b-41d4-a716-446655440001":2,"750e8400-e29b-41d4-a716-446655440001":2,"850e8400-e29b-41d4-a716-446655440001":2,"850e8400-e29b-41d4-a716-446655440002":2,"850e8400-e29b-41d4-a716-446655440003":2,"850e8400-e29b-41d4-a716-446655440004":2,"850e8400-e29b-41d4-a716-446655440005":2,"850e8400-e29b-41d4-a716-446655440006":2}`)}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			x := compile(t, surface.Prior{}, Options{}, captured(t, "a", tt.calls...)).Surface.Tools[0]
			require.Equal(t, tt.result, x.Binding.Result)
			if tt.want == "" {
				require.Empty(t, x.OutputSchema)
				return
			}
			require.JSONEq(t, tt.want, string(x.OutputSchema))
		})
	}
}

// spec is a declaration of GET /orders/{order-id} with everything that a
// specification can say.
func spec() capture.Declaration {
	return capture.Declaration{
		Method: "GET", Scheme: "https", Host: "api.shop.test", Port: 443, Path: "/orders/{order-id}",
		OperationID: "fetchOrder", Summary: "One order", Description: "One order with its lines.\n\nSecond paragraph.", Deprecated: true,
		Parameters: []capture.DeclaredParameter{
			{Name: "order-id", In: "path", Required: true, Description: "Number of the order.", Schema: json.RawMessage(`{"type":"string","pattern":"^[0-9]+$","x-mcp-header":"X-Evil"}`)},
			{Name: "expand", In: "query", Schema: json.RawMessage(`{"type":"array","items":{"enum":["lines","customer"]},"maximum":9223372036854775807}`), Style: "comma"},
			{Name: "lang", In: "query", Required: true, Schema: json.RawMessage(`{"type":"string","default":"en"}`)},
			{Name: "X-Shop", In: "header", Schema: json.RawMessage(`{"type":"string"}`)},
			{Name: "Authorization", In: "header", Required: true},
			{Name: "Cookie", In: "header"}, {Name: "Host", In: "header"}, {Name: "X-HTTP-Method-Override", In: "header"}, {Name: "api_key", In: "query"},
		},
		Responses: []capture.DeclaredResponse{
			{Status: 404, Type: "application/json", Schema: json.RawMessage(`{"type":"object","properties":{"error":{"type":"string"}}}`)},
			{Status: 200, Type: "application/json", Schema: json.RawMessage(`{"type":"object","required":["id"],"properties":{"id":{"type":"string"},"secret":{"type":"string"}}}`)},
		},
		Security: []capture.DeclaredRequirement{{Name: "o", Kind: "oauth2", Scopes: []string{"orders:read", "a"}}},
	}
}

func TestDeclarations(t *testing.T) {
	c := captured(t, "spec")
	c.Declarations = []capture.Declaration{spec()}
	x := tool(t, compile(t, surface.Prior{}, Options{}, c), "fetch_order")
	require.Equal(t, "/orders/{order-id}", x.Binding.Path)
	require.Equal(t, "One order with its lines. Second paragraph. Deprecated.", x.Description)
	require.Equal(t, []string{"X-Shop:header:X-Shop", "expand:query:expand", "lang:query:lang", "order-id:path:order-id"}, places(x))
	require.JSONEq(t, `{"type":"object","additionalProperties":false,"required":["lang","order-id"],"properties":{
		"X-Shop":{"type":"string"},"expand":{"type":"array","items":{"enum":["lines","customer"]},"description":"Which fields to return."},"lang":{"type":"string","default":"en"},
		"order-id":{"type":"string","pattern":"^[0-9]+$","description":"Number of the order."}}}`, string(x.InputSchema))
	require.JSONEq(t, `{"type":"object","required":["id"],"properties":{"id":{"type":"string"},"secret":{"type":"string"}}}`, string(x.OutputSchema))
	require.Equal(t, []string{"secret"}, x.Redact)
	require.Equal(t, &surface.Auth{Ref: "token", Kind: "oauth2", Scopes: []string{"a", "orders:read"}}, x.Auth)
}

// References of declared schemas still lead somewhere when the schema becomes
// part of a tool's.
func TestDeclaredReferences(t *testing.T) {
	tree := `{"type":"object","properties":{"kids":{"type":"array","items":{"$ref":"#/$defs/node"}}}}`
	other := `{"type":"string"}`
	d := spec()
	d.Method = "POST"
	d.Parameters[1].Schema = json.RawMessage(`{"$ref":"#/$defs/node","$defs":{"node":` + other + `}}`)
	d.Body = &capture.DeclaredBody{Type: "application/json", Required: true, Schema: json.RawMessage(`{"type":"object","required":["root"],"properties":{"root":{"$ref":"#/$defs/node"}},"$defs":{"node":` + tree + `}}`)}
	d.Responses[1].Schema = json.RawMessage(`{"type":"array","items":{"$ref":"#/$defs/node"},"$defs":{"node":` + tree + `}}`)
	c := captured(t, "spec")
	c.Declarations = []capture.Declaration{d}
	x := tool(t, compile(t, surface.Prior{}, Options{}, c), "fetch_order")
	require.Equal(t, "result", x.Binding.Result)
	in, out := compileSchema(t, "in", x.InputSchema), compileSchema(t, "out", x.OutputSchema)
	arguments := func(root any) map[string]any {
		return map[string]any{"order-id": "5", "lang": "en", "expand": "x", "root": root}
	}
	require.NoError(t, in.Validate(arguments(map[string]any{"kids": []any{map[string]any{}}})))
	require.Error(t, in.Validate(arguments(map[string]any{"kids": []any{"x"}})))
	require.NoError(t, out.Validate(map[string]any{"result": []any{map[string]any{"kids": []any{}}}}))
	require.Error(t, out.Validate(map[string]any{"result": []any{"x"}}))

	d.Responses[1].Schema = json.RawMessage(`{"$ref":"#/$defs/node","$defs":{"node":` + tree + `}}`)
	c.Declarations = []capture.Declaration{d}
	x = tool(t, compile(t, surface.Prior{}, Options{}, c), "fetch_order")
	require.Empty(t, x.Binding.Result, "the reference leads to an object")
	require.Error(t, compileSchema(t, "out", x.OutputSchema).Validate(map[string]any{"kids": 5}))
}

// Texts of a specification reach the agent without what reviewers cannot see,
// and bounded.
func TestDeclaredTextsAreVisible(t *testing.T) {
	d := spec()
	hidden := "Do\u202e this\u200b \U000e0041\x1b[2J now"
	d.Summary, d.Description = hidden, strings.Repeat("word ", 5000)
	d.Parameters[0].Description = hidden
	d.Parameters[2].Schema = mustEncode(t, map[string]any{"type": "string", "title": hidden, "items": map[string]any{"description": hidden}, "enum": []any{"a"}})
	c := captured(t, "spec")
	c.Declarations = []capture.Declaration{d}
	x := tool(t, compile(t, surface.Prior{}, Options{}, c), "fetch_order")
	require.LessOrEqual(t, len(x.Description), maxDescription)
	require.True(t, strings.HasPrefix(x.Description, "Do this [2J now. word"), x.Description)
	doc := x.Description + string(x.InputSchema)
	for _, r := range doc {
		require.Equal(t, r, visible(r), "%q", doc)
	}
}

func mustEncode(t *testing.T, v any) json.RawMessage {
	doc, err := json.Marshal(v)
	require.NoError(t, err)
	return doc
}

// Traffic shows what of a specification is used, and where it is wrong.
func TestDeclarationsWithTraffic(t *testing.T) {
	c := captured(t, "spec")
	other := spec()
	other.Path, other.OperationID = "/invoices", "listInvoices"
	c.Declarations = []capture.Declaration{spec(), other}
	seen := captured(t, "har", exchange{request: "GET https://api.shop.test/orders/{int}?lang=de&trace=1", response: `{"id":5,"extra":1}`, times: 12})
	r := compile(t, surface.Prior{}, Options{}, c, seen)
	require.Equal(t, []string{"fetch_order"}, toolNames(r))
	require.Len(t, r.Skipped, 1)
	require.Contains(t, r.Skipped[0].Reason, "not seen in traffic")
	x := tool(t, r, "fetch_order")
	require.Equal(t, []string{"X-Shop:header:X-Shop", "expand:query:expand", "lang:query:lang", "order-id:path:order-id", "trace:query:trace"}, places(x))
	require.Contains(t, string(x.OutputSchema), `"id":{"type":"integer"}`, "the specification says string, the API returns integers")
	require.Equal(t, []string{"fetch_order", "list_invoices"}, toolNames(compile(t, surface.Prior{}, Options{AllOperations: true}, c, seen)))
}

// A changed specification contradicts what was approved from it.
func TestDeclarationContradicts(t *testing.T) {
	c := captured(t, "spec")
	c.Declarations = []capture.Declaration{spec()}
	prior := approved(t, compile(t, surface.Prior{}, Options{}, c))
	require.Empty(t, codes(compile(t, prior, Options{}, c)))
	changed := spec()
	changed.Description = "Other text."
	changed.Parameters[1].Required = true
	changed.Responses[1].Schema = json.RawMessage(`{"type":"object","required":["id"],"properties":{"id":{"type":"integer"}}}`)
	c.Declarations = []capture.Declaration{changed}
	r := compile(t, prior, Options{}, c)
	require.Equal(t, []string{"fetch_order input.required_added /properties/expand", "fetch_order output.property_removed /properties/secret", "fetch_order output.type_changed /properties/id/type"}, codes(r))
	x := tool(t, r, "fetch_order")
	require.Equal(t, "One order with its lines. Second paragraph. Deprecated.", x.Description)
	require.Contains(t, string(x.OutputSchema), `"integer"`)
	require.Contains(t, string(x.InputSchema), `"required":["expand","lang","order-id"]`)
}

// An argument may hold a slash where successful calls had one that was escaped.
func TestEscapedSlashes(t *testing.T) {
	get := func(path string, status int) *capture.Capture {
		c := captured(t, "a", exchange{request: "GET https://api.shop.test" + path, status: status, response: `{"ok":true}`})
		c.Observations[0].Segments = []capture.Segment{{Index: 1, Classes: map[string]int{"punct": 2}, Slashes: 1}}
		return c
	}
	for _, tt := range []struct {
		path   string
		status int
		want   bool
	}{{"/packages/{punct}/tags", 200, true}, {"/packages/{punct}/tags", 404, false}, {"/packages/{punct}.json/tags", 200, false}} {
		plain := get(tt.path, 200)
		plain.Observations[0].Segments[0].Slashes = 0
		x := compile(t, surface.Prior{}, Options{}, plain, get(tt.path, tt.status)).Surface.Tools[0]
		require.Equal(t, tt.want, x.Binding.Arguments[0].EscapedSlash, tt.path)
	}
}
