package drift

import (
	"fmt"
	"slices"

	"github.com/tomallicino/caskmcp/capture"
	"github.com/tomallicino/caskmcp/compiler"
	"github.com/tomallicino/caskmcp/plan"
	"github.com/tomallicino/caskmcp/surface"
)

// declared reports what another version of a specification changes. Both
// versions are compiled with everything else equal, so that neither more
// traffic nor a newer caskmcp shows, and each word of the specification does.
func (c *checker) declared() error {
	swapped, ok := swapDeclarations(c.Committed, c.Reality)
	if !ok {
		return nil
	}
	before, err := compiler.Compile(c.Committed, surface.Prior{}, c.Options)
	if err != nil {
		return fmt.Errorf("compiling the committed captures: %w", err)
	}
	after, err := compiler.Compile(swapped, surface.Prior{}, c.Options)
	if err != nil {
		return fmt.Errorf("compiling the other specification: %w", err)
	}
	was, is := byIdentity(before.Surface.Tools), byIdentity(after.Surface.Tools)
	moved := c.movedTools(byIdentity(c.result.Surface.Tools))
	for _, old := range c.State.Surface.Tools {
		id := old.Binding.Identity()
		b, hadIt := was[id]
		a, hasIt := is[id]
		_, hasMoved := moved[old.Name]
		switch {
		case !hadIt || hasMoved:
		case !hasIt:
			change := report(old, plan.Reason{Code: "tool.removed", Class: plan.Block, Text: "the specification does not have it any more"})
			change.Actions = []string{"delete"}
			c.add(old.Name, change)
		default:
			change, err := plan.Compare(b, a)
			if err != nil {
				return err
			}
			if len(change.Fields) > 0 {
				change.Name = old.Name
				c.add(old.Name, change)
			}
		}
	}
	return nil
}

// swapDeclarations returns the committed captures with each specification
// that reality has another version of replaced. Two specifications are
// versions of one when they share at least half of the operations of the
// smaller, hosts aside. It reports false where there is nothing to swap.
func swapDeclarations(committed, reality []*capture.Capture) ([]*capture.Capture, bool) {
	var fresh []*capture.Capture
	operations := map[string]bool{}
	for _, c := range reality {
		if len(c.Declarations) == 0 {
			continue
		}
		only := *c
		only.Observations = nil
		fresh = append(fresh, &only)
		for _, d := range c.Declarations {
			operations[declaredOperation(d)] = true
		}
	}
	var out []*capture.Capture
	found := false
	for _, c := range committed {
		if !sharesHalf(c.Declarations, operations) {
			out = append(out, c)
			continue
		}
		found = true
		if len(c.Observations) > 0 {
			only := *c
			only.Declarations = nil
			out = append(out, &only)
		}
	}
	return append(out, fresh...), found
}

func sharesHalf(declarations []capture.Declaration, operations map[string]bool) bool {
	shared := 0
	for _, d := range declarations {
		if operations[declaredOperation(d)] {
			shared++
		}
	}
	return shared > 0 && 2*shared >= min(len(declarations), len(operations))
}

func declaredOperation(d capture.Declaration) string {
	return d.Method + " " + surface.EraseNames(d.Path)
}

// operationOf is the operation of a binding as declaredOperation writes it,
// with the origin.
func operationOf(b surface.Binding) string {
	return b.Origin() + " " + b.Method + " " + surface.EraseNames(b.Path)
}

// declaredIdentities are the operations that reality declares.
func declaredIdentities(reality []*capture.Capture) map[string]bool {
	m := map[string]bool{}
	for c := range slices.Values(reality) {
		for _, d := range c.Declarations {
			m[surface.Origin(d.Scheme, d.Host, d.Port)+" "+declaredOperation(d)] = true
		}
	}
	return m
}
