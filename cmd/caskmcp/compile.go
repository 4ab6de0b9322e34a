package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/tomallicino/caskmcp/compiler"
	"github.com/tomallicino/caskmcp/internal/files"
	"github.com/tomallicino/caskmcp/openapi"
	"github.com/tomallicino/caskmcp/toolpack"
)

type compileFlags struct {
	name      string
	scope     string
	scopeFile string
	explain   string
	json      bool
}

// explainAll is --explain without a value.
const explainAll = "all"

func newCompile(e *env) *cobra.Command {
	var f compileFlags
	c := &cobra.Command{
		Use:   "compile",
		Short: "Compile captures into a tool surface under artifact/",
		Long: `Compile turns the captures of a toolpack into tools, toolsets, a policy, a
baseline and an OpenAPI 3.1 contract. On the first run it creates
.caskmcp/toolpacks/NAME/toolpack.yaml, where people edit.

The files under artifact/ are output for people and other tools: approving and
serving never read them.`,
		Example: examples(
			`caskmcp compile --name shop`,
			`caskmcp compile --name shop --scope agent_safe_readonly`,
			`caskmcp compile --name shop --explain get_order`,
		),
		Args: func(c *cobra.Command, args []string) error {
			if f.explain == explainAll {
				return cobra.MaximumNArgs(1)(c, args)
			}
			return cobra.NoArgs(c, args)
		},
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 1 { // the value of --explain, after a space
				f.explain = args[0]
			}
			return e.runCompile(c.Context(), f)
		},
	}
	c.Flags().StringVarP(&f.name, "name", "n", "", "toolpack to compile; created when it does not exist")
	c.Flags().StringVarP(&f.scope, "scope", "s", "", "scope of a new toolpack: "+strings.Join(compiler.Scopes, ", "))
	c.Flags().StringVar(&f.scopeFile, "scope-file", "", "file with scope rules for a new toolpack")
	c.Flags().StringVar(&f.explain, "explain", "", "print why each path segment is a parameter or not: a tool name, a path, or \"all\"")
	c.Flags().Lookup("explain").NoOptDefVal = explainAll
	c.Flags().BoolVar(&f.json, "json", false, "print the compiled surface as JSON")
	return c
}

func (e *env) runCompile(ctx context.Context, f compileFlags) error {
	pack, err := e.packFor(f)
	if err != nil {
		return err
	}
	w := &workspace{Pack: pack}
	if w.State, err = e.openState(ctx, pack, ""); err != nil {
		return err
	}
	if err := w.compile(); err != nil {
		return err
	}
	if f.explain != "" {
		return e.explain(w.Result, f.explain, f.json)
	}
	if err := w.writeArtifacts(); err != nil {
		return err
	}
	if f.json {
		return e.writeJSON(w.Result.Surface)
	}
	e.sayCompiled(w)
	return nil
}

// packFor opens the toolpack that compile is about, and creates it when there
// are captures of its name.
func (e *env) packFor(f compileFlags) (*toolpack.Toolpack, error) {
	pack, err := e.loadPack(f.name)
	var missing *toolpack.NotFoundError
	switch {
	case err == nil && (f.scope != "" || f.scopeFile != ""):
		return nil, hint(errors.New("--scope and --scope-file are for new toolpacks"), "set scope: or scope_file: in "+e.show(filepath.Join(pack.Dir, toolpack.FileName)))
	case err == nil, !errors.As(err, &missing):
		return pack, err
	}
	root, rootErr := toolpack.FindRoot(e.Dir)
	if rootErr != nil {
		return nil, rootErr
	}
	name := f.name
	if name == "" {
		if name, err = onlyCapture(root); err != nil {
			return nil, err
		}
	}
	return e.createPack(root, name, f)
}

