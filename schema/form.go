package schema

import (
	"encoding/json"
	"net/netip"
	"strings"
	"time"
)

func isDigit(c byte) bool  { return c >= '0' && c <= '9' }
func isUpper(c byte) bool  { return c >= 'A' && c <= 'Z' }
func isLower(c byte) bool  { return c >= 'a' && c <= 'z' }
func isLetter(c byte) bool { return isLower(c | 0x20) }

func isHex(t string) bool {
	for i := range len(t) {
		if c := t[i]; !isDigit(c) && (c|0x20 < 'a' || c|0x20 > 'f') {
			return false
		}
	}
	return t != ""
}

func isInt(t string) bool {
	t = strings.TrimPrefix(t, "-")
	return t != "" && digits(t) == len(t)
}

func isDecimal(t string) bool {
	whole, fraction, found := strings.Cut(strings.TrimPrefix(t, "-"), ".")
	return found && isInt(whole) && isInt(fraction) && whole[0] != '-' && fraction[0] != '-'
}

// isNumber reports whether t is a number of RFC 8259 section 6.
func isNumber(t string) bool {
	end, ok := scanNumber(t, 0)
	return ok && end == len(t)
}

func isUUID(t string) bool {
	for i := range len(t) {
		switch i {
		case 8, 13, 18, 23:
			if t[i] != '-' {
				return false
			}
		default:
			if !isHex(t[i : i+1]) {
				return false
			}
		}
	}
	return len(t) == 36
}

func isULID(t string) bool {
	return t[0] <= '7' && !strings.ContainsAny(t, "ILOU")
}

func isJWT(t string) bool {
	if !strings.HasPrefix(t, "eyJ") {
		return false
	}
	parts := strings.Split(t, ".")
	if len(parts) != 3 && len(parts) != 5 {
		return false
	}
	for i, part := range parts {
		if part == "" && i < 2 || !isBase64URL(part) {
			return false
		}
	}
	return true
}

