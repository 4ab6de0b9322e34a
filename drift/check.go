package drift

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tomallicino/caskmcp/capture"
	"github.com/tomallicino/caskmcp/compiler"
	"github.com/tomallicino/caskmcp/lockfile"
	"github.com/tomallicino/caskmcp/plan"
	"github.com/tomallicino/caskmcp/surface"
)

// Params are what Check compares.
type Params struct {
	State *lockfile.State
	// Reality is fresh captures, sealed with the state's prior, or imported
	// specifications.
	Reality []*capture.Capture
	// Committed are the toolpack's captures. They tell which fields responses
	// always had. Specifications in Reality are compared with the committed ones
	// they replace; without any, with the approved definitions themselves.
	Committed []*capture.Capture
	Options   compiler.Options
}

// Check reports how reality differs from the approved tools. It fails with
// ErrNoState when there is no state.
func Check(p Params) (*Report, error) {
	if p.State == nil || !p.State.Exists {
		return nil, fmt.Errorf("checking drift: %w", ErrNoState)
	}
	opt := p.Options
	opt.Known = p.Committed
	result, err := compiler.Compile(p.Reality, p.State.Prior(), opt)
	if err != nil {
		return nil, fmt.Errorf("compiling reality: %w", err)
	}
	c := &checker{Params: p, result: result, changed: map[string]bool{}, report: &Report{
		FormatVersion: FormatVersion,
		Base:          plan.Base{Lockfile: p.State.Digest},
		Changes:       []plan.Change{},
		Notes:         []plan.Note{},
	}}
	for _, step := range []func() error{c.state, c.declared, c.contradicted, c.proposed, c.unseen, c.added} {
		if err := step(); err != nil {
			return nil, fmt.Errorf("checking drift: %w", err)
		}
	}
	for _, t := range p.State.Surface.Tools {
		if !c.changed[t.Name] {
			c.report.Summary.Unchanged++
		}
	}
	if err := c.report.finish(); err != nil {
		return nil, fmt.Errorf("checking drift: %w", err)
	}
	return c.report, nil
}

// Diff reports how the API that the captures to show differs from the one that
// from show: from is compiled and taken as if it were approved.
func Diff(from, to []*capture.Capture, opt compiler.Options) (*Report, error) {
	first, err := compiler.Compile(from, surface.Prior{}, opt)
	if err != nil {
		return nil, fmt.Errorf("compiling the first side: %w", err)
	}
	state := &lockfile.State{
		Exists: true, Surface: first.Surface, PolicyOK: true, ServerOK: true,
		Lock: lockfile.Lock{Version: lockfile.FormatVersion, Tools: map[string]*lockfile.ToolBlock{}},
	}
	for _, t := range first.Surface.Tools {
		state.Lock.Tools[t.Name] = &lockfile.ToolBlock{
			Block: lockfile.Block{Status: surface.Approved}, Identity: t.Binding.Identity(), Request: t.Binding.Request(), Risk: t.Risk, Toolsets: t.Toolsets,
		}
	}
	return Check(Params{State: state, Reality: to, Committed: from, Options: opt})
}

// checker fills one report.
type checker struct {
	Params
	result  *compiler.Result
	report  *Report
	changed map[string]bool // approved tools, by name, that have a change
}

func (c *checker) add(name string, change plan.Change) {
	if name != "" {
		c.changed[name] = true
	}
	c.report.Changes = append(c.report.Changes, change)
}

// state reports what does not verify: drift from something nobody approved
// means nothing.
func (c *checker) state() error {
	for _, f := range c.State.Findings {
		c.report.Changes = append(c.report.Changes, plan.StateChange(f))
	}
	return nil
}

// contradicted reports approved definitions that reality excludes. The
// compiler keeps every other definition as approved, so a difference without
// a contradiction comes from toolpack.yaml, which is the plan's business.
func (c *checker) contradicted() error {
	now := byIdentity(c.result.Surface.Tools)
	for _, old := range c.State.Surface.Tools {
		t, ok := now[old.Binding.Identity()]
		if !ok {
			continue
		}
		var against []compiler.Contradiction
		for _, x := range c.result.Contradictions {
			if x.Tool == old.Name || x.Tool == t.Name {
				against = append(against, x)
			}
		}
		change, err := plan.Compare(old, t)
		if err != nil {
			return err
		}
		if len(against) == 0 {
			if len(change.Fields) > 0 {
				c.report.Notes = append(c.report.Notes, plan.Note{
					Code: "configuration.changed", Text: fmt.Sprintf("toolpack.yaml asks for another %q than the approved one", old.Name), Hint: "caskmcp plan",
				})
			}
			continue
		}
		for _, x := range against {
			change.AddReason(plan.Reason{Code: "definition.contradicted", Class: plan.Block, Text: plan.Printable(x.Text)})
		}
		c.merge(old.Name, change)
	}
	return nil
}

// merge adds change, or adds its reasons and fields to the change that the
// tool has already.
func (c *checker) merge(name string, change plan.Change) {
	i := slices.IndexFunc(c.report.Changes, func(x plan.Change) bool { return x.Kind == plan.ToolKind && x.Name == name })
	if !c.changed[name] || i < 0 {
		change.Name = name
		c.add(name, change)
		return
	}
	into := &c.report.Changes[i]
	for _, r := range change.Reasons {
		into.AddReason(r)
	}
	for _, f := range change.Fields {
		if !slices.ContainsFunc(into.Fields, func(x plan.Field) bool { return x.Path == f.Path }) {
			into.Fields = append(into.Fields, f)
		}
	}
	slices.SortStableFunc(into.Fields, func(x, y plan.Field) int { return strings.Compare(x.Path, y.Path) })
}

