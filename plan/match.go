package plan

import (
	"fmt"
	"slices"
	"time"

	"github.com/tomallicino/caskmcp/policy"
	"github.com/tomallicino/caskmcp/surface"
)

// approvedTool is an approved definition that verifies.
type approvedTool struct {
	tool    surface.Tool
	matched bool
}

// tools plans every tool. Identity says which definitions belong together; an
// identity that left the surface and another that takes its name are one
// replacement.
func (b *builder) tools() error {
	byIdentity := map[string]*approvedTool{}
	byName := map[string]*approvedTool{}
	b.hosts = map[string]bool{}
	for _, t := range b.State.Surface.Tools {
		a := &approvedTool{tool: t}
		byIdentity[t.Binding.Identity()] = a
		byName[t.Name] = a
		b.hosts[t.Binding.Origin()] = true
	}
	b.names = indexNames(b.Result.Surface.Tools)
	var fresh []surface.Tool
	seen := map[string]bool{}
	for _, t := range b.Result.Surface.Tools {
		id := t.Binding.Identity()
		if seen["identity "+id] || seen["name "+t.Name] {
			return fmt.Errorf("two tools share the name %q or the identity %q", t.Name, id)
		}
		seen["identity "+id], seen["name "+t.Name] = true, true
		if a := byIdentity[id]; a != nil {
			a.matched = true
			if err := b.kept(a.tool, t); err != nil {
				return err
			}
			continue
		}
		fresh = append(fresh, t)
	}
	for _, t := range fresh {
		if err := b.fresh(byName, t); err != nil {
			return err
		}
	}
	return b.gone(byName, seen)
}

// kept plans a tool whose identity is approved.
func (b *builder) kept(old, now surface.Tool) error {
	if sameTool(old, now) {
		return b.unchanged(now)
	}
	c, err := b.compare(old, now, "update")
	if err != nil {
		return err
	}
	if c.Digest.Before == c.Digest.After {
		return b.unchanged(now)
	}
	b.add(c)
	return b.measure(&old, &now)
}

func (b *builder) unchanged(t surface.Tool) error {
	b.plan.Summary.Unchanged++
	b.expiryNote(t)
	n, err := b.before.add(t)
	b.after.count(n)
	return err
}

func (b *builder) measure(before, after *surface.Tool) error {
	if before != nil {
		if _, err := b.before.add(*before); err != nil {
			return err
		}
	}
	if after != nil {
		if _, err := b.after.add(*after); err != nil {
			return err
		}
	}
	return nil
}

// fresh plans a tool whose identity has no approved definition: a replacement,
// one to be approved again because the stored bytes do not verify, one that
// stays rejected, or a new one.
func (b *builder) fresh(byName map[string]*approvedTool, t surface.Tool) error {
	if a := byName[t.Name]; a != nil && !a.matched {
		a.matched = true
		c, err := b.compare(a.tool, t, "delete", "create")
		if err != nil {
			return err
		}
		r := &reasons{list: c.Reasons}
		b.rejections(r, c.Identity)
		c.Reasons = r.sorted()
		b.add(c)
		return b.measure(&a.tool, &t)
	}
	return b.created(t)
}

// replaces reports whether the bindings differ only in where the request goes.
func replaces(before, after surface.Binding) bool {
	before.Method, before.Scheme, before.Host, before.Port, before.Path = after.Method, after.Scheme, after.Host, after.Port, after.Path
	return before.Identity() == after.Identity()
}

// created plans a tool without an approved definition under its identity or
// name.
func (b *builder) created(t surface.Tool) error {
	after, digest, err := toolDocument(t)
	if err != nil {
		return err
	}
	c := Change{
		Kind: ToolKind, Name: t.Name, Identity: t.Binding.Identity(), Request: t.Binding.Request(), Actions: []string{"create"},
		After: after, Fields: []Field{}, Risk: RiskChange{After: t.Risk}, Digest: Digests{After: digest},
	}
	j := explainNewTool(t)
	if settled := b.history(&j.reasons, &c, t); settled {
		b.plan.Notes = append(b.plan.Notes, Note{
			Code: "tool.rejected",
			Text: fmt.Sprintf("%s stays rejected: %s", quote(t.Name), quote(c.Request)),
			Hint: fmt.Sprintf("caskmcp approve tool %s", t.Name),
		})
		return nil
	}
	if !b.hosts[t.Binding.Origin()] {
		j.block("host.added", "agents reach a new host: %s", quote(t.Binding.Origin()))
	}
	b.names.explain(&j.reasons, nil, t)
	b.expiryReason(&j.reasons, t)
	c.Reasons = j.sorted()
	c.RequiredApprovals = requiredApprovals(c, nil, &t)
	b.add(c)
	return b.measure(nil, &t)
}

