package lockfile

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"

	"github.com/tomallicino/caskmcp/internal/files"
	"github.com/tomallicino/caskmcp/internal/format"
	"github.com/tomallicino/caskmcp/surface"
)

// Pending is caskmcp.lock.pending.yaml: the changes of the last plan, with the
// marks that "caskmcp approve" set and "caskmcp apply" has not used yet. It is
// a note to self that git ignores; nothing is ever served because of it.
type Pending struct {
	Version string `yaml:"version"`
	// Base is the digest of the lockfile that the plan was made against.
	Base string `yaml:"base"`
	// Plan is the digest of the plan.
	Plan     string                    `yaml:"plan"`
	Policy   *PendingChange            `yaml:"policy,omitempty"`
	Server   *PendingChange            `yaml:"server,omitempty"`
	Toolsets map[string]*PendingChange `yaml:"toolsets,omitempty"`
	Tools    map[string]*PendingChange `yaml:"tools,omitempty"`
}

// PendingChange is one change of the plan. Action is "create", "update",
// "delete" or "replace"; Digest is that of the new definition or, for a
// deletion, of the old one.
type PendingChange struct {
	Action  string       `yaml:"action"`
	Digest  string       `yaml:"digest"`
	Request string       `yaml:"request,omitempty"`
	Risk    surface.Risk `yaml:"risk,omitempty"`
	Mark    *Mark        `yaml:"mark,omitempty"`
}

// Mark is a decision that waits to be applied. It holds for the action and
// digest of the change that it is part of, and for no other.
type Mark struct {
	Decision string `yaml:"decision"` // "approve" or "reject"
	By       By     `yaml:"by"`
	At       string `yaml:"at"` // RFC 3339, UTC, seconds
	Reason   string `yaml:"reason,omitempty"`
	Plan     string `yaml:"plan,omitempty"` // digest of the plan that was shown
}

// Decisions of a Mark.
const (
	Approve = "approve"
	Reject  = "reject"
)

var (
	markKeys = keys{
		"decision": nil, "by": {"login": nil, "id": nil}, "at": nil, "reason": nil, "plan": nil,
	}
	changeKeys  = keys{"action": nil, "digest": nil, "request": nil, "risk": nil, "mark": markKeys}
	pendingKeys = keys{
		"version": nil, "base": nil, "plan": nil, "policy": changeKeys, "server": changeKeys,
		"toolsets": {anyKey: changeKeys}, "tools": {anyKey: changeKeys},
	}
)

// Change returns the pending change of that kind and name, or nil. The name
// does not matter for the policy and the server.
func (p *Pending) Change(kind, name string) *PendingChange {
	switch kind {
	case KindPolicy:
		return p.Policy
	case KindServer:
		return p.Server
	case KindToolset:
		return p.Toolsets[name]
	case KindTool:
		return p.Tools[name]
	}
	return nil
}

// Set stores a pending change of that kind and name.
func (p *Pending) Set(kind, name string, c PendingChange) {
	switch kind {
	case KindPolicy:
		p.Policy = &c
	case KindServer:
		p.Server = &c
	case KindToolset:
		if p.Toolsets == nil {
			p.Toolsets = map[string]*PendingChange{}
		}
		p.Toolsets[name] = &c
	case KindTool:
		if p.Tools == nil {
			p.Tools = map[string]*PendingChange{}
		}
		p.Tools[name] = &c
	}
}

// Each calls f for each change, sorted by kind (policy, server, toolset, tool)
// and name.
func (p *Pending) Each(f func(kind, name string, c *PendingChange)) {
	if p.Policy != nil {
		f(KindPolicy, "", p.Policy)
	}
	if p.Server != nil {
		f(KindServer, "", p.Server)
	}
	for _, name := range slices.Sorted(maps.Keys(p.Toolsets)) {
		f(KindToolset, name, p.Toolsets[name])
	}
	for _, name := range slices.Sorted(maps.Keys(p.Tools)) {
		f(KindTool, name, p.Tools[name])
	}
}

// KeepMarks takes over the marks of an earlier pending file for changes that
// are still the same: same kind and name, same action, same digest. The other
// marks are void.
func (p *Pending) KeepMarks(earlier *Pending) {
	p.Each(func(kind, name string, c *PendingChange) {
		if old := earlier.Change(kind, name); c.Mark == nil && old != nil && old.Action == c.Action && old.Digest == c.Digest {
			c.Mark = old.Mark
		}
	})
}

// Encode writes p as it is stored: sorted, equal bytes for equal content.
func (p *Pending) Encode() ([]byte, error) {
	w := writer{}
	w.buf.WriteString("# Not applied yet, and never served. Not for committing.\n")
	w.entry("", "version", p.Version)
	w.entry("", "base", p.Base)
	w.entry("", "plan", p.Plan)
	if p.Policy != nil {
		w.entry("", "policy", p.Policy)
	}
	if p.Server != nil {
		w.entry("", "server", p.Server)
	}
	section(&w, "toolsets", p.Toolsets)
	section(&w, "tools", p.Tools)
	if w.err != nil {
		return nil, fmt.Errorf("encoding pending changes: %w", w.err)
	}
	return w.buf.Bytes(), nil
}

// ParsePending reads a pending file under the same strictness as Parse.
func ParsePending(doc []byte) (*Pending, error) {
	var p Pending
	if err := parse(doc, pendingKeys, &p); err != nil {
		return nil, err
	}
	if err := format.Check(p.Version, FormatVersion); err != nil {
		return nil, err
	}
	var err error
	p.Each(func(kind, name string, c *PendingChange) {
		if c.Mark != nil && c.Mark.Decision != Approve && c.Mark.Decision != Reject {
			err = fmt.Errorf("%w: %s is marked %q, which is neither approve nor reject", ErrSyntax, label(kind, name), c.Mark.Decision)
		}
	})
	if err != nil {
		return nil, err
	}
	return &p, nil
}

// ReadPending reads the pending file of a lockfile folder. Without one it
// returns an empty Pending.
func ReadPending(fsys fs.FS) (*Pending, error) {
	doc, err := files.Read(fsys, PendingName, MaxBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return &Pending{Version: FormatVersion}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading pending changes: %w", err)
	}
	p, err := ParsePending(doc)
	if err != nil {
		return nil, fmt.Errorf("reading pending changes: %w; remove %s and run \"caskmcp plan\" again", err, PendingName)
	}
	return p, nil
}

// WritePending replaces the pending file of the lockfile folder dir. With no
// changes left it is removed. The caller holds the folder's lock.
func WritePending(dir string, p *Pending) error {
	n := 0
	p.Each(func(string, string, *PendingChange) { n++ })
	at := filepath.Join(dir, PendingName)
	if n == 0 {
		return files.Remove(at)
	}
	c := *p
	c.Version = FormatVersion
	doc, err := c.Encode()
	if err != nil {
		return err
	}
	if err := files.Write(at, doc, 0o644); err != nil {
		return fmt.Errorf("writing pending changes: %w", err)
	}
	return nil
}