func isBase64URL(t string) bool {
	for i := range len(t) {
		if c := t[i]; !isLetter(c) && !isDigit(c) && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

func isDigest(t string) bool {
	algorithm, sum, _ := strings.Cut(t, ":")
	if len(sum) < 32 || !isHex(sum) {
		return false
	}
	switch algorithm {
	case "md5", "sha1", "sha224", "sha256", "sha384", "sha512", "blake3":
		return true
	}
	return false
}

// isTimestamp returns the class of an RFC 3339 date, date-time or time, or
// "". Years outside 1000–2999 are taken for something else.
func isTimestamp(t string) string {
	switch {
	case len(t) == 10 && t[4] == '-':
		if _, err := time.Parse(time.DateOnly, t); err == nil && (t[0] == '1' || t[0] == '2') {
			return ClassDate
		}
	case len(t) >= 19 && len(t) <= 40 && t[4] == '-' && (t[10] == 'T' || t[10] == 't'):
		if _, err := time.Parse(time.RFC3339Nano, strings.ToUpper(t)); err == nil {
			return ClassDateTime
		}
	case len(t) >= 9 && len(t) <= 24 && t[2] == ':' && t[5] == ':':
		if _, err := time.Parse("15:04:05.999999999Z07:00", t); err == nil {
			return ClassTime
		}
	}
	return ""
}

func isIPv4(t string) bool {
	a, err := netip.ParseAddr(t)
	return err == nil && a.Is4()
}

func isIPv6(t string) bool {
	a, err := netip.ParseAddr(t)
	return err == nil && a.Is6()
}

func isEmail(t string) bool {
	local, domain, _ := strings.Cut(t, "@")
	if local == "" || len(t) > 254 || strings.ContainsAny(t, " \t\r\n\"<>()[]\\,;:/") {
		return false
	}
	return isDomain(domain)
}

// isDomain reports whether t is a host name of at least two labels that ends
// in letters.
func isDomain(t string) bool {
	labels := strings.Split(t, ".")
	for _, label := range labels {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := range len(label) {
			if c := label[i]; !isLetter(c) && !isDigit(c) && c != '-' {
				return false
			}
		}
	}
	last := labels[len(labels)-1]
	return len(labels) >= 2 && len(last) >= 2 && digits(last) == 0
}

func isURI(t string) bool {
	scheme, rest, found := strings.Cut(t, "://")
	if !found || rest == "" || rest[0] == '/' || len(scheme) < 2 || len(scheme) > 12 || !isLetter(scheme[0]) {
		return false
	}
	for i := range len(scheme) {
		if c := scheme[i]; !isLetter(c) && !isDigit(c) && c != '+' && c != '-' && c != '.' {
			return false
		}
	}
	return !strings.ContainsAny(rest, " \t\r\n\"<>\\^`{|}")
}

// isSemver accepts Semantic Versioning 2.0.0 and dotted versions of more
// parts, both with an optional "v".
func isSemver(t string) bool {
	t = strings.TrimPrefix(t, "v")
	if end := strings.IndexAny(t, "-+"); end > 0 {
		t = t[:end]
	}
	parts := strings.Split(t, ".")
	for _, part := range parts {
		if !isInt(part) || part[0] == '-' || len(part) > 8 {
			return false
		}
	}
	return len(parts) >= 3
}

// isVersion accepts v1, v2beta1, v1.1 and v2024-10-01.
func isVersion(t string) bool {
	if len(t) < 2 || len(t) > 16 || t[0]|0x20 != 'v' || !isDigit(t[1]) {
		return false
	}
	rest := strings.TrimLeft(t[1:], "0123456789")
	if words := strings.TrimLeft(rest, "abcdefghijklmnopqrstuvwxyz"); len(words) < len(rest) {
		switch stage := rest[:len(rest)-len(words)]; stage {
		case "alpha", "beta", "rc", "p", "preview":
			rest = strings.TrimLeft(words, "0123456789")
		default:
			return false
		}
	}
	return strings.Trim(rest, "0123456789.-") == ""
}

// isPrefixed accepts identifiers like cus_9xK2: a short name, an underscore
// and at least four letters and digits of which one is a digit.
func isPrefixed(t string) bool {
	end := strings.LastIndexByte(t, '_')
	prefix, suffix := t[:end], t[end+1:]
	if len(suffix) < 4 || len(prefix) == 0 || len(prefix) > 24 || digits(suffix) == 0 {
		return false
	}
	for i := range len(prefix) {
		if c := prefix[i]; !isLower(c) && c != '_' && !(i > 0 && isDigit(c)) {
			return false
		}
	}
	letters := 0
	for i := range len(suffix) {
		switch {
		case isLetter(suffix[i]):
			letters++
		case !isDigit(suffix[i]):
			return false
		}
	}
	return letters > 0 || len(suffix) >= 6
}

func isLocale(t string) bool {
	switch len(t) {
	case 2:
		return isLower(t[0]) && isLower(t[1])
	case 5:
		return isLower(t[0]) && isLower(t[1]) && (t[2] == '-' || t[2] == '_') && isUpper(t[3]) && isUpper(t[4])
	}
	return false
}

var extensions = map[string]bool{
	"json": true, "xml": true, "csv": true, "tsv": true, "html": true, "txt": true, "pdf": true, "png": true, "jpg": true, "jpeg": true,
	"gif": true, "svg": true, "zip": true, "gz": true, "tar": true, "yaml": true, "yml": true, "js": true, "css": true, "ics": true,
	"rss": true, "atom": true, "md": true, "proto": true, "xlsx": true, "docx": true, "webp": true, "ico": true, "map": true,
	"diff": true, "patch": true, "log": true, "sql": true, "mp4": true, "mp3": true, "woff2": true, "parquet": true, "tgz": true,
}

func commonExtension(t string) bool {
	return extensions[strings.ToLower(t[strings.LastIndexByte(t, '.')+1:])]
}

// looksRandom reports whether a text of letters, dashes and underscores is
// more likely random than words: long, and either with many changes of case
// or with consonants that nobody could pronounce.
func looksRandom(t string) bool {
	if len(t) < 12 {
		return false
	}
	changes, run, longest := 0, 0, 0
	for i := range len(t) {
		c := t[i]
		if !isLetter(c) || strings.IndexByte("aeiouy", c|0x20) >= 0 {
			run = 0
		} else if run++; run > longest {
			longest = run
		}
		if i > 0 && isLetter(c) && isLetter(t[i-1]) && isUpper(c) != isUpper(t[i-1]) {
			changes++
		}
	}
	return changes*3 >= len(t) || longest >= 7 && !allUpper(t)
}

func allUpper(t string) bool { return t == strings.ToUpper(t) }

// wordy reports whether most of t is words of at least four letters in one
// case.
func wordy(t string) bool {
	words, run := 0, 0
	for i := 0; i <= len(t); i++ {
		if i < len(t) && (isLower(t[i]) || isUpper(t[i]) && run == 0) {
			run++
			continue
		}
		if run >= 4 {
			words += run
		}
		run = 0
		if i < len(t) && isUpper(t[i]) {
			run = 1
		}
	}
	return words*3 >= len(t)*2
}

// looksJSON reports whether t is the text of a JSON object or array.
func looksJSON(t string) bool {
	if len(t) < 2 {
		return false
	}
	first, last := t[0], t[len(t)-1]
	return (first == '{' && last == '}' || first == '[' && last == ']') && json.Valid([]byte(t))
}