// history says what became of the tool's identity and name before. It reports
// true where the tool was rejected under this name and nobody asks again.
func (b *builder) history(r *reasons, c *Change, t surface.Tool) (settled bool) {
	b.rejections(r, c.Identity)
	for name, block := range b.State.Lock.Tools {
		same := block.Identity == c.Identity
		switch {
		case block.Status == surface.Rejected && same:
			if name == t.Name && !slices.Contains(b.Reconsider, name) {
				settled = true
			}
		case block.Status == surface.Removed && same:
			r.review("tool.readded", "was approved as %s before and removed; approvals of that time do not count", quote(name))
		case block.Status == surface.Approved && same:
			// Approved, and yet not in the verified surface.
			c.Actions, c.Digest.Before = []string{"update"}, block.Digest
			for _, f := range b.findingsOf(ToolKind, name) {
				r.add(f.Code, f.Class, "%s", f.Text)
			}
			if block.Digest == c.Digest.After {
				r.review("definition.restored", "approving restores the definition that was approved before")
			}
		case name == t.Name && !same:
			r.block("tool.name_taken", "the name was %s: %s", quote(string(block.Status)), quote(block.Request))
		}
	}
	return settled
}

// rejections says under which names the operation was rejected.
func (b *builder) rejections(r *reasons, identity string) {
	for name, block := range b.State.Lock.Tools {
		if block.Status == surface.Rejected && block.Identity == identity {
			r.block("tool.was_rejected", "was rejected as %s by %s: %s", quote(name), quote(block.Approval.By.Login), orNone(block.Approval.Reason))
		}
	}
}

// gone plans the removal of approved tools that nothing in the desired
// surface took up. Seen holds "name …" and "identity …" of the desired tools.
func (b *builder) gone(byName map[string]*approvedTool, seen map[string]bool) error {
	for name, a := range byName {
		if a.matched {
			continue
		}
		before, digest, err := toolDocument(a.tool)
		if err != nil {
			return err
		}
		b.add(Change{
			Kind: ToolKind, Name: name, Identity: a.tool.Binding.Identity(), Request: a.tool.Binding.Request(), Actions: []string{"delete"},
			Before: before, Fields: []Field{}, Risk: RiskChange{Before: a.tool.Risk}, Digest: Digests{Before: digest},
			Reasons: []Reason{{Code: "tool.removed", Class: Review, Text: "no capture and no specification has it any more, or the configuration leaves it out"}},
		})
		if err := b.measure(&a.tool, nil); err != nil {
			return err
		}
	}
	for name, block := range b.State.Lock.Tools {
		if block.Status != surface.Approved || byName[name] != nil || seen["name "+name] || seen["identity "+block.Identity] {
			continue
		}
		r := &reasons{list: b.findingsOf(ToolKind, name)}
		r.review("tool.removed", "the state holds no definition that verifies, and the configuration has none")
		b.add(Change{
			Kind: ToolKind, Name: name, Identity: block.Identity, Request: block.Request, Actions: []string{"delete"}, Fields: []Field{},
			Risk: RiskChange{Before: block.Risk}, Digest: Digests{Before: block.Digest}, Reasons: r.sorted(),
		})
	}
	return nil
}

