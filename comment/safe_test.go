package comment

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/tomallicino/caskmcp/apply"
	"github.com/tomallicino/caskmcp/compiler"
	"github.com/tomallicino/caskmcp/plan"
	"github.com/tomallicino/caskmcp/surface"
)

var (
	ourMarker  = regexp.MustCompile(`^<!-- caskmcp:(plan|drift) v=1 [A-Za-z0-9=:. %_-]*-->\n`)
	tags       = regexp.MustCompile(`</?([a-zA-Z!][^\s>]*)[^>]*>`)
	backticked = regexp.MustCompile("`[^`\n]*`")
	codeTag    = regexp.MustCompile(`<code>[^<\n]*</code>`)
	ourLink    = regexp.MustCompile(`\[(Full plan|Log|plan\.json|Full report)\]\(<https?://[^<>\s]*>\)`)
)

// requireSafe checks a comment as GitHub would read it: fences and tags are
// balanced, no control or hidden character is in it, and outside of code there
// is nothing that could be a link, a mention or markup of somebody else's.
func requireSafe(t *testing.T, text string) {
	t.Helper()
	require.True(t, utf8.ValidString(text))
	for _, r := range text {
		require.False(t, r != '\n' && r != '\ufe0f' && plan.Hidden(r), "hidden character %U", r)
	}
	var outside []string
	open := ""
	for _, line := range strings.Split(text, "\n") {
		run := line[:len(line)-len(strings.TrimLeft(line, "`"))]
		switch {
		case open == "" && len(run) >= 3:
			open = run
		case open != "" && len(run) >= len(open) && strings.Trim(line, "`") == "":
			open = ""
		case open == "":
			outside = append(outside, line)
		}
	}
	require.Empty(t, open, "a fence stays open")
	body := strings.Join(outside, "\n")
	body = strings.ReplaceAll(ourMarker.ReplaceAllString(body, ""), "<wbr>", "")

	depth := map[string]int{}
	for _, m := range tags.FindAllStringSubmatch(body, -1) {
		name := m[1]
		require.Contains(t, []string{"code", "details", "summary", "br", "https://ci.example/1", "https://ci.example/2"}, name)
		if strings.HasPrefix(m[0], "</") {
			depth[name]--
		} else {
			depth[name]++
		}
		require.GreaterOrEqual(t, depth[name], 0, "%s closed before it is opened", name)
		require.LessOrEqual(t, depth[name], max(1, 1000*strings.Count("br https://ci.example/1", name)), "nested %s", name)
	}
	for _, name := range []string{"code", "details", "summary"} {
		require.Zero(t, depth[name], name)
	}
	for _, code := range codeTag.FindAllString(body, -1) {
		inner := strings.TrimSuffix(strings.TrimPrefix(code, "<code>"), "</code>")
		require.NotRegexp(t, `[^&]#|[@|*_\[\]!$:<>\x60~\\"'+={}%^?]`, inner)
		require.NotContains(t, strings.ToLower(inner), "www.")
	}
	rest := codeTag.ReplaceAllString(backticked.ReplaceAllString(ourLink.ReplaceAllString(body, ""), ""), "")
	require.NotContains(t, rest, "@")
	require.NotContains(t, rest, "http")
	require.NotContains(t, rest, "www")
	require.NotContains(t, rest, "](")
	require.NotContains(t, rest, "evil")
	require.NotContains(t, rest, "<!--")
	require.NotContains(t, rest, "octocat")
}

func TestEscape(t *testing.T) {
	for in, want := range map[string]string{
		"get_order":      "get&#95;order",
		"a b-c.d,e/f;()": "a b-c.d,e/f;()",
		"<b>|`@":         "&#60;b&#62;&#124;&#96;&#64;",
		"a\nb":           "a&#92;u&#123;000A&#125;b",
		"\u202e":         "&#92;u&#123;202E&#125;",
		"größe 日本":       "größe 日本",
		"www.evil.com":   "www&#46;evil.com",
		"w-ww.ww.w":      "w-ww.ww.w",
		"wWwW.":          "wWwW&#46;",
		"\xff":           "&#92;u&#123;FFFD&#125;",
	} {
		require.Equal(t, want, escape(in))
	}
	require.Equal(t, "<code>"+strings.Repeat("ä", maxInline)+"…</code>", inline(strings.Repeat("ä", 500)))
	require.Equal(t, "<code>/short/path</code>", inline("/short/path"))
	require.Equal(t, "<code>/<wbr>a/<wbr>path/<wbr>&#123;that&#95;<wbr>is&#125;/<wbr>very-much-longer</code>", inline("/a/path/{that_is}/very-much-longer"))
}

func TestFenceIsLongerThanItsContent(t *testing.T) {
	require.Equal(t, "`````diff\n+ ````\n`````\n", fence("diff", []string{"+ ````"}))
	require.Equal(t, "```diff\n+ a\\u{000A}b\n```\n", fence("diff", []string{"+ a\nb"}))
}

