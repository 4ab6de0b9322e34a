package plan

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/tomallicino/caskmcp/surface"
)

// injections are wordings that tell an agent what to do rather than what a
// tool does. The list is a tripwire for reviewers, not a detector: text that
// passes it is not thereby harmless, and every changed text is shown anyway.
var injections = []struct {
	what string
	re   *regexp.Regexp
}{
	{"tells the agent to ignore what it was told", regexp.MustCompile(`(?i)\b(ignore|disregard|forget|override)\b.{0,40}\b(previous|prior|above|earlier|all|other|your|system)\b.{0,20}\b(instructions?|prompts?|rules?|messages?|guidelines?)`)},
	{"asks for secrecy", regexp.MustCompile(`(?i)\b(do not|don't|never|without)\b.{0,20}\b(tell|tells?|telling|mention|mentioning|inform|informing|reveal|show|notify|notifying|asking)\b.{0,20}\b(user|human|person|anyone)`)},
	{"uses a tag of instruction", regexp.MustCompile(`(?i)<\s*/?\s*(important|system|secret|instructions?|assistant|admin|override|hidden)\b|\[/?INST\]|<\|im_(start|end)\|>|<<SYS>>`)},
	{"speaks of the system prompt", regexp.MustCompile(`(?i)\b(system|developer) (prompt|message)\b`)},
	{"gives orders for other tools", regexp.MustCompile(`(?i)\b(before|after|whenever|instead of|every time)\b.{0,30}\b(us(e|ing)|call(ing)?|invok(e|ing)|any|other|this)\b.{0,20}\btools?\b`)},
	{"names a private file", regexp.MustCompile(`(?i)~/\.|\.ssh\b|id_rsa|id_ed25519|/etc/(passwd|shadow)|\.aws/credentials|\.env\b|mcp\.json|\.netrc`)},
	{"asks to send data away", regexp.MustCompile(`(?i)\b(send|forward|post|upload|exfiltrate|leak|copy|include|append)\b.{0,60}\b(to https?://|to the url|conversation|chat history|context window|credentials?|api[ _-]?keys?|passwords?|environment variables?)`)},
	{"claims to be new orders", regexp.MustCompile(`(?i)\byou (must|are now|have to)\b.{0,60}\b(always|first|instead|ignore|obey|assistant|mode)\b`)},
	{"hides an HTML comment", regexp.MustCompile(`<!--`)},
	{"holds a long encoded run", regexp.MustCompile(`[A-Za-z0-9+/]{80,}={0,2}`)},
}

// lint reports wordings of after that before did not have.
func (r *reasons) lint(where, before, after string) {
	if before == after {
		return
	}
	for _, x := range injections {
		m := x.re.FindString(after)
		if m != "" && !strings.Contains(before, m) {
			r.block("text.injection_lint", "%s %s: %s", where, x.what, quote(m))
		}
	}
	if h := hiddenRunes(after); h != "" && h != hiddenRunes(before) {
		r.block("text.injection_lint", "%s holds characters that people do not see: %s", where, h)
	}
}

// hiddenRunes lists the invisible characters of s, sorted: control other than
// newline and tab, format (bidirectional, zero-width, tags), private use, line
// separators and variation selectors.
func hiddenRunes(s string) string {
	seen := map[string]bool{}
	for _, r := range s {
		if r != '\n' && r != '\t' && Hidden(r) {
			seen[fmt.Sprintf("U+%04X", r)] = true
		}
	}
	return strings.Join(slices.Sorted(maps.Keys(seen)), " ")
}

// Hidden reports whether people do not see r, or see something else because of
// it: the Unicode categories Cc, Cf, Co, Zl and Zp, variation selectors, and
// fillers. Every renderer shows such characters as escapes.
func Hidden(r rune) bool {
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Cs, unicode.Zl, unicode.Zp, unicode.Variation_Selector) ||
		slices.Contains([]rune{0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFFA0, unicode.ReplacementChar}, r)
}

