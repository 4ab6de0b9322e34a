package compiler

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/tomallicino/caskmcp/capture"
	"github.com/tomallicino/caskmcp/schema"
	"github.com/tomallicino/caskmcp/surface"
)

// contradictions judges each capture on its own against the approved
// definition, and the specification where there is one.
func (b *builder) contradictions(e *endpoint, approved, plain surface.Tool) ([]Contradiction, error) {
	var found []Contradiction
	add := func(code, path, text string) {
		c := Contradiction{Tool: approved.Name, Code: code, Path: path, Text: text}
		if !slices.Contains(found, c) && (code != absent || !slices.ContainsFunc(found, c.samePlace)) {
			found = append(found, c)
		}
	}
	for _, obs := range e.seen {
		contradictOutput(obs, approved, add)
		contradictInput(obs, approved, add)
		contradictAuth(e.key, obs, approved, add)
	}
	contradictPresence(e, approved, plain, add)
	if err := b.contradictDeclared(e, approved, plain, add); err != nil {
		return nil, err
	}
	slices.SortFunc(found, func(a, b Contradiction) int {
		return strings.Compare(a.Code+"\x00"+a.Path+"\x00"+a.Text, b.Code+"\x00"+b.Path+"\x00"+b.Text)
	})
	return found, nil
}

type report func(code, path, text string)

func contradictOutput(obs []capture.Observation, approved surface.Tool, add report) {
	shape := successShape(obs)
	if shape == nil || len(approved.OutputSchema) == 0 {
		return
	}
	key := approved.Binding.Result
	if key == "" && shape.Objects == nil && shape.Total() > 0 {
		add("output.type", "", "responses are arrays or scalars, not objects")
		return
	}
	for _, c := range schema.Conflicts(approved.OutputSchema, wrapped(shape, key)) {
		if c.Contradicts {
			add("output."+c.Code, c.Path, c.Text)
		}
	}
}

// contradictInput compares what was sent with each approved argument.
func contradictInput(obs []capture.Observation, approved surface.Tool, add report) {
	good := successes(obs)
	properties, required := argumentSchemas(approved.InputSchema)
	total := exchanges(good)
	body, _, _ := requestShape(good, approved.Binding.Encoding)
	if encoding := bodyEncoding(good); encoding != "" && approved.Binding.Encoding != "" && body == nil {
		add("input.encoding", "", "request bodies are "+printable(encoding)+", not "+approved.Binding.Encoding)
		return
	}
	if body != nil && body.Objects == nil && body.Total() > 0 && slices.ContainsFunc(approved.Binding.Arguments, isProperty) {
		add("input.type", "", "request bodies are arrays or scalars, not objects")
		return
	}
	for _, a := range approved.Binding.Arguments {
		shape, count := sent(good, body, a)
		path := "/properties/" + pointerToken(a.Name)
		if required[a.Name] && a.In != surface.InPath && a.In != surface.InHeader && count == 0 && total >= 3 {
			add("input.removed", path, fmt.Sprintf("none of %d successful calls sent the required argument", total))
		}
		for _, c := range schema.Conflicts(properties[a.Name], spelled(a, approved.Binding.Encoding, properties[a.Name], shape)) {
			if c.Contradicts {
				add("input."+c.Code, path+c.Path, c.Text)
			}
		}
	}
}

// isProperty reports whether the argument is a property of the body.
func isProperty(a surface.Argument) bool { return a.In == surface.InBody && a.Key != "" }

func argumentSchemas(input json.RawMessage) (map[string]json.RawMessage, map[string]bool) {
	var doc struct {
		Properties map[string]json.RawMessage `json:"properties"`
		Required   []string                   `json:"required"`
	}
	if json.Unmarshal(input, &doc) != nil {
		return nil, nil
	}
	required := map[string]bool{}
	for _, name := range doc.Required {
		required[name] = true
	}
	return doc.Properties, required
}

// sent is the shape of the values of one argument and how many exchanges had
// it.
func sent(good []capture.Observation, body *schema.Shape, a surface.Argument) (*schema.Shape, int) {
	switch {
	case a.In == surface.InBody && a.Key == "":
		return body, body.Total()
	case a.In == surface.InBody:
		if body == nil || body.Objects == nil {
			return nil, 0
		}
		shape := body.Objects.Properties[a.Key]
		return shape, shape.Total()
	case a.In != surface.InQuery:
		return nil, 0
	}
	var shape *schema.Shape
	count := 0
	for _, o := range good {
		for _, p := range o.Query {
			if p.Name == a.Key {
				shape, count = schema.Merge(shape, p.Shape), count+p.Count
			}
		}
	}
	return shape, count
}

