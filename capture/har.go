package capture

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// The parts of HAR 1.2 (http://www.softwareishard.com/blog/har-12-spec/) that
// matter here. Exporters leave fields out, write null for them, or numbers as
// text; unknown fields, of which browsers have many, are skipped.
type harEntry struct {
	Request      harRequest  `json:"request"`
	Response     harResponse `json:"response"`
	ResourceType harText     `json:"_resourceType"`
}

type harRequest struct {
	Method   harText      `json:"method"`
	URL      harText      `json:"url"`
	Headers  []harHeader  `json:"headers"`
	Cookies  []harHeader  `json:"cookies"`
	PostData *harPostData `json:"postData"`
}

type harResponse struct {
	Status      harNumber   `json:"status"`
	Headers     []harHeader `json:"headers"`
	Content     harContent  `json:"content"`
	RedirectURL harText     `json:"redirectURL"`
}

type harHeader struct {
	Name  harText `json:"name"`
	Value harText `json:"value"`
}

type harPostData struct {
	MimeType harText    `json:"mimeType"`
	Text     *harText   `json:"text"`
	Encoding harText    `json:"encoding"`
	Params   []harParam `json:"params"`
	File     harText    `json:"_file"`
}

type harParam struct {
	Name     harText `json:"name"`
	Value    harText `json:"value"`
	FileName harText `json:"fileName"`
}

type harContent struct {
	MimeType harText   `json:"mimeType"`
	Text     *harText  `json:"text"`
	Encoding harText   `json:"encoding"`
	Size     harNumber `json:"size"`
	File     harText   `json:"_file"`
}

// harText is a string; any other scalar is taken as its text.
type harText string

func (t *harText) UnmarshalJSON(data []byte) error {
	switch {
	case len(data) > 0 && data[0] == '"':
		var s string
		if err := json.Unmarshal(data, &s); err != nil {
			return err
		}
		*t = harText(s)
	case string(data) == "null":
		*t = ""
	case len(data) > 0 && (data[0] == '{' || data[0] == '['):
		return fmt.Errorf("an object or array where text is expected")
	default:
		*t = harText(data)
	}
	return nil
}

// harNumber is a number, which may be null, a fraction or text.
type harNumber float64

func (n *harNumber) UnmarshalJSON(data []byte) error {
	f, err := strconv.ParseFloat(strings.Trim(string(data), `"`), 64)
	if err != nil {
		f = 0
	}
	*n = harNumber(f)
	return nil
}

// bodyFiles opens the bodies that an entry keeps in files of their own.
type bodyFiles func(name string) (text string, err error)

// decodeEntry reads one element of log.entries. Its error says why the entry
// is none; ok is false if its URL is of no kind that an API has.
func decodeEntry(data []byte, creator string, files bodyFiles) (x *exchange, ok bool, err error) {
	var e harEntry
	if err := json.Unmarshal(data, &e); err != nil {
		return nil, false, err
	}
	x = &exchange{
		method:   strings.ToUpper(string(e.Request.Method)),
		status:   int(e.Response.Status),
		resource: strings.ToLower(string(e.ResourceType)),
		source:   "har",
		stripped: strings.HasPrefix(creator, "WebInspector"),
	}
	x.url, err = url.Parse(cutFragment(string(e.Request.URL)))
	if err != nil {
		return x, false, nil
	}
	if x.origin, ok = originOf(x.url); !ok {
		return x, false, nil
	}
	x.request.headers = readHeaders(e.Request.Headers)
	x.addCookies(e.Request.Cookies)
	x.response.headers = readHeaders(e.Response.Headers)
	if e.Response.RedirectURL != "" && x.response.get("location") == "" {
		x.response.headers = append(x.response.headers, header{"location", string(e.Response.RedirectURL)})
	}
	x.readRequestBody(e.Request.PostData, files)
	x.readResponseBody(e.Response.Content, files)
	return x, true, nil
}

func cutFragment(raw string) string {
	raw, _, _ = strings.Cut(raw, "#")
	return raw
}

// readHeaders drops the pseudo-headers of HTTP/2 (RFC 9113 section 8.3).
func readHeaders(in []harHeader) []header {
	out := make([]header, 0, len(in))
	for _, h := range in {
		if h.Name == "" || h.Name[0] == ':' {
			continue
		}
		out = append(out, header{strings.ToLower(string(h.Name)), string(h.Value)})
	}
	return out
}

// addCookies adds the cookies that an exporter lists without a Cookie header.
func (x *exchange) addCookies(cookies []harHeader) {
	if len(cookies) == 0 || x.request.get("cookie") != "" {
		return
	}
	var pairs []string
	for _, c := range cookies {
		pairs = append(pairs, string(c.Name)+"="+string(c.Value))
	}
	x.request.headers = append(x.request.headers, header{"cookie", strings.Join(pairs, "; ")})
}

func (x *exchange) readRequestBody(p *harPostData, files bodyFiles) {
	m := &x.request
	if p == nil {
		switch x.method {
		case "POST", "PUT", "PATCH":
			length := m.get("content-length")
			m.missing = length != "" && length != "0"
		}
		return
	}
	m.mediaType = string(p.MimeType)
	m.encoding = string(p.Encoding)
	for _, param := range p.Params {
		m.params = append(m.params, field{string(param.Name), string(param.Value), param.FileName != ""})
	}
	switch {
	case p.Text != nil && *p.Text != "":
		m.text = string(*p.Text)
	case p.File != "":
		m.read(string(p.File), files)
	case p.Text == nil && len(p.Params) == 0:
		m.missing = true
	}
}

func (x *exchange) readResponseBody(c harContent, files bodyFiles) {
	m := &x.response
	m.mediaType = string(c.MimeType)
	m.encoding = string(c.Encoding)
	switch {
	case c.Text != nil && *c.Text != "":
		m.text = string(*c.Text)
	case c.File != "":
		m.read(string(c.File), files)
	default:
		m.missing = c.Size > 0 || c.Text == nil && x.mayHaveBody()
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
