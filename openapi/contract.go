package openapi

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/tomallicino/caskmcp/internal/canonical"
	"github.com/tomallicino/caskmcp/surface"
)

// contract is an OpenAPI 3.1 document; fields are in the order people expect.
type contract struct {
	OpenAPI    string                          `json:"openapi"`
	Info       contractInfo                    `json:"info"`
	Servers    []contractServer                `json:"servers"`
	Tags       []contractTag                   `json:"tags,omitempty"`
	Security   []map[string][]string           `json:"security"`
	Paths      map[string]map[string]operation `json:"paths"`
	Components components                      `json:"components,omitzero"`
}

type contractInfo struct {
	Title       string `json:"title"`
	Description string `json:"description"`
	Version     string `json:"version"`
}

type contractServer struct {
	URL string `json:"url"`
}

type contractTag struct {
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
}

type components struct {
	Schemas         map[string]any            `json:"schemas,omitempty"`
	SecuritySchemes map[string]securityScheme `json:"securitySchemes,omitempty"`
}

type securityScheme struct {
	Type        string `json:"type"`
	Description string `json:"description,omitempty"`
	Scheme      string `json:"scheme,omitempty"`
	Name        string `json:"name,omitempty"`
	In          string `json:"in,omitempty"`
}

type operation struct {
	OperationID string                `json:"operationId"`
	Summary     string                `json:"summary,omitempty"`
	Description string                `json:"description,omitempty"`
	Tags        []string              `json:"tags,omitempty"`
	Servers     []contractServer      `json:"servers,omitempty"`
	Parameters  []parameter           `json:"parameters,omitempty"`
	RequestBody *requestBody          `json:"requestBody,omitempty"`
	Responses   map[string]response   `json:"responses"`
	Security    []map[string][]string `json:"security"`
	Caskmcp     extension             `json:"x-caskmcp"`
}

type parameter struct {
	Name        string `json:"name"`
	In          string `json:"in"`
	Description string `json:"description,omitempty"`
	Required    bool   `json:"required,omitempty"`
	Style       string `json:"style,omitempty"`
	Explode     *bool  `json:"explode,omitempty"`
	Schema      any    `json:"schema"`
	Argument    string `json:"x-caskmcp-argument,omitempty"`
}

type requestBody struct {
	Required bool             `json:"required,omitempty"`
	Content  map[string]media `json:"content"`
}

type media struct {
	Schema   any                 `json:"schema,omitempty"`
	Encoding map[string]encoding `json:"encoding,omitempty"`
}

// encoding is an Encoding Object (OpenAPI 3.1 section 4.8.15).
type encoding struct {
	Style   string `json:"style"`
	Explode bool   `json:"explode"`
}

type response struct {
	Description string           `json:"description"`
	Content     map[string]media `json:"content,omitempty"`
}

// extension is what OpenAPI has no field for.
type extension struct {
	Tool      string          `json:"tool"`
	Digest    string          `json:"digest"`
	Effect    surface.Effect  `json:"effect"`
	Risk      surface.Risk    `json:"risk"`
	Confirm   surface.Confirm `json:"confirm"`
	Limits    surface.Limits  `json:"limits"`
	Operation string          `json:"operation,omitempty"`
	Expires   string          `json:"expires,omitempty"`
}

// Contract writes s as an OpenAPI 3.1 document, as JSON and as YAML with the
// same content. Each tool is one operation whose operationId is its name.
//
// The version of the document names the tools' digests: it changes when they
// do. A path item has one operation a method. Further tools of one method and
// path, such as GraphQL operations or the same path of another host, get path
// keys of their own that end in a fragment, as "/graphql#get_user": OpenAPI
// appends the key to the server URL, and clients send no fragment, so the
// request stays the same.
func Contract(s surface.Surface, name string) (jsonDoc, yamlDoc []byte, err error) {
	tools := slices.Clone(s.Tools)
	slices.SortFunc(tools, func(a, b surface.Tool) int { return strings.Compare(a.Name, b.Name) })
	w := &contractWriter{
		origins: origins(tools),
		keys:    pathKeys(tools),
		schemas: map[string]any{},
		schemes: map[string]securityScheme{},
	}
	c := contract{
		OpenAPI:  "3.1.0",
		Info:     contractInfo{Title: name, Description: fmt.Sprintf("The %d operations that agents may call as tools.", len(tools))},
		Servers:  w.servers(),
		Security: []map[string][]string{},
		Tags:     contractTags(s.Toolsets, tools),
		Paths:    map[string]map[string]operation{},
	}
	digests := []string{}
	for i, t := range tools {
		op, err := w.operation(t, w.keys[i])
		if err != nil {
			return nil, nil, fmt.Errorf("writing contract: tool %q: %w", t.Name, err)
		}
		key := w.keys[i].key
		if c.Paths[key] == nil {
			c.Paths[key] = map[string]operation{}
		}
		c.Paths[key][methodKey(t.Binding.Method)] = op
		digests = append(digests, op.Caskmcp.Digest)
	}
	c.Info.Version = canonical.Sum([]byte(strings.Join(digests, "\n")))[len("sha256:"):][:12]
	c.Components = components{Schemas: w.schemas, SecuritySchemes: w.schemes}
	if jsonDoc, err = surface.MarshalIndent(c); err != nil {
		return nil, nil, fmt.Errorf("writing contract: %w", err)
	}
	yamlDoc, err = toYAML(jsonDoc)
	return jsonDoc, yamlDoc, err
}