func (e *env) createPack(root, name string, f compileFlags) (*toolpack.Toolpack, error) {
	if err := toolpack.CheckName(name); err != nil {
		return nil, err
	}
	found, err := fs.Glob(os.DirFS(toolpack.CapturesIn(root)), name+"-*.json")
	if err != nil || len(found) == 0 {
		return nil, hint(fmt.Errorf("there is neither a toolpack nor a capture named %q", name),
			"caskmcp capture import FILE -a HOST --name "+name)
	}
	private, err := privateHosts(root, found)
	if err != nil {
		return nil, err
	}
	n := toolpack.New{Name: name, Scope: f.scope, AllowPrivate: private}
	if f.scopeFile != "" {
		if n.ScopeFile, err = e.copyScope(root, name, f.scopeFile); err != nil {
			return nil, err
		}
	}
	if n.Scope != "" && !slices.Contains(compiler.Scopes, n.Scope) {
		return nil, fmt.Errorf("unknown scope %q: there are %s", n.Scope, strings.Join(compiler.Scopes, ", "))
	}
	pack, err := toolpack.Create(root, n)
	if err != nil {
		return nil, err
	}
	e.say("created %s", e.show(filepath.Join(pack.Dir, toolpack.FileName)))
	if len(private) > 0 {
		e.say("the API was recorded on this machine: server.allow_private lets tools call %s, and is part of what gets approved", strings.Join(private, ", "))
	}
	return pack, nil
}

// copyScope puts a scope file beside the toolpack, where it is committed.
func (e *env) copyScope(root, name, file string) (string, error) {
	doc, err := readBounded(e.abs(file), 1<<20)
	if err != nil {
		return "", fmt.Errorf("reading scope file: %w", err)
	}
	if _, err := compiler.ParseScope(doc); err != nil {
		return "", fmt.Errorf("reading scope file %s: %w", file, err)
	}
	dir := toolpack.DirOf(root, name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("creating toolpack: %w", err)
	}
	return "scope.yaml", files.Write(filepath.Join(dir, "scope.yaml"), doc, 0o644)
}

// onlyCapture is the name of the captures in root when they all have one.
func onlyCapture(root string) (string, error) {
	names := map[string]bool{}
	found, _ := fs.Glob(os.DirFS(toolpack.CapturesIn(root)), "*-*.json")
	for _, f := range found {
		stem := strings.TrimSuffix(f, ".json")
		names[stem[:strings.LastIndex(stem, "-")]] = true
	}
	if len(names) == 1 {
		for n := range names {
			return n, nil
		}
	}
	if len(names) == 0 {
		return "", hint(errors.New("there is nothing to compile"), "caskmcp capture import FILE -a HOST --name NAME")
	}
	return "", errors.New("there are several captures: say which with --name")
}

// privateHosts is the loopback ranges that captured hosts lie in. Only
// loopback is proposed: other private addresses are for people to write down.
func privateHosts(root string, names []string) ([]string, error) {
	ranges := map[string]bool{}
	for _, n := range names {
		doc, err := files.Read(os.DirFS(toolpack.CapturesIn(root)), n, maxInput)
		if err != nil {
			return nil, fmt.Errorf("reading capture %s: %w", n, err)
		}
		// Only hosts are looked at; compiling reads the capture with all its
		// checks.
		var c struct {
			Observations, Declarations []struct {
				Host string `json:"host"`
			}
		}
		if err := json.Unmarshal(doc, &c); err != nil {
			return nil, fmt.Errorf("reading capture %s: %w", n, err)
		}
		for _, x := range slices.Concat(c.Observations, c.Declarations) {
			addLoopback(ranges, x.Host)
		}
	}
	list := make([]string, 0, len(ranges))
	for r := range ranges {
		list = append(list, r)
	}
	slices.Sort(list)
	return list, nil
}

func addLoopback(ranges map[string]bool, host string) {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		ranges["127.0.0.0/8"], ranges["::1/128"] = true, true
		return
	}
	addr, err := netip.ParseAddr(host)
	if err != nil || !addr.IsLoopback() {
		return
	}
	ranges[netip.PrefixFrom(addr, addr.BitLen()).String()] = true
}

// writeArtifacts writes everything people and other tools may want to read.
func (w *workspace) writeArtifacts() error {
	name := w.Pack.Config.Name
	var contract, contractYAML []byte
	var contractErr error
	var wg sync.WaitGroup // both read the surface only
	wg.Go(func() { contract, contractYAML, contractErr = openapi.Contract(w.Result.Surface, name) })
	out, err := compiler.Artifacts(w.Result, name)
	if wg.Wait(); err != nil {
		return fmt.Errorf("writing artifacts: %w", err)
	}
	if contractErr != nil {
		return fmt.Errorf("writing contract: %w", contractErr)
	}
	out["contract.json"], out["contract.yaml"] = contract, contractYAML
	dir := w.Pack.ArtifactDir()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("writing artifacts: %w", err)
	}
	for file, doc := range out {
		if err := files.Write(filepath.Join(dir, file), doc, 0o644); err != nil {
			return fmt.Errorf("writing artifacts: %w", err)
		}
	}
	return nil
}

