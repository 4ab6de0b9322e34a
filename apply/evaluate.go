package apply

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tomallicino/caskmcp/lockfile"
	"github.com/tomallicino/caskmcp/plan"
	"github.com/tomallicino/caskmcp/surface"
)

// Evaluate decides which changes of p the reviews of a pull request approve.
// Seen has an entry for each commit that a review was given for and, once the
// pull request is merged, for its head. It is pure: everything it needs to
// know of the git host is in its arguments, and what is missing there approves
// nothing.
func Evaluate(p *plan.Plan, pull Pull, reviews []Review, seen map[string]Seen, rules Rules) *Approvals {
	e := evaluation{pull: pull, seen: seen, rules: rules, latest: latest(reviews)}
	a := &Approvals{Pull: pull, Changes: []ChangeApproval{}, Approved: true, OnMerge: true, Ignored: []Ignored{}}
	for _, c := range p.Changes {
		if c.Kind == plan.StateKind {
			continue
		}
		x := e.change(c)
		a.Changes = append(a.Changes, x)
		a.Approved = a.Approved && x.Approved
		a.OnMerge = a.OnMerge && (x.Approved || x.OnMerge)
	}
	a.OnMerge = a.OnMerge && !a.Approved
	a.Ignored = e.ignored(a)
	return a
}

// evaluation is what all changes have in common.
type evaluation struct {
	pull   Pull
	seen   map[string]Seen
	rules  Rules
	latest []Review
	// since is the time after which approvals count.
	since time.Time
}

// latest returns the newest review of each person that says yes or no, oldest
// first. A comment takes nothing back: GitHub makes one of every answer in a
// thread. A dismissed review is the person's last word and says nothing.
func latest(reviews []Review) []Review {
	sorted := slices.Clone(reviews)
	slices.SortStableFunc(sorted, func(a, b Review) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.ID, b.ID))
	})
	var out []Review
	for _, r := range sorted {
		switch r.State {
		case ReviewApproved, ReviewChangesRequested, ReviewDismissed:
		default:
			continue
		}
		out = slices.DeleteFunc(out, func(x Review) bool { return same(x.User, r.User) })
		out = append(out, r)
	}
	return out
}

// same reports whether two accounts are one. Logins can be given up and taken
// by somebody else, so the number decides where both have one.
func same(a, b Person) bool {
	if a.ID != 0 && b.ID != 0 {
		return a.ID == b.ID
	}
	return a.Login != "" && strings.EqualFold(a.Login, b.Login)
}

// change evaluates one change.
func (e *evaluation) change(c plan.Change) ChangeApproval {
	x := ChangeApproval{
		ChangeKey: KeyOf(c), Digest: DigestOf(c), Required: e.required(c), Tier: Tier(c),
		Approvers: e.rules.approvers(Tier(c)), By: []Approver{}, BlockedBy: []Approver{},
	}
	for _, r := range e.latest {
		by := Approver{Person: r.User, Via: lockfile.ViaReview, Review: r.ID, Commit: r.Commit, Plan: e.seen[r.Commit].Plan, At: r.At}
		switch {
		case r.State == ReviewChangesRequested && objects(r.User, x.Approvers):
			x.BlockedBy = append(x.BlockedBy, by)
		case r.State == ReviewApproved && e.refuses(r.User, x) == "" && e.saw(r.Commit, r.At, x) == "":
			x.By = append(x.By, by)
		}
	}
	if m, ok := e.merge(x); ok {
		x.By = append(x.By, m)
	}
	x.Approved = len(x.BlockedBy) == 0 && len(x.By) >= x.Required
	if !x.Approved {
		x.OnMerge = e.onMerge(x)
		x.Missing = missing(x)
		if unread := e.unread(x); len(unread) > 0 {
			x.Missing += "; somebody who approved " + mayBeIn(unread)
		}
	}
	return x
}

// unread are the approvers that are teams which somebody who approved x may be
// in.
func (e *evaluation) unread(x ChangeApproval) []string {
	people := []Person{}
	for _, r := range e.latest {
		if r.State == ReviewApproved {
			people = append(people, r.User)
		}
	}
	if e.pull.MergedBy != nil && e.rules.AllowSelf {
		people = append(people, *e.pull.MergedBy)
	}
	var teams []string
	for _, p := range people {
		if !listed(p, x.Approvers) {
			teams = append(teams, p.Unread...)
		}
	}
	return among(teams, x.Approvers)
}

