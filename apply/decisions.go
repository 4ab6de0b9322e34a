package apply

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tomallicino/caskmcp/lockfile"
	"github.com/tomallicino/caskmcp/plan"
)

// Decisions are the approved changes as decisions for Apply, with their
// provenance. There are none until the pull request is merged. Equal approvals
// give equal decisions: no clock is read.
func (a *Approvals) Decisions() []Decision {
	decisions := []Decision{}
	if a.Pull.Merge == "" {
		return decisions
	}
	for _, x := range a.Changes {
		if x.Approved {
			decisions = append(decisions, x.decision(a.Pull, ""))
		}
	}
	return decisions
}

// decision is the approved change x as a decision. Shown is the digest of the
// plan of the merged head, for changes that take no approval.
func (x ChangeApproval) decision(pull Pull, shown string) Decision {
	d := Decision{
		Kind: x.Kind, Name: x.Name, Action: x.Action, Digest: x.Digest, Verdict: lockfile.Approve,
		Approval: lockfile.Approval{Via: lockfile.ViaReview, PR: pull.Number, Head: pull.Head, Merge: pull.Merge, Plan: shown},
	}
	if len(x.By) == 0 {
		who := pull.Author
		if pull.MergedBy != nil {
			who = *pull.MergedBy
		}
		d.Approval.By, d.Approval.At = by(who), lockfile.TimeText(pull.MergedAt)
		d.Approval.Reason = "merged; takes no approval"
		return d
	}
	last := x.By[max(x.Required, 1)-1]
	d.Approval.By, d.Approval.At = by(last.Person), lockfile.TimeText(last.At)
	d.Approval.Via, d.Approval.Review, d.Approval.Plan = last.Via, last.Review, last.Plan
	var others []string
	for _, o := range x.By {
		if !same(o.Person, last.Person) {
			others = append(others, fmt.Sprintf("%s (review %d)", o.Person.Login, o.Review))
		}
	}
	if len(others) > 0 {
		d.Approval.Reason = "also approved by " + strings.Join(others, ", ")
	}
	return d
}

func by(p Person) lockfile.By { return lockfile.By{Login: p.Login, ID: p.ID} }

// Combine is what several pull requests that are merged together, as in a
// merge queue, approve of one plan: a change is approved that one of them
// approves and none blocks. All must be evaluations of the same plan.
func Combine(p *plan.Plan, all []*Approvals) *Approvals {
	out := &Approvals{Changes: []ChangeApproval{}, Approved: true, Ignored: []Ignored{}}
	for _, c := range p.Changes {
		if c.Kind == plan.StateKind {
			continue
		}
		x := ChangeApproval{
			ChangeKey: KeyOf(c), Digest: DigestOf(c), Required: c.RequiredApprovals, Tier: Tier(c),
			Approvers: []string{}, By: []Approver{}, BlockedBy: []Approver{}, Missing: "no pull request of the group approves it",
		}
		blocked := []Approver{}
		for i, a := range all {
			y := a.Of(x.ChangeKey)
			if y == nil || y.Digest != x.Digest {
				continue
			}
			blocked = append(blocked, y.BlockedBy...)
			if i == 0 || !x.Approved && (y.Approved || y.OnMerge && !x.OnMerge || len(y.By) > len(x.By)) {
				x = *y
			}
		}
		if x.BlockedBy = blocked; len(blocked) > 0 {
			x.Approved, x.OnMerge, x.Missing = false, false, missing(x)
		}
		out.Changes = append(out.Changes, x)
		out.Approved = out.Approved && x.Approved
	}
	out.OnMerge = !out.Approved && !slices.ContainsFunc(out.Changes, func(x ChangeApproval) bool { return !x.Approved && !x.OnMerge })
	for _, a := range all {
		out.Ignored = append(out.Ignored, a.Ignored...)
	}
	return out
}
