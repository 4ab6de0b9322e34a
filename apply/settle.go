package apply

import (
	"slices"
	"time"

	"github.com/tomallicino/caskmcp/lockfile"
	"github.com/tomallicino/caskmcp/plan"
)

// Landing is a merged pull request with what it takes to judge it again.
type Landing struct {
	Pull    Pull
	Reviews []Review
	// Seen has what was shown of Pull.Head and of the commit of each review.
	Seen map[string]Seen
	// Rules are those of Pull.FirstParent.
	Rules Rules
	// Plan is what the merge proposed, recomputed: the configuration at
	// Pull.Merge against the state at Pull.FirstParent. A pull request has no
	// say in anything else.
	Plan *plan.Plan
}

// Settlement is what the merged pull requests approve of a plan.
type Settlement struct {
	// Decisions are for Apply, in the plan's order.
	Decisions []Decision
	// LeftOver are the changes that stay unapproved, in the plan's order.
	LeftOver []LeftOver
}

// LeftOver is a change that no merged pull request approves.
type LeftOver struct {
	ChangeKey
	Digest string `json:"digest"`
	// Pull is the last pull request that proposed the change, 0 for none.
	Pull int `json:"pull,omitempty"`
	// Why says what it takes.
	Why string `json:"why"`
}

// Settle decides which changes of p, the plan of the pushed branch against
// state, its merged pull requests approve. History has the commits of the
// branch along first parents, oldest first. Landings that are not part of it
// count for nothing. For each change the last pull request that proposed it and
// approves or blocks it has its word.
//
// What was decided before is not taken back by older reviews: about an object
// that has a block in the state, only pull requests count that were merged
// after the one the block comes from. If the block names none that is in the
// history, only reviews count that are younger than its decision.
func Settle(p *plan.Plan, state *lockfile.State, history []string, landings []Landing) *Settlement {
	s := settler{place: places(history), blocks: indexBlocks(state)}
	for _, l := range landings {
		if _, landed := s.place[l.Pull.Merge]; landed && l.Pull.Merge != "" && l.Plan != nil {
			s.landings = append(s.landings, newVerdict(l))
		}
	}
	slices.SortStableFunc(s.landings, func(a, b *verdict) int { return s.place[a.Pull.Merge] - s.place[b.Pull.Merge] })
	out := &Settlement{Decisions: []Decision{}, LeftOver: []LeftOver{}}
	for _, c := range p.Changes {
		if c.Kind == plan.StateKind {
			continue
		}
		if d, left := s.settle(c); d != nil {
			out.Decisions = append(out.Decisions, *d)
		} else {
			out.LeftOver = append(out.LeftOver, left)
		}
	}
	return out
}

type settler struct {
	place    map[string]int // of a commit in the history
	landings []*verdict     // oldest first
	blocks   map[string][]*lockfile.Block
}

func places(history []string) map[string]int {
	m := make(map[string]int, len(history))
	for i, commit := range history {
		m[commit] = i
	}
	return m
}

// settle returns the decision about c, or what it lacks.
func (s *settler) settle(c plan.Change) (*Decision, LeftOver) {
	left := LeftOver{ChangeKey: KeyOf(c), Digest: DigestOf(c), Why: "no merged pull request proposes it"}
	after, since := s.floor(c)
	var decision *Decision
	for _, l := range s.landings {
		if s.place[l.Pull.Merge] <= after {
			continue
		}
		x, ok := l.judge(c, since)
		if !ok {
			continue
		}
		left.Pull = l.Pull.Number
		switch {
		case len(x.BlockedBy) > 0:
			decision, left.Why = nil, x.Missing
		case x.Approved:
			d := x.decision(l.Pull, l.Plan.PlanDigest)
			decision = &d
		default:
			left.Why = x.Missing
		}
	}
	return decision, left
}

// floor is the place in the history after which pull requests count for c. If
// a block that c is about cannot be placed, since is the time after which
// reviews count.
func (s *settler) floor(c plan.Change) (after int, since time.Time) {
	after = -1
	for _, b := range s.blocksOf(c) {
		if at, ok := s.place[b.Approval.Merge]; ok && b.Approval.Merge != "" {
			after = max(after, at)
		} else if t, err := time.Parse(time.RFC3339, b.Approval.At); err == nil && t.After(since) {
			since = t
		}
	}
	return after, since
}

// indexBlocks maps names and identities to blocks.
func indexBlocks(s *lockfile.State) map[string][]*lockfile.Block {
	index := map[string][]*lockfile.Block{}
	for _, e := range entriesOf(&s.Lock) {
		for _, c := range e.claims() {
			index[c] = append(index[c], e.block)
		}
	}
	return index
}

// blocksOf are the blocks of the state that c is about: those of its name and,
// for a tool, of its operation.
func (s *settler) blocksOf(c plan.Change) []*lockfile.Block {
	e := entry{kind: string(c.Kind), name: c.Name, identity: c.Identity}
	if c.Kind == plan.PolicyKind || c.Kind == plan.ServerKind {
		e.name = "" // there is one, which has no name
	}
	var out []*lockfile.Block
	for _, claim := range e.claims() {
		out = append(out, s.blocks[claim]...)
	}
	return out
}

// verdict is a landing that is asked about many changes.
type verdict struct {
	Landing
	evaluation evaluation
	proposals  map[proposal]plan.Change
}

// proposal is what has to be the same for a merge to have proposed a change.
type proposal struct {
	kind                   plan.Kind
	name, identity, digest string
}

func proposalOf(c plan.Change) proposal {
	return proposal{kind: c.Kind, name: c.Name, identity: c.Identity, digest: DigestOf(c)}
}

func newVerdict(l Landing) *verdict {
	v := &verdict{Landing: l, evaluation: l.evaluation(), proposals: map[proposal]plan.Change{}}
	for _, c := range l.Plan.Changes {
		v.proposals[proposalOf(c)] = c
	}
	return v
}

// judge says how far the landing approves c, by reviews that are younger than
// since; false if it did not propose it. Both what the merge asked for and what
// the branch asks for now must be approved: the same bytes may be a bigger step
// from one of the two.
func (v *verdict) judge(c plan.Change, since time.Time) (ChangeApproval, bool) {
	proposed, ok := v.proposals[proposalOf(c)]
	if !ok || !equivalent(ActionOf(proposed), ActionOf(c)) {
		return ChangeApproval{}, false
	}
	e := v.evaluation
	e.since = since
	x := e.change(c)
	if x.Approved {
		x = e.change(proposed)
	}
	x.ChangeKey = KeyOf(c)
	return x, true
}

// evaluation of the landing's reviews.
func (l Landing) evaluation() evaluation {
	return evaluation{pull: l.Pull, seen: l.Seen, rules: l.Rules, latest: latest(l.Reviews)}
}
