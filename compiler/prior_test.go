package compiler

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tomallicino/caskmcp/capture"
	"github.com/tomallicino/caskmcp/surface"
)

// approved makes a prior in which everything of r is approved, read back from
// the bytes that a lockfile stores.
func approved(t testing.TB, r *Result) surface.Prior {
	t.Helper()
	var p surface.Prior
	for _, x := range r.Surface.Tools {
		doc, err := surface.MarshalIndent(x)
		require.NoError(t, err)
		stored, err := surface.ParseTool(doc)
		require.NoError(t, err)
		p.Entries = append(p.Entries, surface.PriorEntry{Name: x.Name, Identity: x.Binding.Identity(), Status: surface.Approved, Tool: &stored})
	}
	return p
}

// digests of a result's tools by name.
func digests(t testing.TB, r *Result) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, x := range r.Surface.Tools {
		d, err := x.Digest()
		require.NoError(t, err)
		out[x.Name] = d
	}
	return out
}

func toolNames(r *Result) []string {
	out := []string{}
	for _, x := range r.Surface.Tools {
		out = append(out, x.Name)
	}
	return out
}

func codes(r *Result) []string {
	out := []string{}
	for _, c := range r.Contradictions {
		out = append(out, c.Tool+" "+c.Code+" "+c.Path)
	}
	return out
}

// The same API with more traffic and more optional things is the same surface.
func TestPriorKeepsApprovedBytes(t *testing.T) {
	first := compile(t, surface.Prior{}, Options{}, shop(t, "shop", 3))
	prior := approved(t, first)
	more := captured(t, "more",
		exchange{request: "GET https://api.shop.test/v1/orders?page=2&sort=asc", response: `{"orders":[],"previous":null}`, times: 9},
		exchange{request: "GET https://api.shop.test/v1/orders/{int}", response: `{"id":70009,"status":"paid","total":10,"items":[],"customer":null,"note":"x","shipping":{"street":"y"}}`, times: 9},
	)
	r := compile(t, prior, Options{}, shop(t, "shop", 9), more)
	require.Empty(t, r.Contradictions)
	require.Equal(t, digests(t, first), digests(t, r))
	require.Equal(t, first.Surface.Server, r.Surface.Server)
	fields := map[string][]string{}
	for _, p := range r.Proposals {
		fields[p.Tool] = p.Fields
	}
	require.Equal(t, []string{"description", "inputSchema", "outputSchema", "binding"}[0:0], slices.DeleteFunc(fields["get_order"], func(f string) bool { return f == "description" || f == "outputSchema" }))
	require.Contains(t, fields["list_orders"], "inputSchema")
	require.Contains(t, fields["list_orders"], "binding", "the new argument is proposed")
	require.Equal(t, 12, tool(t, r, "list_tags").Evidence.Observations+3, "evidence is that of the captures")
}

// A newer caskmcp with other texts rewrites nothing that is approved.
func TestPriorKeepsTextsOfOlderVersions(t *testing.T) {
	c := shop(t, "shop", 12)
	first := compile(t, surface.Prior{}, Options{}, c)
	old := maps.Clone(texts)
	t.Cleanup(func() { texts = old })
	texts = maps.Clone(texts)
	for key := range texts {
		texts[key] = "New: " + texts[key]
	}
	r := compile(t, approved(t, first), Options{}, c)
	require.Equal(t, digests(t, first), digests(t, r))
	require.Len(t, r.Proposals, len(r.Surface.Tools))
	for _, p := range r.Proposals {
		require.Contains(t, p.Fields, "description")
		require.True(t, strings.HasPrefix(p.After.Description, "New: "), p.After.Description)
	}
}

