package compiler

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tomallicino/caskmcp/surface"
)

// Lengths of texts, in bytes. Every client puts them into the model's context.
const (
	maxDescription  = 400 // of a tool
	maxSchemaText   = 1024
	maxArgumentText = 300
	minPurpose      = 120
)

// texts are the templates of everything that is said about a tool. Approved
// tools keep theirs, so changing a template renames and rewrites nothing.
var texts = map[string]string{
	"resource": "the resource",
	"list":     "Lists %s.", "get": "Reads %s.", "create": "Creates %s.", "change": "Changes %s.", "set": "Sets %s, which takes no fields.", "update": "Changes %s; fields that are not given stay as they are.",
	"replace": "Replaces %s; fields that are not given may be lost.", "delete": "Deletes %s.", "search": "Searches %s.", "check": "Checks whether %s exists, without its content.",
	"post": "Posts to %s.", "send": "Sends %s to %s.", "action": "%s %s.", "action with": "%s %s, given %s.",
	"call": "Calls %q, which takes no arguments.", "call with": "Calls %q with %s.", "call on": "Calls %q on %s.", "call on with": "Calls %q on %s with %s.",
	"of one": "%s of one %s", "one": "one %s", "a": "a new %s", "the": "the %s", "given by": "the item given by %s", "and": "%s and %s",
	"graphql read": "Runs the GraphQL query %s.", "graphql write": "Runs the GraphQL mutation %s.",
	"graphql read unnamed": "Runs a GraphQL query that has no name.", "graphql write unnamed": "Runs a GraphQL mutation that has no name.", "jsonrpc": "Calls the JSON-RPC method %s.",
	"batch": "Sends several %s calls at once; they can do anything that the endpoint can.", "literals": "Values that were written into the recorded query are not kept: texts are empty, and numbers may be others.",
	"returns": "Returns %s.", "object": "an object with %s", "array": "an array of objects with %s", "array of": "an array of %s",
	"arrays": "arrays", "strings": "strings", "numbers": "numbers", "booleans": "booleans",
	"map": "a map from keys to values", "map of": "a map from keys to objects with %s", "inside": "%s; %s is %s",
	"empty": "Returns no content.", "media": "Returns %s.",
	"more": "%s and %d more fields", "paging": "Results come in pages; use %s to get more.", "paging link": "Results come in pages.",
	"changes": "This changes data.", "may change": "This may change data.", "result of": "Returns a result that is %s.", "destroys": "This cannot be undone.", "deprecated": "Deprecated.",
	"unsent body": "A body of type %s cannot be sent.",
	"identifies":  "Identifies the %s.", "identifies nothing": "Part of the path.", "form": "Form: %s.",
	"identifies from": "Identifies the %s; %s returns it as %s.", "from": "%s returns it as %s.",
	"start": "Start of the range.", "end": "End of the range.",
	"page": "Which page of the results to return.", "size": "How many results to return at most.", "cursor": "Where to continue, as given by the page before.",
	"offset": "How many results to skip.", "search text": "What to search for.", "sort": "How to order the results.", "fields": "Which fields to return.",
	"query parameter": "Query parameter %q.", "body": "The request body.", "variables": "Variables of the GraphQL operation.", "params": "Parameters of the method.",
}

// titleOf is the name for people: "List user orders".
func titleOf(name string) string {
	title := strings.ReplaceAll(name, "_", " ")
	return strings.ToUpper(title[:1]) + title[1:]
}

// descriptionOf composes what a model reads about a tool.
func descriptionOf(e *endpoint, t *surface.Tool, in *inputs, out output) string {
	purpose := e.purpose(in)
	if e.declared != nil && (e.declared.Summary != "" || e.declared.Description != "") {
		purpose = declaredText(e)
	}
	after := consequences(e, t, in)
	// What comes back is told in as much detail as there is room for.
	for _, fields := range []int{12, 8, 5, 3} {
		text := sentences(purpose, returns(e, out, fields), after)
		if len(text) <= maxDescription {
			return clip(text, maxDescription)
		}
	}
	rest := sentences(returns(e, out, 3), after)
	return clip(sentences(clip(purpose, max(minPurpose, maxDescription-1-len(rest))), rest), maxDescription)
}

