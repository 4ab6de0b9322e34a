package compiler

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tomallicino/caskmcp/schema"
	"github.com/tomallicino/caskmcp/surface"
)

// Lengths of texts, in bytes. Every client puts them into the model's context.
const (
	maxDescription  = 1024
	maxArgumentText = 300
	maxFields       = 12
)

// texts are the templates of everything that is said about a tool. Approved
// tools keep theirs, so changing a template renames and rewrites nothing.
var texts = map[string]string{
	"resource": "the resource",
	"list":     "Lists %s.", "get": "Reads %s.", "create": "Creates %s.", "update": "Changes %s; fields that are not given stay as they are.",
	"replace": "Replaces %s as a whole.", "delete": "Deletes %s.", "search": "Searches %s.", "check": "Checks whether %s exists, without its content.",
	"post": "Posts to %s.", "action": "%s %s.", "call": "Calls %q.", "call on": "Calls %q on %s.",
	"of one": "%s of one %s", "one": "one %s", "a": "a new %s", "the": "the %s",
	"graphql read": "Runs the GraphQL query %s.", "graphql write": "Runs the GraphQL mutation %s.", "jsonrpc": "Calls the JSON-RPC method %s.",
	"object": "Returns an object with %s.", "array": "Returns an array of objects with %s.", "map": "Returns a map from keys to values.",
	"inside": "The results are under %q, objects with %s.", "empty": "Returns no content.", "media": "Returns %s.",
	"more": "%s and %d more fields", "paging": "Results come in pages; use %s to get more.", "paging link": "Results come in pages.",
	"changes": "This changes data.", "destroys": "This cannot be undone.", "deprecated": "Deprecated.",
	"identifies": "Identifies the %s.", "identifies nothing": "Part of the path.", "form": "Form: %s.",
	"page": "Which page of the results to return.", "size": "How many results to return at most.", "cursor": "Where to continue, as given by the page before.",
	"offset": "How many results to skip.", "search text": "What to search for.", "sort": "How to order the results.", "fields": "Which fields to return.",
	"query parameter": "Query parameter %q.", "body": "The request body.", "variables": "Variables of the GraphQL operation.", "params": "Parameters of the method.",
}

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

// describe gives an argument without a text one. What a sealed enum says of
// its values stays.
func (a *argument) describe() {
	seen, _ := a.schema["description"].(string)
	if a.description != "" {
		return
	}
	text := ""
	switch {
	case a.In == surface.InBody && a.Key == "":
		text = texts["body"]
	case a.In == surface.InQuery && roles[snake(a.Key)] != "":
		text = texts[roles[snake(a.Key)]]
	case a.In == surface.InQuery && a.Name != a.Key:
		text = fmt.Sprintf(texts["query parameter"], printable(a.Key))
	}
	a.description = strings.TrimSpace(text + " " + seen)
}

// describe says what a path parameter identifies and what it looks like.
func (h *hole) describe() string {
	noun := strings.Join(singularLast(h.parent), " ")
	text := texts["identifies nothing"]
	if noun != "" {
		text = fmt.Sprintf(texts["identifies"], noun)
	}
	switch class := h.class(); class {
	case "uuid", "ulid", "jwt", "email", "date", "ipv4", "ipv6", "semver", "locale":
		return text + " " + fmt.Sprintf(texts["form"], class)
	}
	return text
}

// titleOf is the name for people: "List user orders".
func titleOf(name string) string {
	title := strings.ReplaceAll(name, "_", " ")
	return strings.ToUpper(title[:1]) + title[1:]
}

