package openapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
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
