package apply

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unicode"

	"github.com/tomallicino/caskmcp/internal/canonical"
	"github.com/tomallicino/caskmcp/internal/files"
	"github.com/tomallicino/caskmcp/lockfile"
	"github.com/tomallicino/caskmcp/plan"
	"github.com/tomallicino/caskmcp/surface"
)

// draft is the new state while decisions are entered into it.
type draft struct {
	params  Params
	lock    lockfile.Lock
	written map[string]files.Change
	changed bool
	// moved are the identities that this run approves, under whatever name.
	moved map[string]bool
	tools map[string]surface.Tool
}

func newDraft(p Params, s *lockfile.State) *draft {
	d := &draft{
		params: p, lock: s.Lock, written: map[string]files.Change{},
		moved: map[string]bool{}, tools: map[string]surface.Tool{},
	}
	d.lock.Version = lockfile.FormatVersion
	if d.lock.Tools == nil {
		d.lock.Tools = map[string]*lockfile.ToolBlock{}
	}
	if d.lock.Toolsets == nil {
		d.lock.Toolsets = map[string]*lockfile.ToolsetBlock{}
	}
	for _, t := range p.Desired.Tools {
		d.tools[t.Name] = t
	}
	return d
}

// decide enters all decisions: removals first, which free names, then
// approvals, then rejections, which only take what is left.
func (d *draft) decide(choices []choice) error {
	var passes [3][]*choice
	for i := range choices {
		c := &choices[i]
		switch {
		case c.decision == nil:
		case c.decision.Verdict == lockfile.Reject:
			passes[2] = append(passes[2], c)
		case ActionOf(c.change) == Delete:
			passes[0] = append(passes[0], c)
		default:
			passes[1] = append(passes[1], c)
			if c.change.Kind == plan.ToolKind {
				d.moved[c.change.Identity] = true
			}
		}
	}
	for i, enter := range []func(*choice) error{d.remove, d.approve, d.reject} {
		for _, c := range passes[i] {
			if err := enter(c); err != nil {
				return err
			}
			d.changed = d.changed || c.outcome != leftOut
		}
	}
	return nil
}

// block is the decided part of a new block; its checksum comes later.
func (d *draft) block(c *choice, digest string, s surface.Status) lockfile.Block {
	a := c.decision.Approval
	if a.At == "" {
		a.At = lockfile.TimeText(d.params.Now)
	}
	if a.Plan == "" {
		a.Plan = d.params.Plan.PlanDigest
	}
	a.By.Login, a.Reason = line(a.By.Login), line(a.Reason)
	return lockfile.Block{Digest: digest, Status: s, Approval: a}
}

// line is s as one line of text without control characters: the lockfile is
// read and merged line by line.
func line(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	return strings.Join(strings.Fields(s), " ")
}

func (d *draft) approve(c *choice) error {
	switch c.change.Kind {
	case plan.PolicyKind:
		return d.document(c, lockfile.KindPolicy, lockfile.PolicyPath, &d.lock.Policy, d.params.Desired.Policy)
	case plan.ServerKind:
		return d.document(c, lockfile.KindServer, lockfile.ServerPath, &d.lock.Server, d.params.Desired.Server)
	case plan.ToolsetKind:
		return d.toolset(c, surface.Approved)
	case plan.ToolKind:
		return d.approveTool(c)
	}
	return fmt.Errorf("%w: nobody can approve a %s", ErrDecision, c.change.Kind)
}

// digested is a policy, server or tool.
type digested interface{ Digest() (string, error) }

// planned checks that v is what the plan showed.
func planned(c *choice, v digested) error {
	digest, err := v.Digest()
	if err != nil {
		return err
	}
	if digest != c.change.Digest.After {
		return fmt.Errorf("%w (%s)", ErrDesired, describe(c.change))
	}
	return nil
}

func (d *draft) document(c *choice, kind, at string, place **lockfile.Block, v digested) error {
	if err := planned(c, v); err != nil {
		return err
	}
	b := d.block(c, c.change.Digest.After, surface.Approved)
	if err := lockfile.Seal(kind, "", &b); err != nil {
		return err
	}
	*place = &b
	c.outcome = wasApplied
	return d.store(at, v)
}

// store writes a definition in the new state.
func (d *draft) store(at string, v any) error {
	doc, err := surface.MarshalIndent(v)
	if err != nil {
		return fmt.Errorf("encoding %s: %w", at, err)
	}
	d.written[at] = files.Change{Path: at, Data: doc}
	return nil
}

func (d *draft) toolset(c *choice, status surface.Status) error {
	for _, t := range d.params.Desired.Toolsets {
		if t.Name != c.change.Name {
			continue
		}
		if err := planned(c, t); err != nil {
			return err
		}
		b := &lockfile.ToolsetBlock{Description: t.Description, Default: t.Default, Block: d.block(c, c.change.Digest.After, status)}
		d.lock.Toolsets[t.Name] = b
		c.outcome = wasApplied
		return lockfile.Seal(lockfile.KindToolset, t.Name, b)
	}
	return fmt.Errorf("%w (%s)", ErrDesired, describe(c.change))
}

func (d *draft) approveTool(c *choice) error {
	t, ok := d.tools[c.change.Name]
	if !ok {
		return fmt.Errorf("%w (%s)", ErrDesired, describe(c.change))
	}
	if err := planned(c, t); err != nil {
		return err
	}
	identity := t.Binding.Identity()
	if held := d.lock.Tools[t.Name]; held != nil && held.Identity != identity && !d.yields(c, held) {
		c.reason = fmt.Sprintf("the name is held by %s (%s): rename the tool in toolpack.yaml", held.Request, held.Status)
		return nil
	}
	d.release(identity)
	b := toolBlock(t, d.block(c, c.change.Digest.After, surface.Approved))
	if err := lockfile.Seal(lockfile.KindTool, t.Name, b); err != nil {
		return err
	}
	d.lock.Tools[t.Name] = b
	c.outcome = wasApplied
	return d.store(lockfile.DefinitionPath(t.Name), t)
}

