package compiler

import (
	"maps"
	"slices"
	"strings"
)

// pullFact is the evidence of a value that is taken for a parameter because it
// has the routes of those beside it.
const pullFact = "group: routes of parameters"

func pulled(d *Decision) bool {
	return slices.ContainsFunc(d.Evidence, func(e Evidence) bool { return e.Kind == pullFact })
}

// pull takes literals over to the parameters where their routes say that they
// are values that happen to be route words.
func (in *inference) pull(p *place, params, literals []string, judged map[string]*Decision) ([]string, []string) {
	if len(params) < 2 || ablated["group"] {
		return params, literals
	}
	routes := map[string]bool{}
	for _, v := range params {
		for _, l := range in.below(p.node.kids[v]).all {
			routes[l] = true
		}
	}
	var rest []string
	for _, v := range literals {
		if in.pulls(p, v, routes, judged[v].Score) {
			d := judged[v]
			d.Evidence = append(d.Evidence, Evidence{pullFact, weights[pullFact]})
			d.Score, d.Parameter = d.Score+weights[pullFact], true
			params = append(params, v)
		} else {
			rest = append(rest, v)
		}
	}
	return params, rest
}

func (in *inference) pulls(p *place, v string, routes map[string]bool, score float64) bool {
	if _, _, ruled := p.guide.rule(v); ruled || reserved[strings.ToLower(v)] || score+weights[pullFact] <= 0 {
		return false
	}
	n := p.node.kids[v]
	mine := in.below(n)
	if len(n.kids) == 0 && onlyMissing(n) && common(mine.all, slices.Sorted(maps.Keys(routes))) > 0 {
		return true
	}
	shared, any := 0, false
	for _, l := range mine.literal {
		if routes[l] {
			shared++
		}
	}
	for _, l := range mine.all {
		any = any || routes[l]
	}
	return shared >= 2 && shared*2 >= len(mine.literal) ||
		shared > 0 && shared == len(mine.literal) && score > -2 && parentFact(p, formWord) == "parent: unknown" ||
		score > -1.2 && !in.look(v).known() && any ||
		shared > 0 && n.seen.id && plural(p.parent())
}

var languages = set("en fr de es it pt nl pl ru ja zh ko ar tr sv da nb no fi cs el he hu id ro sk th uk vi bg hr ca et lt lv sl sr ms hi fa")

// isLocale recognises language tags: en, pt-BR.
func isLocale(v string) bool {
	lang, region, regional := strings.Cut(v, "-")
	if !languages[lang] {
		return false
	}
	return !regional || len(region) == 2 && strings.ToUpper(region) == region
}
