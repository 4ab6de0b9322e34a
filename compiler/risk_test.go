package compiler

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tomallicino/caskmcp/surface"
)

func TestEffectAndRisk(t *testing.T) {
	id := `{"id":1}`
	tests := []struct {
		call   exchange
		effect surface.Effect
		risk   surface.Risk
		reason string
	}{
		{exchange{request: "GET https://api.shop.test/orders"}, surface.Read, surface.Safe, "reads, and nothing personal or secret was seen"},
		{exchange{request: "GET https://api.shop.test/authors"}, surface.Read, surface.Safe, ""},
		{exchange{request: "GET https://api.shop.test/orders", response: `{"customer":{"emailAddress":"x"}}`}, surface.Read, surface.Low, `reads personal data: the response field "emailAddress"`},
		{exchange{request: "GET https://api.shop.test/orders", response: `{"hooks":[{"client_secret":"x"}]}`}, surface.Read, surface.Medium, "reads responses that hold secrets; their values are masked"},
		{exchange{request: "GET https://api.shop.test/orders", response: `{"name":"x","next_page_token":"x","passwordCount":5}`}, surface.Read, surface.Safe, ""},
		{exchange{request: "GET https://api.shop.test/tokens", response: id}, surface.Read, surface.High, `reads what gives access: the path says "tokens"`},
		{exchange{request: "GET https://api.shop.test/admin/jobs", response: id}, surface.Read, surface.Medium, `reads how the service is run: the path says "admin"`},
		{exchange{request: "GET https://api.shop.test/logout"}, surface.Write, surface.Critical, `changes who has access: the path says "logout"`},
		{exchange{request: "POST https://api.shop.test/orders", body: id}, surface.Write, surface.Medium, "changes data"},
		{exchange{request: "POST https://api.shop.test/customers", body: `{"phone":"x"}`}, surface.Write, surface.High, `writes personal data: the argument "phone"`},
		{exchange{request: "POST https://api.shop.test/orders/search", body: id}, surface.Read, surface.Safe, ""},
		{exchange{request: "POST https://api.shop.test/events/search", body: id, response: `{}`}, surface.Write, surface.Medium, ""},
		{exchange{request: "POST https://api.shop.test/volumes/prune", body: id}, surface.Destructive, surface.High, ""},
		{exchange{request: "POST https://api.shop.test/saved-searches", body: id}, surface.Write, surface.Medium, ""},
		{exchange{request: "POST https://api.shop.test/orders/delete", body: id}, surface.Destructive, surface.High, "deletes data that a call cannot bring back"},
		{exchange{request: "POST https://api.shop.test/orders/bulk_delete", body: id}, surface.Destructive, surface.High, ""},
		{exchange{request: "POST https://api.shop.test/orders/{int}/refunds", body: id}, surface.Write, surface.High, `moves money: the path says "refunds"`},
		{exchange{request: "POST https://api.shop.test/console/execute-script", body: id}, surface.Write, surface.High, `runs code or commands: the path says "console"`},
		{exchange{request: "DELETE https://api.shop.test/sessions/{int}"}, surface.Destructive, surface.Critical, ""},
		{exchange{request: "PUT https://api.shop.test/orders/{int}", body: id}, surface.Write, surface.Medium, ""},
		{exchange{request: "POST https://api.shop.test/graphql", graphql: "graphql:query Orders", document: "query Orders { orders }", body: id}, surface.Read, surface.Safe, ""},
		{exchange{request: "POST https://api.shop.test/graphql", graphql: "graphql:mutation Pay", document: "mutation Pay { pay }", body: id}, surface.Write, surface.Medium, ""},
		{exchange{request: "POST https://api.shop.test/graphql", graphql: "graphql:mutation DeleteOrder", document: "mutation DeleteOrder { deleteOrder }", body: id}, surface.Destructive, surface.High, ""},
		{exchange{request: "POST https://api.shop.test/graphql", graphql: "graphql:batch", body: `[{"query":"x"}]`}, surface.Destructive, surface.High, ""},
		{exchange{request: "POST https://api.shop.test/rpc", graphql: "jsonrpc:eth_getBalance", body: id}, surface.Read, surface.Safe, ""},
		{exchange{request: "POST https://api.shop.test/rpc", graphql: "jsonrpc:orders.list_open", body: id}, surface.Read, surface.Safe, ""},
		{exchange{request: "POST https://api.shop.test/rpc", graphql: "jsonrpc:listOrders", body: id}, surface.Read, surface.Safe, ""},
		{exchange{request: "POST https://api.shop.test/rpc", graphql: "jsonrpc:update_list", body: id}, surface.Write, surface.Medium, ""},
		{exchange{request: "POST https://api.shop.test/rpc", graphql: "jsonrpc:incrementCount", body: id}, surface.Write, surface.Medium, ""},
		{exchange{request: "POST https://api.shop.test/rpc", graphql: "jsonrpc:eth_call", body: id}, surface.Write, surface.Medium, ""},
		{exchange{request: "POST https://api.shop.test/rpc", graphql: "jsonrpc:orders.purge", body: id}, surface.Destructive, surface.High, ""},
		{exchange{request: "POST https://api.shop.test/rpc", graphql: "jsonrpc:setAndGetState", body: id}, surface.Write, surface.Medium, ""},
	}
	for _, tt := range tests {
		t.Run(tt.call.request+" "+tt.call.graphql, func(t *testing.T) {
			if tt.call.response == "" {
				tt.call.response = id
			}
			x := compile(t, surface.Prior{}, Options{}, captured(t, "a", tt.call)).Surface.Tools[0]
			require.Equal(t, tt.effect, x.Effect)
			require.Equal(t, tt.risk, x.Risk)
			risk, reason := AssessRisk(x)
			require.Equal(t, x.Risk, risk)
			if tt.reason != "" {
				require.Equal(t, tt.reason, reason)
			}
			require.NotContains(t, reason, "\n")
			if x.Effect != surface.Read || x.Risk.Rank() >= surface.High.Rank() {
				require.Equal(t, surface.Always, x.Confirm)
			} else {
				require.Equal(t, surface.Never, x.Confirm)
			}
			require.Equal(t, x.Effect == surface.Read, x.Annotations.ReadOnly)
		})
	}
}

