// Package lockfile is the state: what people approved, byte for byte, and the
// verification that nobody changed it since.
package lockfile

import (
	"errors"
	"fmt"
	"slices"

	"github.com/tomallicino/caskmcp/internal/canonical"
	"github.com/tomallicino/caskmcp/surface"
)

// FormatVersion is the version of the lockfile format.
const FormatVersion = "1.0"

// Names inside a toolpack's lockfile folder.
const (
	Name        = "caskmcp.lock.yaml"
	PendingName = "caskmcp.lock.pending.yaml"
	ApprovedDir = "approved"
	// FlockName is the file whose lock every writer of the folder takes.
	FlockName = ".apply.lock"
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
	Digest   string         `json:"digest" yaml:"digest"`
	Status   surface.Status `json:"status" yaml:"status"`
	Approval Approval       `json:"approval" yaml:"approval"`
}

// ToolsetBlock is a decision about a toolset's name, description and default.
type ToolsetBlock struct {
	Description string `json:"description" yaml:"description"`
	Default     bool   `json:"default" yaml:"default,omitempty"`
	Block       `yaml:",inline"`
}

// ToolBlock is a decision about a tool. Identity, Request, Risk and Toolsets
// repeat the definition for people who read the file; they must agree with it.
type ToolBlock struct {
	Request  string       `json:"request" yaml:"request"`
	Risk     surface.Risk `json:"risk" yaml:"risk"`
	Toolsets []string     `json:"toolsets" yaml:"toolsets,flow"`
	Identity string       `json:"identity" yaml:"identity"`
	Block    `yaml:",inline"`
}

// Approval is who decided, how and on what grounds. Checksum is the SHA-256
// over the RFC 8785 form of the whole block with its kind and name: it catches
// edits and copies of a block. It is no signature: anyone who can write the
// file can recompute it, which is why "approvals.accept: [review]" recomputes
// decisions from the pull request's reviews.
type Approval struct {
	By       By     `json:"by" yaml:"by"`
	Via      string `json:"via" yaml:"via"` // ViaCLI, ViaReview or ViaSelf
	At       string `json:"at" yaml:"at"`   // RFC 3339, UTC, seconds
	Reason   string `json:"reason" yaml:"reason,omitempty"`
	PR       int    `json:"pr" yaml:"pr,omitempty"`
	Head     string `json:"head" yaml:"head,omitempty"`
	Merge    string `json:"merge" yaml:"merge,omitempty"`
	Review   int64  `json:"review" yaml:"review,omitempty"`
	Plan     string `json:"plan" yaml:"plan,omitempty"` // digest of the plan that was shown
	Checksum string `json:"checksum" yaml:"checksum"`
}

// How a decision was made (Approval.Via).
const (
	ViaCLI    = "cli"    // on a terminal or with "caskmcp approve"
	ViaReview = "review" // reviews of a pull request
	ViaSelf   = "self"   // a merge by its own author, under allow_self
)

// By is a person: login at the git host, or user name on the machine.
type By struct {
	Login string `json:"login" yaml:"login"`
	ID    int64  `json:"id" yaml:"id,omitempty"`
}

// Kinds of block, as in Finding.Kind and Checksum.
const (
	KindTool     = "tool"
	KindPolicy   = "policy"
	KindServer   = "server"
	KindToolset  = "toolset"
	KindLockfile = "lockfile"
)

// Checksum computes Approval.Checksum for a *Block, *ToolsetBlock or
// *ToolBlock of that kind and name; the checksum in the block does not count.
func Checksum(kind, name string, block any) (string, error) {
	switch b := block.(type) {
	case *Block:
		c := *b
		c.Approval.Checksum = ""
		block = c
	case *ToolsetBlock:
		c := *b
		c.Approval.Checksum = ""
		block = c
	case *ToolBlock:
		c := *b
		c.Approval.Checksum = ""
		if c.Toolsets == nil {
			c.Toolsets = []string{}
		}
		block = c
	default:
		return "", fmt.Errorf("computing checksum of %s %q: %T is no block", kind, name, block)
	}
	sum, err := canonical.Digest(struct {
		Kind  string `json:"kind"`
		Name  string `json:"name"`
		Block any    `json:"block"`
	}{kind, name, block})
	if err != nil {
		return "", fmt.Errorf("computing checksum of %s %q: %w", kind, name, err)
	}
	return sum, nil
}

var (
	statuses = []surface.Status{surface.Approved, surface.Rejected, surface.Removed}
	vias     = []string{ViaCLI, ViaReview, ViaSelf}
)

// errChecksum reports a block that was edited, copied or renamed.
var errChecksum = errors.New("the block was edited after the decision was recorded")

// verify checks what every block has: a known status, a complete approval and
// its checksum.
func verify(kind, name string, b *Block, whole any) error {
	if !slices.Contains(statuses, b.Status) {
		return fmt.Errorf("status %q is none of approved, rejected, removed", b.Status)
	}
	a := b.Approval
	if !slices.Contains(vias, a.Via) {
		return fmt.Errorf("approval via %q is none of cli, review, self", a.Via)
	}
	if a.By.Login == "" {
		return errors.New("the approval names nobody")
	}
	if _, err := parseTime(a.At); err != nil {
		return fmt.Errorf("approval time %q is not RFC 3339 in UTC", a.At)
	}
	sum, err := Checksum(kind, name, whole)
	if err != nil {
		return err
	}
	if sum != a.Checksum {
		return errChecksum
	}
	return nil
}

// Seal computes the checksum of a *Block, *ToolsetBlock or *ToolBlock and
// stores it in the block's approval.
func Seal(kind, name string, block any) error {
	sum, err := Checksum(kind, name, block)
	if err != nil {
		return err
	}
	switch b := block.(type) {
	case *Block:
		b.Approval.Checksum = sum
	case *ToolsetBlock:
		b.Approval.Checksum = sum
	case *ToolBlock:
		b.Approval.Checksum = sum
	}
	return nil
}
