package upstream

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/tomallicino/caskmcp/surface"
)

// request builds the HTTP request of one call. Arguments that do not fit their
// place are an *Error with Code "arguments.unsafe".
func (op *operation) request(ctx context.Context, args map[string]any) (*http.Request, error) {
	for name := range args {
		if !op.takes(name) {
			return nil, unsafeArgument(name, fmt.Errorf("is not an argument of this tool"))
		}
	}
	path, err := op.path(args)
	if err != nil {
		return nil, err
	}
	query, err := op.query(args)
	if err != nil {
		return nil, err
	}
	body, contentType, err := op.encodeBody(args)
	if err != nil {
		return nil, err
	}
	target := op.origin.String() + path
	if query != "" {
		target += "?" + query
	}
	req, err := http.NewRequestWithContext(ctx, op.tool.Binding.Method, target, body)
	if err != nil {
		return nil, &Error{Code: "arguments.unsafe", Text: "The arguments do not make an HTTP request. Nothing was sent."}
	}
	if u := req.URL; u.EscapedPath() != path || u.RawQuery != query || u.User != nil || u.Fragment != "" {
		return nil, &Error{Code: "arguments.unsafe", Text: "The arguments do not make a URL of the approved path. Nothing was sent."}
	}
	if err := op.headers(req.Header, args); err != nil {
		return nil, err
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	return req, nil
}

func unsafeArgument(name string, err error) error {
	return &Error{Code: "arguments.unsafe", Text: fmt.Sprintf("Argument %q %v. Nothing was sent.", name, err)}
}

func (op *operation) takes(name string) bool {
	for _, a := range op.tool.Binding.Arguments {
		if a.Name == name {
			return true
		}
	}
	return false
}

// path fills the template.
func (op *operation) path(args map[string]any) (string, error) {
	values := map[string]string{}
	fill := func(name, key string, v any, escapedSlash bool) error {
		text, err := scalar(v)
		if err != nil {
			return unsafeArgument(name, err)
		}
		if values[key], err = pathSegment(text, escapedSlash); err != nil {
			return unsafeArgument(name, err)
		}
		return nil
	}
	for _, a := range op.tool.Binding.Arguments {
		if a.In == surface.InPath {
			if err := fill(a.Name, a.Key, args[a.Name], a.EscapedSlash); err != nil {
				return "", err
			}
		}
	}
	for _, f := range op.fixed {
		if f.in == surface.InPath {
			if err := fill(f.key, f.key, f.value, false); err != nil {
				return "", err
			}
		}
	}
	var b strings.Builder
	for _, p := range op.parts {
		b.WriteString(p.literal)
		if p.variable != "" {
			b.WriteString(values[p.variable])
		}
	}
	// Two values in one segment may be dots that only together climb.
	if err := checkSegments(b.String()); err != nil {
		return "", &Error{Code: "arguments.unsafe", Text: "The path arguments make a dot segment. Nothing was sent."}
	}
	return b.String(), nil
}

func (op *operation) query(args map[string]any) (string, error) {
	var all []string
	for _, a := range op.tool.Binding.Arguments {
		if a.In != surface.InQuery {
			continue
		}
		values, err := scalars(args[a.Name])
		if err != nil {
			return "", unsafeArgument(a.Name, err)
		}
		all = pairs(all, a.Key, a.Style, values)
	}
	for _, f := range op.fixed {
		if f.in != surface.InQuery {
			continue
		}
		values, err := scalars(f.value)
		if err != nil {
			return "", unsafeArgument(f.key, err)
		}
		all = pairs(all, f.key, styleRepeat, values)
	}
	return strings.Join(all, "&"), nil
}

func (op *operation) headers(h http.Header, args map[string]any) error {
	set := func(name, key string, v any) error {
		if list, ok := v.([]any); v == nil || ok && len(list) == 0 {
			return nil
		}
		text, err := headerText(v)
		if err != nil {
			return unsafeArgument(name, err)
		}
		h.Set(key, text)
		return nil
	}
	if a := op.tool.Binding.Accept; a != "" {
		if err := set("Accept", "Accept", a); err != nil {
			return err
		}
	}
	for _, a := range op.tool.Binding.Arguments {
		if a.In == surface.InHeader {
			if err := set(a.Name, a.Key, args[a.Name]); err != nil {
				return err
			}
		}
	}
	for _, f := range op.fixed {
		if f.in == surface.InHeader {
			if err := set(f.key, f.key, f.value); err != nil {
				return err
			}
		}
	}
	return nil
}

// headerText writes a header's value, with commas between several (RFC 9110
// section 5.3).
func headerText(v any) (string, error) {
	values, err := scalars(v)
	if err != nil {
		return "", err
	}
	text := strings.Join(values, ", ")
	if !httpguts.ValidHeaderFieldValue(text) || strings.IndexFunc(text, func(r rune) bool { return r > '~' }) >= 0 {
		return "", fmt.Errorf("has characters that a header cannot carry")
	}
	return text, nil
}

// encodeBody is the body with its Content-Type; nil where there is none.
func (op *operation) encodeBody(args map[string]any) (io.Reader, string, error) {
	if op.body == bodyNone {
		return nil, "", nil
	}
	props := map[string]any{}
	var order []surface.Argument
	for _, a := range op.tool.Binding.Arguments {
		v, given := args[a.Name]
		if a.In != surface.InBody {
			continue
		}
		if a.Key == "" {
			return op.wholeBody(a.Name, v, given)
		}
		if given {
			props[a.Key] = v
			order = append(order, a)
		}
	}
	for _, f := range op.fixed {
		if f.in != surface.InBody {
			continue
		}
		if f.key == "" {
			return op.wholeBody(f.key, f.value, true)
		}
		props[f.key] = f.value
		order = append(order, surface.Argument{Name: f.key, Key: f.key, Style: styleRepeat})
	}
	switch op.body {
	case bodyForm:
		return op.form(order, props)
	case bodyMultipart:
		return multipartForm(order, props)
	case bodyText:
		return nil, "", nil
	}
	doc, err := encodeJSON(props)
	if err != nil {
		return nil, "", err
	}
	return bytes.NewReader(doc), op.tool.Binding.Encoding, nil
}

func (op *operation) wholeBody(name string, v any, given bool) (io.Reader, string, error) {
	if !given {
		return nil, "", nil
	}
	if op.body == bodyText {
		text, err := scalar(v)
		if err != nil {
			return nil, "", unsafeArgument(name, err)
		}
		return strings.NewReader(text), op.tool.Binding.Encoding, nil
	}
	doc, err := encodeJSON(v)
	if err != nil {
		return nil, "", err
	}
	return bytes.NewReader(doc), op.tool.Binding.Encoding, nil
}

func (op *operation) form(order []surface.Argument, props map[string]any) (io.Reader, string, error) {
	var all []string
	for _, a := range order {
		values, err := scalars(props[a.Key])
		if err != nil {
			return nil, "", unsafeArgument(a.Name, err)
		}
		all = pairs(all, a.Key, a.Style, values)
	}
	return strings.NewReader(strings.Join(all, "&")), op.tool.Binding.Encoding, nil
}

func multipartForm(order []surface.Argument, props map[string]any) (io.Reader, string, error) {
	var buf bytes.Buffer
	w := multipart.NewWriter(&buf)
	for _, a := range order {
		values, err := scalars(props[a.Key])
		if err != nil {
			return nil, "", unsafeArgument(a.Name, err)
		}
		for _, v := range values {
			if err := w.WriteField(a.Key, v); err != nil {
				return nil, "", fmt.Errorf("writing multipart body: %w", err)
			}
		}
	}
	if err := w.Close(); err != nil {
		return nil, "", fmt.Errorf("writing multipart body: %w", err)
	}
	return &buf, w.FormDataContentType(), nil
}
