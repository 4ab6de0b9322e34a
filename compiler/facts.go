package compiler

import (
	"slices"
	"strings"

	"github.com/tomallicino/caskmcp/schema"
)

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
	case marks && p.marks:
		put("routes: marks shared")
	case best >= 0.2 && p.routed() && in.look(v).word != "":
		put("routes: some shared")
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
	everyday := l.common() && !collection && !leadsToMark(n) && !in.given(p, v)
	echoed := n.seen.echoed()
	switch kin := p.echoingKin(n); {
	case n.seen.own > 0 && !echoed:
		put("echo: own, seldom")
	case echoed && kin >= 1:
		put("echo: own, as its siblings" + pick(kin >= 2, ", several", ""))
	case n.seen.own > 0 && (everyday || (l.known() || in.amongIDs(p, v)) && sortingKeys(n.seen.keys)):
		put("echo: own, route word")
	case n.seen.own > 0:
		put("echo: own, " + pick(idKeys(n.seen.keys), "id key", "other key") + pick(l.word == "", ", no route word", ""))
	case n.seen.id && onTop(p) && n.seen.above == 0:
		put("echo: id key, at the top")
	case n.seen.id && n.seen.above+n.seen.far == 0 && parentFact(p, formWord, false) == "parent: never collection":
		put("echo: id key, no collection")
	case n.seen.id:
		put("echo: id key" + pick(l.common(), ", route word", pick(!collection && n.seen.chances >= 3 && n.seen.own+n.seen.above+n.seen.far == 0, ", never own", "")))
	case n.seen.any:
		put("echo: other key")
	}
	in.weighListing(p, v, n, l, put)
	if n.seen.own == 0 && !n.seen.id {
		in.weighSilence(p, v, n, put)
	}
}

// weighSilence asks what it means that responses did not hold the value.
func (in *inference) weighSilence(p *place, v string, n *node, put func(string)) {
	parent := p.parent()
	switch {
	case in.echoedKin(p, v, n):
		put("echo: siblings with its routes")
	case n.seen.chances == 0:
		put("echo: never, none possible" + pick(isParameter(parent), ", under a parameter", ""))
	case isParameter(parent):
		put("echo: never, under a parameter")
	default:
		put("echo: never" + pick(n.seen.chances >= manyChances, ", often possible", ""))
	}
	if n.seen.parents >= 2 && isParameter(parent) {
		put("recurs: under " + pick(n.seen.parents >= 4, "many parameters", "some parameters"))
	}
	if len(p.rivals) <= 1 && n.hits >= 6 && n.ops["DELETE"] == nil {
		put("constant: " + pick(n.hits >= 16, "very often", "often"))
	}
}

var idKeyWords = set("id ids uuid uid guid key slug login name username user number sha code sku ref handle tag email domain host branch namespace owner repo team tenant org account label symbol")

var sortingWords = set("status state type kind mode event action category level method role rel scope filter format phase class severity priority period unit source origin visibility reason language")

// sortingKey says whether values under a key sort things; those are often
// routes too: images/custom holds images of the source "custom".
func sortingKey(key string) bool {
	w := wordParts(key)
	return len(w) > 0 && sortingWords[w[len(w)-1]]
}

func sortingKeys(keys map[string]int) bool {
	for k := range keys {
		if !sortingKey(k) {
			return false
		}
	}
	return len(keys) > 0
}

// idKeys says whether a value was found under a key that names ids.
func idKeys(keys map[string]int) bool {
	for k := range keys {
		if w := wordParts(k); len(w) > 0 && idKeyWords[w[len(w)-1]] {
			return true
		}
	}
	return len(keys) == 0
}

// weighCompany looks at what v stands among: other values, and words that are
// certainly routes.
func (in *inference) weighCompany(p *place, v string, l wordForm, put func(string)) {
	ids, echoed, names := p.company[0], p.company[1], p.company[2]
	if _, rival := slices.BinarySearch(p.rivals, v); rival {
		switch in.companion(p.node, v) {
		case 0:
			ids--
		case 1:
			echoed--
		default:
			names--
		}
	}
	switch {
	case ids+echoed+names == 0:
	case echoed+names == 0:
		put("company: ids" + pick(l.word == "", "", ", route word"))
	case echoed*2 >= ids+echoed+names:
		put("company: echoed")
	default:
		put("company: names")
	}
	if p.routed() {
		put("company: routes" + pick(l.word == "", ", unknown word", ""))
	}
}

