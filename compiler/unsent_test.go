package compiler

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tomallicino/caskmcp/capture"
	"github.com/tomallicino/caskmcp/surface"
)

func declaring(d capture.Declaration) *capture.Capture {
	d.Method, d.Scheme, d.Host, d.Port = "POST", "https", "api.shop.test", 443
	if d.Path == "" {
		d.Path = "/files"
	}
	return &capture.Capture{Version: capture.FormatVersion, Name: "spec", Sealed: true, Hosts: []string{"api.shop.test"}, Declarations: []capture.Declaration{d}}
}

// A tool has one credential: what needs two is not served with half of them.
func TestSeveralCredentials(t *testing.T) {
	bearer := capture.DeclaredRequirement{Name: "token", Kind: "bearer"}
	key := capture.DeclaredRequirement{Name: "app", Kind: "apiKey", In: "header", Key: "x-app"}
	together := func(group int) []capture.DeclaredRequirement {
		a, b := bearer, key
		a.Group, b.Group = group, group
		return []capture.DeclaredRequirement{a, b}
	}
	none := capture.DeclaredRequirement{Name: "none", Kind: "none"}
	for name, tt := range map[string]struct {
		security []capture.DeclaredRequirement
		kind     string // of the tool's credential; "skipped" where it is none
	}{
		"one":                 {[]capture.DeclaredRequirement{key}, "apiKey"},
		"either":              {[]capture.DeclaredRequirement{key, bearer}, "bearer"},
		"both":                {together(1), "skipped"},
		"both or one":         {append(together(1), key), "apiKey"},
		"two pairs":           {append(together(1), together(2)...), "skipped"},
		"both or nothing":     {append(together(1), none), ""},
		"the document is mum": {[]capture.DeclaredRequirement{{Name: "unknown", Kind: "unknown"}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := compile(t, surface.Prior{}, Options{}, declaring(capture.Declaration{Security: tt.security}))
			if tt.kind == "skipped" {
				require.Empty(t, r.Surface.Tools)
				require.Equal(t, []Skipped{{Request: "POST https://api.shop.test/files", Reason: "it needs several credentials (token and app), and a tool sends one"}}, r.Skipped)
				return
			}
			require.Len(t, r.Surface.Tools, 1)
			if a := r.Surface.Tools[0].Auth; tt.kind == "" {
				require.Nil(t, a)
			} else {
				require.Equal(t, tt.kind, a.Kind)
			}
		})
	}
}

// A document that says nothing about credentials leaves the word to traffic.
func TestUnknownCredentials(t *testing.T) {
	spec := declaring(capture.Declaration{Security: []capture.DeclaredRequirement{{Name: "unknown", Kind: "unknown"}}})
	seen := captured(t, "a", exchange{request: "GET https://api.shop.test/orders", response: `[]`})
	r := compile(t, surface.Prior{}, Options{AllOperations: true}, spec, seen)
	require.Equal(t, "bearer", tool(t, r, "create_file").Auth.Kind, "as the host's other calls")
	spec.Declarations[0].Security = nil
	r = compile(t, surface.Prior{}, Options{AllOperations: true}, spec, seen)
	require.Nil(t, tool(t, r, "create_file").Auth, "the document says that none is needed")
}

// What a call cannot send is said.
func TestUnsentParts(t *testing.T) {
	body := func(required bool) *capture.Capture {
		return declaring(capture.Declaration{Summary: "Uploads a file", Body: &capture.DeclaredBody{Type: "application/octet-stream", Required: required}})
	}
	r := compile(t, surface.Prior{}, Options{}, body(true))
	require.Empty(t, r.Surface.Tools)
	require.Equal(t, "the request body is application/octet-stream, which arguments cannot express", r.Skipped[0].Reason)
	r = compile(t, surface.Prior{}, Options{}, body(false))
	require.Equal(t, "Uploads a file. A body of type application/octet-stream cannot be sent.", r.Surface.Tools[0].Description)

	two := captured(t, "a", exchange{request: "GET https://api.shop.test/orders", response: `[]`, times: 3})
	two.Observations[0].Auth = append(two.Observations[0].Auth, capture.Auth{Kind: "apiKey", In: "header", Name: "x-app", Count: 3}, capture.Auth{Kind: "cookie", In: "cookie", Name: "sid", Count: 3})
	x := tool(t, compile(t, surface.Prior{}, Options{}, two), "list_orders")
	require.Equal(t, "bearer", x.Auth.Kind)
	require.Equal(t, "Lists orders. Was recorded with further credentials that calls do not send: apiKey x-app.", x.Description)
	two.Observations[0].Auth[1].Count = 2
	x = tool(t, compile(t, surface.Prior{}, Options{}, two), "list_orders")
	require.Equal(t, "Lists orders.", x.Description, "one call did without")
}
