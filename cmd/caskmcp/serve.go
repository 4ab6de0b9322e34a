package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/tomallicino/caskmcp/gate"
	"github.com/tomallicino/caskmcp/lockfile"
	"github.com/tomallicino/caskmcp/serve"
	"github.com/tomallicino/caskmcp/toolpack"
)

type serveFlags struct {
	toolpack string
	toolset  string
	accept   []string
	private  []string
	auditLog string
	noAudit  bool
}

func newServe(e *env) *cobra.Command {
	c := serveCommand(e, e.runServe)
	c.Short = "Serve the approved tools over MCP on stdio"
	c.Long = `Serve is an MCP server on standard input and output. It serves exactly the
approved definitions whose digests and approvals verify; without a lockfile, or
when the policy or the server block does not verify, it serves nothing.

It reads the state in lockfile/ and nothing else: toolpack.yaml and captures do
not matter. Every decision is written to the audit log; when that fails, calls
are denied.`
	c.Example = examples(
		`caskmcp serve --toolpack shop`,
		`SHOP_TOKEN=… caskmcp serve --toolpack .caskmcp/toolpacks/shop --toolset operator`,
	)
	return c
}

func newRun(e *env) *cobra.Command {
	c := serveCommand(e, e.runRun)
	c.Use, c.Short = "run", "Check that the toolpack is whole, then serve it"
	c.Long = `Run serves as "caskmcp serve" does, but first checks the whole state: a single
definition, digest or approval that does not verify ends it, where serve would
leave out that tool.`
	c.Example = examples(`caskmcp run --toolpack shop`)
	return c
}

func newMCP(e *env) *cobra.Command {
	c := &cobra.Command{Use: "mcp", Short: "MCP servers"}
	sub := newServe(e)
	sub.Example = examples(`caskmcp mcp serve --toolpack shop`)
	c.AddCommand(sub)
	return c
}

func serveCommand(_ *env, do func(context.Context, serveFlags) error) *cobra.Command {
	var f serveFlags
	c := &cobra.Command{
		Use:  "serve",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return do(c.Context(), f) },
	}
	addToolpack(c, &f.toolpack)
	c.Flags().StringVar(&f.toolset, "toolset", "", "serve only this toolset (default: the toolpack's default, readonly)")
	c.Flags().StringSliceVar(&f.accept, "accept", nil, "count only approvals given this way: review, cli")
	c.Flags().StringArrayVar(&f.private, "allow-private-cidr", nil, "private range that upstreams may resolve to, beside the approved ones (repeatable)")
	c.Flags().StringVar(&f.auditLog, "audit-log", "", "file for the audit log (default: .caskmcp/audit/NAME.jsonl)")
	c.Flags().BoolVar(&f.noAudit, "no-audit", false, "keep no audit log")
	return c
}

// openServed opens what serve reads: the state of a toolpack, and nothing else.
func (e *env) openServed(f serveFlags) (dir string, state *lockfile.State, err error) {
	if dir, err = e.findToolpack(f.toolpack); err != nil {
		return "", nil, err
	}
	lockDir := filepath.Join(dir, "lockfile")
	if err := ownFolder(lockDir); err != nil {
		return "", nil, stateError(lockDir, err)
	}
	if state, err = lockfile.Open(os.DirFS(lockDir)); err != nil {
		return "", nil, stateError(lockDir, err)
	}
	if len(f.accept) > 0 {
		for _, via := range f.accept {
			if via != lockfile.ViaCLI && via != lockfile.ViaReview {
				return "", nil, fmt.Errorf("--accept is %q, want review or cli", via)
			}
		}
		state.Restrict(f.accept)
	}
	return dir, state, nil
}

func (e *env) runRun(ctx context.Context, f serveFlags) error {
	dir, state, err := e.openServed(f)
	if err != nil {
		return err
	}
	if len(state.Findings) > 0 {
		for _, x := range state.Findings {
			e.say("%s", checkFinding{Kind: x.Kind, Name: x.Name, Code: x.Code, Text: x.Text})
		}
		return hint(gateError("%s of the state does not verify; nothing is served", count(len(state.Findings), "part")),
			`restore it from git, or run "caskmcp plan", "caskmcp approve" and "caskmcp apply"`)
	}
	return e.serveState(ctx, f, dir, state)
}

func (e *env) runServe(ctx context.Context, f serveFlags) error {
	dir, state, err := e.openServed(f)
	if err != nil {
		return err
	}
	return e.serveState(ctx, f, dir, state)
}

func (e *env) serveState(ctx context.Context, f serveFlags, dir string, state *lockfile.State) error {
	auditor, closeAudit, err := e.openAudit(f, dir)
	if err != nil {
		return err
	}
	defer closeAudit()
	private, err := prefixes(f.private)
	if err != nil {
		return err
	}
	s, err := serve.New(state, serve.Options{
		Toolset:      f.toolset,
		Auditor:      auditor,
		AllowPrivate: private,
		Lookup:       e.LookupEnv,
		Now:          e.Now,
		Log:          slog.New(slog.NewTextHandler(e.Stderr, nil)),
		Version:      buildVersion(),
	})
	var refused *serve.Unservable
	if errors.As(err, &refused) {
		return &codedError{code: exitGate, err: err}
	}
	if err != nil {
		return err
	}
	defer s.Close()
	if e.StdinTTY {
		e.say("serving %s over MCP on standard input and output; this is for an MCP client to start, press Ctrl-C to stop", count(len(s.Tools()), "tool"))
	}
	if err := s.Stdio(ctx, e.Stdin, e.Stdout); err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("serving: %w", err)
	}
	return nil
}

// openAudit opens the audit log; without one nothing is served.
func (e *env) openAudit(f serveFlags, dir string) (gate.Auditor, func(), error) {
	if f.noAudit {
		if f.auditLog != "" {
			return nil, nil, errors.New("--audit-log and --no-audit exclude each other")
		}
		return gate.NoAudit{}, func() {}, nil
	}
	path := e.abs(f.auditLog)
	if f.auditLog == "" {
		root := toolpack.RootOf(dir)
		if root == dir {
			return nil, nil, auditError(fmt.Errorf("%s lies outside a %s folder, which has a place for it", dir, toolpack.Folder))
		}
		path = filepath.Join(root, toolpack.Folder, "audit", filepath.Base(dir)+".jsonl")
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return nil, nil, auditError(err)
		}
	}
	a, err := gate.OpenAudit(path)
	if err != nil {
		return nil, nil, auditError(err)
	}
	return a, func() { _ = a.Close() }, nil
}

func auditError(err error) error {
	return hint(gateError("nothing is served without an audit log: %w", err),
		"name a file that can be written with --audit-log FILE, or choose to keep none with --no-audit")
}

func prefixes(list []string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, s := range list {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			return nil, hint(fmt.Errorf("--allow-private-cidr is %q, which is no CIDR range", s), "for example --allow-private-cidr 10.1.0.0/16")
		}
		out = append(out, p.Masked())
	}
	return out, nil
}
