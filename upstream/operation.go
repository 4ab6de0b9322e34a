package upstream

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/tomallicino/caskmcp/internal/safehttp"
	"github.com/tomallicino/caskmcp/surface"
)

// How arrays are written in a query or form (surface.Argument.Style).
const (
	styleRepeat = "repeat"
	styleComma  = "comma"
)

// Body encodings an operation may have, by the family of its media type.
const (
	bodyNone      = ""
	bodyJSON      = "json"
	bodyForm      = "form"
	bodyMultipart = "multipart"
	bodyText      = "text"
)

var methods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY"}

// operation is a tool's binding, checked and taken apart.
type operation struct {
	tool   surface.Tool
	origin safehttp.Origin
	// segments of the path template: literals and variables in turn.
	parts []pathPart
	body  string
	fixed []fixedValue
}

type pathPart struct {
	literal  string
	variable string // argument or fixed key; "" for a literal
}

type fixedValue struct {
	in, key string
	value   any
}

// newOperation refuses bindings whose meaning is not certain. An approved
// definition that is refused is not served.
func newOperation(t surface.Tool) (*operation, error) {
	b := t.Binding
	op := &operation{tool: t, origin: safehttp.Origin{Scheme: b.Scheme, Host: b.Host, Port: b.Port}}
	if err := op.origin.Validate(); err != nil {
		return nil, err
	}
	if !slices.Contains(methods, b.Method) {
		return nil, fmt.Errorf("method %q is not supported", b.Method)
	}
	var err error
	if op.body, err = bodyKind(b.Encoding); err != nil {
		return nil, err
	}
	for _, f := range b.Fixed {
		v, err := decode(f.Value)
		if err != nil {
			return nil, fmt.Errorf("fixed value %q: %w", f.Key, err)
		}
		op.fixed = append(op.fixed, fixedValue{in: f.In, key: f.Key, value: v})
	}
	if err := op.checkPlaces(); err != nil {
		return nil, err
	}
	if op.parts, err = splitPath(b.Path); err != nil {
		return nil, err
	}
	return op, op.checkVariables()
}

func bodyKind(encoding string) (string, error) {
	if encoding == "" {
		return bodyNone, nil
	}
	media, _, err := mime.ParseMediaType(encoding)
	if err != nil {
		return "", fmt.Errorf("encoding %q: %w", encoding, err)
	}
	switch {
	case media == "application/json" || strings.HasSuffix(media, "+json"):
		return bodyJSON, nil
	case media == "application/x-www-form-urlencoded":
		return bodyForm, nil
	case media == "multipart/form-data":
		return bodyMultipart, nil
	case media == "text/plain":
		return bodyText, nil
	}
	return "", fmt.Errorf("encoding %q is not supported", encoding)
}

// checkPlaces checks where arguments and fixed values go: each place is filled
// once, and headers that steer the connection, the identity or the routing of
// a request are never arguments.
func (op *operation) checkPlaces() error {
	seen := places{}
	if op.tool.Binding.Accept != "" {
		seen[placeOf(surface.InHeader, "accept")] = true
	}
	for _, a := range op.tool.Binding.Arguments {
		if a.Style != "" && a.Style != styleRepeat && a.Style != styleComma {
			return fmt.Errorf("argument %q: style %q is unknown", a.Name, a.Style)
		}
		if err := seen.fill(a.In, a.Key, op.body); err != nil {
			return fmt.Errorf("argument %q: %w", a.Name, err)
		}
		if a.EscapedSlash && (a.In != surface.InPath || !op.isSegment(a.Key)) {
			return fmt.Errorf("argument %q: escaped_slash is for a path argument that is a whole segment", a.Name)
		}
		// Several frameworks let a parameter of this name replace the method.
		if a.In != surface.InPath && strings.EqualFold(a.Key, "_method") {
			return fmt.Errorf("argument %q could replace the method; make it a fixed value", a.Name)
		}
	}
	for _, f := range op.fixed {
		if err := seen.fill(f.in, f.key, op.body); err != nil {
			return fmt.Errorf("fixed value: %w", err)
		}
		if f.in == surface.InHeader {
			if _, err := headerText(f.value); err != nil {
				return fmt.Errorf("fixed value %q: %w", f.key, err)
			}
		}
	}
	if err := op.checkAuth(seen); err != nil {
		return err
	}
	if seen[placeOf(surface.InBody, "")] && seen.count(surface.InBody) > 1 {
		return fmt.Errorf("the body is one argument and has properties too")
	}
	return nil
}

// checkAuth refuses credentials that share a place with each other or with an
// argument.
func (op *operation) checkAuth(seen places) error {
	taken := places{}
	for _, a := range op.tool.Auth.All() {
		at := placeOf(a.In, a.Name)
		switch a.Kind {
		case "bearer", "basic", "oauth2":
			at = placeOf(surface.InHeader, "authorization")
		case "cookie":
			at = placeOf("cookie", a.Name)
		}
		if taken[at] {
			return fmt.Errorf("two credentials go to %s %q", a.In, a.Name)
		}
		taken[at] = true
		if a.Name != "" && seen[placeOf(a.In, a.Name)] {
			return fmt.Errorf("%s %q is the credential's place and that of an argument or fixed value, too", a.In, a.Name)
		}
	}
	return nil
}

// places are the places of a request that are filled.
type places map[[2]string]bool

