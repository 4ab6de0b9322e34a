package comment

import (
	"strings"

	"github.com/tomallicino/caskmcp/plan"
)

// labels name reasons whose text says no more than that, or that stand in for
// a text said elsewhere in the comment.
var labels = map[string]string{
	"tool.added": "new read tool", "host.added": "new host", "tool.was_rejected": "was rejected before", "confirm.never": "asks for no confirmation",
	"toolset.added": "new toolset", "server.added": "not approved yet", "policy.added": "not approved yet",
	"tool.removed": "no longer there", "toolset.removed": "no longer there",
}

// selfEvident are the codes whose label is enough where the object is named.
var selfEvident = map[string]bool{"tool.added": true, "host.added": true, "toolset.added": true}

// label names a reason in a few plain words.
func label(r plan.Reason) string {
	if l, ok := labels[r.Code]; ok {
		return l
	}
	if r.Code == "tool.write_added" && isProse(r.Text) {
		return r.Text
	}
	if strings.Trim(r.Code, "abcdefghijklmnopqrstuvwxyz_.") != "" {
		return inline(r.Code)
	}
	return strings.NewReplacer(".", " ", "_", " ").Replace(r.Code)
}

// phrase says a reason as briefly as it can be understood; bold if it blocks.
func phrase(r plan.Reason, short bool) string {
	text := sentence(r.Text)
	if short || selfEvident[r.Code] || r.Text == "" {
		text = label(r)
	}
	if r.Class == plan.Block {
		return "**" + text + "**"
	}
	return text
}

// sentence writes the text of a reason: our words as they are, what they quote
// and JSON at the end as code. A text that is not written like ours is code as
// a whole.
func sentence(text string) string {
	var b strings.Builder
	for rest := shorten(text, maxSentence); rest != ""; {
		start := strings.IndexAny(rest, "\"{[")
		if start < 0 {
			start = len(rest)
		}
		if !isProse(rest[:start]) {
			return inline(text)
		}
		b.WriteString(rest[:start])
		if start == len(rest) {
			break
		}
		if rest[start] != '"' {
			b.WriteString(code(shorten(rest[start:], maxJSON)))
			break
		}
		end := closingQuote(rest, start)
		if end < 0 {
			return inline(text)
		}
		b.WriteString(inline(rest[start+1 : end]))
		rest = rest[end+1:]
	}
	return b.String()
}

// maxJSON is how many characters of a JSON value a table cell shows.
const maxJSON = 60

// maxSentence is how many characters of one reason a table cell shows.
const maxSentence = 400

// closingQuote is where the Go string literal that starts at s[start] ends, or
// -1.
func closingQuote(s string, start int) int {
	for i := start + 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return -1
}

// isProse reports whether s has only what our sentences have between what they
// quote, and nothing that Markdown or GitHub would give a meaning: words of
// letters, short numbers, and the punctuation of a sentence.
func isProse(s string) bool {
	if strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 ,;:()'…") != "" {
		return false
	}
	if strings.Contains(strings.ReplaceAll(s+" ", ": ", ""), ":") {
		return false // may be an emoji
	}
	for _, w := range strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(" ,;:()'…", r) }) {
		letters := strings.Trim(w, "0123456789")
		switch {
		case strings.HasPrefix(strings.ToLower(w), "www"), strings.HasPrefix(strings.ToLower(w), "http"):
			return false // may begin a link
		case letters == "" && len(w) > 6, letters != "" && letters != w:
			return false // may be a commit
		case len(w) >= 7 && strings.Trim(w, "abcdefABCDEF") == "":
			return false
		}
	}
	return true
}

// repeated finds what many rows would say in the same words: those reasons are
// said once, above the table.
func repeated(changes []plan.Change) map[plan.Reason]int {
	count := map[plan.Reason]int{}
	for _, c := range changes {
		for _, r := range c.Reasons {
			if !selfEvident[r.Code] && r.Code != "tool.write_added" {
				count[r]++
			}
		}
	}
	for r, n := range count {
		if n < fewest {
			delete(count, r)
		}
	}
	return count
}

// fewest is how many rows make a repetition.
const fewest = 3
