package openapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi2"
	"github.com/getkin/kin-openapi/openapi2conv"
)

// document is an OpenAPI 3 document as a tree of map[string]any, []any,
// string, bool, json.Number and nil.
type document struct {
	root map[string]any
	// endless remembers which references lead back to themselves.
	endless map[string]bool
	// emitted remembers schemas by direction and reference.
	emitted map[string]emission
}

// parse reads doc and brings Swagger 2.0 to OpenAPI 3.0.
func parse(doc []byte) (*document, error) {
	tree, err := decode(doc)
	if err != nil {
		return nil, err
	}
	root, ok := tree.(map[string]any)
	if !ok {
		return nil, errors.New("the document is not an object, so it is neither OpenAPI nor Swagger")
	}
	switch {
	case scalar(root["swagger"]) == "2.0" || scalar(root["swagger"]) == "2":
		if root, err = fromSwagger(root); err != nil {
			return nil, fmt.Errorf("converting Swagger 2.0: %w", err)
		}
	case root["swagger"] != nil:
		return nil, fmt.Errorf("swagger version %q is not supported; caskmcp reads Swagger 2.0 and OpenAPI 3.0 to 3.2", scalar(root["swagger"]))
	case root["openapi"] == nil:
		return nil, errors.New(`the document has neither "openapi" nor "swagger" at its top level, so it is not an OpenAPI document`)
	case !supported(scalar(root["openapi"])):
		return nil, fmt.Errorf("OpenAPI version %q is not supported; caskmcp reads Swagger 2.0 and OpenAPI 3.0 to 3.2", scalar(root["openapi"]))
	}
	return &document{root: root, endless: map[string]bool{}, emitted: map[string]emission{}}, nil
}

func supported(version string) bool {
	return slices.ContainsFunc([]string{"3.0", "3.1", "3.2"}, func(v string) bool {
		return version == v || strings.HasPrefix(version, v+".")
	})
}

func scalar(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return string(v)
	}
	return ""
}

// decode reads JSON where the document starts like JSON, and YAML otherwise.
func decode(doc []byte) (any, error) {
	doc = bytes.TrimPrefix(doc, []byte("\ufeff"))
	if trimmed := bytes.TrimLeft(doc, " \t\r\n"); len(trimmed) == 0 {
		return nil, errors.New("the document is empty")
	} else if trimmed[0] != '{' && trimmed[0] != '[' {
		return decodeYAML(doc)
	}
	dec := json.NewDecoder(bytes.NewReader(doc))
	dec.UseNumber()
	var tree any
	if err := dec.Decode(&tree); err != nil {
		return nil, fmt.Errorf("reading JSON at %s: %w", position(doc, dec.InputOffset(), err), err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("reading JSON: more than one document, the second at %s", position(doc, dec.InputOffset(), nil))
	}
	nodes := maxNodes
	return tree, checkTree(tree, 0, &nodes)
}

// position is where reading stopped, as "line 3, column 7".
func position(doc []byte, offset int64, err error) string {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		offset = syntax.Offset - 1 // the byte it could not read is counted
	}
	before := doc[:min(int(offset), len(doc))]
	return fmt.Sprintf("line %d, column %d", bytes.Count(before, []byte("\n"))+1, len(before)-bytes.LastIndexByte(before, '\n'))
}

var (
	errDeep = fmt.Errorf("the document is nested deeper than %d levels", maxDepth)
	errMany = fmt.Errorf("the document has more than %d values", maxNodes)
)

// checkTree refuses documents that are too deep or too large to walk.
func checkTree(node any, depth int, left *int) error {
	if depth > maxDepth {
		return errDeep
	}
	if *left--; *left < 0 {
		return errMany
	}
	switch node := node.(type) {
	case map[string]any:
		for _, v := range node {
			if err := checkTree(v, depth+1, left); err != nil {
				return err
			}
		}
	case []any:
		for _, v := range node {
			if err := checkTree(v, depth+1, left); err != nil {
				return err
			}
		}
	}
	return nil
}

// fromSwagger converts a Swagger 2.0 tree with kin-openapi, whose loader is
// left as it is: it refuses references out of the document.
func fromSwagger(root map[string]any) (out map[string]any, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the document is not valid Swagger 2.0: %v", r)
		}
	}()
	data, err := json.Marshal(root)
	if err != nil {
		return nil, err
	}
	var v2 openapi2.T
	if err := json.Unmarshal(data, &v2); err != nil {
		return nil, err
	}
	v3, err := openapi2conv.ToV3(&v2)
	if err != nil {
		return nil, err
	}
	if data, err = v3.MarshalJSON(); err != nil {
		return nil, err
	}
	tree, err := decode(data)
	if err != nil {
		return nil, err
	}
	out, _ = tree.(map[string]any)
	return out, nil
}