// descriptionOf composes what a model reads about a tool.
func descriptionOf(e *endpoint, t *surface.Tool, in *inputs, out output) string {
	var parts []string
	if e.declared != nil && (e.declared.Summary != "" || e.declared.Description != "") {
		parts = append(parts, declaredText(e))
	} else {
		parts = append(parts, e.purpose())
	}
	parts = append(parts, returns(e, out), paging(e, in))
	switch t.Effect {
	case surface.Destructive:
		parts = append(parts, texts["destroys"])
	case surface.Write:
		if n := e.nouns(); n.action != "" || e.key.operation != "" {
			parts = append(parts, texts["changes"])
		}
	}
	if e.declared != nil && e.declared.Deprecated {
		parts = append(parts, texts["deprecated"])
	}
	parts = slices.DeleteFunc(parts, func(s string) bool { return s == "" })
	return clip(strings.Join(parts, " "), maxDescription)
}

// declaredText is the specification's own text: the summary, and the
// description where it is not the same.
func declaredText(e *endpoint) string {
	summary := sentence(clip(e.declared.Summary, maxArgumentText))
	text := sentence(clip(e.declared.Description, maxDescription/2))
	if text == "" || text == summary || strings.HasPrefix(text, strings.TrimSuffix(summary, ".")) && summary != "" {
		if text != "" {
			return text
		}
		return summary
	}
	return strings.TrimSpace(summary + " " + text)
}

func sentence(s string) string {
	if s == "" || strings.ContainsAny(s[len(s)-1:], ".!?…:") {
		return s
	}
	return s + "."
}

// purpose is the first sentence: what the call does, to what.
func (e *endpoint) purpose() string {
	if kind, name, ok := strings.Cut(e.key.operation, ":"); ok {
		if kind == "graphql" {
			mode := "graphql write"
			if strings.HasPrefix(name, "query") {
				mode = "graphql read"
			}
			_, op, named := strings.Cut(name, " ")
			if !named {
				op = name
			}
			return fmt.Sprintf(texts[mode], printable(op))
		}
		return fmt.Sprintf(texts["jsonrpc"], printable(name))
	}
	n := e.nouns()
	object := n.phrase()
	switch {
	case n.action == "" && n.verb == "create" && !n.plural:
		return fmt.Sprintf(texts["post"], object)
	case n.action == "":
		return fmt.Sprintf(texts[n.verb], object)
	case object == texts["resource"]:
		return fmt.Sprintf(texts["call"], strings.ReplaceAll(n.action, "_", " "))
	case strings.Contains(n.action, "_") || strings.HasPrefix(n.action, "log") || strings.HasPrefix(n.action, "sign"):
		return fmt.Sprintf(texts["call on"], strings.ReplaceAll(n.action, "_", " "), object)
	}
	return fmt.Sprintf(texts["action"], titleOf(thirdPerson(n.action)), object)
}

// thirdPerson is the verb as descriptions begin: cancel, cancels.
func thirdPerson(verb string) string {
	for _, end := range []string{"s", "sh", "ch", "x", "z", "o"} {
		if strings.HasSuffix(verb, end) {
			return verb + "es"
		}
	}
	if stem, ok := strings.CutSuffix(verb, "y"); ok && stem != "" && !strings.ContainsAny(stem[len(stem)-1:], "aeiou") {
		return stem + "ies"
	}
	return verb + "s"
}

// returns says what comes back.
func returns(e *endpoint, out output) string {
	s := out.shape
	if s == nil || s.Total() == 0 {
		switch {
		case len(e.obs) > 0 && out.accept == "" && len(successes(e.obs)) > 0:
			return texts["empty"]
		case out.accept != "" && !isJSON(out.accept):
			return fmt.Sprintf(texts["media"], printable(out.accept))
		}
		return ""
	}
	if s.Arrays != nil && s.Objects == nil {
		if fields := fieldList(s.Arrays.Items); fields != "" {
			return fmt.Sprintf(texts["array"], fields)
		}
		return ""
	}
	if s.Objects == nil {
		return ""
	}
	if s.Objects.Map || len(s.Objects.Properties) == 0 && s.Objects.Entries != nil {
		return texts["map"]
	}
	text := ""
	if fields := fieldList(s); fields != "" {
		text = fmt.Sprintf(texts["object"], fields)
	}
	if key, items := mainArray(s); key != "" && e.many() {
		if fields := fieldList(items); fields != "" {
			text += " " + fmt.Sprintf(texts["inside"], key, fields)
		}
	}
	return text
}

