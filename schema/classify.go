package schema

import "strings"

// Classes of text that Classify tells apart. The first group are forms that a
// value can hardly have by accident; the last one are forms of names.
const (
	ClassUUID     = "uuid"      // RFC 9562
	ClassULID     = "ulid"      // 26 characters of Crockford's base 32
	ClassJWT      = "jwt"       // RFC 7519, compact
	ClassDigest   = "digest"    // sha256:… and the like
	ClassHex      = "hex"       // at least 12 digits of base 16
	ClassInt      = "int"       // decimal digits, optionally signed
	ClassDecimal  = "decimal"   // 12.5
	ClassEmail    = "email"     // RFC 5321 mailbox, roughly
	ClassIPv4     = "ipv4"      // dotted quad
	ClassIPv6     = "ipv6"      // RFC 4291
	ClassDate     = "date"      // RFC 3339 full-date
	ClassDateTime = "date-time" // RFC 3339 date-time
	ClassTime     = "time"      // RFC 3339 full-time
	ClassURI      = "uri"       // absolute, with an authority
	ClassURN      = "urn"       // urn: and arn: names
	ClassSemver   = "semver"    // 1.2.3, v1.2.3-rc.1
	ClassVersion  = "version"   // v1, v2beta1
	ClassPrefixed = "prefixed"  // cus_9xK2…
	ClassToken    = "token"     // a long mixture that looks random
	ClassMixed    = "mixed"     // letters and digits
	ClassJSON     = "json"      // an object or array as text
	ClassBinary   = "binary"    // a file; Classify never returns it

	ClassLocale = "locale" // en, en-US
	ClassFile   = "file"   // name.ext with a common extension
	ClassDotted = "dotted" // a.b.c
	ClassCamel  = "camel"  // fooBar
	ClassKebab  = "kebab"  // foo-bar
	ClassSnake  = "snake"  // foo_bar
	ClassUpper  = "upper"  // FOO
	ClassWord   = "word"   // foo, Foo
	ClassPunct  = "punct"  // a:b, a+b, @foo
	ClassText   = "text"   // anything else
	ClassEmpty  = "empty"
)

// Classify names the form of a string, a decoded path segment or a key: one
// of the Class constants. The most telling form wins.
func Classify(text string) string {
	if text == "" {
		return ClassEmpty
	}
	if len(text) > 4096 {
		if isJWT(text) {
			return ClassJWT
		}
		return ClassText
	}
	p := profile(text)
	if class := p.form(text); class != "" {
		return class
	}
	return p.name(text)
}

// IsID reports whether a class is of values that identify something and can
// not be a fixed part of a path: uuid, ulid, jwt, digest, hex, email, token
// and urn.
func IsID(class string) bool {
	switch class {
	case ClassUUID, ClassULID, ClassJWT, ClassDigest, ClassHex, ClassEmail, ClassToken, ClassURN:
		return true
	}
	return false
}

// formClass is the class of a string value as far as a schema can say it, or
// empty. Candidates of an enum are letters only, which saves most tests.
func formClass(v string, candidate bool) string {
	if v == "" || len(v) > 4096 && !isJWT(v) {
		if looksJSON(v) {
			return ClassJSON
		}
		return ""
	}
	if candidate {
		if isHex(v) && len(v) >= 20 {
			return ClassHex
		}
		if looksRandom(v) {
			return ClassToken
		}
		return ""
	}
	if looksJSON(v) {
		return ClassJSON
	}
	p := profile(v)
	if p.space > 0 || p.other > 0 {
		return ""
	}
	switch class := p.form(v); class {
	case ClassVersion, ClassMixed:
		return ""
	default:
		return class
	}
}

// charset counts the kinds of characters of a text.
type charset struct {
	length                      int
	digit, upper, lower         int
	dash, under, dot            int
	colon, at, slash            int
	punct, space, other, hexish int
}

func profile(text string) charset {
	p := charset{length: len(text)}
	for i := range len(text) {
		switch c := text[i]; {
		case isDigit(c):
			p.digit++
			p.hexish++
		case c >= 'a' && c <= 'z':
			p.lower++
			if c <= 'f' {
				p.hexish++
			}
		case c >= 'A' && c <= 'Z':
			p.upper++
			if c <= 'F' {
				p.hexish++
			}
		case c == '-':
			p.dash++
		case c == '_':
			p.under++
		case c == '.':
			p.dot++
		case c == ':':
			p.colon++
		case c == '@':
			p.at++
		case c == '/':
			p.slash++
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			p.space++
		case c > ' ' && c < 0x7f:
			p.punct++
		default:
			p.other++
		}
	}
	return p
}

