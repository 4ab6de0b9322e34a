package compiler

import (
	"slices"
	"strings"

	"github.com/tomallicino/caskmcp/capture"
	"github.com/tomallicino/caskmcp/surface"
)

var (
	// lookups are last path words that make a POST a read.
	lookups = wordSet("search query find lookup filter list count autocomplete suggest suggestions typeahead msearch graphql_query preview estimate explain validate")
	// changes are last path words that make a GET more than a read.
	changes = wordSet(`logout signout delete remove destroy unsubscribe cancel approve reject disable enable activate deactivate
		reset revoke restart shutdown reboot purge`)
	// destructions are last path words of calls that cannot be undone.
	destructions = wordSet("delete destroy purge prune flush wipe erase remove truncate drop prune expunge terminate delete_all bulk_delete batch_delete delete_series")
	// readMethods begin the names of JSON-RPC methods that read.
	readMethods = wordSet("get list find search query count fetch describe lookup show")
	// writeMethods begin the names of those that do not, beside actionWords.
	writeMethods = wordSet(`append change decrement do drop increment insert make modify patch pop post prepend put store touch upsert write`)
)

// effectOf is what a call does, by the evidence of method, operation, the last
// word of the path, and what the GET of the same path returns. Where nothing
// says that it is a read, it is a write.
func effectOf(e *endpoint) surface.Effect {
	k := e.key
	if e.mirror {
		return surface.Read
	}
	if kind, name, ok := strings.Cut(k.operation, ":"); ok {
		return operationEffect(kind, name)
	}
	last := lastWord(k.template)
	first, _, _ := strings.Cut(last, "_")
	switch k.method {
	case "DELETE":
		return surface.Destructive
	case "GET", "HEAD":
		switch {
		case destructions[last]:
			return surface.Destructive
		case changes[last]:
			return surface.Write
		}
		return surface.Read
	case "QUERY":
		return surface.Read
	case "POST":
		switch {
		case destructions[last] || destructions[first]:
			return surface.Destructive
		case lookups[last] && answersNothing(e.obs):
			return surface.Write // what finds nothing looks for nothing
		case lookups[last]:
			return surface.Read
		}
	}
	return surface.Write
}

func operationEffect(kind, name string) surface.Effect {
	ws := nameWords(name)
	switch {
	case name == batch:
		return surface.Destructive // whatever the calls in it do
	case kind == "graphql" && strings.HasPrefix(name, "query"):
		return surface.Read
	case kind == "graphql" && len(ws) > 1 && destructions[ws[1]]:
		return surface.Destructive
	case kind == "graphql":
		return surface.Write
	}
	for _, w := range ws {
		if destructions[w] {
			return surface.Destructive
		}
	}
	if readsByName(name, ws) {
		return surface.Read
	}
	return surface.Write
}

// readsByName reports whether a JSON-RPC method says that it reads. Methods are
// "verb_noun", "verbNoun", "namespace.verb", "namespace_verbNoun" or
// "namespace_verb_noun"; where the first word is a verb, it is no namespace.
func readsByName(name string, ws []string) bool {
	switch {
	case len(ws) == 0:
		return false
	case readMethods[ws[0]]:
		return true
	case len(ws) == 1 || len(name) <= len(ws[0]) || !strings.ContainsRune("_-./:", rune(name[len(ws[0])])):
		return false
	}
	return readMethods[ws[1]] && !actionWords[ws[0]] && !imperatives[ws[0]] && !writeMethods[ws[0]]
}

// lastWord is the last literal segment or custom method of a template in snake
// case, "" when the template ends in a parameter.
func lastWord(template string) string {
	segs := segments(template)
	if len(segs) == 0 {
		return ""
	}
	s := segs[len(segs)-1]
	if s.action != "" {
		return s.action
	}
	if !s.literal() {
		return ""
	}
	return strings.Join(s.words, "_")
}

// answersNothing reports whether all successful answers were empty objects.
func answersNothing(obs []capture.Observation) bool {
	s := successShape(obs)
	return s != nil && s.Objects != nil && s.Total() == s.Objects.Count && len(s.Objects.Properties) == 0 && s.Objects.Entries == nil
}

// mirrors finds POSTs that exist because a query may be too long for a URL: a
// form with nothing but parameters that the GET of the path takes too,
// answered 200 with the same kind of object.
func mirrors(eps []*endpoint) {
	gets := map[endpointKey]*endpoint{}
	for _, e := range eps {
		if e.key.method == "GET" {
			gets[e.resource()] = e
		}
	}
	for _, e := range eps {
		if g := gets[e.resource()]; e.key.method == "POST" && g != nil && effectOf(g) == surface.Read {
			e.mirror = repeats(e, g)
		}
	}
}

func repeats(post, get *endpoint) bool {
	if bodyEncoding(post.obs) != "application/x-www-form-urlencoded" {
		return false
	}
	form, _, _ := requestShape(post.obs, "application/x-www-form-urlencoded")
	a, b := successShape(post.obs), successShape(get.obs)
	if !isRecord(form) || len(form.Objects.Properties) == 0 || !isRecord(a) || !isRecord(b) {
		return false
	}
	known := map[string]bool{}
	for _, o := range get.obs {
		for _, p := range o.Query {
			known[p.Name] = true
		}
	}
	shared := 0
	for name := range form.Objects.Properties {
		if known[name] {
			shared++
		}
	}
	if shared*2 < len(form.Objects.Properties) {
		return false
	}
	for name := range a.Objects.Properties {
		if b.Objects.Properties[name] == nil {
			return false
		}
	}
	return !created(post.obs)
}

func created(obs []capture.Observation) bool {
	return slices.ContainsFunc(obs, func(o capture.Observation) bool { return o.Status == 201 || o.Status == 202 })
}

// annotationsOf are the hints of MCP 2025-11-25 for an effect. All upstreams
// are an open world.
func annotationsOf(method string, effect surface.Effect) surface.Annotations {
	read := effect == surface.Read
	overwrites := method == "PUT" || method == "PATCH"
	return surface.Annotations{
		ReadOnly:    read,
		Destructive: effect == surface.Destructive || !read && overwrites,
		Idempotent:  read || method == "PUT" || method == "DELETE",
		OpenWorld:   true,
	}
}
