// Package apply is the only writer of the state: it turns people's decisions
// about a plan into approved definitions and lockfile blocks.
package apply

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/tomallicino/caskmcp/internal/files"
	"github.com/tomallicino/caskmcp/lockfile"
	"github.com/tomallicino/caskmcp/plan"
	"github.com/tomallicino/caskmcp/surface"
)

// Errors that a caller may want to tell apart. None of them leaves anything
// written.
var (
	// ErrStale reports a plan whose base is not the state any more.
	ErrStale = errors.New("the saved plan is stale, because the state has changed since it was made; run \"caskmcp plan\" again")
	// ErrDecision reports a decision that is not about what the plan shows.
	ErrDecision = errors.New("decision does not match the plan")
	// ErrDesired reports a desired surface that is not the one planned.
	ErrDesired = errors.New("the compiled surface is not the planned one; run \"caskmcp plan\" again")
)

// Params of Apply.
type Params struct {
	// Dir is the toolpack's lockfile folder; it is made if it is missing.
	Dir string
	// Plan says what changes and from which base. Only Base, PlanDigest and
	// Changes are read.
	Plan *plan.Plan
	// Desired has the definitions, with evidence, that the plan is about.
	Desired surface.Surface
	// Decisions, at most one for each change. A change without a decision is
	// left out.
	Decisions []Decision
	// Now is the time of decisions that carry none.
	Now time.Time
}

// Decision is what somebody decided about one change of the plan as it was
// shown: it holds for that action and digest only.
type Decision struct {
	Kind   plan.Kind
	Name   string
	Action string // ActionOf the change
	Digest string // DigestOf the change
	// Verdict is lockfile.Approve or lockfile.Reject.
	Verdict string
	// Approval says who, how and why. At and Plan are filled in where they
	// are empty, Checksum always.
	Approval lockfile.Approval
}

// Result is what Apply did.
type Result struct {
	// Applied are the approved changes, Rejected the rejections that became
	// blocks, LeftOut everything else. All are in the plan's order.
	Applied, Rejected, LeftOut []Outcome
	// State is the state afterwards.
	State *lockfile.State
}

// Outcome is what became of one change.
type Outcome struct {
	Kind   plan.Kind `json:"kind"`
	Name   string    `json:"name"`
	Action string    `json:"action"`
	Digest string    `json:"digest"`
	// Reason says why a change was left out.
	Reason string `json:"reason,omitempty"`
}

// Actions of a change, as ActionOf names them.
const (
	Create  = "create"
	Update  = "update"
	Delete  = "delete"
	Replace = "replace"
)

// ActionOf is the one word for a change's actions.
func ActionOf(c plan.Change) string {
	if len(c.Actions) == 1 {
		return c.Actions[0]
	}
	return Replace
}

// DigestOf is the digest that a decision about c is bound to: that of the new
// definition or, for a deletion, of the old one.
func DigestOf(c plan.Change) string {
	if c.Digest.After != "" {
		return c.Digest.After
	}
	return c.Digest.Before
}

// Apply writes the decided changes into the state at p.Dir. It holds the
// folder's lock, refuses a plan that was made for another state (ErrStale),
// and makes all changes or none: a crash, a full disk or a missing permission
// leaves the old state, and readers never see a mix. Applying decisions that
// are in the state already changes nothing and is no error.
func Apply(ctx context.Context, p Params) (*Result, error) {
	choices, err := match(p)
	if err != nil {
		return nil, err
	}
	if err := checkDir(p.Dir); err != nil {
		return nil, err
	}
	if len(p.Decisions) == 0 {
		return applyNothing(p, choices)
	}
	unlock, err := files.Lock(ctx, filepath.Join(p.Dir, lockfile.FlockName))
	if err != nil {
		return nil, fmt.Errorf("applying: %w", err)
	}
	defer unlock()
	state, err := lockfile.Open(os.DirFS(p.Dir))
	if err != nil {
		return nil, fmt.Errorf("applying: %w", err)
	}
	if err := tidy(p.Dir); err != nil {
		return nil, fmt.Errorf("applying: finishing an interrupted run: %w", err)
	}
	if state.Digest != p.Plan.Base.Lockfile {
		if r := applied(state, choices); r != nil {
			return r, nil
		}
		return nil, fmt.Errorf("applying: %w", ErrStale)
	}
	return write(ctx, p, state, choices)
}

// checkDir refuses a folder that is a symbolic link: the state belongs to the
// repository it is in.
func checkDir(dir string) error {
	info, err := os.Lstat(dir)
	if err == nil && !info.IsDir() {
		return fmt.Errorf("applying: %s is no folder: %w", dir, files.ErrNotRegular)
	}
	return nil
}

// applyNothing needs no lock and writes nothing.
func applyNothing(p Params, choices []choice) (*Result, error) {
	state, err := lockfile.Open(os.DirFS(p.Dir))
	if err != nil {
		return nil, fmt.Errorf("applying: %w", err)
	}
	if state.Digest != p.Plan.Base.Lockfile {
		return nil, fmt.Errorf("applying: %w", ErrStale)
	}
	return result(state, choices), nil
}

// tidy finishes what a killed run had committed and removes what it had not.
func tidy(dir string) error {
	if err := files.Recover(dir); err != nil {
		return err
	}
	return errors.Join(files.Sweep(dir), files.Sweep(filepath.Join(dir, lockfile.ApprovedDir)))
}

