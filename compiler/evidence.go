package compiler

import (
	"maps"
	"math"
	"slices"
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
	if !l.form.weak() || in.settled[segment] {
		return "{}"
	}
	if l.word == "" && !plural(segment) && l.form != formMarked && l.form != formSymbol && l.form != formVersion {
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
		if l := in.look(v); !l.known() || !l.form.weak() {
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
	put(formNames[l.form])
	switch {
	case l.form.weak():
		put(l.word)
	case l.form == formMixed && (l.word == "word: parts common" || l.word == "word: parts known"):
		put("word: parts known, with digits")
	}
	put(parentFact(p, l.form))
	if isPluralName(v, l) {
		put("plural: " + pick(isParameter(p.parent()), "under a parameter", "in a collection"))
	}
	in.weighRoutes(p, v, n, put)
	in.weighResponses(p, v, n, put)
	if l.form.weak() {
		in.weighEcho(p, v, n, l, put)
		in.weighCompany(p, v, put)
		in.weighMethods(p, v, n, put)
		if in.settled[v] {
			put("elsewhere: parameter" + pick(!l.known() && !plural(v), "", ", route word"))
		}
	}
	if !l.form.idLike() {
		for k := range n.kids {
			if !isPlaceholder(k) && in.look(k).form == formVersion {
				put("child: version")
				break
			}
		}
	}
	if l.form.weak() && leadsToMark(n) {
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

// parentFact names what the segment before the place promises.
func parentFact(p *place, f form) string {
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

// weighRoutes compares what follows v with what follows its rivals.
func (in *inference) weighRoutes(p *place, v string, n *node, put func(string)) {
	mine := in.below(n)
	if len(p.rivals) < 2 {
		return
	}
	if len(mine.literal) == 0 {
		switch {
		case p.shares(v, mine.later):
			put("routes: alike")
		case len(n.kids) > 0 && p.shares(v, mine.all):
			put("routes: parameters alike")
		}
		return
	}
	best, marks := 0.0, false
	shared := map[string]int{}
	for _, l := range mine.literal {
		for _, r := range p.routes[l] {
			if r != v {
				shared[r]++
				marks = marks || isMark(l)
			}
		}
	}
	for r, k := range shared {
		best = max(best, float64(k)/float64(min(len(mine.literal), len(in.below(p.node.kids[r]).literal))))
	}
	switch {
	case marks:
		put("routes: marks shared")
	case best >= 0.99:
		put("routes: all shared")
	case best >= 0.5:
		put("routes: half shared")
	case best >= 0.2:
		put("routes: some shared")
	default:
		put("routes: none shared")
	}
}

// leadsToMark says whether a marked route follows a node: what stands before
// one is a name.
func leadsToMark(n *node) bool {
	for k := range n.kids {
		if k == "-" || marked(k) {
			return true
		}
	}
	return false
}

// isMark says whether a route starts with what APIs that have names there set
// their own routes apart with: "/_search", "/-/".
func isMark(route string) bool {
	path := route[strings.LastIndexByte(route, '\t')+2:]
	first, _, _ := strings.Cut(path, "/")
	return first == "-" || marked(first)
}

// shares says whether a rival of v has one of these routes.
func (p *place) shares(v string, routes []string) bool {
	for _, l := range routes {
		for _, r := range p.routes[l] {
			if r != v {
				return true
			}
		}
	}
	return false
}

// weighResponses compares the object keys of v's responses with those of its
// rivals' responses to the same method.
func (in *inference) weighResponses(p *place, v string, n *node, put func(string)) {
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
		put("response: same keys")
	case best >= 0.35:
		put("response: similar keys")
	default:
		put("response: different keys")
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
func (in *inference) weighEcho(p *place, v string, n *node, l wordForm, put func(string)) {
	parent := p.parent()
	collection := plural(parent) && !containers[strings.ToLower(parent)]
	everyday := l.common() && !collection && !leadsToMark(n)
	switch {
	case n.seen.own > 0 && everyday:
		put("echo: own, route word")
	case n.seen.own > 0:
		put("echo: own, " + pick(idKeys(n.seen.keys), "id key", "other key") + pick(l.word == "", ", no route word", ""))
	case n.seen.id:
		put("echo: id key" + pick(l.common(), ", route word", ""))
	case n.seen.any:
		put("echo: other key")
	}
	if n.seen.own > 0 || n.seen.id {
		return
	}
	kin := in.echoedKin(p, v, n)
	switch {
	case kin:
		put("echo: siblings with its routes")
	case n.seen.chances == 0:
		put("echo: never, none possible" + pick(isParameter(parent), ", under a parameter", ""))
	case isParameter(parent):
		put("echo: never, under a parameter")
	default:
		put("echo: never")
	}
	if n.seen.parents >= 2 && isParameter(parent) {
		put("recurs: under " + pick(n.seen.parents >= 4, "many parameters", "some parameters"))
	}
	if len(p.rivals) <= 1 && n.hits >= 6 && n.ops["DELETE"] == nil {
		put("constant: " + pick(n.hits >= 16, "very often", "often"))
	}
}

var idKeyWords = set("id ids uuid uid guid key slug login name username user number sha code sku ref handle tag email domain host branch namespace owner repo team tenant org account label symbol")

// idKeys says whether a value was found under a key that names ids.
func idKeys(keys map[string]int) bool {
	for k := range keys {
		if w := wordParts(k); len(w) > 0 && idKeyWords[w[len(w)-1]] {
			return true
		}
	}
	return len(keys) == 0
}

// weighCompany looks at the values that v stands among.
func (in *inference) weighCompany(p *place, v string, put func(string)) {
	ids, echoed, names := 0, 0, 0
	for _, r := range p.rivals {
		if r == v {
			continue
		}
		n := p.node.kids[r]
		switch {
		case n.seen.own > 0 || n.seen.id:
			echoed++
		case isPlaceholder(r):
			names++
		case !in.look(r).form.weak():
			ids++
		default:
			names++
		}
	}
	switch {
	case ids+echoed+names == 0:
	case echoed*2 >= ids+echoed+names:
		put("company: echoed")
	case ids > names:
		put("company: ids")
	default:
		put("company: names")
	}
}

// weighMethods asks what is done to the resource itself.
func (in *inference) weighMethods(p *place, v string, n *node, put func(string)) {
	posts, changes, other := 0, 0, 0
	for m := range n.ops {
		switch m {
		case "PUT", "PATCH", "DELETE":
			changes++
		case "POST":
			posts++
		default:
			other++
		}
	}
	switch {
	case changes > 0:
		verb := "method: " + pick(n.ops["DELETE"] != nil, "deletes it", "changes it")
		switch parent := p.parent(); {
		case isParameter(parent):
			put(verb + ", under a parameter")
		case plural(parent):
			put(verb + ", in a collection")
		default:
			put(verb)
		}
	case in.look(v).form == formAction:
	case posts > 0 && other == 0 && len(n.kids) == 0:
		put("method: only posts")
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
