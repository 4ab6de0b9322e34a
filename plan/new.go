package plan

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/tomallicino/caskmcp/compiler"
	"github.com/tomallicino/caskmcp/internal/canonical"
	"github.com/tomallicino/caskmcp/lockfile"
	"github.com/tomallicino/caskmcp/surface"
)

// Params are what a plan is made from.
type Params struct {
	Toolpack string
	// State is the opened lockfile; one that does not exist is a first run.
	State *lockfile.State
	// Result is the desired surface.
	Result *compiler.Result
	Inputs []Input
	Notes  []Note
	// Today is the day (YYYY-MM-DD, UTC) that expiry is judged by. Empty leaves
	// expiry out, so that plans do not depend on a clock unless asked to.
	Today string
	// Reconsider names rejected tools to plan again. A rejected tool that is
	// compiled under its name as before is otherwise a note, not a change.
	Reconsider []string
}

// New compares the desired surface with the approved one. It fails when the
// desired surface gives two tools one name or identity, and on definitions
// that have no digest.
func New(p Params) (*Plan, error) {
	if p.State == nil || p.Result == nil {
		return nil, errors.New("planning: no state or no compiled surface")
	}
	b := &builder{Params: p, plan: &Plan{
		FormatVersion: FormatVersion,
		Toolpack:      p.Toolpack,
		Base:          Base{Lockfile: p.State.Digest},
		Inputs:        append([]Input{}, p.Inputs...),
		Changes:       []Change{},
		Proposals:     []Proposal{},
		Reviews:       []Note{},
		Notes:         append([]Note{}, p.Notes...),
	}}
	for _, step := range []func() error{b.findings, b.tools, b.policy, b.server, b.toolsets, b.proposals, b.reviews} {
		if err := step(); err != nil {
			return nil, fmt.Errorf("planning: %w", err)
		}
	}
	return b.finish()
}

// builder fills one plan.
type builder struct {
	Params
	plan          *Plan
	before, after costMeter
	names         *nameIndex
	hosts         map[string]bool // that approved tools reach
}

func (b *builder) add(c Change) { b.plan.Changes = append(b.plan.Changes, c) }

func (b *builder) finish() (*Plan, error) {
	p := b.plan
	p.Cost = Cost{Before: b.before.cost(), After: b.after.cost()}
	Sort(p.Changes)
	slices.SortFunc(p.Inputs, func(x, y Input) int { return strings.Compare(x.Path, y.Path) })
	SortNotes(p.Notes)
	SortNotes(p.Reviews)
	p.Summary.count(p.Changes)
	digest, err := p.digest()
	if err != nil {
		return nil, fmt.Errorf("planning: %w", err)
	}
	p.PlanDigest = digest
	return p, nil
}

// SortNotes orders notes by code and text.
func SortNotes(notes []Note) {
	slices.SortFunc(notes, func(x, y Note) int {
		return cmp.Or(strings.Compare(x.Code, y.Code), strings.Compare(x.Text, y.Text), strings.Compare(x.Hint, y.Hint))
	})
}

func (s *Summary) count(changes []Change) {
	for _, c := range changes {
		if c.Kind != ToolKind {
			if c.Kind != StateKind {
				s.Other++
			}
			continue
		}
		switch c.Action() {
		case Create:
			s.Add++
		case Update:
			s.Change++
		case Replace:
			s.Replace++
		case Delete:
			s.Remove++
		}
		s.Risk = riskier(s.Risk, c.Risk.After)
	}
}

// findings reports what does not verify in the state. What it takes to mend it
// is a change of its own.
func (b *builder) findings() error {
	for _, f := range b.State.Findings {
		b.add(StateChange(f))
	}
	return nil
}

// StateChange reports something in the state that does not verify. Identity is
// the kind of object it is about.
func StateChange(f lockfile.Finding) Change {
	return Change{
		Kind: StateKind, Name: cmp.Or(f.Name, f.Kind), Identity: f.Kind, Actions: []string{"no-op"}, Fields: []Field{},
		Reasons: []Reason{{Code: f.Code, Class: Block, Text: f.Text}},
	}
}

