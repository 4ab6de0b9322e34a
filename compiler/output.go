package compiler

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/tomallicino/caskmcp/capture"
	"github.com/tomallicino/caskmcp/schema"
)

// resultKey is where arrays and scalars are served.
const resultKey = "result"

// output is what a successful call returns.
type output struct {
	doc    json.RawMessage // nil where nothing is known
	result string          // surface.Binding.Result
	accept string
	shape  *schema.Shape
	// inferred says that the schema is what was seen, not what is declared.
	inferred bool
}

// outputOf is the schema of successful responses: the declared one unless the
// traffic contradicts it, else what was seen, with the habits of the API.
func outputOf(e *endpoint, habits *schema.Habits) (output, error) {
	shape := successShape(e.obs)
	out := output{shape: shape, accept: acceptOf(e)}
	doc := declaredOutput(e.declared)
	if doc != nil && shape != nil {
		declared, err := encode(doc)
		if err != nil {
			return out, err
		}
		if contradicts(declared, shape) {
			doc = nil
		}
	}
	switch {
	case doc != nil:
		defs, _ := doc["$defs"].(map[string]any)
		if !describesObject(doc, defs, 0) {
			out.result = resultKey
			doc = underResult(doc)
		}
	case shape == nil || shape.Total() == 0:
		return out, nil
	case shape.Objects == nil || shape.Objects.Count == 0 && shape.Total() > 0:
		out.result = resultKey
		doc, out.inferred = underResult(shape.OutputOf(habits)), true
	case shape.Objects.Count < shape.Total():
		// Sometimes an object, sometimes not: no schema holds for both.
		return out, nil
	default:
		doc, out.inferred = shape.OutputOf(habits), true
	}
	if out.inferred {
		for _, a := range absences(e, out.result) {
			markIrregular(doc, a.Path)
		}
	}
	if doc["type"] != "object" {
		return out, nil
	}
	var err error
	out.doc, err = encode(doc)
	return out, err
}

// underResult is the schema of an object that holds a value of doc.
func underResult(doc map[string]any) map[string]any {
	root := map[string]any{"type": "object", "properties": map[string]any{resultKey: doc}, "required": []any{resultKey}}
	liftDefinitions(root)
	return root
}

// describesObject reports whether values of the schema are objects, and says
// so in it.
func describesObject(doc, defs map[string]any, depth int) bool {
	is := doc["type"] == "object" || doc["type"] == nil && doc["properties"] != nil
	if ref, ok := doc["$ref"].(string); ok && !is && depth < 8 {
		target, _ := defs[strings.TrimPrefix(ref, "#/$defs/")].(map[string]any)
		is = target != nil && describesObject(target, defs, depth+1)
	}
	parts, _ := doc["allOf"].([]any)
	for _, part := range parts {
		if m, ok := part.(map[string]any); ok && doc["type"] == nil && depth < 8 {
			is = is || describesObject(m, defs, depth+1)
		}
	}
	if is {
		doc["type"] = "object"
	}
	return is
}

// declaredOutput is the schema of the first declared success with JSON.
func declaredOutput(d *capture.Declaration) map[string]any {
	if d == nil {
		return nil
	}
	for _, want := range []func(int) bool{func(s int) bool { return s == 200 }, func(s int) bool { return s > 200 && s < 300 }} {
		for _, r := range d.Responses {
			if want(r.Status) && (isJSON(r.Type) || r.Type == "*/*") {
				if doc := declaredSchema(r.Schema); len(doc) > 0 {
					return doc
				}
			}
		}
	}
	return nil
}

func contradicts(doc json.RawMessage, s *schema.Shape) bool {
	for _, c := range schema.Conflicts(doc, s) {
		if c.Contradicts || c.Code == schema.ConflictType {
			return true
		}
	}
	return false
}

// acceptOf is the media type to ask for: the one most successes had.
func acceptOf(e *endpoint) string {
	counts := map[string]int{}
	for _, o := range e.obs {
		if succeeded(o) && o.ResponseType != "" {
			counts[o.ResponseType] += o.Count
		}
	}
	if len(counts) > 0 {
		return mostFrequent(counts)
	}
	if e.declared != nil {
		for _, r := range e.declared.Responses {
			if r.Status >= 200 && r.Status < 300 && r.Type != "" && r.Type != "*/*" {
				return r.Type
			}
		}
	}
	return ""
}

// encode writes a schema with sorted keys and no spaces. Its numbers are those
// of specifications and people, which have been checked.
func encode(v any) (json.RawMessage, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSpace(buf.Bytes()), nil
}
