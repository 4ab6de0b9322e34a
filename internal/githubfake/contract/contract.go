// Package contract holds what is sent to GitHub, and what is answered, against
// GitHub's own OpenAPI document. Like githubfake it supports tests and is part
// of no product.
package contract

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
)

// Checker is an http.Handler that passes requests on and reports each request
// and each reply that GitHub's document does not allow.
type Checker struct {
	doc    *openapi3.T
	next   http.Handler
	report func(format string, args ...any)

	mu   sync.Mutex
	sent []string
}

// Load reads an OpenAPI document.
func Load(path string) (*openapi3.T, error) { return openapi3.NewLoader().LoadFromFile(path) }

// New checks what passes to next and back. Report is called for each violation,
// from the goroutine that serves the request.
func New(doc *openapi3.T, next http.Handler, report func(format string, args ...any)) *Checker {
	return &Checker{doc: doc, next: next, report: report}
}

// Sent are the requests in their order, as method and escaped path.
func (c *Checker) Sent() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.sent)
}

// route finds the operation of a request: a parameter is one segment.
func (c *Checker) route(r *http.Request) (*routers.Route, map[string]string) {
	have := strings.Split(r.URL.EscapedPath(), "/")
	paths := c.doc.Paths.Map()
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		want, params := strings.Split(path, "/"), map[string]string{}
		ok := len(want) == len(have)
		for i := 0; ok && i < len(want); i++ {
			if name, isParam := strings.CutPrefix(want[i], "{"); isParam {
				value, err := url.PathUnescape(have[i])
				params[strings.TrimSuffix(name, "}")], ok = value, err == nil && value != ""
				continue
			}
			ok = want[i] == have[i]
		}
		if op := paths[path].GetOperation(r.Method); ok && op != nil {
			return &routers.Route{Spec: c.doc, Path: path, PathItem: paths[path], Method: r.Method, Operation: op}, params
		}
	}
	return nil, nil
}

// ServeHTTP implements http.Handler.
func (c *Checker) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	route, params := c.route(r)
	if route == nil {
		c.report("GitHub has no %s %s", r.Method, r.URL.EscapedPath())
		http.NotFound(w, r)
		return
	}
	c.mu.Lock()
	c.sent = append(c.sent, r.Method+" "+r.URL.EscapedPath())
	c.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		c.report("request %s %s: %v", r.Method, r.URL, err)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	in := &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: route, Options: &openapi3filter.Options{
		AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, IncludeResponseStatus: true,
	}}
	if err := openapi3filter.ValidateRequest(r.Context(), in); err != nil {
		c.report("request %s %s: %v", r.Method, r.URL, err)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	rec := httptest.NewRecorder()
	c.next.ServeHTTP(rec, r)
	if err := c.reply(in, rec); err != nil {
		c.report("reply %d to %s %s: %v", rec.Code, r.Method, r.URL, err)
	}
	maps.Copy(w.Header(), rec.Header())
	w.WriteHeader(rec.Code)
	_, _ = w.Write(rec.Body.Bytes())
}
