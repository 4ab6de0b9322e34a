package compiler

import (
	"bytes"
	"cmp"
	"slices"
	"strings"

	"github.com/tomallicino/caskmcp/capture"
	"github.com/tomallicino/caskmcp/schema"
	"github.com/tomallicino/caskmcp/surface"
)

// endpointKey is what makes two exchanges the same operation: a surface
// identity without the fixed values of toolpack.yaml.
type endpointKey struct {
	method, scheme, host string
	port                 int
	template             string // names erased
	operation            string // "graphql:query Name", "jsonrpc:name"
}

func (k endpointKey) binding() surface.Binding {
	b := surface.Binding{Method: k.method, Scheme: k.scheme, Host: k.host, Port: k.port, Path: k.template}
	if kind, name, ok := strings.Cut(k.operation, ":"); ok {
		b.Operation = &surface.Operation{Kind: kind, Name: name}
	}
	return b
}

// identity is the surface identity of a tool without fixed values.
func (k endpointKey) identity() string { return k.binding().Identity() }

// request is the endpoint for people.
func (k endpointKey) request() string { return k.binding().Request() }

func compareKeys(a, b endpointKey) int {
	return cmp.Or(strings.Compare(a.host, b.host), strings.Compare(a.template, b.template), strings.Compare(a.method, b.method),
		strings.Compare(a.operation, b.operation), strings.Compare(a.scheme, b.scheme), cmp.Compare(a.port, b.port))
}

// endpoint is everything that is known about one operation.
type endpoint struct {
	key endpointKey
	// obs are the observations of all captures, merged.
	obs []capture.Observation
	// seen holds the observations of each capture that has any: what
	// contradicts an approved definition is judged by capture.
	seen [][]capture.Observation
	// known holds the observations of each of Options.Known, and specified
	// says that one of them declares the operation.
	known     [][]capture.Observation
	specified bool
	captures  []string // names, sorted
	declared  *capture.Declaration
	prior     *surface.PriorEntry // the decision about this operation
	name      string
	// holes are the names of the path parameters, in order, before they are
	// made unique.
	holes []string
	// places are those parameters with the evidence of all paths that share
	// them, listings the tools that list their values.
	places   []*hole
	listings []listing
	said     *nouns
	// base is the name without the rename of toolpack.yaml.
	base string
	// shared says that another method does the same to the same path.
	shared bool
	// hosts says that the surface has more than one host.
	hosts bool
	// holds says that what the path leads to holds things with paths of their
	// own, held that it is one of those.
	holds, held bool
	// mirror says that this POST reads what a GET of the same path reads.
	mirror bool
}

// exchanges is how often the endpoint was called.
func (e *endpoint) exchanges() int { return exchanges(e.obs) }

func exchanges(obs []capture.Observation) int {
	n := 0
	for _, o := range obs {
		n += o.Count
	}
	return n
}

// succeeded reports whether o is a group of successful exchanges.
func succeeded(o capture.Observation) bool { return o.Status >= 200 && o.Status < 300 && !o.Failed }

// successes are the successful observations.
func successes(obs []capture.Observation) []capture.Observation {
	var out []capture.Observation
	for _, o := range obs {
		if succeeded(o) {
			out = append(out, o)
		}
	}
	return out
}

// isJSON reports whether the media type is JSON (RFC 8259, RFC 6839).
func isJSON(mediaType string) bool {
	return mediaType == "application/json" || mediaType == "text/json" || strings.HasSuffix(mediaType, "+json")
}

// successShape is the shape of the JSON bodies of successful responses, nil
// without any. Bodies of errors never reach it.
func successShape(obs []capture.Observation) *schema.Shape {
	var shape *schema.Shape
	for _, o := range obs {
		if succeeded(o) && o.Response != nil && (isJSON(o.ResponseType) || o.ResponseType == "" || o.Response.Objects != nil) {
			shape = schema.Merge(shape, o.Response)
		}
	}
	return shape
}

// group gathers observations and declarations by operation.
func group(all []capture.Observation, templates []string, sealed []*capture.Capture, known map[capture.Key]string) []*endpoint {
	byKey := map[endpointKey]*endpoint{}
	at := func(k endpointKey) *endpoint {
		if byKey[k] == nil {
			byKey[k] = &endpoint{key: k}
		}
		return byKey[k]
	}
	for i, o := range all {
		e := at(keyOf(o, templates[i]))
		e.obs = append(e.obs, o)
	}
	for _, c := range sealed {
		perCapture := map[endpointKey][]capture.Observation{}
		for _, o := range c.Observations {
			k := keyOf(o, known[o.Key])
			perCapture[k] = append(perCapture[k], o)
		}
		for k, obs := range perCapture {
			e := at(k)
			e.seen = append(e.seen, obs)
			e.captures = append(e.captures, c.Name)
		}
		for i := range c.Declarations {
			at(declaredKey(c.Declarations[i])).declare(&c.Declarations[i], c.Name)
		}
	}
	out := make([]*endpoint, 0, len(byKey))
	for _, e := range byKey {
		slices.Sort(e.captures)
		e.captures = slices.Compact(e.captures)
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b *endpoint) int { return compareKeys(a.key, b.key) })
	return out
}

// declare adds a declaration. Of several, the first by its bytes holds, so that
// the order of captures does not matter.
func (e *endpoint) declare(d *capture.Declaration, source string) {
	e.captures = append(e.captures, source)
	if e.declared == nil || compareDeclarations(d, e.declared) < 0 {
		e.declared = d
	}
}

func compareDeclarations(a, b *capture.Declaration) int {
	if c := strings.Compare(a.OperationID, b.OperationID); c != 0 {
		return c
	}
	x, _ := encode(a)
	y, _ := encode(b)
	return bytes.Compare(x, y)
}

func keyOf(o capture.Observation, template string) endpointKey {
	return endpointKey{method: o.Method, scheme: o.Scheme, host: o.Host, port: o.Port, template: template, operation: o.Operation}
}

func declaredKey(d capture.Declaration) endpointKey {
	return endpointKey{method: d.Method, scheme: d.Scheme, host: d.Host, port: d.Port, template: surface.EraseNames(d.Path)}
}
