package plan

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/tomallicino/caskmcp/policy"
	"github.com/tomallicino/caskmcp/surface"
)

// explainPolicy gives the reasons of a policy change. Whether it grants or
// takes is not read off the rules but decided: both policies judge the same
// calls, and the calls whose decision differs are named. Approvals is how many
// it takes: two where calls that change state are decided more freely.
func explainPolicy(before, after policy.Policy, tools []surface.Tool) (list []Reason, approvals int) {
	r := &reasons{}
	approvals = 1
	if before.Default != after.Default {
		r.block("default_action.changed", "what no rule matches was %s, is now %s", decisionName(before.Default), decisionName(after.Default))
	}
	moved := movedDecisions(before, after, existingCalls(before, after, tools))
	for _, m := range moved {
		names := toolNames(m.calls)
		text := fmt.Sprintf("%s → %s for %s: %s%s", m.from, m.to, plural(len(names), "tool"), quoteAll(names), principalsOf(m.calls))
		if m.relaxed {
			if slices.ContainsFunc(m.calls, func(c policy.Call) bool { return c.Effect != string(surface.Read) }) {
				approvals = 2
			}
			r.block("policy.relaxed", "%s", text)
		} else {
			r.review("policy.tightened", "%s", text)
		}
	}
	for _, m := range movedDecisions(before, after, imaginedCalls(before, after)) {
		if m.relaxed && !slices.ContainsFunc(moved, func(x movedDecision) bool { return x.from == m.from && x.to == m.to }) {
			r.block("policy.relaxed", "%s → %s for tools that may come: %s", m.from, m.to, describeCall(m.calls[0]))
		}
	}
	if len(r.list) == 0 {
		if sameRules(before, after) {
			r.add("policy.reordered", Info, "the rules stand in another order, which decides nothing")
		} else {
			r.block("policy.changed", "the rules changed; no decision about an existing tool does")
		}
	}
	return r.sorted(), approvals
}

// newPolicy gives the reasons of the first policy.
func newPolicy(p policy.Policy, tools []surface.Tool) (list []Reason, approvals int) {
	r := &reasons{}
	approvals = 1
	r.block("policy.added", "the policy is not approved yet: %s, otherwise %s", plural(len(p.Rules), "rule"), decisionName(p.Default))
	var free []string
	for _, t := range tools {
		if t.Effect != surface.Read && policy.Decide(p, callOf(t, "")).Allowed() {
			free = append(free, t.Name)
		}
	}
	if len(free) > 0 {
		approvals = 2
		r.block("policy.relaxed", "calls that change state need no confirmation: %s", quoteAll(free))
	}
	return r.sorted(), approvals
}

// movedDecision is a set of calls that were decided one way and are now
// decided another.
type movedDecision struct {
	from, to string
	relaxed  bool
	calls    []policy.Call
}

// strictness orders actions; what is no action denies.
func strictness(a policy.Action) int {
	switch a {
	case policy.Allow:
		return 0
	case policy.ConfirmFirst:
		return 1
	}
	return 2
}

func decisionName(a policy.Action) string {
	if a == policy.Allow || a == policy.ConfirmFirst {
		return string(a)
	}
	return string(policy.Deny)
}

// movedDecisions groups the calls whose decision differs, the relaxed first.
func movedDecisions(before, after policy.Policy, calls []policy.Call) []movedDecision {
	var moved []movedDecision
	for _, c := range calls {
		b, a := policy.Decide(before, c).Action, policy.Decide(after, c).Action
		if strictness(b) == strictness(a) {
			continue
		}
		from, to := decisionName(b), decisionName(a)
		i := slices.IndexFunc(moved, func(m movedDecision) bool { return m.from == from && m.to == to })
		if i < 0 {
			moved = append(moved, movedDecision{from: from, to: to, relaxed: strictness(a) < strictness(b)})
			i = len(moved) - 1
		}
		moved[i].calls = append(moved[i].calls, c)
	}
	slices.SortFunc(moved, func(x, y movedDecision) int {
		if x.relaxed != y.relaxed {
			if x.relaxed {
				return -1
			}
			return 1
		}
		return strings.Compare(x.from+x.to, y.from+y.to)
	})
	return moved
}

