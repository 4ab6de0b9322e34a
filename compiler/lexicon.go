package compiler

import (
	_ "embed"
	"strconv"
	"strings"
	"sync"
	"unicode"
)

// wordList counts, for each word, the API providers out of some 670 with a
// published OpenAPI description that use it as a whole path segment, as part
// of one, as the parent of a path parameter, and as the parent of a literal.
//
//go:embed words.txt
var wordList string

// wordUse is one line of the word list.
type wordUse struct {
	whole, part          int // providers: as a segment, as a part of one
	overParam, overConst int // providers: a parameter follows, a literal follows
}

var lexicon = sync.OnceValue(func() map[string]wordUse {
	m := make(map[string]wordUse, 2500)
	for line := range strings.Lines(wordList) {
		f := strings.Fields(line)
		if len(f) != 5 {
			continue
		}
		var n [4]int
		for i := range n {
			n[i], _ = strconv.Atoi(f[i+1])
		}
		m[f[0]] = wordUse{n[0], n[1], n[2], n[3]}
	}
	return m
})

// ambiguous words are routes in some APIs and names of things in many:
// branches, environments, namespaces, projects.
var ambiguous = set(`default preview dev develop test main master trunk production prod staging stage qa public private
	global local system internal platform web core data docs live home shared common general backend frontend server client app demo example sample stable next
	beta alpha rc canary nightly edge`)

// reserved words are never taken for a name because their sub-routes look
// like those of names.
var reserved = set(`me self current mine latest all search new default count bulk batch create edit list export import query find filter`)

// containers are followed by routes, whatever published APIs say.
var containers = set(`api apis rest settings preferences stats metrics permissions config configuration credentials options
	oauth oauth2 auth admin system public private internal ajax rpc graphql v proxy me self current info health debug monitoring web`)

func set(words string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(words) {
		m[w] = true
	}
	return m
}

// routeWord names what is known of text as a word of routes, "" for nothing.
func routeWord(text string) string {
	if stem, ext, ok := cutLast(text, "."); ok && extensions[strings.ToLower(ext)] {
		text = stem
	}
	if head, tail, ok := cutLast(text, ":"); ok && letters(tail) {
		text = head
	}
	w := strings.ToLower(text)
	if ambiguous[w] {
		return "word: ambiguous"
	}
	if n := wholeUse(w); n != "" {
		return n
	}
	parts := wordParts(text)
	if len(parts) == 1 && len(parts[0]) == len(text) {
		parts = runTogether(parts[0])
	}
	if len(parts) < 2 {
		return ""
	}
	hits, strong := 0, 0
	for _, p := range parts {
		u := lexicon()[p]
		if u.part >= 2 || connective[p] {
			hits++
		}
		if u.part >= 8 {
			strong++
		}
	}
	switch {
	case hits == len(parts) && strong > 0:
		return "word: parts common"
	case hits == len(parts):
		return "word: parts known"
	case hits*2 >= len(parts):
		return "word: half known"
	}
	return ""
}

// runTogether splits a word written without separators into words of routes,
// nil where it is none: "issuetypescheme".
func runTogether(w string) []string {
	if len(w) < 8 || len(w) > 40 {
		return nil
	}
	from := make([]int, len(w)+1) // where the last word of the best split of w[:i] starts
	for i := 1; i <= len(w); i++ {
		from[i] = -1
		for j := i - 3; j >= 0; j-- {
			if from[j] >= 0 && lexicon()[w[j:i]].part >= 4 {
				from[i] = j
			}
		}
	}
	if from[len(w)] < 0 {
		return nil
	}
	var parts []string
	for i := len(w); i > 0; i = from[i] {
		parts = append(parts, w[from[i]:i])
	}
	return parts
}

var connective = set("by for of to and in on with from the is not no")

// wholeUse names what is known of a lower-case word that is a segment by
// itself.
func wholeUse(w string) string {
	u := lexicon()[w]
	switch {
	case u.whole >= 8:
		return "word: everywhere"
	case u.whole >= 4:
		return "word: common"
	case u.whole >= 2:
		return "word: known"
	}
	if o, ok := otherNumber(w); ok && lexicon()[o].whole >= 4 {
		return "word: other number known"
	}
	if u.part >= 8 {
		return "word: part of routes"
	}
	return ""
}

// otherNumber is the singular of a plural word, or the plural of another.
func otherNumber(w string) (string, bool) {
	switch {
	case len(w) < 4:
		return "", false
	case strings.HasSuffix(w, "ies"):
		return w[:len(w)-3] + "y", true
	case strings.HasSuffix(w, "s"):
		return w[:len(w)-1], true
	}
	return w + "s", true
}

// plural says whether w looks like an English plural.
func plural(w string) bool {
	w = strings.ToLower(w)
	return len(w) > 3 && strings.HasSuffix(w, "s") && !strings.HasSuffix(w, "ss") && !strings.HasSuffix(w, "us") && !strings.HasSuffix(w, "is")
}

// wordParts splits an identifier into its lower-case words: at everything that is
// no letter, and where camel case starts a new word.
func wordParts(text string) []string {
	var out []string
	start, prev := -1, rune(0)
	for i, r := range text {
		switch {
		case !unicode.IsLetter(r):
			if start >= 0 {
				out = append(out, strings.ToLower(text[start:i]))
			}
			start = -1
		case start < 0:
			start = i
		case unicode.IsUpper(r) && unicode.IsLower(prev):
			out = append(out, strings.ToLower(text[start:i]))
			start = i
		}
		prev = r
	}
	if start >= 0 {
		out = append(out, strings.ToLower(text[start:]))
	}
	return out
}