func write(ctx context.Context, p Params, state *lockfile.State, choices []choice) (*Result, error) {
	d := newDraft(p, state)
	if err := d.decide(choices); err != nil {
		return nil, fmt.Errorf("applying: %w", err)
	}
	if !d.changed {
		return result(state, choices), nil
	}
	changes, err := d.files(choices)
	if err != nil {
		return nil, fmt.Errorf("applying: %w", err)
	}
	after, err := lockfile.Preview(os.DirFS(p.Dir), changes)
	if err != nil {
		return nil, fmt.Errorf("applying: %w", err)
	}
	if err := verified(state, after, choices); err != nil {
		return nil, fmt.Errorf("applying: %w", err)
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("applying: %w", err)
	}
	if err := files.WriteAll(p.Dir, changes); err != nil {
		return nil, fmt.Errorf("applying: writing the state: %w", err)
	}
	return result(after, choices), nil
}

// verified makes sure that the new state verifies before it is written: it
// has no finding that the old one did not have, and what was approved is in
// force.
func verified(before, after *lockfile.State, choices []choice) error {
	type key struct{ kind, name, code string }
	known := map[key]bool{}
	for _, f := range before.Findings {
		known[key{f.Kind, f.Name, f.Code}] = true
	}
	for _, f := range after.Findings {
		if !known[key{f.Kind, f.Name, f.Code}] {
			return fmt.Errorf("nothing was written, because the new state would not verify: %s", f.Text)
		}
	}
	for _, c := range choices {
		if c.outcome == wasApplied && !inForce(after, c.change) {
			return fmt.Errorf("nothing was written, because %s would not be in force afterwards; run \"caskmcp check\"", describe(c.change))
		}
	}
	return nil
}

// applied is the result if every decision is in the state already, else nil.
func applied(state *lockfile.State, choices []choice) *Result {
	done := false
	for i := range choices {
		c := &choices[i]
		switch {
		case c.decision == nil:
		case c.decision.Verdict == lockfile.Approve && inForce(state, c.change):
			c.outcome, done = wasApplied, true
		case c.decision.Verdict == lockfile.Reject && isRejected(state, c.change):
			c.outcome, done = wasRejected, true
		case c.decision.Verdict == lockfile.Reject && ActionOf(c.change) != Create:
		default:
			return nil
		}
	}
	if !done {
		return nil
	}
	return result(state, choices)
}

// inForce reports whether the state says what the change asks for.
func inForce(s *lockfile.State, c plan.Change) bool {
	switch c.Kind {
	case plan.PolicyKind:
		return s.PolicyOK && s.Lock.Policy.Digest == c.Digest.After
	case plan.ServerKind:
		return s.ServerOK && s.Lock.Server.Digest == c.Digest.After
	case plan.ToolsetKind:
		b := s.Lock.Toolsets[c.Name]
		if ActionOf(c) == Delete {
			return b != nil && b.Status == surface.Removed
		}
		return b != nil && b.Digest == c.Digest.After && slices.ContainsFunc(s.Surface.Toolsets, func(t surface.Toolset) bool { return t.Name == c.Name })
	case plan.ToolKind:
		if ActionOf(c) == Delete {
			return !slices.ContainsFunc(s.Surface.Tools, func(t surface.Tool) bool {
				return t.Name == c.Name && t.Binding.Identity() == c.Identity
			})
		}
		b := s.Lock.Tools[c.Name]
		return b != nil && b.Digest == c.Digest.After && slices.ContainsFunc(s.Surface.Tools, func(t surface.Tool) bool { return t.Name == c.Name })
	}
	return false
}

// isRejected reports whether the state holds the rejection of the change.
func isRejected(s *lockfile.State, c plan.Change) bool {
	var b *lockfile.Block
	switch c.Kind {
	case plan.PolicyKind:
		b = s.Lock.Policy
	case plan.ServerKind:
		b = s.Lock.Server
	case plan.ToolsetKind:
		if t := s.Lock.Toolsets[c.Name]; t != nil {
			b = &t.Block
		}
	case plan.ToolKind:
		if t := s.Lock.Tools[c.Name]; t != nil {
			b = &t.Block
		}
	}
	return b != nil && b.Status == surface.Rejected && b.Digest == c.Digest.After
}

// result sorts the choices by what became of them.
func result(state *lockfile.State, choices []choice) *Result {
	r := &Result{Applied: []Outcome{}, Rejected: []Outcome{}, LeftOut: []Outcome{}, State: state}
	for _, c := range choices {
		o := Outcome{Kind: c.change.Kind, Name: c.change.Name, Action: ActionOf(c.change), Digest: DigestOf(c.change)}
		switch c.outcome {
		case wasApplied:
			r.Applied = append(r.Applied, o)
		case wasRejected:
			r.Rejected = append(r.Rejected, o)
		default:
			o.Reason = c.reason
			r.LeftOut = append(r.LeftOut, o)
		}
	}
	return r
}

// sortedChanges are the changed files in the order of their paths.
func sortedChanges(m map[string]files.Change) []files.Change {
	changes := make([]files.Change, 0, len(m))
	for _, path := range slices.Sorted(maps.Keys(m)) {
		changes = append(changes, m[path])
	}
	return changes
}
