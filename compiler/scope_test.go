package compiler

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tomallicino/caskmcp/capture"
	"github.com/tomallicino/caskmcp/surface"
)

// town is an API with something for every scope.
func town(t testing.TB) *capture.Capture {
	ok := `{"id":1}`
	return captured(t, "town",
		exchange{request: "GET https://api.shop.test/orders", response: `[` + ok + `]`},
		exchange{request: "POST https://api.shop.test/orders", body: ok, response: ok},
		exchange{request: "POST https://api.shop.test/orders/search", body: ok, response: ok},
		exchange{request: "GET https://api.shop.test/customers", response: `[{"email":"a@b.test"}]`},
		exchange{request: "GET https://api.shop.test/authors", response: `[` + ok + `]`},
		exchange{request: "POST https://api.shop.test/auth/login", body: ok, response: ok},
		exchange{request: "GET https://api.shop.test/admin/jobs", response: `[` + ok + `]`},
		exchange{request: "DELETE https://api.shop.test/orders/{int}", status: 204},
	)
}

func TestScopes(t *testing.T) {
	all := "create_order delete_order list_authors list_customers list_jobs list_orders login_auth search_orders"
	tests := []struct {
		name, want string
		opt        Options
	}{
		{"default", all, Options{}},
		{"first_party_only", all, Options{Scope: "first_party_only"}},
		{"agent_safe_readonly", "list_authors list_orders search_orders", Options{Scope: "agent_safe_readonly"}},
		{"state_changing", "create_order delete_order login_auth", Options{Scope: "state_changing"}},
		{"auth_surface", "login_auth", Options{Scope: "auth_surface"}},
		{"pii_surface", "list_customers", Options{Scope: "pii_surface"}},
		{"rules", "list_authors list_customers list_jobs", Options{Scope: "auth_surface", ScopeRules: []ScopeRule{
			{Action: "exclude", Filters: []ScopeFilter{{Field: "path", Operator: "contains", Value: "orders"}}},
			{Action: "include", Filters: []ScopeFilter{{Field: "method", Operator: "in", Value: []any{"GET", "HEAD"}}, {Field: "effect", Operator: "equals", Value: "read"}}},
		}}},
		{"rules by flags", "login_auth", Options{ScopeRules: []ScopeRule{{Action: "include", Filters: []ScopeFilter{{Field: "auth", Operator: "equals", Value: true}, {Field: "name", Operator: "matches", Value: "^login"}, {Field: "pii", Operator: "not_equals", Value: true}, {Field: "host", Operator: "not_in", Value: []any{"x"}}, {Field: "risk", Operator: "not_contains", Value: "low"}}}}}},
		{"no rule", "", Options{ScopeRules: []ScopeRule{}}},
		{"include by name", "list_authors list_orders", Options{Include: []string{"list_[ao]*"}}},
		{"include by request", "list_orders", Options{Include: []string{"GET /orders"}}},
		{"include by template", "delete_order", Options{Include: []string{"* /orders/{id}"}}},
		{"exclude wins", "list_authors list_customers", Options{Include: []string{"GET /**"}, Exclude: []string{"* /admin/**", "list_orders"}}},
		{"one segment", "login_auth search_orders", Options{Include: []string{"post /*/*"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := compile(t, surface.Prior{}, tt.opt, town(t))
			require.Equal(t, tt.want, strings.Join(toolNames(r), " "))
			require.Len(t, r.Skipped, 8-len(r.Surface.Tools), "everything left out is listed")
			for _, s := range r.Skipped {
				require.NotEmpty(t, s.Reason)
				require.Positive(t, s.Count)
			}
		})
	}
}

func TestSkipped(t *testing.T) {
	r := compile(t, surface.Prior{}, Options{}, captured(t, "a",
		exchange{request: "GET https://api.shop.test/orders", response: `[]`},
		exchange{request: "HEAD https://api.shop.test/orders"},
		exchange{request: "OPTIONS https://api.shop.test/orders", status: 204, times: 3},
		exchange{request: "GET https://api.shop.test/missing", status: 404, response: `{}`, times: 2},
		exchange{request: "POST https://api.shop.test/broken", status: 500, body: `{}`},
		exchange{request: "GET https://api.shop.test/go", status: 302},
		exchange{request: "GET https://api.shop.test/page", response: "x", resType: "text/html"},
		exchange{request: "DELETE https://api.shop.test/carts/{int}", resType: "text/html"}, // empty, whatever it says it is
		exchange{request: "GET https://api.shop.test/logo", response: "x", resType: "image/png"},
		exchange{request: "GET https://api.shop.test/stream", response: "x", resType: "text/event-stream"},
		exchange{request: "POST https://api.shop.test/telemetry", body: `{}`, status: 204},
		exchange{request: "PUT https://api.shop.test/blobs/{int}", body: `{}`, reqType: "application/octet-stream", status: 204},
		exchange{request: "GET https://api.shop.test/cached/{int}", status: 304},
		exchange{request: "POST https://api.shop.test/markdown", body: `{"text":"x"}`, response: "x", resType: "text/html"}, // it renders
		exchange{request: "PUT https://api.shop.test/sheets/{int}", body: `{}`, reqType: "text/csv", status: 204},
		exchange{request: "GET https://api.shop.test/enter?user=x&password=x", response: `{}`},
	))
	require.Equal(t, []string{"create_markdown", "delete_cart", "get_cached", "list_orders"}, toolNames(r))
	reasons := []string{}
	for _, s := range r.Skipped {
		reasons = append(reasons, strings.TrimPrefix(s.Request, "https://api.shop.test")+": "+s.Reason)
	}
	require.Equal(t, []string{
		"GET https://api.shop.test/enter: each call is sent a secret in its query (password), which is no argument",
		"GET https://api.shop.test/go: no successful response was seen (302)",
		"GET https://api.shop.test/logo: a static file (image/png)",
		"GET https://api.shop.test/missing: no successful response was seen (404)",
		"GET https://api.shop.test/page: an HTML page",
		"GET https://api.shop.test/stream: a stream of server-sent events",
		"HEAD https://api.shop.test/orders: HEAD of an operation that GET covers",
		"OPTIONS https://api.shop.test/orders: OPTIONS asks about the server, not about the API",
		"POST https://api.shop.test/broken: no successful response was seen (500)",
		"POST https://api.shop.test/telemetry: telemetry or a probe of the server",
		"PUT https://api.shop.test/blobs/{}: the request body is application/octet-stream, which arguments cannot express",
		"PUT https://api.shop.test/sheets/{}: the request body is text/csv, which arguments cannot express",
	}, reasons)
}
