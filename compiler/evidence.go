package compiler

import (
	"math"
	"strings"
)

// wordForm is what a segment's text says, whatever its place.
type wordForm struct {
	form form
	word string // routeWord
}

// known says that the text is certainly a word of routes, common that most
// APIs have it.
func (l wordForm) known() bool {
	switch l.word {
	case "word: known", "word: other number known", "word: parts common":
		return true
	}
	return l.common()
}

// named says whether the form is a name of route words with a number in it.
func (l wordForm) named() bool {
	return l.form == formMixed && (l.word == "word: parts common" || l.word == "word: parts known")
}

func (l wordForm) common() bool { return l.word == "word: everywhere" || l.word == "word: common" }

func (in *inference) look(segment string) wordForm {
	l, ok := in.lexical[segment]
	if !ok {
		l = wordForm{form: formOf(segment), word: routeWord(text(segment))}
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
	if !l.form.weak() || in.settled[segment] > 0 {
		return "{}"
	}
	if l.word == "" && !plural(segment) && l.form != formMarked && l.form != formLetter && l.form != formSymbol && l.form != formVersion {
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
	// locales says that the values below the root are language tags, marks
	// that routes are set apart from what people name here.
	locales, marks bool
	// routes are the rivals by what follows them.
	routes map[string][]string
	prefix string
	// echoes counts the rivals that were echoed under a key; listed and
	// unlisted are how many values a path above named, and did not.
	echoes           map[string]int
	listed, unlisted int
	// words counts the words of routes that nothing says are values.
	words int
	// company counts the rivals that are certain ids, were echoed, and others.
	company [3]int
	// named counts the rivals that are no ids.
	named int
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
		if l := in.look(v); !l.known() || !l.form.weak() || n.kids[v].seen.listed() || n.kids[v].seen.echoed() {
			p.rivals = append(p.rivals, v)
		} else if !n.kids[v].seen.id || !plural(p.parent()) {
			p.words++
		}
		if isLocale(v) {
			tags++
		}
	}
	p.locales = len(parents) == 0 && tags >= 2
	p.marks = leadsToMark(n)
	p.routes, p.echoes = map[string][]string{}, map[string]int{}
	for _, v := range p.rivals {
		seen := n.kids[v].seen
		p.company[in.companion(n, v)]++
		if !in.maybeID(v) {
			p.named++
		}
		for k := range seen.keys {
			p.echoes[k]++
		}
		if seen.listed() {
			p.listed += stands(v)
		} else {
			p.unlisted += stands(v)
		}
		for _, l := range in.below(n.kids[v]).all {
			p.routes[l] = append(p.routes[l], v)
		}
	}
	return p
}

// above is the place that the segment before p stands in, as far as its own
// parents go.
func (p *place) above() *place {
	return &place{parents: p.parents[:len(p.parents)-1]}
}

// isParameter says whether a decided segment is a parameter, and not a literal
// with one behind it: "{}", "@{}", "{}.csv".
func isParameter(segment string) bool {
	i := strings.IndexByte(segment, '{')
	return i >= 0 && count(segment[:i]).lowers+count(segment[:i]).uppers == 0
}

// parent is the segment before the place, "" at the root.
func (p *place) parent() string {
	if len(p.parents) == 0 {
		return ""
	}
	name, _, _ := strings.Cut(p.parents[len(p.parents)-1], ";") // without matrix parameters
	return name
}

// judge weighs the evidence for value v.
func (in *inference) judge(p *place, v string) Decision {
	d := Decision{Host: in.at.host, Path: p.prefix + v}
	put := func(fact string) {
		w := weights[fact]
		if w == 0 || ablated[evidenceKind(fact)] {
			return
		}
		d.Evidence = append(d.Evidence, Evidence{fact, w})
		d.Score = math.Round((d.Score+w)*100) / 100
	}
	source, parameter, ok := p.guide.rule(v)
	switch {
	case ok && (source == "hint" || !parameter):
		put(source + pick(parameter, ": parameter", ": literal"))
	case isPlaceholder(v):
		put("placeholder")
	default:
		// That other values are parameters here says little about this one:
		// only whole known templates hold without further evidence.
		if ok {
			put("known: parameter")
		}
		in.weigh(p, v, put)
	}
	d.Parameter = d.Score > 0
	return d
}

// ablated switches kinds of evidence off, for measurements.
var ablated map[string]bool

func (in *inference) weigh(p *place, v string, put func(string)) {
	n, l := p.node.kids[v], in.look(v)
	if versionPrefix(p, l.form) {
		put("prefix: number")
		return
	}
	if l.form == formVersion && v[0] != 'v' && len(n.kids) == 0 && !onTop(p) {
		l.form = formRelease // an API has routes below its version
	}
	put(formNames[l.form])
	switch {
	case l.form.weak():
		put(l.word)
	case l.named():
		put("word: parts known, with digits")
	}
	put(parentFact(p, l.form, n.seen.listed()))
	if isPluralName(v, l) {
		put("plural: " + pick(isParameter(p.parent()), "under a parameter", "in a collection"))
	}
	in.weighRoutes(p, v, n, put)
	in.weighResponses(p, v, n, put)
	if l.form.weak() || l.named() {
		in.weighEcho(p, v, n, l, put)
		in.weighGiven(p, v, n, put)
		in.weighCompany(p, v, l, put)
		in.weighMethods(p, v, n, put)
		in.weighElsewhere(v, n, l, put)
	}
	if !l.form.idLike() {
		for k := range n.kids {
			if !isPlaceholder(k) && in.look(k).form == formVersion && len(n.kids[k].kids) > 0 {
				put("child: version")
				break
			}
		}
	}
	if l.form.weak() && p.marks && leadsToMark(n) {
		put("child: route mark")
	}
	if len(p.parents) > 0 && missing(n) && n.hits > 1 {
		put("status: not found")
	}
	if p.locales && isLocale(v) {
		put("root: locale")
	}
	if len(p.parents) == 0 && l.form == formHandle {
		put("root: handle")
	}
}

// weighElsewhere asks whether the value is a parameter in other places, too.
func (in *inference) weighElsewhere(v string, n *node, l wordForm, put func(string)) {
	switch places := in.settled[v]; {
	case places == 0:
	case n.seen.silent():
		put("elsewhere: parameter, never echoed")
	default:
		put("elsewhere: parameter" + pick(places >= manyPlaces, " in many places", "") + pick(!l.known() && l.word != "word: ambiguous" && !plural(v), "", ", route word"))
	}
}

func pick(cond bool, yes, no string) string {
	if cond {
		return yes
	}
	return no
}

func isPluralName(v string, l wordForm) bool {
	switch l.form {
	case formWord, formKebab, formSnake, formCamel, formSlug:
		return (l.word == "" || l.word == "word: half known") && plural(v)
	}
	return false
}

// onlyMissing says whether every request was answered 404.
func onlyMissing(n *node) bool {
	for _, o := range n.ops {
		if o.missing < o.hits {
			return false
		}
	}
	return true
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
// /1/boards, /rest/api/2/issues, /2024-10-01/accounts.
func versionPrefix(p *place, f form) bool {
	if f != formShortNumber && f != formDate {
		return false
	}
	switch strings.ToLower(p.parent()) {
	case "", "api", "rest", "v":
		return true
	}
	return false
}

// parentFact names what the segment before the place promises for a value of
// a form that a path above answered with or not.
func parentFact(p *place, f form, above bool) string {
	w := p.parent()
	switch {
	case f.idLike():
		return "parent: any, before an id"
	case !f.weak() && (w == "" || isParameter(w) || version(w) || formOf(w) == formSymbol || containers[strings.ToLower(w)]):
		return "parent: route, before a number"
	case w == "":
		return "parent: root"
	case w == "@{}":
		return "parent: scope"
	case isParameter(w):
		return "parent: parameter"
	case version(w) || versionPrefix(p.above(), formOf(w)):
		return "parent: version"
	case formOf(w) == formSymbol || formOf(w) == formMarked:
		return "parent: route symbol"
	}
	lower := strings.ToLower(w)
	if containers[lower] {
		if above && plural(lower) {
			return "parent: plural"
		}
		return "parent: container"
	}
	u := lexicon()[lower]
	if n := u.overParam + u.overConst; n >= 4 {
		switch share := float64(u.overParam) / float64(n); {
		case share >= 0.65:
			return "parent: collection"
		case share >= 0.4:
			return "parent: often collection"
		case share >= 0.2:
			return "parent: seldom collection"
		}
		return "parent: never collection"
	}
	return pick(plural(w), "parent: plural", "parent: unknown")
}
