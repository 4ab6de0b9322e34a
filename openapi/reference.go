package openapi

import (
	"regexp"
	"strconv"
	"strings"
)

// reference is the reference of a schema. A dynamic one is taken as written:
// no other schema extends it inside one document.
func reference(m map[string]any) (string, bool) {
	if ref, ok := m["$ref"].(string); ok {
		return ref, true
	}
	ref, ok := m["$dynamicRef"].(string)
	return ref, ok
}

// reference converts the target of a reference.
func (e *emitter) reference(ref string, at context) (map[string]any, error) {
	node, key, err := e.doc.resolve(ref, at.scope)
	if err != nil {
		return nil, err
	}
	scope := at.scope
	if strings.HasPrefix(key, "/") && !strings.Contains(key, " 0x") {
		scope, _ = node.(map[string]any)
	}
	if e.doc.leadsToItself(key, target{node, scope}) {
		e.note("the reference %q leads to itself", clip(ref, 200))
		return map[string]any{}, nil
	}
	if e.open[key] || e.share && at.level > 0 {
		name := e.define(key, target{node, scope})
		return map[string]any{"$ref": "#/$defs/" + name}, e.spend(len(name) + 20)
	}
	e.open[key] = true
	defer delete(e.open, key)
	return e.schema(node, context{scope: scope, level: at.level, hidden: at.hidden})
}

// notInName is what a name of a definition cannot hold.
var notInName = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

// define names the definition of a reference and has it emitted.
func (e *emitter) define(key string, t target) string {
	if name, ok := e.names[key]; ok {
		return name
	}
	pointer, _, _ := strings.Cut(key, " 0x")
	base := notInName.ReplaceAllString(pointer[strings.LastIndexAny(pointer, "/#")+1:], "_")
	if base == "" {
		base = "root"
	}
	name := base
	for n := 2; e.taken(name); n++ {
		name = base + "_" + strconv.Itoa(n)
	}
	e.names[key], e.targets[key] = name, t
	e.queue = append(e.queue, key)
	return name
}

func (e *emitter) taken(name string) bool {
	for _, n := range e.names {
		if n == name {
			return true
		}
	}
	return false
}

// typeOnly is what is kept of a schema that is nested too deep.
func (e *emitter) typeOnly(m map[string]any, scope map[string]any) map[string]any {
	for range 8 {
		ref, isRef := reference(m)
		if !isRef {
			break
		}
		node, _, err := e.doc.resolve(ref, scope)
		if err != nil {
			break
		}
		m, _ = node.(map[string]any)
	}
	out := map[string]any{}
	if t := types(m); len(t) == 1 {
		out["type"] = t[0]
	} else if len(t) > 1 {
		out["type"] = t
	}
	return out
}

// inPlace are the applicators whose schemas apply to the same instance.
var inPlace = []string{"allOf", "anyOf", "oneOf", "not", "if", "then", "else"}

// leadsToItself reports whether following a reference comes back to it
// without going into the instance, so that validating would never end.
func (d *document) leadsToItself(key string, t target) bool {
	if known, ok := d.endless[key]; ok {
		return known
	}
	type step struct {
		node  any
		scope map[string]any
	}
	seen := map[string]bool{}
	queue := []step{{t.node, t.scope}}
	found := false
	for i := 0; i < len(queue) && !found; i++ {
		m, ok := queue[i].node.(map[string]any)
		if !ok {
			continue
		}
		if ref, isRef := reference(m); isRef {
			if node, k, err := d.resolve(ref, queue[i].scope); err == nil {
				found = k == key
				if !seen[k] && len(seen) < 10_000 {
					seen[k] = true
					scope, _ := node.(map[string]any)
					queue = append(queue, step{node, scope})
				}
			}
		}
		for _, keyword := range inPlace {
			switch v := m[keyword].(type) {
			case map[string]any:
				queue = append(queue, step{v, queue[i].scope})
			case []any:
				for _, member := range v {
					queue = append(queue, step{member, queue[i].scope})
				}
			}
		}
	}
	d.endless[key] = found
	return found
}
