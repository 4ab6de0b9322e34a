package compiler

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tomallicino/caskmcp/surface"
)

// roles are argument names whose meaning is the same everywhere.
var roles = map[string]string{
	"page": "page", "page_number": "page", "page_no": "page", "pageno": "page", "current_page": "page",
	"per_page": "size", "page_size": "size", "pagesize": "size", "limit": "size", "max_results": "size", "maxresults": "size", "top": "size", "first": "size",
	"cursor": "cursor", "page_token": "cursor", "next_token": "cursor", "after": "cursor", "before": "cursor", "starting_after": "cursor",
	"ending_before": "cursor", "continue": "cursor", "continuation_token": "cursor", "marker": "cursor",
	"offset": "offset", "skip": "offset", "from_index": "offset",
	"q": "search text", "search": "search text", "query": "search text", "keyword": "search text", "keywords": "search text",
	"sort": "sort", "sort_by": "sort", "order_by": "sort", "order": "sort", "orderby": "sort", "direction": "sort", "sort_order": "sort",
	"fields": "fields", "include": "fields", "expand": "fields", "select": "fields",
}

// describe gives every argument without a text one.
func (in *inputs) describe(e *endpoint) {
	has := map[string]bool{}
	for _, a := range in.arguments {
		has[a.Key] = true
	}
	names := holes(in.path)
	for i := range in.arguments {
		a := &in.arguments[i]
		if a.In == surface.InPath {
			a.describeID(e, slices.Index(names, a.Key))
			continue
		}
		a.describe(has["start"] && has["end"], effectOf(e) == surface.Read)
	}
}

// describe says what the argument is. What a sealed enum says of its values
// stays. ranged says that there are a start and an end, reads that the call
// changes nothing, so that its body is a query.
func (a *argument) describe(ranged, reads bool) {
	seen, _ := a.schema["description"].(string)
	if a.description != "" {
		return
	}
	words := nameWords(a.Key)
	role := roles[strings.Join(words, "_")]
	text := ""
	switch {
	case a.In == surface.InBody && a.Key == "":
		text = texts["body"]
	case role != "" && (a.In == surface.InQuery || a.In == surface.InBody && reads):
		text = texts[role]
	case ranged && (a.Key == "start" || a.Key == "end"):
		text = texts[a.Key]
	case a.In == surface.InQuery && a.Name != a.Key:
		text = fmt.Sprintf(texts["query parameter"], printable(a.Key))
	case len(words) > 1 && words[len(words)-1] == "id":
		text = fmt.Sprintf(texts["identifies"], clip(strings.Join(words[:len(words)-1], " "), 60))
	}
	a.description = strings.TrimSpace(text + " " + seen)
}

// describeID says where the values of a path parameter come from.
func (a *argument) describeID(e *endpoint, place int) {
	if place < 0 || place >= len(e.listings) || e.listings[place].tool == "" {
		return
	}
	h := pathHoles(e.key.template, e.obs)[place]
	if a.description != h.describe() {
		return // a specification's own text
	}
	from := e.listings[place]
	text := fmt.Sprintf(texts["from"], from.tool, from.key)
	if noun := strings.Join(singularLast(h.parent), " "); noun != "" {
		text = fmt.Sprintf(texts["identifies from"], noun, from.tool, from.key)
	}
	a.description = text + h.form()
}

// describe says what a path parameter identifies and what it looks like.
func (h *hole) describe() string {
	text := texts["identifies nothing"]
	if noun := strings.Join(singularLast(h.parent), " "); noun != "" {
		text = fmt.Sprintf(texts["identifies"], noun)
	}
	return text + h.form()
}

func (h *hole) form() string {
	switch class := h.class(); class {
	case "uuid", "ulid", "jwt", "email", "date", "ipv4", "ipv6", "semver", "locale":
		return " " + fmt.Sprintf(texts["form"], class)
	}
	return ""
}

// listing is a tool that returns the values of a path parameter, and the JSON
// key they are under.
type listing struct{ tool, key string }

// trace finds, for every path parameter, the tool that lists its values: the
// GET of the collection before it, whose items hold what responses repeat of
// the value under the same key. It returns the endpoints for which it found
// one. listed says whether a tool is part of the surface, and its name there.
func trace(eps []*endpoint, listed func(*endpoint) (string, bool)) []*endpoint {
	gets := map[string]*endpoint{}
	for _, e := range eps {
		if e.key.method == "GET" && e.key.operation == "" {
			gets[e.origin()+e.key.template] = e
		}
	}
	var found []*endpoint
	for _, e := range eps {
		listings := make([]listing, len(e.places))
		some := false
		for i, h := range e.places {
			collection, ok := strings.CutSuffix(h.prefix, "/{}#0")
			list := gets[e.origin()+collection]
			if !ok || list == nil {
				continue
			}
			tool, ok := listed(list)
			if key := h.listedAs(list); ok && key != "" {
				listings[i], some = listing{tool, key}, true
			}
		}
		if some {
			e.listings = listings
			found = append(found, e)
		}
	}
	return found
}

// listedAs is the key under which the items of a list hold what identifies
// them, by the keys under which responses repeat the parameter's value.
func (h *hole) listedAs(list *endpoint) string {
	items := itemsOf(successShape(list.obs), strings.Join(list.nouns().object, "_"))
	if items == nil || items.Objects == nil || len(h.echoes) == 0 {
		return ""
	}
	noun := strings.Join(singularLast(h.parent), "_")
	most := slices.Max(slices.Collect(maps.Values(h.echoes)))
	best, rank := "", 4
	for _, name := range slices.Sorted(maps.Keys(items.Objects.Properties)) {
		key := snake(name)
		if n := h.echoes[key]; n == 0 || !mostly(n, most) || !plainName(name) {
			continue
		}
		if r := h.keyRank(key, noun); r < rank || r == rank && best != "" && cmp.Compare(h.echoes[key], h.echoes[snake(best)]) > 0 {
			best, rank = name, r
		}
	}
	return best
}
