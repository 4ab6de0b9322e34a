package compiler

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tomallicino/caskmcp/capture"
	"github.com/tomallicino/caskmcp/surface"
)

func TestAuth(t *testing.T) {
	call := func(path, kind string) exchange {
		return exchange{request: "GET " + path, response: `{"id":1}`, auth: kind}
	}
	tests := []struct {
		name        string
		calls       []exchange
		auth        map[string]*surface.Auth
		credentials []surface.Credential
	}{
		{
			"one bearer token", []exchange{call("https://api.shop.test/orders/{int}", "bearer"), call("https://api.shop.test/status", "none")},
			map[string]*surface.Auth{"get_order": {Ref: "token", Kind: "bearer", In: "header", Name: "Authorization"}, "get_status": nil},
			[]surface.Credential{{Ref: "token", Env: "CASKMCP_MY_SHOP_TOKEN", Hosts: []string{"api.shop.test"}}},
		},
		{
			"a sanitised export takes the host's usual way", []exchange{call("https://api.shop.test/orders/{int}", "bearer"), call("https://api.shop.test/status", "unknown")},
			map[string]*surface.Auth{"get_status": {Ref: "token", Kind: "bearer", In: "header", Name: "Authorization"}},
			[]surface.Credential{{Ref: "token", Env: "CASKMCP_MY_SHOP_TOKEN", Hosts: []string{"api.shop.test"}}},
		},
		{
			"two hosts have two credentials", []exchange{call("https://api.shop.test/orders/{int}", "bearer"), call("https://api.shop.test/orders/{int}", "bearer"), call("http://127.0.0.1:8080/jobs/{int}", "bearer")},
			map[string]*surface.Auth{"get_order": {Ref: "token", Kind: "bearer", In: "header", Name: "Authorization"}, "get_job": {Ref: "127_0_0_1_8080_token", Kind: "bearer", In: "header", Name: "Authorization"}},
			[]surface.Credential{{Ref: "127_0_0_1_8080_token", Env: "CASKMCP_MY_SHOP_127_0_0_1_8080_TOKEN", Hosts: []string{"127.0.0.1:8080"}}, {Ref: "token", Env: "CASKMCP_MY_SHOP_TOKEN", Hosts: []string{"api.shop.test"}}},
		},
		{
			"a key in the query", []exchange{call("https://api.shop.test/orders/{int}?api_key=x", "apiKey")},
			map[string]*surface.Auth{"get_order": {Ref: "api_key", Kind: "apiKey", In: "query", Name: "api_key"}},
			[]surface.Credential{{Ref: "api_key", Env: "CASKMCP_MY_SHOP_API_KEY", Hosts: []string{"api.shop.test"}}},
		},
		{"a CSRF header is no credential", []exchange{call("https://api.shop.test/orders/{int}", "csrf")}, map[string]*surface.Auth{"get_order": nil}, nil},
		{
			"a session", []exchange{call("https://api.shop.test/orders/{int}", "cookie")},
			map[string]*surface.Auth{"get_order": {Ref: "session", Kind: "cookie"}},
			[]surface.Credential{{Ref: "session", Env: "CASKMCP_MY_SHOP_SESSION", Hosts: []string{"api.shop.test"}}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := compile(t, surface.Prior{}, Options{Name: "my-shop"}, captured(t, "a", tt.calls...))
			for name, want := range tt.auth {
				require.Equal(t, want, tool(t, r, name).Auth, name)
			}
			require.Equal(t, tt.credentials, r.Surface.Server.Credentials)
			require.Empty(t, r.Surface.Server.AllowPrivate, "loopback is never allowed silently")
		})
	}
}

// A host that shows up later takes neither reference nor variable from one
// that is approved.
func TestReferencesAreStable(t *testing.T) {
	b := captured(t, "b", exchange{request: "GET https://b.shop.test/orders/{int}", response: `{"id":1}`})
	a := captured(t, "a", exchange{request: "GET https://a.shop.test/orders/{int}", response: `{"id":1}`, times: 9})
	first := compile(t, surface.Prior{}, Options{}, b)
	r := compile(t, approved(t, first), Options{}, a, b)
	require.Equal(t, "token", tool(t, r, "get_order").Auth.Ref)
	require.Equal(t, "b.shop.test", tool(t, r, "get_order").Binding.Host)
	require.Equal(t, "a_shop_test_token", tool(t, r, "get_a_order").Auth.Ref)
	require.Equal(t, first.Surface.Server.Credentials[0], r.Surface.Server.Credentials[1])
}