// compare explains a changed tool with what only the whole surface knows:
// contradictions, policies, hosts and names.
func (b *builder) compare(old, now surface.Tool, actions ...string) (Change, error) {
	c, err := Compare(old, now)
	if err != nil {
		return Change{}, err
	}
	c.Actions = actions
	r := &reasons{list: c.Reasons}
	if c.Action() == Replace && !replaces(old.Binding, now.Binding) {
		r.block("tool.name_taken", "another operation takes the name: it was %s, is now %s", quote(old.Binding.Request()), quote(now.Binding.Request()))
	}
	for _, x := range b.Result.Contradictions {
		if x.Tool == now.Name || x.Tool == old.Name {
			r.add("evidence.contradicts", Info, "%s", Printable(x.Text))
		}
	}
	if old.Binding.Origin() != now.Binding.Origin() && !b.hosts[now.Binding.Origin()] {
		r.block("host.added", "agents reach a new host: %s", quote(now.Binding.Origin()))
	}
	p := b.Result.Surface.Policy
	was, is := policy.Decide(p, callOf(old, "")).Action, policy.Decide(p, callOf(now, "")).Action
	if strictness(is) < strictness(was) {
		r.block("policy.relaxed", "the policy decides %s for the new definition; for the old one it decides %s", decisionName(is), decisionName(was))
	}
	if block := b.State.Lock.Tools[now.Name]; block != nil && block.Identity != c.Identity && now.Name != old.Name {
		r.block("tool.name_taken", "the name was %s: %s", quote(string(block.Status)), quote(block.Request))
	}
	b.names.explain(r, &old, now)
	b.expiryReason(r, now)
	c.Reasons = r.sorted()
	c.RequiredApprovals = requiredApprovals(c, &old, &now)
	return c, nil
}

// Compare explains how the definition after differs from before: one update,
// with every differing field. Equal definitions give a change without fields
// and with equal digests. It fails on definitions that have no digest.
func Compare(before, after surface.Tool) (Change, error) {
	old, oldDigest, err := toolDocument(before)
	if err != nil {
		return Change{}, err
	}
	now, digest, err := toolDocument(after)
	if err != nil {
		return Change{}, err
	}
	fields, err := fieldsOf(old, now)
	if err != nil {
		return Change{}, err
	}
	c := Change{
		Kind: ToolKind, Name: after.Name, Identity: after.Binding.Identity(), Request: after.Binding.Request(), Actions: []string{"update"},
		Before: old, After: now, Fields: fields,
		Risk: RiskChange{Before: before.Risk, After: after.Risk}, Digest: Digests{Before: oldDigest, After: digest},
	}
	c.Reasons = explainTool(before, after, fields).sorted()
	c.RequiredApprovals = requiredApprovals(c, &before, &after)
	return c, nil
}

// requiredApprovals is the number of approvals a tool's change needs: two for
// new power to change state, none for a removal, otherwise one.
func requiredApprovals(c Change, before, after *surface.Tool) int {
	if after == nil {
		return 0
	}
	if after.Effect == surface.Read {
		return 1
	}
	if before == nil || effectRank(after.Effect) > effectRank(before.Effect) || c.Action() == Replace {
		return 2
	}
	for _, r := range c.Reasons {
		if r.Code == "confirm.relaxed" || r.Code == "policy.relaxed" {
			return 2
		}
	}
	return 1
}

// expiringWithin is how many days before its last day a tool is called
// expiring.
const expiringWithin = 14

// expiry says whether t expired or expires soon, seen from Today.
func (b *builder) expiry(t surface.Tool) (code, text string) {
	today, err := time.Parse(time.DateOnly, b.Today)
	if err != nil || t.Expires == "" {
		return "", ""
	}
	last, err := time.Parse(time.DateOnly, t.Expires)
	if err != nil {
		return "", ""
	}
	switch days := int(last.Sub(today).Hours() / 24); {
	case days < 0:
		return "approval.expired", fmt.Sprintf("expired: its last day was %s", t.Expires)
	case days < expiringWithin:
		return "approval.expiring", fmt.Sprintf("expires soon: its last day is %s", t.Expires)
	}
	return "", ""
}

func (b *builder) expiryReason(r *reasons, t surface.Tool) {
	if code, text := b.expiry(t); code != "" {
		r.review(code, "%s", text)
	}
}

func (b *builder) expiryNote(t surface.Tool) {
	if code, text := b.expiry(t); code != "" {
		b.plan.Notes = append(b.plan.Notes, Note{Code: code, Text: quote(t.Name) + " " + text, Hint: "set expires: under tools: in toolpack.yaml and approve it again"})
	}
}
