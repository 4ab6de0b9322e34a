package comment

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/renderer/html"
	nethtml "golang.org/x/net/html"

	"github.com/tomallicino/caskmcp/apply"
	"github.com/tomallicino/caskmcp/drift"
	"github.com/tomallicino/caskmcp/plan"
)

// Elements and attributes that a rendered comment has. GitHub's own renderer
// is stricter: it would drop what this one keeps.
var commentElements = map[string][]string{
	"html": nil, "head": nil, "body": nil, "h2": nil, "h3": nil, "p": nil, "strong": nil, "code": {"class"}, "pre": nil, "br": nil, "wbr": nil,
	"blockquote": nil, "ul": nil, "li": nil, "details": {"open"}, "summary": nil, "a": {"href"},
	"table": nil, "thead": nil, "tbody": nil, "tr": nil, "th": {"style"}, "td": {"style"},
}

// Elements and attributes that the HTML report has.
var reportElements = map[string][]string{
	"html": {"lang"}, "head": nil, "meta": {"charset", "http-equiv", "content", "name"}, "title": nil, "style": nil, "script": nil, "body": nil,
	"header": nil, "main": nil, "section": {"class"}, "h1": nil, "h2": nil, "h3": nil, "p": {"class"}, "b": nil, "code": nil, "pre": nil, "span": {"class"},
	"ul": {"class"}, "li": {"class"}, "article": {"class", "data-risk", "data-search"}, "details": {"open"}, "summary": nil,
	"form": {"id", "hidden"}, "label": {"class"}, "input": {"id", "type", "autocomplete", "placeholder", "value", "checked"},
	"fieldset": nil, "legend": nil, "button": {"id", "type", "hidden"}, "output": {"id"},
	"table": {"class"}, "thead": nil, "tbody": nil, "tr": nil, "th": {"scope"}, "td": {"class"},
}

// words of hostile strings, none of which may be outside of code.
var foreign = []string{"@", "#", "http", "www", "evil", "octocat", "gotcha", "alert(", "tada", "Heading", "forged", "::", "](", "<", "```", "$$"}

func markdown(t testing.TB, text string) *nethtml.Node {
	t.Helper()
	var page bytes.Buffer
	md := goldmark.New(goldmark.WithExtensions(extension.GFM), goldmark.WithRendererOptions(html.WithUnsafe(), html.WithHardWraps()))
	require.NoError(t, md.Convert([]byte(text), &page))
	doc, err := nethtml.Parse(&page)
	require.NoError(t, err)
	return doc
}

// requireInert renders a comment and checks that captured text became text in
// code and nothing else.
func requireInert(t testing.TB, text string, words []string) {
	t.Helper()
	for n := range markdown(t, text).Descendants() {
		switch n.Type {
		case nethtml.ElementNode:
			requireElement(t, n, commentElements)
			for _, a := range n.Attr {
				if a.Key == "href" {
					require.Contains(t, []string{"https://ci.example/1", "https://ci.example/2"}, a.Val)
				}
			}
		case nethtml.TextNode:
			if within(n, "code") || within(n, "a") {
				continue
			}
			for _, w := range words {
				require.NotContains(t, n.Data, w)
			}
		case nethtml.CommentNode:
			require.Regexp(t, `^ caskmcp:(plan|drift) v=1 [^<>@]* $`, n.Data)
		}
	}
}

func requireElement(t testing.TB, n *nethtml.Node, allowed map[string][]string) {
	t.Helper()
	attributes, ok := allowed[n.Data]
	require.True(t, ok, "element %s", n.Data)
	for _, a := range n.Attr {
		require.True(t, slices.Contains(attributes, a.Key), "attribute %s of %s", a.Key, n.Data)
	}
}

func within(n *nethtml.Node, element string) bool {
	for p := n.Parent; p != nil; p = p.Parent {
		if p.Data == element {
			return true
		}
	}
	return false
}

