package apply

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tomallicino/caskmcp/lockfile"
	"github.com/tomallicino/caskmcp/plan"
)

// choice is a change of the plan and what was decided about it.
type choice struct {
	change   plan.Change
	decision *Decision // nil: none
	outcome  outcome
	// reason says why the change was left out.
	reason string
}

type outcome int

const (
	leftOut outcome = iota
	wasApplied
	wasRejected
)

// notApproved is the reason of a change that nobody decided about.
const notApproved = "not approved"

func describe(c plan.Change) string {
	if c.Kind == plan.PolicyKind || c.Kind == plan.ServerKind {
		return "the " + string(c.Kind)
	}
	return fmt.Sprintf("%s %q", c.Kind, c.Name)
}

// match pairs the plan's changes with the decisions. Findings about the state
// are in the plan, but nobody can decide about them; Result.State has those
// that are left.
func match(p Params) ([]choice, error) {
	decisions := slices.Clone(p.Decisions)
	used := make([]bool, len(decisions))
	choices := []choice{}
	for _, c := range p.Plan.Changes {
		if c.Kind == plan.StateKind {
			continue
		}
		ch := choice{change: c, reason: notApproved}
		for i := range decisions {
			d := &decisions[i]
			if d.Kind != c.Kind || d.Name != c.Name || d.Action != ActionOf(c) {
				continue
			}
			if d.Digest != DigestOf(c) {
				return nil, fmt.Errorf("applying: %w: the decision about %s is for %s, but the plan has %s; run \"caskmcp approve\" again", ErrDecision, describe(c), d.Digest, DigestOf(c))
			}
			if ch.decision != nil {
				return nil, fmt.Errorf("applying: %w: two decisions about %s", ErrDecision, describe(c))
			}
			if err := checkDecision(d, p.Now); err != nil {
				return nil, fmt.Errorf("applying: %w: %s: %w", ErrDecision, describe(c), err)
			}
			ch.decision, used[i] = d, true
		}
		choices = append(choices, ch)
	}
	if i := slices.Index(used, false); i >= 0 {
		d := decisions[i]
		return nil, fmt.Errorf("applying: %w: it has no %s of %s %q; run \"caskmcp plan\" again", ErrDecision, d.Action, d.Kind, d.Name)
	}
	return choices, nil
}

func checkDecision(d *Decision, now time.Time) error {
	switch {
	case d.Verdict != lockfile.Approve && d.Verdict != lockfile.Reject:
		return fmt.Errorf("verdict %q is neither approve nor reject", d.Verdict)
	case d.Digest == "":
		return errors.New("it is bound to no digest")
	case d.Approval.By.Login == "":
		return errors.New("it does not say who decided")
	case d.Approval.At == "" && now.IsZero():
		return errors.New("it does not say when it was made")
	}
	return nil
}
