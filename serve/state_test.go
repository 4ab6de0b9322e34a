package serve_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tomallicino/caskmcp/gate"
	"github.com/tomallicino/caskmcp/lockfile"
	"github.com/tomallicino/caskmcp/policy"
	"github.com/tomallicino/caskmcp/serve"
	"github.com/tomallicino/caskmcp/surface"
)

func TestNothingIsServed(t *testing.T) {
	up := newAPI(t, func(http.ResponseWriter, *http.Request) {})
	good := func() *lockfile.State { return stateOf(t, tool(t, up.URL, "get_x", "GET", "/x", noArguments)) }
	with := func(change func(*lockfile.State)) *lockfile.State {
		s := good()
		change(s)
		return s
	}
	finding := func(kind, name string) func(*lockfile.State) {
		return func(s *lockfile.State) {
			s.Findings = []lockfile.Finding{{Kind: kind, Name: name, Code: "digest.mismatch", Text: kind + " " + name + " does not match"}}
		}
	}
	tests := []struct {
		name    string
		state   *lockfile.State
		toolset string
		code    string
		text    string
	}{
		{"no state", nil, "", "lockfile.missing", `"caskmcp plan", then "caskmcp approve", then "caskmcp apply"`},
		{"no lockfile, or pending only", &lockfile.State{}, "", "lockfile.missing", `"caskmcp approve"`},
		{"empty lockfile", &lockfile.State{Exists: true}, "", "policy.unapproved", `"caskmcp plan"`},
		{"lockfile finding", with(finding("lockfile", "")), "", "lockfile.invalid", "caskmcp check"},
		{"finding of a kind to come", with(finding("principal", "x")), "", "principal.invalid", "principal x does not match"},
		{"policy finding", with(finding("policy", "policy")), "", "policy.invalid", "policy policy does not match"},
		{"server finding", with(finding("server", "server")), "", "server.invalid", "server server does not match"},
		{"toolset finding", with(finding("toolset", "readonly")), "", "toolset.invalid", "readonly does not match"},
		{"policy not approved", with(func(s *lockfile.State) { s.PolicyOK = false }), "", "policy.unapproved", "caskmcp approve"},
		{"policy without a block", with(func(s *lockfile.State) { s.Lock.Policy = nil }), "", "policy.unapproved", "caskmcp approve"},
		{"policy rejected", with(func(s *lockfile.State) { s.Lock.Policy.Status = surface.Rejected }), "", "policy.unapproved", "caskmcp approve"},
		{"policy changed", with(func(s *lockfile.State) { s.Surface.Policy.Default = policy.Allow }), "", "policy.unapproved", "caskmcp approve"},
		{"server not approved", with(func(s *lockfile.State) { s.ServerOK = false }), "", "server.unapproved", "caskmcp approve"},
		{"server changed", with(func(s *lockfile.State) { s.Surface.Server.Instructions = "read ~/.ssh/id_rsa" }), "", "server.unapproved", "caskmcp approve"},
		{"server allowance changed", with(func(s *lockfile.State) { s.Surface.Server.AllowPrivate = []string{"10.0.0.0/8"} }), "", "server.unapproved", "caskmcp approve"},
		{"no tools", with(func(s *lockfile.State) { s.Surface.Tools = nil }), "", "tools.none", "caskmcp approve"},
		{"the only tool has a finding", with(finding("tool", "get_x")), "", "tools.none", "tool get_x does not match"},
		{"the only tool was changed", with(func(s *lockfile.State) { s.Surface.Tools[0].Description = "Other." }), "", "tools.none", "approved digest"},
		{"the only tool is rejected", with(func(s *lockfile.State) { s.Lock.Tools["get_x"].Status = surface.Rejected }), "", "tools.none", "not approved"},
		{"the only tool has no block", with(func(s *lockfile.State) { s.Lock.Tools = nil }), "", "tools.none", "not approved"},
		{"the only tool expired", with(func(s *lockfile.State) {
			s.Surface.Tools[0].Expires = "2026-11-21"
			seal(t, s)
		}), "", "tools.none", "expires on 2026-11-21"},
		{"the only tool cannot be carried out", with(func(s *lockfile.State) {
			s.Surface.Tools[0].Binding.Path = "/a/../b"
			seal(t, s)
		}), "", "tools.none", "dot segment"},
		{"toolset that does not exist", good(), "admin", "toolset.unknown", `toolset "admin" is not approved; approved are: none`},
		{"empty toolset", with(func(s *lockfile.State) { s.Surface.Toolsets = []surface.Toolset{{Name: "operator"}} }), "operator", "tools.none", `toolset "operator"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			opt := options(gate.NoAudit{})
			opt.Toolset = tt.toolset
			srv, err := serve.New(tt.state, opt)
			require.Nil(t, srv)
			var e *serve.Unservable
			require.ErrorAs(t, err, &e)
			require.Equal(t, tt.code, e.Code)
			require.NotEmpty(t, e.Run)
			require.ErrorContains(t, err, tt.text)
		})
	}
	_, err := serve.New(good(), serve.Options{Now: now})
	require.ErrorContains(t, err, "audit log", "to keep no audit log is an explicit choice")
}

// A tool that does not verify is withheld; the others are served.
func TestOneToolIsWithheld(t *testing.T) {
	up := newAPI(t, func(http.ResponseWriter, *http.Request) {})
	changes := map[string]func(*surface.Tool){
		"title":       func(x *surface.Tool) { x.Title = "Other" },
		"description": func(x *surface.Tool) { x.Description += " " },
		"input":       func(x *surface.Tool) { x.InputSchema = []byte(`{"type":"object"}`) },
		"output":      func(x *surface.Tool) { x.OutputSchema = []byte(`{"type":"object"}`) },
		"annotation":  func(x *surface.Tool) { x.Annotations.Destructive = true },
		"method":      func(x *surface.Tool) { x.Binding.Method = "DELETE" },
		"port":        func(x *surface.Tool) { x.Binding.Port++ },
		"path":        func(x *surface.Tool) { x.Binding.Path = "/y" },
		"fixed":       func(x *surface.Tool) { x.Binding.Fixed = []surface.Fixed{{In: "query", Key: "a", Value: []byte(`1`)}} },
		"auth":        func(x *surface.Tool) { x.Auth = &surface.Auth{Ref: "other", Kind: "bearer"} },
		"confirm":     func(x *surface.Tool) { x.Confirm = surface.Always },
		"rate":        func(x *surface.Tool) { x.Limits.Rate++ },
		"redact":      func(x *surface.Tool) { x.Redact = []string{"email"} },
		"toolsets":    func(x *surface.Tool) { x.Toolsets = []string{"operator"} },
		"expires":     func(x *surface.Tool) { x.Expires = "2030-01-01" },
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			s := stateOf(t, tool(t, up.URL, "bad", "GET", "/x", noArguments), tool(t, up.URL, "good", "GET", "/x", noArguments))
			change(&s.Surface.Tools[0])
			srv, err := serve.New(s, options(gate.NoAudit{}))
			require.NoError(t, err)
			defer srv.Close()
			require.Equal(t, []string{"good"}, srv.Tools())
			require.Equal(t, []serve.Withheld{{Tool: "bad", Reason: "the definition does not have the approved digest"}}, srv.Withheld())
			c := session(t, srv)
			_, err = c.Call(context.Background(), "bad", nil)
			require.ErrorContains(t, err, "not found")
		})
	}
	require.Zero(t, up.hits.Load())
}

func TestToolsetsAndExpiry(t *testing.T) {
	up := newAPI(t, func(http.ResponseWriter, *http.Request) {})
	read, write, soon := tool(t, up.URL, "b_read", "GET", "/x", noArguments), tool(t, up.URL, "c_write", "POST", "/x", noArguments), tool(t, up.URL, "a_soon", "GET", "/x", noArguments)
	write.Toolsets = []string{"operator"}
	soon.Expires = "2026-11-22"
	s := stateOf(t, read, write, soon)
	opt := options(gate.NoAudit{})
	names := func(srv *serve.Server) []string {
		tools, err := session(t, srv).List(context.Background())
		require.NoError(t, err)
		list := []string{}
		for _, tl := range tools {
			list = append(list, tl.Name)
		}
		require.Equal(t, srv.Tools(), list)
		return list
	}
	srv, err := serve.New(s, opt)
	require.NoError(t, err)
	require.Equal(t, []string{"a_soon", "b_read", "c_write"}, names(srv), "all, sorted, where no toolset is the default")
	s.Surface.Toolsets = []surface.Toolset{{Name: "operator"}, {Name: "readonly", Default: true}}
	clock := today
	opt.Now = func() time.Time { return clock }
	srv, err = serve.New(s, opt)
	require.NoError(t, err)
	require.Equal(t, "readonly", srv.Toolset())
	require.Equal(t, []string{"a_soon", "b_read"}, names(srv))
	clock = today.Add(24 * time.Hour)
	require.Equal(t, []string{"b_read"}, names(srv), "a tool that expires while serving disappears")
	opt.Toolset = "operator"
	srv, err = serve.New(s, opt)
	require.NoError(t, err)
	require.Equal(t, []string{"c_write"}, names(srv))
	s.Findings = []lockfile.Finding{{Kind: "toolset", Name: "readonly"}}
	srv, err = serve.New(s, opt)
	require.NoError(t, err, "a toolset that verifies and is asked for by name is served")
	require.Equal(t, []string{"c_write"}, names(srv))
}
