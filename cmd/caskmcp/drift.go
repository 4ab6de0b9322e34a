package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tomallicino/caskmcp/capture"
	"github.com/tomallicino/caskmcp/comment"
	"github.com/tomallicino/caskmcp/compiler"
	"github.com/tomallicino/caskmcp/drift"
	"github.com/tomallicino/caskmcp/internal/files"
	"github.com/tomallicino/caskmcp/openapi"
	"github.com/tomallicino/caskmcp/plan"
)

type driftFlags struct {
	toolpack string
	captures []string
	spec     string
	from, to []string
	hosts    []string
	out      string
	format   string
	json     bool
	color    bool
}

func newDrift(e *env) *cobra.Command {
	var f driftFlags
	c := &cobra.Command{
		Use:   "drift",
		Short: "Compare a fresh recording or specification with what is approved",
		Long: `Drift holds reality that is not committed - recordings, captures or a
specification - against the approved definitions, in the words of a plan. It
writes nothing to the toolpack.

The same API recorded again with other values is no drift. An operation that was
not seen this time is not removed; one that answers 404, 405 or 410 again and
again is.

Exit status: 0 nothing blocks; 3 something does; 1 when it could not work.`,
		Example: examples(
			`caskmcp drift --capture fresh.har`,
			`caskmcp drift --spec openapi.yaml --format markdown`,
			`caskmcp drift --from monday.har --to friday.har -a api.shop.example`,
		),
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			var err error
			if f.color, err = e.color(colorMode(c), e.StdoutTTY); err != nil {
				return err
			}
			return e.runDrift(c.Context(), f)
		},
	}
	addToolpack(c, &f.toolpack)
	c.Flags().StringArrayVarP(&f.captures, "capture", "c", nil, "fresh recording (.har, .zip) or sealed capture (repeatable)")
	c.Flags().StringVar(&f.spec, "spec", "", "fresh OpenAPI document")
	c.Flags().StringArrayVar(&f.from, "from", nil, "compare these recordings or captures …")
	c.Flags().StringArrayVar(&f.to, "to", nil, "… with these, instead of with the state (repeatable)")
	c.Flags().StringArrayVarP(&f.hosts, "allowed-hosts", "a", nil, "hosts of the API in recordings (default: those of the approved tools)")
	c.Flags().StringVarP(&f.out, "out", "o", "", "save the report as JSON to this file")
	c.Flags().StringVar(&f.format, "format", "text", "text, markdown or json")
	c.Flags().BoolVar(&f.json, "json", false, "the same as --format json")
	c.MarkFlagsMutuallyExclusive("json", "format")
	return c
}

func (e *env) runDrift(ctx context.Context, f driftFlags) error {
	var r *drift.Report
	var err error
	switch {
	case len(f.from) > 0 && len(f.to) > 0 && len(f.captures) == 0 && f.spec == "":
		r, err = e.driftBetween(ctx, f)
	case len(f.from) == 0 && len(f.to) == 0 && (len(f.captures) > 0) != (f.spec != ""):
		r, err = e.driftFromState(ctx, f)
	default:
		return hint(errors.New("say what to compare: --capture FILE, or --spec FILE, or --from FILE with --to FILE"), "caskmcp drift --help")
	}
	if err != nil {
		return err
	}
	if err := e.printDrift(r, f); err != nil {
		return err
	}
	if r.Blocks {
		return hint(gateError("the API is not what was approved: %s", blocking(r)),
			`import the recording with "caskmcp capture import", look at "caskmcp plan", then approve and apply`)
	}
	return nil
}

func blocking(r *drift.Report) string {
	var names []string
	for _, c := range r.Changes {
		if c.Class() == plan.Block {
			names = append(names, c.Name)
		}
	}
	if len(names) > 5 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:5], ", "), len(names)-5)
	}
	return strings.Join(names, ", ")
}

// driftFromState compares reality with what is approved.
func (e *env) driftFromState(ctx context.Context, f driftFlags) (*drift.Report, error) {
	pack, err := e.loadPack(f.toolpack)
	if err != nil {
		return nil, err
	}
	w := &workspace{Pack: pack}
	if w.State, err = e.openState(ctx, pack, ""); err != nil {
		return nil, err
	}
	if !w.State.Exists {
		return nil, hint(gateError("checking drift: %w", drift.ErrNoState), "caskmcp plan"+e.packFlag(pack))
	}
	if err := w.readCaptures(); err != nil {
		return nil, err
	}
	opt, err := w.options()
	if err != nil {
		return nil, err
	}
	hosts := f.hosts
	if len(hosts) == 0 {
		hosts = approvedHosts(w)
	}
	seal := compiler.SealOptions{Prior: w.State.Prior(), Hints: pack.Config.Hints}
	var reality []*capture.Capture
	if f.spec != "" {
		c, err := e.readSpec(f.spec, f.hosts)
		if err != nil {
			return nil, err
		}
		reality = append(reality, c)
	} else if reality, err = e.readReality(ctx, f.captures, hosts, seal); err != nil {
		return nil, err
	}
	return drift.Check(drift.Params{State: w.State, Reality: reality, Committed: w.Captures, Options: opt})
}

// driftBetween compares two sides that need no toolpack.
func (e *env) driftBetween(ctx context.Context, f driftFlags) (*drift.Report, error) {
	opt := compiler.Options{Name: "drift"}
	from, err := e.readReality(ctx, f.from, f.hosts, compiler.SealOptions{})
	if err != nil {
		return nil, err
	}
	to, err := e.readReality(ctx, f.to, f.hosts, compiler.SealOptions{})
	if err != nil {
		return nil, err
	}
	return drift.Diff(from, to, opt)
}

