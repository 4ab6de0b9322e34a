package capture

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/base64"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"

	"github.com/tomallicino/caskmcp/schema"
)

func compressed(t testing.TB, kind, text string) string {
	t.Helper()
	var buf bytes.Buffer
	var w io.WriteCloser
	switch kind {
	case "gzip":
		w = gzip.NewWriter(&buf)
	case "deflate":
		w = zlib.NewWriter(&buf)
	case "br":
		w = brotli.NewWriter(&buf)
	case "zstd":
		var err error
		w, err = zstd.NewWriter(&buf)
		require.NoError(t, err)
	}
	_, err := io.WriteString(w, text)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return buf.String()
}

func TestDecodeBody(t *testing.T) {
	const text = `{"a":1}`
	b64 := base64.StdEncoding.EncodeToString
	for _, test := range []struct {
		name string
		m    message
		want string
	}{
		{"plain", message{text: text}, text},
		{"base64", message{text: b64([]byte(text)), encoding: "base64"}, text},
		{"base64 without padding, in lines", message{text: "eyJh\nIjox\nfQ", encoding: "base64"}, text},
		{"base64url", message{text: base64.URLEncoding.EncodeToString([]byte(`{"a":"??>>"}`)), encoding: "base64"}, `{"a":"??>>"}`},
		{"not base64 at all", message{text: "hello, world!", encoding: "base64"}, "hello, world!"},
		{"base64 unsaid", message{text: b64([]byte(text)), mediaType: "application/json"}, text},
		{"a string is no base64", message{text: "abcdefgh", mediaType: "application/json"}, "abcdefgh"},
		{"gzip in base64", message{text: b64([]byte(compressed(t, "gzip", text))), encoding: "base64"}, text},
		{"gzip in base64 unsaid", message{text: b64([]byte(compressed(t, "gzip", text))), headers: []header{{"content-encoding", "gzip"}}}, text},
		{"zlib", message{text: b64([]byte(compressed(t, "deflate", text))), encoding: "base64"}, text},
		{"zstd", message{text: b64([]byte(compressed(t, "zstd", text))), encoding: "base64"}, text},
		{"brotli", message{text: b64([]byte(compressed(t, "br", text))), encoding: "base64", headers: []header{{"content-encoding", "br"}}}, text},
		{"brotli that is decoded already", message{text: text, headers: []header{{"content-encoding", "br"}}}, text},
		{"twice", message{text: compressed(t, "gzip", compressed(t, "zstd", text))}, text},
		{"byte order mark", message{text: "\xef\xbb\xbf" + text}, text},
		{"UTF-16", message{text: "\xff\xfe{\x00}\x00"}, "{}"},
		{"latin1", message{text: "caf\xe9", mediaType: "text/plain; charset=ISO-8859-1"}, "café"},
		{"latin1 that is converted already", message{text: "café", mediaType: "text/plain; charset=ISO-8859-1"}, "café"},
		{"unknown charset", message{text: "caf\xe9", mediaType: "text/plain; charset=x-none"}, "caf\xe9"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := decodeBody(&test.m, 1<<20)
			require.NoError(t, err)
			require.Equal(t, test.want, got)
		})
	}
}

func TestDecodeBodyIsBounded(t *testing.T) {
	zeros := strings.Repeat("\x00", 10<<20)
	for _, kind := range []string{"gzip", "deflate", "br", "zstd"} {
		m := message{text: compressed(t, kind, zeros), headers: []header{{"content-encoding", kind}}}
		if kind == "br" {
			m.text = base64.StdEncoding.EncodeToString([]byte(m.text))
			m.encoding = "base64"
		}
		_, err := decodeBody(&m, 1<<20)
		require.ErrorIs(t, err, errTooLarge, kind)
	}
	_, err := decodeBody(&message{text: zeros}, 1<<20)
	require.ErrorIs(t, err, errTooLarge)
	_, err = decodeBody(&message{text: "\x1f\x8b\x08broken"}, 1<<20)
	require.Error(t, err)
}

