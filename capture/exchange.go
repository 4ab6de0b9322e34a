package capture

import (
	"net/url"
	"strings"
)

// exchange is one request and its response, whatever recorded it.
type exchange struct {
	method   string
	url      *url.URL
	origin   origin
	status   int
	request  message
	response message
	// resource is what the browser wanted it for: "fetch", "document", …;
	// empty if not known.
	resource string
	// source is the kind of input: "har".
	source string
	// stripped says that the exporter removes credentials.
	stripped bool
}

// message is a request or response.
type message struct {
	headers   []header
	mediaType string // as sent, with parameters
	text      string
	encoding  string // "base64" or empty
	params    []field
	// missing says that there is no body though there could be one.
	missing bool
	// lost is why the body could not be read.
	lost string
}

type header struct{ name, value string } // name in lower case

// field is a part of a form.
type field struct {
	name, value string
	file        bool
}

// get returns the first header of a name, which is lower-case.
func (m *message) get(name string) string {
	for _, h := range m.headers {
		if h.name == name {
			return h.value
		}
	}
	return ""
}

// mime returns the media type (RFC 6838) without parameters, in lower case,
// or "" if there is none or it is not one.
func (m *message) mime() string {
	mime := m.mediaType
	if mime == "" {
		mime = m.get("content-type")
	}
	mime, _, _ = strings.Cut(mime, ";")
	mime = strings.ToLower(strings.TrimSpace(mime))
	kind, sub, found := strings.Cut(mime, "/")
	if !found || len(mime) > 100 || !isToken(kind) || !isToken(sub) {
		return ""
	}
	return mime
}

// isToken reports whether t is a token of RFC 9110 section 5.6.2.
func isToken(t string) bool {
	for _, c := range []byte(t) {
		if c <= ' ' || c >= 0x7f || strings.IndexByte("\"(),/:;<=>?@[\\]{}", c) >= 0 {
			return false
		}
	}
	return t != ""
}