// approvedHosts is where the approved tools and the committed captures are.
func approvedHosts(w *workspace) []string {
	var hosts []string
	for _, t := range w.State.Surface.Tools {
		hosts = append(hosts, t.Binding.Host)
	}
	for _, c := range w.Captures {
		hosts = append(hosts, c.Hosts...)
	}
	slices.Sort(hosts)
	return slices.Compact(hosts)
}

// readReality reads sealed captures and specifications as they are, and
// recordings as one import.
func (e *env) readReality(ctx context.Context, names, hosts []string, seal compiler.SealOptions) ([]*capture.Capture, error) {
	var out []*capture.Capture
	var recordings []string
	for _, n := range names {
		path := e.abs(n)
		if c, ok, err := readSealed(path); err != nil {
			return nil, fmt.Errorf("reading %s: %w", n, err)
		} else if ok {
			out = append(out, c)
			continue
		}
		if isSpec(path) {
			c, err := e.readSpec(n, hosts)
			if err != nil {
				return nil, err
			}
			out = append(out, c)
			continue
		}
		recordings = append(recordings, path)
	}
	if len(recordings) == 0 {
		return out, nil
	}
	if len(hosts) == 0 {
		return nil, hint(errors.New("no host given"), "name the API's host with -a HOST")
	}
	c, report, err := capture.Observe(ctx, recordings, capture.Options{
		Name: "fresh", Hosts: hosts, MaxFile: 1 << 30, MaxBody: 8 << 20, Progress: e.progress(),
	})
	e.clearProgress()
	if err != nil {
		if report != nil {
			fmt.Fprint(e.Stderr, printable(report.String()))
		}
		return nil, fmt.Errorf("reading recordings: %w", err)
	}
	sealed, _ := compiler.Seal(c, seal)
	return append(out, sealed), nil
}

// readSealed reads path if it is a sealed capture. One with a secret in it is
// refused, because reports name what they find and leave the machine.
func readSealed(path string) (c *capture.Capture, ok bool, err error) {
	if filepath.Ext(path) != ".json" {
		return nil, false, nil
	}
	doc, err := readBounded(path, 1<<30)
	if err != nil {
		return nil, false, err
	}
	if !bytes.Contains(doc[:min(len(doc), 4096)], []byte(`"sealed"`)) {
		return nil, false, nil
	}
	if found := capture.FindSecrets(doc); len(found) > 0 {
		return nil, false, hint(gateError("the capture holds what looks like a secret (%s) at %s", found[0].Rule, found[0].Pointer),
			"remove the file, revoke the secret, and import the recording again")
	}
	c, err = capture.Parse(doc)
	return c, err == nil, err
}

// isSpec reports whether path is an OpenAPI or Swagger document: YAML always
// is, JSON when it says so near its beginning.
func isSpec(path string) bool {
	switch filepath.Ext(path) {
	case ".yaml", ".yml":
		return true
	case ".json":
		f, err := os.Open(path)
		if err != nil {
			return false // reading it as a recording says why
		}
		defer f.Close()
		head := make([]byte, 4096)
		n, _ := io.ReadFull(f, head)
		return bytes.Contains(head[:n], []byte(`"openapi"`)) || bytes.Contains(head[:n], []byte(`"swagger"`))
	}
	return false
}

func (e *env) readSpec(name string, hosts []string) (*capture.Capture, error) {
	doc, err := readBounded(e.abs(name), maxSpec)
	if err != nil {
		return nil, fmt.Errorf("reading specification: %w", err)
	}
	c, skipped, err := openapi.Import(doc, openapi.ImportOptions{Name: "fresh", Hosts: hosts})
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	for _, s := range skipped {
		e.say("skipped %s", s)
	}
	return c, nil
}

func (e *env) printDrift(r *drift.Report, f driftFlags) error {
	doc, err := r.Encode()
	if err != nil {
		return err
	}
	if f.out != "" {
		path := e.abs(f.out)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("saving report: %w", err)
		}
		if err := files.Write(path, doc, 0o644); err != nil {
			return fmt.Errorf("saving report: %w", err)
		}
	}
	format := f.format
	if f.json {
		format = "json"
	}
	switch format {
	case "json":
		_, err = e.Stdout.Write(doc)
	case "markdown", "md":
		_, err = fmt.Fprint(e.Stdout, comment.Drift(r))
	case "text":
		_, err = fmt.Fprint(e.Stdout, driftText(r, f.color))
	default:
		err = fmt.Errorf("--format is %q, want text, markdown or json", format)
	}
	return err
}

// driftText is a report for a terminal.
func driftText(r *drift.Report, color bool) string {
	var b strings.Builder
	if len(r.Changes) == 0 {
		b.WriteString("No drift. The API is what was approved.\n")
	} else {
		b.WriteString(plan.ChangesText(r.Changes, plan.TextOptions{Color: color, Drift: true}))
	}
	for _, n := range r.Notes {
		fmt.Fprintf(&b, "note: %s\n", printable(n.Text))
		if n.Hint != "" {
			fmt.Fprintf(&b, "      %s\n", printable(n.Hint))
		}
	}
	s := r.Summary
	fmt.Fprintf(&b, "\nDrift: %d block, %d to review, %d for information, %d unchanged.\n", s.Block, s.Review, s.Info, s.Unchanged)
	return b.String()
}
