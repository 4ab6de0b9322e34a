// Package comment renders plans and drift reports for people: as GitHub Markdown
// for comments and job summaries, as annotations, and as one HTML page. It is
// pure, and no captured text can leave the place it is put in.
package comment

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/tomallicino/caskmcp/plan"
)

// maxInline is how many characters of a captured text a table cell shows.
const maxInline = 160

// inline writes captured text as one <code> element, shortened to maxInline
// characters. Every ASCII character that Markdown, HTML or GitHub could give a
// meaning is a numeric reference; nothing is linked or mentioned inside code.
func inline(s string) string { return code(shorten(s, maxInline)) }

// code writes s as one <code> element, in which a long name or path has places
// to break: a word as wide as a telephone would widen the table it is in.
func code(s string) string {
	text := escape(s)
	if utf8.RuneCountInString(s) > maxUnbroken {
		text = breaker.Replace(text)
	}
	return "<code>" + text + "</code>"
}

// maxUnbroken is how many characters need no place to break.
const maxUnbroken = 30

var breaker = strings.NewReplacer("//", "//<wbr>", "/", "/<wbr>", ".", ".<wbr>", ",", ",<wbr>", "&#95;", "&#95;<wbr>", "&#61;", "&#61;<wbr>")

// escape writes s so that it means itself and nothing else inside <code>:
// ASCII letters, digits and " -.,/;()" stay, other ASCII is written as numeric
// references, and what people cannot see is written as \u{HEX}.
func escape(s string) string {
	var b strings.Builder
	b.Grow(len(s) + len(s)/4)
	ws := 0 // in a row: GitHub links "www." wherever a word starts (GFM section 6.9)
	for _, r := range s {
		switch {
		case plan.Hidden(r):
			// Written before escaping: backslash and braces are references too.
			fmt.Fprintf(&b, "&#92;u&#123;%04X&#125;", r)
		case r == '.' && ws >= 3:
			b.WriteString("&#46;")
		case r >= utf8.RuneSelf, 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', strings.ContainsRune(" -.,/;()", r):
			b.WriteRune(r)
		default:
			fmt.Fprintf(&b, "&#%d;", r)
		}
		if ws++; r != 'w' && r != 'W' {
			ws = 0
		}
	}
	return b.String()
}

// shorten cuts s to at most n characters, between runes, and says so.
func shorten(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n]) + "…"
}

// fence writes lines as a fenced code block (CommonMark section 4.5) whose
// fence is longer than any run of backticks inside. Each line is made
// printable, so that one line stays one line.
func fence(info string, lines []string) string {
	longest := 2
	for i, l := range lines {
		lines[i] = plan.Printable(l)
		run := 0
		for _, r := range lines[i] {
			if r != '`' {
				run = 0
				continue
			}
			run++
			longest = max(longest, run)
		}
	}
	mark := strings.Repeat("`", longest+1)
	return mark + info + "\n" + strings.Join(lines, "\n") + "\n" + mark + "\n"
}

// details folds body under a summary line.
func details(open bool, summary, body string) string {
	tag := "<details>"
	if open {
		tag = "<details open>"
	}
	return tag + "<summary>" + summary + "</summary>\n\n" + body + "\n</details>\n"
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// escapeWord writes one of our own words, which a decoded plan could still
// have replaced.
func escapeWord(s string) string {
	for _, r := range s {
		if (r < 'a' || r > 'z') && r != '_' && r != '-' {
			return inline(s)
		}
	}
	return s
}

// LogLine writes captured text for the log of a GitHub Actions job: one line
// without control or hidden characters, in which the runner finds no workflow
// command, neither "::name::" at its start nor "##[name]" anywhere.
func LogLine(s string) string {
	return commandBreaker.Replace(plan.Printable(strings.ToValidUTF8(s, "\ufffd")))
}

var commandBreaker = strings.NewReplacer("::", `:\u{003A}`, "##[", `#\u{0023}[`)
