package compiler

import (
	"net/netip"
	"net/url"
	"strings"
	"unicode"
)

// form is what a path segment looks like.
type form int

// The forms, from ids to words.
const (
	formID      form = iota // UUID, ULID, JWT, digest, ARN
	formAddress             // e-mail, IP address, long hexadecimal
	formNumber              // integer of three digits and more, date
	formRandom              // long letters and digits
	formPrefixed
	formShortNumber // integer of one or two digits
	formRelease     // 1.2.3
	formMixed       // letters, digits and separators
	formComposite   // characters that routes do not have: a...b, a%2Fb, a,b
	formHost        // a host name of no route words
	formAction      // a custom method: topic:publish
	formPunctuated  // an unusual character
	formUpper
	formDotted
	formFile   // a name with the extension of a representation
	formSource // a name with another extension
	formDigitWord
	formKebab
	formTitle
	formWord
	formSnake
	formCamel
	formVersion // v1, v1beta1, 1.1
	formDate    // a date; a number but for API versions at the root
	formMarked  // _all, $batch, -rev
	formSymbol  // "-" and the like
	formHandle  // @name
	formSlug    // three words and more
	formLetter  // one letter
)

var formNames = [...]string{
	formID: "form: id", formAddress: "form: address", formNumber: "form: number", formRandom: "form: random",
	formPrefixed: "form: prefixed id", formShortNumber: "form: short number", formRelease: "form: release",
	formMixed: "form: mixed", formComposite: "form: composite", formHost: "form: host", formAction: "form: custom method", formSource: "form: source file", formPunctuated: "form: punctuation", formUpper: "form: upper case", formDotted: "form: dotted",
	formFile: "form: file", formDigitWord: "form: word and digit", formKebab: "form: kebab", formTitle: "form: title",
	formWord: "form: word", formSnake: "form: snake", formCamel: "form: camel", formVersion: "form: version", formDate: "form: date",
	formMarked: "form: route mark", formSymbol: "form: symbol", formHandle: "form: handle", formSlug: "form: slug", formLetter: "form: letter",
}

// idLike forms are ids for anybody; they need no further evidence.
func (f form) idLike() bool { return f <= formPrefixed || f == formDate || f == formHandle }

// weak forms are those that route words have too.
func (f form) weak() bool { return f > formHost && f != formDate && f != formHandle }

var extensions = set(`json xml csv tsv html htm txt pdf png jpg jpeg gif svg zip gz tgz tar yaml yml js css ics rss atom md proto xlsx webp ico map diff patch
	log sh go ts py rb rs java sql ini cfg conf deb rpm jar whl mp3 mp4 bin toml lock`)

// text is the segment as it was meant: percent-decoded.
func text(segment string) string {
	if !strings.Contains(segment, "%") {
		return segment
	}
	if t, err := url.PathUnescape(segment); err == nil {
		return t
	}
	return segment
}

// tally counts the kinds of characters of a segment.
type tally struct{ digits, uppers, lowers, marks int }

func count(v string) (t tally) {
	for _, r := range v {
		switch {
		case unicode.IsDigit(r):
			t.digits++
		case unicode.IsUpper(r):
			t.uppers++
		case unicode.IsLower(r):
			t.lowers++
		default:
			t.marks++
		}
	}
	return t
}

// formOf classifies one path segment by its form alone.
func formOf(segment string) form {
	v := text(segment)
	if stem, ext, ok := cutLast(v, "."); ok && extensions[strings.ToLower(ext)] {
		switch f := formOf(stem); {
		case !f.weak():
			return f
		case formats[ext]:
			return formFile
		}
		return formSource
	}
	t := count(v)
	if t.digits+t.uppers+t.lowers == 0 {
		return formSymbol
	}
	if f, ok := certain(v, t); ok {
		return f
	}
	switch {
	case version(v):
		return formVersion
	case release(v), released(v):
		return formRelease
	case prefixed(v):
		return formPrefixed
	case marked(v):
		return formMarked
	case v[0] == '@' || v[0] == '~':
		return formHandle
	case composite(v):
		return formComposite
	case hostname(v) && (domains[v[strings.LastIndexByte(v, '.')+1:]] || routeWord(v) == ""):
		return formHost
	case customMethod(v):
		return formAction
	case random(v, t):
		return formRandom
	case t.digits > 0:
		return digitForm(v, t)
	}
	return letterForm(v, t)
}

