package openapi

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/tomallicino/caskmcp/capture"
	"github.com/tomallicino/caskmcp/surface"
)

// methods are the operations an agent could call, in the order of OpenAPI 3.2
// section 4.9; the value is why a method is not one.
var methods = map[string]string{
	"get": "", "put": "", "post": "", "delete": "", "patch": "",
	"query":   "the contract is OpenAPI 3.1, which has no QUERY",
	"head":    "HEAD returns nothing an agent could read",
	"options": "OPTIONS asks about the transport, not about the API",
	"trace":   "TRACE asks about the transport, not about the API",
}

// paths declares or skips every operation of the document.
func (im *importer) paths() error {
	paths, _ := im.doc.root["paths"].(map[string]any)
	count := 0
	for _, path := range sortedKeys(paths) {
		if strings.HasPrefix(path, "x-") {
			continue
		}
		item, err := im.doc.object(paths[path])
		if err != nil {
			im.skip(path, "", "the path "+err.Error())
			continue
		}
		for _, key := range sortedKeys(item) {
			reason, isMethod := methods[strings.ToLower(key)]
			if !isMethod {
				continue
			}
			if count++; count > maxOperations {
				return fmt.Errorf("the document declares more than %d operations", maxOperations)
			}
			request := strings.ToUpper(key) + " " + path
			if reason != "" {
				im.skip(request, "", reason)
				continue
			}
			if err := im.operation(request, path, item, item[key]); errors.Is(err, errEmitted) {
				return err
			} else if err != nil {
				im.skip(request, "", err.Error())
			}
		}
		additional, _ := item["additionalOperations"].(map[string]any)
		for _, method := range sortedKeys(additional) {
			im.skip(method+" "+path, "", "the method is not one of GET, PUT, POST, DELETE and PATCH")
		}
	}
	return nil
}

// operation declares one operation; an error is the reason to skip it.
func (im *importer) operation(request, path string, item map[string]any, node any) error {
	op, err := im.doc.object(node)
	if err != nil {
		return fmt.Errorf("the operation %w", err)
	}
	chosen, err := im.servers.pick(op["servers"], item["servers"])
	if err != nil {
		if errors.Is(err, ErrNoServer) {
			im.noServer = err
		}
		return err
	}
	template, variables, err := pathTemplate(path)
	if err != nil {
		return err
	}
	method, _, _ := strings.Cut(request, " ")
	d := capture.Declaration{
		Method: method, Scheme: chosen.scheme, Host: chosen.host, Port: chosen.port,
		Path:        chosen.base + template,
		OperationID: im.text(request, "operationId", op["operationId"]),
		Summary:     im.text(request, "summary", first(op["summary"], item["summary"])),
		Description: im.text(request, "description", first(op["description"], item["description"])),
		Tags:        tags(op["tags"]),
		Deprecated:  op["deprecated"] == true,
	}
	key := surface.Binding{Method: d.Method, Scheme: d.Scheme, Host: d.Host, Port: d.Port, Path: d.Path}.Identity()
	if other := im.seen[key]; other != "" {
		return fmt.Errorf("it is the same request as %s, whose path differs in names only", other)
	}
	w := &work{importer: im, request: request}
	if d.Parameters, err = w.parameters(variables, item["parameters"], op["parameters"]); err != nil {
		return err
	}
	if d.Body, err = w.body(op["requestBody"]); err != nil {
		return err
	}
	if d.Responses, err = w.responses(op["responses"]); err != nil {
		return err
	}
	security := im.doc.root["security"]
	if own, ok := op["security"]; ok {
		security = own
	}
	if security == nil && !im.doc.declaresSecurity() {
		// The document is silent about credentials: that does not mean none.
		d.Security = []capture.DeclaredRequirement{{Name: "unknown", Kind: "unknown"}}
	} else if d.Security, err = w.security(security); err != nil {
		return err
	}
	im.seen[key] = request
	im.declarations = append(im.declarations, d)
	im.skipped = append(im.skipped, w.left...)
	return nil
}

// work is one operation being read. What it leaves out is kept apart until
// the operation is known to be imported.
type work struct {
	*importer
	request string
	left    []Skipped
}

func (w *work) leave(part, reason string) {
	s := Skipped{Request: w.request, Part: part, Reason: reason}
	if !slices.Contains(w.left, s) {
		w.left = append(w.left, s)
	}
}

// text is a string of at most maxText bytes, without secrets.
func (im *importer) text(request, part string, v any) string {
	s, _ := v.(string)
	if len(s) > maxText {
		im.skip(request, part, fmt.Sprintf("what follows the first %d bytes is left out", maxText))
		s = clip(s, maxText)
	}
	cleaned, rule := cleanText(s)
	if rule != "" {
		im.skip(request, part, "it holds what looks like a secret ("+rule+"), which is left out")
	}
	return cleaned
}

func first(vs ...any) any {
	for _, v := range vs {
		if v != nil && v != "" {
			return v
		}
	}
	return nil
}