// FuzzPlan renders plans whose every string is arbitrary.
func FuzzPlan(f *testing.F) {
	for i, h := range hostile {
		f.Add(h, hostile[(i+7)%len(hostile)], uint16(i*1000))
	}
	f.Fuzz(func(t *testing.T, a, b string, budget uint16) {
		a, b = strings.ToValidUTF8(a, "?"), strings.ToValidUTF8(b, "?")
		key, err := json.Marshal(b)
		require.NoError(t, err)
		x := tool("x"+a, "GET", b, "/"+a, surface.Read)
		x.Description, x.Risk = b, surface.Risk(a)
		x.OutputSchema = json.RawMessage(`{"properties":{` + string(key) + `:{"description":` + string(key) + `}}}`)
		y := tool("y"+b, "GET", a, "/y"+b, surface.Effect(b))
		z := y
		z.Description = a + b
		p, err := plan.New(plan.Params{
			Toolpack: a, State: state(surface.Surface{Tools: []surface.Tool{y}}), Result: &compiler.Result{Surface: shop(x, z)}, Notes: []plan.Note{{Code: a, Text: b, Hint: a}},
		})
		if err != nil {
			t.Skip(err)
		}
		approvals := apply.Evaluate(p, apply.Pull{Number: 1}, []apply.Review{{User: apply.Person{Login: a, Permission: b}, State: apply.ReviewChangesRequested}}, nil, apply.Rules{Approvers: map[surface.Risk][]string{surface.Safe: {a, b}}})
		states := []State{Planned, Outdated, Applied, Failed}
		limit := max(3000, int(budget))
		opt := Options{Key: b, Head: a, Base: b, Commit: a, Failure: b, State: states[int(budget)%len(states)], MaxBytes: limit}
		text := Plan(one(p, approvals), opt)
		require.LessOrEqual(t, len(text), limit)
		require.True(t, strings.HasPrefix(text, Marker("plan", b)) || b == "" && strings.HasPrefix(text, "## "))
		fuzzSafe(t, text)
		requireInert(t, text, markup)
		require.LessOrEqual(t, len(Plan(one(p, nil), Options{})), MaxBytes)

		other := *p
		other.Toolpack, other.Changes = b, p.Changes[int(budget)%(len(p.Changes)+1):]
		several := []Toolpack{{&other, nil}, {p, approvals}, {makePlan(t, state(shop(x)), shop(x)), nil}}
		opt.Refused, opt.Settings = []string{a, b}, &Toolpack{p, approvals}
		text = Plan(several, opt)
		require.LessOrEqual(t, len(text), limit)
		require.True(t, strings.HasPrefix(text, Marker("plan", b)) || b == "" && strings.HasPrefix(text, "## "))
		fuzzSafe(t, text)
		requireInert(t, text, markup)

		page, err := HTML(Toolpack{p, approvals}, opt)
		require.NoError(t, err)
		requireInertPage(t, page, len(p.Changes))
		for _, x := range Annotations(several, func(int, string) []byte { return []byte(a) }) {
			requireLine(t, x.Title)
			requireLine(t, x.Message)
		}
		requireLine(t, LogLine(a+b))
	})
}

// markup are the characters of foreign: fuzzed text may spell our words, but
// it has no markup outside of code.
var markup = []string{"@", "#", "::", "](", "<", "`"}

// fuzzSafe is requireSafe without the words that a fuzzer may spell.
func fuzzSafe(t *testing.T, text string) {
	t.Helper()
	requireSafe(t, strings.NewReplacer("evil", "e", "octocat", "o").Replace(text))
}

func BenchmarkPlan(b *testing.B) {
	p := manyChanges(b, 1000)
	require.Len(b, p.Changes, 1000)
	packs := one(p, apply.Evaluate(p, apply.Pull{}, nil, nil, apply.Rules{}))
	for b.Loop() {
		require.LessOrEqual(b, len(Plan(packs, Options{Key: "k"})), MaxBytes)
	}
}

func BenchmarkHTML(b *testing.B) {
	p := manyChanges(b, 1000)
	for b.Loop() {
		_, err := HTML(Toolpack{Plan: p}, Options{})
		require.NoError(b, err)
	}
}

func TestSentence(t *testing.T) {
	for in, want := range map[string]string{
		`agents reach a new host: "https://a.example"`: "agents reach a new host: <code>https&#58;//a.example</code>",
		`limit rate rose from 60 to 120`:               "limit rate rose from 60 to 120",
		`a "b\"c" d`:                                   "a <code>b&#92;&#34;c</code> d",
		`response "x" is new: {"type":"string"}`:       "response <code>x</code> is new: <code>&#123;&#34;type&#34;&#58;&#34;string&#34;&#125;</code>",
		`see @octocat`:                                 "<code>see &#64;octocat</code>",
		`well :tada: done`:                             "<code>well &#58;tada&#58; done</code>",
		`fixes #1`:                                     "<code>fixes &#35;1</code>",
		`at deadbeef`:                                  "<code>at deadbeef</code>",
		`at www`:                                       "<code>at www</code>",
		`Https is`:                                     "<code>Https is</code>",
		`at 1234567`:                                   "<code>at 1234567</code>",
		`at 12ab567`:                                   "<code>at 12ab567</code>",
		`an "open quote`:                               "<code>an &#34;open quote</code>",
		`GH-1`:                                         "<code>GH-1</code>",
		``:                                             "",
	} {
		require.Equal(t, want, sentence(in))
	}
}
