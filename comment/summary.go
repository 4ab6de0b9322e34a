package comment

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tomallicino/caskmcp/plan"
	"github.com/tomallicino/caskmcp/surface"
)

// summary is Terraform's line and what a reviewer looks for next, over all
// toolpacks.
func (v *view) summary() string {
	var s plan.Summary
	breaks, tokens := 0, 0
	for _, p := range v.packs {
		x := p.Summary
		s.Add, s.Change, s.Replace, s.Remove = s.Add+x.Add, s.Change+x.Change, s.Replace+x.Replace, s.Remove+x.Remove
		s.Unchanged, s.Other = s.Unchanged+x.Unchanged, s.Other+x.Other
		breaks += countTools(p.Changes, plan.Change.Breaks)
		tokens += p.Cost.After.Tokens - p.Cost.Before.Tokens
	}
	parts := []string{fmt.Sprintf("**Plan:** %d to add, %d to change, %d to replace, %d to remove", s.Add, s.Change, s.Replace, s.Remove)}
	if s.Other > 0 {
		parts = append(parts, plural(s.Other, "change")+" of policy, server or toolsets")
	}
	parts = append(parts, fmt.Sprintf("%d unchanged", s.Unchanged))
	if risk := riskChange(v.packs...); risk != "" {
		parts = append(parts, "risk "+risk)
	}
	if breaks > 0 {
		parts = append(parts, plural(breaks, "breaking schema change"))
	}
	if tokens != 0 {
		parts = append(parts, fmt.Sprintf("context %+d tokens (estimate)", tokens))
	}
	return strings.Join(parts, " · ")
}

// riskChange is the highest risk of the tools that change, before and after;
// empty where nothing with a risk is left.
func riskChange(packs ...*pack) string {
	var before, after surface.Risk
	highest := -1
	for _, p := range packs {
		if risk := p.Summary.Risk; after == "" || risk.Rank() > after.Rank() {
			after = risk
		}
		for _, c := range p.Changes {
			if c.Kind == plan.ToolKind && c.Risk.Before.Rank() > highest {
				highest, before = c.Risk.Before.Rank(), c.Risk.Before
			}
		}
	}
	switch {
	case after == "":
		return ""
	case before == "" || before == after:
		return "**" + escapeWord(string(after)) + "**"
	}
	return escapeWord(string(before)) + " → **" + escapeWord(string(after)) + "**"
}

func hasCode(c plan.Change, codes ...string) bool {
	return slices.ContainsFunc(c.Reasons, func(r plan.Reason) bool { return slices.Contains(codes, r.Code) })
}

func countTools(changes []plan.Change, match func(plan.Change) bool) int {
	n := 0
	for _, c := range changes {
		if c.Kind != plan.StateKind && match(c) {
			n++
		}
	}
	return n
}
