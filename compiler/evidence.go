package compiler

import (
	"math"
	"strings"
)

// The kinds of evidence.
const (
	evidenceHint        = "hint"
	evidenceKnown       = "known template"
	evidencePlaceholder = "placeholder"
	evidenceForm        = "form"
	evidenceWord        = "route word"
	evidenceParent      = "parent"
	evidencePlural      = "plural"
	evidenceRoutes      = "shared routes"
	evidenceResponse    = "response keys"
	evidenceOwnEcho     = "own echo"
	evidenceEcho        = "echo"
	evidenceNoEcho      = "no echo"
	evidenceSettled     = "parameter elsewhere"
	evidenceConstant    = "constant"
	evidenceMissing     = "not found"
	evidenceVersion     = "version"
	evidenceLocale      = "locale"
	evidenceHandle      = "handle"
	evidenceRecurs      = "recurs"
)

// wordForm is what a segment's text says, whatever its place.
type wordForm struct {
	form form
	word float64 // routeWord
}

func (in *inference) look(segment string) wordForm {
	l, ok := in.lexical[segment]
	if !ok {
		l = wordForm{formOf(segment), routeWord(text(segment))}
		in.lexical[segment] = l
	}
	return l
}

// mask keeps what looks like a literal and replaces what may be a parameter,
// to compare routes.
func (in *inference) mask(segment string) string {
	if isPlaceholder(segment) {
		return "{}"
	}
	l := in.look(segment)
	if !l.form.weak() || in.settled[segment] {
		return "{}"
	}
	if l.word > -1 && !plural(segment) && l.form != formUnderscore && l.form != formSymbol && l.form != formVersion {
		return "{}"
	}
	return segment
}

// place is a position whose values are judged together.
type place struct {
	node    *node
	parents []string
	guide   *guide
	// rivals are the values that may be parameters.
	rivals []string
	// locales says that the values below the root are language tags.
	locales bool
	// responses and routes are the rivals' by operation and by route.
	routes map[string][]string
	prefix string
}

func (in *inference) place(n *node, parents []string, g *guide) *place {
	p := &place{node: n, parents: parents, guide: g, prefix: "/" + strings.Join(parents, "/")}
	if len(parents) > 0 {
		p.prefix += "/"
	}
	tags := 0
	for _, v := range n.names() {
		if isPlaceholder(v) {
			p.rivals = append(p.rivals, v)
			continue
		}
		if l := in.look(v); l.word > -3 || !l.form.weak() {
			p.rivals = append(p.rivals, v)
		}
		if isLocale(v) {
			tags++
		}
	}
	p.locales = len(parents) == 0 && tags >= 2
	p.routes = map[string][]string{}
	for _, v := range p.rivals {
		for _, l := range in.below(n.kids[v]).all {
			p.routes[l] = append(p.routes[l], v)
		}
	}
	return p
}

// parent is the segment before the place, "" at the root.
func (p *place) parent() string {
	if len(p.parents) == 0 {
		return ""
	}
	return p.parents[len(p.parents)-1]
}

// judge weighs the evidence for value v.
func (in *inference) judge(p *place, v string) Decision {
	d := Decision{Host: in.at.host, Path: p.prefix + v}
	put := func(kind string, weight float64) {
		if weight != 0 && !ablated[kind] {
			weight = math.Round(weight*100) / 100
			d.Evidence = append(d.Evidence, Evidence{kind, weight})
			d.Score = math.Round((d.Score+weight)*100) / 100
		}
	}
	if kind, parameter, ok := p.guide.rule(v); ok {
		put(kind, map[bool]float64{true: 20, false: -20}[parameter])
	} else if isPlaceholder(v) {
		put(evidencePlaceholder, 20)
	} else {
		in.weigh(p, v, put)
	}
	d.Parameter = d.Score > 0
	return d
}

// ablated switches kinds of evidence off, for measurements.
var ablated map[string]bool

func (in *inference) weigh(p *place, v string, put func(string, float64)) {
	n, l := p.node.kids[v], in.look(v)
	if w := versionPrefix(p, v, l.form); w != 0 {
		put(evidenceVersion, w)
		return
	}
	put(evidenceForm, l.form.weight())
	if l.form.weak() {
		put(evidenceWord, l.word)
	}
	put(evidenceParent, parentWeight(p, l.form))
	if isPluralName(v, l) {
		put(evidencePlural, pick(isPlaceholder(p.parent()), -3.5, -2))
	}
	in.weighRoutes(p, v, n, put)
	in.weighResponses(p, v, n, put)
	in.weighEcho(p, v, n, l, put)
	if in.settled[v] && l.form.weak() {
		put(evidenceSettled, pick(l.word > -3 && !plural(v), 2, 0.5))
	}
	if !l.form.idLike() {
		for k := range n.kids {
			if !isPlaceholder(k) && in.look(k).form == formVersion {
				put(evidenceVersion, -5)
				break
			}
		}
	}
	if len(p.parents) > 0 && missing(n) && n.hits > 1 {
		put(evidenceMissing, 0.5)
	}
	if p.locales && isLocale(v) {
		put(evidenceLocale, 8)
	}
	if len(p.parents) == 0 && len(v) > 1 && (v[0] == '@' || v[0] == '~') {
		put(evidenceHandle, 5)
	}
}

func pick(cond bool, yes, no float64) float64 {
	if cond {
		return yes
	}
	return no
}

func isPluralName(v string, l wordForm) bool {
	switch l.form {
	case formWord, formKebab, formSnake:
		return l.word == 0 && plural(v)
	}
	return false
}