func tags(v any) []string {
	list, _ := v.([]any)
	var out []string
	for _, t := range list {
		if s, ok := t.(string); ok && s != "" {
			out = append(out, s)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

var pathVariable = regexp.MustCompile(`\{[^{}/]*\}`)

// pathTemplate percent-encodes the literal parts of a path and lists its
// variables in order.
func pathTemplate(path string) (template string, variables []string, err error) {
	if !strings.HasPrefix(path, "/") {
		return "", nil, errors.New("the path does not start with a slash")
	}
	switch literals := pathVariable.ReplaceAllString(path, ""); {
	case strings.ContainsAny(literals, "?#"):
		return "", nil, errors.New("the path holds a query or a fragment")
	case strings.ContainsAny(literals, "{}"):
		return "", nil, errors.New("the path has a brace without its pair")
	}
	var b strings.Builder
	rest := path
	for _, v := range pathVariable.FindAllString(path, -1) {
		name := v[1 : len(v)-1]
		switch {
		case strings.TrimSpace(name) == "":
			return "", nil, errors.New("the path has a variable without a name")
		case slices.Contains(variables, name):
			return "", nil, fmt.Errorf("the path has the variable %q twice", name)
		}
		literal, after, _ := strings.Cut(rest, v)
		b.WriteString(escapeLiteral(literal))
		b.WriteString(v)
		rest = after
		variables = append(variables, name)
	}
	b.WriteString(escapeLiteral(rest))
	template = b.String()
	for segment := range strings.SplitSeq(template, "/") {
		if segment == "." || segment == ".." {
			return "", nil, errors.New("the path has a dot segment")
		}
	}
	return template, variables, nil
}

// escapeLiteral encodes what RFC 3986 does not allow in a path; what is
// percent-encoded already stays.
func escapeLiteral(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		encoded := c == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2])
		if encoded || c < 0x80 && (c == '/' || strings.IndexByte("-._~!$&'()*+,;=:@", c) >= 0 || isAlphanumeric(c)) {
			b.WriteByte(c)
			continue
		}
		fmt.Fprintf(&b, "%%%02X", c)
	}
	return b.String()
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

func isAlphanumeric(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// body declares the request body of the media type that can be sent best.
func (w *work) body(node any) (*capture.DeclaredBody, error) {
	if node == nil {
		return nil, nil
	}
	m, err := w.doc.object(node)
	if err != nil {
		return nil, fmt.Errorf("the request body %w", err)
	}
	mediaType, media := preferred(m["content"])
	if mediaType == "" {
		return nil, nil
	}
	schema, err := w.emit("body", media["schema"], toRequest)
	if err != nil {
		return nil, fmt.Errorf("the request body: %w", err)
	}
	return &capture.DeclaredBody{
		Type:        mediaType,
		Required:    m["required"] == true,
		Description: w.text(w.request, "description of the body", m["description"]),
		Schema:      schema,
	}, nil
}

// responses declares every response. A range such as 4XX is declared as its
// first status, unless that is declared itself.
func (w *work) responses(node any) ([]capture.DeclaredResponse, error) {
	all, _ := node.(map[string]any)
	var out []capture.DeclaredResponse
	for _, code := range sortedKeys(all) {
		if strings.HasPrefix(code, "x-") {
			continue
		}
		status, ok := responseStatus(code, all)
		if !ok {
			w.leave("response "+clip(code, 20), "it is not a status, or stands for one that is declared itself")
			continue
		}
		m, err := w.doc.object(all[code])
		if err != nil {
			return nil, fmt.Errorf("the response %s %w", clip(code, 20), err)
		}
		mediaType, media := preferred(m["content"])
		schema, err := w.emit("response "+code, media["schema"], toResponse)
		if err != nil {
			return nil, fmt.Errorf("the response %s: %w", code, err)
		}
		out = append(out, capture.DeclaredResponse{
			Status: status, Type: mediaType, Schema: schema,
			Description: w.text(w.request, "description of response "+code, m["description"]),
		})
	}
	slices.SortFunc(out, func(a, b capture.DeclaredResponse) int { return a.Status - b.Status })
	return slices.CompactFunc(out, func(a, b capture.DeclaredResponse) bool { return a.Status == b.Status }), nil
}

// responseStatus is 0 for "default".
func responseStatus(code string, all map[string]any) (int, bool) {
	if code == "default" {
		return 0, true
	}
	if len(code) == 3 && strings.EqualFold(code[1:], "XX") {
		code = code[:1] + "00"
		if _, taken := all[code]; taken {
			return 0, false
		}
	}
	status, err := strconv.Atoi(code)
	return status, err == nil && status >= 100 && status <= 599
}

// preferred picks the media type to send or to ask for: JSON, then forms,
// then text, then the first by name. "*/*" stands for JSON.
func preferred(content any) (string, map[string]any) {
	all, _ := content.(map[string]any)
	best, bestRank, bestKey := "", 0, ""
	for _, key := range sortedKeys(all) {
		name, _, _ := strings.Cut(key, ";")
		name = strings.ToLower(strings.TrimSpace(name))
		if r := mediaRank(name); best == "" || r < bestRank {
			best, bestRank, bestKey = name, r, key
		}
	}
	media, _ := all[bestKey].(map[string]any)
	if best == "*/*" || best == "application/*" {
		best = "application/json"
	}
	return best, media
}

func mediaRank(name string) int {
	switch {
	case name == "application/json":
		return 0
	case name == "*/*", name == "application/*":
		return 1
	case name == "application/merge-patch+json":
		return 2
	case strings.HasSuffix(name, "+json"):
		return 3
	case name == "application/x-www-form-urlencoded":
		return 4
	case name == "multipart/form-data":
		return 5
	case name == "text/plain":
		return 6
	case strings.HasPrefix(name, "text/") && name != "text/html":
		return 7
	}
	return 8
}
