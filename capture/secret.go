package capture

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/tomallicino/caskmcp/schema"
)

// Secret is where a document holds what it should not; the value is never
// part of it.
type Secret struct {
	// Pointer is the JSON Pointer (RFC 6901) of the place, with "*" for a key
	// that is itself the secret.
	Pointer string `json:"pointer"`
	Rule    string `json:"rule"`
}

// FindSecrets looks for secrets and personal data in a JSON document: values
// under sensitive keys, and tokens, private keys, vendors' keys, credentials,
// e-mail addresses, payment cards, IBANs and US social security numbers
// anywhere, keys included. What the declarations of a capture share is looked
// at where it is and, because keys around it may be sensitive, where it is
// used. What it cannot read as JSON it searches as one text. The result is
// sorted.
func FindSecrets(doc []byte) []Secret {
	text := string(doc)
	w := secretWalker{Cursor: schema.NewCursor(text), shared: sharedObjects(text), used: map[use]bool{}}
	err := w.walk("", false)
	if err == nil {
		err = w.End()
	}
	if err != nil {
		w.path = nil
		w.text(string(doc))
	}
	slices.SortFunc(w.found, func(a, b Secret) int {
		return strings.Compare(a.Pointer+"\x00"+a.Rule, b.Pointer+"\x00"+b.Rule)
	})
	return slices.Compact(w.found)
}

// secretWalker reads a document from the front to the back: a key that is
// there twice is looked at twice.
type secretWalker struct {
	*schema.Cursor
	path  []string // keys and indexes above the value
	found []Secret
	// shared are the shared objects of a capture, used those that were looked
	// at: the same under the same key is not looked at again.
	shared map[string]string
	used   map[use]bool
	within int // shared objects around the value
}

// use is a shared object under a key; secret is as for walk.
type use struct {
	name, key string
	secret    bool
}

func (w *secretWalker) report(rule string) {
	var pointer strings.Builder
	for _, token := range w.path {
		pointer.WriteByte('/')
		pointer.WriteString(escapeToken(token))
	}
	w.found = append(w.found, Secret{pointer.String(), rule})
}

func (w *secretWalker) text(text string) {
	if rule := secretText(text); rule != "" {
		w.report(rule)
	}
}

// at runs look with a token added to the path.
func (w *secretWalker) at(token string, look func() error) error {
	w.path = append(w.path, token)
	err := look()
	w.path = w.path[:len(w.path)-1]
	return err
}

// walk looks at the next value, which is under key; secret says that a
// sensitive property is around it.
func (w *secretWalker) walk(key string, secret bool) error {
	switch w.Kind() {
	case '{':
		return w.Object(func(name string) error {
			if name == shareKey && w.shared != nil && w.Kind() == '"' {
				if err := w.use(key, secret); err != nil {
					return err
				}
			}
			return w.member(key, name, secret)
		})
	case '[':
		i := -1
		return w.Array(func() error {
			i++
			return w.at(strconv.Itoa(i), func() error { return w.walk(key, secret) })
		})
	case '"':
		v, err := w.Text()
		if Sensitive(key) && !harmless(v) {
			w.report("sensitive key")
		}
		w.text(v)
		return err
	default:
		v, err := w.Text()
		if isCard(v) {
			w.report("payment card")
		}
		return err
	}
}

// use looks at the shared object that the next value names, as if it were here.
func (w *secretWalker) use(key string, secret bool) error {
	raw, err := w.Peek()
	if err != nil {
		return err
	}
	name, err := schema.NewCursor(raw).Text()
	u := use{name, key, secret}
	object, ok := w.shared[name]
	if err != nil || !ok || w.used[u] {
		return err
	}
	if len(w.path)+w.within > maxShared {
		return errCircle
	}
	w.used[u] = true
	around := w.Cursor
	w.Cursor = schema.NewCursor(object)
	w.within++
	err = w.walk(key, secret)
	w.within--
	w.Cursor = around
	return err
}

// member looks at a member of the object under key.
func (w *secretWalker) member(key, name string, secret bool) error {
	shown := name
	if rule := secretText(name); rule != "" {
		shown = "*"
		w.path = append(w.path, shown)
		w.report(rule)
		w.path = w.path[:len(w.path)-1]
	}
	inside := secret || key == "properties" && Sensitive(name)
	return w.at(shown, func() error {
		if inside && isData(name) {
			raw, err := w.Peek()
			if err != nil {
				return err
			}
			var v any
			if json.Unmarshal([]byte(raw), &v) == nil && holdsText(v) && !vocabulary(key, name, v) {
				w.report("value of a sensitive property")
			}
		}
		if key == "values" && secret {
			w.path[len(w.path)-1] = "*"
			w.report("enum under a sensitive key")
		}
		return w.walk(name, inside)
	})
}

// isData reports keywords of JSON Schema whose values are data.
func isData(keyword string) bool {
	switch keyword {
	case "default", "const", "enum", "example", "examples":
		return true
	}
	return false
}

