package openapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Limits of one emitted schema; sizes are in bytes.
const (
	maxInline = 24 << 10 // with every reference replaced by what it means
	maxShared = 48 << 10 // with components under $defs
	maxLevels = 48       // nesting of inlined schemas
	maxNotes  = 100      // what is said about one schema
)

// direction says whose schema it is: a request leaves out what is readOnly, a
// response what is writeOnly.
type direction string

const (
	toRequest  direction = "readOnly"
	toResponse direction = "writeOnly"
)

var (
	errTooLarge = errors.New("the schema is too large")
	errEmitted  = fmt.Errorf("the schemas of the document's operations need more than %d bytes", maxEmitted)
)

// emit writes the schema node as a self-contained JSON Schema 2020-12
// document; nil stays nil. What is left out of it is listed under part.
func (w *work) emit(part string, node any, dir direction) (json.RawMessage, error) {
	if node == nil {
		return nil, nil
	}
	done := w.doc.emission(node, dir)
	if done.err != nil {
		return nil, done.err
	}
	for _, n := range done.notes {
		w.leave(part+n.pointer, n.reason)
	}
	if w.emitted += len(done.schema); w.emitted > maxEmitted {
		return nil, errEmitted
	}
	return done.schema, nil
}

// emission is a schema as it was written.
type emission struct {
	schema json.RawMessage
	notes  []note
	err    error
}

// emission remembers what references were written as: most schemas of
// operations are nothing else.
func (d *document) emission(node any, dir direction) emission {
	m, _ := node.(map[string]any)
	ref, _ := m["$ref"].(string)
	if ref == "" || len(m) > 1 {
		return d.write(node, dir)
	}
	key := string(dir) + " " + ref
	done, known := d.emitted[key]
	if !known {
		done = d.write(node, dir)
		d.emitted[key] = done
	}
	return done
}

// write replaces references by their targets where that is small enough;
// where they recurse, they lead into $defs. Larger schemas share components
// through $defs; what is larger still loses its nested texts and then its
// depths, which is noted.
func (d *document) write(node any, dir direction) emission {
	for _, e := range attempts() {
		e.doc, e.hide = d, dir
		e.open, e.names, e.targets = map[string]bool{}, map[string]string{}, map[string]target{}
		out, err := e.document(node)
		if errors.Is(err, errTooLarge) {
			continue
		}
		if err != nil {
			return emission{err: err}
		}
		for i := range e.notes {
			e.notes[i].pointer = ": " + e.notes[i].pointer
		}
		if lost := e.lost(); lost != "" {
			e.notes = append(e.notes, note{"", "the schema is too large; " + lost})
		}
		raw, err := marshal(out)
		if err != nil {
			return emission{err: err}
		}
		cleaned, secrets, err := cleanSchema(raw)
		return emission{cleaned, append(e.notes, secrets...), err}
	}
	return emission{err: errTooLarge}
}

// lost is what an attempt gives up.
func (e *emitter) lost() string {
	switch {
	case e.levels < 0:
		return "only its type is kept"
	case e.cut:
		return fmt.Sprintf("what is nested deeper than %d levels is left out", e.levels)
	case e.bare:
		return "nested titles and descriptions are left out"
	}
	return ""
}

// attempts are the ways to write a schema, from the plainest to the shortest.
func attempts() []emitter {
	out := []emitter{
		{limit: maxInline, levels: maxLevels},
		{limit: maxShared, levels: maxDepth, share: true},
		{limit: maxShared, levels: maxDepth, share: true, bare: true},
	}
	for levels := 10; levels >= -1; levels-- {
		out = append(out, emitter{limit: maxInline, levels: levels, cut: true, bare: true})
	}
	return out
}

func marshal(v any) (json.RawMessage, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), err
}

// emitter converts one schema.
type emitter struct {
	doc    *document
	hide   direction
	limit  int  // bytes
	levels int  // nesting
	share  bool // components under $defs
	bare   bool // no nested titles and descriptions
	cut    bool // beyond levels, keep the type only
	used   int
	// open are the references being replaced, by key.
	open map[string]bool
	// names of the $defs by key of the reference, queue in order of need.
	names   map[string]string
	targets map[string]target
	queue   []string
	path    []string
	notes   []note
}

// target is what a reference leads to, and the schema it lies in.
type target struct {
	node  any
	scope map[string]any
}

type note struct{ pointer, reason string }

// context is where a schema stands.
type context struct {
	scope map[string]any // the schema that local references start at
	level int
	// hidden are the properties that the direction leaves out, as declared
	// by a schema that applies to the same object.
	hidden map[string]bool
}

