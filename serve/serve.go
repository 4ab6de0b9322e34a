// Package serve gives agents the approved tools over the Model Context
// Protocol. It reads approved state only, and serves nothing where that state
// does not verify.
package serve

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"slices"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/tomallicino/caskmcp/gate"
	"github.com/tomallicino/caskmcp/internal/safehttp"
	"github.com/tomallicino/caskmcp/lockfile"
	"github.com/tomallicino/caskmcp/surface"
	"github.com/tomallicino/caskmcp/upstream"
)

// Options are what the operator decides when serving; everything else is in
// the approved state.
type Options struct {
	// Toolset whose members are served; "" means the toolset that is the
	// default, or all tools where none is.
	Toolset string
	// Auditor keeps every decision. It is required; gate.NoAudit{} is the
	// explicit choice to keep none.
	Auditor gate.Auditor
	// Confirmer asks a person before calls that need it. Without one such
	// calls are refused.
	Confirmer gate.Confirmer
	// AllowPrivate opens loopback and private address ranges to upstreams.
	AllowPrivate []netip.Prefix
	// Lookup finds environment variables, for credentials; nil finds none.
	Lookup func(name string) (string, bool)
	// Now is the clock; required.
	Now func() time.Time
	// Log gets what an operator wants to know; nil discards it. It must not
	// write to the protocol's output.
	Log *slog.Logger
	// Version of caskmcp, told to clients and upstreams.
	Version string
	// HTTP gives the resolver, dialer and certificate authorities of the
	// guarded client; nil fields mean those of the system.
	HTTP safehttp.Options
	// Drain is how long calls in flight may go on after the input ends or the
	// context is cancelled; 0 means 10 seconds.
	Drain time.Duration
}

// Server serves one approved surface.
type Server struct {
	mcp      *server.MCPServer
	gate     *gate.Gate
	upstream *upstream.Client
	log      *slog.Logger
	drain    time.Duration
	tools    []string
	toolset  string
	withheld []Withheld
}

// Withheld is an approved tool that is not served.
type Withheld struct {
	Tool string
	// Reason is a sentence for the operator.
	Reason string
}

// principal is who calls over stdio: whoever started the process.
const principal = "local"

// New prepares the approved tools of state. An error that is an *Unservable
// says why nothing is served and what to run. Single tools whose definition
// does not verify, has expired or cannot be governed are withheld; see
// Withheld.
func New(state *lockfile.State, opt Options) (*Server, error) {
	if err := servable(state); err != nil {
		return nil, err
	}
	if opt.Now == nil || opt.Auditor == nil {
		return nil, errors.New("preparing to serve: a clock and an audit log (or the choice of none) are required")
	}
	toolset, err := chooseToolset(state, opt.Toolset)
	if err != nil {
		return nil, err
	}
	s := &Server{log: opt.Log, drain: opt.Drain, toolset: toolset}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.drain <= 0 {
		s.drain = 10 * time.Second
	}
	tools := s.verified(state)
	if s.upstream, tools, err = s.prepareUpstream(state.Surface.Server, tools, opt); err != nil {
		return nil, err
	}
	digests := map[string]string{}
	for name, b := range state.Lock.Tools {
		digests[name] = b.Digest
	}
	var rejected map[string]error
	s.gate, rejected, err = gate.New(gate.Params{
		Tools: tools, Digests: digests, Toolset: toolset, Policy: state.Surface.Policy,
		Auditor: opt.Auditor, Confirmer: opt.Confirmer, Now: opt.Now,
	})
	if err != nil {
		return nil, fmt.Errorf("preparing to serve: %w", err)
	}
	tools = s.withhold(tools, rejected)
	s.register(state.Surface.Server, tools, opt.Version)
	if !slices.ContainsFunc(tools, func(t surface.Tool) bool { return s.gate.Visible(t.Name) }) {
		return nil, s.nothingLeft(state)
	}
	return s, nil
}