// lintTexts lints every string agents read of after, where before did not have
// it.
func (j *toolJudge) lintTexts(before *surface.Tool, after surface.Tool) {
	var old surface.Tool
	if before != nil {
		old = *before
	}
	j.lint("name", old.Name, after.Name)
	j.lint("title", old.Title, after.Title)
	j.lint("description", old.Description, after.Description)
	j.lintSchema("inputSchema", old.InputSchema, after.InputSchema)
	j.lintSchema("outputSchema", old.OutputSchema, after.OutputSchema)
}

// lintSchema lints the keys and strings of after that before has nowhere.
func (j *toolJudge) lintSchema(name string, before, after json.RawMessage) {
	if string(before) == string(after) {
		return
	}
	known := map[string]bool{}
	if v, err := decode(before); err == nil {
		walkStrings("", v, 0, func(_, s string) { known[s] = true })
	}
	if v, err := decode(after); err == nil {
		walkStrings(name, v, 0, func(path, s string) {
			if !known[s] {
				known[s] = true
				j.lint(quote(path), "", s)
			}
		})
	}
}

// schemaTexts are the words of a schema: titles, descriptions, and values that
// it spells out.
func schemaTexts(doc json.RawMessage) []string {
	v, err := decode(doc)
	if err != nil {
		return nil
	}
	var words []string
	walkStrings("", v, 0, func(path, s string) {
		for _, key := range []string{"/title", "/description", "/default", "/const", "/enum/", "/examples/", "/$comment"} {
			if strings.Contains(path+"/", strings.TrimSuffix(key, "/")+"/") {
				words = append(words, s)
				return
			}
		}
	})
	return words
}

// walkStrings visits every key and string value under v, in order. Keys are
// visited at their own path with "#key".
func walkStrings(path string, v any, depth int, visit func(path, s string)) {
	if depth > maxSchemaDepth {
		return
	}
	switch v := v.(type) {
	case string:
		visit(path, v)
	case []any:
		for i, x := range v {
			walkStrings(path+"/"+strconv.Itoa(i), x, depth+1, visit)
		}
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			at := path + "/" + escapePointer(k)
			visit(at+"#key", k)
			walkStrings(at, v[k], depth+1, visit)
		}
	}
}

// nameIndex finds tools whose names mislead about other tools.
type nameIndex struct {
	names    map[string]bool
	skeleton map[string][]string
}

func indexNames(tools []surface.Tool) *nameIndex {
	x := &nameIndex{names: map[string]bool{}, skeleton: map[string][]string{}}
	for _, t := range tools {
		x.names[t.Name] = true
		k := skeleton(t.Name)
		x.skeleton[k] = append(x.skeleton[k], t.Name)
	}
	return x
}

var lookAlikes = strings.NewReplacer("0", "o", "1", "l", "i", "l", "5", "s", "rn", "m", "vv", "w", "_", "", "-", "")

// skeleton maps names that look alike to one text.
func skeleton(name string) string { return lookAlikes.Replace(strings.ToLower(name)) }

// explain adds what name and texts of the new or changed tool t pretend.
func (x *nameIndex) explain(r *reasons, before *surface.Tool, t surface.Tool) {
	if before == nil || before.Name != t.Name {
		for _, other := range x.skeleton[skeleton(t.Name)] {
			if other != t.Name {
				r.block("tool.confusable", "the name %s is easily taken for %s", quote(t.Name), quote(other))
			}
		}
		if strings.ContainsFunc(t.Name, func(c rune) bool { return c > unicode.MaxASCII }) {
			r.block("tool.confusable", "the name %s has letters beyond ASCII", quote(t.Name))
		}
	}
	old := ""
	if before != nil {
		old = before.Title + " " + before.Description
	}
	words := toolWord.FindAllString(t.Title+" "+t.Description, -1)
	slices.Sort(words)
	for _, w := range slices.Compact(words) {
		if w != t.Name && x.names[w] && !strings.Contains(old, w) {
			r.block("tool.shadowing", "its text speaks of another tool: %s", quote(w))
		}
	}
}

// toolWord matches names of two words or more; single words are also English.
var toolWord = regexp.MustCompile(`\b[a-z][a-z0-9]*(?:_[a-z0-9]+)+\b`)