func (e *emitter) document(node any) (map[string]any, error) {
	scope, _ := node.(map[string]any)
	out, err := e.schema(node, context{scope: scope})
	if err != nil {
		return nil, err
	}
	defs := map[string]any{}
	for i := 0; i < len(e.queue); i++ {
		key := e.queue[i]
		t := e.targets[key]
		clear(e.open)
		e.open[key] = true
		e.path = append(e.path[:0], "$defs", e.names[key])
		// Level 1: the target itself may be a reference to share.
		if defs[e.names[key]], err = e.schema(t.node, context{scope: t.scope, level: 1}); err != nil {
			return nil, err
		}
	}
	out = flat(out)
	if len(defs) > 0 {
		out["$defs"] = defs
	}
	return out, nil
}

// flat merges the members of allOf into an object that holds nothing else but
// properties, where they do not touch the same property. It accepts the same
// values, and shows its properties where people and agents look for them.
func flat(m map[string]any) map[string]any {
	members, ok := m["allOf"].([]any)
	if !ok {
		return m
	}
	own := maps.Clone(m)
	delete(own, "allOf")
	out := map[string]any{}
	properties := map[string]any{}
	var required []any
	for _, member := range append(slices.Clone(members), any(own)) {
		for k, v := range flat(member.(map[string]any)) {
			switch k {
			case "type", "title", "description", "deprecated":
				if k == "type" && v != "object" {
					return m
				}
				out[k] = v
			case "required":
				required = append(required, v.([]any)...)
			case "properties":
				for name, schema := range v.(map[string]any) {
					if hasKey(properties, name) {
						return m
					}
					properties[name] = schema
				}
			default:
				return m
			}
		}
	}
	if len(properties) == 0 {
		return m
	}
	out["properties"] = properties
	if len(required) > 0 {
		out["required"] = distinct(required)
	}
	return out
}

func (e *emitter) spend(n int) error {
	if e.used += n; e.used > e.limit {
		return errTooLarge
	}
	return nil
}

func (e *emitter) note(reason string, args ...any) {
	if len(e.notes) >= maxNotes {
		return
	}
	var b strings.Builder
	for _, p := range e.path {
		b.WriteString("/" + strings.ReplaceAll(strings.ReplaceAll(p, "~", "~0"), "/", "~1"))
	}
	e.notes = append(e.notes, note{clip(b.String(), 200), fmt.Sprintf(reason, args...)})
}

// schema converts a schema; booleans become {} and {"not": {}}.
func (e *emitter) schema(node any, at context) (map[string]any, error) {
	if err := e.spend(4); err != nil {
		return nil, err
	}
	m, ok := node.(map[string]any)
	if !ok {
		if node == false {
			return map[string]any{"not": map[string]any{}}, nil
		}
		if node != true {
			e.note("it is not a schema")
		}
		return map[string]any{}, nil
	}
	if at.level > e.levels {
		if !e.cut {
			return nil, errTooLarge
		}
		return e.typeOnly(m, at.scope), nil
	}
	ref, isRef := reference(m)
	if !isRef {
		return e.keywords(m, at)
	}
	meant, err := e.reference(ref, at)
	if err != nil {
		return nil, err
	}
	beside := maps.Clone(m)
	delete(beside, "$ref")
	delete(beside, "$dynamicRef")
	own, err := e.keywords(beside, at)
	if err != nil {
		return nil, err
	}
	return combine(meant, own), nil
}

// reference is the reference of a schema. A dynamic one is taken as written:
// no other schema extends it inside one document.
func reference(m map[string]any) (string, bool) {
	if ref, ok := m["$ref"].(string); ok {
		return ref, true
	}
	ref, ok := m["$dynamicRef"].(string)
	return ref, ok
}

// annotations may be replaced without changing what a schema accepts.
var annotations = map[string]bool{"title": true, "description": true, "default": true, "deprecated": true}

// combine applies the keywords next to a reference.
func combine(meant, own map[string]any) map[string]any {
	if len(own) == 0 {
		return meant
	}
	_, shared := meant["$ref"]
	for k := range own {
		if !annotations[k] {
			return both(meant, own)
		}
	}
	if shared {
		own["$ref"] = meant["$ref"]
		return own
	}
	out := maps.Clone(meant)
	maps.Copy(out, own)
	return out
}

func both(meant, own map[string]any) map[string]any {
	members, _ := own["allOf"].([]any)
	own["allOf"] = append([]any{meant}, members...)
	return own
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
