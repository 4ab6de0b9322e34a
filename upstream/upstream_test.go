package upstream

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tomallicino/caskmcp/internal/safehttp"
	"github.com/tomallicino/caskmcp/surface"
)

// api is a loopback upstream that remembers what it was sent.
type api struct {
	*httptest.Server
	hits atomic.Int64
	last *http.Request
	body string
}

func newAPI(t testing.TB, handler http.HandlerFunc) *api {
	a := &api{}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.hits.Add(1)
		body, _ := io.ReadAll(r.Body)
		a.last, a.body = r, string(body)
		if handler != nil {
			handler(w, r)
		}
	}))
	t.Cleanup(a.Close)
	return a
}

func jsonBody(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, body)
	}
}

func binding(t testing.TB, base, method, path string, args ...surface.Argument) surface.Tool {
	u, err := url.Parse(base)
	require.NoError(t, err)
	port, err := strconv.Atoi(u.Port())
	require.NoError(t, err)
	return surface.Tool{
		Name: "it", Limits: surface.DefaultLimits,
		Binding: surface.Binding{Method: method, Scheme: u.Scheme, Host: u.Hostname(), Port: port, Path: path, Arguments: args},
	}
}

func arg(name, in string) surface.Argument {
	return surface.Argument{Name: name, In: in, Key: name}
}

func newClient(t testing.TB, server surface.Server, env map[string]string, tools ...surface.Tool) *Client {
	c, rejected, err := New(server, tools, Options{
		AllowPrivate: safehttp.PrivateRanges(),
		Lookup:       func(n string) (string, bool) { v, ok := env[n]; return v, ok },
	})
	require.NoError(t, err)
	require.Empty(t, rejected)
	t.Cleanup(c.Close)
	return c
}

func arguments(t testing.TB, doc string) map[string]any {
	v, err := decode([]byte(doc))
	require.NoError(t, err)
	return v.(map[string]any)
}

func do(t testing.TB, tool surface.Tool, args string) (*Result, error) {
	return newClient(t, surface.Server{}, nil, tool).Do(context.Background(), Call{Tool: "it", Arguments: arguments(t, args)})
}

func requireUnsafe(t *testing.T, err error) {
	var e *Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, "arguments.unsafe", e.Code)
	require.False(t, e.Sent)
}

// Where the API has been seen to read %2F as a part of a value, slashes are sent
// so; nothing else gets through for that.
func TestEscapedSlashes(t *testing.T) {
	up := newAPI(t, jsonBody(`{}`))
	name := arg("name", surface.InPath)
	name.EscapedSlash = true
	tool := binding(t, up.URL, "GET", "/packages/{name}/tags", name)
	for id, want := range map[string]string{"@scope/name": "%40scope%2Fname", "feature/x/y": "feature%2Fx%2Fy", "plain": "plain", "/": "%2F", "a b/...": "a%20b%2F..."} {
		_, err := do(t, tool, `{"name":`+strconv.Quote(id)+`}`)
		require.NoError(t, err, id)
		require.Equal(t, "/packages/"+want+"/tags", up.last.URL.EscapedPath())
	}
	hits := up.hits.Load()
	c := newClient(t, surface.Server{}, nil, tool)
	for _, id := range []string{
		"//", "a/", "/a", "a//b", "../admin", "a/..", "a/./b", "..;x/b", "a/ /b", "a/b ", "a/..\b", "a%2Fb", "a/b?x", "a/#", "a／b", "a/．．", "a⁄b", "a/\u202eb", "a/\x00",
	} {
		_, err := c.Do(t.Context(), Call{Tool: "it", Arguments: map[string]any{"name": id}})
		requireUnsafe(t, err)
	}
	require.Equal(t, hits, up.hits.Load())
	query, part := arg("name", surface.InQuery), name
	query.EscapedSlash = true
	for path, a := range map[string]surface.Argument{"/packages": query, "/packages/{name}.json": part} {
		_, rejected, err := New(surface.Server{}, []surface.Tool{binding(t, up.URL, "GET", path, a)}, Options{AllowPrivate: safehttp.PrivateRanges()})
		require.NoError(t, err)
		require.Len(t, rejected, 1)
		require.ErrorContains(t, rejected["it"], "escaped_slash")
	}
}

