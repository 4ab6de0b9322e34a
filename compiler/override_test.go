package compiler

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tomallicino/caskmcp/capture"
	"github.com/tomallicino/caskmcp/policy"
	"github.com/tomallicino/caskmcp/surface"
)

func ptr(s string) *string { return &s }

// everything is an override of every field.
func everything() surface.Override {
	return surface.Override{
		Rename: "find_orders", Title: ptr("Find"), Description: ptr("Finds orders."), Fixed: map[string]any{"state": "open"},
		Arguments: map[string]map[string]any{"limit": {"maximum": 50, "description": "At most 50."}},
		Risk:      surface.High, Confirm: surface.Always, Limits: &surface.LimitsOverride{Rate: 5, ResponseBytes: 1000, Timeout: 3},
		Redact: []string{"email"}, Toolsets: []string{"support", "readonly"}, Expires: "2027-01-31",
	}
}

func TestOverrides(t *testing.T) {
	c := shop(t, "shop", 12)
	opt := Options{Name: "shop", Toolsets: map[string]surface.Toolset{"support": {Description: "For support."}}}
	plain := compile(t, surface.Prior{}, opt, c)
	opt.Tools = map[string]surface.Override{"list_orders": everything()}
	r := compile(t, surface.Prior{}, opt, c)
	require.Empty(t, r.Unused)
	x := tool(t, r, "find_orders")
	require.Equal(t, "Find", x.Title)
	require.Equal(t, "Finds orders.", x.Description)
	require.Equal(t, []string{"limit:query:limit", "page:query:page"}, places(x))
	require.Equal(t, []surface.Fixed{{In: "query", Key: "state", Value: json.RawMessage(`"open"`)}}, x.Binding.Fixed)
	require.JSONEq(t, `{"additionalProperties":false,"type":"object","properties":{"limit":{"type":"integer","maximum":50,"description":"At most 50."},
		"page":{"type":"integer","description":"Which page of the results to return."}}}`, string(x.InputSchema))
	require.Equal(t, surface.High, x.Risk)
	require.Equal(t, surface.Always, x.Confirm)
	require.Equal(t, surface.Limits{Rate: 5, ResponseBytes: 1000, Timeout: 3}, x.Limits)
	require.Equal(t, []string{"email"}, x.Redact)
	require.Equal(t, []string{"readonly", "support"}, x.Toolsets)
	require.Equal(t, "2027-01-31", x.Expires)
	require.Equal(t, []string{"arguments/limit/description", "arguments/limit/maximum", "confirm", "description", "expires", "fixed/state",
		"limits.rate", "limits.response_bytes", "limits.timeout", "name", "redact", "risk", "title", "toolsets"}, x.Evidence.Overrides)

	kept := compile(t, approved(t, r), opt, c, shop(t, "more", 30))
	require.Equal(t, digests(t, r), digests(t, kept), "the overrides of an approved tool change nothing")

	opt.Tools = nil
	back := compile(t, approved(t, r), opt, c)
	require.Equal(t, digests(t, plain)["list_orders"], digests(t, back)["list_orders"], "without the overrides the compiled values are back")
	for _, x := range r.Surface.Tools {
		if x.Name != "find_orders" {
			require.Equal(t, digests(t, r)[x.Name], digests(t, back)[x.Name], "other tools are as approved")
		}
	}

	opt.Tools = map[string]surface.Override{"GET /v1/orders": {Risk: surface.Critical}}
	r = compile(t, approved(t, plain), opt, c)
	require.Equal(t, surface.Critical, tool(t, r, "list_orders").Risk)
	require.Contains(t, tool(t, r, "list_orders").Toolsets, "high_risk", "membership follows the tier")
}

