package upstream

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tomallicino/caskmcp/surface"
)

func TestCredentials(t *testing.T) {
	const secret = "tok+en/=\"5f\"&Ω-8d21c07e"
	const plain = "tok-5f8d21c07e"
	auth := func(kind, in, name string) *surface.Auth {
		return &surface.Auth{Ref: "shop", Kind: kind, In: in, Name: name}
	}
	block := surface.Server{Credentials: []surface.Credential{{Ref: "shop", Env: "SHOP_TOKEN", Hosts: []string{"127.0.0.1"}}}}
	tests := []struct {
		name, value string
		auth        *surface.Auth
		want        func(*testing.T, *http.Request)
	}{
		{"bearer", plain, auth("bearer", "", ""), func(t *testing.T, r *http.Request) { require.Equal(t, "Bearer "+plain, r.Header.Get("Authorization")) }},
		{"bearer with newline at the end", plain + "\n", auth("bearer", "", ""), func(t *testing.T, r *http.Request) { require.Equal(t, "Bearer "+plain, r.Header.Get("Authorization")) }},
		{"bearer with its scheme", "Bearer " + plain, auth("bearer", "header", "authorization"), func(t *testing.T, r *http.Request) { require.Equal(t, "Bearer "+plain, r.Header.Get("Authorization")) }},
		{"oauth2", plain, auth("oauth2", "", ""), func(t *testing.T, r *http.Request) { require.Equal(t, "Bearer "+plain, r.Header.Get("Authorization")) }},
		{"basic", "me:" + plain, auth("basic", "", ""), func(t *testing.T, r *http.Request) {
			user, password, ok := r.BasicAuth()
			require.True(t, ok)
			require.Equal(t, "me:"+plain, user+":"+password)
		}},
		{"key in header", plain, auth("apiKey", "header", "X-Api-Key"), func(t *testing.T, r *http.Request) { require.Equal(t, plain, r.Header.Get("X-Api-Key")) }},
		{"key in query", secret, auth("apiKey", "query", "key"), func(t *testing.T, r *http.Request) { require.Equal(t, secret, r.URL.Query().Get("key")) }},
		{"key in cookie", plain, auth("apiKey", "cookie", "sid"), func(t *testing.T, r *http.Request) { require.Equal(t, "sid="+plain, r.Header.Get("Cookie")) }},
		{"cookie", plain, auth("cookie", "", "sid"), func(t *testing.T, r *http.Request) { require.Equal(t, "sid="+plain, r.Header.Get("Cookie")) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			up := newAPI(t, jsonBody(`{}`))
			tool := binding(t, up.URL, "GET", "/x")
			tool.Auth = tt.auth
			c := newClient(t, block, map[string]string{"SHOP_TOKEN": tt.value}, tool)
			_, err := c.Do(t.Context(), Call{Tool: "it"})
			require.NoError(t, err)
			tt.want(t, up.last)
		})
	}
}

// A credential that is approved as optional is sent where it is set; it still
// goes nowhere else.
func TestOptionalCredential(t *testing.T) {
	up := newAPI(t, jsonBody(`{}`))
	tool := binding(t, up.URL, "GET", "/x")
	tool.Auth = &surface.Auth{Ref: "shop", Kind: "bearer", Optional: true}
	server := surface.Server{Credentials: []surface.Credential{{Ref: "shop", Env: "SHOP_TOKEN", Hosts: []string{"127.0.0.1"}}}}
	for value, want := range map[string]string{"": "", "s3cret-value": "Bearer s3cret-value"} {
		_, err := newClient(t, server, map[string]string{"SHOP_TOKEN": value}, tool).Do(t.Context(), Call{Tool: "it"})
		require.NoError(t, err)
		require.Equal(t, want, up.last.Header.Get("Authorization"))
	}
	hits := up.hits.Load()
	server.Credentials[0].Hosts = []string{"other.test"}
	_, err := newClient(t, server, nil, tool).Do(t.Context(), Call{Tool: "it"})
	require.ErrorContains(t, err, "not approved for host")
	require.Equal(t, hits, up.hits.Load())
}

