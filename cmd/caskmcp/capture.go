package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tomallicino/caskmcp/capture"
	"github.com/tomallicino/caskmcp/compiler"
	"github.com/tomallicino/caskmcp/internal/files"
	"github.com/tomallicino/caskmcp/lockfile"
	"github.com/tomallicino/caskmcp/surface"
	"github.com/tomallicino/caskmcp/toolpack"
)

func newCapture(e *env) *cobra.Command {
	c := &cobra.Command{
		Use:   "capture",
		Short: "Turn recorded traffic into captures",
	}
	c.AddCommand(newCaptureImport(e))
	return c
}

type importFlags struct {
	hosts   []string
	name    string
	maxFile int64
	maxBody int64
	dryRun  bool
	json    bool
}

func newCaptureImport(e *env) *cobra.Command {
	var f importFlags
	c := &cobra.Command{
		Use:   "import FILE...",
		Short: "Import HAR files (.har, or Playwright's .zip) as one capture",
		Long: `Import reads HAR 1.2 files and keeps what can be said about the API without
keeping the traffic: paths, parameter names, shapes of bodies, counts. No value
of a header, cookie, parameter or body is stored.

The result is one file under .caskmcp/captures, made to be committed.`,
		Example: examples(
			`caskmcp capture import shop.har -a api.shop.example --name shop`,
			`caskmcp capture import monday.har tuesday.zip -a "*.shop.example" -a localhost:8080 --name shop`,
		),
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return e.captureImport(c.Context(), f, args) },
	}
	c.Flags().StringArrayVarP(&f.hosts, "allowed-hosts", "a", nil, "host, host:port or *.host of the API (repeatable, required)")
	c.Flags().StringVarP(&f.name, "name", "n", "", "name of the capture and its toolpack (default: from the first host)")
	c.Flags().Int64Var(&f.maxFile, "max-file", 1<<30, "refuse files with more bytes")
	c.Flags().Int64Var(&f.maxBody, "max-body", 8<<20, "leave out bodies with more bytes, decoded")
	c.Flags().BoolVar(&f.dryRun, "dry-run", false, "report, but write nothing")
	c.Flags().BoolVar(&f.json, "json", false, "print the report as JSON")
	return c
}

// importMemory is how many bytes of memory an import uses before garbage is
// collected more often: what it keeps of a large recording is a fraction of
// that. It is no limit for one that needs more.
const importMemory = 75 << 20

func (e *env) captureImport(ctx context.Context, f importFlags, args []string) error {
	if len(f.hosts) == 0 {
		return hint(errors.New("no host given"), `name the API's host: caskmcp capture import `+strings.Join(args, " ")+` -a api.example.com`,
			`or see which hosts are in the file: caskmcp capture import `+args[0]+` -a none --dry-run`)
	}
	if f.name == "" {
		f.name = nameFromHost(f.hosts[0])
	}
	if err := toolpack.CheckName(f.name); err != nil {
		return err
	}
	if e.Getenv("GOMEMLIMIT") == "" {
		defer debug.SetMemoryLimit(debug.SetMemoryLimit(importMemory))
	}
	paths := make([]string, len(args))
	for i, a := range args {
		paths[i] = e.abs(a)
	}
	c, report, err := capture.Observe(ctx, paths, capture.Options{
		Name: f.name, Hosts: f.hosts, MaxFile: f.maxFile, MaxBody: f.maxBody, Progress: e.progress(),
	})
	e.clearProgress()
	if report != nil && !f.json {
		fmt.Fprint(e.Stderr, printable(report.String()))
	}
	if err != nil {
		return fmt.Errorf("importing: %w", err)
	}
	return e.writeCapture(c, f.name, f.dryRun, func(path string, reviews []compiler.Decision) error {
		if f.json {
			return e.writeJSON(importResult{Capture: path, Report: report, Reviews: reviews})
		}
		e.sayReviews(reviews)
		return nil
	})
}

// importResult is the output of "capture import --json".
type importResult struct {
	Capture string              `json:"capture"`
	Report  any                 `json:"report"`
	Reviews []compiler.Decision `json:"reviews"`
}