func (e *env) sayCompiled(w *workspace) {
	reads := 0
	for _, t := range w.Result.Surface.Tools {
		if t.Effect == "read" {
			reads++
		}
	}
	n := len(w.Result.Surface.Tools)
	e.say("%d tools (%d read, %d change something) in %s", n, reads, n-reads, e.show(w.Pack.ArtifactDir()))
	if len(w.Result.Skipped) > 0 {
		byReason := map[string]int{}
		for _, s := range w.Result.Skipped {
			byReason[s.Reason]++
		}
		for _, r := range sortedKeys(byReason) {
			e.say("  %d not a tool: %s", byReason[r], r)
		}
	}
	e.sayReviews(reviewsOf(w.Result.Decisions))
	e.say("next: caskmcp plan%s", e.packFlag(w.Pack))
}

// packFlag is " --toolpack NAME" where it is needed to tell toolpacks apart.
func (e *env) packFlag(p *toolpack.Toolpack) string {
	if len(toolpack.List(p.Root)) == 1 {
		return ""
	}
	return " --toolpack " + p.Config.Name
}

func reviewsOf(ds []compiler.Decision) []compiler.Decision {
	var out []compiler.Decision
	for _, d := range ds {
		if d.Review {
			out = append(out, d)
		}
	}
	return out
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// explain prints the evidence of inferred path segments: of one tool, below
// one path, or all.
func (e *env) explain(r *compiler.Result, what string, asJSON bool) error {
	chosen := []compiler.Decision{}
	for _, d := range r.Decisions {
		if what == explainAll || explains(r, d, what) {
			chosen = append(chosen, d)
		}
	}
	if len(chosen) == 0 && what != explainAll {
		return hint(fmt.Errorf("nothing was inferred about %q", what), "caskmcp compile --explain prints everything")
	}
	if asJSON {
		return e.writeJSON(map[string]any{"decisions": chosen, "skipped": r.Skipped})
	}
	for _, d := range chosen {
		mark := " "
		if d.Review {
			mark = "?"
		}
		when := ""
		if d.Sealed {
			when = " (decided at the import)"
		}
		fmt.Fprintf(e.Stdout, "%s %-9s %6.2f  %s%s%s\n", mark, kindOf(d), d.Score, printable(d.Host), printable(d.Path), when)
		for _, ev := range d.Evidence {
			fmt.Fprintf(e.Stdout, "                     %+6.2f %s\n", ev.Weight, ev.Kind)
		}
		if d.Hint != "" {
			fmt.Fprintf(e.Stdout, "                     hint: %s\n", printable(d.Advice()))
		}
	}
	if what == explainAll {
		for _, s := range r.Skipped {
			fmt.Fprintf(e.Stdout, "- not a tool: %s: %s\n", printable(s.Request), printable(s.Reason))
		}
	}
	return nil
}

// explains reports whether d is about the tool or path called what.
func explains(r *compiler.Result, d compiler.Decision, what string) bool {
	if strings.HasPrefix(what, "/") {
		return strings.HasPrefix(d.Path, what)
	}
	for _, t := range r.Surface.Tools {
		if t.Name == what {
			return d.Host == t.Binding.Host && underTemplate(d.Path, t.Binding.Path)
		}
	}
	return false
}

// underTemplate reports whether the decided path is a prefix of a template.
func underTemplate(decided, template string) bool {
	ds, ts := strings.Split(decided, "/"), strings.Split(template, "/")
	if len(ds) > len(ts) {
		return false
	}
	for i, d := range ds[:len(ds)-1] {
		if d != ts[i] && !strings.Contains(ts[i], "{") {
			return false
		}
	}
	last := ts[len(ds)-1]
	return strings.Contains(last, "{") || ds[len(ds)-1] == last
}
