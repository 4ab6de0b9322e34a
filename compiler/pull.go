package compiler

import (
	"maps"
	"slices"
	"strings"
)

// pullFact is the evidence of a value that is taken for a parameter because it
// has the routes of those beside it.
const pullFact = "group: routes of parameters"

func pulled(d *Decision) bool { return shows(d, pullFact) }

func shows(d *Decision, fact string) bool {
	return slices.ContainsFunc(d.Evidence, func(e Evidence) bool { return e.Kind == fact })
}

// changed says whether a resource itself is changed or deleted.
func changed(n *node) bool {
	return n.ops["PUT"] != nil || n.ops["PATCH"] != nil || n.ops["DELETE"] != nil
}

// pull takes literals over to the parameters where their routes say that they
// are values that happen to be route words.
func (in *inference) pull(p *place, params, literals []string, judged map[string]*Decision) ([]string, []string) {
	if len(params) == 0 || ablated["group"] {
		return params, literals
	}
	routes := map[string]bool{}
	for _, v := range params {
		for _, l := range in.below(p.node.kids[v]).all {
			routes[l] = true
		}
	}
	var rest []string
	single := len(params) < 2
	for _, v := range literals {
		if in.pulls(p, v, routes, judged[v].Score, single, shows(judged[v], "response: same keys")) {
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

// pulls says whether v joins the parameters of its place, whose routes are
// given. single says that there is only one, alike that its responses have
// v's keys.
func (in *inference) pulls(p *place, v string, routes map[string]bool, score float64, single, alike bool) bool {
	n := p.node.kids[v]
	mine := in.below(n)
	same := allIn(mine.all, routes)
	renowned := same && n.seen.id && in.settled[v] >= manyPlaces
	if _, _, ruled := p.guide.rule(v); ruled || reserved[strings.ToLower(v)] && !renowned || score+weights[pullFact] <= 0 {
		return false
	}
	switch named := n.seen.far+n.seen.above > 0; {
	case renowned:
		return true
	case len(n.kids) == 0 && onlyMissing(n) && common(mine.all, slices.Sorted(maps.Keys(routes))) > 0:
		return true
	case same && n.seen.id && (named || changed(n)):
		return true
	case same && alike && (score > -1 || score > -3 && len(mine.all) > 1):
		return true
	case single:
		return same && n.seen.id && score > -0.5 && !in.look(v).known()
	}
	return in.sharesRoutes(p, v, n, routes, score)
}

// sharesRoutes says whether v has so much in common with several parameters
// that it is one.
func (in *inference) sharesRoutes(p *place, v string, n *node, routes map[string]bool, score float64) bool {
	mine := in.below(n)
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
		shared > 0 && shared == len(mine.literal) && score > -2 && parentFact(p, formWord, false) == "parent: unknown" ||
		score > -1.2 && !in.look(v).known() && any && !(len(n.kids) == 0 && in.amongIDs(p, v)) ||
		shared > 0 && n.seen.id && plural(p.parent())
}

func allIn(list []string, set map[string]bool) bool {
	for _, l := range list {
		if !set[l] {
			return false
		}
	}
	return true
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
