package compiler

import (
	"fmt"
	"strings"

	"github.com/tomallicino/caskmcp/capture"
	"github.com/tomallicino/caskmcp/schema"
	"github.com/tomallicino/caskmcp/surface"
)

const (
	// absent is the code of a contradiction: a response field is gone.
	absent = "output." + schema.ConflictRemoved
	// NotAlwaysThere is what the schema says of a field that some captures always
	// have and others never. It is in the definition, so that approving it
	// settles the matter: no order of the captures tells which of them is right.
	NotAlwaysThere = "Not always there."
)

// remember gives the endpoints what opt.Known saw of them.
func remember(eps []*endpoint, prior surface.Prior, opt Options) {
	if len(opt.Known) == 0 {
		return
	}
	known := route(opt.Known, prior, opt).endpoints
	byKey := make(map[endpointKey]*endpoint, len(known))
	for _, e := range known {
		byKey[e.key] = e
	}
	for _, e := range eps {
		if k := byKey[e.key]; k != nil {
			e.known, e.specified = k.seen, k.declared != nil
		}
	}
}

// absences are the response fields that some captures always have and one that
// is compiled never has, where bodies are served under a key or as they are.
func absences(e *endpoint, key string) []schema.Absence {
	return schema.Absences(responses(e.seen, key), responses(e.known, key))
}

func responses(captures [][]capture.Observation, key string) []*schema.Shape {
	var out []*schema.Shape
	for _, obs := range captures {
		if s := successShape(obs); s != nil {
			out = append(out, wrapped(s, key))
		}
	}
	return out
}

// contradictPresence finds approved response fields that captures always had
// and that a capture never has. Specifications keep what they declare.
func contradictPresence(e *endpoint, approved, plain surface.Tool, add report) {
	if e.declared != nil || e.specified || len(approved.OutputSchema) == 0 || approved.Binding.Result != plain.Binding.Result {
		return
	}
	was, err := decodeObject(approved.OutputSchema)
	if err != nil {
		return
	}
	is, err := decodeObject(plain.OutputSchema)
	if err != nil {
		return
	}
	for _, a := range absences(e, approved.Binding.Result) {
		field := schemaAt(was, a.Path)
		if field == nil || isIrregular(field) {
			continue
		}
		// What is written instead has to differ, or approving it would not
		// settle anything.
		if now := schemaAt(is, a.Path); now == nil || isIrregular(now) {
			add(absent, a.Path, fmt.Sprintf("%d of %d objects lack the property %q, which all %d had before", a.Lacked, a.Lacked, a.Name, a.Had))
		}
	}
}

// samePlace reports whether both say that the same thing is gone.
func (c Contradiction) samePlace(other Contradiction) bool {
	return c.Code == other.Code && c.Path == other.Path
}

// schemaAt finds the schema that a JSON Pointer (RFC 6901) leads to.
func schemaAt(doc map[string]any, path string) map[string]any {
	for _, token := range strings.Split(path, "/")[1:] {
		next, ok := doc[strings.NewReplacer("~1", "/", "~0", "~").Replace(token)].(map[string]any)
		if !ok {
			return nil
		}
		doc = next
	}
	return doc
}

// markIrregular says at a place of an inferred schema that values may be
// missing.
func markIrregular(doc map[string]any, path string) {
	if field := schemaAt(doc, path); field != nil {
		text, _ := field["description"].(string)
		field["description"] = strings.TrimSpace(text + " " + NotAlwaysThere)
	}
}

func isIrregular(field map[string]any) bool {
	text, _ := field["description"].(string)
	return strings.HasSuffix(text, NotAlwaysThere)
}