// required is how many approvals c takes. Where nobody is named, one other
// person with write permission is enough for everything.
func (e *evaluation) required(c plan.Change) int {
	if e.rules.named() {
		return c.RequiredApprovals
	}
	return min(c.RequiredApprovals, 1)
}

// Tier is the tier whose approvers are asked about c: the higher risk of
// before and after, and at least high where c gives new power, reaches another
// host or changes credentials in a way that blocks.
func Tier(c plan.Change) surface.Risk {
	tier := surface.Risk("")
	for _, r := range []surface.Risk{c.Risk.Before, c.Risk.After} {
		switch {
		case r == "":
		case r.Rank() < 0:
			return surface.Critical
		case r.Rank() > tier.Rank():
			tier = r
		}
	}
	tier = cmp.Or(tier, surface.Low)
	if c.Escalates() && tier.Rank() < surface.High.Rank() {
		tier = surface.High
	}
	return tier
}

// named reports whether the rules name any approver.
func (r Rules) named() bool {
	for _, list := range r.Approvers {
		if len(list) > 0 {
			return true
		}
	}
	return false
}

// approvers are those of the tier or of the next lower one that names any.
func (r Rules) approvers(tier surface.Risk) []string {
	for i := tier.Rank(); i >= 0; i-- {
		if list := r.Approvers[surface.Risks[i]]; len(list) > 0 {
			return slices.Clone(list)
		}
	}
	return []string{}
}

// notAsked says why a person's word does not count among those approvers; ""
// if it does.
func notAsked(p Person, approvers []string) string {
	switch {
	case p.Bot || p.Login == "":
		return "is not a person"
	case !slices.Contains([]string{"admin", "maintain", "write"}, p.Permission):
		return "may not write to this repository"
	case len(approvers) > 0 && !listed(p, approvers):
		if unread := among(p.Unread, approvers); len(unread) > 0 {
			return mayBeIn(unread)
		}
		return "is none of " + strings.Join(approvers, ", ")
	}
	return ""
}

// mayBeIn says what to do about teams whose members cannot be read.
func mayBeIn(teams []string) string {
	return "may be in " + strings.Join(teams, ", ") + ", but this token may not read who is: give caskmcp the token of an app with the organization permission Members (read), or name logins"
}

// objects reports whether a person's "request changes" blocks. Somebody who may
// be in a team that was asked has a say in that.
func objects(p Person, approvers []string) bool {
	p.Teams = append(slices.Clone(p.Teams), p.Unread...)
	return notAsked(p, approvers) == ""
}

// listed reports whether the list has the person's login or one of their
// teams.
func listed(p Person, approvers []string) bool {
	if len(among(p.Teams, approvers)) > 0 {
		return true
	}
	return slices.ContainsFunc(approvers, func(a string) bool { return strings.EqualFold(strings.TrimPrefix(a, "@"), p.Login) })
}

// among are the approvers that are one of the teams.
func among(teams, approvers []string) []string {
	var out []string
	for _, a := range approvers {
		name := strings.TrimPrefix(a, "@")
		if slices.ContainsFunc(teams, func(t string) bool { return strings.EqualFold(t, name) }) {
			out = append(out, a)
		}
	}
	return out
}

// refuses says why a person's approval does not count; "" if it does.
func (e *evaluation) refuses(p Person, x ChangeApproval) string {
	why := notAsked(p, x.Approvers)
	switch {
	case why != "":
		return why
	case !e.rules.acceptReviews():
		return "is a review, and approvals.accept in caskmcp.yaml has none"
	case same(p, e.pull.Author):
		return "opened this pull request"
	case slices.ContainsFunc(e.pull.Contributors, func(c Person) bool { return same(p, c) }):
		return "has commits in this pull request"
	case slices.ContainsFunc(e.pull.Pushers, func(c Person) bool { return same(p, c) }):
		return "is by who pushed to this pull request"
	case slices.ContainsFunc(e.pull.Brought[x.Digest], func(b Person) bool { return same(p, b) }):
		return "is by who brought the change, in an earlier pull request"
	}
	return ""
}

// acceptReviews reports whether decisions in pull requests count at all.
func (r Rules) acceptReviews() bool {
	return len(r.Accept) == 0 || slices.Contains(r.Accept, lockfile.ViaReview)
}

