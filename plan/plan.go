// Package plan compares the desired surface with the approved one. Plans are
// data: rendering is done elsewhere, and applying reads nothing but Changes.
package plan

import (
	"encoding/json"

	"github.com/tomallicino/caskmcp/surface"
)

// FormatVersion is the version of plan.json, compared with go-version.
const FormatVersion = "1.0"

// Action is what happens to one object. The rune is its legend.
type Action rune

// The actions.
const (
	NoOp    Action = ' '
	Create  Action = '+'
	Update  Action = '~'
	Replace Action = '±'
	Delete  Action = '-'
)

// Kind is what a change is about.
type Kind string

// The kinds of object in the state.
const (
	ToolKind    Kind = "tool"
	PolicyKind  Kind = "policy"
	ServerKind  Kind = "server"
	ToolsetKind Kind = "toolset"
	StateKind   Kind = "state" // something in the state that does not verify
)

// Class says who must look at a reason. It does not decide exit codes.
type Class string

// The classes, from most to least severe.
const (
	Block  Class = "block"
	Review Class = "review"
	Info   Class = "info"
)

// Plan is the difference between configuration and state. It has no clock
// and no absolute path: equal inputs give equal bytes.
type Plan struct {
	FormatVersion string  `json:"format_version"`
	Toolpack      string  `json:"toolpack"`
	Base          Base    `json:"base"`
	Inputs        []Input `json:"inputs"`
	// Changes are sorted riskiest first, then by kind and name.
	Changes   []Change   `json:"changes"`
	Proposals []Proposal `json:"proposals"`
	// Reviews are inferences with low confidence, with the hint that settles
	// each.
	Reviews []Note `json:"reviews"`
	// Notes are remarks on the state and the inputs, sorted.
	Notes   []Note  `json:"notes"`
	Summary Summary `json:"summary"`
	Cost    Cost    `json:"cost"`
	// PlanDigest covers everything but itself: it is the SHA-256 of the plan's
	// RFC 8785 form in which it is empty and the before and after of each change
	// are replaced by their own SHA-256.
	PlanDigest string `json:"plan_digest"`
}

// Base is the state the plan was made against.
type Base struct {
	// Lockfile is the SHA-256 of the lockfile's bytes, "" without one.
	Lockfile string `json:"lockfile"`
}

// Input is a file the plan was made from.
type Input struct {
	Path   string `json:"path"` // slash-separated, relative to the repository's .caskmcp parent
	SHA256 string `json:"sha256"`
}

// Change is what happens to one object. Before or After is absent on
// creation and removal; Before is also absent where the state holds no
// definition that verifies. Name is the one after the change: a renamed tool
// has its old name in Before.
type Change struct {
	Kind     Kind   `json:"kind"`
	Name     string `json:"name"`
	Identity string `json:"identity,omitempty"`
	Request  string `json:"request,omitempty"`
	// Actions is ["create"], ["update"], ["delete"], ["delete","create"], or
	// ["no-op"] for a StateKind change, which only reports.
	Actions []string `json:"actions"`
	// Before and After are the canonical definitions without evidence.
	Before json.RawMessage `json:"before,omitempty"`
	After  json.RawMessage `json:"after,omitempty"`
	// Fields are the differences between Before and After, sorted by path.
	// Creations and removals have none: everything differs.
	Fields            []Field    `json:"fields"`
	Reasons           []Reason   `json:"reasons"`
	Risk              RiskChange `json:"risk"`
	Digest            Digests    `json:"digest"`
	RequiredApprovals int        `json:"required_approvals"`
}

// Field is one differing value: a JSON Pointer (RFC 6901) into the
// definition, and the values there; absent means that there was none.
type Field struct {
	Path   string          `json:"path"`
	Before json.RawMessage `json:"before,omitempty"`
	After  json.RawMessage `json:"after,omitempty"`
}

// Reason is why a change matters, for machines and for people.
type Reason struct {
	Code  string `json:"code"`
	Class Class  `json:"class"`
	Text  string `json:"text"`
}

// RiskChange is the tier before and after; empty where there is no object.
type RiskChange struct {
	Before surface.Risk `json:"before"`
	After  surface.Risk `json:"after"`
}

// Digests are what an approval is bound to.
type Digests struct {
	Before string `json:"before"`
	After  string `json:"after"`
}

// Proposal is something that would be written differently but is no change.
type Proposal struct {
	// Name of the tool; the request of a general tool that there is not yet.
	Name   string  `json:"name"`
	Fields []Field `json:"fields"`
	Text   string  `json:"text"`
	// Absorbs names the approved tools, sorted, whose place the tool would
	// take. Hints are the lines under hints: in toolpack.yaml that do it, Keep
	// those that keep the tools apart for good.
	Absorbs []string `json:"absorbs,omitempty"`
	Hints   []string `json:"hints,omitempty"`
	Keep    []string `json:"keep,omitempty"`
}

// Codes of notes that block: a secret in an input, and settings that would
// silently do nothing.
const (
	SecretNote = "secrets.in_capture"
	UnusedNote = "toolpack.unused_setting"
)

// Note is a remark that changes nothing. Code says what it is about.
type Note struct {
	Code string `json:"code"`
	Text string `json:"text"`
	Hint string `json:"hint,omitempty"`
}

// Summary counts tools, as Terraform's summary line does, and the other kinds.
type Summary struct {
	Add       int `json:"add"`
	Change    int `json:"change"`
	Replace   int `json:"replace"`
	Remove    int `json:"remove"`
	Unchanged int `json:"unchanged"`
	// Other counts changes of policy, server and toolsets.
	Other int          `json:"other"`
	Risk  surface.Risk `json:"highest_risk"` // of added, changed and replaced tools
}

// Cost is what the surface costs an agent that lists it.
type Cost struct {
	Before ListCost `json:"before"`
	After  ListCost `json:"after"`
}

// ListCost is the size of one tools/list: Tokens is estimated as bytes / 4.
type ListCost struct {
	Tools  int `json:"tools"`
	Bytes  int `json:"bytes"`
	Tokens int `json:"tokens"`
}