// amongIDs says whether v is a name where all that may be values are ids.
func (in *inference) amongIDs(p *place, v string) bool {
	others := p.named
	if _, rival := slices.BinarySearch(p.rivals, v); rival && !in.maybeID(v) {
		others--
	}
	return p.company[0] > 0 && others == 0 && !in.maybeID(v)
}

// maybeID says whether a value is a certain id, or of letters and digits
// without words.
func (in *inference) maybeID(v string) bool {
	l := in.look(v)
	return in.certainID(v) || l.form == formMixed && !l.named() || v == "{"+schema.ClassMixed+"}"
}

// companion is what a rival is to those beside it, as an index of
// place.company: a certain id, a value that was echoed, or a name.
func (in *inference) companion(n *node, v string) int {
	switch seen := n.kids[v].seen; {
	case in.certainID(v):
		return 0
	case seen.own > 0 || seen.id:
		return 1
	}
	return 2
}

// certainID says whether a value, or what a placeholder stands for, has a form
// that only ids and numbers have.
func (in *inference) certainID(v string) bool {
	if !isPlaceholder(v) {
		return !in.look(v).form.weak()
	}
	if !isWhole(v) {
		return false
	}
	switch class := v[1 : len(v)-1]; class {
	case schema.ClassInt, schema.ClassDate, schema.ClassDateTime:
		return true
	default:
		return schema.IsID(class)
	}
}

// routed says whether most of what stands at a place are words of routes that
// nothing says are values. APIs seldom let people name things there.
func (p *place) routed() bool {
	return p.words >= manyRoutes && p.words > 2*len(p.rivals)
}

// manyRoutes is how many words of routes make a place one of routes.
const manyRoutes = 4

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
		put("method: only posts" + pick(command(v) && n.seen.own == 0, ", a command", ""))
	}
}

// commandVerbs begin the phrases that commands are called by.
var commandVerbs = set(`add assign attach cancel clear close create delay delete deploy detach disable enable execute generate get import invite list lock merge move open pause
	process publish purge reboot rebuild refresh register reload remove rename reschedule reset resolve restart restore resume retry revoke rotate run schedule send set
	start stop submit subscribe suspend sync transfer trigger unassign uninstall unlock unpublish unsubscribe update upgrade upload validate verify`)

// command says whether a segment is a phrase that tells what to do.
func command(v string) bool {
	w := wordParts(v)
	return len(w) > 1 && commandVerbs[w[0]]
}

// onTop says whether a place is where APIs have their collections.
func onTop(p *place) bool {
	w := strings.ToLower(p.parent())
	return w == "" || version(w) || containers[w] && !plural(w)
}

// weighListing asks whether a path above answered with the value: what a
// collection names is its member.
func (in *inference) weighListing(p *place, v string, n *node, l wordForm, put func(string)) {
	switch {
	case n.seen.above > 0 && n.seen.aboveID == 0 && sortingKeys(n.seen.keys) && in.amongIDs(p, v):
		return // what sorts the members is no member
	case n.seen.listed():
		put("listed: above" + pick(n.seen.aboveID*2 > n.seen.hits, ", id key", "") + pick(l.known(), ", route word", ""))
		return
	case n.seen.far+n.seen.above > 0:
		put("listed: far above" + pick(l.known(), ", route word", ""))
		return
	}
	listed, others := p.listed, p.unlisted
	if _, rival := slices.BinarySearch(p.rivals, v); rival {
		others -= stands(v)
	}
	if listed >= 2 && listed > others && n.seen.own == 0 {
		put("listed: siblings only")
	}
}

// echoingKin counts the rivals of v that were echoed under a key that v was.
// Keys that sort things say it only of values that a path above names, too,
// and of three or more.
func (p *place) echoingKin(n *node) int {
	kin := 0
	for k := range n.seen.keys {
		others := p.echoes[k] - 1
		if sortingKey(k) && (others < 2 || n.seen.far+n.seen.above == 0) {
			continue
		}
		kin = max(kin, others)
	}
	return kin
}

// stands is for how many values one of a place stands, at least.
func stands(v string) int {
	if isPlaceholder(v) {
		return 2
	}
	return 1
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
