package capture

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/tomallicino/caskmcp/schema"
)

// The parts of HAR 1.2 (http://www.softwareishard.com/blog/har-12-spec/) that
// matter here. Exporters leave fields out, write null for them, or numbers as
// text; unknown fields, of which browsers have many, are skipped.

type harEntry struct {
	request  harRequest
	response harResponse
	resource string // _resourceType
}

type harRequest struct {
	method, url string
	headers     []header
	cookies     []header
	body        *harBody // nil without postData
}

type harResponse struct {
	status   float64
	headers  []header
	redirect string
	body     harBody
}

// harBody is postData or content.
type harBody struct {
	mimeType, encoding string
	text               string
	hasText            bool
	size               float64
	file               string // _file
	params             []field
}

// bodyFiles opens the bodies that an entry keeps in files of their own.
type bodyFiles func(name string) (text string, err error)

// harReader reads one element of log.entries.
type harReader struct{ *schema.Cursor }

func readEntry(text string) (e harEntry, err error) {
	r := harReader{schema.NewCursor(text)}
	err = r.Object(func(key string) (err error) {
		switch key {
		case "request":
			return r.request(&e.request)
		case "response":
			return r.response(&e.response)
		case "_resourceType":
			e.resource, err = r.Text()
			return err
		}
		return r.Skip()
	})
	if err == nil {
		err = r.End()
	}
	return e, err
}

func (r harReader) request(to *harRequest) error {
	return r.object(func(key string) (err error) {
		switch key {
		case "method":
			to.method, err = r.Text()
		case "url":
			to.url, err = r.Text()
		case "headers":
			to.headers, err = r.pairs()
		case "cookies":
			to.cookies, err = r.pairs()
		case "postData":
			if r.Null() {
				return nil
			}
			to.body = &harBody{}
			err = r.body(to.body)
		default:
			err = r.Skip()
		}
		return err
	})
}

func (r harReader) response(to *harResponse) error {
	return r.object(func(key string) (err error) {
		switch key {
		case "status":
			to.status, err = r.number()
		case "headers":
			to.headers, err = r.pairs()
		case "redirectURL":
			to.redirect, err = r.Text()
		case "content":
			err = r.body(&to.body)
		default:
			err = r.Skip()
		}
		return err
	})
}

func (r harReader) body(to *harBody) error {
	return r.object(func(key string) (err error) {
		switch key {
		case "mimeType":
			to.mimeType, err = r.Text()
		case "encoding":
			to.encoding, err = r.Text()
		case "text":
			if r.Null() {
				return nil
			}
			to.text, err = r.Text()
			to.hasText = true
		case "size":
			to.size, err = r.number()
		case "_file":
			to.file, err = r.Text()
		case "params":
			to.params, err = r.params()
		default:
			err = r.Skip()
		}
		return err
	})
}

// pairs reads headers or cookies. Names are lowered by who needs it.
func (r harReader) pairs() (list []header, err error) {
	err = r.array(func() error {
		var h header
		err := r.object(func(key string) (err error) {
			switch key {
			case "name":
				h.name, err = r.Text()
			case "value":
				h.value, err = r.Text()
			default:
				err = r.Skip()
			}
			return err
		})
		list = append(list, h)
		return err
	})
	return list, err
}

func (r harReader) params() (list []field, err error) {
	err = r.array(func() error {
		var f field
		err := r.object(func(key string) (err error) {
			switch key {
			case "name":
				f.name, err = r.Text()
			case "value":
				f.value, err = r.Text()
			case "fileName":
				var name string
				name, err = r.Text()
				f.file = name != ""
			default:
				err = r.Skip()
			}
			return err
		})
		list = append(list, f)
		return err
	})
	return list, err
}

// object and array take null for an empty one.
func (r harReader) object(member func(key string) error) error {
	if r.Null() {
		return nil
	}
	return r.Object(member)
}

func (r harReader) array(item func() error) error {
	if r.Null() {
		return nil
	}
	return r.Array(item)
}

