package serve_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tomallicino/caskmcp/gate"
	"github.com/tomallicino/caskmcp/lockfile"
	"github.com/tomallicino/caskmcp/policy"
	"github.com/tomallicino/caskmcp/serve"
	"github.com/tomallicino/caskmcp/surface"
)

var today = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func now() time.Time { return today }

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

// records is an auditor that remembers.
type records struct {
	mu   sync.Mutex
	list []gate.Record
	err  error
}

func (r *records) Audit(rec gate.Record) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return r.err
	}
	r.list = append(r.list, rec)
	return nil
}

func (r *records) last(t testing.TB) gate.Record {
	r.mu.Lock()
	defer r.mu.Unlock()
	require.NotEmpty(t, r.list)
	return r.list[len(r.list)-1]
}

// api is an upstream that counts requests and remembers the last.
type api struct {
	*httptest.Server
	hits atomic.Int64
	mu   sync.Mutex
	last *http.Request
}

func newAPI(t testing.TB, handler http.HandlerFunc) *api {
	a := &api{}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.hits.Add(1)
		a.mu.Lock()
		a.last = r
		a.mu.Unlock()
		handler(w, r)
	}))
	t.Cleanup(a.Close)
	return a
}

func (a *api) request() *http.Request {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.last
}

// tool is a read tool on the origin of base.
func tool(t testing.TB, base, name, method, path, input string, args ...surface.Argument) surface.Tool {
	u, err := url.Parse(base)
	require.NoError(t, err)
	port, err := strconv.Atoi(u.Port())
	require.NoError(t, err)
	effect := surface.Read
	if method != http.MethodGet {
		effect = surface.Write
	}
	if args == nil {
		args = []surface.Argument{}
	}
	return surface.Tool{
		Name: name, Title: "Title of " + name, Description: "Does " + name + ".",
		InputSchema: json.RawMessage(input),
		Annotations: surface.Annotations{ReadOnly: effect == surface.Read, Destructive: false, Idempotent: true, OpenWorld: true},
		Binding:     surface.Binding{Method: method, Scheme: u.Scheme, Host: u.Hostname(), Port: port, Path: path, Arguments: args},
		Effect:      effect, Risk: surface.Low, Confirm: surface.Never, Limits: surface.DefaultLimits, Toolsets: []string{"readonly"},
	}
}

const noArguments = `{"type":"object","additionalProperties":false}`

func idSchema(extra string) string {
	return `{"type":"object","properties":{"id":{"type":"string"}` + extra + `},"required":["id"],"additionalProperties":false}`
}

// stateOf is an approved state of the given tools.
func stateOf(t testing.TB, tools ...surface.Tool) *lockfile.State {
	s := &lockfile.State{Exists: true, PolicyOK: true, ServerOK: true}
	s.Surface = surface.Surface{Tools: tools, Policy: policy.Default(), Server: surface.Server{Name: "shop"}}
	seal(t, s)
	return s
}

// seal writes the lock that approves what is in s.
func seal(t testing.TB, s *lockfile.State) {
	s.Lock = lockfile.Lock{Version: lockfile.FormatVersion, Tools: map[string]*lockfile.ToolBlock{}}
	block := func(digest string, err error) *lockfile.Block {
		require.NoError(t, err)
		return &lockfile.Block{Digest: digest, Status: surface.Approved}
	}
	s.Lock.Policy = block(s.Surface.Policy.Digest())
	s.Lock.Server = block(s.Surface.Server.Digest())
	for _, x := range s.Surface.Tools {
		s.Lock.Tools[x.Name] = &lockfile.ToolBlock{Block: *block(x.Digest()), Identity: x.Binding.Identity()}
	}
}

func options(audit gate.Auditor) serve.Options {
	return serve.Options{Auditor: audit, Now: now, AllowPrivate: loopback, Version: "1.2.3", Log: slog.New(slog.DiscardHandler)}
}

// connect serves s and returns a client of it.
func connect(t testing.TB, s *lockfile.State, opt serve.Options) *serve.Session {
	srv, err := serve.New(s, opt)
	require.NoError(t, err)
	t.Cleanup(srv.Close)
	return session(t, srv)
}

func session(t testing.TB, srv *serve.Server) *serve.Session {
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	c, err := srv.Connect(ctx)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

func call(t testing.TB, c *serve.Session, name, args string) *serve.CallResult {
	r, err := c.Call(context.Background(), name, json.RawMessage(args))
	require.NoError(t, err)
	return r
}