// findingsOf returns the reasons that the state's findings are for one object.
func (b *builder) findingsOf(kind Kind, name string) []Reason {
	var list []Reason
	for _, f := range b.State.Findings {
		if f.Kind == string(kind) && (f.Name == name || kind == PolicyKind || kind == ServerKind) {
			list = append(list, Reason{Code: f.Code, Class: Block, Text: "changed outside caskmcp: " + f.Text})
		}
	}
	return list
}

// document returns the canonical form of v and its digest.
func document(v any) (json.RawMessage, string, error) {
	doc, err := canonical.JSON(v)
	if err != nil {
		return nil, "", err
	}
	return doc, canonical.Sum(doc), nil
}

// toolDocument returns the canonical form of t without evidence, and its
// digest.
func toolDocument(t surface.Tool) (json.RawMessage, string, error) {
	t.Evidence = nil
	doc, digest, err := document(t)
	if err != nil {
		return nil, "", fmt.Errorf("computing digest of tool %q: %w", t.Name, err)
	}
	return doc, digest, nil
}

// sameTool reports whether two definitions are the same, evidence and
// whitespace in schemas aside. False means only that nobody can tell so
// cheaply.
func sameTool(a, b surface.Tool) bool {
	a.Evidence, b.Evidence = nil, nil
	if sameDocument(a.InputSchema, b.InputSchema) && sameDocument(a.OutputSchema, b.OutputSchema) {
		a.InputSchema, a.OutputSchema = b.InputSchema, b.OutputSchema
	}
	return reflect.DeepEqual(a, b)
}

func sameDocument(a, b json.RawMessage) bool {
	if bytes.Equal(a, b) {
		return true
	}
	var x, y bytes.Buffer
	return json.Compact(&x, a) == nil && json.Compact(&y, b) == nil && bytes.Equal(x.Bytes(), y.Bytes())
}

func (b *builder) policy() error {
	desired := b.Result.Surface.Policy
	block := b.State.Lock.Policy
	after, digest, err := document(desired)
	if err != nil {
		return err
	}
	c := Change{Kind: PolicyKind, Name: "policy", After: after, Digest: Digests{After: digest}}
	if b.State.PolicyOK {
		before, old, err := document(b.State.Surface.Policy)
		if err != nil || old == digest {
			return err
		}
		tools := slices.Clone(b.Result.Surface.Tools)
		for _, t := range b.State.Surface.Tools {
			if !slices.ContainsFunc(tools, func(d surface.Tool) bool { return d.Name == t.Name }) {
				tools = append(tools, t)
			}
		}
		c.Before, c.Digest.Before = before, old
		c.Reasons, c.RequiredApprovals = explainPolicy(b.State.Surface.Policy, desired, tools)
	} else {
		c.Reasons, c.RequiredApprovals = newPolicy(desired, b.Result.Surface.Tools)
	}
	return b.finishBlock(c, block)
}

func (b *builder) server() error {
	after, digest, err := document(b.Result.Surface.Server)
	if err != nil {
		return err
	}
	c := Change{Kind: ServerKind, Name: "server", After: after, Digest: Digests{After: digest}, RequiredApprovals: 1}
	if b.State.ServerOK {
		before, old, err := document(b.State.Surface.Server)
		if err != nil || old == digest {
			return err
		}
		fields, err := fieldsOf(before, after)
		if err != nil {
			return err
		}
		c.Before, c.Digest.Before = before, old
		c.Reasons = explainServer(b.State.Surface.Server, b.Result.Surface.Server, fields)
	} else {
		c.Reasons = newServer(b.Result.Surface.Server)
	}
	return b.finishBlock(c, b.State.Lock.Server)
}

// finishBlock completes a change of the policy or server block and adds it.
func (b *builder) finishBlock(c Change, block *lockfile.Block) error {
	c.Actions = []string{"create"}
	if block != nil && block.Status == surface.Approved {
		c.Actions = []string{"update"}
		c.Digest.Before = block.Digest
		c.Reasons = append(b.findingsOf(c.Kind, c.Name), c.Reasons...)
	}
	return b.addWithFields(c)
}

// addWithFields adds c with the differences of its documents, where it has
// both.
func (b *builder) addWithFields(c Change) error {
	c.Fields = []Field{}
	if c.Before != nil && c.After != nil {
		fields, err := fieldsOf(c.Before, c.After)
		if err != nil {
			return err
		}
		c.Fields = fields
	}
	b.add(c)
	return nil
}