// What needs several credentials gets all of them or is not called.
func TestSeveralCredentials(t *testing.T) {
	up := newAPI(t, jsonBody(`{}`))
	tool := binding(t, up.URL, "GET", "/x")
	tool.Auth = &surface.Auth{Ref: "user", Kind: "cookie", Name: "sid", Also: []surface.Sent{
		{Ref: "app", Kind: "apiKey", In: "header", Name: "X-App"}, {Ref: "device", Kind: "apiKey", In: "cookie", Name: "device"},
	}}
	server := surface.Server{Credentials: []surface.Credential{
		{Ref: "app", Env: "APP", Hosts: []string{"127.0.0.1"}}, {Ref: "device", Env: "DEVICE", Hosts: []string{"127.0.0.1"}}, {Ref: "user", Env: "USER_TOKEN", Hosts: []string{"127.0.0.1"}},
	}}
	set := map[string]string{"APP": "app-key", "DEVICE": "d1", "USER_TOKEN": "secret"}
	_, err := newClient(t, server, set, tool).Do(t.Context(), Call{Tool: "it"})
	require.NoError(t, err)
	require.Equal(t, "app-key", up.last.Header.Get("X-App"))
	require.Equal(t, "sid=secret; device=d1", up.last.Header.Get("Cookie"))

	hits := up.hits.Load()
	delete(set, "APP")
	_, err = newClient(t, server, set, tool).Do(t.Context(), Call{Tool: "it"})
	require.ErrorContains(t, err, "set the environment variable APP")
	require.Equal(t, hits, up.hits.Load())
	tool.Auth.Optional = true
	_, err = newClient(t, server, set, tool).Do(t.Context(), Call{Tool: "it"})
	require.NoError(t, err)
	require.Empty(t, up.last.Header.Get("Cookie"), "not half of them")

	tool.Auth.Also[0].In, tool.Auth.Also[0].Name = "cookie", "sid"
	_, refused, err := New(server, []surface.Tool{tool}, Options{})
	require.NoError(t, err)
	require.ErrorContains(t, refused["it"], "two credentials go to")
}

func TestCredentialIsNotSent(t *testing.T) {
	up := newAPI(t, jsonBody(`{}`))
	creds := func(hosts ...string) surface.Server {
		return surface.Server{Credentials: []surface.Credential{{Ref: "shop", Env: "SHOP_TOKEN", Hosts: hosts}}}
	}
	set := map[string]string{"SHOP_TOKEN": "abcdefgh"}
	tests := []struct {
		name  string
		block surface.Server
		env   map[string]string
		auth  *surface.Auth
		code  string
		text  string
	}{
		{"unset", creds("127.0.0.1"), nil, &surface.Auth{Ref: "shop", Kind: "bearer"}, "credential.missing", "SHOP_TOKEN"},
		{"empty", creds("127.0.0.1"), map[string]string{"SHOP_TOKEN": " \n"}, &surface.Auth{Ref: "shop", Kind: "bearer"}, "credential.missing", "SHOP_TOKEN"},
		{"bound to another host", creds("api.example.com"), set, &surface.Auth{Ref: "shop", Kind: "bearer"}, "credential.host", "127.0.0.1"},
		{"bound to another port", creds("127.0.0.1:1"), set, &surface.Auth{Ref: "shop", Kind: "bearer"}, "credential.host", "127.0.0.1"},
		{"bound to no host", creds(), set, &surface.Auth{Ref: "shop", Kind: "bearer"}, "credential.host", "127.0.0.1"},
		{"not defined", surface.Server{}, set, &surface.Auth{Ref: "shop", Kind: "bearer"}, "credential.unknown", "auth: in toolpack.yaml"},
		{"kind", creds("127.0.0.1"), set, &surface.Auth{Ref: "shop", Kind: "mtls"}, "credential.invalid", "shop"},
		{"header that steers", creds("127.0.0.1"), set, &surface.Auth{Ref: "shop", Kind: "apiKey", In: "header", Name: "Host"}, "credential.invalid", "shop"},
		{"bearer elsewhere", creds("127.0.0.1"), set, &surface.Auth{Ref: "shop", Kind: "bearer", In: "header", Name: "X-Token"}, "credential.invalid", "shop"},
		{"line break", creds("127.0.0.1"), map[string]string{"SHOP_TOKEN": "abcd\r\nX-Evil: 1"}, &surface.Auth{Ref: "shop", Kind: "bearer"}, "credential.invalid", "shop"},
		{"second cookie", creds("127.0.0.1"), map[string]string{"SHOP_TOKEN": "a; admin=1"}, &surface.Auth{Ref: "shop", Kind: "cookie", Name: "sid"}, "credential.invalid", "shop"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tool := binding(t, up.URL, "GET", "/x")
			tool.Auth = tt.auth
			_, err := newClient(t, tt.block, tt.env, tool).Do(t.Context(), Call{Tool: "it"})
			var e *Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, tt.code, e.Code)
			require.Contains(t, e.Text, tt.text)
			require.False(t, e.Sent)
			for _, v := range tt.env {
				if v = strings.TrimSpace(v); v != "" {
					require.NotContains(t, e.Text, v)
				}
			}
		})
	}
	require.Zero(t, up.hits.Load())
}