// number reads a number, which may be null or text; what is none counts as 0.
func (r harReader) number() (float64, error) {
	text, err := r.Text()
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, nil //nolint:nilerr // a number that is none counts as absent
	}
	return n, nil
}

// decodeEntry reads one element of log.entries. Its error says why the entry
// is none; ok is false if its URL is of no kind that an API has.
func decodeEntry(text, creator string, files bodyFiles) (x *exchange, ok bool, err error) {
	e, err := readEntry(text)
	if err != nil {
		return nil, false, err
	}
	x = &exchange{
		method:   strings.ToUpper(e.request.method),
		status:   int(e.response.status),
		resource: strings.ToLower(e.resource),
		source:   "har",
		stripped: strings.HasPrefix(creator, "WebInspector"),
	}
	x.url, err = url.Parse(cutFragment(e.request.url))
	if err != nil {
		return x, false, nil //nolint:nilerr // what is no URL is counted as dropped
	}
	if x.origin, ok = originOf(x.url); !ok {
		return x, false, nil
	}
	x.request.headers = lowerHeaders(e.request.headers)
	x.addCookies(e.request.cookies)
	x.response.headers = lowerHeaders(e.response.headers)
	if e.response.redirect != "" && x.response.get("location") == "" {
		x.response.headers = append(x.response.headers, header{"location", e.response.redirect})
	}
	x.readRequestBody(e.request.body, files)
	x.readResponseBody(&e.response.body, files)
	return x, true, nil
}

func cutFragment(raw string) string {
	raw, _, _ = strings.Cut(raw, "#")
	return raw
}

// lowerHeaders drops the pseudo-headers of HTTP/2 (RFC 9113 section 8.3).
func lowerHeaders(in []header) []header {
	out := in[:0]
	for _, h := range in {
		if h.name == "" || h.name[0] == ':' {
			continue
		}
		out = append(out, header{strings.ToLower(h.name), h.value})
	}
	return out
}

// addCookies adds the cookies that an exporter lists without a Cookie header.
func (x *exchange) addCookies(cookies []header) {
	if len(cookies) == 0 || x.request.get("cookie") != "" {
		return
	}
	var pairs []string
	for _, c := range cookies {
		pairs = append(pairs, c.name+"="+c.value)
	}
	x.request.headers = append(x.request.headers, header{"cookie", strings.Join(pairs, "; ")})
}

func (x *exchange) readRequestBody(b *harBody, files bodyFiles) {
	m := &x.request
	if b == nil {
		switch x.method {
		case "POST", "PUT", "PATCH":
			length := m.get("content-length")
			m.missing = length != "" && length != "0"
		}
		return
	}
	m.mediaType, m.encoding, m.params = b.mimeType, b.encoding, b.params
	switch {
	case b.text != "":
		m.text = b.text
	case b.file != "":
		m.read(b.file, files)
	default:
		m.missing = !b.hasText && len(b.params) == 0
	}
}

func (x *exchange) readResponseBody(b *harBody, files bodyFiles) {
	m := &x.response
	m.mediaType, m.encoding = b.mimeType, b.encoding
	switch {
	case b.text != "":
		m.text = b.text
	case b.file != "":
		m.read(b.file, files)
	default:
		m.missing = b.size > 0 || !b.hasText && x.mayHaveBody()
	}
}

// mayHaveBody reports whether a response to x usually has content (RFC 9110
// section 6.4.1).
func (x *exchange) mayHaveBody() bool {
	return x.status >= 200 && x.status != 204 && x.status != 205 && x.status != 304 && (x.status < 300 || x.status >= 400) &&
		x.response.get("content-length") != "0"
}

func (m *message) read(name string, files bodyFiles) {
	if files == nil {
		m.lost = "the body is in a file of its own"
		return
	}
	text, err := files(name)
	if err != nil {
		m.lost = err.Error()
		return
	}
	m.text, m.encoding = text, ""
}
