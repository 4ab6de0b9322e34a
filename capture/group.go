package capture

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/tomallicino/caskmcp/schema"
)

// maxDistinct is how many different values of a placeholder are told apart.
const maxDistinct = 256

// groups are the groups of an import, which its workers share: each of their
// own would hold most of them twice.
type groups struct {
	mu    sync.Mutex
	byKey map[Key]*group
}

// get returns the group of a key, whose path has these segments.
func (gs *groups) get(k Key, segments []segment) *group {
	gs.mu.Lock()
	defer gs.mu.Unlock()
	if g := gs.byKey[k]; g != nil {
		return g
	}
	// Keys must not keep the text of the entry in memory.
	k.Method, k.Path, k.Operation = strings.Clone(k.Method), strings.Clone(k.Path), strings.Clone(k.Operation)
	k.Host, k.Scheme = strings.Clone(k.Host), strings.Clone(k.Scheme)
	k.RequestType, k.ResponseType = strings.Clone(k.RequestType), strings.Clone(k.ResponseType)
	g := &group{auth: make(map[Auth]int, 1), sources: make(map[string]bool, 1), literals: make([]uint64, len(segments)), above: make([][]uint64, len(segments)), sent: make([]uint64, len(segments))}
	for i, s := range segments {
		if !strings.HasPrefix(s.text, "{") && echoable(s.value) {
			g.literals[i] = echoHash(k.Host, s.value)
			g.above[i] = hashesAbove(k.Host, segments, i)
			g.sent[i] = echoHash(k.Host+sentNames, s.value)
		}
	}
	g.joined = joinedTexts(k.Host, segments, g.literals)
	gs.byKey[k] = g
	return g
}

// hashesAbove are the hashes of a segment's value as one that a path above it
// answered with, the longest path last.
func hashesAbove(host string, segments []segment, index int) []uint64 {
	out := make([]uint64, 0, index)
	for n := 1; n <= index; n++ {
		out = append(out, echoHash(host+joinPath(segments[:n], false), segments[index].value))
	}
	return out
}

// group collects the exchanges of one Key.
type group struct {
	mu             sync.Mutex
	count          int
	segments       map[int]*segmentGroup
	query          map[string]*Parameter
	headers        map[string]*Parameter
	headerValues   map[string]map[uint64]struct{} // of successful exchanges, by name
	request        *schema.Shape
	requestBodies  int
	response       *schema.Shape
	responseBodies int
	auth           map[Auth]int
	traits         map[string]int
	document       string
	numbers        bool // documents differed, in numbers: all else is in the key
	sources        map[string]bool
	// literals are the hashes of the path's literal segments, by index, for
	// the echoes that are known only at the end.
	literals []uint64
	// above has, for each literal, its hashes as a value that a path above it
	// answered with.
	above [][]uint64
	// sent are the hashes of literals as names that people gave, joined those
	// of what they are as one text.
	sent   []uint64
	joined []joinedText
}

type segmentGroup struct {
	classes  map[string]int
	distinct map[uint64]struct{}
	slashes  int
	echoOwn  int
	echoKeys map[string]int
	// joinedOwn counts responses that held the value joined with its neighbours.
	joinedOwn int
}

func (g *group) segment(i int) *segmentGroup {
	if g.segments == nil {
		g.segments = make(map[int]*segmentGroup)
	}
	s := g.segments[i]
	if s == nil {
		s = &segmentGroup{}
		g.segments[i] = s
	}
	return s
}

func (s *segmentGroup) value(class string, hash uint64) {
	if s.classes == nil {
		s.classes = make(map[string]int, 1)
	}
	s.classes[class]++
	s.see(hash)
}

func (s *segmentGroup) see(hash uint64) {
	if s.distinct == nil {
		s.distinct = make(map[uint64]struct{}, 1)
	}
	if len(s.distinct) < maxDistinct {
		s.distinct[hash] = struct{}{}
	}
}

func parameter(to *map[string]*Parameter, name string) *Parameter {
	if *to == nil {
		*to = make(map[string]*Parameter)
	}
	p := (*to)[name]
	if p == nil {
		name = strings.Clone(name)
		p = &Parameter{Name: name, Shape: &schema.Shape{}}
		(*to)[name] = p
	}
	return p
}

