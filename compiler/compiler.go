// Package compiler turns captures into the surface that agents could be
// given. It is pure: the same captures, prior and options give the same
// surface, in any order, on any machine.
package compiler

import (
	"github.com/tomallicino/caskmcp/capture"
	"github.com/tomallicino/caskmcp/policy"
	"github.com/tomallicino/caskmcp/surface"
)

// Options is what toolpack.yaml asks for. The zero Options compile everything
// observed.
type Options struct {
	// Name of the toolpack; prefixes generated credential variables.
	Name string
	// Scope is one of the built-in scopes; empty means first_party_only.
	Scope string
	// ScopeRules replace Scope when not nil (--scope-file).
	ScopeRules []ScopeRule
	// Include and Exclude are patterns: a tool name, or "METHOD /path/glob"
	// with "*" for one segment, "**" for any number, and "*" for any method.
	Include, Exclude []string
	// Hints settle path templates: "/post/{id}" makes the segment a
	// parameter, "/post/^new" keeps it literal.
	Hints []string
	// AllOperations keeps declared operations that traffic never used.
	AllOperations bool
	// Tools are overrides by tool name or by "METHOD /path/{template}".
	Tools    map[string]surface.Override
	Toolsets map[string]surface.Toolset
	// Policy replaces policy.Default when not nil.
	Policy *policy.Policy
	// Credentials override the generated credential of a reference.
	Credentials []surface.Credential
	Server      surface.Server
	// Known are sealed captures that tell what responses always had. Nothing
	// is compiled from them.
	Known []*capture.Capture
}

// Result is a compiled surface and how it came about.
type Result struct {
	Surface surface.Surface
	// Proposals are definitions that would be written differently today but
	// are kept as approved, because nothing contradicts them.
	Proposals []Proposal
	// Merges propose general tools instead of approved ones, sorted.
	Merges []Merge
	// Contradictions say why an approved definition could not be kept.
	Contradictions []Contradiction
	// Decisions explain every inferred path segment, sorted.
	Decisions []Decision
	// Skipped are operations that are not tools, with the reason.
	Skipped []Skipped
	// Unused are the keys of Options.Tools that no operation has, sorted.
	Unused []string
}

// Proposal is an approved tool as it would be compiled without the prior.
type Proposal struct {
	Tool   string       `json:"tool"`
	Before surface.Tool `json:"before"`
	After  surface.Tool `json:"after"`
	// Fields that differ, sorted: "description", "inputSchema", …
	Fields []string `json:"fields"`
}

// Contradiction is an observation that an approved definition excludes.
type Contradiction struct {
	Tool string `json:"tool"`
	Code string `json:"code"` // input.type, output.type, output.removed, auth.changed, …
	// Path is the JSON Pointer of the schema place, where there is one.
	Path string `json:"path,omitempty"`
	Text string `json:"text"`
}

// Decision is why a path segment is a parameter or a literal.
type Decision struct {
	Host string `json:"host"`
	// Path up to and including the segment, parameters as {}.
	Path      string     `json:"path"`
	Parameter bool       `json:"parameter"`
	Score     float64    `json:"score"` // above 0: parameter
	Evidence  []Evidence `json:"evidence"`
	// Sealed says that it was decided when the capture was sealed; the evidence
	// is from then.
	Sealed bool `json:"sealed,omitempty"`
	// Review is set where the margin is small, until a hint or the approval of
	// a tool settles it; Hint is the toolpack.yaml line that makes it a
	// parameter for good. See Advice.
	Review bool   `json:"review,omitempty"`
	Hint   string `json:"hint,omitempty"`

	at origin
}

// Evidence is one addend of a decision's score.
type Evidence struct {
	Kind   string  `json:"kind"`
	Weight float64 `json:"weight"`
}

// Skipped is an observed or declared operation that is not a tool.
type Skipped struct {
	Request string `json:"request"`
	Reason  string `json:"reason"`
	Count   int    `json:"count,omitempty"`
}

// ScopeRule is one rule of a --scope-file; the first that matches decides.
type ScopeRule struct {
	Action  string        `yaml:"action"` // include or exclude
	Filters []ScopeFilter `yaml:"filters"`
}

// ScopeFilter compares a field of the operation; the filters of a rule are
// ANDed.
type ScopeFilter struct {
	Field    string `yaml:"field"`    // method, host, path, effect, risk, auth, pii, name
	Operator string `yaml:"operator"` // equals, not_equals, contains, not_contains, matches, in, not_in
	Value    any    `yaml:"value"`
}