// requireInertPage checks a report: our elements, our script, and no way to
// load or leave for anything.
func requireInertPage(t testing.TB, page []byte, changes int) {
	t.Helper()
	require.True(t, utf8.Valid(page))
	doc, err := nethtml.Parse(bytes.NewReader(page))
	require.NoError(t, err)
	count := map[string]int{}
	for n := range doc.Descendants() {
		switch n.Type {
		case nethtml.ElementNode:
			requireElement(t, n, reportElements)
			count[n.Data]++
			switch n.Data {
			case "script":
				require.Equal(t, reportScript, n.FirstChild.Data)
			case "style":
				require.Equal(t, reportStyle, n.FirstChild.Data)
			}
		case nethtml.TextNode:
			for _, r := range n.Data {
				require.False(t, r != '\n' && r != '\ufe0f' && plan.Hidden(r), "hidden character %U", r)
			}
		case nethtml.CommentNode:
			require.Fail(t, "a comment", n.Data)
		}
	}
	require.Equal(t, changes, count["article"])
	require.Equal(t, 1, count["script"])
	require.Equal(t, 1, count["style"])
	require.Contains(t, string(page), `content="default-src &#39;none&#39;; style-src &#39;`)
}

// hostileApprovals have hostile names in all their places.
func hostileApprovals(p *plan.Plan) *apply.Approvals {
	a := apply.Evaluate(p, apply.Pull{}, nil, nil, apply.Rules{})
	for i := range a.Changes {
		h := func(n int) string { return hostile[(i+n)%len(hostile)] }
		by := []apply.Approver{{Person: apply.Person{Login: h(0)}, Via: h(1), At: time.Unix(0, 0)}}
		a.Changes[i].Approvers = []string{h(2), h(3)}
		switch i % 3 {
		case 0:
			a.Changes[i].By, a.Changes[i].Approved = by, true
		case 1:
			a.Changes[i].BlockedBy = by
		}
		a.Changes[i].Missing = h(4)
		a.Ignored = append(a.Ignored, apply.Ignored{Login: h(5), Why: h(6)})
	}
	return a
}

func TestHostileTextIsInert(t *testing.T) {
	require.GreaterOrEqual(t, len(hostile), 40)
	p, few := hostilePlan(t), threeChanges(t)
	for i, h := range hostile {
		p := p
		if i >= 12 { // every state in every room was seen; the rest is about the options
			p = few
		}
		opt := Options{Key: h, Head: h, Base: h, Commit: h, Failure: h, RunURL: "https://ci.example/1", PlanURL: "https://ci.example/2"}
		opt.State = []State{Planned, Outdated, Applied, Failed}[i%4]
		opt.MaxBytes = []int{60_000, 20_000, 3_000}[i%3]
		text := Plan(one(p, hostileApprovals(p)), opt)
		require.True(t, strings.HasPrefix(text, Marker("plan", h)), text[:100])
		require.LessOrEqual(t, len(text), opt.MaxBytes)
		requireSafe(t, text)
		requireInert(t, text, foreign)
	}
	for i, h := range hostile { // as the name of one toolpack among others
		one, two, same := *few, *few, *few
		one.Toolpack, two.Toolpack, same.Toolpack = h, hostile[(i+1)%len(hostile)], hostile[(i+2)%len(hostile)]
		same.Changes = nil
		one.Notes, two.Reviews = hostileNotes(), hostileNotes()
		packs := []Toolpack{{&one, hostileApprovals(&one)}, {&two, nil}, {&same, hostileApprovals(&same)}}
		opt := Options{Key: h, Head: h, Base: h, Commit: h, State: []State{Planned, Outdated, Applied}[i%3], MaxBytes: []int{60_000, 20_000, 3_000}[i%3]}
		text := Plan(packs, opt)
		require.True(t, strings.HasPrefix(text, Marker("plan", h)), text[:100])
		require.LessOrEqual(t, len(text), opt.MaxBytes)
		requireSafe(t, text)
		requireInert(t, text, foreign)
		for _, a := range Annotations(packs, nil) {
			requireLine(t, a.Title)
			requireLine(t, a.Message)
		}
	}
	text := Summary(one(p, hostileApprovals(p)), Options{})
	require.True(t, strings.HasPrefix(text, "## 🛑"))
	requireSafe(t, text)
	requireInert(t, text, foreign)
	for _, n := range []int{0, 1, 2} { // each hostile text is in it, as text
		require.Contains(t, plainText(markdown(t, text)), hostile[n])
	}

	text = DriftWith(&drift.Report{Changes: p.Changes, Notes: p.Notes, Blocks: true, Digest: hostile[0]}, Options{Key: hostile[0]})
	require.True(t, strings.HasPrefix(text, Marker("drift", hostile[0])))
	requireSafe(t, text)
	requireInert(t, text, foreign)
}