func TestAnnotations(t *testing.T) {
	for method, want := range map[string]surface.Annotations{
		"GET":    {ReadOnly: true, Idempotent: true, OpenWorld: true},
		"POST":   {OpenWorld: true},
		"PUT":    {Destructive: true, Idempotent: true, OpenWorld: true},
		"PATCH":  {Destructive: true, OpenWorld: true},
		"DELETE": {Destructive: true, Idempotent: true, OpenWorld: true},
	} {
		e := &endpoint{key: endpointKey{method: method, template: "/orders/{}"}}
		require.Equal(t, want, annotationsOf(method, effectOf(e)), method)
	}
}

// A POST that repeats the query of a GET reads; one that changes does not.
func TestMirrors(t *testing.T) {
	get := exchange{request: "GET https://api.shop.test/series?match=x&start=1", response: `{"status":"ok","data":[]}`}
	form := "application/x-www-form-urlencoded"
	for name, tt := range map[string]struct {
		post exchange
		want surface.Effect
	}{
		"same parameters, same answer":  {exchange{request: "POST https://api.shop.test/series", body: `{"match":"x"}`, reqType: form, response: get.response}, surface.Read},
		"JSON":                          {exchange{request: "POST https://api.shop.test/series", body: `{"match":"x"}`, response: get.response}, surface.Write},
		"other parameters":              {exchange{request: "POST https://api.shop.test/series", body: `{"name":"x","match":"x","size":"3"}`, reqType: form, response: get.response}, surface.Write},
		"another answer":                {exchange{request: "POST https://api.shop.test/series", body: `{"match":"x"}`, reqType: form, response: `{"id":1}`}, surface.Write},
		"created":                       {exchange{request: "POST https://api.shop.test/series", body: `{"match":"x"}`, reqType: form, response: get.response, status: 201}, surface.Write},
		"the GET is of another path":    {exchange{request: "POST https://api.shop.test/other", body: `{"match":"x"}`, reqType: form, response: get.response}, surface.Write},
		"nothing that the GET could do": {exchange{request: "POST https://api.shop.test/series", body: `{}`, reqType: form, response: get.response}, surface.Write},
	} {
		t.Run(name, func(t *testing.T) {
			r := compile(t, surface.Prior{}, Options{}, captured(t, "a", get, tt.post))
			require.Len(t, r.Surface.Tools, 2)
			for _, x := range r.Surface.Tools {
				if x.Binding.Method == "POST" {
					require.Equal(t, tt.want, x.Effect)
				}
			}
		})
	}
}

// A mask is what makes such a read harmless enough.
func TestShownSecretsAreHighRisk(t *testing.T) {
	x := compile(t, surface.Prior{}, Options{}, captured(t, "a", exchange{request: "GET https://api.shop.test/orders", response: `{"client_secret":"x"}`})).Surface.Tools[0]
	require.Equal(t, []string{"client_secret"}, x.Redact)
	require.Equal(t, surface.Never, x.Confirm)
	x.Redact = nil
	risk, reason := AssessRisk(x)
	require.Equal(t, surface.High, risk)
	require.Equal(t, "reads responses that hold secrets, and shows them", reason)
}
