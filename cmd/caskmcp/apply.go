package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tomallicino/caskmcp/apply"
	"github.com/tomallicino/caskmcp/lockfile"
	"github.com/tomallicino/caskmcp/plan"
	"github.com/tomallicino/caskmcp/toolpack"
)

type applyFlags struct {
	toolpack string
	by       string
	reason   string
	auto     bool
	json     bool
	color    bool
}

func newApply(e *env) *cobra.Command {
	var f applyFlags
	c := &cobra.Command{
		Use:   "apply [PLAN]",
		Short: "Write approved changes to the lockfile",
		Long: `Apply is the only command that writes state. On a terminal it shows the plan
and asks for "yes": that answer approves exactly what was shown, by you, except
for what "caskmcp approve" rejected. Without a terminal it applies only what
"caskmcp approve" marked. A saved plan is refused when what it was made from has
changed.

Exit status: 0 everything is applied or there is nothing to do; 3 something was
left out; 1 when it could not work, with nothing written.`,
		Example: examples(
			`caskmcp apply`,
			`caskmcp plan -o plan.json && caskmcp apply plan.json`,
			`caskmcp apply --auto-approve --reason "first import"`,
		),
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			var err error
			if f.color, err = e.color(colorMode(c), e.StderrTTY); err != nil {
				return err
			}
			return e.runApply(c.Context(), f, args)
		},
	}
	addToolpack(c, &f.toolpack)
	c.Flags().BoolVar(&f.auto, "auto-approve", false, "approve everything in the plan without asking")
	c.Flags().StringVar(&f.by, "by", "", "who approves (default: the user of this machine)")
	c.Flags().StringVarP(&f.reason, "reason", "r", "", "why; recorded in the lockfile")
	c.Flags().BoolVar(&f.json, "json", false, "print what was done as JSON")
	return c
}

func (e *env) runApply(ctx context.Context, f applyFlags, args []string) error {
	w, marks, err := e.openMarked(ctx, f.toolpack)
	if err != nil {
		return err
	}
	if len(args) == 1 {
		saved, err := e.readPlan(args[0])
		if err != nil {
			return err
		}
		if err := fresh(saved, w.Plan, args[0]); err != nil {
			return err
		}
	}
	for _, n := range w.Plan.Notes {
		if n.Code == plan.SecretNote {
			return hint(gateError("nothing was applied: %s", n.Text), n.Hint)
		}
	}
	if len(decidable(w.Plan)) == 0 {
		return e.nothingToApply(w, f)
	}
	decisions, err := e.decisions(w, marks, f)
	if err != nil {
		return err
	}
	r, err := apply.Apply(ctx, apply.Params{
		Dir: w.Pack.LockDir(), Plan: w.Plan, Desired: w.Result.Surface, Decisions: decisions, Now: e.Now().UTC(),
	})
	if err != nil {
		return err
	}
	if f.json {
		if err := e.writeJSON(applyResult{Applied: r.Applied, Rejected: r.Rejected, LeftOut: r.LeftOut}); err != nil {
			return err
		}
	}
	return e.reportApplied(w, r)
}

// applyResult is the output of "apply --json".
type applyResult struct {
	Applied  []apply.Outcome `json:"applied"`
	Rejected []apply.Outcome `json:"rejected"`
	LeftOut  []apply.Outcome `json:"left_out"`
}

// openMarked opens a toolpack with the marks of "caskmcp approve". Rejected
// tools that somebody marked as approved since are planned again.
func (e *env) openMarked(ctx context.Context, ref string) (*workspace, *lockfile.Pending, error) {
	pack, err := e.loadPack(ref)
	if err != nil {
		return nil, nil, err
	}
	if err := marksAreOurs(ctx, pack); err != nil {
		return nil, nil, err
	}
	marks, err := readMarks(pack)
	if err != nil {
		return nil, nil, err
	}
	var marked []string
	for name, c := range marks.Tools {
		if c.Mark != nil && c.Mark.Decision == lockfile.Approve {
			marked = append(marked, name)
		}
	}
	slices.Sort(marked)
	w, err := e.openFor(ctx, pack.Dir, marked)
	return w, marks, err
}

// marksAreOurs refuses a pending file that git tracks: its marks came with the
// repository, from whoever committed them, and are nobody's decision here.
func marksAreOurs(ctx context.Context, pack *toolpack.Toolpack) error {
	name := filepath.Join(pack.LockDir(), lockfile.PendingName)
	if _, err := os.Lstat(name); err != nil {
		return nil //nolint:nilerr // without the file there are no marks
	}
	if _, err := git(ctx, pack.LockDir(), "ls-files", "--error-unmatch", lockfile.PendingName); err != nil {
		return nil //nolint:nilerr // not tracked, or not in a work tree at all
	}
	return hint(gateError("%s is committed to git, and marks are for this machine only; nothing was applied", pack.Rel(name)),
		"git rm --cached "+pack.Rel(name)+", then decide again with caskmcp approve")
}