func (s *Server) prepareUpstream(block surface.Server, tools []surface.Tool, opt Options) (*upstream.Client, []surface.Tool, error) {
	agent := "caskmcp"
	if opt.Version != "" {
		agent += "/" + opt.Version
	}
	c, rejected, err := upstream.New(block, tools, upstream.Options{Lookup: opt.Lookup, AllowPrivate: opt.AllowPrivate, UserAgent: agent, HTTP: opt.HTTP})
	if err != nil {
		return nil, nil, fmt.Errorf("preparing to serve: %w", err)
	}
	return c, s.withhold(tools, rejected), nil
}

// withhold takes the rejected tools out of tools.
func (s *Server) withhold(tools []surface.Tool, rejected map[string]error) []surface.Tool {
	var kept []surface.Tool
	for _, t := range tools {
		if err := rejected[t.Name]; err != nil {
			s.withholdOne(t.Name, err.Error())
			continue
		}
		kept = append(kept, t)
	}
	return kept
}

func (s *Server) withholdOne(tool, reason string) {
	s.withheld = append(s.withheld, Withheld{Tool: tool, Reason: reason})
	s.log.Warn("tool is not served", "tool", tool, "reason", reason)
}

// Tools are the names of the tools that are served now, sorted.
func (s *Server) Tools() []string {
	var names []string
	for _, n := range s.tools {
		if s.gate.Visible(n) {
			names = append(names, n)
		}
	}
	return names
}

// Toolset is the toolset served, "" for all tools.
func (s *Server) Toolset() string { return s.toolset }

// Withheld are the approved tools that are not served although the toolset
// has them, in the order they were found.
func (s *Server) Withheld() []Withheld { return s.withheld }

// Close frees what the server holds.
func (s *Server) Close() { s.upstream.Close() }

// register makes the MCP server. Clients see exactly the approved bytes.
func (s *Server) register(block surface.Server, tools []surface.Tool, version string) {
	name := block.Name
	if name == "" {
		name = "caskmcp"
	}
	hooks := &server.Hooks{}
	hooks.AddOnError(s.auditUnknown)
	options := []server.ServerOption{
		server.WithToolCapabilities(false),
		server.WithToolFilter(s.filter),
		server.WithHooks(hooks),
	}
	if block.Instructions != "" {
		options = append(options, server.WithInstructions(block.Instructions))
	}
	if version == "" {
		version = "unknown"
	}
	s.mcp = server.NewMCPServer(name, version, options...)
	var all []server.ServerTool
	for _, t := range tools {
		all = append(all, server.ServerTool{Tool: definition(t), Handler: s.handle})
		s.tools = append(s.tools, t.Name)
	}
	slices.Sort(s.tools)
	s.mcp.SetTools(all...)
}

// definition is what an agent reads of a tool. All four hints are written, so
// that no client falls back to its own defaults.
func definition(t surface.Tool) mcp.Tool {
	d := mcp.NewToolWithRawSchema(t.Name, t.Description, t.InputSchema)
	d.Title = t.Title
	d.RawOutputSchema = t.OutputSchema
	d.Annotations = mcp.ToolAnnotation{
		ReadOnlyHint:    mcp.ToBoolPtr(t.Annotations.ReadOnly),
		DestructiveHint: mcp.ToBoolPtr(t.Annotations.Destructive),
		IdempotentHint:  mcp.ToBoolPtr(t.Annotations.Idempotent),
		OpenWorldHint:   mcp.ToBoolPtr(t.Annotations.OpenWorld),
	}
	return d
}

// filter hides what may not be called now. mcp-go applies it to lists and to
// calls alike.
func (s *Server) filter(_ context.Context, tools []mcp.Tool) []mcp.Tool {
	hidden := func(t mcp.Tool) bool { return !s.gate.Visible(t.Name) }
	if !slices.ContainsFunc(tools, hidden) {
		return tools
	}
	return slices.DeleteFunc(slices.Clone(tools), hidden)
}

// Stdio serves one client over line-delimited JSON-RPC until in ends or ctx is
// cancelled; calls in flight then have Options.Drain to finish. Nothing but
// protocol messages is written to out.
func (s *Server) Stdio(ctx context.Context, in io.Reader, out io.Writer) error {
	return s.converse(ctx, in, out)
}