// callOf is a call of t.
func callOf(t surface.Tool, principal string) policy.Call {
	return policy.Call{
		Tool: t.Name, Toolsets: t.Toolsets, Method: t.Binding.Method, Host: t.Binding.Host,
		Effect: string(t.Effect), Risk: string(t.Risk), Principal: principal,
	}
}

// existingCalls are the calls of each tool by nobody in particular and by
// everyone the rules name.
func existingCalls(before, after policy.Policy, tools []surface.Tool) []policy.Call {
	principals := examples(before, after, func(r policy.Rule) []string { return r.Principals })
	var calls []policy.Call
	for _, t := range tools {
		for _, p := range principals {
			calls = append(calls, callOf(t, p))
		}
	}
	return calls
}

// imaginedCalls are calls of tools that need not exist: every effect and risk
// by itself, and for each rule a call that it matches.
func imaginedCalls(before, after policy.Policy) []policy.Call {
	var calls []policy.Call
	for _, effect := range []surface.Effect{surface.Read, surface.Write, surface.Destructive} {
		for _, risk := range surface.Risks {
			calls = append(calls, policy.Call{Tool: "a_new_tool", Method: "POST", Host: "a.new.host.example", Effect: string(effect), Risk: string(risk)})
		}
	}
	for _, r := range slices.Concat(before.Rules, after.Rules) {
		for _, effect := range orElse(r.Effects, "read", "write", "destructive") {
			for _, risk := range orElse(r.Risks, "low", "critical") {
				calls = append(calls, policy.Call{
					Tool: example(orElse(r.Tools, "a_new_tool")[0]), Toolsets: r.Toolsets,
					Method: orElse(r.Methods, "POST")[0], Host: example(orElse(r.Hosts, "a.new.host.example")[0]),
					Effect: effect, Risk: risk, Principal: example(orElse(r.Principals, "")[0]),
				})
			}
		}
	}
	return calls
}

func orElse(list []string, fallback ...string) []string {
	if len(list) > 0 {
		return list
	}
	return fallback
}

// examples are texts that the patterns of both policies match, and the empty
// one, sorted.
func examples(before, after policy.Policy, of func(policy.Rule) []string) []string {
	out := []string{""}
	for _, r := range slices.Concat(before.Rules, after.Rules) {
		for _, p := range of(r) {
			out = append(out, example(p))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// example is a text that the pattern p matches.
func example(p string) string { return strings.NewReplacer("*", "x", "?", "x").Replace(p) }

func toolNames(calls []policy.Call) []string {
	var names []string
	for _, c := range calls {
		names = append(names, c.Tool)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// principalsOf names who is concerned, where it is not everybody.
func principalsOf(calls []policy.Call) string {
	var named []string
	for _, c := range calls {
		if c.Principal == "" {
			return ""
		}
		named = append(named, c.Principal)
	}
	slices.Sort(named)
	return ", called by " + quoteAll(slices.Compact(named))
}

func describeCall(c policy.Call) string {
	text := fmt.Sprintf("effect %s, risk %s, like %s %s on %s", quote(c.Effect), quote(c.Risk), c.Method, quote(c.Tool), quote(c.Host))
	if c.Principal != "" {
		text += " by " + quote(c.Principal)
	}
	return text
}

// sameRules reports whether both policies have the same rules in some order.
func sameRules(before, after policy.Policy) bool {
	if len(before.Rules) != len(after.Rules) {
		return false
	}
	return !slices.ContainsFunc(before.Rules, func(b policy.Rule) bool {
		return !slices.ContainsFunc(after.Rules, func(a policy.Rule) bool { return reflect.DeepEqual(a, b) })
	})
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
