package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"time"

	"github.com/tomallicino/caskmcp/gate"
	"github.com/tomallicino/caskmcp/internal/safehttp"
	"github.com/tomallicino/caskmcp/lockfile"
	"github.com/tomallicino/caskmcp/serve"
)

// agent is a real MCP client session against the approved surface, with the
// shop running in this process.
type agent struct {
	shop    *shop
	http    *http.Server
	server  *serve.Server
	session *serve.Session
	state   *lockfile.State
	names   []string
}

func (d *demo) workspace() (*lockfile.State, error) { return lockfile.Open(os.DirFS(d.lockDir())) }

// connect starts the shop on a free port and serves the approved tools to a
// client. The shop has a name in the recording; only the last step, connecting
// to the address that was checked, goes to the port the shop got here.
func (d *demo) connect(ctx context.Context) (*agent, error) {
	state, err := d.workspace()
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	a := &agent{shop: newShop(false), state: state}
	a.http = &http.Server{Handler: a.shop, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = a.http.Serve(l) }()
	a.server, err = serve.New(state, serve.Options{
		Auditor: gate.NoAudit{},
		Toolset: "operator",
		Now:     time.Now,
		Version: buildVersion(),
		Lookup:  func(string) (string, bool) { return shopToken, true },
		HTTP: safehttp.Options{
			Resolver: loopback{},
			Connect: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, network, l.Addr().String())
			},
		},
	})
	if err == nil {
		a.session, err = a.server.Connect(ctx)
	}
	if err != nil {
		_ = a.http.Close()
		return nil, err
	}
	tools, err := a.session.List(ctx)
	if err != nil {
		a.close()
		return nil, err
	}
	for _, t := range tools {
		a.names = append(a.names, t.Name)
	}
	return a, nil
}

// loopback resolves the shop's name.
type loopback struct{}

func (loopback) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	return []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1})}, nil
}

func (a *agent) close() {
	_ = a.session.Close()
	a.server.Close()
	_ = a.http.Close()
}

// find is the name of the served tool with that request.
func (a *agent) find(method, path string) (string, error) {
	for _, t := range a.state.Surface.Tools {
		if t.Binding.Method == method && t.Binding.Path == path && slices.Contains(a.names, t.Name) {
			return t.Name, nil
		}
	}
	return "", fmt.Errorf("no tool for %s %s is served", method, path)
}

func (a *agent) mustSucceed(ctx context.Context, d *demo, tool string, args map[string]any) error {
	r, err := a.session.Call(ctx, tool, args)
	if err != nil {
		return err
	}
	if r.IsError || len(r.Structured) == 0 {
		return fmt.Errorf("calling %s: %s", tool, r.Text)
	}
	return d.tellCall(tool, args, string(r.Structured))
}

func (a *agent) mustFail(ctx context.Context, d *demo, tool string, args map[string]any) error {
	r, err := a.session.Call(ctx, tool, args)
	if err != nil {
		return err
	}
	if !r.IsError {
		return fmt.Errorf("%s was carried out without a confirmation", tool)
	}
	return d.tellCall(tool, args, "refused: "+r.Text)
}

func (d *demo) tellCall(tool string, args map[string]any, result string) error {
	doc, err := json.Marshal(args)
	if err != nil {
		return err
	}
	d.tell("tools/call %s %s", tool, doc)
	d.tell("  → %s", result)
	return nil
}