// spelled is the shape of text as the schema reads it: where strings are
// allowed, "12" is a string too, and an array travels as its items, so nothing
// can contradict them. Sent once or several times is a matter of style.
func spelled(a surface.Argument, encoding string, doc json.RawMessage, s *schema.Shape) *schema.Shape {
	text := a.In == surface.InQuery || a.In == surface.InBody && !isJSON(encoding)
	if !text || s == nil {
		return s
	}
	var node struct {
		Type any `json:"type"`
	}
	if json.Unmarshal(doc, &node) != nil {
		return nil
	}
	if types := fmt.Sprint(node.Type); strings.Contains(types, "string") || strings.Contains(types, "array") {
		return nil
	}
	values, _ := fieldValues(s)
	return values
}

// contradictAuth finds that all successful exchanges of a capture were
// authenticated in another way than approved.
func contradictAuth(k endpointKey, obs []capture.Observation, approved surface.Tool, add report) {
	good := successes(obs)
	kinds := map[string]int{}
	same := false
	for _, o := range good {
		if len(o.Auth) == 0 {
			return
		}
		for _, a := range o.Auth {
			switch a.Kind {
			case "unknown":
				return
			case "csrf":
				continue
			}
			kinds[a.Kind] += a.Count
			same = same || approved.Auth != nil && sameAuth(a, approved.Auth)
		}
	}
	total := exchanges(good)
	switch {
	case total == 0 || same:
	case approved.Auth != nil && approved.Auth.Optional && kinds["none"] >= total:
	case approved.Auth != nil && kinds["none"] >= total:
		add("auth.removed", "", "all successful calls were made without credentials")
	case approved.Auth == nil && kinds["none"] == 0:
		best, _ := strongest(k, good)
		if best != nil {
			add("auth.added", "", "all successful calls were authenticated: "+best.kind)
		}
	case approved.Auth != nil && kinds["none"] == 0:
		best, _ := strongest(k, good)
		if best != nil {
			add("auth.changed", "", "all successful calls used "+best.kind+", not "+approved.Auth.Kind)
		}
	}
}

func sameAuth(a capture.Auth, b *surface.Auth) bool {
	if (a.Kind == "bearer" || a.Kind == "oauth2") && (b.Kind == "bearer" || b.Kind == "oauth2") {
		return true
	}
	return a.Kind == b.Kind && a.In == b.In && (a.Kind == "cookie" || strings.EqualFold(a.Name, b.Name))
}

// contradictDeclared compares the approved definition with the specification:
// what it newly requires, and where traffic says nothing of it, what it no
// longer returns.
func (b *builder) contradictDeclared(e *endpoint, approved, plain surface.Tool, add report) error {
	if e.declared == nil {
		return nil
	}
	d := plain
	if len(e.obs) > 0 {
		var err error
		d, err = b.fresh(&endpoint{key: e.key, declared: e.declared, prior: e.prior, name: e.name, base: e.base, holes: e.holes})
		if err != nil {
			return err
		}
	}
	for _, x := range schema.Compare(approved.InputSchema, d.InputSchema) {
		if x.Kind == schema.RequiredAdded || x.Kind == schema.TypeChanged {
			add("input."+string(x.Kind), placeOf(x), "the specification says otherwise than what is approved")
		}
	}
	if successShape(e.obs) != nil || len(d.OutputSchema) == 0 {
		return nil
	}
	for _, x := range schema.Compare(approved.OutputSchema, d.OutputSchema) {
		if x.Kind == schema.PropertyRemoved || x.Kind == schema.TypeChanged {
			add("output."+string(x.Kind), placeOf(x), "the specification says otherwise than what is approved")
		}
	}
	return nil
}

// placeOf is the place of a difference in the schema: for a required property,
// that property.
func placeOf(d schema.Difference) string {
	if at, ok := strings.CutSuffix(d.Path, "/required"); ok && d.Name != "" {
		return at + "/properties/" + pointerToken(d.Name)
	}
	return d.Path
}

// pointerToken escapes a reference token of a JSON Pointer (RFC 6901).
func pointerToken(name string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}
