package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tomallicino/caskmcp/comment"
	"github.com/tomallicino/caskmcp/internal/files"
	"github.com/tomallicino/caskmcp/lockfile"
	"github.com/tomallicino/caskmcp/plan"
)

type planFlags struct {
	toolpack  string
	base      string
	out       string
	html      string
	format    string
	json      bool
	detailed  bool
	proposals bool
	verbose   bool
	color     bool
}

func newPlan(e *env) *cobra.Command {
	var f planFlags
	c := &cobra.Command{
		Use:   "plan",
		Short: "Show what would change for agents, compared with what is approved",
		Long: `Plan compiles the committed captures and compares the result with the
lockfile: every tool, policy, toolset and server setting that would change, with
the old and the new value, the reason, the risk, and what it costs an agent. New
tools are shown in brief; --verbose shows every field of theirs.
It writes nothing unless asked with -o or --html.

Exit status: 0 whatever the plan says; with --detailed-exitcode 0 when nothing
changes and 2 when something does; 1 when it could not work.`,
		Example: examples(
			`caskmcp plan`,
			`caskmcp plan --base origin/main -o plan.json --detailed-exitcode`,
			`caskmcp plan --html plan.html`,
			`caskmcp plan --format markdown`,
		),
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			var err error
			if f.color, err = e.color(colorMode(c), e.StdoutTTY); err != nil {
				return err
			}
			return e.runPlan(c.Context(), f)
		},
	}
	addToolpack(c, &f.toolpack)
	c.Flags().StringVar(&f.base, "base", "", "take the state from this git revision instead of the work tree")
	c.Flags().StringVarP(&f.out, "out", "o", "", "save the plan as JSON to this file")
	c.Flags().StringVar(&f.html, "html", "", "write the plan as one HTML page to this file")
	c.Flags().StringVar(&f.format, "format", "text", "text, markdown or json")
	c.Flags().BoolVar(&f.json, "json", false, "the same as --format json")
	c.MarkFlagsMutuallyExclusive("json", "format")
	c.Flags().BoolVar(&f.detailed, "detailed-exitcode", false, "exit with 2 when something would change")
	c.Flags().BoolVar(&f.proposals, "proposals", false, "also list what would be written differently today but stays as approved")
	c.Flags().BoolVarP(&f.verbose, "verbose", "v", false, "show every field of new tools, not only what they call, their texts and arguments")
	return c
}

// addToolpack adds --toolpack to a command.
func addToolpack(c *cobra.Command, ref *string) {
	c.Flags().StringVarP(ref, "toolpack", "t", "", "toolpack: name, folder or toolpack.yaml (default: the only one there is)")
}

func (e *env) runPlan(ctx context.Context, f planFlags) error {
	w, err := e.open(ctx, f.toolpack, f.base)
	if err != nil {
		return err
	}
	if f.out != "" {
		if err := e.savePlan(w.Plan, f.out); err != nil {
			return err
		}
	}
	if err := e.savePage(w.Plan, f.html); err != nil {
		return err
	}
	if err := e.printPlan(w.Plan, f); err != nil {
		return err
	}
	if f.detailed && w.Plan.HasChanges() {
		return quiet(exitChanges)
	}
	return nil
}

func (e *env) savePlan(p *plan.Plan, out string) error {
	doc, err := p.Encode()
	if err != nil {
		return fmt.Errorf("saving plan: %w", err)
	}
	if err := e.saveOutput(doc, out); err != nil {
		return fmt.Errorf("saving plan: %w", err)
	}
	return nil
}

// savePage writes the plan as one HTML page, if a file is named.
func (e *env) savePage(p *plan.Plan, out string) error {
	if out == "" {
		return nil
	}
	page, err := comment.HTML(comment.Toolpack{Plan: p}, comment.Options{})
	if err != nil {
		return err
	}
	if err := e.saveOutput(page, out); err != nil {
		return fmt.Errorf("saving report: %w", err)
	}
	return nil
}

// saveOutput writes a file that the user named.
func (e *env) saveOutput(doc []byte, name string) error {
	path := e.abs(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return files.Write(path, doc, 0o644)
}

func (e *env) printPlan(p *plan.Plan, f planFlags) error {
	format := f.format
	if f.json {
		format = "json"
	}
	switch format {
	case "json":
		doc, err := p.Encode()
		if err != nil {
			return err
		}
		_, err = e.Stdout.Write(doc)
		return err
	case "markdown", "md":
		_, err := fmt.Fprint(e.Stdout, comment.Plan([]comment.Toolpack{{Plan: p}}, comment.Options{}))
		return err
	case "text":
		_, err := fmt.Fprint(e.Stdout, plan.Text(p, plan.TextOptions{Color: f.color, Proposals: f.proposals, Verbose: f.verbose}))
		return err
	}
	return fmt.Errorf("--format is %q, want text, markdown or json", format)
}

func newShow(e *env) *cobra.Command {
	var f planFlags
	c := &cobra.Command{
		Use:     "show PLAN",
		Short:   "Show a saved plan, with every field",
		Example: examples(`caskmcp plan -o plan.json && caskmcp show plan.json`),
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			var err error
			if f.color, err = e.color(colorMode(c), e.StdoutTTY); err != nil {
				return err
			}
			p, err := e.readPlan(args[0])
			if err != nil {
				return err
			}
			f.proposals, f.verbose = true, true
			if err := e.savePage(p, f.html); err != nil {
				return err
			}
			return e.printPlan(p, f)
		},
	}
	c.Flags().StringVar(&f.html, "html", "", "write the plan as one HTML page to this file")
	c.Flags().StringVar(&f.format, "format", "text", "text, markdown or json")
	c.Flags().BoolVar(&f.json, "json", false, "the same as --format json")
	c.MarkFlagsMutuallyExclusive("json", "format")
	return c
}