func TestJSONOf(t *testing.T) {
	for _, test := range []struct {
		body, mime, want string
		ok               bool
	}{
		{`{}`, "text/plain", `{}`, true},
		{` [] `, "", `[]`, true},
		{`7`, "application/json", `7`, true},
		{`7`, "text/plain", ``, false},
		{``, "application/json", ``, false},
		{`"{\"a\":1}"`, "application/json", `{"a":1}`, true},
		{`"text"`, "application/vnd.x+json", `"text"`, true},
		{")]}',\n{}", "application/json", `{}`, true},
		{"{\"a\":1}\n\n{\"a\":2}\n", "application/x-ndjson", `[{"a":1},{"a":2}]`, true},
		{`a,b`, "text/csv", ``, false},
	} {
		got, ok := jsonOf(test.body, test.mime)
		require.Equal(t, test.ok, ok, test.body)
		require.Equal(t, test.want, got)
	}
}

func TestBrokenJSONIsReported(t *testing.T) {
	c, report := observe(t, "h", write(t, "in.har", har(
		entry("GET", "https://h/a", 200, "application/json", `{"a":1,"b":`),
		entry("GET", "https://h/a", 200, "application/json", `{"a":1}`),
		entry("GET", "https://h/b", 200, "text/plain", `{no JSON`),
	)))
	require.Equal(t, []Dropped{{"JSON that is broken or was cut off", 1}}, report.Lost)
	require.Equal(t, 2, report.Bodies.Present)
	a := one(t, c, "GET", "/a")
	require.Equal(t, 2, a.Count)
	require.Equal(t, 1, a.ResponseBodies)
	require.Equal(t, 1, a.Response.Objects.Count)
	require.Nil(t, one(t, c, "GET", "/b").Response)
}

func TestForms(t *testing.T) {
	multi := "--b\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\nlamp\r\n--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.png\"\r\nContent-Type: image/png\r\n\r\n\x89PNG\r\n--b--\r\n"
	params := `,"params":[{"name":"title","value":"lamp"},{"name":"file","fileName":"a.png","value":"x"}]`
	file := func(mime, text, more string) string {
		return har(fmt.Sprintf(`{"request":{"method":"POST","url":"https://h/up","headers":[],"postData":{"mimeType":%q,"text":%s%s}},"response":{"status":204,"content":{}}}`, mime, quote(text), more))
	}
	for name, text := range map[string]string{
		"multipart":                  file("multipart/form-data; boundary=b", multi, ""),
		"multipart without boundary": file("multipart/form-data", multi, ""),
		"multipart in LF":            file("multipart/form-data; boundary=b", strings.ReplaceAll(multi, "\r\n", "\n"), ""),
		"params only":                file("multipart/form-data; boundary=b", "", params),
		"params beside broken text":  file("multipart/form-data; boundary=b", "--c nothing", params),
	} {
		t.Run(name, func(t *testing.T) {
			c, _ := observe(t, "h", write(t, "in.har", text))
			o := one(t, c, "POST", "/up")
			require.Equal(t, multipartType, o.RequestType)
			require.Equal(t, 1, o.Request.Objects.Count)
			require.Equal(t, 1, o.Request.Objects.Properties["title"].Strings.Count)
			require.Equal(t, schema.Counts{{Name: "binary", N: 1}}, o.Request.Objects.Properties["file"].Strings.Classes)
		})
	}
	c, _ := observe(t, "h", write(t, "in.har", har(post("https://h/f", formType, "id=1&id=2&name=a+b%21&flag=true&broken=%zz&17=x"))))
	request := one(t, c, "POST", "/f").Request.Objects
	require.Equal(t, 2, request.Properties["id"].Arrays.Items.Integers.Count)
	require.Equal(t, 1, request.Properties["flag"].Booleans)
	require.Equal(t, schema.Counts{{Name: "int", N: 1}}, request.Keys)
	require.NotNil(t, request.Properties["broken"])
}