func TestCredentialOptions(t *testing.T) {
	c := captured(t, "a", exchange{request: "GET https://api.shop.test/orders/{int}", response: `{"id":1}`})
	r := compile(t, surface.Prior{}, Options{
		Credentials: []surface.Credential{{Ref: "token", Env: "SHOP_TOKEN"}, {Ref: "extra", Hosts: []string{"z.test", "a.test", "a.test"}}},
		Server:      surface.Server{Instructions: "Be careful.", AllowPrivate: []string{"127.0.0.0/8", "10.0.0.0/8"}},
	}, c)
	require.Equal(t, surface.Server{
		Name: "shop", Instructions: "Be careful.", AllowPrivate: []string{"10.0.0.0/8", "127.0.0.0/8"},
		Credentials: []surface.Credential{{Ref: "extra", Env: "CASKMCP_SHOP_EXTRA", Hosts: []string{"a.test", "z.test"}}, {Ref: "token", Env: "SHOP_TOKEN", Hosts: []string{"api.shop.test"}}},
	}, r.Surface.Server)
}

// A credential is optional where calls are known to succeed without it.
func TestOptionalCredential(t *testing.T) {
	call := func(name, kind string, status int) *capture.Capture {
		return captured(t, name, exchange{request: "GET https://api.shop.test/orders", status: status, response: `{"id":1}`, auth: kind, times: 3})
	}
	with, without := call("a", "bearer", 200), call("b", "none", 200)
	declared := func(r ...capture.DeclaredRequirement) *capture.Capture {
		c := captured(t, "spec")
		c.Declarations = []capture.Declaration{{Method: "GET", Scheme: "https", Host: "api.shop.test", Port: 443, Path: "/orders", Security: r}}
		return c
	}
	bearer, none := capture.DeclaredRequirement{Name: "t", Kind: "bearer"}, capture.DeclaredRequirement{Kind: "none"}
	for name, tt := range map[string]struct {
		captures []*capture.Capture
		want     bool
	}{
		"always sent":                 {[]*capture.Capture{with}, false},
		"both succeed":                {[]*capture.Capture{with, without}, true},
		"it fails without":            {[]*capture.Capture{with, call("b", "none", 401)}, false},
		"an exporter may have cut it": {[]*capture.Capture{with, without, call("c", "unknown", 200)}, false},
		"a specification requires it": {[]*capture.Capture{with, without, declared(bearer)}, false},
		"a specification does not":    {[]*capture.Capture{with, declared(bearer, none)}, true},
	} {
		t.Run(name, func(t *testing.T) {
			r := compile(t, surface.Prior{}, Options{}, tt.captures...)
			require.Equal(t, tt.want, r.Surface.Tools[0].Auth.Optional)
		})
	}
	// What was approved as needed and is now never sent contradicts; once it is
	// approved as optional, neither recording does.
	r := compile(t, approved(t, compile(t, surface.Prior{}, Options{}, with)), Options{}, with, without)
	require.Equal(t, []string{"get_orders auth.removed "}, codes(r))
	require.True(t, r.Surface.Tools[0].Auth.Optional)
	for _, again := range [][]*capture.Capture{{with, without}, {with}, {without}} {
		require.Empty(t, codes(compile(t, approved(t, r), Options{}, again...)))
	}
}

func TestDeclaredSecurity(t *testing.T) {
	d := capture.Declaration{Method: "GET", Scheme: "https", Host: "api.shop.test", Port: 443, Path: "/orders", Security: []capture.DeclaredRequirement{
		{Kind: "none"}, {Kind: "cookie", In: "cookie", Key: "sid"}, {Kind: "apiKey", In: "header", Key: "X-Key"},
	}, Parameters: []capture.DeclaredParameter{{Name: "X-Key", In: "header", Required: true}}}
	c := captured(t, "spec")
	c.Declarations = []capture.Declaration{d}
	x := compile(t, surface.Prior{}, Options{}, c).Surface.Tools[0]
	require.Equal(t, &surface.Auth{Ref: "api_key", Kind: "apiKey", In: "header", Name: "X-Key", Optional: true}, x.Auth)
	require.Empty(t, x.Binding.Arguments)
}