// writeCapture seals c with what is known of its toolpack, refuses it when a
// secret is left in it, and writes it into the repository.
func (e *env) writeCapture(c *capture.Capture, name string, dryRun bool, done func(string, []compiler.Decision) error) error {
	root, err := toolpack.FindRoot(e.Dir)
	if err != nil {
		return err
	}
	prior, hints, err := e.known(root, name)
	if err != nil {
		return err
	}
	reviews := []compiler.Decision{}
	if !c.Sealed {
		var decisions []compiler.Decision
		c, decisions = compiler.Seal(c, compiler.SealOptions{Prior: prior, Hints: hints})
		for _, d := range decisions {
			if d.Review {
				reviews = append(reviews, d)
			}
		}
	}
	doc, err := c.Encode()
	if err != nil {
		return fmt.Errorf("writing capture: %w", err)
	}
	if found := capture.FindSecrets(doc); len(found) > 0 {
		return secretsError(found)
	}
	path := filepath.Join(toolpack.CapturesIn(root), c.FileNameOf(doc))
	if dryRun {
		e.say("%s would be written (%d observations, %d bytes); this was a dry run", e.show(path), len(c.Observations)+len(c.Declarations), len(doc))
		return done("", reviews)
	}
	if err := e.storeCapture(root, path, doc); err != nil {
		return err
	}
	e.say("%s: %d observations, %d bytes", e.show(path), len(c.Observations)+len(c.Declarations), len(doc))
	e.say("next: caskmcp compile --name %s", name)
	return done(e.show(path), reviews)
}

func (e *env) storeCapture(root, path string, doc []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("writing capture: %w", err)
	}
	if err := toolpack.WriteIgnore(root); err != nil {
		return err
	}
	if err := files.Write(path, doc, 0o644); err != nil {
		return fmt.Errorf("writing capture: %w", err)
	}
	return nil
}

// known is what the toolpack called name already says about path templates.
func (e *env) known(root, name string) (surface.Prior, []string, error) {
	pack, err := toolpack.Load(toolpack.DirOf(root, name))
	if errors.Is(err, fs.ErrNotExist) {
		return surface.Prior{}, nil, nil
	}
	if err != nil {
		return surface.Prior{}, nil, err
	}
	state, err := lockfile.Open(os.DirFS(pack.LockDir()))
	if err != nil {
		return surface.Prior{}, nil, stateError(pack.LockDir(), err)
	}
	return state.Prior(), pack.Config.Hints, nil
}

func secretsError(found []capture.Secret) error {
	var places []string
	for _, s := range found[:min(len(found), 10)] {
		places = append(places, s.Rule+" at "+s.Pointer)
	}
	return hint(gateError("the capture would hold %d values that look like secrets: %s; nothing was written", len(found), strings.Join(places, ", ")),
		"make the place a parameter with a hint in toolpack.yaml, or leave the request out of the recording")
}

// sayReviews lists path segments whose inference was close.
func (e *env) sayReviews(reviews []compiler.Decision) {
	if len(reviews) == 0 {
		return
	}
	e.say("%d path segments were inferred with low confidence; settle them under hints: in toolpack.yaml", len(reviews))
	for i, d := range reviews {
		if i == 10 {
			e.say("  … and %d more (caskmcp compile --explain)", len(reviews)-i)
			return
		}
		e.say("  %s%s is a %s: %s", d.Host, d.Path, kindOf(d), d.Advice())
	}
}

func kindOf(d compiler.Decision) string {
	if d.Parameter {
		return "parameter"
	}
	return "literal"
}

// nameFromHost turns "api.shop.example:8080" into "shop-example".
func nameFromHost(host string) string {
	host, _, _ = strings.Cut(strings.TrimPrefix(strings.ToLower(host), "*."), ":")
	labels := strings.Split(host, ".")
	labels = slices.DeleteFunc(labels, func(l string) bool { return l == "api" || l == "www" || l == "" })
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' {
			return r
		}
		return '-'
	}, strings.Join(labels, "-"))
	if name == "" {
		return "api"
	}
	return name
}

// progress reports on a terminal how far an import is.
func (e *env) progress() func(capture.Progress) {
	if !e.StderrTTY {
		return nil
	}
	var last time.Time
	return func(p capture.Progress) {
		if now := e.Now(); now.Sub(last) >= 100*time.Millisecond {
			last = now
			fmt.Fprintf(e.Stderr, "\r\x1b[K%d exchanges, %d MB read", p.Exchanges, p.Bytes>>20)
		}
	}
}

func (e *env) clearProgress() {
	if e.StderrTTY {
		fmt.Fprint(e.Stderr, "\r\x1b[K")
	}
}
