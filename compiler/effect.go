package compiler

import (
	"strings"

	"github.com/tomallicino/caskmcp/surface"
)

var (
	// lookups are last path words that make a POST a read.
	lookups = wordSet("search query find lookup filter list count autocomplete suggest suggestions typeahead msearch graphql_query preview estimate explain")
	// changes are last path words that make a GET more than a read.
	changes = wordSet(`logout signout delete remove destroy unsubscribe cancel approve reject disable enable activate deactivate
		reset revoke restart shutdown reboot purge`)
	// destructions are last path words of calls that cannot be undone.
	destructions = wordSet("delete destroy purge wipe erase remove truncate drop terminate delete_all bulk_delete batch_delete delete_series")
	// readMethods begin the names of JSON-RPC methods that read.
	readMethods = wordSet("get list find search query count fetch describe lookup show")
)

// effectOf is what a call does, by the evidence of method, operation and the
// last word of the path. Where nothing says that it is a read, it is a write.
func effectOf(k endpointKey) surface.Effect {
	if kind, name, ok := strings.Cut(k.operation, ":"); ok {
		return operationEffect(kind, name)
	}
	last := lastWord(k.template)
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
		case destructions[last]:
			return surface.Destructive
		case lookups[last]:
			return surface.Read
		}
	}
	return surface.Write
}

func operationEffect(kind, name string) surface.Effect {
	if kind == "graphql" {
		if strings.HasPrefix(name, "query") {
			return surface.Read
		}
		return surface.Write
	}
	ws := nameWords(name)
	for _, w := range ws {
		if destructions[w] {
			return surface.Destructive
		}
	}
	// Methods are "namespace_verbNoun", "verb_noun" or "namespace.verb".
	for i, w := range ws {
		if readMethods[w] && i <= 1 {
			return surface.Read
		}
	}
	return surface.Write
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
