package schema

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Codes of a Conflict.
const (
	ConflictType    = "type"    // values of a type that the schema excludes
	ConflictRemoved = "removed" // a required property was absent
	ConflictNull    = "null"    // null where the schema has no null
	ConflictWidened = "widened" // more than the schema knows of
)

// removedObjects is how many objects have to lack a required property.
const removedObjects = 3

// Conflict is a place where values differ from a schema.
type Conflict struct {
	// Path is the JSON Pointer (RFC 6901) of the place in the schema.
	Path string `json:"path"`
	Code string `json:"code"`
	Text string `json:"text"`
	// Contradicts says that the schema cannot be kept; otherwise it could
	// merely say more.
	Contradicts bool `json:"contradicts,omitempty"`
}

// Conflicts compares what was seen with a schema and returns where they
// differ, sorted by path and code. The schema is contradicted where more than
// half of the values at a place have a type it excludes, and where all of at
// least 3 objects lack a property it requires; nulls and fractions never
// contradict. A schema or a place that cannot be understood conflicts with
// nothing: it is what was approved.
func Conflicts(doc json.RawMessage, s *Shape) []Conflict {
	if len(bytes.TrimSpace(doc)) == 0 || s == nil {
		return nil
	}
	var node any
	if err := json.Unmarshal(doc, &node); err != nil {
		return nil
	}
	var c disagreement
	c.compare("", node, s)
	slices.SortFunc(c.found, func(a, b Conflict) int {
		return strings.Compare(a.Path+"\x00"+a.Code+"\x00"+a.Text, b.Path+"\x00"+b.Code+"\x00"+b.Text)
	})
	return slices.Compact(c.found)
}

type disagreement struct{ found []Conflict }

func (c *disagreement) add(path, code string, contradicts bool, format string, args ...any) {
	c.found = append(c.found, Conflict{Path: path, Code: code, Text: fmt.Sprintf(format, args...), Contradicts: contradicts})
}

func (c *disagreement) compare(path string, node any, s *Shape) {
	schema, ok := node.(map[string]any)
	if !ok || s == nil || len(schema) == 0 {
		return
	}
	if all, ok := schema["allOf"].([]any); ok {
		for i, part := range all {
			c.compare(fmt.Sprintf("%s/allOf/%d", path, i), part, s)
		}
	}
	c.compareTypes(path, schema, s)
	c.compareValues(path, schema, s)
	if s.Arrays != nil && s.Arrays.Items != nil {
		c.compare(path+"/items", schema["items"], s.Arrays.Items)
	}
	if s.Objects != nil {
		c.compareObjects(path, schema, s.Objects)
	}
}

// compareTypes finds the values whose type the schema excludes.
func (c *disagreement) compareTypes(path string, schema map[string]any, s *Shape) {
	allowed := allowedTypes(schema)
	if allowed == nil {
		return
	}
	total := s.Total() - s.Nulls - s.Deep
	for _, name := range slices.Sorted(maps.Keys(allowed)) {
		if name == "number" {
			allowed["integer"] = true
		}
	}
	excluded := 0
	var seen []string
	for _, t := range []struct {
		name  string
		count int
	}{
		{"array", s.arrayCount()}, {"boolean", s.Booleans}, {"integer", s.integerCount()},
		{"object", s.objectCount()}, {"string", s.stringCount()},
	} {
		if t.count > 0 && !allowed[t.name] {
			excluded += t.count
			seen = append(seen, t.name)
		}
	}
	if s.Numbers > 0 && !allowed["number"] {
		if allowed["integer"] {
			c.add(path, ConflictWidened, false, "%d of %d values have a fraction", s.Numbers, total)
		} else {
			excluded += s.Numbers
			seen = append(seen, "number")
		}
	}
	switch {
	case excluded*2 > total:
		c.add(path, ConflictType, true, "%d of %d values are %s, not %s", excluded, total, strings.Join(seen, " or "), list(allowed))
	case excluded > 0:
		c.add(path, ConflictWidened, false, "%d of %d values are %s", excluded, total, strings.Join(seen, " or "))
	}
	if s.Nulls > 0 && !allowed["null"] {
		c.add(path, ConflictNull, false, "%d of %d values are null", s.Nulls, s.Total())
	}
}

func list(types map[string]bool) string {
	names := slices.Sorted(maps.Keys(types))
	if types["number"] {
		names = slices.DeleteFunc(names, func(n string) bool { return n == "integer" })
	}
	return strings.Join(names, " or ")
}

func (s *Shape) arrayCount() int {
	if s.Arrays == nil {
		return 0
	}
	return s.Arrays.Count
}

func (s *Shape) integerCount() int {
	if s.Integers == nil {
		return 0
	}
	return s.Integers.Count
}

func (s *Shape) objectCount() int {
	if s.Objects == nil {
		return 0
	}
	return s.Objects.Count
}

func (s *Shape) stringCount() int {
	if s.Strings == nil {
		return 0
	}
	return s.Strings.Count
}

// allowedTypes returns the types that a schema allows, nil if any.
func allowedTypes(schema map[string]any) map[string]bool {
	switch t := schema["type"].(type) {
	case string:
		return map[string]bool{t: true}
	case []any:
		allowed := make(map[string]bool)
		for _, name := range t {
			if name, ok := name.(string); ok {
				allowed[name] = true
			}
		}
		return allowed
	}
	for _, keyword := range []string{"anyOf", "oneOf"} {
		branches, ok := schema[keyword].([]any)
		if !ok {
			continue
		}
		allowed := make(map[string]bool)
		for _, branch := range branches {
			branch, ok := branch.(map[string]any)
			if !ok {
				return nil
			}
			types := allowedTypes(branch)
			if types == nil {
				return nil
			}
			maps.Copy(allowed, types)
		}
		return allowed
	}
	return nil
}

// compareValues finds values that an enum does not have.
func (c *disagreement) compareValues(path string, schema map[string]any, s *Shape) {
	enum, ok := schema["enum"].([]any)
	if !ok || s.Strings == nil {
		return
	}
	known := make(map[string]bool)
	for _, value := range enum {
		if value, ok := value.(string); ok {
			known[value] = true
		}
	}
	for _, value := range s.Strings.Values.names() {
		if !known[value] {
			c.add(path, ConflictWidened, false, "value %q is not in the enum", value)
		}
	}
}

func (c *disagreement) compareObjects(path string, schema map[string]any, o *Objects) {
	properties, _ := schema["properties"].(map[string]any)
	required, _ := schema["required"].([]any)
	for _, name := range required {
		name, ok := name.(string)
		// Where keys are data it is not known which object had which.
		if !ok || o.Map || o.Entries != nil {
			continue
		}
		had := o.Properties[name].Total()
		if had < o.Count {
			c.add(pointer(path+"/properties", name), ConflictRemoved, had == 0 && o.Count >= removedObjects,
				"%d of %d objects lack the required property %q", o.Count-had, o.Count, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(o.Properties)) {
		known, ok := properties[name]
		if !ok {
			known, ok = schema["additionalProperties"].(map[string]any)
			if !ok {
				c.add(pointer(path+"/properties", name), ConflictWidened, false, "property %q is new", name)
				continue
			}
			c.compare(path+"/additionalProperties", known, o.Properties[name])
			continue
		}
		c.compare(pointer(path+"/properties", name), known, o.Properties[name])
	}
	if o.Entries != nil {
		c.compare(path+"/additionalProperties", schema["additionalProperties"], o.Entries)
	}
}