func plainText(doc *nethtml.Node) string {
	var b strings.Builder
	for n := range doc.Descendants() {
		if n.Type == nethtml.TextNode {
			b.WriteString(n.Data)
		}
	}
	return b.String()
}

func TestHostileTextIsInertInReport(t *testing.T) {
	p := hostilePlan(t)
	page, err := HTML(Toolpack{p, hostileApprovals(p)}, Options{Head: hostile[0], Base: hostile[1]})
	require.NoError(t, err)
	requireInertPage(t, page, len(p.Changes))
	doc, err := nethtml.Parse(bytes.NewReader(page))
	require.NoError(t, err)
	text := plainText(doc)
	for _, h := range hostile {
		if h = strings.ToValidUTF8(h, "\ufffd"); plan.Printable(h) == h {
			require.Contains(t, text, h)
		}
	}
}

// requireLine checks text as the runner would read it in a log.
func requireLine(t testing.TB, line string) {
	t.Helper()
	require.True(t, utf8.ValidString(line))
	for _, r := range line {
		require.False(t, plan.Hidden(r), "hidden character %U", r)
	}
	require.NotContains(t, line, "::")
	require.NotContains(t, line, "##[")
}

func TestHostileTextIsInertInAnnotationsAndLog(t *testing.T) {
	whole := hostilePlan(t)
	for i, h := range hostile {
		requireLine(t, LogLine(h))
		requireLine(t, LogLine(" "+h+"::"+h))
		p := *whole
		p.Changes = p.Changes[i%len(p.Changes):]
		if i%4 == 0 {
			p.Notes = []plan.Note{{Code: plan.SecretNote, Text: h, Hint: h}}
		}
		all := Annotations(one(&p, nil), func(int, string) []byte { return []byte("{" + h + "\n" + h) })
		require.LessOrEqual(t, len(all), 10)
		for _, a := range all {
			require.Contains(t, []string{LevelError, LevelWarning, LevelNotice}, a.Level)
			requireLine(t, a.Title)
			requireLine(t, a.Message)
			require.LessOrEqual(t, utf8.RuneCountInString(a.Message), 4096)
		}
	}
	require.Equal(t, `a:\u{003A}error:\u{003A}b #\u{0023}[x \u{000A}`, LogLine("a::error::b ##[x \n"))
}

func TestAnnotations(t *testing.T) {
	p := threeChanges(t)
	p.Inputs = []plan.Input{{Path: ".caskmcp/captures/billing-1.json"}, {Path: ".caskmcp/toolpacks/billing/toolpack.yaml"}}
	capture := "{\n\"observations\": [\n" +
		`{"method":"GET","scheme":"https","host":"api.billing.example","port":443,"path":"/v1/orders"},` + "\n" +
		`{"method":"POST","scheme":"https","host":"api.billing.example","port":443,"path":"/v1/refunds"}` + "\n]}\n"
	all := Annotations(one(p, nil), func(_ int, name string) []byte {
		if strings.HasSuffix(name, ".json") {
			return []byte(capture)
		}
		return []byte("name: billing\npolicy:\n")
	})
	doc, err := json.MarshalIndent(all, "", "  ")
	require.NoError(t, err)
	golden(t, "annotations.json", string(doc)+"\n")
	require.Equal(t, 4, all[0].Line)
	require.Empty(t, Annotations(one(makePlan(t, state(shop()), shop()), nil), nil))
	for _, a := range Annotations(one(p, nil), nil) {
		require.Zero(t, a.Line)
	}

	many := manyChanges(t, 100)
	all = Annotations(one(many, nil), nil)
	require.Len(t, all, 10)
	require.Equal(t, "91 more remarks: see the job summary", all[9].Message)
}