func TestContradictions(t *testing.T) {
	order := `{"id":70001,"status":"open","total":12.5,"items":[{"sku":"A1","quantity":2}],"customer":{"email":"a@shop.test"},"note":null}`
	tests := []struct {
		name   string
		seen   []exchange
		codes  []string
		keeps  string // a tool that must not change at all
		change func(t *testing.T, x surface.Tool)
	}{
		{
			name:  "type of a response field",
			seen:  []exchange{{request: "GET https://api.shop.test/v1/orders/{int}", response: strings.Replace(order, "70001", `"ord_1"`, 1)}},
			codes: []string{"get_order output.type /properties/id"},
			change: func(t *testing.T, x surface.Tool) {
				require.Contains(t, string(x.OutputSchema), `"id":{"type":["string","integer"]}`)
			},
		},
		{
			name: "most, not all, of the values have another type",
			seen: []exchange{
				{request: "GET https://api.shop.test/v1/orders/{int}", response: strings.Replace(order, "70001", `"ord_1"`, 1)},
				{request: "GET https://api.shop.test/v1/orders/{int}", response: order, times: 2},
			},
		},
		{
			name:  "required response field is gone",
			seen:  []exchange{{request: "GET https://api.shop.test/v1/orders/{int}", response: strings.Replace(order, `"status"`, `"state"`, 1), times: 5}},
			codes: []string{"get_order output.removed /properties/status"},
			change: func(t *testing.T, x surface.Tool) {
				require.NotContains(t, string(x.OutputSchema), `"status","total"]`)
				require.Contains(t, string(x.OutputSchema), `"state"`)
			},
		},
		{
			name: "field absent from two objects",
			seen: []exchange{{request: "GET https://api.shop.test/v1/orders/{int}", response: strings.Replace(order, `"status"`, `"state"`, 1), times: 2}},
		},
		{
			name: "null and fraction",
			seen: []exchange{{request: "GET https://api.shop.test/v1/orders/{int}", response: strings.Replace(strings.Replace(order, `"open"`, "null", 1), "70001", "70001.5", 1), times: 5}},
		},
		{
			name:  "response becomes an array",
			seen:  []exchange{{request: "GET https://api.shop.test/v1/orders/{int}", response: `[` + order + `]`, times: 5}},
			codes: []string{"get_order output.type "},
			change: func(t *testing.T, x surface.Tool) {
				require.Empty(t, x.OutputSchema, "objects and arrays were seen: no schema holds for both")
			},
		},
		{
			name:  "type of a query parameter",
			seen:  []exchange{{request: "GET https://api.shop.test/v1/orders?page=abc&limit=1&state=open", response: `{"orders":[],"next":"x"}`, times: 3}},
			codes: []string{"list_orders input.type /properties/page"},
			change: func(t *testing.T, x surface.Tool) {
				require.Equal(t, []any{"string", "integer"}, input(t, x, "page")["type"])
			},
		},
		{
			name:  "type of a body property",
			seen:  []exchange{{request: "POST https://api.shop.test/v1/orders", status: 201, body: `{"customer_id":"cus_1","items":[]}`, response: order}},
			codes: []string{"create_order input.type /properties/customer_id"},
			change: func(t *testing.T, x surface.Tool) {
				require.Equal(t, []any{"string", "integer"}, input(t, x, "customer_id")["type"])
			},
		},
		{
			name:  "required argument is not sent any more",
			seen:  []exchange{{request: "POST https://api.shop.test/v1/orders", status: 201, body: `{"items":[]}`, response: order, times: 3}},
			codes: []string{"create_order input.removed /properties/customer_id"},
			change: func(t *testing.T, x surface.Tool) {
				require.NotContains(t, string(x.InputSchema), `"required":["customer_id"`)
			},
		},
		{
			name:  "body encoding",
			seen:  []exchange{{request: "POST https://api.shop.test/v1/orders", status: 201, body: `{"items":"x"}`, reqType: "application/x-www-form-urlencoded", response: order, times: 30}},
			codes: []string{"create_order input.encoding "},
			change: func(t *testing.T, x surface.Tool) {
				require.Equal(t, "application/x-www-form-urlencoded", x.Binding.Encoding)
			},
		},
		{
			name:  "bodies become arrays",
			seen:  []exchange{{request: "POST https://api.shop.test/v1/orders", status: 201, body: `[{"customer_id":1}]`, response: order}},
			codes: []string{"create_order input.type "},
			change: func(t *testing.T, x surface.Tool) {
				require.Equal(t, []string{"body:body:"}, places(x))
			},
		},
		{
			name:   "credentials are not needed any more",
			seen:   []exchange{{request: "GET https://api.shop.test/v1/orders/{int}", response: order, auth: "none"}},
			codes:  []string{"get_order auth.removed "},
			change: func(t *testing.T, x surface.Tool) { require.NotNil(t, x.Auth, "some calls still used them") },
		},
		{
			name:   "credentials are needed now",
			seen:   []exchange{{request: "GET https://api.shop.test/v1/tags", response: `["a"]`}},
			codes:  []string{"list_tags auth.added "},
			change: func(t *testing.T, x surface.Tool) { require.Equal(t, "bearer", x.Auth.Kind) },
		},
		{
			name: "a sanitised recording says nothing about credentials",
			seen: []exchange{{request: "GET https://api.shop.test/v1/orders/{int}", response: order, auth: "unknown", times: 5}},
		},
		{
			name: "errors say nothing about success",
			seen: []exchange{{request: "GET https://api.shop.test/v1/orders/{int}", status: 500, response: `{"id":"x"}`, auth: "none", times: 9}},
		},
	}
	base := shop(t, "base", 12)
	first := compile(t, surface.Prior{}, Options{}, base)
	prior := approved(t, first)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := compile(t, prior, Options{}, base, captured(t, "later", tt.seen...))
			if tt.codes == nil {
				tt.codes = []string{}
			}
			require.Equal(t, tt.codes, codes(r))
			changed := ""
			if len(tt.codes) > 0 {
				changed, _, _ = strings.Cut(tt.codes[0], " ")
				tt.change(t, tool(t, r, changed))
			}
			before, after := digests(t, first), digests(t, r)
			for name := range before {
				if name != changed {
					require.Equal(t, before[name], after[name], name)
				}
			}
			if changed != "" {
				was, is := tool(t, first, changed), tool(t, r, changed)
				require.Equal(t, was.Description, is.Description, "texts stay")
				again := compile(t, approved(t, r), Options{}, base, captured(t, "later", tt.seen...))
				require.Equal(t, digests(t, r), digests(t, again), "approving the new definition settles it")
			}
		})
	}
}