func holdsText(v any) bool {
	switch v := v.(type) {
	case string:
		return !harmless(v)
	case []any:
		return slices.ContainsFunc(v, holdsText)
	}
	return false
}

// wordPattern is what vocabularies are made of: BCRYPT, SHA-256, read_only.
var wordPattern = regexp.MustCompile(`^[A-Za-z][A-Za-z_. -]*[0-9]{0,4}[A-Za-z_.-]{0,16}$`)

// vocabulary reports whether the data of a schema are words that a
// specification chooses from, as those of an algorithm among credentials. The
// default of the sensitive property itself, which key names, is none.
func vocabulary(key, keyword string, v any) bool {
	if keyword != "enum" && (Sensitive(key) || keyword != "default" && keyword != "const") {
		return false
	}
	switch v := v.(type) {
	case string:
		return len(v) <= 40 && (wordPattern.MatchString(v) || harmless(v))
	case []any:
		return !slices.ContainsFunc(v, func(item any) bool {
			s, isText := item.(string)
			return isText && !vocabulary(key, "enum", s)
		})
	}
	return true
}

var tokenEscaper = strings.NewReplacer("~", "~0", "/", "~1")

func escapeToken(name string) string { return tokenEscaper.Replace(name) }

// harmless reports values that are no secret under any key: placeholders,
// references to variables, and words of schemas.
func harmless(v string) bool {
	switch v {
	case "", "string", "number", "integer", "boolean", "null", "object", "array", "true", "false", "header", "query", "cookie", "body", "bearer", "basic", "apiKey", "oauth2", "none", "unknown", "required", "optional", "low", "medium", "high", "***", "REDACTED", "[REDACTED]":
		return true
	}
	return strings.HasPrefix(v, "{") && strings.HasSuffix(v, "}") || strings.HasPrefix(v, "${") || strings.HasPrefix(v, "env:") || strings.ContainsRune(v, ' ') && len(schema.Words(v)) > 3
}

// sensitiveWords are words of names whose values are secret.
var sensitiveWords = map[string]bool{
	"password": true, "passwd": true, "pwd": true, "passphrase": true, "passcode": true, "secret": true, "secrets": true, "token": true, "tokens": true, "jwt": true,
	"apikey": true, "authorization": true, "credential": true, "credentials": true, "cookie": true, "sid": true, "sessionid": true, "otp": true, "totp": true, "pin": true,
	"cvv": true, "cvc": true, "ssn": true, "bearer": true, "signature": true, "csrf": true, "xsrf": true, "csrftoken": true, "accesstoken": true, "refreshtoken": true,
	"authtoken": true, "idtoken": true, "clientsecret": true, "privatekey": true, "secretkey": true, "accesskey": true, "iban": true,
}

// sensitivePairs are two words that are a secret together.
var sensitivePairs = map[string]bool{
	"api key": true, "private key": true, "access key": true, "secret key": true, "session id": true, "session key": true, "auth key": true, "signing key": true, "encryption key": true,
	"credit card": true, "card number": true, "account number": true, "social security": true, "auth code": true, "recovery code": true, "backup code": true, "recovery codes": true, "backup codes": true, "master key": true, "license key": true, "storage key": true,
}

// aboutWords end names of facts about a secret, which are none.
var aboutWords = map[string]bool{
	"url": true, "uri": true, "endpoint": true, "type": true, "types": true, "name": true, "kind": true, "count": true, "counts": true, "expires": true, "expiry": true, "expiration": true, "expired": true, "at": true, "in": true, "on": true, "by": true,
	"limit": true, "ttl": true, "length": true, "policy": true, "policies": true, "required": true, "enabled": true, "disabled": true, "status": true, "state": true, "format": true, "algorithm": true, "alg": true, "method": true, "methods": true, "usage": true, "budget": true,
	"version": true, "ref": true, "header": true, "scheme": true, "description": true, "title": true, "set": true, "changed": true, "updated": true, "created": true, "age": true, "lifetime": true, "env": true, "path": true, "file": true, "hint": true, "valid": true, "verified": true, "protection": true,
	"owner": true, "order": true, "scope": true, "scopes": true, "audience": true, "issuer": true, "purpose": true,
}

// pagingWords make a token a place in a list.
var pagingWords = map[string]bool{"page": true, "next": true, "prev": true, "previous": true, "continuation": true, "continue": true, "cursor": true, "sync": true, "resume": true, "start": true, "pagination": true, "max": true, "min": true, "total": true, "prompt": true, "completion": true, "input": true, "output": true, "cancel": true}

// Sensitive reports whether what stands under a name — a key, parameter,
// header or cookie — is secret. Names are compared by their words, so that
// "author" is no "auth" and "nextPageToken" no credential.
func Sensitive(name string) bool {
	if len(name) < 3 || len(name) > 128 {
		return false
	}
	words := schema.Words(name)
	if len(words) == 0 || aboutWords[words[len(words)-1]] {
		return false
	}
	for i, word := range words {
		if i > 0 && sensitivePairs[words[i-1]+" "+word] {
			return true
		}
		if !sensitiveWords[strings.TrimRight(word, "0123456789")] {
			continue
		}
		if strings.HasPrefix(word, "token") && slices.ContainsFunc(words, func(w string) bool { return pagingWords[w] }) {
			continue
		}
		return true
	}
	return len(words) == 1 && words[0] == "auth"
}