func TestReport(t *testing.T) {
	p := threeChanges(t)
	rules := apply.Rules{AllowSelf: false}
	page, err := HTML(Toolpack{p, evaluate(p, rules, "alice")}, Options{Head: "9f2c1e4b7a10aa", Base: "5d7710aa21c3"})
	require.NoError(t, err)
	requireInertPage(t, page, 4)
	golden(t, "three-changes.html", string(page))
	again, err := HTML(Toolpack{p, evaluate(p, rules, "alice")}, Options{Head: "9f2c1e4b7a10aa", Base: "5d7710aa21c3"})
	require.NoError(t, err)
	require.Equal(t, page, again)

	page, err = HTML(Toolpack{Plan: makePlan(t, state(shop()), shop())}, Options{})
	require.NoError(t, err)
	requireInertPage(t, page, 0)
	require.Contains(t, string(page), "No changes")
}

// TestSecretsWithholdThePlan leaves nothing of the captures in any output
// while one of them holds a secret.
func TestSecretsWithholdThePlan(t *testing.T) {
	p := threeChanges(t)
	p.Inputs = []plan.Input{{Path: ".caskmcp/captures/billing-1.json"}}
	for _, h := range hostile {
		p.Notes = append(p.Notes, plan.Note{Code: plan.SecretNote, Text: "billing-1.json " + h, Hint: h})
	}
	text := Plan(one(p, nil), Options{})
	require.True(t, strings.HasPrefix(text, fmt.Sprintf("## 🛑 caskmcp plan: %d secrets in the captures\n", len(hostile))))
	require.LessOrEqual(t, len(Plan(one(p, nil), Options{MaxBytes: 20_000})), 20_000)
	requireSafe(t, text)
	requireInert(t, text, foreign)
	page, err := HTML(Toolpack{Plan: p}, Options{})
	require.NoError(t, err)
	requireInertPage(t, page, 0)
	outputs := []string{text, Summary(one(p, nil), Options{}), string(page)}
	for _, a := range Annotations(one(p, nil), nil) {
		require.True(t, a.Level == LevelError || strings.Contains(a.Message, "more remarks"))
		outputs = append(outputs, a.Title+a.Message)
	}
	for _, out := range outputs {
		for _, captured := range []string{"refund", "invoices", "billing.example", "taxes"} {
			require.NotContains(t, out, captured)
		}
	}
}

func TestFailureStaysInItsRoom(t *testing.T) {
	for _, failure := range []string{strings.Repeat("\x00", 10_000), strings.Repeat("a line\n", 10_000), strings.Repeat("`", 10_000), "short"} {
		for _, room := range []int{3000, MaxBytes} {
			text := Plan(nil, Options{Key: strings.Repeat("\n", 500), State: Failed, Failure: failure, MaxBytes: room})
			require.LessOrEqual(t, len(text), room)
			require.True(t, strings.HasPrefix(text, Marker("plan", strings.Repeat("\n", 500))))
			require.Contains(t, text, plan.Printable(failure[:5]))
			requireSafe(t, text)
		}
	}
}

func TestSummaryHasMoreRoom(t *testing.T) {
	p := manyChanges(t, 1000)
	text := Summary(one(p, nil), Options{Key: "k"})
	require.True(t, strings.HasPrefix(text, "## "), "a summary has no marker")
	require.Greater(t, len(text), MaxBytes)
	require.LessOrEqual(t, len(text), MaxSummary)
	require.Contains(t, text, fmt.Sprintf("tool_%04d (update)", 999))
	requireInert(t, text, foreign)
}
