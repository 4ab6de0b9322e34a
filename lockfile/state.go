package lockfile

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/tomallicino/caskmcp/policy"
	"github.com/tomallicino/caskmcp/surface"
)

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
	Code string `json:"code"` // one of the Code constants
	Text string `json:"text"` // a sentence for people, with what to run
}

// Codes of findings.
const (
	CodeDigest     = "digest.mismatch"       // the definition is not the approved one
	CodeApproval   = "approval.invalid"      // the block was edited, copied, or makes no sense
	CodeVia        = "approval.via"          // approved in a way that is not accepted here
	CodeMissing    = "definition.missing"    // approved, but there is no definition
	CodeUnreadable = "definition.unreadable" // the definition is not what caskmcp writes
	CodeInvalid    = "definition.invalid"    // the definition has a value without meaning
	CodeUnexpected = "definition.unexpected" // a file in approved/ that no block covers
	CodeDisagrees  = "block.disagrees"       // the block describes another definition
	CodeDuplicate  = "identity.duplicate"    // two blocks decide about one operation
	CodeName       = "name.invalid"          // the name cannot name a tool
	CodeConfusable = "name.confusable"       // two names that differ only in case
)

// restore is the end of most findings' texts.
const restore = `restore the lockfile folder from git, or run "caskmcp plan" and approve it again`

// add notes that something does not verify.
func (s *State) add(kind, name, code, format string, args ...any) {
	s.Findings = append(s.Findings, Finding{Kind: kind, Name: name, Code: code, Text: fmt.Sprintf(format, args...)})
}

func (s *State) sortFindings() {
	slices.SortFunc(s.Findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Code, b.Code), cmp.Compare(a.Text, b.Text))
	})
	s.Findings = slices.Compact(s.Findings)
}

// Prior is what the compiler may know of the state: every block that holds a
// name and an identity, with the definition where it is approved and verifies.
func (s *State) Prior() surface.Prior {
	tools := make(map[string]*surface.Tool, len(s.Surface.Tools))
	for i := range s.Surface.Tools {
		tools[s.Surface.Tools[i].Name] = &s.Surface.Tools[i]
	}
	var p surface.Prior
	for _, name := range slices.Sorted(maps.Keys(s.Lock.Tools)) {
		b := s.Lock.Tools[name]
		p.Entries = append(p.Entries, surface.PriorEntry{Name: name, Identity: b.Identity, Status: b.Status, Tool: tools[name]})
	}
	return p
}

// Restrict keeps only what was approved in one of the accepted ways
// (Approval.Via); the rest becomes findings and leaves the surface. Accepting
// ViaReview accepts ViaSelf. No ways at all accept every way.
func (s *State) Restrict(accept []string) {
	if len(accept) == 0 {
		return
	}
	accepted := func(b *Block) bool {
		return slices.Contains(accept, b.Approval.Via) || b.Approval.Via == ViaSelf && slices.Contains(accept, ViaReview)
	}
	refuse := func(kind, name string, b *Block) {
		s.add(kind, name, CodeVia, "%s was approved via %s, and only %v is accepted here: have it approved that way", label(kind, name), b.Approval.Via, accept)
	}
	s.Surface.Tools = slices.DeleteFunc(slices.Clone(s.Surface.Tools), func(t surface.Tool) bool {
		b := &s.Lock.Tools[t.Name].Block
		if accepted(b) {
			return false
		}
		refuse(KindTool, t.Name, b)
		return true
	})
	s.Surface.Toolsets = slices.DeleteFunc(slices.Clone(s.Surface.Toolsets), func(t surface.Toolset) bool {
		b := &s.Lock.Toolsets[t.Name].Block
		if accepted(b) {
			return false
		}
		refuse(KindToolset, t.Name, b)
		return true
	})
	if s.PolicyOK && !accepted(s.Lock.Policy) {
		s.PolicyOK, s.Surface.Policy = false, policy.Policy{}
		refuse(KindPolicy, "", s.Lock.Policy)
	}
	if s.ServerOK && !accepted(s.Lock.Server) {
		s.ServerOK, s.Surface.Server = false, surface.Server{}
		refuse(KindServer, "", s.Lock.Server)
	}
	s.sortFindings()
}

// label names a block in a sentence.
func label(kind, name string) string {
	if name == "" {
		return "the " + kind
	}
	return fmt.Sprintf("%s %q", kind, name)
}

// Expired reports whether t may no longer be served at that time: its last
// day, in UTC, is over. A day that is none counts as over.
func Expired(t surface.Tool, now time.Time) bool {
	if t.Expires == "" {
		return false
	}
	last, err := time.Parse(time.DateOnly, t.Expires)
	return err != nil || !now.UTC().Before(last.AddDate(0, 0, 1))
}