var (
	jwtPattern      = regexp.MustCompile(`\beyJ[0-9A-Za-z_-]{8,}\.[0-9A-Za-z_-]{8,}\.[0-9A-Za-z_-]*`)
	schemePattern   = regexp.MustCompile(`(?i)\b(?:bearer|basic)\s+[0-9A-Za-z._~+/=-]{12,}`)
	userinfoPattern = regexp.MustCompile(`[A-Za-z][A-Za-z0-9+.-]*://[^/\s:@"]*:[^/\s@"]+@`)
	emailPattern    = regexp.MustCompile(`[0-9A-Za-z._%+-]+@(?:[0-9A-Za-z](?:[0-9A-Za-z-]*[0-9A-Za-z])?\.)+[A-Za-z]{2,}\b`)
	cardPattern     = regexp.MustCompile(`\b(?:\d[ -]?){12,18}\d\b`)
	ibanPattern     = regexp.MustCompile(`\b[A-Z]{2}\d{2}(?: ?[0-9A-Z]{4}){2,7}(?: ?[0-9A-Z]{1,3})?\b`)
	ssnPattern      = regexp.MustCompile(`\b(\d{3})-(\d{2})-(\d{4})\b`)
)

// secretText names the rule by which a text holds a secret, or "".
func secretText(t string) string {
	if len(t) < 8 {
		return ""
	}
	digits := 0
	for i := range len(t) {
		if t[i] >= '0' && t[i] <= '9' {
			digits++
		}
	}
	switch {
	case strings.Contains(t, "-----BEGIN") && strings.Contains(t, "PRIVATE KEY"):
		return "private key"
	case strings.Contains(t, "eyJ") && jwtPattern.MatchString(t):
		return "JWT"
	case strings.Contains(t, "://") && strings.IndexByte(t, '@') > 0 && userinfoPattern.MatchString(t):
		return "credentials in a URL"
	case len(t) >= 18 && isSchemeToken(t):
		return "HTTP credentials"
	case len(t) >= minVendorKey && vendorKey(t):
		return "vendor key"
	case strings.IndexByte(t, '@') > 0 && emailPattern.MatchString(t):
		return "e-mail address"
	case digits >= 12 && slices.ContainsFunc(cardPattern.FindAllString(t, -1), isCard):
		return "payment card"
	case digits >= 4 && len(t) >= 15 && slices.ContainsFunc(ibanPattern.FindAllString(t, -1), isIBAN):
		return "IBAN"
	case digits >= 9 && isSSN(t):
		return "social security number"
	}
	return ""
}

// isSchemeToken reports "Bearer" or "Basic" followed by a token rather than
// by a word.
func isSchemeToken(t string) bool {
	if !containsFold(t, "bearer") && !containsFold(t, "basic") {
		return false
	}
	for _, m := range schemePattern.FindAllString(t, -1) {
		token := strings.Fields(m)[1]
		if strings.ContainsAny(token, "0123456789=") {
			return true
		}
	}
	return false
}

// containsFold reports whether t holds word, which is in lower case, in any
// case.
func containsFold(t, word string) bool {
	for i := 0; i+len(word) <= len(t); i++ {
		if t[i]|0x20 == word[0] && strings.EqualFold(t[i:i+len(word)], word) {
			return true
		}
	}
	return false
}

// isCard reports whether t has the form and the check digit (Luhn, ISO/IEC
// 7812-1) of a payment card number of a known range.
func isCard(t string) bool {
	var number []byte
	for _, c := range []byte(t) {
		switch {
		case c >= '0' && c <= '9':
			number = append(number, c-'0')
		case c != ' ' && c != '-':
			return false
		}
	}
	if len(number) < 13 || len(number) > 19 || number[0] < 2 || number[0] > 6 {
		return false
	}
	sum := 0
	for i := range number {
		d := int(number[len(number)-1-i])
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}

// isIBAN reports whether t has the check digits of an IBAN (ISO 13616).
func isIBAN(t string) bool {
	t = strings.ReplaceAll(t, " ", "")
	if len(t) < 15 || len(t) > 34 {
		return false
	}
	rest := 0
	for _, c := range []byte(t[4:] + t[:4]) {
		if c >= 'A' {
			rest = (rest*100 + int(c-'A') + 10) % 97
		} else {
			rest = (rest*10 + int(c-'0')) % 97
		}
	}
	return rest == 1
}

func isSSN(t string) bool {
	for _, m := range ssnPattern.FindAllStringSubmatch(t, -1) {
		if area := m[1]; area != "000" && area != "666" && area[0] != '9' && m[2] != "00" && m[3] != "0000" {
			return true
		}
	}
	return false
}

func (s Secret) String() string { return fmt.Sprintf("%s: %s", s.Pointer, s.Rule) }
