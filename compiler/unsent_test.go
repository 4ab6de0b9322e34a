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

// What needs two credentials is not served with half of them.
func TestSeveralCredentials(t *testing.T) {
	bearer := capture.DeclaredRequirement{Name: "token", Kind: "bearer"}
	key := capture.DeclaredRequirement{Name: "app", Kind: "apiKey", In: "header", Key: "x-app"}
	together := func(group int) []capture.DeclaredRequirement {
		a, b := bearer, key
		a.Group, b.Group = group, group
		return []capture.DeclaredRequirement{a, b}
	}
	none := capture.DeclaredRequirement{Name: "none", Kind: "none"}
	token := surface.Auth{Ref: "token", Kind: "bearer"}
	alone := surface.Auth{Ref: "api_key", Kind: "apiKey", In: "header", Name: "x-app"}
	both := token
	both.Also = []surface.Sent{{Ref: "api_key", Kind: "apiKey", In: "header", Name: "x-app"}}
	optional := both
	optional.Optional = true
	for name, tt := range map[string]struct {
		security []capture.DeclaredRequirement
		want     *surface.Auth
	}{
		"one":                 {[]capture.DeclaredRequirement{key}, &alone},
		"either":              {[]capture.DeclaredRequirement{key, bearer}, &token},
		"both":                {together(1), &both},
		"both or one":         {append(together(1), key), &alone},
		"two pairs":           {append(together(1), together(2)...), &both},
		"both or nothing":     {append(together(1), none), &optional},
		"one place":           {[]capture.DeclaredRequirement{{Name: "a", Kind: "oauth2", Group: 1}, {Name: "b", Kind: "bearer", Group: 1}}, &surface.Auth{Ref: "token", Kind: "oauth2"}},
		"the document is mum": {[]capture.DeclaredRequirement{{Name: "unknown", Kind: "unknown"}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			r := compile(t, surface.Prior{}, Options{}, declaring(capture.Declaration{Security: tt.security}))
			require.Len(t, r.Surface.Tools, 1)
			require.Equal(t, tt.want, r.Surface.Tools[0].Auth)
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
}

// Calls send what every recorded one sent, also what says for whom they are.
func TestFurtherCredentials(t *testing.T) {
	seen := captured(t, "a", exchange{request: "GET https://api.shop.test/orders", response: `[]`, times: 3})
	o := &seen.Observations[0]
	o.Auth = append(o.Auth, capture.Auth{Kind: "apiKey", In: "header", Name: "x-rest-key", Count: 3}, capture.Auth{Kind: "cookie", In: "cookie", Name: "sid", Count: 3})
	o.Headers = []capture.Parameter{{Name: "x-application-id", Count: 3}, {Name: "x-client-version", Count: 3}}
	r := compile(t, surface.Prior{}, Options{Name: "shop"}, seen)
	require.Equal(t, &surface.Auth{Ref: "token", Kind: "bearer", In: "header", Name: "Authorization", Also: []surface.Sent{
		{Ref: "api_key", Kind: "apiKey", In: "header", Name: "x-rest-key"}, {Ref: "application_id", Kind: "apiKey", In: "header", Name: "x-application-id"},
	}}, tool(t, r, "list_orders").Auth)
	var variables []string
	for _, c := range r.Surface.Server.Credentials {
		variables = append(variables, c.Env)
	}
	require.Equal(t, []string{"CASKMCP_SHOP_API_KEY", "CASKMCP_SHOP_APPLICATION_ID", "CASKMCP_SHOP_TOKEN"}, variables)
	again := compile(t, approved(t, r), Options{Name: "shop"}, seen)
	require.Equal(t, tool(t, r, "list_orders").Auth, tool(t, again, "list_orders").Auth)
	require.Empty(t, again.Proposals)

	o.Auth[1].Count, o.Headers[0].Count = 2, 2
	require.Empty(t, tool(t, compile(t, surface.Prior{}, Options{}, seen), "list_orders").Auth.Also, "one call did without")
}

// What only ever failed, is signed, or has lost its name is no tool.
func TestCallsThatCannotBeMade(t *testing.T) {
	rpc := func(method string) exchange {
		return exchange{request: "POST https://api.shop.test/rpc", graphql: "jsonrpc:" + method, body: `{"jsonrpc":"2.0","id":1,"method":"x","params":[1]}`, response: `{"id":1,"jsonrpc":"2.0","result":{"name":"x"}}`}
	}
	c := captured(t, "a", rpc("order_get"), rpc("order_drop"), rpc("#20365fe9"), exchange{request: "GET https://blobs.shop.test/files", response: `{"a":1}`})
	for i := range c.Observations {
		switch o := &c.Observations[i]; {
		case o.Operation == "jsonrpc:order_drop":
			o.Failed = true
		case o.Host == "blobs.shop.test":
			o.Auth = []capture.Auth{{Kind: "signature", In: "header", Name: "sharedkey", Count: o.Count}}
		}
	}
	r := compile(t, surface.Prior{}, Options{}, c)
	require.Len(t, r.Surface.Tools, 1)
	require.Equal(t, "Calls the JSON-RPC method order_get. Returns a result that is an object with name.", r.Surface.Tools[0].Description)
	reasons := map[string]string{}
	for _, s := range r.Skipped {
		reasons[s.Request] = s.Reason
	}
	require.Equal(t, map[string]string{
		"GET https://blobs.shop.test/files":           "each call is signed (sharedkey), which takes a key that signs, not one that is sent",
		"POST https://api.shop.test/rpc (#20365fe9)":  "a JSON-RPC method whose name looks like data, which is not kept",
		"POST https://api.shop.test/rpc (order_drop)": "no successful response was seen (200 with an error)",
	}, reasons)
}