// Whatever form a credential comes back in, the agent does not see it.
func TestCredentialIsMasked(t *testing.T) {
	for _, secret := range []string{"s3cr3t/+val=ue?&5f8d21c07e", "0123456789012345", "alice:pass+word/9c1e44"} {
		hidden := secret
		if _, p, ok := strings.Cut(secret, ":"); ok {
			hidden = p
		}
		forms := []string{
			secret, hidden, url.QueryEscape(hidden), url.PathEscape(hidden), strings.ToLower(url.QueryEscape(hidden)),
			hex.EncodeToString([]byte(hidden)), "Bearer " + hidden,
		}
		for _, before := range []string{"", "x", "xy", "Bearer ", "user:"} {
			for _, enc := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding, base64.RawStdEncoding} {
				forms = append(forms, enc.EncodeToString([]byte(before+hidden)), enc.EncodeToString([]byte(before+hidden+"tail")))
			}
		}
		split := hidden[:5] + "\u200b" + hidden[5:]
		forms = append(forms, split)
		var handler http.HandlerFunc
		up := newAPI(t, func(w http.ResponseWriter, r *http.Request) { handler(w, r) })
		tool := binding(t, up.URL, "GET", "/x")
		tool.Auth = &surface.Auth{Ref: "a", Kind: "basic"}
		c := newClient(t, surface.Server{Credentials: []surface.Credential{{Ref: "a", Env: "A", Hosts: []string{"127.0.0.1"}}}}, map[string]string{"A": secret}, tool)
		for _, form := range forms {
			doc, err := json.Marshal(map[string]any{"echo": []any{form}, "k" + form: 1})
			require.NoError(t, err)
			for name, h := range map[string]http.HandlerFunc{
				"json": media(200, "application/json", string(doc)), "error": media(400, "application/json", string(doc)),
				"text": media(200, "text/plain", "got "+form+"!"), "error text": media(502, "text/plain", "got "+form+"!"),
				"json text": media(200, "text/plain", string(doc)),
			} {
				handler = h
				r, err := c.Do(t.Context(), Call{Tool: "it"})
				require.NoError(t, err)
				requireHidden(t, r.Text+string(r.Structured), hidden, fmt.Sprintf("%s: %q", name, form))
			}
		}
	}
	// A secret of digits comes back as a number.
	up := newAPI(t, jsonBody(`{"n":1234567890123456}`))
	tool := binding(t, up.URL, "GET", "/x")
	tool.Auth = &surface.Auth{Ref: "a", Kind: "bearer"}
	c := newClient(t, surface.Server{Credentials: []surface.Credential{{Ref: "a", Env: "A", Hosts: []string{"127.0.0.1"}}}}, map[string]string{"A": "1234567890123456"}, tool)
	r, err := c.Do(t.Context(), Call{Tool: "it"})
	require.NoError(t, err)
	require.JSONEq(t, `{"n":"[credential]"}`, string(r.Structured))
	require.Equal(t, "x [credential]", c.Hide("x 1234567890123456"))
}

// requireHidden fails when secret can be read from text directly or after
// decoding any run of it.
func requireHidden(t *testing.T, text, secret, where string) {
	require.NotContains(t, text, secret, where)
	require.NotContains(t, text, url.QueryEscape(secret), where)
	require.NotContains(t, text, hex.EncodeToString([]byte(secret)), where)
	words := strings.FieldsFunc(text, func(r rune) bool {
		return !strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_", r)
	})
	for _, w := range words {
		w = strings.NewReplacer("-", "+", "_", "/").Replace(w)
		for from := range min(len(w), 4) {
			for to := len(w); to > max(from, len(w)-4); to-- {
				b, err := base64.RawStdEncoding.DecodeString(w[from:to])
				if err == nil {
					require.NotContains(t, string(b), secret, where)
				}
			}
		}
	}
}
