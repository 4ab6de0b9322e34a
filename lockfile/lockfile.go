// Package lockfile is the state: what people approved, byte for byte, and the
// verification that nobody changed it since.
package lockfile

import (
	"github.com/tomallicino/caskmcp/surface"
)

// FormatVersion is the version of the lockfile format.
const FormatVersion = "1.0"

// Names inside a toolpack's lockfile folder.
const (
	Name        = "caskmcp.lock.yaml"
	PendingName = "caskmcp.lock.pending.yaml"
	ApprovedDir = "approved"
)

// Lock is caskmcp.lock.yaml: one block for each decision, nothing at file
// level but the version, so that disjoint changes merge.
type Lock struct {
	Version  string                   `yaml:"version"`
	Policy   *Block                   `yaml:"policy,omitempty"`
	Server   *Block                   `yaml:"server,omitempty"`
	Toolsets map[string]*ToolsetBlock `yaml:"toolsets,omitempty"`
	Tools    map[string]*ToolBlock    `yaml:"tools,omitempty"`
}

// Block is a decision about one document.
type Block struct {
	Digest   string         `yaml:"digest"`
	Status   surface.Status `yaml:"status"`
	Approval Approval       `yaml:"approval"`
}

// ToolsetBlock is a decision about a toolset's name, description and default.
type ToolsetBlock struct {
	Block       `yaml:",inline"`
	Description string `yaml:"description"`
	Default     bool   `yaml:"default,omitempty"`
}

// ToolBlock is a decision about a tool. Identity, Request, Risk and Toolsets
// repeat the definition for people who read the file; they must agree with it.
type ToolBlock struct {
	Block    `yaml:",inline"`
	Identity string       `yaml:"identity"`
	Request  string       `yaml:"request"`
	Risk     surface.Risk `yaml:"risk"`
	Toolsets []string     `yaml:"toolsets,flow"`
}

// Approval is who decided, how and on what grounds. Checksum is the SHA-256
// over the RFC 8785 form of the whole block with its kind and name: it catches
// edits and copies of a block. It is no signature: anyone who can write the
// file can recompute it, which is why "approvals.accept: [review]" recomputes
// decisions from the pull request's reviews.
type Approval struct {
	By       By     `yaml:"by"`
	Via      string `yaml:"via"` // "cli", "review" or "self"
	At       string `yaml:"at"`  // RFC 3339, UTC, seconds
	Reason   string `yaml:"reason,omitempty"`
	PR       int    `yaml:"pr,omitempty"`
	Head     string `yaml:"head,omitempty"`
	Merge    string `yaml:"merge,omitempty"`
	Review   int64  `yaml:"review,omitempty"`
	Plan     string `yaml:"plan,omitempty"` // digest of the plan that was shown
	Checksum string `yaml:"checksum"`
}

// By is a person: login at the git host, or user name on the machine.
type By struct {
	Login string `yaml:"login"`
	ID    int64  `yaml:"id,omitempty"`
}

// State is an opened lockfile: what verifies, and what does not.
type State struct {
	// Exists is false on a first run: no lockfile at all.
	Exists bool
	// Digest is the SHA-256 of the lockfile's bytes, "" without one.
	Digest string
	Lock   Lock
	// Surface is the approved surface: only definitions whose digest,
	// approval and copies in the block verify. Expired tools are in it.
	Surface surface.Surface
	// PolicyOK and ServerOK say that the block is approved and verifies.
	// Nothing is served unless both are true.
	PolicyOK, ServerOK bool
	// Findings say what does not verify, sorted; any finding fails check.
	Findings []Finding
}

// Finding is something in the state that does not verify.
type Finding struct {
	Kind string `json:"kind"` // "tool", "policy", "server", "toolset", "lockfile"
	Name string `json:"name,omitempty"`
	Code string `json:"code"` // digest.mismatch, approval.invalid, definition.missing, definition.unreadable, block.disagrees, …
	Text string `json:"text"` // a sentence for people, with what to run
}
