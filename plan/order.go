package plan

import (
	"cmp"
	"slices"
	"strings"
)

// The ranks of reasons, in the order a reviewer should meet them.
const (
	rankState    = iota // the state does not verify
	rankPower           // new power to change state, fewer confirmations
	rankHost            // another request, above all another host
	rankAuth            // another credential, more sensitive data
	rankRisk            // risk, texts, names: what misleads
	rankInput           // input that breaks or widens
	rankOutput          // output that breaks
	rankAdditive        // more of the same, or less power
	rankRemoval         // gone
)

// codes are all reason codes of this package and of drift, by rank.
var codes = [...][]string{
	rankState: {},
	rankPower: {
		"tool.write_added", "effect.read_to_write", "effect.raised", "confirm.never", "confirm.relaxed", "policy.relaxed",
		"default_action.changed", "policy.changed", "policy.added", "tool.was_rejected",
	},
	rankHost: {
		"host.added", "host.changed", "scheme.changed", "port.changed", "network.widened", "method.changed", "path.changed",
		"binding.changed", "fixed_value.changed", "tool.name_taken",
	},
	rankAuth: {
		"auth.weakened", "auth.changed", "scope.widened", "credential.rebound", "credential.added", "redaction.removed",
		"output.secret_shape_added", "output.pii_added",
	},
	rankRisk: {
		"risk.raised", "risk.lowered", "effect.lowered", "text.injection_lint", "tool.confusable", "tool.shadowing", "text.changed",
		"annotation.relaxed", "tool.renamed", "tool.added_to_toolset", "toolset.widened", "toolset.default_changed", "budget.raised",
		"expiry.extended", "definition.changed", "definition.contradicted",
	},
	rankInput:  {"path.escaped_slash", "input.type_changed", "input.required_added", "input.narrowed", "input.widened"},
	rankOutput: {"output.removed", "output.sometimes_missing", "output.required_removed", "output.type_changed"},
	rankAdditive: {
		"tool.added", "tool.readded", "output.added", "output.narrowed", "output.widened", "text.added", "server.added", "toolset.added",
		"redaction.added", "budget.lowered", "confirm.tightened", "policy.tightened", "policy.reordered", "scope.narrowed",
		"network.narrowed", "credential.narrowed", "credential.removed", "expiry.shortened", "tool.removed_from_toolset",
		"approval.expired", "approval.expiring", "definition.restored", "evidence.contradicts", "endpoint.unexposed_added",
	},
	rankRemoval: {"tool.removed", "toolset.removed", "coverage.missing"},
}

var ranks = func() map[string]int {
	m := map[string]int{}
	for r, list := range codes {
		for _, code := range list {
			m[code] = r
		}
	}
	return m
}()

// rank places a reason's code. A code that is not listed comes from the state,
// which does not verify.
func rank(code string) int { return ranks[code] }

// Rank is where a reviewer should meet c: 0 is the riskiest. Changes of one
// rank are ordered by name.
func (c Change) Rank() int {
	best := rankRemoval
	for _, r := range c.Reasons {
		best = min(best, rank(r.Code))
	}
	return best
}

// Escalates reports whether c, for a reason that blocks, gives new power,
// reaches something else or changes credentials: a change that calls for the
// approvers of the high tier whatever the tool's own risk.
func (c Change) Escalates() bool {
	return slices.ContainsFunc(c.Reasons, func(r Reason) bool { return r.Class == Block && rank(r.Code) <= rankAuth })
}

// breaking are the codes of what can break who calls a tool or reads its
// results.
var breaking = append([]string{"input.type_changed", "input.required_added", "input.narrowed"}, codes[rankOutput]...)

// Breaks reports whether c can break who calls a tool or reads its results.
func (c Change) Breaks() bool {
	return slices.ContainsFunc(c.Reasons, func(r Reason) bool { return slices.Contains(breaking, r.Code) })
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

// Sort orders changes riskiest first, findings about the state before
// everything, then by name and kind.
func Sort(changes []Change) {
	notState := func(c Change) int {
		if c.Kind == StateKind {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(changes, func(x, y Change) int {
		return cmp.Or(
			cmp.Compare(notState(x), notState(y)),
			cmp.Compare(x.Rank(), y.Rank()),
			strings.Compare(x.Name, y.Name),
			strings.Compare(string(x.Kind), string(y.Kind)),
			strings.Compare(x.Identity, y.Identity))
	})
}