// proposed looks through what would be written differently. A specification
// is compared whole where there is no committed one. Of traffic, only new
// response fields count, because everything else also changes with what
// happened to be recorded; and of those only the sensitive ones are drift, the
// others may always have been there.
func (c *checker) proposed() error {
	declared := declaredIdentities(c.Reality)
	var unrecorded []string
	for _, x := range c.result.Proposals {
		change, err := plan.Compare(x.Before, x.After)
		if err != nil {
			return err
		}
		if declared[operationOf(x.Before.Binding)] {
			if len(c.Committed) == 0 && len(change.Fields) > 0 {
				c.merge(x.Tool, change)
			}
			continue
		}
		onlyNewOutput(x.Before, &change)
		switch {
		case change.Class() == plan.Block:
			c.merge(x.Tool, change)
		case len(change.Reasons) > 0:
			unrecorded = append(unrecorded, x.Tool)
		}
	}
	if len(unrecorded) > 0 {
		c.report.Notes = append(c.report.Notes, plan.Note{
			Code: "output.unrecorded",
			Text: fmt.Sprintf("optional response fields that were not recorded before: %s", strings.Join(unrecorded, ", ")),
			Hint: "import the recording; caskmcp plan --proposals lists the fields",
		})
	}
	return nil
}

// unseen reports approved tools that reality does not have: gone where the
// upstream says so again and again, moved where the same operation answers
// elsewhere, and otherwise only not seen this time.
func (c *checker) unseen() error {
	now := byIdentity(c.result.Surface.Tools)
	moved := c.movedTools(now)
	gone := goneTools(c.State.Surface.Tools, c.Reality)
	for _, old := range c.State.Surface.Tools {
		_, seen := now[old.Binding.Identity()]
		switch to, hasMoved := moved[old.Name]; {
		case c.changed[old.Name]:
		case gone[old.Name] > 0:
			change := report(old, plan.Reason{
				Code: "tool.removed", Class: plan.Block,
				Text: fmt.Sprintf("the upstream answered nothing but 404, 405 or 410, %d times", gone[old.Name]),
			})
			change.Actions = []string{"delete"}
			c.add(old.Name, change)
		case seen:
		case hasMoved:
			there := old
			there.Binding.Scheme, there.Binding.Host, there.Binding.Port = to.Scheme, to.Host, to.Port
			change, err := plan.Compare(old, there)
			if err != nil {
				return err
			}
			change.Actions = []string{"delete", "create"}
			c.add(old.Name, change)
		default:
			c.add(old.Name, report(old, plan.Reason{
				Code: "coverage.missing", Class: plan.Info, Text: "not seen this time, which does not mean that it is gone",
			}))
		}
	}
	return nil
}

// added reports operations that no approved tool covers. Agents cannot call
// them, so they never block.
func (c *checker) added() error {
	now := byIdentity(c.result.Surface.Tools)
	approved := byIdentity(c.State.Surface.Tools)
	moved := map[string]bool{}
	for _, b := range c.movedTools(now) {
		moved[b.Identity()] = true
	}
	known := declaredIdentities(c.Committed) // and yet no tools: left out on purpose
	for _, t := range c.result.Surface.Tools {
		id := t.Binding.Identity()
		if _, ok := approved[id]; ok || moved[id] || known[operationOf(t.Binding)] || c.decided(id) {
			continue
		}
		r := plan.Reason{Code: "endpoint.unexposed_added", Class: plan.Info, Text: "the API has it; agents do not"}
		if t.Effect != surface.Read {
			r.Class, r.Text = plan.Review, "the API has it and it changes state; agents do not have it"
		}
		c.report.Changes = append(c.report.Changes, report(t, r))
	}
	return nil
}

// decided reports whether the identity has a block of its own: rejected,
// removed, or approved without a definition that verifies.
func (c *checker) decided(identity string) bool {
	for _, b := range c.State.Lock.Tools {
		if b.Identity == identity {
			return true
		}
	}
	return false
}

// movedTools finds, for approved tools that reality does not have, the one
// new tool that differs only in scheme, host and port.
func (c *checker) movedTools(now map[string]surface.Tool) map[string]surface.Binding {
	approved := byIdentity(c.State.Surface.Tools)
	candidates := map[string][]surface.Binding{}
	for _, t := range c.result.Surface.Tools {
		if _, ok := approved[t.Binding.Identity()]; !ok {
			key := withoutOrigin(t.Binding)
			candidates[key] = append(candidates[key], t.Binding)
		}
	}
	moved := map[string]surface.Binding{}
	for _, old := range c.State.Surface.Tools {
		if _, ok := now[old.Binding.Identity()]; ok {
			continue
		}
		if found := candidates[withoutOrigin(old.Binding)]; len(found) == 1 {
			moved[old.Name] = found[0]
		}
	}
	return moved
}

func withoutOrigin(b surface.Binding) string {
	b.Scheme, b.Host, b.Port = "", "", 0
	return b.Identity()
}

func byIdentity(tools []surface.Tool) map[string]surface.Tool {
	m := make(map[string]surface.Tool, len(tools))
	for _, t := range tools {
		m[t.Binding.Identity()] = t
	}
	return m
}

// report is a change that only reports on t.
func report(t surface.Tool, r plan.Reason) plan.Change {
	return plan.Change{
		Kind: plan.ToolKind, Name: t.Name, Identity: t.Binding.Identity(), Request: t.Binding.Request(), Actions: []string{"no-op"},
		Fields: []plan.Field{}, Reasons: []plan.Reason{r}, Risk: plan.RiskChange{Before: t.Risk, After: t.Risk},
	}
}
