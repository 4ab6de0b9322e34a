package capture

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/tomallicino/caskmcp/schema"
)

// maxDistinct is how many different values of a placeholder are told apart.
const maxDistinct = 256

// group collects the exchanges of one Key.
type group struct {
	count          int
	segments       map[int]*segmentGroup
	query          map[string]*Parameter
	headers        map[string]*Parameter
	request        *schema.Shape
	requestBodies  int
	response       *schema.Shape
	responseBodies int
	auth           map[Auth]int
	traits         map[string]int
	document       string
	sources        map[string]bool
	// literals are the hashes of the path's literal segments, by index, for
	// the echoes that are known only at the end.
	literals []uint64
}

type segmentGroup struct {
	classes  map[string]int
	distinct map[uint64]struct{}
	echoOwn  int
	echoKeys map[string]int
}

func newGroup() *group {
	return &group{auth: make(map[Auth]int, 1), sources: make(map[string]bool, 1)}
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

func (s *segmentGroup) merge(o *segmentGroup) {
	s.classes = sum(s.classes, o.classes)
	for hash := range o.distinct {
		s.see(hash)
	}
	s.echoOwn += o.echoOwn
	s.echoKeys = sum(s.echoKeys, o.echoKeys)
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

// merge adds the exchanges of o.
func (g *group) merge(o *group) {
	g.count += o.count
	for i, s := range o.segments {
		g.segment(i).merge(s)
	}
	mergeParameters(&g.query, o.query)
	mergeParameters(&g.headers, o.headers)
	g.request = mergeShapes(g.request, o.request)
	g.response = mergeShapes(g.response, o.response)
	g.requestBodies += o.requestBodies
	g.responseBodies += o.responseBodies
	for a, n := range o.auth {
		g.auth[a] += n
	}
	g.traits = sum(g.traits, o.traits)
	g.document = lesser(g.document, o.document)
	maps.Copy(g.sources, o.sources)
}

func mergeParameters(to *map[string]*Parameter, from map[string]*Parameter) {
	for name, p := range from {
		q := parameter(to, name)
		q.Count += p.Count
		q.Repeated += p.Repeated
		q.Shape.Add(p.Shape)
	}
}

func mergeShapes(a, b *schema.Shape) *schema.Shape {
	switch {
	case b == nil:
		return a
	case a == nil:
		return b
	}
	a.Add(b)
	return a
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
	for i, hash := range g.literals {
		s := Segment{Index: i}
		if own := g.segments[i]; own != nil {
			s.Classes, s.Distinct, s.EchoOwn, s.EchoKeys = own.classes, len(own.distinct), own.echoOwn, own.echoKeys
		}
		if hash != 0 {
			s.EchoAny, s.EchoID = seen.has(hash)
		}
		if s.Distinct > 0 || s.EchoOwn > 0 || s.EchoAny {
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
		cmp.Compare(a.Status, b.Status), strings.Compare(a.RequestType, b.RequestType), strings.Compare(a.ResponseType, b.ResponseType),
	)
}
