package plan

import (
	"cmp"
	"slices"
	"strings"
)

// The ranks of reasons, in the order a reviewer should meet them.
const (
	rankState      = iota // the state does not verify
	rankPower             // new write, fewer confirmations
	rankHost              // another host
	rankAuth              // another credential
	rankRisk              // risk up, texts, names: what misleads
	rankInput             // input that breaks
	rankOutput            // output that breaks
	rankAdditive          // more of the same
	rankRemoval           // less
	rankUnexpected        // a code this list forgot
)

var ranks = map[string]int{
	"tool.write_added": rankPower, "effect.read_to_write": rankPower, "effect.raised": rankPower, "confirm.never": rankPower,
	"confirm.relaxed": rankPower, "policy.relaxed": rankPower, "default_action.changed": rankPower, "policy.changed": rankPower, "policy.added": rankPower,
	"tool.was_rejected": rankPower, "output.secret_shape_added": rankAuth, "output.pii_added": rankAuth,

	"host.added": rankHost, "host.changed": rankHost, "scheme.changed": rankHost, "port.changed": rankHost, "network.widened": rankHost,
	"method.changed": rankHost, "path.changed": rankHost, "binding.changed": rankHost, "fixed_value.changed": rankHost, "tool.name_taken": rankHost,

	"auth.weakened": rankAuth, "auth.changed": rankAuth, "scope.widened": rankAuth, "credential.rebound": rankAuth, "credential.added": rankAuth, "redaction.removed": rankAuth,

	"risk.raised": rankRisk, "risk.lowered": rankRisk, "effect.lowered": rankRisk, "text.injection_lint": rankRisk, "tool.confusable": rankRisk,
	"tool.shadowing": rankRisk, "text.changed": rankRisk, "annotation.relaxed": rankRisk, "tool.renamed": rankRisk, "tool.added_to_toolset": rankRisk,
	"toolset.widened": rankRisk, "toolset.default_changed": rankRisk, "budget.raised": rankRisk, "expiry.extended": rankRisk, "definition.changed": rankRisk,
	"definition.contradicted": rankRisk,

	"input.type_changed": rankInput, "input.required_added": rankInput, "input.narrowed": rankInput, "input.widened": rankInput,

	"output.removed": rankOutput, "output.type_changed": rankOutput, "output.narrowed": rankOutput, "output.widened": rankOutput, "output.required_removed": rankOutput,

	"tool.added": rankAdditive, "tool.readded": rankAdditive, "output.added": rankAdditive, "text.added": rankAdditive, "server.added": rankAdditive,
	"toolset.added": rankAdditive, "redaction.added": rankAdditive, "budget.lowered": rankAdditive, "confirm.tightened": rankAdditive,
	"policy.tightened": rankAdditive, "policy.reordered": rankAdditive, "scope.narrowed": rankAdditive, "network.narrowed": rankAdditive,
	"credential.narrowed": rankAdditive, "credential.removed": rankAdditive, "expiry.shortened": rankAdditive,
	"tool.removed_from_toolset": rankAdditive, "approval.expiring": rankAdditive, "approval.expired": rankAdditive,
	"endpoint.unexposed_added": rankAdditive, "input.unexposed_added": rankAdditive,

	"tool.removed": rankRemoval, "toolset.removed": rankRemoval, "coverage.missing": rankRemoval,
}

// rank places a reason's code. What does not verify comes first, whatever the
// code; an unknown code ranks like what misleads.
func rank(code string) int {
	if r, ok := ranks[code]; ok {
		return r
	}
	return rankRisk
}

// Rank is where a reviewer should meet c: 0 is the riskiest. Changes of one
// rank are ordered by name.
func (c Change) Rank() int {
	if c.Kind == StateKind {
		return rankState
	}
	best := rankUnexpected
	for _, r := range c.Reasons {
		best = min(best, rank(r.Code))
	}
	return best
}

// Class is the most severe class of c's reasons.
func (c Change) Class() Class {
	class := Info
	for _, r := range c.Reasons {
		if severity(r.Class) < severity(class) {
			class = r.Class
		}
	}
	return class
}

// AddReason adds one more reason to c, in its place.
func (c *Change) AddReason(r Reason) {
	x := &reasons{list: c.Reasons}
	x.add(r.Code, r.Class, "%s", r.Text)
	c.Reasons = x.sorted()
}

// Action is what c does, as one symbol.
func (c Change) Action() Action {
	switch strings.Join(c.Actions, ",") {
	case "create":
		return Create
	case "update":
		return Update
	case "delete":
		return Delete
	case "delete,create":
		return Replace
	}
	return NoOp
}

// Symbol is a as plans show it: +, ~, -, or -/+ for a replacement.
func (a Action) Symbol() string {
	if a == Replace {
		return "-/+"
	}
	return string(rune(a))
}

// Sort orders changes riskiest first, then by name and kind.
func Sort(changes []Change) {
	slices.SortStableFunc(changes, func(x, y Change) int {
		return cmp.Or(
			cmp.Compare(x.Rank(), y.Rank()),
			strings.Compare(x.Name, y.Name),
			strings.Compare(string(x.Kind), string(y.Kind)),
			strings.Compare(x.Identity, y.Identity))
	})
}
