package capture

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"encoding/base64"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/unicode"
)

// errTooLarge says that a body is larger than Options.MaxBody.
var errTooLarge = errors.New("larger than the limit")

// maxCoded is how often a body may be compressed.
const maxCoded = 3

// decodeBody returns the text of a body: its encoding undone, decompressed by
// what its first bytes say rather than by what its headers say, because
// exporters disagree on who does it, and in UTF-8.
func decodeBody(m *message, limit int64) (string, error) {
	if int64(len(m.text)) > limit*4/3+4 {
		return "", errTooLarge
	}
	body := m.text
	switch {
	case strings.EqualFold(m.encoding, "base64"):
		// Firefox labels plain text so: what is no base 64 is kept.
		if raw, ok := fromBase64(body); ok {
			body = raw
		}
	case leftEncoded(m, body):
		if raw, ok := fromBase64(body); ok && (compression(raw) != "" || startsJSON(raw)) {
			body = raw
		}
	}
	for range maxCoded {
		kind := compression(body)
		if kind == "" && brotliCoded(m, body) {
			kind = "br"
		}
		if kind == "" {
			break
		}
		plain, err := decompress(kind, body, limit)
		if err != nil {
			return "", err
		}
		body = plain
	}
	if int64(len(body)) > limit {
		return "", errTooLarge
	}
	return toUTF8(body, charset(m)), nil
}

// fromBase64 accepts both alphabets of RFC 4648, with and without padding,
// and line breaks.
func fromBase64(text string) (string, bool) {
	text = strings.Map(func(r rune) rune {
		switch r {
		case ' ', '\n', '\r', '\t':
			return -1
		case '-':
			return '+'
		case '_':
			return '/'
		}
		return r
	}, text)
	raw, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(text, "="))
	return string(raw), err == nil
}

// leftEncoded reports whether a body that should be JSON or is compressed
// looks like base 64 that an exporter forgot to name.
func leftEncoded(m *message, body string) bool {
	if len(body) < 8 || startsJSON(body) {
		return false
	}
	if !isJSONType(m.mime()) && m.get("content-encoding") == "" {
		return false
	}
	for _, c := range []byte(body[:8]) {
		if !(c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || strings.IndexByte("+/-_=", c) >= 0) {
			return false
		}
	}
	return true
}

// compression names the format that a body's first bytes are of.
func compression(body string) string {
	switch {
	case strings.HasPrefix(body, "\x1f\x8b\x08"):
		return "gzip"
	case strings.HasPrefix(body, "\x28\xb5\x2f\xfd"):
		return "zstd"
	case len(body) > 2 && body[0] == 0x78 && (body[1] == 0x01 || body[1] == 0x9c || body[1] == 0xda) && (uint(body[0])<<8|uint(body[1]))%31 == 0:
		return "deflate"
	}
	return ""
}

// brotliCoded reports whether a body may be brotli, which has no magic number.
func brotliCoded(m *message, body string) bool {
	return strings.EqualFold(strings.TrimSpace(m.get("content-encoding")), "br") && body != "" && !utf8.ValidString(body)
}

func decompress(kind, body string, limit int64) (string, error) {
	in := strings.NewReader(body)
	var out io.Reader
	var err error
	switch kind {
	case "gzip":
		out, err = gzip.NewReader(in)
	case "deflate":
		out, err = zlib.NewReader(in)
	case "br":
		out = brotli.NewReader(in)
	case "zstd":
		var dec *zstd.Decoder
		dec, err = zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(64<<20))
		if err == nil {
			defer dec.Close()
			out = dec
		}
	}
	if err != nil {
		return "", err
	}
	var plain bytes.Buffer
	n, err := io.Copy(&plain, io.LimitReader(out, limit+1))
	if err != nil {
		var corrupt flate.CorruptInputError
		if errors.As(err, &corrupt) {
			return "", errors.New("corrupt deflate data")
		}
		return "", err
	}
	if n > limit {
		return "", errTooLarge
	}
	return plain.String(), nil
}

// charset returns the charset parameter of a body's media type.
func charset(m *message) string {
	for _, mediaType := range []string{m.mediaType, m.get("content-type")} {
		_, parameters, _ := strings.Cut(strings.ToLower(mediaType), ";")
		for p := range strings.SplitSeq(parameters, ";") {
			if name, value, _ := strings.Cut(strings.TrimSpace(p), "="); name == "charset" {
				return strings.Trim(value, `"' `)
			}
		}
	}
	return ""
}

// toUTF8 converts text from its charset and drops byte order marks. Text that
// is UTF-8 already stays: most exporters convert it.
func toUTF8(body, charset string) string {
	var from encoding.Encoding
	switch {
	case strings.HasPrefix(body, "\xef\xbb\xbf"):
		return body[3:]
	case strings.HasPrefix(body, "\xff\xfe"), strings.HasPrefix(body, "\xfe\xff"):
		from = unicode.UTF16(unicode.LittleEndian, unicode.UseBOM)
	case charset == "" || charset == "utf-8" || charset == "utf8" || utf8.ValidString(body):
		return body
	default:
		var err error
		if from, err = htmlindex.Get(charset); err != nil {
			return body
		}
	}
	text, err := from.NewDecoder().String(body)
	if err != nil {
		return body
	}
	return text
}

func isJSONType(mime string) bool {
	return mime == "application/json" || mime == "text/json" || strings.HasSuffix(mime, "+json")
}

func startsJSON(body string) bool {
	body = strings.TrimLeft(body, " \t\r\n")
	return body != "" && (body[0] == '{' || body[0] == '[')
}

// jsonOf returns the JSON that a body is, if it is: by its content rather than
// by its type, without the prefixes that keep it from being a script, lines of
// JSON as an array, and JSON in a JSON string as itself.
func jsonOf(body, mime string) (text string, ok bool) {
	body = strings.TrimSpace(body)
	for _, guard := range []string{")]}',", ")]}'", "for(;;);", "while(1);"} {
		if rest, found := strings.CutPrefix(body, guard); found {
			body = strings.TrimSpace(rest)
			break
		}
	}
	switch {
	case body == "":
		return "", false
	case strings.Contains(mime, "ndjson") || strings.Contains(mime, "jsonl") || strings.Contains(mime, "jsonlines") || mime == "application/json-seq":
		return linesOf(body), true
	case body[0] == '{' || body[0] == '[':
		return body, true
	case !isJSONType(mime):
		return "", false
	case body[0] == '"':
		if inner, ok := unquoteJSON(body); ok && startsJSON(inner) {
			return inner, true
		}
	}
	return body, true
}

// linesOf makes an array of the JSON texts on the lines of a body.
func linesOf(body string) string {
	var lines []string
	for line := range strings.Lines(body) {
		if line = strings.Trim(line, " \t\r\n\x1e"); line != "" {
			lines = append(lines, line)
		}
	}
	return "[" + strings.Join(lines, ",") + "]"
}