// certain recognises the forms that only ids and numbers have.
func certain(v string, t tally) (form, bool) {
	switch {
	case isUUID(v), isULID(v), strings.HasPrefix(v, "eyJ") && strings.Count(v, ".") == 2,
		strings.HasPrefix(v, "arn:"), strings.HasPrefix(v, "urn:"), isDigest(v):
		return formID, true
	case isInt(v):
		if len(strings.TrimLeft(v, "-")) >= 3 {
			return formNumber, true
		}
		return formShortNumber, true
	case isEmail(v), isIP(v):
		return formAddress, true
	case isDate(v):
		return formDate, true
	case len(v) >= 12 && isHex(v) && (t.digits > 0 || len(v) >= 20):
		return formAddress, true
	}
	return 0, false
}

// composite recognises text that no route has: an encoded slash, a range, a
// list, an address, a pair.
func composite(v string) bool {
	if strings.ContainsAny(v[1:], "/, ") || strings.Contains(v, "...") {
		return true
	}
	if i := strings.IndexByte(v, '('); i > 0 && strings.HasSuffix(v, ")") && len(v)-i > 2 { // OData key
		return true
	}
	head, tail, ok := cutLast(v, ":")
	return ok && head != "" && !action(tail) || strings.Contains(v[1:], "@")
}

// customMethod recognises Google's custom methods: topic:publish.
func customMethod(v string) bool {
	_, tail, ok := cutLast(v, ":")
	return ok && action(tail)
}

// action says whether text behind a colon may be a custom method.
func action(tail string) bool {
	return letters(tail) && lower(tail[0]) && routeWord(tail) != ""
}

// digitForm is the form of a segment that has digits and is no random id.
func digitForm(v string, t tally) form {
	switch {
	case t.marks > 0 && strings.ContainsAny(v, "-_.:,+@") && !versionSuffix(v):
		return formMixed
	case t.digits >= 2 && (t.uppers > 0 || len(v) >= 6):
		return formMixed
	case strings.HasSuffix(v, ")") && strings.Contains(v, "("), strings.Contains(v, "%"):
		return formPunctuated
	}
	return formDigitWord
}

// letterForm is the form of a segment without digits.
func letterForm(v string, t tally) form {
	switch {
	case strings.ContainsAny(v, "@:,%=+ ~!/'()"):
		return formPunctuated
	case t.lowers == 0 && t.uppers >= 2:
		return formUpper
	case strings.Contains(v, "."):
		return formDotted
	case strings.Contains(v, "_"):
		return formSnake
	case strings.Count(v, "-") >= 2:
		return formSlug
	case strings.Contains(v, "-"):
		return formKebab
	case len(v) == 1 && t.lowers == 1:
		return formLetter
	case unicode.IsUpper(rune(v[0])):
		return formTitle
	case t.uppers > 0:
		return formCamel
	}
	return formWord
}

func isHex(v string) bool {
	return strings.Trim(v, "0123456789abcdef") == "" || strings.Trim(v, "0123456789ABCDEF") == ""
}

func isInt(v string) bool {
	d := strings.TrimPrefix(v, "-")
	return d != "" && strings.Trim(d, "0123456789") == ""
}

