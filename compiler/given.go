package compiler

import "slices"

// given says whether bodies show that v is a name that people gave, whatever
// its words are.
func (in *inference) given(p *place, v string) bool {
	n := p.node.kids[v]
	return in.joined(p, v, n) || p.sent(n) || in.single(p, v, n)
}

// sent says whether someone created something by this name that answers to
// it here, where such things may be: not where APIs have their collections,
// and not the collection that has a member of its own name.
func (p *place) sent(n *node) bool {
	if n.seen.sent*2 <= n.seen.hits || n.seen.ended*2 <= n.seen.bodies || n.seen.ended == 0 || !idKeys(n.seen.keys) || p.routed() || n.lists() {
		return false
	}
	switch parentFact(p, formWord, n.seen.listed()) {
	case "parent: root", "parent: version", "parent: container", "parent: route symbol":
		return false
	}
	return true
}

// joined says whether bodies hold v in one text with what stands beside it in
// the path. The first of two names may be the collection of the second, as in
// "projects/acme" and "_design/shop"; so what is a word of routes follows a
// name, or answers to the text itself.
func (in *inference) joined(p *place, v string, n *node) bool {
	l := in.look(v)
	switch {
	case p.routed():
		return false
	case n.seen.tail*2 > n.seen.hits:
		return !l.known() || isParameter(p.parent())
	case n.seen.head*2 > n.seen.hits:
		return !plural(v) && l.form != formMarked && (!l.known() || n.seen.joined > 0)
	}
	return false
}

// single says whether v answers to its name where others join theirs with one
// more: registries have "tools" beside "garden/web".
func (in *inference) single(p *place, v string, n *node) bool {
	if !n.seen.echoed() || !idKeys(n.seen.keys) || n.lists() {
		return false
	}
	return slices.ContainsFunc(p.rivals, func(r string) bool {
		other := p.node.kids[r]
		return r != v && other.seen.head > 0 && in.joined(p, r, other)
	})
}

// weighGiven asks whether people gave v as a name.
func (in *inference) weighGiven(p *place, v string, n *node, put func(string)) {
	own := pick(n.seen.joined > 0, ", own", "")
	switch {
	case !in.joined(p, v, n):
		if in.single(p, v, n) {
			put("given: beside joined")
		}
	case n.seen.tail*2 > n.seen.hits:
		put("given: joined" + own)
	default:
		put("given: joins others" + own)
	}
	if p.sent(n) {
		put("given: sent")
	}
}

// lists says whether a path names what stands right below it, as collections
// do.
func (n *node) lists() bool {
	for _, c := range n.kids {
		if c.seen.aboveID*2 > c.seen.hits {
			return true
		}
	}
	return false
}
