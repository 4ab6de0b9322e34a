package openapi

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tomallicino/caskmcp/capture"
)

// security declares the ways of authentication that suffice, in the
// document's order. Requirements that a call cannot meet are left out; when
// none is left, the operation cannot be called.
func (w *work) security(node any) ([]capture.DeclaredRequirement, error) {
	alternatives, _ := node.([]any)
	var out []capture.DeclaredRequirement
	var reason error
	for i, a := range alternatives {
		schemes, _ := a.(map[string]any)
		if len(schemes) == 0 {
			out = append(out, capture.DeclaredRequirement{Name: "none", Kind: "none"})
			continue
		}
		together, err := w.together(schemes)
		if err != nil {
			reason = err
			continue
		}
		for _, r := range together {
			if len(together) > 1 {
				r.Group = i + 1
			}
			out = append(out, r)
		}
	}
	if len(out) == 0 && reason != nil {
		return nil, reason
	}
	if reason != nil {
		w.leave("security", reason.Error())
	}
	return out, nil
}

// declaresSecurity reports whether the document has any security scheme.
func (d *document) declaresSecurity() bool {
	schemes, _ := lookup(d.root, "/components/securitySchemes")
	m, _ := schemes.(map[string]any)
	return len(m) > 0
}

// together reads one Security Requirement Object, all of whose schemes are
// needed.
func (w *work) together(schemes map[string]any) ([]capture.DeclaredRequirement, error) {
	declared, _ := lookup(w.doc.root, "/components/securitySchemes")
	all, _ := declared.(map[string]any)
	var out []capture.DeclaredRequirement
	for _, name := range sortedKeys(schemes) {
		scheme, err := w.doc.object(all[name])
		if err != nil {
			return nil, fmt.Errorf("the security scheme %q %w", clip(name, 80), err)
		}
		r, err := requirement(name, scheme)
		if err != nil {
			return nil, err
		}
		scopes, _ := schemes[name].([]any)
		r.Scopes = tags(scopes)
		out = append(out, r)
	}
	return out, nil
}

// requirement reads a Security Scheme Object (OpenAPI 3.1 section 4.8.27).
func requirement(name string, scheme map[string]any) (capture.DeclaredRequirement, error) {
	text := func(key string) string { s, _ := scheme[key].(string); return s }
	r := capture.DeclaredRequirement{Name: name}
	switch kind := text("type"); kind {
	case "oauth2", "openIdConnect":
		r.Kind = "oauth2"
		return r, nil
	case "http":
		if s := strings.ToLower(text("scheme")); s == "bearer" || s == "basic" {
			r.Kind = s
			return r, nil
		}
		return r, fmt.Errorf("it needs HTTP authentication %q, which caskmcp cannot send", clip(text("scheme"), 40))
	case "apiKey":
		return apiKey(r, text("in"), text("name"), text("name")+" "+name+" "+text("description"))
	default:
		return r, fmt.Errorf("it needs authentication %q, which caskmcp cannot send", clip(kind, 40))
	}
}

// apiKey reads the scheme apiKey. Documents that could not say bearer before
// OpenAPI 3 declare it as a key in the header Authorization.
func apiKey(r capture.DeclaredRequirement, in, key, about string) (capture.DeclaredRequirement, error) {
	switch {
	case key == "":
		return r, fmt.Errorf("the security scheme %q does not name its key", clip(r.Name, 80))
	case in == "header" && strings.EqualFold(key, "Authorization") && strings.Contains(strings.ToLower(about), "bearer"):
		r.Kind = "bearer"
	case in == "cookie":
		r.Kind, r.In, r.Key = "cookie", in, key
	case slices.Contains([]string{"header", "query"}, in):
		r.Kind, r.In, r.Key = "apiKey", in, key
		if in == "header" {
			r.Key = strings.ToLower(key) // as captures have it
		}
	default:
		return r, fmt.Errorf("the security scheme %q is in %q", clip(r.Name, 80), clip(in, 40))
	}
	return r, nil
}