func isUUID(v string) bool {
	if len(v) != 36 {
		return false
	}
	for i := range len(v) {
		c := v[i] | 0x20
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if v[i] != '-' {
				return false
			}
		} else if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

func isULID(v string) bool {
	return len(v) == 26 && v[0] >= '0' && v[0] <= '7' && strings.Trim(v, "0123456789ABCDEFGHJKMNPQRSTVWXYZ") == ""
}

// isDigest recognises "sha256:…".
func isDigest(v string) bool {
	name, sum, ok := strings.Cut(v, ":")
	return ok && strings.HasPrefix(name, "sha") && len(sum) >= 32 && isHex(sum)
}

func isEmail(v string) bool {
	name, host, ok := strings.Cut(v, "@")
	return ok && name != "" && !strings.ContainsAny(v, " /") && strings.Contains(host, ".") && !strings.HasSuffix(host, ".")
}

func isIP(v string) bool {
	_, err := netip.ParseAddr(v)
	return err == nil
}

// isDate recognises ISO 8601 months, days and instants.
func isDate(v string) bool {
	day, clock, timed := strings.Cut(v, "T")
	if len(day) != 10 && len(day) != 7 || day[4] != '-' || timed && !strings.Contains(clock, ":") {
		return false
	}
	year, rest := day[:4], day[5:]
	return (year[:2] == "19" || year[:2] == "20") && isInt(year) && strings.Trim(rest, "0123456789-") == ""
}

// version recognises v1, v2beta1, v1.2 and 1.1: parts of a route.
func version(v string) bool {
	if len(v) >= 2 && v[0] == 'v' && v[1] >= '0' && v[1] <= '9' {
		if strings.Count(v, ".") >= 2 {
			return false
		}
		rest := strings.Trim(v[1:], "0123456789.-")
		return rest == "" || strings.HasPrefix(rest, "alpha") || strings.HasPrefix(rest, "beta") || rest == "p" || rest == "rc"
	}
	a, b, ok := strings.Cut(v, ".")
	return ok && isInt(a) && isInt(b) && len(a) <= 2 && len(b) <= 2
}

// versionSuffix recognises names that end in a version: content_types_v2.
func versionSuffix(v string) bool {
	i := strings.LastIndexAny(v, "-_")
	return i > 0 && version(v[i+1:])
}

// marked recognises what APIs set apart from names by its first character:
// _all_docs, $batch, -rev, .well-known.
func marked(v string) bool {
	return len(v) > 1 && (strings.IndexByte("_-$", v[0]) >= 0 && lower(v[1]|0x20)) || v == ".well-known"
}

// released recognises names that hold a release: left-pad-1.3.0.
func released(v string) bool {
	i := strings.IndexByte(v, '-')
	for ; i >= 0 && i+1 < len(v); i++ {
		if release(v[i+1:]) {
			return true
		}
		j := strings.IndexByte(v[i+1:], '-')
		if j < 0 {
			return false
		}
		i += j
	}
	return false
}

// release recognises 1.2.3, v1.2.3-rc.1.
func release(v string) bool {
	v = strings.TrimPrefix(v, "v")
	core, _, _ := strings.Cut(v, "-")
	core, _, _ = strings.Cut(core, "+")
	return strings.Count(core, ".") >= 2 && strings.Trim(core, "0123456789.") == "" && core[0] != '.' && core[len(core)-1] != '.'
}

// prefixed recognises ids such as cus_9x8Y7z.
func prefixed(v string) bool {
	i := strings.IndexByte(v, '_')
	if i < 1 || i > 8 || len(v)-i < 5 {
		return false
	}
	head, tail := v[:i], v[strings.LastIndexByte(v, '_')+1:]
	t := count(tail)
	return strings.Trim(head, "abcdefghijklmnopqrstuvwxyz") == "" && t.marks == 0 && t.digits > 0 && len(tail) >= 4
}

// domains are top-level domains that no route ends in.
var domains = set("com org net io dev edu gov example")

// hostname recognises a.example.com; a name with a file extension is none.
func hostname(v string) bool {
	i := strings.LastIndexByte(v, '.')
	if i < 1 || len(v)-i < 3 || extensions[v[i+1:]] || strings.Trim(v[i+1:], "abcdefghijklmnopqrstuvwxyz") != "" {
		return false
	}
	return strings.Trim(v[:i], "abcdefghijklmnopqrstuvwxyz0123456789.-") == "" && v[0] >= 'a' && v[0] <= 'z'
}

// random recognises ids made of letters and digits in no order: at least ten
// characters, mixed case or many digits, and no words.
func random(v string, t tally) bool {
	if len(v) < 10 {
		return false
	}
	if t.digits >= 2 && (t.uppers > 0 && t.lowers > 0 || t.digits >= 4) {
		return !countedName(v)
	}
	if t.uppers < 3 || t.lowers < 3 {
		return false
	}
	letters, longest, words := 0, 0, 0
	for _, w := range wordParts(v) {
		letters += len(w)
		longest = max(longest, len(w))
		words++
	}
	return longest < 4 || letters+t.marks+t.digits < len(v) || len(v) >= 16 && t.digits > 0 && letters < 4*words
}

// countedName recognises words with a number behind them: web-server-2.
func countedName(v string) bool {
	head := strings.TrimRight(v, "0123456789")
	return len(v)-len(head) <= 2 && len(head) > 2 && strings.Trim(head, "abcdefghijklmnopqrstuvwxyz-_") == ""
}
