package capture

import (
	"regexp"
	"strings"
)

// vendorKeys are the forms of vendors' keys, each with its literal beginning.
var vendorKeys = regexp.MustCompile(`\b(?:(?:AKIA|ASIA|ABIA|ACCA)[0-9A-Z]{16}|gh[pousr]_[0-9A-Za-z]{20,}|github_pat_[0-9A-Za-z_]{20,}|glpat-[0-9A-Za-z_-]{20,}|` +
	`xox[abeoprs]-[0-9A-Za-z-]{10,}|xapp-[0-9A-Za-z-]{10,}|[srp]k_(?:live|test)_[0-9A-Za-z]{10,}|whsec_[0-9A-Za-z+/=]{16,}|AIza[0-9A-Za-z_-]{30,}|ya29\.[0-9A-Za-z_-]{20,}|` +
	`SG\.[0-9A-Za-z_-]{16,}\.[0-9A-Za-z_-]{16,}|npm_[0-9A-Za-z]{30,}|pypi-[0-9A-Za-z_-]{30,}|do[opr]_v1_[0-9a-f]{40,}|hf_[0-9A-Za-z]{20,}|sk-(?:ant-|proj-|or-)?[0-9A-Za-z_-]{20,}|` +
	`shp(?:at|ss|ca|pa)_[0-9a-fA-F]{20,}|sq0[a-z]{3}-[0-9A-Za-z_-]{20,}|lin_api_[0-9A-Za-z]{20,}|ATATT[0-9A-Za-z_=-]{20,}|hv[sb]\.[0-9A-Za-z_-]{20,}|key-[0-9a-f]{32}|` +
	`AC[0-9a-f]{32}|EAA[0-9A-Za-z]{30,}|figd_[0-9A-Za-z_-]{20,}|dapi[0-9a-f]{32}|rubygems_[0-9a-f]{40,}|PMAK-[0-9a-f]{24}-[0-9a-f]{20,}|NRAK-[0-9A-Z]{20,}|glsa_[0-9A-Za-z]{20,})`)

// minVendorKey is the length of the shortest of vendorKeys.
const minVendorKey = 15

// vendorBegins are what each of vendorKeys begins with, by the first byte. The
// expression costs more than anything else about a text, and most texts have
// no word that begins so.
var vendorBegins = func() (begins [256][]string) {
	for b := range strings.FieldsSeq("AKIA ASIA ABIA ACCA ghp_ gho_ ghu_ ghs_ ghr_ github_pat_ glpat- xox xapp- sk_ rk_ pk_ whsec_ AIza ya29. SG. npm_ pypi- doo_v1_ dop_v1_ dor_v1_ hf_ sk- shp sq0 " +
		"lin_api_ ATATT hvs. hvb. key- AC EAA figd_ dapi rubygems_ PMAK- NRAK- glsa_") {
		begins[b[0]] = append(begins[b[0]], b)
	}
	return begins
}()

// vendorKey reports whether a text holds one of vendorKeys.
func vendorKey(text string) bool {
	inWord := false
	for i := range len(text) {
		before := inWord
		inWord = isWord(text[i])
		if before || !inWord {
			continue
		}
		for _, begin := range vendorBegins[text[i]] {
			if strings.HasPrefix(text[i:], begin) && len(text)-i >= minVendorKey {
				return vendorKeys.MatchString(text[i:])
			}
		}
	}
	return false
}

// isWord reports what \b of regular expressions takes for a part of a word.
func isWord(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_'
}