// Names are never given away: not those of tombstones, and those of tools
// whose operation is gone only as a replacement.
func TestPriorNames(t *testing.T) {
	get := exchange{request: "GET https://api.shop.test/v1/orders/{int}", response: `{"id":1}`}
	v2 := exchange{request: "GET https://api.shop.test/v2/orders/{int}", response: `{"id":1}`}
	old := compile(t, surface.Prior{}, Options{}, captured(t, "a", get))
	require.Equal(t, []string{"get_order"}, toolNames(old))
	id := old.Surface.Tools[0].Binding.Identity()

	both := compile(t, approved(t, old), Options{}, captured(t, "a", get, v2))
	require.Equal(t, []string{"get_order", "get_v2_order"}, toolNames(both))
	require.Equal(t, id, tool(t, both, "get_order").Binding.Identity())

	replaced := compile(t, approved(t, old), Options{}, captured(t, "a", v2))
	require.Equal(t, []string{"get_order"}, toolNames(replaced), "the plan shows a replacement")
	require.NotEqual(t, id, replaced.Surface.Tools[0].Binding.Identity())

	for _, status := range []surface.Status{surface.Rejected, surface.Removed} {
		tombstone := surface.Prior{Entries: []surface.PriorEntry{{Name: "get_order", Identity: id, Status: status}}}
		other := compile(t, tombstone, Options{}, captured(t, "a", v2))
		require.Equal(t, []string{"get_v2_order"}, toolNames(other), status)
		again := compile(t, tombstone, Options{}, captured(t, "a", get))
		require.Equal(t, []string{"get_order"}, toolNames(again), "%s: the same operation has the same name", status)
	}
}

func TestPriorSurvivesErrors(t *testing.T) {
	get := exchange{request: "GET https://api.shop.test/v1/orders/{int}", response: `{"id":1}`}
	prior := approved(t, compile(t, surface.Prior{}, Options{}, captured(t, "a", get)))
	missing := get
	missing.status = 404
	r := compile(t, prior, Options{}, captured(t, "b", missing, missing))
	require.Equal(t, []string{"get_order"}, toolNames(r), "an order may be missing")
	r = compile(t, prior, Options{}, captured(t, "b", missing, missing, missing))
	require.Empty(t, toolNames(r), "all of three calls were answered 404")
	require.Equal(t, []Skipped{{Request: "GET https://api.shop.test/v1/orders/{}", Reason: "no successful response was seen (404)", Count: 3}}, r.Skipped)
}

func TestRecompiledOutputIsRedacted(t *testing.T) {
	get := exchange{request: "GET https://api.shop.test/v1/orders/{int}", response: `{"id":1,"note":"x"}`, times: 12}
	changed := exchange{request: "GET https://api.shop.test/v1/orders/{int}", response: `{"id":"x","note":"x","api_key":"y"}`, times: 3}
	prior := approved(t, compile(t, surface.Prior{}, Options{}, captured(t, "a", get)))
	x := tool(t, compile(t, prior, Options{}, captured(t, "a", get), captured(t, "b", changed)), "get_order")
	require.Equal(t, []string{"api_key"}, x.Redact)
	require.Equal(t, surface.Medium, x.Risk)
}

