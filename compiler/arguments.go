package compiler

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/tomallicino/caskmcp/capture"
	"github.com/tomallicino/caskmcp/schema"
	"github.com/tomallicino/caskmcp/surface"
)

// requiredSupport is how many calls must all have a query parameter or body
// property before it is required. Where others are optional and yet mostly
// given, it could be one more of those, so that it takes optionalSupport.
const (
	requiredSupport = 10
	optionalSupport = 30
)

// required says which of several counts out of total calls are so high that what
// was counted is required.
func required(total int, counts map[string]int) map[string]bool {
	given, possible := 0, 0
	for _, n := range counts {
		if n < total {
			given, possible = given+n, possible+total
		}
	}
	support := requiredSupport
	if given*3 > possible*2 {
		support = optionalSupport
	}
	out := map[string]bool{}
	for name, n := range counts {
		out[name] = total >= support && n >= total
	}
	return out
}

// argument is one argument of a tool in the making.
type argument struct {
	surface.Argument
	required    bool
	schema      map[string]any
	description string
	shape       *schema.Shape // nil for path arguments and declared ones
}

// inputs are the arguments of an endpoint and how its body is written.
type inputs struct {
	path      string // with names
	arguments []argument
	encoding  string
	fixed     []surface.Fixed
}

// ignoredQuery are cache busters: they mean nothing to the API.
var ignoredQuery = wordSet("_ __ _t _ts _dc _nocache cachebuster cache_buster cb nocache")

// refusedHeaders are declared headers that an agent must not set.
var refusedHeaders = wordSet(`host authorization proxy-authorization cookie content-length content-type content-encoding transfer-encoding
	connection keep-alive upgrade te trailer expect accept accept-encoding forwarded via origin referer user-agent
	x-forwarded-for x-forwarded-host x-forwarded-proto x-forwarded-port x-real-ip x-original-url x-rewrite-url x-host
	x-http-method x-http-method-override x-method-override date range set-cookie`)

// inputsOf finds the arguments of e. Names that prior has stay.
func inputsOf(e *endpoint, prior *surface.Tool, credentials map[string]bool, habits *schema.Habits) inputs {
	in := inputs{}
	names := pathNames(e, prior)
	in.path = fill(e.key.template, names)
	for i, h := range pathHoles(e.key.template, e.obs) {
		in.arguments = append(in.arguments, pathArgument(names[i], h, e.declared))
	}
	in.arguments = append(in.arguments, queryArguments(e.obs, credentials)...)
	body, encoding := bodyArguments(e.obs, habits)
	if e.key.method == "PATCH" {
		// A partial update needs none of its properties (RFC 5789).
		for i := range body {
			body[i].required = body[i].Key == ""
		}
	}
	in.encoding = encoding
	in.arguments = append(in.arguments, body...)
	if e.declared != nil {
		in.declare(e.declared, credentials)
	}
	if e.key.operation != "" {
		in.discriminate(e)
	}
	in.fixHeaders(e, credentials)
	in.nameArguments(prior)
	in.describe(e)
	return in
}

// pathNames are the names of the template's parameters: the approved ones, the
// declared ones, or those that the evidence suggests.
func pathNames(e *endpoint, prior *surface.Tool) []string {
	if prior != nil && surface.EraseNames(prior.Binding.Path) == e.key.template {
		return holes(prior.Binding.Path)
	}
	if e.declared == nil {
		return unique(e.holes)
	}
	var names []string
	for _, name := range holes(e.declared.Path) {
		names = append(names, legalArgument(name))
	}
	return unique(names)
}

// textFormats are classes that are formats of JSON Schema too.
var textFormats = map[string]string{"uuid": "uuid", "email": "email", "date": "date", "date-time": "date-time", "ipv4": "ipv4", "ipv6": "ipv6"}

func pathArgument(name string, h hole, d *capture.Declaration) argument {
	a := argument{Argument: surface.Argument{Name: name, In: surface.InPath, Key: name, EscapedSlash: h.slash}, required: true}
	a.schema = map[string]any{"type": "string", "minLength": 1}
	switch class := h.class(); {
	case class == "int":
		// An id may need more than 53 bits, which only a string can carry.
		a.schema = map[string]any{"type": []any{"integer", "string"}}
	case textFormats[class] != "" && (class == "uuid" || h.classes[class] >= requiredSupport):
		a.schema["format"] = textFormats[class]
	}
	a.description = h.describe()
	if d == nil {
		return a
	}
	declaredNames := holes(d.Path)
	at := slices.IndexFunc(declaredNames, func(n string) bool { return legalArgument(n) == name })
	for _, p := range d.Parameters {
		if p.In == surface.InPath && at >= 0 && p.Name == declaredNames[at] {
			a.fromDeclaration(p)
		}
	}
	return a
}