// methodKey is the field of a path item for a method. OpenAPI 3.1 has no
// field for methods such as PROPFIND, which become extensions.
func methodKey(method string) string {
	m := strings.ToLower(method)
	if _, known := methods[m]; known && m != "query" {
		return m
	}
	return "x-caskmcp-" + m
}

// contractWriter holds what the operations of a contract share.
type contractWriter struct {
	origins []string
	keys    []pathKey
	schemas map[string]any
	schemes map[string]securityScheme
}

func origins(tools []surface.Tool) []string {
	var out []string
	for _, t := range tools {
		out = append(out, t.Binding.Origin())
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (w *contractWriter) servers() []contractServer {
	out := []contractServer{}
	for _, o := range w.origins {
		out = append(out, contractServer{o})
	}
	if len(out) == 0 {
		// A document without servers has the server "/" (section 4.8.1.1).
		out = append(out, contractServer{"/"})
	}
	return out
}

func contractTags(toolsets []surface.Toolset, tools []surface.Tool) []contractTag {
	var out []contractTag
	for _, t := range toolsets {
		out = append(out, contractTag{t.Name, t.Description})
	}
	for _, t := range tools {
		for _, name := range t.Toolsets {
			if !slices.ContainsFunc(out, func(c contractTag) bool { return c.Name == name }) {
				out = append(out, contractTag{Name: name})
			}
		}
	}
	slices.SortFunc(out, func(a, b contractTag) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// pathKey is where a tool stands under "paths". names maps the variables of
// its binding to those of the key.
type pathKey struct {
	key   string
	names map[string]string
}

// pathKeys gives every tool a place of its own. Templates that differ in
// names only are one path (section 4.8.8), whose names the first tool gives.
func pathKeys(tools []surface.Tool) []pathKey {
	templates, taken := map[string]string{}, map[string]bool{}
	out := make([]pathKey, 0, len(tools))
	for _, t := range tools {
		erased := surface.EraseNames(t.Binding.Path)
		template, ok := templates[erased]
		if !ok {
			template = t.Binding.Path
			templates[erased] = template
		}
		k := pathKey{key: template, names: map[string]string{}}
		to := pathVariable.FindAllString(template, -1)
		for i, v := range pathVariable.FindAllString(t.Binding.Path, -1) {
			k.names[strings.Trim(v, "{}")] = strings.Trim(to[i], "{}")
		}
		method := strings.ToLower(t.Binding.Method) + " "
		if taken[method+k.key] {
			k.key += "#" + t.Name
		}
		taken[method+k.key] = true
		out = append(out, k)
	}
	return out
}

var notInComponent = regexp.MustCompile(`[^A-Za-z0-9._-]`)

// requirement adds the security schemes of a, all of which a call needs, and
// refers to them.
func (w *contractWriter) requirement(a *surface.Auth) []map[string][]string {
	if a == nil {
		return []map[string][]string{}
	}
	together := map[string][]string{}
	for _, c := range a.All() {
		together[w.scheme(c)] = append([]string{}, c.Scopes...)
	}
	return []map[string][]string{together}
}

// scheme adds the security scheme of one credential and returns its name. The
// URLs of an OAuth 2 flow are not known, so its access token is described as
// what is sent: a bearer token.
func (w *contractWriter) scheme(a surface.Sent) string {
	s := securityScheme{Type: "http", Scheme: "bearer"}
	switch a.Kind {
	case "basic":
		s.Scheme = "basic"
	case "oauth2":
		s.Description = "OAuth 2.0 access token"
	case "apiKey", "cookie":
		s = securityScheme{Type: "apiKey", In: a.In, Name: a.Name}
		if a.Kind == "cookie" {
			s.In = cmp.Or(s.In, "cookie")
		}
	}
	name := notInComponent.ReplaceAllString(cmp.Or(a.Ref, a.Kind), "_")
	for n := 2; w.schemes[name] != s && w.schemes[name] != (securityScheme{}); n++ {
		name = notInComponent.ReplaceAllString(a.Ref, "_") + "_" + strconv.Itoa(n)
	}
	w.schemes[name] = s
	return name
}

// decodeSchema reads a tool's schema, keeping numbers as they are written.
func decodeSchema(doc json.RawMessage) (map[string]any, error) {
	if len(doc) == 0 {
		return map[string]any{}, nil
	}
	dec := json.NewDecoder(bytes.NewReader(doc))
	dec.UseNumber()
	var m map[string]any
	if err := dec.Decode(&m); err != nil {
		return nil, fmt.Errorf("reading schema: %w", err)
	}
	return m, nil
}
