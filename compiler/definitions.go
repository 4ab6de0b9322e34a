package compiler

import (
	"maps"
	"reflect"
	"slices"
	"strings"
)

// definitionRef is how a schema refers to its own definitions. The reference is
// read from the root of the document that holds the schema.
const definitionRef = "#/$defs/"

// liftDefinitions moves the definitions of doc's properties, which were whole
// documents before, to doc, where their references are looked up. Where two
// properties define one name differently, the second's get a number.
func liftDefinitions(doc map[string]any) {
	properties, _ := doc["properties"].(map[string]any)
	lifted := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		property, _ := properties[name].(map[string]any)
		own, _ := property["$defs"].(map[string]any)
		if len(own) == 0 {
			continue
		}
		rest := maps.Clone(property)
		delete(rest, "$defs")
		for n := 1; ; n++ {
			renamed := numbered(own, n)
			if moved, ok := fitting(lifted, own, renamed); ok {
				maps.Copy(lifted, moved)
				properties[name] = renameRefs(rest, renamed)
				break
			}
		}
	}
	if len(lifted) > 0 {
		doc["$defs"] = lifted
	}
}

// numbered gives the names of definitions the number n, unless it is 1.
func numbered(defs map[string]any, n int) map[string]string {
	names := map[string]string{}
	for d := range defs {
		names[d] = d
		if n > 1 {
			names[d] = d + "_" + itoa(n)
		}
	}
	return names
}

// fitting renames definitions; they fit where no other has their name.
func fitting(lifted, defs map[string]any, renamed map[string]string) (map[string]any, bool) {
	moved := map[string]any{}
	for d, to := range renamed {
		moved[to] = renameRefs(defs[d], renamed)
		if other, taken := lifted[to]; taken && !reflect.DeepEqual(other, moved[to]) {
			return nil, false
		}
	}
	return moved, true
}

// renameRefs copies a schema, its references led to the new names.
func renameRefs(node any, renamed map[string]string) any {
	switch node := node.(type) {
	case map[string]any:
		out := make(map[string]any, len(node))
		for k, v := range node {
			out[k] = renameRefs(v, renamed)
			if ref, ok := v.(string); ok && k == "$ref" {
				if to, ok := renamed[strings.TrimPrefix(ref, definitionRef)]; ok {
					out[k] = definitionRef + to
				}
			}
		}
		return out
	case []any:
		out := make([]any, len(node))
		for i, v := range node {
			out[i] = renameRefs(v, renamed)
		}
		return out
	}
	return node
}
