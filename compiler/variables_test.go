package compiler

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tomallicino/caskmcp/surface"
)

// The document of a GraphQL operation says more of its variables than traffic
// does.
func TestGraphQLVariables(t *testing.T) {
	variables := func(properties, required string) string {
		text := `{"additionalProperties":false,"description":"Variables of the GraphQL operation.","properties":{` + properties + `}`
		if required != "" {
			text += `,"required":[` + required + `]`
		}
		text += `,"type":"object"}`
		doc := `{"additionalProperties":false,"properties":{"variables":` + text + `}`
		if required != "" {
			doc += `,"required":["variables"]`
		}
		return doc + `,"type":"object"}`
	}
	for name, tt := range map[string]struct{ document, sent, want string }{
		"scalars": {
			`query Op($id: ID!, $n: Int, $f: Float!, $s: String!, $b: Boolean) { x }`, `{"id":"5","n":2,"f":1,"s":"a"}`,
			variables(`"b":{"type":["boolean","null"]},"f":{"type":"number"},"id":{"type":["integer","string"]},"n":{"type":["integer","null"]},"s":{"type":"string"}`, `"id","f","s"`),
		},
		"lists and defaults": {
			`query Op($ids: [ID!]!, $n: Int! = 20) { x }`, `{"ids":["1"]}`,
			variables(`"ids":{"items":{"type":["integer","string"]},"type":"array"},"n":{"type":"integer"}`, `"ids"`),
		},
		"never sent": {`query Op($n: Int) { x }`, ``, variables(`"n":{"type":["integer","null"]}`, "")},
		"none":       {`query Op { x }`, `{}`, `{"additionalProperties":false,"properties":{},"type":"object"}`},
		"input objects have the shape that was seen": {
			`query Op($where: OrderWhere, $new: NewOrder!, $at: DateTime!) { x }`, `{"where":{"open":true},"new":{"total":2.5}}`,
			variables(`"at":{"description":"GraphQL type DateTime!."},"new":{"description":"GraphQL type NewOrder!.","properties":{"total":{"type":"number"}},"type":"object"},`+
				`"where":{"description":"GraphQL type OrderWhere.","properties":{"open":{"type":"boolean"}},"type":["object","null"]}`, `"new","at"`),
		},
		"the server takes more than the document says": {
			`query Op($ids: [Int!]!, $s: String!) { x }`, `{"ids":7,"s":"a","extra":true}`,
			variables(`"extra":{"type":"boolean"},"ids":{"type":"integer"},"s":{"type":"string"}`, `"ids","s"`),
		},
	} {
		t.Run(name, func(t *testing.T) {
			body := `{"operationName":"Op","query":"x"}`
			if tt.sent != "" {
				body = `{"operationName":"Op","query":"x","variables":` + tt.sent + `}`
			}
			r := compile(t, surface.Prior{}, Options{}, captured(t, "a", exchange{request: "POST https://api.shop.test/graphql", graphql: "graphql:query Op", document: tt.document, body: body, response: `{"data":{"x":1}}`}))
			require.Len(t, r.Surface.Tools, 1)
			require.JSONEq(t, tt.want, string(r.Surface.Tools[0].InputSchema), "%s", r.Surface.Tools[0].InputSchema)
		})
	}
}
