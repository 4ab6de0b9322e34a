package compiler

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/tomallicino/caskmcp/capture"
	"github.com/tomallicino/caskmcp/schema"
	"github.com/tomallicino/caskmcp/surface"
)

// batch is the operation of requests that hold several calls.
const batch = "batch"

// discriminate turns the parts of the body that say which operation is meant
// into fixed values: the agent sets variables or params only.
func (in *inputs) discriminate(e *endpoint) {
	kind, name, _ := strings.Cut(e.key.operation, ":")
	if name == batch {
		return // the whole body is the agent's
	}
	place := surface.InBody
	if e.key.method == "GET" {
		place = surface.InQuery
	}
	var free string
	switch kind {
	case "graphql":
		free = "variables"
		in.fix(place, "query", document(e))
		if _, operation, named := strings.Cut(name, " "); named {
			in.fix(place, "operationName", operation)
		}
	case "jsonrpc":
		free = "params"
		in.fix(place, "jsonrpc", "2.0")
		in.fix(place, "method", name)
		in.fix(place, "id", 1)
	default:
		return
	}
	in.arguments = slices.DeleteFunc(in.arguments, func(a argument) bool { return a.In == place && a.Key != free })
	for i := range in.arguments {
		if a := &in.arguments[i]; a.In == place {
			a.description = texts[free]
		}
	}
	if kind == "graphql" {
		in.typeVariables(e)
	}
	if place == surface.InBody && in.encoding == "" {
		in.encoding = "application/json"
	}
	slices.SortFunc(in.fixed, func(a, b surface.Fixed) int { return strings.Compare(a.Key, b.Key) })
}

func (in *inputs) fix(place, key string, value any) {
	if value == "" {
		return
	}
	doc, err := json.Marshal(value)
	if err != nil {
		return // strings and small integers always encode
	}
	in.fixed = append(in.fixed, surface.Fixed{In: place, Key: key, Value: doc})
}

// unrepeatable says why an operation inside a path cannot be called again as it
// was recorded; "" if it can.
func unrepeatable(e *endpoint) string {
	kind, name, _ := strings.Cut(e.key.operation, ":")
	switch {
	case kind == "jsonrpc" && strings.HasPrefix(name, "#"):
		return "a JSON-RPC method whose name looks like data, which is not kept"
	case kind != "graphql" || name == batch || len(e.obs) == 0:
		return ""
	case strings.HasPrefix(name, "subscription"):
		return "a GraphQL subscription, which has no single answer"
	case document(e) == "":
		return "a persisted GraphQL query, whose text was not recorded"
	case hasLiterals(e) && effectOf(e) != surface.Read:
		return "a GraphQL mutation with values in its text, which are not kept: record it with variables"
	}
	return ""
}

// hasLiterals reports whether values were in the text of a GraphQL operation
// whenever it was sent: they were taken out.
func hasLiterals(e *endpoint) bool {
	for _, o := range e.obs {
		if o.Traits[capture.TraitLiterals] < o.Count {
			return false
		}
	}
	return len(e.obs) > 0
}

// document is the text of a GraphQL operation; where captures differ in it,
// the one of most exchanges, the first by text of equals.
func document(e *endpoint) string {
	counts := map[string]int{}
	for _, o := range e.obs {
		if o.Document != "" {
			counts[o.Document] += o.Count
		}
	}
	return mostFrequent(counts)
}

// wrapped is a shape as the agent sees it: bodies that are no objects are
// served under a key (surface.Binding.Result).
func wrapped(s *schema.Shape, key string) *schema.Shape {
	if key == "" || s == nil {
		return s
	}
	return &schema.Shape{Objects: &schema.Objects{Count: s.Total(), Properties: map[string]*schema.Shape{key: s}}}
}