// maxPlan bounds a saved plan, in bytes.
const maxPlan = 256 << 20

func (e *env) readPlan(name string) (*plan.Plan, error) {
	doc, err := readBounded(e.abs(name), maxPlan)
	if err != nil {
		return nil, fmt.Errorf("reading plan: %w", err)
	}
	p, err := plan.Decode(doc)
	if err != nil {
		return nil, hint(fmt.Errorf("reading plan %s: %w", name, err), "make it again with: caskmcp plan -o "+name)
	}
	return p, nil
}

func newCheck(e *env) *cobra.Command {
	var ref, base string
	var asJSON, onGitHub bool
	var f approvalFlags
	c := &cobra.Command{
		Use:   "check",
		Short: "The gate: exit with 3 unless everything is approved and verifies",
		Long: `Check recompiles the captures and fails unless the result is exactly what the
lockfile approves, and unless every digest and approval in it verifies. With
--github it counts the reviews of a pull request instead, as "caskmcp approval".

Exit status: 0 all approved; 3 something is not; 1 when it could not work.`,
		Example: examples(`caskmcp check`, `caskmcp check --base origin/main --json`, `caskmcp check --github --pr 12`),
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if onGitHub {
				f.toolpack, f.json = ref, asJSON
				return e.runApproval(c.Context(), f)
			}
			return e.runCheck(c.Context(), ref, base, asJSON)
		},
	}
	c.Flags().BoolVar(&onGitHub, "github", false, "count the reviews of the pull request --pr")
	addApprovalFlags(c, &f)
	addToolpack(c, &ref)
	c.Flags().StringVar(&base, "base", "", "take the state from this git revision instead of the work tree")
	c.Flags().BoolVar(&asJSON, "json", false, "print the findings as JSON")
	return c
}

// checkResult is the output of "check --json".
type checkResult struct {
	OK       bool           `json:"ok"`
	Findings []checkFinding `json:"findings"`
}

// checkFinding is one reason why the gate says no.
type checkFinding struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
	Code string `json:"code"`
	Text string `json:"text"`
}

func (f checkFinding) String() string {
	what := f.Kind
	if f.Name != "" && f.Name != f.Kind {
		what += " " + f.Name
	}
	return fmt.Sprintf("✗ %s: %s (%s)", what, f.Text, f.Code)
}

func (e *env) runCheck(ctx context.Context, ref, base string, asJSON bool) error {
	w, err := e.open(ctx, ref, base)
	if err != nil {
		return err
	}
	repo, err := rulesAt(ctx, w.Pack.Root, base)
	if err != nil {
		return err
	}
	// Approvals given in a way that the repository does not count are none.
	w.State.Restrict(repo.Approvals.Accept)
	findings := checkFindings(w)
	if asJSON {
		if err := e.writeJSON(checkResult{OK: len(findings) == 0, Findings: findings}); err != nil {
			return err
		}
	} else {
		for _, f := range findings {
			fmt.Fprintln(e.Stdout, printable(f.String()))
		}
		if len(findings) == 0 {
			fmt.Fprintf(e.Stdout, "✓ %s: %d tools approved, nothing pending\n", w.Pack.Config.Name, len(w.State.Surface.Tools))
		}
	}
	if len(findings) == 0 {
		return nil
	}
	next := fmt.Sprintf("see what changed with \"caskmcp plan%[1]s\", then \"caskmcp approve%[1]s\" and \"caskmcp apply%[1]s\"", e.packFlag(w.Pack))
	if slices.ContainsFunc(findings, func(f checkFinding) bool { return f.Code == lockfile.CodeVia }) {
		next = "this repository counts only approvals by " + strings.Join(repo.Approvals.Accept, ", ") + ": open a pull request and have it reviewed"
	}
	return hint(gateError("%s is not fully approved: %s", w.Pack.Config.Name, count(len(findings), "finding")), next)
}

// checkFindings is everything that keeps the gate shut: state that does not
// verify, and changes that nobody approved.
func checkFindings(w *workspace) []checkFinding {
	findings := []checkFinding{}
	for _, f := range w.State.Findings {
		findings = append(findings, checkFinding{Kind: f.Kind, Name: f.Name, Code: f.Code, Text: f.Text})
	}
	for _, n := range w.Plan.Notes {
		switch n.Code {
		case plan.SecretNote:
			findings = append(findings, checkFinding{Kind: "capture", Code: n.Code, Text: n.Text})
		case plan.UnusedNote:
			findings = append(findings, checkFinding{Kind: "toolpack", Code: n.Code, Text: n.Text})
		}
	}
	for _, c := range w.Plan.Changes {
		if c.Kind == plan.StateKind {
			continue // listed with the state's findings
		}
		findings = append(findings, checkFinding{Kind: string(c.Kind), Name: c.Name, Code: "not.approved", Text: describe(c)})
	}
	return findings
}

// describe says in one line what a change does and why it matters most.
func describe(c plan.Change) string {
	verb := strings.Join(c.Actions, " then ")
	if len(c.Reasons) == 0 {
		return verb + " is not approved"
	}
	more := ""
	if n := len(c.Reasons) - 1; n > 0 {
		more = fmt.Sprintf(", and %s more", count(n, "reason"))
	}
	return fmt.Sprintf("%s is not approved: %s%s", verb, c.Reasons[0].Text, more)
}

// count is "1 finding" or "2 findings".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