// fromDeclaration takes schema and text of a declared parameter.
func (a *argument) fromDeclaration(p capture.DeclaredParameter) {
	if doc := declaredSchema(p.Schema); doc != nil {
		a.schema, a.shape = doc, nil
	}
	if p.Description != "" {
		a.description = clip(p.Description, maxArgumentText)
	}
	a.Style = p.Style
	a.required = p.Required || p.In == surface.InPath
}

// queryArguments are the query parameters that were seen. Credentials and
// cache busters are none.
func queryArguments(obs []capture.Observation, credentials map[string]bool) []argument {
	byName := map[string]*argument{}
	repeated := map[string]bool{}
	counts := map[string]int{}
	total := 0
	for _, o := range obs {
		if succeeded(o) {
			total += o.Count
		}
		for _, p := range o.Query {
			if ignoredQuery[p.Name] || credentials[p.Name] || secretParameter(p.Name) {
				continue
			}
			a := byName[p.Name]
			if a == nil {
				a = &argument{Argument: surface.Argument{In: surface.InQuery, Key: p.Name}}
				byName[p.Name] = a
			}
			a.shape = schema.Merge(a.shape, p.Shape)
			repeated[p.Name] = repeated[p.Name] || p.Repeated > 0 || strings.HasSuffix(p.Name, "[]")
			if succeeded(o) {
				counts[p.Name] += p.Count
			}
		}
	}
	var out []argument
	always := required(total, counts)
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		a := byName[name]
		// What only pages, sorts or selects is a choice, however constant, and so
		// is a flag.
		role := roles[snake(name)]
		a.required = always[name] && (role == "" || role == "search text") && a.shape.Booleans < a.shape.Total()
		a.schema = parameterSchema(a.shape, name)
		if repeated[name] {
			a.schema = map[string]any{"type": "array", "items": a.schema}
		}
		out = append(out, *a)
	}
	return out
}

// parameterSchema is the schema of a value that travels as text: whatever was
// seen, an empty value is no type of its own.
func parameterSchema(s *schema.Shape, name string) map[string]any {
	doc := s.InputAs(name, nil)
	if len(doc) == 0 || roles[snake(name)] == "search text" {
		doc["type"] = "string" // people search for numbers, too
	}
	return doc
}

// secretParameter reports whether a query parameter is a credential by name.
func secretParameter(name string) bool {
	switch snake(name) {
	case "sig", "signature", "x_amz_signature", "x_amz_credential", "x_amz_security_token", "sessionid", "session_id", "sid":
		return true
	}
	return capture.Sensitive(name)
}

// writable reports the body media types that a call can be written in: those
// that upstream.New takes.
func writable(mediaType string) bool {
	return isJSON(mediaType) || mediaType == "application/x-www-form-urlencoded" || mediaType == "multipart/form-data" || mediaType == "text/plain"
}

// bodyEncoding is the media type of most request bodies.
func bodyEncoding(obs []capture.Observation) string {
	counts := map[string]int{}
	for _, o := range obs {
		if o.RequestType != "" && (o.RequestBodies > 0 || o.Request != nil) {
			counts[o.RequestType] += o.Count
		}
	}
	return mostFrequent(counts)
}

// mostFrequent is the key with the highest count, the first by text of equals.
func mostFrequent(counts map[string]int) string {
	keys := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	})
	if len(keys) == 0 {
		return ""
	}
	return keys[0]
}

// requestShape merges the bodies of one media type.
func requestShape(obs []capture.Observation, encoding string) (shape *schema.Shape, bodies, total int) {
	for _, o := range obs {
		total += o.Count
		if o.RequestType != encoding || o.Request == nil {
			continue
		}
		bodies += o.RequestBodies
		shape = schema.Merge(shape, o.Request)
	}
	return shape, bodies, total
}

