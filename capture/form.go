package capture

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/url"
	"strings"
)

const (
	formType      = "application/x-www-form-urlencoded"
	multipartType = "multipart/form-data"
	maxFields     = 1000
)

// fieldsOf returns the fields of a form: of its text if it can be read,
// otherwise of the list that the exporter made of it.
func fieldsOf(m *message, mime, body string) ([]field, bool) {
	switch mime {
	case formType:
		if body != "" {
			return parseForm(body), true
		}
		return m.params, len(m.params) > 0
	case multipartType:
		if fields, ok := parseMultipart(m, body); ok {
			return fields, true
		}
		return m.params, len(m.params) > 0
	case "":
		// Some exporters leave the type to the parameters.
		return m.params, body == "" && len(m.params) > 0
	}
	return nil, false
}

// parseForm splits a query string or urlencoded form; unlike net/url it keeps
// the order and what is not escaped as it should be.
func parseForm(text string) []field {
	var fields []field
	for pair := range strings.SplitSeq(text, "&") {
		if pair == "" || len(fields) == maxFields {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		fields = append(fields, field{name: unescapeQuery(name), value: unescapeQuery(value)})
	}
	return fields
}

func unescapeQuery(t string) string {
	if strings.IndexByte(t, '%') < 0 && strings.IndexByte(t, '+') < 0 {
		return t
	}
	if plain, err := url.QueryUnescape(t); err == nil {
		return plain
	}
	return t
}

func parseMultipart(m *message, body string) ([]field, bool) {
	mediaType := m.mediaType
	if !strings.Contains(mediaType, "boundary") {
		mediaType = m.get("content-type")
	}
	_, parameters, err := mime.ParseMediaType(mediaType)
	boundary := parameters["boundary"]
	if err != nil || boundary == "" {
		// The first line of the body is the boundary.
		line, _, _ := strings.Cut(strings.TrimLeft(body, "\r\n"), "\n")
		boundary = strings.TrimPrefix(strings.TrimRight(line, "\r"), "--")
	}
	if boundary == "" || body == "" {
		return nil, false
	}
	if !strings.Contains(body, "\r\n") {
		body = strings.ReplaceAll(body, "\n", "\r\n")
	}
	r := multipart.NewReader(strings.NewReader(body), boundary)
	var fields []field
	for len(fields) < maxFields {
		part, err := r.NextRawPart()
		if errors.Is(err, io.EOF) {
			return fields, len(fields) > 0
		}
		if err != nil {
			return nil, false
		}
		value, err := io.ReadAll(part)
		if err != nil {
			return nil, false
		}
		if name := part.FormName(); name != "" {
			fields = append(fields, field{name: name, value: string(value), file: part.FileName() != ""})
		}
	}
	return fields, true
}

// unquoteJSON returns the value of a JSON string.
func unquoteJSON(text string) (string, bool) {
	var v string
	err := json.Unmarshal([]byte(text), &v)
	return v, err == nil
}
