package apply

import (
	"time"

	"github.com/tomallicino/caskmcp/plan"
	"github.com/tomallicino/caskmcp/surface"
)

// Person is an account at the git host.
type Person struct {
	Login string `json:"login"`
	ID    int64  `json:"id"`
	// Bot is true for everything that is not a person: apps, organizations,
	// machine tokens.
	Bot bool `json:"bot,omitempty"`
	// Permission on the repository: admin, maintain, write, triage, read or
	// none. Empty counts as none.
	Permission string `json:"-"`
	// Teams the person is a member of, as "org/team". Only teams that the
	// rules name need to be there.
	Teams []string `json:"-"`
	// Unread are teams that the rules name and whose members could not be
	// read: whether the person is one of them is not known, and counts for
	// nothing.
	Unread []string `json:"-"`
}

// Pull is a pull request, open or merged.
type Pull struct {
	Number int
	Author Person
	// Contributors are the authors and committers of all commits of the pull
	// request.
	Contributors []Person
	// Pushers are those who pushed them, as the git host knows: a commit says
	// of its author what whoever made it likes.
	Pushers []Person
	// Head is the last commit of the pull request's branch, Base the tip of
	// the branch it goes to. FirstParent is the commit that its first landed
	// commit stands on, Merge the last one that landed: the merge or squash
	// commit, or the last rebased one. Both are empty until it is merged.
	Head, Base, FirstParent, Merge string
	// MergedBy is nil until it is merged.
	MergedBy *Person
	MergedAt time.Time
	Fork     bool
	// Brought has, by the digest of a change, the people who brought it to the
	// base in earlier pull requests that did not get it approved: it is their
	// own change here too, whoever opened this one.
	Brought map[string][]Person
}

// States of a review, as GitHub names them.
const (
	ReviewApproved         = "APPROVED"
	ReviewChangesRequested = "CHANGES_REQUESTED"
	ReviewCommented        = "COMMENTED"
	ReviewDismissed        = "DISMISSED"
)

// Review is one review of a pull request.
type Review struct {
	ID     int64
	User   Person
	State  string
	Commit string // the head when it was given
	At     time.Time
}

// ChangeKey names a change of a plan.
type ChangeKey struct {
	Kind   plan.Kind `json:"kind"`
	Name   string    `json:"name"`
	Action string    `json:"action"` // ActionOf the change
}

// KeyOf is the key of c.
func KeyOf(c plan.Change) ChangeKey {
	return ChangeKey{Kind: c.Kind, Name: c.Name, Action: ActionOf(c)}
}

// Seen is what people could see of a commit of a pull request: the plan that
// our status announced.
type Seen struct {
	// PlannedAt is when our first plan status for the commit was set; zero
	// where there is none, and then nothing could be seen.
	PlannedAt time.Time
	// Plan is the digest of the plan that was shown.
	Plan string
	// Digests are what that plan proposed: DigestOf each change, recomputed
	// from the merge of the commit and the base.
	Digests map[ChangeKey]string
}

// SeenOf is what p showed from that time on.
func SeenOf(p *plan.Plan, plannedAt time.Time) Seen { return Shown(plannedAt, p) }

// Shown is what was shown from that time on by a plan that is one of these.
// Which one depends on where the base was: another pull request that is merged
// meanwhile can make definitions of the same commit that nobody was shown. So
// all plans are needed that there can have been, the newest last, and only what
// they have in common counts as seen.
func Shown(plannedAt time.Time, plans ...*plan.Plan) Seen {
	s := Seen{PlannedAt: plannedAt, Digests: map[ChangeKey]string{}}
	for i, p := range plans {
		one := Seen{Digests: map[ChangeKey]string{}}
		for _, c := range p.Changes {
			k := KeyOf(c)
			if c.Kind != plan.StateKind && (i == 0 || s.has(k, DigestOf(c))) {
				one.Digests[k] = DigestOf(c)
			}
		}
		s.Digests, s.Plan = one.Digests, p.PlanDigest
	}
	return s
}

// Rules say whose decisions count. They are read from caskmcp.yaml as it is on
// the base: a pull request cannot name its own approvers.
type Rules struct {
	Accept []string
	// Approvers are logins and "@org/team"s by the tier from which on they are
	// asked: a tier without a list has that of the next lower tier with one.
	// Where neither has any, everyone with write permission is an approver.
	Approvers map[surface.Risk][]string
	// AllowSelf makes the merge by an approver count as their approval.
	AllowSelf bool
	// App is the app, beside the job's own, that says when a plan was there
	// and what was judged: "name[bot]", empty for none.
	App string
}

// Approver is a person whose decision counts for a change.
type Approver struct {
	Person Person `json:"person"`
	Via    string `json:"via"` // lockfile.ViaReview or lockfile.ViaSelf
	// Review is the review's ID, 0 for a merge.
	Review int64     `json:"review,omitempty"`
	Commit string    `json:"commit"`
	Plan   string    `json:"plan,omitempty"` // digest of the plan that was shown
	At     time.Time `json:"at"`
}

// ChangeApproval is how far a change is approved.
type ChangeApproval struct {
	ChangeKey
	// Digest is what a decision is bound to.
	Digest string `json:"digest"`
	// Required is the number of approvals it takes, 0 for removals.
	Required int `json:"required"`
	// Tier decides which approvers are asked, and Approvers are those: logins
	// and "@org/team"s, none for everyone with write permission.
	Tier      surface.Risk `json:"tier"`
	Approvers []string     `json:"approvers"`
	// By has the approvals that count, oldest first, one for each person.
	By []Approver `json:"by"`
	// BlockedBy has the approvers who request changes.
	BlockedBy []Approver `json:"blocked_by"`
	Approved  bool       `json:"approved"`
	// OnMerge is true for a change that is not approved yet and will be if an
	// approver merges (Rules.AllowSelf).
	OnMerge bool `json:"on_merge,omitempty"`
	// Missing says in a few words what it takes; empty when approved.
	Missing string `json:"missing,omitempty"`
}

// Ignored is a review that counts for no change, and why.
type Ignored struct {
	Review int64  `json:"review"`
	Login  string `json:"login"`
	Why    string `json:"why"`
}

// Approvals say how far the changes of a plan are approved by the reviews of
// one pull request.
type Approvals struct {
	Pull Pull `json:"-"`
	// Changes are in the plan's order, without findings about the state:
	// nobody can approve those.
	Changes []ChangeApproval `json:"changes"`
	// Approved is true when every change is; also when there is none.
	Approved bool `json:"approved"`
	// OnMerge is true when not every change is approved, but all will be if an
	// approver merges.
	OnMerge bool `json:"on_merge,omitempty"`
	// Ignored are the newest reviews of people whose decision does not count.
	Ignored []Ignored `json:"ignored"`
}

// Of returns the approval of one change, nil if the plan has no such change.
func (a *Approvals) Of(k ChangeKey) *ChangeApproval {
	for i := range a.Changes {
		if a.Changes[i].ChangeKey == k {
			return &a.Changes[i]
		}
	}
	return nil
}
