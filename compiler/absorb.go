package compiler

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/tomallicino/caskmcp/surface"
)

// Merge proposes that one general tool takes the place of approved ones. It is
// what the captures would be compiled to today if nothing had been approved.
type Merge struct {
	// Tool is the general tool, empty where only the approved ones have seen
	// traffic: then Request is what it would be.
	Tool    string `json:"tool,omitempty"`
	Request string `json:"request"`
	// Absorbs names the approved tools, sorted.
	Absorbs []string `json:"absorbs"`
	// Hints are the lines of toolpack.yaml that merge, Keep those that say that
	// the approved tools are right and settle the proposal.
	Hints []string `json:"hints"`
	Keep  []string `json:"keep"`
}

// absorption is an approved operation that would be part of a general one.
type absorption struct {
	approved, general endpointKey
	hints, keep       []string
}

// absorptions infers the templates of all traffic again as if nothing had been
// approved, and lists the approved operations all of whose traffic a more
// general template would have.
func (s traffic) absorptions(prior surface.Prior, hints []string) []absorption {
	approved := map[string]bool{}
	for _, p := range prior.Entries {
		if p.Status == surface.Approved {
			approved[operationIdentity(p)] = true
		}
	}
	if len(approved) == 0 {
		return nil
	}
	free, decisions := inferTemplates(s.all.Observations, knownTemplates(s.all, surface.Prior{}, nil), hints)
	found, apart := map[endpointKey]absorption{}, map[endpointKey]bool{}
	for i, o := range s.all.Observations {
		key, general := keyOf(o, s.templates[i]), keyOf(o, free[i])
		a, seen := found[key]
		switch {
		case !approved[key.identity()] || apart[key]:
		case !covers(free[i], s.templates[i]) || seen && a.general != general:
			apart[key] = true
		case !seen:
			a = absorption{approved: key, general: general}
			a.explain(originOf(o), decisions)
			found[key] = a
		}
	}
	maps.DeleteFunc(found, func(k endpointKey, _ absorption) bool { return apart[k] })
	return slices.Collect(maps.Values(found))
}

// covers says whether every path of template is one of general, and not the
// other way round.
func covers(general, template string) bool {
	gs, ts := split(general), split(template)
	if len(gs) != len(ts) || slices.Equal(gs, ts) {
		return false
	}
	for i, g := range gs {
		if g == ts[i] {
			continue
		}
		if _, fits := capturePattern(g, ts[i]); !fits || !isPlaceholder(g) {
			return false
		}
	}
	return true
}

// explain finds the hints: a parameter for each segment that differs, the
// literals beside it as they are.
func (a *absorption) explain(at origin, decisions []Decision) {
	general, template := split(a.general.template), split(a.approved.template)
	for i, g := range general {
		if g == template[i] {
			continue
		}
		place := "/" + strings.Join(append(slices.Clone(general[:i]), ""), "/")
		a.hints = append(a.hints, place+strings.ReplaceAll(g, "{}", "{id}"))
		a.keep = append(a.keep, place+"^"+template[i])
		for _, d := range decisions {
			if beside, ok := strings.CutPrefix(d.Path, place); ok && d.at == at && !d.Parameter && !strings.Contains(beside, "/") {
				a.hints = append(a.hints, place+"^"+beside)
			}
		}
	}
	slices.Sort(a.hints)
	a.hints = slices.Compact(a.hints)
}

// merges are the proposals about compiled tools, whose names are given.
func merges(list []absorption, names map[endpointKey]string) []Merge {
	byKey := map[endpointKey]*Merge{}
	for _, a := range list {
		name, compiled := names[a.approved]
		if !compiled {
			continue
		}
		id := a.general
		m := byKey[id]
		if m == nil {
			m = &Merge{Tool: names[a.general], Request: a.general.request()}
			byKey[id] = m
		}
		m.Absorbs = append(m.Absorbs, name)
		m.Hints, m.Keep = append(m.Hints, a.hints...), append(m.Keep, a.keep...)
	}
	out := []Merge{}
	for _, m := range byKey {
		m.Absorbs, m.Hints, m.Keep = sortedSet(m.Absorbs), sortedSet(m.Hints), sortedSet(m.Keep)
		out = append(out, *m)
	}
	slices.SortFunc(out, func(a, b Merge) int {
		return cmp.Or(strings.Compare(a.Request, b.Request), slices.Compare(a.Absorbs, b.Absorbs))
	})
	return out
}
