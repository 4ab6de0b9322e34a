package compiler

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"github.com/tomallicino/caskmcp/capture"
	"github.com/tomallicino/caskmcp/internal/canonical"
	"github.com/tomallicino/caskmcp/schema"
	"github.com/tomallicino/caskmcp/surface"
)

// declaredSchema reads a schema of a specification and takes out what must not
// reach an agent: transport instructions (x-mcp-…), which some clients obey,
// characters of texts that reviewers would not see, and numbers that RFC 8785
// would round. It returns nil for no schema.
func declaredSchema(doc json.RawMessage) map[string]any {
	if len(doc) == 0 {
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(doc))
	dec.UseNumber()
	var v any
	if dec.Decode(&v) != nil {
		return nil
	}
	switch v := v.(type) {
	case map[string]any:
		cleanSchema(v)
		return v
	case bool:
		return map[string]any{}
	}
	return nil
}

func cleanSchema(m map[string]any) {
	for key, value := range m {
		if strings.HasPrefix(strings.ToLower(key), "x-mcp") {
			delete(m, key)
			continue
		}
		switch v := value.(type) {
		case string:
			if key == "description" || key == "title" {
				m[key] = clip(v, maxSchemaText)
			}
		case json.Number:
			if !exact(v) {
				delete(m, key)
			}
		case map[string]any:
			cleanSchema(v)
		case []any:
			if !allExact(v) && !containsObjects(v) {
				delete(m, key)
				continue
			}
			for _, item := range v {
				if sub, ok := item.(map[string]any); ok {
					cleanSchema(sub)
				}
			}
		}
	}
}

// exact reports whether RFC 8785 can write the number without rounding it.
func exact(n json.Number) bool {
	if len(n) <= 15 && !strings.ContainsAny(string(n), ".eE-") {
		return true
	}
	_, err := canonical.JSON(n)
	return err == nil
}

func allExact(v []any) bool {
	return !slices.ContainsFunc(v, func(item any) bool {
		switch item := item.(type) {
		case json.Number:
			return !exact(item)
		case []any:
			return !allExact(item)
		}
		return false
	})
}

func containsObjects(v []any) bool {
	return slices.ContainsFunc(v, func(item any) bool { _, ok := item.(map[string]any); return ok })
}

// declare adds what a specification says about the arguments: it knows more
// than traffic, so its schemas and texts win; what it does not mention stays.
func (in *inputs) declare(d *capture.Declaration, credentials map[string]bool) {
	for _, p := range d.Parameters {
		switch {
		case p.In == surface.InPath:
			continue // already taken from the template
		case p.In == surface.InHeader && (refusedHeaders[strings.ToLower(p.Name)] || credentials[p.Name]):
			continue
		case p.In != surface.InQuery && p.In != surface.InHeader, credentials[p.Name], secretParameter(p.Name):
			continue
		}
		in.at(p.In, p.Name).fromDeclaration(p)
	}
	if d.Body == nil || !writable(d.Body.Type) {
		return
	}
	in.declareBody(d.Body)
}

// at returns the argument of a place and key, a new one if there is none.
func (in *inputs) at(place, key string) *argument {
	for i := range in.arguments {
		if in.arguments[i].In == place && in.arguments[i].Key == key {
			return &in.arguments[i]
		}
	}
	in.arguments = append(in.arguments, argument{Argument: surface.Argument{In: place, Key: key}, schema: map[string]any{"type": "string"}})
	return &in.arguments[len(in.arguments)-1]
}

func (in *inputs) declareBody(b *capture.DeclaredBody) {
	doc := declaredSchema(b.Schema)
	if in.encoding != "" && in.encoding != b.Type {
		// Clients send something else than what is declared: traffic wins.
		return
	}
	in.encoding = b.Type
	properties, _ := doc["properties"].(map[string]any)
	whole := slices.ContainsFunc(in.arguments, func(a argument) bool { return a.In == surface.InBody && a.Key == "" })
	composed := doc["allOf"] != nil || doc["oneOf"] != nil || doc["anyOf"] != nil || doc["$ref"] != nil
	if len(properties) == 0 || whole || composed {
		in.arguments = slices.DeleteFunc(in.arguments, func(a argument) bool { return a.In == surface.InBody })
		a := in.at(surface.InBody, "")
		a.schema, a.required, a.shape = doc, b.Required, nil
		a.description = clip(b.Description, maxArgumentText)
		return
	}
	required, _ := doc["required"].([]any)
	for name, p := range properties {
		sub, ok := p.(map[string]any)
		if !ok || sub["readOnly"] == true {
			continue
		}
		if defs := doc["$defs"]; defs != nil && refers(sub) {
			sub["$defs"] = defs
		}
		a := in.at(surface.InBody, name)
		a.schema, a.shape = sub, nil
		a.required = b.Required && slices.Contains(required, any(name))
		if text, ok := sub["description"].(string); ok {
			a.description = clip(text, maxArgumentText)
		}
	}
}

// refers reports whether a schema has a reference.
func refers(v any) bool {
	switch v := v.(type) {
	case []any:
		return slices.ContainsFunc(v, refers)
	case map[string]any:
		if v["$ref"] != nil {
			return true
		}
		for _, value := range v {
			if refers(value) {
				return true
			}
		}
	}
	return false
}

// declaredType is the type of the results that a specification declares, ""
// where it is not one word.
func declaredType(d *capture.Declaration) string {
	if d == nil {
		return ""
	}
	at := slices.IndexFunc(d.Responses, func(r capture.DeclaredResponse) bool {
		return r.Status >= 200 && r.Status < 300 && (isJSON(r.Type) || r.Type == "*/*") && len(r.Schema) > len("{}")
	})
	if at < 0 {
		return ""
	}
	kind := ""
	c := schema.NewCursor(string(d.Responses[at].Schema))
	_ = c.Object(func(key string) error { // without a type, the text is ""
		if key == "type" && c.Kind() == '"' {
			var err error
			kind, err = c.Text()
			return err
		}
		return c.Skip()
	})
	return kind
}