// One keyword less falls back to the compiled one; the others stay.
func TestOverrideOfOneKeyword(t *testing.T) {
	c := shop(t, "shop", 12)
	with := func(keywords map[string]any) Options {
		return Options{Tools: map[string]surface.Override{"list_orders": {Arguments: map[string]map[string]any{"limit": keywords}}}}
	}
	r := compile(t, surface.Prior{}, with(map[string]any{"maximum": 50, "minimum": 1}), c)
	r = compile(t, approved(t, r), with(map[string]any{"maximum": 50}), c)
	require.Equal(t, map[string]any{"type": "integer", "maximum": 50.0, "description": "How many results to return at most."}, input(t, tool(t, r, "list_orders"), "limit"))
	r = compile(t, approved(t, r), with(map[string]any{"maximum": 20}), c)
	require.Equal(t, 20.0, input(t, tool(t, r, "list_orders"), "limit")["maximum"])
}

func TestOptionErrors(t *testing.T) {
	tools := func(name string, o surface.Override) Options {
		return Options{Tools: map[string]surface.Override{name: o}}
	}
	tests := []struct {
		name, want string
		opt        Options
	}{
		{"scope", `there is no scope "all"`, Options{Scope: "all"}},
		{"scope rule action", `rule 1 of the scope file: action is "allow"`, Options{ScopeRules: []ScopeRule{{Action: "allow"}}}},
		{"scope rule field", `unknown field "verb"`, Options{ScopeRules: []ScopeRule{{Action: "include", Filters: []ScopeFilter{{Field: "verb", Operator: "equals"}}}}}},
		{"scope rule operator", `unknown operator "is"`, Options{ScopeRules: []ScopeRule{{Action: "include", Filters: []ScopeFilter{{Field: "path", Operator: "is"}}}}}},
		{"scope rule expression", `missing closing`, Options{ScopeRules: []ScopeRule{{Action: "include", Filters: []ScopeFilter{{Field: "path", Operator: "matches", Value: "("}}}}}},
		{"pattern", `is not a pattern`, Options{Include: []string{"[a"}}},
		{"empty pattern", `is not a pattern`, Options{Exclude: []string{" "}}},
		{"policy", `invalid policy`, Options{Policy: &policy.Policy{Default: "perhaps"}}},
		{"rename", `is no tool name`, tools("get_order", surface.Override{Rename: "Get Order"})},
		{"two of one name", `two tools would be named "list_orders"`, tools("get_order", surface.Override{Rename: "list_orders"})},
		{"risk", `risk is "none"`, tools("get_order", surface.Override{Risk: "none"})},
		{"confirm", `confirm is "maybe"`, tools("get_order", surface.Override{Confirm: "maybe"})},
		{"limits", `limits must not be negative`, tools("get_order", surface.Override{Limits: &surface.LimitsOverride{Rate: -1}})},
		{"toolset", `there is no toolset "x"`, tools("get_order", surface.Override{Toolsets: []string{"x"}})},
		{"fixed", `fixes argument "state" of tool "get_order", which has order_id`, tools("get_order", surface.Override{Fixed: map[string]any{"state": 1}})},
		{"fixed number", `cannot be represented exactly`, tools("get_order", surface.Override{Fixed: map[string]any{"order_id": 1 << 60}})},
		{"arguments", `tightens argument "x" of tool "get_order"`, tools("get_order", surface.Override{Arguments: map[string]map[string]any{"x": {"maximum": 1}}})},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.opt.Name = "shop"
			_, err := Compile(nil, surface.Prior{}, Options{})
			require.NoError(t, err, "no captures, no tools")
			c := shop(t, "shop", 1)
			_, err = Compile([]*capture.Capture{c}, surface.Prior{}, tt.opt)
			require.ErrorContains(t, err, tt.want)
		})
	}
}

func TestUnusedOverrides(t *testing.T) {
	r := compile(t, surface.Prior{}, Options{Tools: map[string]surface.Override{"no_such_tool": {Rename: "x"}, "get_order": {Title: ptr("x")}}}, shop(t, "shop", 1))
	require.Equal(t, []string{"no_such_tool"}, r.Unused)
}