// form recognises what has a grammar of its own; otherwise it returns "".
func (p charset) form(t string) string {
	switch {
	case p.digit+p.dash == p.length && isInt(t):
		return ClassInt
	case p.length == 36 && p.dash == 4 && isUUID(t):
		return ClassUUID
	case p.length == 26 && p.digit+p.upper == 26 && p.digit > 0 && isULID(t):
		return ClassULID
	case p.digit > 0 && p.colon+p.dash >= 2 && isTimestamp(t) != "":
		return isTimestamp(t)
	case p.dot >= 1 && p.digit+p.dot+p.dash == p.length && isDecimal(t):
		return ClassDecimal
	case p.dot == 3 && p.digit+p.dot == p.length && isIPv4(t):
		return ClassIPv4
	case p.colon >= 2 && p.hexish+p.colon+p.dot == p.length && isIPv6(t):
		return ClassIPv6
	case p.dot >= 2 && isJWT(t):
		return ClassJWT
	case p.colon == 1 && isDigest(t):
		return ClassDigest
	case p.at == 1 && isEmail(t):
		return ClassEmail
	case p.colon >= 1 && p.slash >= 2 && isURI(t):
		return ClassURI
	case p.colon >= 2 && (strings.HasPrefix(t, "urn:") || strings.HasPrefix(t, "arn:")):
		return ClassURN
	case p.hexish == p.length && (p.digit > 0 && p.length >= 12 || p.length >= 20):
		return ClassHex
	case p.digit > 0 && p.dot >= 1 && isSemver(t):
		return ClassSemver
	case p.digit > 0 && isVersion(t):
		return ClassVersion
	case p.under >= 1 && p.digit > 0 && isPrefixed(t):
		return ClassPrefixed
	}
	return p.mixture(t)
}

// mixture tells random-looking text from names that hold a digit.
func (p charset) mixture(t string) string {
	plain := p.digit + p.upper + p.lower + p.dash + p.under
	if plain != p.length {
		if p.base64(t) {
			return ClassToken
		}
		return ""
	}
	if p.digit == 0 {
		if looksRandom(t) {
			return ClassToken
		}
		return ""
	}
	if p.length >= 16 && p.digit >= 2 && p.dash+p.under <= 2 && (p.upper > 1 && p.lower > 1 || p.digit >= 4) && !wordy(t) {
		return ClassToken
	}
	return ClassMixed
}

// base64 reports whether t is a long run of base 64 (RFC 4648 section 4) that
// holds more than letters.
func (p charset) base64(t string) bool {
	if p.length < 20 || p.digit == 0 || p.upper == 0 || p.lower == 0 {
		return false
	}
	body := strings.TrimRight(t, "=")
	if len(t)-len(body) > 2 {
		return false
	}
	plus := strings.Count(body, "+")
	if p.digit+p.upper+p.lower+p.slash+plus != len(body) {
		return false
	}
	return p.slash+plus <= len(body)/8 && !wordy(body)
}

// name is the class of what is no more than a name.
func (p charset) name(t string) string {
	switch {
	case p.space > 0 || p.other > 0:
		return ClassText
	case p.at+p.colon+p.slash+p.punct > 0:
		return ClassPunct
	case p.dot > 0 && commonExtension(t):
		return ClassFile
	case p.dot > 0:
		return ClassDotted
	case isLocale(t):
		return ClassLocale
	case p.under > 0:
		return ClassSnake
	case p.dash > 0:
		return ClassKebab
	case p.lower == 0 && p.upper >= 2:
		return ClassUpper
	case p.lower > 0 && p.upper > 0 && !isUpper(t[0]):
		return ClassCamel
	}
	return ClassWord
}

// keyClass returns the class of an object key and whether the key is data
// rather than the name of a property. It is stricter than IsID, because real
// names hold digits too: sha256, line_1, oauth2.
func keyClass(key string) (class string, data bool) {
	letters := true
	for i := range len(key) {
		if c := key[i]; !isLetter(c) && c != '_' {
			letters = false
			break
		}
	}
	if letters && key != "" && len(key) < 20 {
		return "", false
	}
	if len(key) > 128 {
		return Classify(key), true
	}
	class = Classify(key)
	switch class {
	case ClassInt, ClassDecimal, ClassSemver, ClassDate, ClassDateTime, ClassTime, ClassIPv4, ClassIPv6, ClassURI, ClassEmpty, ClassText, ClassFile:
		return class, class != ClassText || digits(key) >= 4
	case ClassPrefixed:
		return class, digits(key) >= 2 && len(key) >= 12 && !endsInTerm(key)
	case ClassPunct:
		// A path or a scoped name: /users/ada, @scope/name.
		if key[0] == '/' || key[0] == '@' && strings.IndexByte(key, '/') > 0 {
			return class, true
		}
	}
	return class, IsID(class) || digits(key) >= 6
}

// endsInTerm reports whether the last part of a key is a word and a short number,
// as in content_base64 and body_sha256.
func endsInTerm(key string) bool {
	last := key[strings.LastIndexByte(key, '_')+1:]
	word := strings.TrimRight(last, "0123456789")
	for i := range len(word) {
		if !isLower(word[i]) {
			return false
		}
	}
	return len(word) >= 2 && len(last)-len(word) <= 3
}

func digits(t string) int {
	n := 0
	for i := range len(t) {
		if isDigit(t[i]) {
			n++
		}
	}
	return n
}