// yields reports whether the block that has the name of an approved change may
// be overwritten: the plan showed a replacement, or the operation that had the
// name was removed, or it is removed or renamed by this very run. A rejection
// holds its name.
func (d *draft) yields(c *choice, held *lockfile.ToolBlock) bool {
	return ActionOf(c.change) == Replace || held.Status == surface.Removed || d.moved[held.Identity]
}

func toolBlock(t surface.Tool, b lockfile.Block) *lockfile.ToolBlock {
	return &lockfile.ToolBlock{
		Request: t.Binding.Request(), Risk: t.Risk, Toolsets: t.Toolsets, Identity: t.Binding.Identity(), Block: b,
	}
}

// release drops every block of an identity, under whatever name: one
// operation has one block.
func (d *draft) release(identity string) {
	for name, b := range d.lock.Tools {
		if b.Identity == identity {
			delete(d.lock.Tools, name)
			d.drop(name)
		}
	}
}

// drop removes a tool's definition in the new state.
func (d *draft) drop(name string) {
	if at := lockfile.DefinitionPath(name); lockfile.ValidName(name) {
		d.written[at] = files.Change{Path: at, Remove: true}
	}
}

// remove turns the block into a tombstone that keeps identity and name.
func (d *draft) remove(c *choice) error {
	switch c.change.Kind {
	case plan.ToolKind:
		b := d.lock.Tools[c.change.Name]
		if b == nil {
			return fmt.Errorf("%w: there is no %s to remove", ErrDecision, describe(c.change))
		}
		gone := *b
		gone.Block = d.block(c, b.Digest, surface.Removed)
		if err := lockfile.Seal(lockfile.KindTool, c.change.Name, &gone); err != nil {
			return err
		}
		d.lock.Tools[c.change.Name] = &gone
		d.drop(c.change.Name)
	case plan.ToolsetKind:
		b := d.lock.Toolsets[c.change.Name]
		if b == nil {
			return fmt.Errorf("%w: there is no %s to remove", ErrDecision, describe(c.change))
		}
		gone := *b
		gone.Block = d.block(c, b.Digest, surface.Removed)
		if err := lockfile.Seal(lockfile.KindToolset, c.change.Name, &gone); err != nil {
			return err
		}
		d.lock.Toolsets[c.change.Name] = &gone
	default:
		return fmt.Errorf("%w: %s cannot be removed", ErrDecision, describe(c.change))
	}
	c.outcome = wasApplied
	return nil
}

// reject records the rejection of something new. What is approved stays as it
// is: rejecting its change, its removal or its replacement leaves it served.
func (d *draft) reject(c *choice) error {
	c.reason = "rejected"
	if ActionOf(c.change) != Create {
		return nil
	}
	switch c.change.Kind {
	case plan.PolicyKind:
		return d.rejectDocument(c, lockfile.KindPolicy, &d.lock.Policy)
	case plan.ServerKind:
		return d.rejectDocument(c, lockfile.KindServer, &d.lock.Server)
	case plan.ToolsetKind:
		if b := d.lock.Toolsets[c.change.Name]; b != nil && b.Status == surface.Approved {
			return nil
		}
		if err := d.toolset(c, surface.Rejected); err != nil {
			return err
		}
		c.outcome = wasRejected
		return nil
	case plan.ToolKind:
		return d.rejectTool(c)
	}
	return fmt.Errorf("%w: nobody can reject a %s", ErrDecision, c.change.Kind)
}

func (d *draft) rejectDocument(c *choice, kind string, place **lockfile.Block) error {
	if *place != nil && (*place).Status == surface.Approved {
		return nil
	}
	b := d.block(c, c.change.Digest.After, surface.Rejected)
	*place = &b
	c.outcome = wasRejected
	return lockfile.Seal(kind, "", &b)
}

// rejectTool leaves a tombstone, unless an approved block has the operation or
// any other operation has the name.
func (d *draft) rejectTool(c *choice) error {
	t, ok := d.tools[c.change.Name]
	if !ok {
		return fmt.Errorf("%w (%s)", ErrDesired, describe(c.change))
	}
	if err := planned(c, t); err != nil {
		return err
	}
	identity := t.Binding.Identity()
	if held := d.lock.Tools[t.Name]; held != nil && held.Identity != identity {
		return nil
	}
	for _, b := range d.lock.Tools {
		if b.Identity == identity && b.Status == surface.Approved {
			return nil
		}
	}
	d.release(identity)
	b := toolBlock(t, d.block(c, c.change.Digest.After, surface.Rejected))
	d.lock.Tools[t.Name] = b
	c.outcome = wasRejected
	return lockfile.Seal(lockfile.KindTool, t.Name, b)
}

// files are the changed files of the new state. The pending file is one of
// them: marks that are used up must not count a second time.
func (d *draft) files(choices []choice) ([]files.Change, error) {
	doc, err := d.lock.Encode()
	if err != nil {
		return nil, err
	}
	d.written[lockfile.Name] = files.Change{Path: lockfile.Name, Data: doc}
	if _, err := os.Lstat(filepath.Join(d.params.Dir, lockfile.PendingName)); err == nil {
		c, err := pendingAfter(d.params.Dir, canonical.Sum(doc), choices)
		if err != nil {
			return nil, err
		}
		d.written[c.Path] = c
	}
	return sortedChanges(d.written), nil
}