func missing(n *node) bool {
	for _, o := range n.ops {
		if o.missing > 0 {
			return true
		}
	}
	return false
}

// versionPrefix recognises API versions that look like numbers or dates:
// /1/boards, /api/2/issues, /2024-10-01/accounts.
func versionPrefix(p *place, v string, f form) float64 {
	switch {
	case f == formDate && len(p.parents) == 0:
		return -6
	case f == formShortNumber && len(p.parents) == 0:
		return -6
	case f == formShortNumber && len(p.parents) == 1:
		switch strings.ToLower(p.parent()) {
		case "api", "rest", "v":
			return -6
		}
	}
	return 0
}

// parentWeight says what the segment before the place promises.
func parentWeight(p *place, f form) float64 {
	w := p.parent()
	switch {
	case w == "":
		return pick(f.idLike(), -1, -7)
	case isPlaceholder(w):
		return pick(f.weak(), -3.5, -1)
	case version(w):
		return pick(f.weak(), -6, -1)
	}
	lower := strings.ToLower(w)
	if containers[lower] {
		return pick(f.weak(), -4, -1)
	}
	return collectionWeight(lower)
}

// collectionWeight is how often parameters follow the word in published APIs,
// or, for words they do not have, what its number says.
func collectionWeight(w string) float64 {
	u := lexicon()[w]
	if n := u.overParam + u.overConst; n >= 4 {
		share := (float64(u.overParam) + 0.5) / (float64(n) + 1)
		return max(-3, min(2.5, 1.2*math.Log(share/(1-share))+0.5))
	}
	if plural(w) {
		return 2
	}
	return -0.5
}

// weighRoutes compares what follows v with what follows its rivals.
func (in *inference) weighRoutes(p *place, v string, n *node, put func(string, float64)) {
	mine := in.below(n)
	if len(p.rivals) < 2 {
		return
	}
	if len(mine.literal) > 0 {
		best := 0.0
		shared := map[string]int{}
		for _, l := range mine.literal {
			for _, r := range p.routes[l] {
				if r != v {
					shared[r]++
				}
			}
		}
		for r, k := range shared {
			best = max(best, float64(k)/float64(min(len(mine.literal), len(in.below(p.node.kids[r]).literal))))
		}
		put(evidenceRoutes, pick(best >= 0.3, 3*best, -0.5))
		return
	}
	for _, l := range mine.later {
		for _, r := range p.routes[l] {
			if r != v {
				put(evidenceRoutes, 1)
				return
			}
		}
	}
}

// weighResponses compares the object keys of v's responses with those of its
// rivals' responses to the same method.
func (in *inference) weighResponses(p *place, v string, n *node, put func(string, float64)) {
	best, compared := 0.0, false
	for m, o := range n.ops {
		if len(o.keys) < 3 {
			continue
		}
		for _, r := range p.rivals {
			other := p.node.kids[r].ops[m]
			if r == v || other == nil || len(other.keys) < 3 {
				continue
			}
			compared = true
			best = max(best, jaccard(o.keys, other.keys))
		}
	}
	switch {
	case !compared:
	case best >= 0.6:
		put(evidenceResponse, 1.5)
	case best >= 0.35:
		put(evidenceResponse, 0.5)
	default:
		put(evidenceResponse, -1)
	}
}

func jaccard(a, b map[string]bool) float64 {
	n := 0
	for k := range a {
		if b[k] {
			n++
		}
	}
	return float64(n) / float64(len(a)+len(b)-n)
}

// weighEcho asks whether responses held the value.
func (in *inference) weighEcho(p *place, v string, n *node, l wordForm, put func(string, float64)) {
	parent := p.parent()
	collection := plural(parent) && !containers[strings.ToLower(parent)]
	echoed := n.seen.own > 0 || n.seen.id
	switch {
	case n.seen.own > 0 && (l.word > -4 || collection):
		put(evidenceOwnEcho, 4)
	case n.seen.id && l.word > -4:
		put(evidenceEcho, 3)
	case n.seen.any && l.form.weak():
		put(evidenceEcho, 0.5)
	}
	if echoed || !l.form.weak() {
		return
	}
	if isPlaceholder(parent) {
		put(evidenceNoEcho, pick(in.echoedKin(p, v, n), 1, -2))
	}
	if len(p.rivals) <= 1 && n.hits >= 6 {
		put(evidenceConstant, -min(2, 0.5*math.Log2(float64(n.hits))))
	}
}

// echoedKin finds a rival whose value was echoed and that has a route of v's.
func (in *inference) echoedKin(p *place, v string, n *node) bool {
	for _, l := range in.below(n).literal {
		for _, r := range p.routes[l] {
			if s := p.node.kids[r].seen; r != v && (s.own > 0 || s.id) {
				return true
			}
		}
	}
	return false
}

// pull takes literals over to the parameters where their routes say that they
// are values that happen to be route words.
func (in *inference) pull(p *place, params, literals []string, scores map[string]float64) ([]string, []string) {
	if len(params) < 3 || ablated["pull"] {
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
		if in.pulled(p, v, routes, scores[v]) {
			params = append(params, v)
		} else {
			rest = append(rest, v)
		}
	}
	return params, rest
}

func (in *inference) pulled(p *place, v string, routes map[string]bool, score float64) bool {
	if _, _, ruled := p.guide.rule(v); ruled || reserved[strings.ToLower(v)] {
		return false
	}
	n := p.node.kids[v]
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
		score > -1.2 && in.look(v).word > -3 && any ||
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