// fresh refuses a saved plan that is not the plan of now.
func fresh(saved, now *plan.Plan, name string) error {
	if saved.PlanDigest == now.PlanDigest {
		return nil
	}
	why := "the captures, toolpack.yaml or caskmcp have changed since it was made"
	switch {
	case saved.Toolpack != now.Toolpack:
		why = fmt.Sprintf("it is about toolpack %q, not %q", saved.Toolpack, now.Toolpack)
	case saved.Base != now.Base:
		why = "the lockfile has changed since it was made"
	}
	return hint(fmt.Errorf("the saved plan %s is stale: %s; nothing was applied", name, why), "make it again with: caskmcp plan -o "+name)
}

// nothingToApply reports a plan without changes, and state that no plan mends.
func (e *env) nothingToApply(w *workspace, f applyFlags) error {
	if f.json {
		if err := e.writeJSON(applyResult{Applied: []apply.Outcome{}, Rejected: []apply.Outcome{}, LeftOut: []apply.Outcome{}}); err != nil {
			return err
		}
	}
	if n := len(w.State.Findings); n > 0 {
		return hint(gateError("nothing to apply, but %s of the state does not verify", count(n, "part")), "caskmcp check"+e.packFlag(w.Pack)+" names it")
	}
	e.say("No changes. What is approved is what the captures say.")
	return nil
}

// decisions is what may be applied: on a terminal what the person says yes to,
// otherwise what was marked, or everything with --auto-approve.
func (e *env) decisions(w *workspace, marks *lockfile.Pending, f applyFlags) ([]apply.Decision, error) {
	decided := apply.Marked(w.Plan, marks)
	if f.auto || e.StdinTTY || len(decided) > 0 {
		if err := e.mayApprove(w.Pack); err != nil {
			return nil, err
		}
	}
	switch {
	case f.auto:
	case e.StdinTTY:
		fmt.Fprint(e.Stderr, plan.Text(w.Plan, plan.TextOptions{Color: f.color, Verbose: true}))
		if n := rejections(decided); n > 0 {
			e.say("\n%s of these marked as rejected will be rejected.", count(n, "change"))
		}
		fmt.Fprint(e.Stderr, "\nDo you approve exactly these changes? Only \"yes\" is accepted: ")
		line, err := bufio.NewReader(e.Stdin).ReadString('\n')
		if strings.TrimSpace(line) != "yes" {
			if err != nil {
				e.say("")
			}
			return nil, &codedError{code: exitGate, err: errors.New("apply cancelled: nothing was written")}
		}
	default:
		return decided, nil
	}
	return append(decided, e.approveRest(w.Plan, decided, f)...), nil
}

func rejections(ds []apply.Decision) int {
	n := 0
	for _, d := range ds {
		if d.Verdict == lockfile.Reject {
			n++
		}
	}
	return n
}

// mayApprove refuses approvals on the command line where the repository counts
// only reviews.
func (e *env) mayApprove(pack *toolpack.Toolpack) error {
	repo, err := toolpack.LoadRepository(pack.Root)
	if err != nil {
		return err
	}
	if accept := repo.Approvals.Accept; len(accept) > 0 && !slices.Contains(accept, lockfile.ViaCLI) {
		return hint(gateError("this repository counts only approvals by %s", strings.Join(accept, ", ")),
			"open a pull request and have it reviewed, or change approvals.accept in "+toolpack.RepositoryFile)
	}
	return nil
}

// approveRest approves every change that no mark decides.
func (e *env) approveRest(p *plan.Plan, decided []apply.Decision, f applyFlags) []apply.Decision {
	by := f.by
	if by == "" {
		by = e.User
	}
	var rest []apply.Decision
	for _, c := range decidable(p) {
		if slices.ContainsFunc(decided, func(d apply.Decision) bool { return d.Kind == c.Kind && d.Name == c.Name }) {
			continue
		}
		rest = append(rest, apply.Decision{
			Kind: c.Kind, Name: c.Name, Action: apply.ActionOf(c), Digest: apply.DigestOf(c), Verdict: lockfile.Approve,
			Approval: lockfile.Approval{By: lockfile.By{Login: by}, Via: lockfile.ViaCLI, Reason: f.reason, Plan: p.PlanDigest},
		})
	}
	return rest
}

// reportApplied says what was done and fails when something was left out.
func (e *env) reportApplied(w *workspace, r *apply.Result) error {
	e.say("Apply complete: %d applied, %d rejected, %d left out.", len(r.Applied), len(r.Rejected), len(r.LeftOut))
	if len(r.LeftOut) == 0 {
		if n := len(r.State.Findings); n > 0 {
			return hint(gateError("%s of the state does not verify", count(n, "part")), "caskmcp check"+e.packFlag(w.Pack)+" names it")
		}
		e.say("next: commit %s, then: caskmcp serve --toolpack %s", e.show(w.Pack.LockDir()), w.Pack.Config.Name)
		return nil
	}
	for i, o := range r.LeftOut {
		if i == 10 {
			e.say("  … and %d more", len(r.LeftOut)-i)
			break
		}
		e.say("  left out: %s of %s %s: %s", o.Action, o.Kind, o.Name, o.Reason)
	}
	return hint(gateError("%s left out", count(len(r.LeftOut), "change")),
		`decide with "caskmcp approve`+e.packFlag(w.Pack)+`" (or approve tool NAME, approve reject NAME), then apply again`)
}
