package upstream

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/tomallicino/caskmcp/surface"
)

// authorize puts the tool's credentials on req. Where it cannot, nothing may be
// sent, because a request without its credentials is another request - unless
// it was approved that calls may go without what is not set.
func (c *Client) authorize(req *http.Request, op *operation) error {
	auth := op.tool.Auth
	all := auth.All()
	values := make([]string, len(all))
	for i, a := range all {
		value, err := c.credential(a.Ref, op)
		switch {
		case err == nil:
			values[i] = value
		case auth.Optional && err.Code == "credential.missing":
			return nil
		default:
			return err
		}
	}
	for i, a := range all {
		if err := place(req, a, values[i]); err != nil {
			return err
		}
	}
	return nil
}

// credential is the value that the approved server block lets op send.
func (c *Client) credential(ref string, op *operation) (string, *Error) {
	i := slices.IndexFunc(c.server.Credentials, func(cr surface.Credential) bool { return cr.Ref == ref })
	if i < 0 {
		return "", &Error{Code: "credential.unknown", Text: fmt.Sprintf(
			"This tool needs credential %q, which the approved server block does not define. Nothing was sent. Define it under auth: in toolpack.yaml, then run \"caskmcp approve\" and \"caskmcp apply\".", ref)}
	}
	cred := c.server.Credentials[i]
	host := op.origin.Host
	if !slices.Contains(cred.Hosts, host) && !slices.Contains(cred.Hosts, net.JoinHostPort(host, strconv.Itoa(op.origin.Port))) {
		return "", &Error{Code: "credential.host", Text: fmt.Sprintf(
			"Credential %q is not approved for host %s. Nothing was sent.", ref, host)}
	}
	value, ok := c.secrets.value(cred.Ref)
	if !ok {
		return "", &Error{Code: "credential.missing", Text: fmt.Sprintf(
			"Credential %q is missing: set the environment variable %s where caskmcp serve runs. Nothing was sent.", ref, cred.Env)}
	}
	return value, nil
}

// place writes a credential where its kind belongs.
func place(req *http.Request, auth surface.Sent, value string) error {
	invalid := &Error{Code: "credential.invalid", Text: fmt.Sprintf("Credential %q has a value or place that HTTP cannot carry. Nothing was sent.", auth.Ref)}
	if !httpguts.ValidHeaderFieldValue(value) {
		return invalid
	}
	authorization := auth.Name == "" || strings.EqualFold(auth.Name, "authorization")
	switch auth.Kind {
	case "bearer", "oauth2":
		if !authorization {
			return invalid
		}
		req.Header.Set("Authorization", "Bearer "+value)
		return nil
	case "basic":
		if !authorization {
			return invalid
		}
		req.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(value)))
		return nil
	}
	in, name := auth.In, auth.Name
	if auth.Kind == "cookie" {
		in = "cookie"
	}
	switch in {
	case "header", "":
		if auth.Kind != "apiKey" || !httpguts.ValidHeaderFieldName(name) || (!strings.EqualFold(name, "authorization") && checkHeaderName(name) != nil) {
			return invalid
		}
		req.Header.Set(name, value)
	case "query":
		if name == "" {
			return invalid
		}
		req.URL.RawQuery = strings.Join(pairs(splitQuery(req.URL.RawQuery), name, styleRepeat, []string{value}), "&")
	case "cookie":
		if strings.ContainsAny(value, ";\"\\ ") && name != "" {
			return invalid
		}
		if name != "" {
			value = name + "=" + value
		}
		if others := req.Header.Get("Cookie"); others != "" {
			value = others + "; " + value
		}
		req.Header.Set("Cookie", value)
	default:
		return invalid
	}
	return nil
}

func splitQuery(q string) []string {
	if q == "" {
		return nil
	}
	return strings.Split(q, "&")
}

// secrets holds the credential values of one server block and hides them.
type secrets struct {
	values   map[string]string // by reference
	replacer *strings.Replacer // nil without values
}

// mask stands for a credential value.
const mask = "[credential]"

// minMasked is the length below which a value is not looked for: it would
// occur by chance everywhere.
const minMasked = 4

func newSecrets(creds []surface.Credential, lookup func(string) (string, bool)) *secrets {
	s := &secrets{values: map[string]string{}}
	var forms []string
	for _, cr := range creds {
		if lookup == nil || cr.Env == "" {
			continue
		}
		v, ok := lookup(cr.Env)
		if v = trimScheme(strings.TrimSpace(v)); !ok || v == "" {
			continue
		}
		s.values[cr.Ref] = v
		forms = append(forms, spellings(v)...)
		// A user:password pair is also shown by its password alone.
		if _, password, ok := strings.Cut(v, ":"); ok {
			forms = append(forms, spellings(password)...)
		}
	}
	// At one position the first match wins, so longer spellings come first.
	slices.SortFunc(forms, func(a, b string) int { return len(b) - len(a) })
	var pairs []string
	for _, f := range slices.Compact(forms) {
		pairs = append(pairs, f, mask)
	}
	if len(pairs) > 0 {
		s.replacer = strings.NewReplacer(pairs...)
	}
	return s
}

// trimScheme takes off "Bearer ", which people copy with a token.
func trimScheme(v string) string {
	if scheme, token, ok := strings.Cut(v, " "); ok && strings.EqualFold(scheme, "bearer") {
		return strings.TrimSpace(token)
	}
	return v
}

func (s *secrets) value(ref string) (string, bool) {
	v, ok := s.values[ref]
	return v, ok
}

// hide masks every known spelling of every credential value in text.
func (s *secrets) hide(text string) string {
	if s.replacer == nil {
		return text
	}
	return s.replacer.Replace(text)
}

// spellings are the forms in which v may come back: as it is, URL-encoded,
// escaped in JSON or HTML, in hexadecimal, and in base64 at each of the three
// alignments it can have inside a longer text.
func spellings(v string) []string {
	if len(v) < minMasked {
		return nil
	}
	q, p := url.QueryEscape(v), url.PathEscape(v)
	forms := []string{v, q, p, percentEncode(v), lowerHex(q), lowerHex(p), lowerHex(percentEncode(v)), queryEscape(v)}
	quoted, err := encodeJSON(v)
	if err == nil {
		forms = append(forms, string(quoted[1:len(quoted)-1]))
	}
	h := hex.EncodeToString([]byte(v))
	forms = append(forms, h, strings.ToUpper(h))
	for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for shift := range 3 {
			if b := aligned(enc, v, shift); len(b) >= minMasked {
				forms = append(forms, b, queryEscape(b))
			}
		}
	}
	return forms
}

// aligned is the part of the base64 form of shift unknown bytes and v that
// does not depend on what stands before or after v.
func aligned(enc *base64.Encoding, v string, shift int) string {
	padded := append(make([]byte, shift), v...)
	b := enc.EncodeToString(padded)
	from := (shift*8 + 5) / 6
	to := len(padded) * 8 / 6
	if from >= to {
		return ""
	}
	return b[from:to]
}

// lowerHex writes the hexadecimal digits of percent-encodings in lower case.
func lowerHex(s string) string {
	b := []byte(s)
	for i := 0; i+2 < len(b); i++ {
		if b[i] == '%' {
			b[i+1], b[i+2] = lower(b[i+1]), lower(b[i+2])
		}
	}
	return string(b)
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'F' {
		return c + 'a' - 'A'
	}
	return c
}