// mainArray is the only property that is an array of objects.
func mainArray(s *schema.Shape) (string, *schema.Shape) {
	found, items := "", (*schema.Shape)(nil)
	for name, p := range s.Objects.Properties {
		if p.Arrays == nil || p.Arrays.Items == nil || p.Arrays.Items.Objects == nil || !plainName(name) {
			continue
		}
		if found != "" {
			return "", nil
		}
		found, items = name, p.Arrays.Items
	}
	return found, items
}

// fieldList names the main fields of an object: ids and names first, then by
// how often they are there, then by name.
func fieldList(s *schema.Shape) string {
	if s == nil || s.Objects == nil || s.Objects.Map {
		return ""
	}
	names := slices.DeleteFunc(slices.Collect(maps.Keys(s.Objects.Properties)), func(n string) bool { return !plainName(n) })
	slices.SortFunc(names, func(a, b string) int {
		if d := fieldRank(a) - fieldRank(b); d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	if len(names) == 0 {
		return ""
	}
	if rest := len(names) - maxFields; rest > 1 {
		return fmt.Sprintf(texts["more"], strings.Join(names[:maxFields], ", "), rest)
	}
	return strings.Join(names, ", ")
}

func fieldRank(name string) int {
	s := snake(name)
	switch {
	case identityKeys[s]:
		return 0
	case s == "name" || s == "title" || naturalKeys[s] != "":
		return 1
	case s == "status" || s == "state" || s == "type":
		return 2
	case strings.HasSuffix(s, "_url") || strings.HasPrefix(s, "_"):
		return 4
	}
	return 3
}

// plainName reports whether a JSON key is a name that may stand in a text:
// longer or stranger keys could be sentences.
func plainName(name string) bool {
	return len(name) <= 40 && isLegalArgument(name) && len(nameWords(name)) <= 6
}

// paging says how to get more results, where the responses or the arguments
// show that there are pages.
func paging(e *endpoint, in *inputs) string {
	var names []string
	for _, a := range in.arguments {
		switch roles[snake(a.Key)] {
		case "page", "cursor", "offset":
			if a.In == surface.InQuery {
				names = append(names, a.Name)
			}
		}
	}
	if len(names) > 0 {
		return fmt.Sprintf(texts["paging"], strings.Join(names, ", "))
	}
	for _, o := range e.obs {
		if o.Traits["link_next"] > 0 {
			return texts["paging link"]
		}
	}
	return ""
}

// printable takes control and format characters and quotes out of captured
// text that stands in a sentence, and bounds it.
func printable(s string) string {
	return clip(strings.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7e || r == '"' || r == '`' || r == '<' || r == '>' {
			return -1
		}
		return r
	}, s), 80)
}

// clip bounds a text to n bytes, at a word, and makes white space single. It
// drops characters that are invisible or turn text around.
func clip(s string, n int) string {
	s = strings.Join(strings.Fields(strings.Map(visible, s)), " ")
	if len(s) <= n {
		return s
	}
	cut := s[:n-len("…")]
	if i := strings.LastIndexByte(cut, ' '); i > 0 {
		cut = cut[:i]
	}
	return strings.ToValidUTF8(cut, "") + "…"
}

// visible maps invisible format characters (zero width, bidirectional, tags)
// to nothing and controls to a space.
func visible(r rune) rune {
	switch {
	case r < 0x20 || r >= 0x7f && r < 0xa0:
		return ' '
	case r == 0xad || r >= 0x200b && r <= 0x200f || r >= 0x202a && r <= 0x202e || r >= 0x2060 && r <= 0x206f || r == 0xfeff || r >= 0xe0000 && r <= 0xe0fff || r == 0xfffd:
		return -1
	}
	return r
}
