package serve

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tomallicino/caskmcp/lockfile"
	"github.com/tomallicino/caskmcp/surface"
)

// Unservable is the error for a state of which nothing may be served.
type Unservable struct {
	// Code is "lockfile.missing", "policy.unapproved", "server.unapproved",
	// "toolset.unknown", "tools.none", or the kind of the findings that are the
	// reason with ".invalid".
	Code string
	// Text says what is wrong.
	Text string
	// Run are the commands that lead on, in order.
	Run []string
	// Findings of the state that are the reason, if any.
	Findings []lockfile.Finding
}

func (e *Unservable) Error() string {
	text := e.Text
	for _, f := range e.Findings {
		text += "; " + f.Text
	}
	if len(e.Run) > 0 {
		text += fmt.Sprintf(` (run "%s")`, strings.Join(e.Run, `", then "`))
	}
	return text
}

var approveAndApply = []string{"caskmcp plan", "caskmcp approve", "caskmcp apply"}

// servable refuses a state that is not approved as a whole: the lockfile, the
// policy and the server block. Digests are compared again here, so that a
// state that was changed after it was opened is refused too.
func servable(state *lockfile.State) error {
	if state == nil || !state.Exists {
		return &Unservable{Code: "lockfile.missing", Text: "nothing is approved yet: there is no lockfile", Run: approveAndApply}
	}
	// Findings of single tools and toolsets are dealt with where those are
	// chosen; any other finding is about everything.
	for _, f := range state.Findings {
		if f.Kind != lockfile.KindTool && f.Kind != lockfile.KindToolset {
			return &Unservable{Code: f.Kind + ".invalid", Text: "the approved state does not verify, so nothing is served", Run: []string{"caskmcp check", "caskmcp plan"}, Findings: findings(state, f.Kind)}
		}
	}
	policyDigest, err := state.Surface.Policy.Digest()
	if !state.PolicyOK || err != nil || !approvedAs(state.Lock.Policy, policyDigest) {
		return &Unservable{Code: "policy.unapproved", Text: "the policy is not approved, so nothing is served", Run: approveAndApply}
	}
	serverDigest, err := state.Surface.Server.Digest()
	if !state.ServerOK || err != nil || !approvedAs(state.Lock.Server, serverDigest) {
		return &Unservable{Code: "server.unapproved", Text: "the server block is not approved, so nothing is served", Run: approveAndApply}
	}
	return nil
}

func approvedAs(b *lockfile.Block, digest string) bool {
	return b != nil && b.Status == surface.Approved && b.Digest == digest
}

func findings(state *lockfile.State, kind string) []lockfile.Finding {
	var fs []lockfile.Finding
	for _, f := range state.Findings {
		if f.Kind == kind {
			fs = append(fs, f)
		}
	}
	return fs
}

// chooseToolset is the toolset to serve. Where a toolset block does not
// verify, only a toolset that was asked for by name and does verify is served:
// the broken one may have been the default that narrows the surface.
func chooseToolset(state *lockfile.State, name string) (string, error) {
	if name == "" {
		if fs := findings(state, lockfile.KindToolset); len(fs) > 0 {
			return "", &Unservable{Code: "toolset.invalid", Text: "a toolset does not verify, so nothing is served", Run: []string{"caskmcp check", "caskmcp plan"}, Findings: fs}
		}
		for _, t := range state.Surface.Toolsets {
			if t.Default {
				return t.Name, nil
			}
		}
		return "", nil
	}
	var known []string
	for _, t := range state.Surface.Toolsets {
		known = append(known, t.Name)
	}
	if !slices.Contains(known, name) {
		return "", &Unservable{Code: "toolset.unknown", Text: fmt.Sprintf("toolset %q is not approved; approved are: %s", name, orNone(known)), Run: []string{"caskmcp plan"}}
	}
	return name, nil
}

// verified are the tools that have no finding and an approved block, members
// of the toolset or not. Those that do not verify are withheld.
func (s *Server) verified(state *lockfile.State) []surface.Tool {
	bad := map[string]bool{}
	for _, f := range findings(state, lockfile.KindTool) {
		if !bad[f.Name] {
			s.withholdOne(f.Name, f.Text)
		}
		bad[f.Name] = true
	}
	var tools []surface.Tool
	for _, t := range state.Surface.Tools {
		b := state.Lock.Tools[t.Name]
		switch {
		case bad[t.Name]:
		case b == nil || b.Status != surface.Approved:
			s.withholdOne(t.Name, "it is not approved")
		default:
			tools = append(tools, t)
		}
	}
	return tools
}

// nothingLeft says why no tool is served.
func (s *Server) nothingLeft(state *lockfile.State) error {
	e := &Unservable{Code: "tools.none", Text: "no approved tool can be served", Run: approveAndApply, Findings: findings(state, lockfile.KindTool)}
	if s.toolset != "" {
		e.Text += fmt.Sprintf(" in toolset %q", s.toolset)
	}
	if len(e.Findings) == 0 {
		for _, w := range s.withheld {
			e.Text += fmt.Sprintf("; %s: %s", w.Tool, w.Reason)
		}
		for _, t := range state.Surface.Tools {
			if t.Expires != "" {
				e.Text += fmt.Sprintf("; %s expires on %s", t.Name, t.Expires)
			}
		}
	}
	return e
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}