// addDocument keeps the first text in order. Where those of an anonymous operation
// differ, none of them says what will be asked for.
func (g *group) addDocument(op operation) {
	if g.document != "" && op.document != g.document && strings.Contains(op.name, "#") {
		g.numbers = true
	}
	g.document = lesser(g.document, op.document)
}

// sum adds the counts of b to a.
func sum(a, b map[string]int) map[string]int {
	if a == nil && len(b) > 0 {
		a = make(map[string]int, len(b))
	}
	for name, n := range b {
		a[name] += n
	}
	return a
}

// lesser is the first of two texts in order; an empty one does not count.
func lesser(a, b string) string {
	if a == "" || b != "" && b < a {
		return b
	}
	return a
}

// observation is the group's part of a capture.
func (g *group) observation(k Key, seen *echoes) Observation {
	o := Observation{
		Key: k, Count: g.count,
		Query: parameters(g.query), Headers: parameters(g.headers),
		Request: g.request, RequestBodies: g.requestBodies, Response: g.response, ResponseBodies: g.responseBodies,
		Traits: g.traits, Document: g.document, Sources: slices.Sorted(maps.Keys(g.sources)),
	}
	if g.numbers {
		o.Traits = maps.Clone(o.Traits)
		if o.Traits == nil {
			o.Traits = make(map[string]int, 1)
		}
		o.Traits[TraitLiterals] = g.count
	}
	for i, hash := range g.literals {
		s := Segment{Index: i}
		if own := g.segments[i]; own != nil {
			s.Classes, s.Distinct, s.EchoOwn, s.EchoKeys = own.classes, len(own.distinct), own.echoOwn, own.echoKeys
			s.Slashes, s.JoinedOwn = own.slashes, own.joinedOwn
		}
		if hash != 0 {
			s.EchoAny, s.EchoID = seen.has(hash)
		}
		g.listed(&s, seen)
		g.given(&s, seen)
		if s.Distinct > 0 || s.EchoOwn > 0 || s.EchoAny || s.EchoAbove > 0 || s.EchoFar > 0 || s.Slashes > 0 || s.Sent+s.JoinedHead+s.JoinedTail+s.JoinedOwn > 0 {
			o.Segments = append(o.Segments, s)
		}
	}
	for a, n := range g.auth {
		a.Count = n
		o.Auth = append(o.Auth, a)
	}
	slices.SortFunc(o.Auth, compareAuth)
	return o
}

// listed fills in whether paths above a segment answered with its value.
func (g *group) listed(s *Segment, seen *echoes) {
	above := g.above[s.Index]
	for n, hash := range above {
		held, id := seen.has(hash)
		switch {
		case !held:
		case n < len(above)-1:
			s.EchoFar = g.count
		default:
			s.EchoAbove, s.EchoFar = g.count, 0
			if id {
				s.EchoAboveID = g.count
			}
		}
	}
}

// given fills in whether bodies say that people gave a segment its name.
func (g *group) given(s *Segment, seen *echoes) {
	if hash := g.sent[s.Index]; hash != 0 {
		if sent, _ := seen.has(hash); sent {
			s.Sent = g.count
		}
	}
	for _, t := range g.joined {
		if s.Index < t.first || s.Index >= t.end {
			continue
		}
		if held, _ := seen.has(t.hash); !held {
			continue
		}
		if s.Index == t.first {
			s.JoinedHead = g.count
		} else {
			s.JoinedTail = g.count
		}
	}
}

func parameters(in map[string]*Parameter) []Parameter {
	var out []Parameter
	for _, p := range in {
		out = append(out, *p)
	}
	slices.SortFunc(out, func(a, b Parameter) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// compareKeys orders observations.
func compareKeys(a, b Key) int {
	return cmp.Or(
		strings.Compare(a.Host, b.Host), cmp.Compare(a.Port, b.Port), strings.Compare(a.Scheme, b.Scheme),
		strings.Compare(a.Path, b.Path), strings.Compare(a.Method, b.Method), strings.Compare(a.Operation, b.Operation),
		cmp.Compare(a.Status, b.Status), compareBools(a.Failed, b.Failed), strings.Compare(a.RequestType, b.RequestType), strings.Compare(a.ResponseType, b.ResponseType),
	)
}

func compareBools(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}
