package compiler

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tomallicino/caskmcp/capture"
	"github.com/tomallicino/caskmcp/schema"
)

// maxInside is how many levels of a response a description goes into.
const maxInside = 4

// wrappers are the keys under which APIs put what was asked for.
var wrappers = []string{"data", "result", "results", "items", "records", "response", "payload", "content", "value", "values", "hits", "rows",
	"objects", "entries", "list", "edges", "nodes", "node", "attributes", "embedded", "d", "body"}

// returns says what comes back, with at most max fields of each object.
func returns(e *endpoint, out output, max int) string {
	s := out.shape
	if s == nil || s.Total() == 0 {
		switch {
		case len(e.obs) > 0 && (out.accept == "" || browserType(out.accept) != "" && bodiless(e.obs)) && len(successes(e.obs)) > 0:
			return texts["empty"]
		case out.accept != "" && !isJSON(out.accept):
			return fmt.Sprintf(texts["media"], printable(out.accept))
		}
		return ""
	}
	template := texts["returns"]
	if strings.HasPrefix(e.key.operation, "jsonrpc:") && s.Objects != nil && s.Objects.Properties["result"] != nil {
		s, template = s.Objects.Properties["result"], texts["result of"] // the rest is the protocol's
	}
	text := describeShape(s, max)
	if text == "" {
		return ""
	}
	noun := strings.Join(e.nouns().object, "_")
	for range maxInside {
		key, inner := mainPart(s, noun, e.many())
		if key == "" || listed(s) && !inItems[snake(key)] {
			break
		}
		more := describeShape(inner, max)
		if more == "" {
			break
		}
		text = fmt.Sprintf(texts["inside"], text, key, more)
		s = inner
	}
	return fmt.Sprintf(template, text)
}

// bodiless reports whether no successful response had a body.
func bodiless(obs []capture.Observation) bool {
	return !slices.ContainsFunc(successes(obs), func(o capture.Observation) bool { return o.ResponseBodies > 0 })
}

// inItems are the only wrappers that are gone into below an array: what a
// list is of has been said.
var inItems = wordSet("attributes node")

// listed reports whether the values of s are arrays.
func listed(s *schema.Shape) bool { return s.Arrays != nil }

// describeShape is a noun phrase for the values of s, "" where they differ in
// kind or nothing is known of them.
func describeShape(s *schema.Shape, max int) string {
	switch {
	case s == nil || s.Arrays != nil && s.Objects != nil:
		return ""
	case s.Arrays != nil:
		items := s.Arrays.Items
		if fields := fieldList(items, max); fields != "" {
			return fmt.Sprintf(texts["array"], fields)
		}
		if kind := scalarKind(items); kind != "" {
			return fmt.Sprintf(texts["array of"], texts[kind])
		}
	case s.Objects == nil:
	case isMap(s):
		if fields := fieldList(s.Objects.Entries, max); fields != "" {
			return fmt.Sprintf(texts["map of"], fields)
		}
		return texts["map"]
	default:
		if fields := fieldList(s, max); fields != "" {
			return fmt.Sprintf(texts["object"], fields)
		}
	}
	return ""
}

func isMap(s *schema.Shape) bool {
	return s.Objects.Map || len(s.Objects.Properties) == 0 && s.Objects.Entries != nil
}

// scalarKind names the items of an array that are all of one kind.
func scalarKind(s *schema.Shape) string {
	if s == nil || s.Objects != nil {
		return ""
	}
	var kinds []string
	if s.Strings != nil {
		kinds = append(kinds, "strings")
	}
	if s.Numbers > 0 || s.Integers != nil {
		kinds = append(kinds, "numbers")
	}
	if s.Booleans > 0 {
		kinds = append(kinds, "booleans")
	}
	if s.Arrays != nil {
		kinds = append(kinds, "arrays")
	}
	if len(kinds) != 1 {
		return ""
	}
	return kinds[0]
}

// mainPart is the property that holds what was asked for: one that is called
// like it or like a wrapper, or the only one with a structure of its own in an
// object that has little else or should hold many things.
func mainPart(s *schema.Shape, noun string, many bool) (string, *schema.Shape) {
	if s.Arrays != nil && s.Objects == nil {
		s = s.Arrays.Items
	}
	if s == nil || s.Objects == nil || isMap(s) {
		return "", nil
	}
	structured := map[string]string{} // by word
	for name, p := range s.Objects.Properties {
		if p != nil && (p.Objects != nil || p.Arrays != nil) && plainName(name) && !besides[snake(name)] {
			structured[snake(name)] = name
		}
	}
	for _, w := range append([]string{noun}, wrappers...) {
		if name := structured[w]; name != "" {
			return name, s.Objects.Properties[name]
		}
	}
	if len(structured) == 1 && (many || len(s.Objects.Properties) <= 3) {
		for _, name := range structured {
			return name, s.Objects.Properties[name]
		}
	}
	return "", nil
}

// besides are structures that go with a result and are none.
var besides = wordSet("error errors warnings infos meta links pagination paging extensions included messages")

// itemsOf are the things that a response to a request for noun lists, nil where
// it lists none.
func itemsOf(s *schema.Shape, noun string) *schema.Shape {
	for range maxInside {
		if s == nil {
			return nil
		}
		if s.Arrays != nil && s.Objects == nil {
			return s.Arrays.Items
		}
		_, s = mainPart(s, noun, true)
	}
	return nil
}

// fieldList names the main fields of an object: ids and names first, then by
// kind, then by name.
func fieldList(s *schema.Shape, max int) string {
	if s == nil || s.Objects == nil || isMap(s) {
		return ""
	}
	names := slices.DeleteFunc(slices.Collect(maps.Keys(s.Objects.Properties)), func(n string) bool { return !plainName(n) })
	slices.SortFunc(names, func(a, b string) int {
		if d := fieldRank(a) - fieldRank(b); d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	if rest := len(names) - max; rest > 1 {
		return fmt.Sprintf(texts["more"], strings.Join(names[:max], ", "), rest)
	}
	return enumerate(names)
}

// enumerate joins names for a sentence: "a, b and c".
func enumerate(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	last := len(names) - 1
	return fmt.Sprintf(texts["and"], strings.Join(names[:last], ", "), names[last])
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
	case strings.HasSuffix(s, "_url") || strings.HasPrefix(name, "_"):
		return 4
	}
	return 3
}
