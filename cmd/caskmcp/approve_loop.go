package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/tomallicino/caskmcp/apply"
	"github.com/tomallicino/caskmcp/lockfile"
	"github.com/tomallicino/caskmcp/plan"
	"github.com/tomallicino/caskmcp/toolpack"
)

const loopHelp = `y - approve this change
n - reject this change
d - show every field that changes
e - show the evidence: why it is a change and what it was compiled from
a - approve this change and all that follow
q - stop here; marks so far are kept
? - this help
`

// readMarks reads the pending file of a toolpack.
func readMarks(pack *toolpack.Toolpack) (*lockfile.Pending, error) {
	return lockfile.ReadPending(os.DirFS(pack.LockDir()))
}

// approveLoop asks about each change, riskiest first, as "git add -p" does.
func (e *env) approveLoop(ctx context.Context, f approveFlags) error {
	w, err := e.open(ctx, f.toolpack, "")
	if err != nil {
		return err
	}
	changes := decidable(w.Plan)
	if len(changes) == 0 {
		e.say("nothing to approve: no changes")
		return nil
	}
	if !e.StdinTTY {
		return hint(errors.New("approve asks questions, and there is no terminal to ask on"),
			"name what is approved: caskmcp approve tool NAME..., or --all-reads, or --all")
	}
	r := reviewer{e: e, w: w, flags: f, in: bufio.NewReader(e.Stdin)}
	for i, c := range changes {
		stop, err := r.ask(ctx, c, i+1, len(changes))
		if err != nil || stop {
			return errors.Join(err, r.close())
		}
	}
	return r.close()
}

// reviewer is one walk through a plan.
type reviewer struct {
	e       *env
	w       *workspace
	flags   approveFlags
	in      *bufio.Reader
	all     bool
	yes, no int
}

// ask puts one change to the person and marks the answer.
func (r *reviewer) ask(ctx context.Context, c plan.Change, n, of int) (stop bool, err error) {
	if r.all {
		return false, r.decide(ctx, c, lockfile.Approve)
	}
	fmt.Fprint(r.e.Stderr, brief(c))
	for {
		fmt.Fprintf(r.e.Stderr, "(%d/%d) %s %s [y,n,d,e,a,q,?]? ", n, of, apply.ActionOf(c), printable(label(c)))
		line, err := r.in.ReadString('\n')
		if err != nil && (line == "" || !errors.Is(err, io.EOF)) {
			fmt.Fprintln(r.e.Stderr)
			return true, nil
		}
		switch strings.ToLower(strings.TrimSpace(line)) {
		case "y", "yes":
			return false, r.decide(ctx, c, lockfile.Approve)
		case "n", "no":
			return false, r.decide(ctx, c, lockfile.Reject)
		case "a":
			r.all = true
			return false, r.decide(ctx, c, lockfile.Approve)
		case "q":
			return true, nil
		case "d":
			fmt.Fprint(r.e.Stderr, plan.ChangesText([]plan.Change{c}, plan.TextOptions{Color: r.flags.color}))
		case "e":
			fmt.Fprint(r.e.Stderr, r.evidence(c))
		default:
			fmt.Fprint(r.e.Stderr, loopHelp)
		}
	}
}

// brief is what a change is and why it matters, in a few lines.
func brief(c plan.Change) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s %s", c.Action().Symbol(), label(c))
	if c.Request != "" {
		fmt.Fprintf(&b, "  %s", c.Request)
	}
	if risk := riskOf(c); risk != "" {
		fmt.Fprintf(&b, "  [%s]", risk)
	}
	b.WriteByte('\n')
	for _, reason := range c.Reasons {
		fmt.Fprintf(&b, "  %-6s %s\n", reason.Class, reason.Text)
	}
	return printable(b.String())
}

// decide marks one change at once, so that stopping loses nothing.
func (r *reviewer) decide(ctx context.Context, c plan.Change, decision string) error {
	if decision == lockfile.Approve {
		r.yes++
	} else {
		r.no++
	}
	return r.e.updatePending(ctx, r.w.Pack, r.w.Plan, func(p *lockfile.Pending) error {
		p.Change(string(c.Kind), c.Name).Mark = r.e.mark(r.flags, decision, r.w.Plan)
		return nil
	})
}

// evidence is why a change is one, and what the tool was compiled from.
func (r *reviewer) evidence(c plan.Change) string {
	var b strings.Builder
	for _, reason := range c.Reasons {
		fmt.Fprintf(&b, "  %-6s %s (%s)\n", reason.Class, reason.Text, reason.Code)
	}
	for _, t := range r.w.Result.Surface.Tools {
		if c.Kind == plan.ToolKind && t.Name == c.Name && t.Evidence != nil {
			fmt.Fprintf(&b, "  compiled from %s in %s\n", count(t.Evidence.Observations, "exchange"), strings.Join(t.Evidence.Captures, ", "))
		}
	}
	for _, d := range r.w.Result.Decisions {
		if d.Review && strings.Contains(c.Request, d.Host) {
			fmt.Fprintf(&b, "  low confidence: %s is a %s; settle it with the hint %s\n", d.Path, kindOf(d), d.Hint)
		}
	}
	if b.Len() == 0 {
		b.WriteString("  nothing was recorded about it\n")
	}
	return printable(b.String())
}

func (r *reviewer) close() error {
	r.e.say("%d approved, %d rejected, %d not decided", r.yes, r.no, len(decidable(r.w.Plan))-r.yes-r.no)
	if r.yes+r.no > 0 {
		r.e.say("next: caskmcp apply%s", r.e.packFlag(r.w.Pack))
	}
	return nil
}