// consequences says how to get more, what a call does for good, and what of it
// cannot be sent.
func consequences(e *endpoint, t *surface.Tool, in *inputs) string {
	parts := []string{paging(e, in)}
	switch t.Effect {
	case surface.Destructive:
		parts = append(parts, texts["destroys"])
	case surface.Write:
		switch n := e.nouns(); {
		case strings.HasPrefix(e.key.operation, "jsonrpc:"):
			parts = append(parts, texts["may change"]) // its name does not say that it reads
		case n.action != "" || e.key.operation != "":
			parts = append(parts, texts["changes"])
		}
	}
	if e.key.operation != "" && hasLiterals(e) {
		parts = append(parts, texts["literals"])
	}
	if body := unsentBody(e); body != "" && in.encoding == "" {
		parts = append(parts, fmt.Sprintf(texts["unsent body"], body))
	}
	if e.declared != nil && e.declared.Deprecated {
		parts = append(parts, texts["deprecated"])
	}
	return sentences(parts...)
}

// sentences makes one text of sentences.
func sentences(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), " ")
}

// declaredText is the specification's own text: the summary, and the
// description where it is not the same.
func declaredText(e *endpoint) string {
	summary := sentence(clip(e.declared.Summary, maxArgumentText))
	text := sentence(clip(e.declared.Description, maxDescription))
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

// purpose is the first sentence: what the call does, to what, with what.
func (e *endpoint) purpose(in *inputs) string {
	if kind, name, ok := strings.Cut(e.key.operation, ":"); ok {
		return operationPurpose(kind, name)
	}
	n := e.nouns()
	object := n.phrase()
	if object == texts["resource"] && n.item {
		object = fmt.Sprintf(texts["given by"], enumerate(holes(in.path)))
	}
	given := enumerate(in.given(4))
	switch {
	case n.action == "" && n.verb == "create" && n.item:
		return fmt.Sprintf(texts["create"], object)
	case n.action == "" && n.verb == "create" && !n.plural && given != "":
		return fmt.Sprintf(texts["send"], given, object)
	case n.action == "" && n.verb == "create" && !n.plural:
		return fmt.Sprintf(texts["post"], object)
	case n.action == "" && n.verb == "replace" && in.encoding == "":
		return fmt.Sprintf(texts["set"], object)
	case n.action == "" && n.verb == "update" && e.key.method != "PATCH":
		return fmt.Sprintf(texts["change"], object)
	case n.action == "":
		return fmt.Sprintf(texts[n.verb], object)
	}
	verb := strings.ReplaceAll(n.action, "_", " ")
	spoken := strings.Contains(n.action, "_") || strings.HasPrefix(n.action, "log") || strings.HasPrefix(n.action, "sign")
	switch {
	case object == texts["resource"] && given == "":
		return fmt.Sprintf(texts["call"], verb)
	case object == texts["resource"]:
		return fmt.Sprintf(texts["call with"], verb, given)
	case spoken && given != "":
		return fmt.Sprintf(texts["call on with"], verb, object, given)
	case spoken:
		return fmt.Sprintf(texts["call on"], verb, object)
	case given != "":
		return fmt.Sprintf(texts["action with"], titleOf(thirdPerson(n.action)), object, given)
	}
	return fmt.Sprintf(texts["action"], titleOf(thirdPerson(n.action)), object)
}

func operationPurpose(kind, name string) string {
	switch {
	case name == batch:
		return fmt.Sprintf(texts["batch"], map[string]string{"graphql": "GraphQL", "jsonrpc": "JSON-RPC"}[kind])
	case kind != "graphql":
		return fmt.Sprintf(texts["jsonrpc"], printable(name))
	}
	mode := "graphql write"
	if strings.HasPrefix(name, "query") {
		mode = "graphql read"
	}
	_, op, named := strings.Cut(name, " ")
	if !named {
		return texts[mode+" unnamed"]
	}
	return fmt.Sprintf(texts[mode], printable(op))
}

// given are the arguments that matter most, at most n: those that are
// required first, none that only page, sort or select.
func (in *inputs) given(n int) []string {
	var names []string
	for _, required := range []bool{true, false} {
		for _, a := range in.arguments {
			role := roles[snake(a.Key)]
			if a.required == required && (a.In == surface.InQuery || a.In == surface.InBody && a.Key != "") && (role == "" || role == "search text") {
				names = append(names, a.Name)
			}
		}
	}
	return names[:min(n, len(names))]
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
	if len(s) <= n && simple(s) {
		return s
	}
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

// simple reports whether s is printable ASCII with single spaces inside.
func simple(s string) bool {
	before := byte(' ')
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e || s[i] == ' ' && before == ' ' {
			return false
		}
		before = s[i]
	}
	return before != ' ' || s == ""
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
