package compiler

import (
	"slices"
	"sort"
	"strings"

	"github.com/tomallicino/caskmcp/capture"
	"github.com/tomallicino/caskmcp/schema"
)

// origin is where a path tree hangs.
type origin struct {
	scheme, host string
	port         int
}

// node is a path segment of one origin, or several that turned out to be
// values of one parameter.
type node struct {
	segment string
	kids    map[string]*node
	// ends are the indexes of the observations whose path ends here.
	ends []int
	// ops are by method and, where one path hides several, operation.
	ops  map[string]*operation
	hits int
	seen segmentEvidence

	// sorted, leaves and the forms of leaves are computed once for a round.
	sorted []string
	round  int
	suffix *suffixes
}

// segmentEvidence sums capture.Segment over a node.
type segmentEvidence struct {
	own     int // exchanges whose response held the value
	chances int // exchanges whose response could have
	id, any bool
	hits    int // exchanges
	// above, aboveID and far are those of capture.Segment.
	above, aboveID, far int
	// ended and bodies are own, and GETs with a JSON body, of the paths
	// that end at the segment.
	ended, bodies int
	distinct      int // of a placeholder
	parents       int // distinct values of the parameter before it, at least
	keys          map[string]int
	// sent, head, tail and joined are Sent, JoinedHead, JoinedTail and JoinedOwn
	// of capture.Segment.
	sent, head, tail, joined int
}

func (e *segmentEvidence) add(o segmentEvidence) {
	e.own += o.own
	e.chances += o.chances
	e.id = e.id || o.id
	e.any = e.any || o.any
	e.hits += o.hits
	e.above += o.above
	e.aboveID += o.aboveID
	e.far += o.far
	e.ended += o.ended
	e.bodies += o.bodies
	e.distinct += o.distinct
	e.parents = max(e.parents, o.parents)
	e.sent += o.sent
	e.head += o.head
	e.tail += o.tail
	e.joined += o.joined
	for k, n := range o.keys {
		if e.keys == nil {
			e.keys = map[string]int{}
		}
		e.keys[k] += n
	}
}

// operation is what one method does at a node.
type operation struct {
	hits, missing int // exchanges, and those answered 404
	keys          map[string]bool
}

// split cuts a path into its segments.
func split(path string) []string {
	return strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
}

// grow builds the tree of one origin from the observations with these indexes.
func grow(obs []capture.Observation, indexes []int) *node {
	root := &node{}
	for _, i := range indexes {
		root.insert(&obs[i], i)
	}
	return root
}

func (n *node) insert(o *capture.Observation, index int) {
	segments := split(o.Path)
	evidence := make([]segmentEvidence, len(segments))
	success := succeeded(*o)
	for _, s := range o.Segments {
		if s.Index >= 0 && s.Index < len(evidence) {
			evidence[s.Index] = segmentEvidence{own: s.EchoOwn, id: s.EchoID, any: s.EchoAny, above: s.EchoAbove, aboveID: s.EchoAboveID, far: s.EchoFar, distinct: s.Distinct, keys: s.EchoKeys,
				sent: s.Sent, head: s.JoinedHead, tail: s.JoinedTail, joined: s.JoinedOwn}
		}
	}
	n.hits += o.Count
	for i, s := range segments {
		n = n.child(s)
		n.hits += o.Count
		e := evidence[i]
		if success && o.Response != nil && o.Response.Objects != nil {
			e.chances = o.ResponseBodies
		}
		e.hits = o.Count
		if i == len(segments)-1 && success && o.Response != nil && o.Method == "GET" {
			e.ended, e.bodies = e.own, o.ResponseBodies
		}
		if i > 0 && isPlaceholder(segments[i-1]) {
			e.parents = max(1, evidence[i-1].distinct)
		}
		n.seen.add(e)
	}
	n.ends = append(n.ends, index)
	if n.ops == nil {
		n.ops = map[string]*operation{}
	}
	method := o.Method
	if o.Operation != "" {
		method += " " + o.Operation
	}
	op := n.ops[method]
	if op == nil {
		op = &operation{keys: map[string]bool{}}
		n.ops[method] = op
	}
	op.hits += o.Count
	if o.Status == 404 {
		op.missing += o.Count
	}
	if success {
		keyPaths(o.Response, "", 0, op.keys)
	}
}

func (n *node) child(segment string) *node {
	c := n.kids[segment]
	if c == nil {
		c = &node{segment: segment}
		if n.kids == nil {
			n.kids = map[string]*node{}
		}
		n.kids[segment] = c
	}
	return c
}

// names are the segments below n, sorted.
func (n *node) names() []string {
	if n.sorted == nil && len(n.kids) > 0 {
		n.sorted = make([]string, 0, len(n.kids))
		for k := range n.kids {
			n.sorted = append(n.sorted, k)
		}
		sort.Strings(n.sorted)
	}
	return n.sorted
}