// errOutside reports a reference that leaves the document.
var errOutside = errors.New("lies outside of the document, and caskmcp reads no other file: bundle the specification first, as with \"npx @redocly/cli bundle\"")

// resolve finds the value of a reference "#/…" or "#anchor", and its key:
// equal targets have equal keys. scope is the schema that holds the
// reference; references to local definitions may start there.
func (d *document) resolve(ref string, scope map[string]any) (target any, key string, err error) {
	fragment, local := strings.CutPrefix(ref, "#")
	if !local {
		return nil, "", fmt.Errorf("the reference %q %w", clip(ref, 200), errOutside)
	}
	if fragment, err = url.PathUnescape(fragment); err != nil {
		return nil, "", fmt.Errorf("the reference %q is not valid", clip(ref, 200))
	}
	if fragment != "" && fragment[0] != '/' {
		for _, keyword := range []string{"$anchor", "$dynamicAnchor"} {
			if found := anchor(scope, keyword, fragment); found != nil {
				return found, "#" + fragment + identity(scope), nil
			}
		}
		if found := d.componentAnchor(fragment); found != nil {
			return found, "#" + fragment, nil
		}
		return nil, "", fmt.Errorf("the reference %q leads nowhere", clip(ref, 200))
	}
	if target, ok := lookup(d.root, fragment); ok {
		return target, fragment, nil
	}
	// JSON Schemas pasted into a document keep references to their own root.
	if strings.HasPrefix(fragment, "/$defs/") || strings.HasPrefix(fragment, "/definitions/") {
		if target, ok := lookup(scope, fragment); ok {
			return target, fragment + identity(scope), nil
		}
	}
	return nil, "", fmt.Errorf("the reference %q leads nowhere", clip(ref, 200))
}

// identity tells apart equal pointers into different schemas.
func identity(scope map[string]any) string { return fmt.Sprintf(" %p", scope) }

// lookup follows an RFC 6901 pointer.
func lookup(node any, pointer string) (any, bool) {
	if pointer == "" {
		return node, true
	}
	for token := range strings.SplitSeq(pointer[1:], "/") {
		token = strings.ReplaceAll(strings.ReplaceAll(token, "~1", "/"), "~0", "~")
		switch n := node.(type) {
		case map[string]any:
			v, ok := n[token]
			if !ok {
				return nil, false
			}
			node = v
		case []any:
			i, err := strconv.Atoi(token)
			if err != nil || i < 0 || i >= len(n) {
				return nil, false
			}
			node = n[i]
		default:
			return nil, false
		}
	}
	return node, true
}

// anchor finds the schema with the anchor name below node.
func anchor(node any, keyword, name string) any {
	switch node := node.(type) {
	case map[string]any:
		if s, ok := node[keyword].(string); ok && s == name {
			return node
		}
		for _, k := range sortedKeys(node) {
			if found := anchor(node[k], keyword, name); found != nil {
				return found
			}
		}
	case []any:
		for _, v := range node {
			if found := anchor(v, keyword, name); found != nil {
				return found
			}
		}
	}
	return nil
}

func (d *document) componentAnchor(name string) any {
	schemas, _ := lookup(d.root, "/components/schemas")
	for _, keyword := range []string{"$anchor", "$dynamicAnchor"} {
		if found := anchor(schemas, keyword, name); found != nil {
			return found
		}
	}
	return nil
}

// object follows references from node to an object that is none. Fields next
// to a reference replace the object's (summary and description, OpenAPI 3.1
// section 4.8.23).
func (d *document) object(node any) (map[string]any, error) {
	m, ok := node.(map[string]any)
	if !ok {
		return nil, errors.New("is not an object")
	}
	description, summary := "", ""
	for range 32 {
		ref, isRef := m["$ref"].(string)
		if !isRef {
			return overlay(m, summary, description), nil
		}
		if s, _ := m["description"].(string); description == "" {
			description = s
		}
		if s, _ := m["summary"].(string); summary == "" {
			summary = s
		}
		target, _, err := d.resolve(ref, nil)
		if err != nil {
			return nil, err
		}
		if m, ok = target.(map[string]any); !ok {
			return nil, fmt.Errorf("the reference %q does not lead to an object", clip(ref, 200))
		}
	}
	return nil, errors.New("is a chain of references without an end")
}

func overlay(m map[string]any, summary, description string) map[string]any {
	if summary == "" && description == "" {
		return m
	}
	out := make(map[string]any, len(m)+2)
	for k, v := range m {
		out[k] = v
	}
	if summary != "" {
		out["summary"] = summary
	}
	if description != "" {
		out["description"] = description
	}
	return out
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// clip shortens text to n bytes at most, at a rune boundary.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}