func (b *builder) toolsets() error {
	approved := map[string]surface.Toolset{}
	for _, t := range b.State.Surface.Toolsets {
		approved[t.Name] = t
	}
	desired := map[string]bool{}
	for _, t := range b.Result.Surface.Toolsets {
		if desired[t.Name] {
			return fmt.Errorf("two toolsets are named %q", t.Name)
		}
		desired[t.Name] = true
		if err := b.toolset(approved, t); err != nil {
			return err
		}
	}
	for name, block := range b.State.Lock.Toolsets {
		if desired[name] || block.Status != surface.Approved {
			continue
		}
		c := Change{Kind: ToolsetKind, Name: name, Actions: []string{"delete"}, Digest: Digests{Before: block.Digest}}
		old, ok := approved[name]
		if !ok {
			c.Reasons = append(b.findingsOf(ToolsetKind, name), Reason{Code: "toolset.removed", Class: Review, Text: "the toolset is gone"})
		} else {
			before, _, err := document(old)
			if err != nil {
				return err
			}
			c.Before, c.Reasons = before, explainToolset(&old, nil, nil)
		}
		if err := b.addWithFields(c); err != nil {
			return err
		}
	}
	return nil
}

// toolset plans one desired toolset.
func (b *builder) toolset(approved map[string]surface.Toolset, t surface.Toolset) error {
	after, digest, err := document(t)
	if err != nil {
		return err
	}
	c := Change{Kind: ToolsetKind, Name: t.Name, Actions: []string{"create"}, After: after, Digest: Digests{After: digest}, RequiredApprovals: 1}
	old, ok := approved[t.Name]
	if ok {
		before, oldDigest, err := document(old)
		if err != nil || oldDigest == digest {
			return err
		}
		fields, err := fieldsOf(before, after)
		if err != nil {
			return err
		}
		c.Actions, c.Before, c.Digest.Before = []string{"update"}, before, oldDigest
		c.Reasons = explainToolset(&old, &t, fields)
		return b.addWithFields(c)
	}
	c.Reasons = explainToolset(nil, &t, nil)
	if block := b.State.Lock.Toolsets[t.Name]; block != nil && block.Status == surface.Approved {
		c.Actions, c.Digest.Before = []string{"update"}, block.Digest
		c.Reasons = append(b.findingsOf(ToolsetKind, t.Name), c.Reasons...)
	}
	return b.addWithFields(c)
}

func (b *builder) proposals() error {
	for _, x := range b.Result.Proposals {
		before, _, err := toolDocument(x.Before)
		if err != nil {
			return err
		}
		after, _, err := toolDocument(x.After)
		if err != nil {
			return err
		}
		fields, err := fieldsOf(before, after)
		if err != nil {
			return err
		}
		if len(fields) == 0 {
			continue
		}
		b.plan.Proposals = append(b.plan.Proposals, Proposal{
			Name: x.Tool, Fields: fields,
			Text: fmt.Sprintf("%s would be written differently today; the approved definition is kept", plural(len(fields), "field")),
		})
	}
	b.merges()
	slices.SortFunc(b.plan.Proposals, func(x, y Proposal) int {
		return cmp.Or(strings.Compare(x.Name, y.Name), strings.Compare(x.Text, y.Text))
	})
	return nil
}

// reviews turns inferences with a small margin into notes with the line that
// settles them.
func (b *builder) reviews() error {
	for _, d := range b.Result.Decisions {
		if !d.Review {
			continue
		}
		as := "a literal"
		if d.Parameter {
			as = "a parameter"
		}
		var evidence []string
		for _, e := range d.Evidence {
			evidence = append(evidence, fmt.Sprintf("%s %+.1f", e.Kind, e.Weight))
		}
		b.plan.Reviews = append(b.plan.Reviews, Note{
			Code: "path.low_confidence",
			Text: fmt.Sprintf("%s on %s: the last segment was taken for %s with low confidence (%+.1f; %s)", quote(d.Path), quote(d.Host), as, d.Score, strings.Join(evidence, ", ")),
			Hint: d.Advice(),
		})
	}
	return nil
}