// join merges nodes that are values of one parameter. Each literal below it
// remembers under how many of the values it was seen.
func join(nodes []*node, segment string) *node {
	if len(nodes) == 1 {
		return nodes[0]
	}
	r := &node{segment: segment, kids: map[string]*node{}, ops: map[string]*operation{}}
	groups := map[string][]*node{}
	for _, n := range nodes {
		r.hits += n.hits
		r.ends = append(r.ends, n.ends...)
		r.seen.add(n.seen)
		for m, o := range n.ops {
			r.operation(m).add(o)
		}
		for k, c := range n.kids {
			groups[k] = append(groups[k], c)
		}
	}
	for k, g := range groups {
		r.kids[k] = join(g, k)
		if len(g) > 1 {
			r.kids[k].seen.parents = max(r.kids[k].seen.parents, len(g))
		}
	}
	return r
}

func (n *node) operation(method string) *operation {
	o := n.ops[method]
	if o == nil {
		o = &operation{keys: map[string]bool{}}
		n.ops[method] = o
	}
	return o
}

func (o *operation) add(other *operation) {
	o.hits += other.hits
	o.missing += other.missing
	for k := range other.keys {
		o.keys[k] = true
	}
}

// maxKeyDepth bounds the key paths that responses are compared by.
const maxKeyDepth = 3

// keyPaths adds the paths of the object keys of s to out.
func keyPaths(s *schema.Shape, prefix string, depth int, out map[string]bool) {
	if s == nil || depth > maxKeyDepth {
		return
	}
	if s.Objects != nil {
		for k, p := range s.Objects.Properties {
			path := prefix + "." + k
			out[path] = true
			keyPaths(p, path, depth+1, out)
		}
		keyPaths(s.Objects.Entries, prefix+".*", depth+1, out)
	}
	if s.Arrays != nil {
		keyPaths(s.Arrays.Items, prefix+"[]", depth+1, out)
	}
}

// isPlaceholder says whether a segment holds a "{class}".
func isPlaceholder(segment string) bool { return strings.IndexByte(segment, '{') >= 0 }

// suffixes are the routes below a node as far as they can be compared, each
// method, tab, "/a/{}/b".
type suffixes struct {
	// all; literal: the first segment after the node is one; later: a
	// parameter comes first, and a literal after it.
	all, literal, later []string
}

// below returns the routes below n, with what may be a parameter masked.
func (in *inference) below(n *node) *suffixes {
	if n.suffix != nil && n.round == in.round {
		return n.suffix
	}
	s := &suffixes{}
	for m := range n.ops {
		s.all = append(s.all, m+"\t")
	}
	for k, c := range n.kids {
		seg := "/" + in.mask(k)
		if in.value(c) {
			seg = "/{}"
		}
		for _, l := range in.below(c).all {
			i := strings.LastIndexByte(l, '\t')
			s.all = append(s.all, l[:i+1]+seg+l[i+1:])
		}
	}
	slices.Sort(s.all)
	s.all = slices.Compact(s.all)
	for _, l := range s.all {
		path := l[strings.LastIndexByte(l, '\t')+1:]
		switch {
		case path == "":
		case path[1] != '{':
			s.literal = append(s.literal, l)
		case hasLiteral(path):
			s.later = append(s.later, l)
		}
	}
	n.suffix, n.round = s, in.round
	return s
}

// value says whether a response gives a segment away as a value of its place,
// whatever its words are.
func (in *inference) value(n *node) bool {
	if isPlaceholder(n.segment) {
		return true
	}
	l := in.look(n.segment)
	return n.seen.listed() || n.seen.far > 0 && !l.known() || n.seen.echoed() && !l.common() || n.seen.id && !l.known()
}

// listed says whether the paths above named the value, and not only one of
// them that happens to hold the same word.
func (e *segmentEvidence) listed() bool { return e.above*2 > e.hits }

// echoed says the same of the responses to the value's own paths.
func (e *segmentEvidence) echoed() bool {
	if e.own == 0 {
		return false
	}
	if e.bodies == 0 {
		return e.own*8 > e.chances
	}
	return e.ended*2 > e.bodies
}

// silent says whether responses that could have held the value never did.
func (e *segmentEvidence) silent() bool {
	return e.own == 0 && !e.id && e.above == 0 && e.chances >= manyChances
}

// manyChances is how many responses without a value are no accident.
const manyChances = 12

func hasLiteral(path string) bool {
	for i := 0; i+1 < len(path); i++ {
		if path[i] == '/' && path[i+1] != '{' {
			return true
		}
	}
	return false
}

// common counts the elements of two sorted lists that are in both.
func common(a, b []string) int {
	n := 0
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch strings.Compare(a[i], b[j]) {
		case 0:
			n, i, j = n+1, i+1, j+1
		case -1:
			i++
		default:
			j++
		}
	}
	return n
}
