package apply

import (
	"os"

	"github.com/tomallicino/caskmcp/internal/files"
	"github.com/tomallicino/caskmcp/lockfile"
	"github.com/tomallicino/caskmcp/plan"
)

// Pending lists the plan's changes as they are stored for "caskmcp approve".
// Marks of an earlier pending file (nil: none) are kept where the change is
// the same.
func Pending(p *plan.Plan, earlier *lockfile.Pending) *lockfile.Pending {
	n := &lockfile.Pending{Version: lockfile.FormatVersion, Base: p.Base.Lockfile, Plan: p.PlanDigest}
	for _, c := range p.Changes {
		if c.Kind == plan.StateKind {
			continue
		}
		risk := c.Risk.After
		if risk == "" {
			risk = c.Risk.Before
		}
		n.Set(string(c.Kind), c.Name, lockfile.PendingChange{
			Action: ActionOf(c), Digest: DigestOf(c), Request: c.Request, Risk: risk,
		})
	}
	if earlier != nil {
		n.KeepMarks(earlier)
	}
	return n
}

// Marked are the decisions that "caskmcp approve" marked and that still hold:
// marks on another action or digest than the plan's are void.
func Marked(p *plan.Plan, pending *lockfile.Pending) []Decision {
	var decisions []Decision
	for _, c := range p.Changes {
		m := pending.Change(string(c.Kind), c.Name)
		if c.Kind == plan.StateKind || m == nil || m.Mark == nil || m.Action != ActionOf(c) || m.Digest != DigestOf(c) {
			continue
		}
		decisions = append(decisions, Decision{
			Kind: c.Kind, Name: c.Name, Action: m.Action, Digest: m.Digest, Verdict: m.Mark.Decision,
			Approval: lockfile.Approval{
				By: m.Mark.By, Via: lockfile.ViaCLI, At: m.Mark.At, Reason: m.Mark.Reason, Plan: m.Mark.Plan,
			},
		})
	}
	return decisions
}

// pendingAfter is the pending file without the changes that are in the state
// now. One that cannot be read is removed: it is a note, and nothing in it may
// count.
func pendingAfter(dir, base string, choices []choice) (files.Change, error) {
	gone := files.Change{Path: lockfile.PendingName, Remove: true}
	pending, err := lockfile.ReadPending(os.DirFS(dir))
	if err != nil {
		return gone, nil //nolint:nilerr // a note that cannot be read is removed
	}
	left := &lockfile.Pending{Version: lockfile.FormatVersion, Base: base, Plan: pending.Plan}
	n := 0
	pending.Each(func(kind, name string, c *lockfile.PendingChange) {
		for _, ch := range choices {
			if ch.outcome != leftOut && string(ch.change.Kind) == kind && (ch.change.Name == name || name == "") {
				return
			}
		}
		left.Set(kind, name, *c)
		n++
	})
	if n == 0 {
		return gone, nil
	}
	doc, err := left.Encode()
	return files.Change{Path: lockfile.PendingName, Data: doc}, err
}