func TestPathArguments(t *testing.T) {
	up := newAPI(t, jsonBody(`{}`))
	tool := binding(t, up.URL, "GET", "/users/{id}/posts", arg("id", surface.InPath))
	for _, id := range []string{
		"..", ".", "..%2fadmin", "%2e%2e", "a/../../admin", `a\..\b`, "a?role=admin", "a#frag", "\x00", "\r\nHost: evil", " ", "", " a", "a ",
		"..;", "..;x=1", ".;", "a/b", "/", `\`, "%", "100%", "a\tb", "a\u0085b", "\u2028", "a\u202eb", "a\u200bb", "\U000e0041", "\u00a0",
		"．．", "‥", "․․", "．", "a／b", "a＼b", "％2e", "a？b", "＃", "℀", "a⁄b", "a∕b", "a∖b", "a⧸b", "\xff", "\u3000", "。/",
	} {
		c := newClient(t, surface.Server{}, nil, tool)
		_, err := c.Do(t.Context(), Call{Tool: "it", Arguments: map[string]any{"id": id}})
		requireUnsafe(t, err)
	}
	require.Zero(t, up.hits.Load())
	for id, want := range map[string]string{
		"42": "42", "a b": "a%20b", "a&b=c": "a%26b%3Dc", "a:b@c": "a%3Ab%40c", "grün": "gr%C3%BCn", "...": "...", "a.b": "a.b", "a;b": "a%3Bb",
		"名前": "%E5%90%8D%E5%89%8D", "1+1": "1%2B1", "~-_": "~-_", "*": "%2A",
	} {
		_, err := do(t, tool, `{"id":`+strconv.Quote(id)+`}`)
		require.NoError(t, err, id)
		require.Equal(t, "/users/"+want+"/posts", up.last.URL.EscapedPath())
		require.Equal(t, "/users/"+id+"/posts", up.last.URL.Path)
		require.Empty(t, up.last.URL.RawQuery)
	}
	for args, want := range map[string]string{`{"id":9007199254740991}`: "9007199254740991", `{"id":true}`: "true", `{"id":-1.5}`: "-1.5"} {
		_, err := do(t, tool, args)
		require.NoError(t, err)
		require.Equal(t, "/users/"+want+"/posts", up.last.URL.Path)
	}
	hits := up.hits.Load()
	for _, args := range []string{`{}`, `{"id":null}`, `{"id":{"$ne":null}}`, `{"id":["a"]}`, `{"id":"a","other":1}`} {
		_, err := do(t, tool, args)
		requireUnsafe(t, err)
	}
	require.Equal(t, hits, up.hits.Load())
}

func TestCompositeSegments(t *testing.T) {
	up := newAPI(t, jsonBody(`{}`))
	tool := binding(t, up.URL, "GET", "/a/{x}{y}/b/{z}.csv", arg("x", surface.InPath), arg("y", surface.InPath), arg("z", surface.InPath))
	_, err := do(t, tool, `{"x":"1","y":"2","z":"r"}`)
	require.NoError(t, err)
	require.Equal(t, "/a/12/b/r.csv", up.last.URL.Path)
	// Each value alone is a dot segment and refused; the pair would climb.
	_, err = do(t, tool, `{"x":".","y":".","z":"r"}`)
	requireUnsafe(t, err)
	require.EqualValues(t, 1, up.hits.Load())
}

func TestQueryAndBody(t *testing.T) {
	comma := surface.Argument{Name: "ids", In: surface.InQuery, Key: "ids", Style: styleComma}
	fixed := func(in, key, value string) surface.Fixed {
		return surface.Fixed{In: in, Key: key, Value: json.RawMessage(value)}
	}
	tests := []struct {
		name, method, encoding string
		args                   []surface.Argument
		fixed                  []surface.Fixed
		call                   string
		wantQuery, wantBody    string
	}{
		{name: "encoded", args: []surface.Argument{arg("q", surface.InQuery)}, call: `{"q":"a&admin=1"}`, wantQuery: "q=a%26admin%3D1"},
		{name: "space and plus", args: []surface.Argument{arg("q", surface.InQuery)}, call: `{"q":"a b+c#d"}`, wantQuery: "q=a%20b%2Bc%23d"},
		{name: "key encoded", args: []surface.Argument{{Name: "f", In: surface.InQuery, Key: "filter[a&b]"}}, call: `{"f":1}`, wantQuery: "filter%5Ba%26b%5D=1"},
		{name: "repeated", args: []surface.Argument{arg("ids", surface.InQuery)}, call: `{"ids":["1","2,3"]}`, wantQuery: "ids=1&ids=2%2C3"},
		{name: "comma", args: []surface.Argument{comma}, call: `{"ids":["1","2,3"]}`, wantQuery: "ids=1,2%2C3"},
		{name: "left out", args: []surface.Argument{arg("a", surface.InQuery), arg("b", surface.InQuery)}, call: `{"b":null}`},
		{name: "fixed query", args: []surface.Argument{arg("q", surface.InQuery)}, fixed: []surface.Fixed{fixed("query", "api-version", `"7"`)}, call: `{"q":false}`, wantQuery: "q=false&api-version=7"},
		{name: "json", method: "POST", encoding: "application/json", args: []surface.Argument{arg("n", surface.InBody), arg("s", surface.InBody)}, call: `{"n":0.1,"s":"<&>"}`, wantBody: `{"n":0.1,"s":"<&>"}`},
		{name: "json null is sent", method: "POST", encoding: "application/json", args: []surface.Argument{arg("n", surface.InBody)}, call: `{"n":null}`, wantBody: `{"n":null}`},
		{name: "json without arguments", method: "POST", encoding: "application/json", args: []surface.Argument{arg("n", surface.InBody)}, call: `{}`, wantBody: `{}`},
		{name: "json fixed", method: "POST", encoding: "application/json", args: []surface.Argument{arg("name", surface.InBody)}, fixed: []surface.Fixed{fixed("body", "role", `"user"`)}, call: `{"name":"x"}`, wantBody: `{"name":"x","role":"user"}`},
		{name: "graphql", method: "POST", encoding: "application/json", args: []surface.Argument{arg("variables", surface.InBody)}, fixed: []surface.Fixed{fixed("body", "operationName", `"getUser"`), fixed("body", "query", `"query getUser { id }"`)}, call: `{"variables":{"id":1}}`, wantBody: `{"operationName":"getUser","query":"query getUser { id }","variables":{"id":1}}`},
		{name: "whole body", method: "PUT", encoding: "application/merge-patch+json", args: []surface.Argument{{Name: "body", In: surface.InBody}}, call: `{"body":[1,{"a":2}]}`, wantBody: `[1,{"a":2}]`},
		{name: "text", method: "POST", encoding: "text/plain", args: []surface.Argument{{Name: "body", In: surface.InBody}}, call: `{"body":"<x>"}`, wantBody: `<x>`},
		{name: "form", method: "POST", encoding: "application/x-www-form-urlencoded", args: []surface.Argument{arg("a", surface.InBody), arg("l", surface.InBody)}, call: `{"a":"1&b=2","l":["x","y"]}`, wantBody: "a=1%26b%3D2&l=x&l=y"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			up := newAPI(t, jsonBody(`{}`))
			tool := binding(t, up.URL, "GET", "/things", tt.args...)
			if tt.method != "" {
				tool.Binding.Method = tt.method
			}
			tool.Binding.Encoding, tool.Binding.Fixed = tt.encoding, tt.fixed
			_, err := do(t, tool, tt.call)
			require.NoError(t, err)
			require.Equal(t, tt.wantQuery, up.last.URL.RawQuery)
			require.Equal(t, tt.wantBody, up.body)
			require.Equal(t, tt.encoding, up.last.Header.Get("Content-Type"))
		})
	}
	t.Run("multipart", func(t *testing.T) {
		up := newAPI(t, func(_ http.ResponseWriter, _ *http.Request) {})
		tool := binding(t, up.URL, "POST", "/things", arg("a", surface.InBody))
		tool.Binding.Encoding = "multipart/form-data"
		_, err := do(t, tool, `{"a":"x\r\n--y"}`)
		require.NoError(t, err)
		require.True(t, strings.HasPrefix(up.last.Header.Get("Content-Type"), "multipart/form-data; boundary="))
		require.Contains(t, up.body, "x\r\n--y")
	})
	t.Run("objects have no place in a query or form", func(t *testing.T) {
		up := newAPI(t, nil)
		tool := binding(t, up.URL, "GET", "/things", arg("q", surface.InQuery))
		_, err := do(t, tool, `{"q":{"$ne":null}}`)
		requireUnsafe(t, err)
		require.Zero(t, up.hits.Load())
	})
}

func TestHeaders(t *testing.T) {
	up := newAPI(t, jsonBody(`{}`))
	tool := binding(t, up.URL, "GET", "/things", arg("X-Trace", surface.InHeader))
	tool.Binding.Accept = "application/json"
	_, err := do(t, tool, `{"X-Trace":"a b"}`)
	require.NoError(t, err)
	require.Equal(t, "a b", up.last.Header.Get("X-Trace"))
	require.Equal(t, "application/json", up.last.Header.Get("Accept"))
	for _, v := range []string{`"a\r\nX-Evil: 1"`, `"a\nb"`, `"a\u0000"`, `"ü"`, `{"a":1}`} {
		_, err := do(t, tool, `{"X-Trace":`+v+`}`)
		requireUnsafe(t, err)
	}
	require.EqualValues(t, 1, up.hits.Load())
}

func TestBindingsThatAreRefused(t *testing.T) {
	const base = "http://127.0.0.1:1"
	header := func(name string) surface.Tool {
		return binding(t, base, "GET", "/x", surface.Argument{Name: "h", In: surface.InHeader, Key: name})
	}
	tests := map[string]surface.Tool{
		"reserved expansion": binding(t, base, "GET", "/files/{+path}", surface.Argument{Name: "path", In: surface.InPath, Key: "+path"}),
		"dot segment":        binding(t, base, "GET", "/a/../b"),
		"encoded dots":       binding(t, base, "GET", "/a/%2e%2E/b"),
		"query in path":      binding(t, base, "GET", "/a?b=c"),
		"two slashes":        binding(t, base, "GET", "//evil.test/x"),
		"no slash":           binding(t, base, "GET", "x"),
		"space":              binding(t, base, "GET", "/a b"),
		"bad escape":         binding(t, base, "GET", "/a%zz"),
		"no argument":        binding(t, base, "GET", "/a/{id}"),
		"no variable":        binding(t, base, "GET", "/a", arg("id", surface.InPath)),
		"method":             binding(t, base, "CONNECT", "/a"),
		"lower method":       binding(t, base, "get", "/a"),
		"place":              binding(t, base, "GET", "/a", arg("id", "cookie")),
		"twice":              binding(t, base, "GET", "/a", arg("q", surface.InQuery), surface.Argument{Name: "r", In: surface.InQuery, Key: "q"}),
		"body without type":  binding(t, base, "POST", "/a", arg("q", surface.InBody)),
		"style":              binding(t, base, "GET", "/a", surface.Argument{Name: "q", In: surface.InQuery, Key: "q", Style: "pipe"}),
		"method override":    binding(t, base, "GET", "/a", arg("_method", surface.InQuery)),
		"header with space":  header("X Trace"),
		"header with colon":  header("X:Trace"),
		"header with CRLF":   header("X\r\nHost"),
	}
	for _, name := range []string{
		"Host", "Authorization", "cookie", "Content-Length", "Content-Type", "Transfer-Encoding", "Connection", "TE", "Upgrade", "Proxy-Authorization",
		"Proxy-Connection", "X-Forwarded-For", "X-Forwarded-Host", "Forwarded", "X-HTTP-Method-Override", "X-Original-URL", "Expect", "Accept-Encoding",
	} {
		tests["header "+name] = header(name)
	}
	set := func(name string, change func(*surface.Tool)) {
		tool := binding(t, base, "POST", "/a", arg("role", surface.InBody))
		tool.Binding.Encoding = "application/json"
		change(&tool)
		tests[name] = tool
	}
	set("fixed and argument", func(t *surface.Tool) {
		t.Binding.Fixed = []surface.Fixed{{In: surface.InBody, Key: "role", Value: json.RawMessage(`"user"`)}}
	})
	set("fixed authorization", func(t *surface.Tool) {
		t.Binding.Fixed = []surface.Fixed{{In: surface.InHeader, Key: "authorization", Value: json.RawMessage(`"x"`)}}
	})
	set("fixed is no JSON", func(t *surface.Tool) {
		t.Binding.Fixed = []surface.Fixed{{In: surface.InBody, Key: "x", Value: json.RawMessage(`{`)}}
	})
	set("credential in an argument's query key", func(t *surface.Tool) {
		t.Auth = &surface.Auth{Ref: "a", Kind: "apiKey", In: surface.InQuery, Name: "key"}
		t.Binding.Arguments = append(t.Binding.Arguments, arg("key", surface.InQuery))
	})
	set("credential in an argument's header", func(t *surface.Tool) {
		t.Auth = &surface.Auth{Ref: "a", Kind: "apiKey", In: surface.InHeader, Name: "X-Api-Key"}
		t.Binding.Arguments = append(t.Binding.Arguments, arg("x-api-key", surface.InHeader))
	})
	set("xml", func(t *surface.Tool) { t.Binding.Encoding = "application/xml" })
	set("whole body and property", func(t *surface.Tool) {
		t.Binding.Arguments = append(t.Binding.Arguments, surface.Argument{Name: "body", In: surface.InBody})
	})
	set("scheme", func(t *surface.Tool) { t.Binding.Scheme = "file" })
	set("user info", func(t *surface.Tool) { t.Binding.Host = "a@b" })
	set("upper host", func(t *surface.Tool) { t.Binding.Host = "API.example.com" })
	set("no port", func(t *surface.Tool) { t.Binding.Port = 0 })
	for name, tool := range tests {
		t.Run(name, func(t *testing.T) {
			_, rejected, err := New(surface.Server{}, []surface.Tool{tool}, Options{})
			require.NoError(t, err)
			require.Error(t, rejected["it"])
		})
	}
}

func TestServerBlockThatCannotBeHonoured(t *testing.T) {
	for _, s := range []surface.Server{
		{AllowPrivate: []string{"10.0.0.1"}}, {AllowPrivate: []string{"169.254.0.0/16"}}, {AllowPrivate: []string{"0.0.0.0/0"}},
		{AllowRedirects: []string{"https://*.example.com"}}, {AllowRedirects: []string{"ftp://example.com"}},
	} {
		_, _, err := New(s, nil, Options{})
		require.Error(t, err)
	}
}

// Whatever a path argument holds, the request asks for the approved path with
// one segment filled, or is not made.
func FuzzPathArgument(f *testing.F) {
	for _, s := range []string{"..", "a/b", "%2e", "．．", "a;b", "x", "\x00", "ℂ", "..;/"} {
		f.Add(s)
	}
	op, err := newOperation(surface.Tool{Binding: surface.Binding{Method: "GET", Scheme: "https", Host: "api.example.com", Port: 443,
		Path: "/users/{id}/posts", Arguments: []surface.Argument{arg("id", surface.InPath)}}})
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, id string) {
		req, err := op.request(context.Background(), map[string]any{"id": id})
		if err != nil {
			var e *Error
			require.True(t, errors.As(err, &e))
			return
		}
		parts := strings.Split(req.URL.EscapedPath(), "/")
		require.Len(t, parts, 4, "%q", req.URL)
		require.Equal(t, []string{"", "users", "posts"}, []string{parts[0], parts[1], parts[3]})
		require.False(t, slices.Contains([]string{"", ".", ".."}, parts[2]))
		require.Equal(t, "/users/"+id+"/posts", req.URL.Path)
		require.Empty(t, req.URL.RawQuery)
		require.Equal(t, "api.example.com", req.URL.Host)
		again, err := url.Parse(req.URL.String())
		require.NoError(t, err)
		require.Equal(t, req.URL.EscapedPath(), again.JoinPath().EscapedPath(), "cleaning changes nothing")
	})
}

// FuzzWriteJSON: the fast writer says what encoding/json says.
func FuzzWriteJSON(f *testing.F) {
	f.Add([]byte(`{"b":[1.50,-0,1e400,true,null,"a\u2028\"<\ufffd\\"],"a":{"":{}},"é":[]}`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		v, err := decode(doc)
		if err != nil {
			return
		}
		want, err := encodeJSON(v)
		require.NoError(t, err)
		got, err := writeJSON(nil, v)
		require.NoError(t, err)
		require.Equal(t, string(want), string(got))
	})
}

// What is fixed can be sent, and takes no place that is taken.
func TestFixedHeaders(t *testing.T) {
	fixed := func(key, value string) surface.Fixed {
		return surface.Fixed{In: surface.InHeader, Key: key, Value: json.RawMessage(value), Recorded: true}
	}
	a := newAPI(t, jsonBody(`{}`))
	good := binding(t, a.URL, "GET", "/x")
	good.Binding.Fixed = []surface.Fixed{fixed("x-requested-with", `"XMLHttpRequest"`)}
	_, err := newClient(t, surface.Server{}, nil, good).Do(t.Context(), Call{Tool: "it"})
	require.NoError(t, err)
	require.Equal(t, "XMLHttpRequest", a.last.Header.Get("X-Requested-With"))
	for name, c := range map[string]struct {
		edit func(*surface.Tool)
		says string
	}{
		"an argument": {func(t *surface.Tool) {
			t.Binding.Arguments = []surface.Argument{arg("X-Requested-With", surface.InHeader)}
		}, "filled twice"},
		"a credential": {func(t *surface.Tool) {
			t.Auth = &surface.Auth{Ref: "k", Kind: "apiKey", In: "header", Name: "X-Requested-With"}
		}, "credential's place"},
		"another": {func(t *surface.Tool) { t.Binding.Fixed = append(t.Binding.Fixed, fixed("X-REQUESTED-WITH", `"b"`)) }, "filled twice"},
		"Accept": {func(t *surface.Tool) {
			t.Binding.Accept, t.Binding.Fixed = "a/b", []surface.Fixed{fixed("accept", `"c/d"`)}
		}, "filled twice"},
		"the host":     {func(t *surface.Tool) { t.Binding.Fixed = []surface.Fixed{fixed("host", `"evil.example"`)} }, "cannot be set"},
		"a line break": {func(t *surface.Tool) { t.Binding.Fixed = []surface.Fixed{fixed("x-a", `"b\r\nHost: evil.example"`)} }, "cannot carry"},
		"an object":    {func(t *surface.Tool) { t.Binding.Fixed = []surface.Fixed{fixed("x-a", `{}`)} }, "is not a string"},
	} {
		bad := good
		bad.Binding.Fixed = slices.Clone(good.Binding.Fixed)
		c.edit(&bad)
		_, err := newOperation(bad)
		require.ErrorContains(t, err, c.says, name)
	}
}