func TestCompileIsDeterministic(t *testing.T) {
	a, b, c := shop(t, "a", 3), shop(t, "b", 12), captured(t, "c", exchange{request: "GET https://api.shop.test/v1/users/{word}", response: `{"login":"x"}`, echo: "login"})
	want := compile(t, surface.Prior{}, Options{}, a, b, c)
	files, err := Artifacts(want, "shop")
	require.NoError(t, err)
	for _, order := range [][]int{{0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
		captures := []*capture.Capture{}
		for _, i := range order {
			x := []*capture.Capture{a, b, c}[i]
			y := *x
			y.Observations = slices.Clone(x.Observations)
			slices.Reverse(y.Observations)
			captures = append(captures, &y)
		}
		r := compile(t, surface.Prior{}, Options{}, captures...)
		again, err := Artifacts(r, "shop")
		require.NoError(t, err)
		require.Equal(t, files, again)
		left, _ := json.Marshal(want)
		right, _ := json.Marshal(r)
		require.Equal(t, string(left), string(right))
	}
}

// A proposal names every field that differs, whichever it is.
func TestDifferingCoversEveryField(t *testing.T) {
	x := tool(t, compile(t, surface.Prior{}, Options{}, shop(t, "shop", 12)), "list_orders")
	same := clone(x)
	same.InputSchema = json.RawMessage(" " + string(same.InputSchema) + " ")
	same.Redact, same.Evidence = []string{}, nil
	fields, err := differing(x, same)
	require.NoError(t, err)
	require.Empty(t, fields)

	v := reflect.ValueOf(&x).Elem()
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		if name == "evidence" {
			continue
		}
		y := clone(x)
		switch f := reflect.ValueOf(&y).Elem().Field(i); {
		case f.Type() == reflect.TypeFor[json.RawMessage]():
			f.SetBytes([]byte(`{"x":1}`))
		case f.Kind() == reflect.String:
			f.SetString("x")
		case f.Kind() == reflect.Slice:
			f.Set(reflect.ValueOf([]string{"x"}))
		default:
			f.SetZero()
		}
		fields, err := differing(x, y)
		require.NoError(t, err)
		require.Equal(t, []string{name}, fields)
	}
}

// A parameter that is sent once here and several times there is the same
// parameter, in a query and in a form.
func TestRepeatedParametersContradictNothing(t *testing.T) {
	query := func(q string) *capture.Capture {
		return captured(t, "a", exchange{request: "GET https://api.shop.test/series?" + q, response: `{"ok":true}`, times: 3})
	}
	form := func(body string) *capture.Capture {
		return captured(t, "a", exchange{request: "POST https://api.shop.test/series", body: body, reqType: "application/x-www-form-urlencoded", response: `{"ok":true}`, times: 3})
	}
	for name, tt := range map[string]struct{ first, then *capture.Capture }{
		"query, once first":        {query("match[]=a%20b"), query("match[]=a%20b&match[]=c%20d")},
		"query, several first":     {query("match[]=a%20b&match[]=c%20d"), query("match[]=a%20b")},
		"query of numbers":         {query("shop=5"), query("shop=5&shop=6")},
		"form, once first":         {form(`{"match[]":"a b"}`), form(`{"match[]":["a b","c d"]}`)},
		"form, several first":      {form(`{"match[]":["a b","c d"]}`), form(`{"match[]":"a b"}`)},
		"form of numbers":          {form(`{"shop":5}`), form(`{"shop":[5,6]}`)},
		"form of numbers, several": {form(`{"shop":[5,6]}`), form(`{"shop":5}`)},
	} {
		t.Run(name, func(t *testing.T) {
			first := compile(t, surface.Prior{}, Options{}, tt.first)
			r := compile(t, approved(t, first), Options{}, tt.first, tt.then)
			require.Empty(t, codes(r))
			require.Equal(t, digests(t, first), digests(t, r))
		})
	}
	x := compile(t, surface.Prior{}, Options{}, form(`{"match[]":"a b"}`), form(`{"match[]":["a b","c d"]}`)).Surface.Tools[0]
	require.JSONEq(t, `{"type":"object","additionalProperties":false,"properties":{"match[]":{"type":"array","items":{"type":"string"}}}}`,
		strings.Replace(string(x.InputSchema), `"match"`, `"match[]"`, 1))
}

// What was approved stays, also where it would not be offered any more.
func TestPriorSurvivesNewReasons(t *testing.T) {
	list := exchange{request: "POST https://api.shop.test/v1/lists", body: `{"a":1}`, response: `{"id":1}`}
	prior := approved(t, compile(t, surface.Prior{}, Options{}, captured(t, "a", list)))
	c := captured(t, "b", list)
	c.Observations[0].RequestType, c.Observations[0].Request = "text/csv", nil
	require.Empty(t, compile(t, surface.Prior{}, Options{}, c).Surface.Tools)
	require.Equal(t, []string{"create_list"}, toolNames(compile(t, prior, Options{}, c)))
}
