package capture

import (
	"bytes"
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/tomallicino/caskmcp/schema"
)

// Merge returns the capture of all that cs saw and changes none of them. It is
// commutative and associative; nil is its unit. The name is the first of the
// names in order, and the result is sealed if all are. Where a placeholder's
// different values are counted, the larger count is kept; of what was inferred
// about a place, the surer.
func Merge(cs ...*Capture) *Capture {
	out := &Capture{Version: FormatVersion, Sealed: true, Hosts: []string{}, Observations: []Observation{}}
	byKey := make(map[Key]*Observation)
	dropped := make(map[string]int)
	declared := declarations{first: make(map[Key]int), known: make(map[string]bool)}
	some := false
	for _, c := range cs {
		if c == nil {
			continue
		}
		some = true
		out.Name = lesser(out.Name, c.Name)
		out.Sealed = out.Sealed && c.Sealed
		out.Hosts = append(out.Hosts, c.Hosts...)
		out.Identifiers = append(out.Identifiers, c.Identifiers...)
		out.Inferred = append(out.Inferred, c.Inferred...)
		for i := range c.Observations {
			o := &c.Observations[i]
			if to := byKey[o.Key]; to != nil {
				to.add(o)
			} else {
				to = &Observation{Key: o.Key}
				to.add(o)
				byKey[o.Key] = to
			}
		}
		for _, d := range c.Declarations {
			declared.add(d)
		}
		for _, d := range c.Dropped {
			dropped[d.Reason] += d.Count
		}
	}
	out.Sealed = out.Sealed && some
	for _, o := range byKey {
		out.Observations = append(out.Observations, *o)
	}
	out.Declarations = declared.list
	for reason, n := range dropped {
		out.Dropped = append(out.Dropped, Dropped{Reason: reason, Count: n})
	}
	out.sort()
	return out
}

// sort puts every slice of c into its order.
func (c *Capture) sort() {
	slices.Sort(c.Hosts)
	c.Hosts = slices.Compact(c.Hosts)
	slices.Sort(c.Identifiers)
	c.Identifiers = slices.Compact(c.Identifiers)
	c.Inferred = surest(c.Inferred)
	slices.SortFunc(c.Observations, func(a, b Observation) int { return compareKeys(a.Key, b.Key) })
	slices.SortFunc(c.Dropped, func(a, b Dropped) int { return strings.Compare(a.Reason, b.Reason) })
	slices.SortStableFunc(c.Declarations, func(a, b Declaration) int {
		if o := cmp.Or(strings.Compare(a.Host, b.Host), strings.Compare(a.Path, b.Path), strings.Compare(a.Method, b.Method), strings.Compare(a.Scheme, b.Scheme)); o != 0 {
			return o
		}
		return strings.Compare(declarationKey(a), declarationKey(b))
	})
}

// declarationKey tells equal declarations, and orders those of one operation.
// It writes the whole declaration, so it is for ties.
func declarationKey(d Declaration) string {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	// Schemas are valid JSON; one that is not has no order of its own.
	_ = enc.Encode(d)
	return d.Host + "\x00" + d.Path + "\x00" + d.Method + "\x00" + d.Scheme + "\x00" + buf.String()
}

// declarations are different ones: equal ones are one.
type declarations struct {
	list  []Declaration
	first map[Key]int     // by operation, into list
	known map[string]bool // by declarationKey, of operations that have several
}

func (ds *declarations) add(d Declaration) {
	operation := Key{Method: d.Method, Scheme: d.Scheme, Host: d.Host, Port: d.Port, Path: d.Path}
	if i, ok := ds.first[operation]; ok {
		ds.known[declarationKey(ds.list[i])] = true
		key := declarationKey(d)
		if ds.known[key] {
			return
		}
		ds.known[key] = true
	} else {
		ds.first[operation] = len(ds.list)
	}
	ds.list = append(ds.list, d)
}

// add adds the exchanges of other, which it does not change or keep parts of.
func (o *Observation) add(other *Observation) {
	o.Count += other.Count
	o.Segments = addSegments(o.Segments, other.Segments)
	o.Query = addParameters(o.Query, other.Query)
	o.Headers = addParameters(o.Headers, other.Headers)
	if other.Request != nil {
		o.Request = schema.Merge(o.Request, other.Request)
	}
	if other.Response != nil {
		o.Response = schema.Merge(o.Response, other.Response)
	}
	o.RequestBodies += other.RequestBodies
	o.ResponseBodies += other.ResponseBodies
	o.Auth = addAuth(o.Auth, other.Auth)
	o.Traits = sum(o.Traits, other.Traits)
	o.Document = lesser(o.Document, other.Document)
	o.Sources = append(slices.Clone(o.Sources), other.Sources...)
	slices.Sort(o.Sources)
	o.Sources = slices.Compact(o.Sources)
}

func addSegments(to, from []Segment) []Segment {
	byIndex := make(map[int]Segment, len(to)+len(from))
	for _, s := range to {
		byIndex[s.Index] = s
	}
	for _, s := range from {
		own := byIndex[s.Index]
		byIndex[s.Index] = Segment{
			Index:    s.Index,
			Classes:  sum(maps.Clone(own.Classes), s.Classes),
			Distinct: max(own.Distinct, s.Distinct),
			Slashes:  own.Slashes + s.Slashes,
			EchoOwn:  own.EchoOwn + s.EchoOwn,
			EchoKeys: sum(maps.Clone(own.EchoKeys), s.EchoKeys),
			EchoID:   own.EchoID || s.EchoID,
			EchoAny:  own.EchoAny || s.EchoAny,

			EchoAbove:   own.EchoAbove + s.EchoAbove,
			EchoAboveID: own.EchoAboveID + s.EchoAboveID,
			EchoFar:     own.EchoFar + s.EchoFar,

			Sent:       own.Sent + s.Sent,
			JoinedHead: own.JoinedHead + s.JoinedHead,
			JoinedTail: own.JoinedTail + s.JoinedTail,
			JoinedOwn:  own.JoinedOwn + s.JoinedOwn,
		}
	}
	return slices.SortedFunc(maps.Values(byIndex), func(a, b Segment) int { return a.Index - b.Index })
}

func addParameters(to, from []Parameter) []Parameter {
	byName := make(map[string]Parameter, len(to)+len(from))
	for _, p := range to {
		byName[p.Name] = p
	}
	for _, p := range from {
		own := byName[p.Name]
		p.Count += own.Count
		p.Repeated += own.Repeated
		p.Distinct = max(p.Distinct, own.Distinct)
		p.Words = sum(maps.Clone(own.Words), p.Words)
		if p.Shape != nil || own.Shape != nil {
			p.Shape = schema.Merge(p.Shape, own.Shape)
		}
		byName[p.Name] = p
	}
	return slices.SortedFunc(maps.Values(byName), func(a, b Parameter) int { return strings.Compare(a.Name, b.Name) })
}

func addAuth(to, from []Auth) []Auth {
	counts := make(map[Auth]int, len(to)+len(from))
	for _, list := range [][]Auth{to, from} {
		for _, a := range list {
			n := a.Count
			a.Count = 0
			counts[a] += n
		}
	}
	var out []Auth
	for a, n := range counts {
		a.Count = n
		out = append(out, a)
	}
	slices.SortFunc(out, compareAuth)
	return out
}