// bodyArguments are the top-level properties of the request body, or the whole
// body where it is no record.
func bodyArguments(obs []capture.Observation, habits *schema.Habits) ([]argument, string) {
	encoding := bodyEncoding(obs)
	if encoding == "" {
		return nil, ""
	}
	if !isJSON(encoding) {
		habits = nil // texts are never null
	}
	shape, _, _ := requestShape(obs, encoding)
	if !isRecord(shape) {
		doc := map[string]any{"type": "string"}
		if shape != nil && shape.Total() > 0 {
			doc = shape.InputAs("body", habits)
		}
		return []argument{{Argument: surface.Argument{In: surface.InBody}, required: true, schema: doc, shape: shape}}, encoding
	}
	// Whether a property is always there is judged by successful calls.
	good, _, total := requestShape(successes(obs), encoding)
	counts := map[string]int{}
	if good != nil && good.Objects != nil && good.Objects.Count >= total {
		for name := range shape.Objects.Properties {
			counts[name] = good.Objects.Properties[name].Total()
		}
	}
	always := required(total, counts)
	var out []argument
	for _, name := range slices.Sorted(maps.Keys(shape.Objects.Properties)) {
		p := shape.Objects.Properties[name]
		values, repeated := p, false
		if !isJSON(encoding) {
			values, repeated = fieldValues(p)
			repeated = repeated || strings.HasSuffix(name, "[]")
		}
		a := argument{Argument: surface.Argument{In: surface.InBody, Key: name}, shape: values, schema: openObjects(values.InputAs(name, habits)), required: always[name]}
		if repeated {
			a.schema = map[string]any{"type": "array", "items": a.schema}
		}
		out = append(out, a)
	}
	return out, encoding
}

// fieldValues is the shape of the single values of a form field, and whether the
// field was ever sent more than once, which is an array.
func fieldValues(s *schema.Shape) (values *schema.Shape, repeated bool) {
	if s == nil || s.Arrays == nil {
		return s, false
	}
	single := *s
	single.Arrays = nil
	return schema.Merge(&single, s.Arrays.Items), true
}

// openObjects lets nested objects have more properties than were seen.
func openObjects(doc map[string]any) map[string]any {
	if doc["additionalProperties"] == false {
		delete(doc, "additionalProperties")
	}
	return doc
}

// isRecord reports whether all bodies were objects with known properties.
func isRecord(s *schema.Shape) bool {
	if s == nil || s.Objects == nil || s.Objects.Map || s.Objects.Entries != nil {
		return false
	}
	return s.Total() == s.Objects.Count
}

// nameArguments gives every argument a name of its own: the approved one, or
// the API's own spelling with the place appended where two collide.
func (in *inputs) nameArguments(prior *surface.Tool) {
	taken := map[string]bool{}
	kept := map[[2]string]string{}
	if prior != nil {
		for _, a := range prior.Binding.Arguments {
			kept[[2]string{a.In, a.Key}] = a.Name
			taken[a.Name] = true
		}
	}
	for _, place := range []string{surface.InPath, surface.InQuery, surface.InHeader, surface.InBody} {
		for i := range in.arguments {
			a := &in.arguments[i]
			if a.In != place {
				continue
			}
			if name, ok := kept[[2]string{a.In, a.Key}]; ok {
				a.Name = name
				continue
			}
			wish := cmp.Or(a.Key, "body")
			a.Name = freeArgument(legalArgument(wish), place, taken)
			taken[a.Name] = true
		}
	}
	slices.SortFunc(in.arguments, func(a, b argument) int { return strings.Compare(a.Name, b.Name) })
}

func freeArgument(name, place string, taken map[string]bool) string {
	if !taken[name] {
		return name
	}
	if len(name) > 40 {
		name = name[:40]
	}
	name += "_" + place
	candidate := name
	for n := 2; taken[candidate]; n++ {
		candidate = name + "_" + itoa(n)
	}
	return candidate
}

// schemaDocument is the input schema in RFC 8785 form.
func (in *inputs) schemaDocument() (json.RawMessage, error) {
	properties := map[string]any{}
	required := []any{}
	for _, a := range in.arguments {
		doc := maps.Clone(a.schema)
		if doc == nil {
			doc = map[string]any{}
		}
		if a.description != "" {
			doc["description"] = a.description
		}
		properties[a.Name] = doc
		if a.required {
			required = append(required, a.Name)
		}
	}
	doc := map[string]any{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		doc["required"] = required
	}
	liftDefinitions(doc)
	return encode(doc)
}

// bindings are the arguments' places in the request, sorted by name.
func (in *inputs) bindings() []surface.Argument {
	out := make([]surface.Argument, 0, len(in.arguments))
	for _, a := range in.arguments {
		out = append(out, a.Argument)
	}
	return out
}