// placeOf tells places apart; header names do not differ by case (RFC 9110
// section 5.1).
func placeOf(in, key string) [2]string {
	if in == surface.InHeader {
		key = strings.ToLower(key)
	}
	return [2]string{in, key}
}

// fill notes one place of a request whose body is of the given kind.
func (p places) fill(in, key, body string) error {
	at := placeOf(in, key)
	if p[at] {
		return fmt.Errorf("%s %q is filled twice", in, key)
	}
	p[at] = true
	switch in {
	case surface.InPath, surface.InQuery:
		if key == "" {
			return fmt.Errorf("a %s argument has no key", in)
		}
	case surface.InHeader:
		return checkHeaderName(key)
	case surface.InBody:
		switch {
		case body == bodyNone:
			return fmt.Errorf("body property %q, but the binding has no encoding", key)
		case key == "" && (body == bodyForm || body == bodyMultipart):
			return fmt.Errorf("a form cannot be one argument")
		case key != "" && body == bodyText:
			return fmt.Errorf("body property %q, but the body is text", key)
		}
	default:
		return fmt.Errorf("%q is no place of a request", in)
	}
	return nil
}

func (p places) count(in string) int {
	n := 0
	for at := range p {
		if at[0] == in {
			n++
		}
	}
	return n
}

// reservedHeaders steer the connection, the identity or the routing.
var reservedHeaders = []string{
	"accept-encoding", "authorization", "connection", "content-encoding", "content-length", "content-type",
	"cookie", "cookie2", "expect", "forwarded", "host", "keep-alive", "max-forwards", "range", "set-cookie", "te",
	"trailer", "transfer-encoding", "upgrade", "via", "x-forwarded", "x-host", "x-http-method", "x-http-method-override",
	"x-method-override", "x-original-host", "x-original-url", "x-real-ip", "x-rewrite-url", "true-client-ip", "cf-connecting-ip",
}

var reservedPrefixes = []string{"proxy-", "sec-", "x-forwarded-", "mcp-"}

func checkHeaderName(name string) error {
	lower := strings.ToLower(name)
	if !httpguts.ValidHeaderFieldName(name) {
		return fmt.Errorf("%q is not a header name", name)
	}
	reserved := slices.Contains(reservedHeaders, lower)
	for _, p := range reservedPrefixes {
		reserved = reserved || strings.HasPrefix(lower, p)
	}
	if reserved {
		return fmt.Errorf("header %s cannot be set by a tool", name)
	}
	return nil
}

var (
	pathVariable = regexp.MustCompile(`\{[^{}/]*\}`)
	pathLiteral  = regexp.MustCompile(`^([A-Za-z0-9\-._~!$&'()*+,;=:@/]|%[0-9A-Fa-f]{2})*$`)
)

// splitPath takes a path template apart. Literals must be encoded already.
func splitPath(template string) ([]pathPart, error) {
	if !strings.HasPrefix(template, "/") || strings.HasPrefix(template, "//") {
		return nil, fmt.Errorf("path %q does not begin with one slash", template)
	}
	var parts []pathPart
	literal := func(s string) error {
		if !pathLiteral.MatchString(s) {
			return fmt.Errorf("path %q has characters that are not encoded", template)
		}
		if s != "" {
			parts = append(parts, pathPart{literal: s})
		}
		return nil
	}
	at := 0
	for _, m := range pathVariable.FindAllStringIndex(template, -1) {
		if err := literal(template[at:m[0]]); err != nil {
			return nil, err
		}
		name := template[m[0]+1 : m[1]-1]
		if name == "" || strings.ContainsRune("+#./;?&=,!@|", rune(name[0])) {
			return nil, fmt.Errorf("path variable {%s} is not supported", name)
		}
		parts = append(parts, pathPart{variable: name})
		at = m[1]
	}
	if err := literal(template[at:]); err != nil {
		return nil, err
	}
	return parts, checkSegments(template)
}

// checkSegments refuses a path with dot segments, encoded or not.
func checkSegments(path string) error {
	for s := range strings.SplitSeq(path, "/") {
		plain, err := url.PathUnescape(s)
		if err != nil {
			return fmt.Errorf("path %q: %w", path, err)
		}
		if name, _, _ := strings.Cut(plain, ";"); name == "." || name == ".." {
			return fmt.Errorf("path %q has a dot segment", path)
		}
	}
	return nil
}

// isSegment reports whether a variable is all there is in its segment.
func (op *operation) isSegment(variable string) bool {
	return slices.Contains(strings.Split(op.tool.Binding.Path, "/"), "{"+variable+"}")
}

// checkVariables checks that each path variable is filled by one argument or
// fixed value, and that none is left over.
func (op *operation) checkVariables() error {
	filled := map[string]bool{}
	for _, a := range op.tool.Binding.Arguments {
		if a.In == surface.InPath {
			filled[a.Key] = true
		}
	}
	for _, f := range op.fixed {
		if f.in == surface.InPath {
			filled[f.key] = true
		}
	}
	named := map[string]bool{}
	for _, p := range op.parts {
		if p.variable == "" {
			continue
		}
		if !filled[p.variable] {
			return fmt.Errorf("path variable {%s} has no argument", p.variable)
		}
		named[p.variable] = true
	}
	if len(named) != len(filled) {
		return fmt.Errorf("a path argument has no variable in %q", op.tool.Binding.Path)
	}
	return nil
}

// decode reads one JSON value with its numbers as they are written.
func decode(doc []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(doc))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	if dec.More() {
		return nil, fmt.Errorf("more than one JSON value")
	}
	return v, nil
}