// saw says why somebody who looked at that commit at that time did not see
// the change; "" if they did.
func (e *evaluation) saw(commit string, at time.Time, x ChangeApproval) string {
	s := e.seen[commit]
	switch {
	case s.PlannedAt.IsZero():
		return "was given for a commit that has no plan"
	case !at.After(s.PlannedAt):
		return "was given before the plan was there"
	case !at.After(e.since):
		return "was given before the last decision about it"
	case !s.has(x.ChangeKey, x.Digest):
		return "was given for other definitions"
	}
	return ""
}

// has reports whether the digest was shown for that change.
func (s Seen) has(k ChangeKey, digest string) bool {
	for _, action := range []string{Create, Update, Delete, Replace} {
		shown := s.Digests[ChangeKey{Kind: k.Kind, Name: k.Name, Action: action}]
		if equivalent(action, k.Action) && digest != "" && shown == digest {
			return true
		}
	}
	return false
}

// equivalent reports whether two actions that end in the same bytes are the
// same decision: whether something is new or changed depends on what else has
// been applied meanwhile.
func equivalent(a, b string) bool {
	fresh := []string{Create, Update}
	return a == b || slices.Contains(fresh, a) && slices.Contains(fresh, b)
}

// merge is the merge as an approval of the plan at the merged head, where the
// rules allow it.
func (e *evaluation) merge(x ChangeApproval) (Approver, bool) {
	m := e.pull.MergedBy
	if !e.rules.AllowSelf || !e.rules.acceptReviews() || m == nil || notAsked(*m, x.Approvers) != "" || e.saw(e.pull.Head, e.pull.MergedAt, x) != "" {
		return Approver{}, false
	}
	if slices.ContainsFunc(x.By, func(by Approver) bool { return same(by.Person, *m) }) {
		return Approver{}, false
	}
	return Approver{
		Person: *m, Via: lockfile.ViaSelf, Commit: e.pull.Head, Plan: e.seen[e.pull.Head].Plan, At: e.pull.MergedAt,
	}, true
}

// onMerge reports whether a merge by somebody who has not approved yet would
// complete the approval.
func (e *evaluation) onMerge(x ChangeApproval) bool {
	if !e.rules.AllowSelf || !e.rules.acceptReviews() || e.pull.MergedBy != nil || len(x.BlockedBy) > 0 || len(x.By)+1 < x.Required {
		return false
	}
	if len(x.Approvers) == 0 {
		return true
	}
	return slices.ContainsFunc(x.Approvers, func(a string) bool {
		name := strings.TrimPrefix(a, "@")
		return strings.Contains(name, "/") || !slices.ContainsFunc(x.By, func(by Approver) bool { return strings.EqualFold(by.Person.Login, name) })
	})
}

// missing says what x takes.
func missing(x ChangeApproval) string {
	if len(x.BlockedBy) > 0 {
		var who []string
		for _, b := range x.BlockedBy {
			who = append(who, b.Person.Login)
		}
		return "changes requested by " + strings.Join(who, ", ")
	}
	text := fmt.Sprintf("%d of %d", len(x.By), x.Required)
	if len(x.Approvers) > 0 {
		text += ", needs " + strings.Join(x.Approvers, " or ")
	}
	if people := len(x.Approvers); people > 0 && people < x.Required && !slices.ContainsFunc(x.Approvers, func(a string) bool { return strings.Contains(a, "/") }) {
		text += fmt.Sprintf("; caskmcp.yaml on the base names only %d of the %d people it takes", people, x.Required)
	}
	if x.OnMerge {
		text += "; merging counts"
	}
	return text
}

// ignored explains the newest reviews of people that count for nothing.
func (e *evaluation) ignored(a *Approvals) []Ignored {
	out := []Ignored{}
	for _, r := range e.latest {
		why := e.why(r, a)
		if why != "" {
			out = append(out, Ignored{Review: r.ID, Login: r.User.Login, Why: why})
		}
	}
	return out
}

// why says why r counts for no change, "" if it counts for one or none needs
// it.
func (e *evaluation) why(r Review, a *Approvals) string {
	if r.State == ReviewDismissed {
		return "was dismissed"
	}
	first := ""
	for _, x := range a.Changes {
		if slices.ContainsFunc(slices.Concat(x.By, x.BlockedBy), func(by Approver) bool { return by.Review == r.ID }) {
			return ""
		}
		if r.State == ReviewChangesRequested {
			first = cmp.Or(first, notAsked(r.User, x.Approvers))
			continue
		}
		first = cmp.Or(first, e.refuses(r.User, x), e.saw(r.Commit, r.At, x))
	}
	return first
}
