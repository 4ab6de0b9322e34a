package comment

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"html/template"
	"maps"
	"slices"
	"strings"

	"github.com/tomallicino/caskmcp/plan"
	"github.com/tomallicino/caskmcp/surface"
)

var (
	//go:embed report.html
	reportPage string
	//go:embed report.css
	reportStyle string
	//go:embed report.js
	reportScript string
)

var reportTemplate = template.Must(template.New("report").Parse(reportPage))

// HTML renders one toolpack as a page that needs nothing else: styles and script are in
// it, its content security policy allows no other and no request, and without
// the script everything is there to read. Captured text is only ever text.
func HTML(t Toolpack, opt Options) ([]byte, error) {
	var buf bytes.Buffer
	if err := reportTemplate.Execute(&buf, reportOf(newView([]Toolpack{t}, opt))); err != nil {
		return nil, fmt.Errorf("rendering report: %w", err)
	}
	return buf.Bytes(), nil
}

// report is what the page shows. Every string is printable.
type report struct {
	Policy  string
	Style   template.CSS
	Script  template.JS
	Verdict string
	Pack    string
	Where   string
	Summary string
	Cost    string
	Digest  string
	// Withheld says why nothing of the plan is shown; empty where it is.
	Withheld string
	Caution  bool
	Gains    []reportGain
	Risks    []surface.Risk
	// Riskless says that changes without a risk are among them.
	Riskless bool
	Outside  []reportChange
	Changes  []reportChange
	Notes    []plan.Note
}

type reportGain struct {
	Count string
	Items []reportItem
}

type reportItem struct{ Name, Text string }

type reportChange struct {
	Symbol, Kind, Name, Request string
	Action                      string
	Risk                        surface.Risk // the filter's value
	RiskText                    string
	Class                       plan.Class
	Approval                    string
	Approved                    bool
	Reasons                     []plan.Reason
	Update                      bool // Before and After differ in Rows
	Rows                        []reportRow
	Unchanged                   int
	Search                      string
}

type reportRow struct{ Path, Before, After string }

func reportOf(v *view) report {
	p, opt := v.packs[0], v.opt
	r := report{
		Policy: fmt.Sprintf("default-src 'none'; style-src '%s'; script-src '%s'; base-uri 'none'; form-action 'none'", hashOf(reportStyle), hashOf(reportScript)),
		Style:  template.CSS(reportStyle), Script: template.JS(reportScript),
		Verdict: plain(v.verdict()), Pack: plan.Printable(p.Toolpack), Summary: p.Summary.String(), Cost: p.Cost.String(), Digest: plan.Printable(p.PlanDigest),
	}
	if p.n.secrets > 0 {
		r.Withheld = withheld
	}
	if opt.Head != "" && opt.Base != "" {
		r.Where = plan.Printable(fmt.Sprintf("%s, against the lockfile at %s", shorten(opt.Head, 12), shorten(opt.Base, 12)))
	}
	for _, n := range slices.Concat(p.Notes, p.Reviews, p.Merges()) {
		if r.Withheld == "" || n.Code == plan.SecretNote {
			r.Notes = append(r.Notes, plan.Note{Code: plan.Printable(n.Code), Text: plan.Printable(n.Text), Hint: plan.Printable(n.Hint)})
		}
	}
	if r.Withheld == "" {
		r.show(v)
	}
	return r
}

// show adds what changes.
func (r *report) show(v *view) {
	gains, caution := gainedBy(v.granted())
	r.Caution = caution
	for _, g := range gains {
		line := reportGain{Count: g.Count}
		for _, x := range g.items {
			text := x.text
			if x.remark != "" {
				text = "(" + x.remark + ")"
			}
			line.Items = append(line.Items, reportItem{Name: plan.Printable(shorten(x.name, maxInline)), Text: plan.Printable(shorten(text, maxSentence))})
		}
		r.Gains = append(r.Gains, line)
	}
	used := map[surface.Risk]bool{}
	p := v.packs[0]
	for _, c := range p.Changes {
		x := p.report(c)
		if c.Kind == plan.StateKind {
			r.Outside = append(r.Outside, x)
			continue
		}
		used[x.Risk] = true
		r.Changes = append(r.Changes, x)
	}
	for _, risk := range slices.Backward(surface.Risks) {
		if used[risk] {
			r.Risks = append(r.Risks, risk)
		}
	}
	r.Riskless = used[""]
}

// plain is the text of a headline.
func plain(headline string) string {
	return html.UnescapeString(strings.NewReplacer("## ", "", "<code>", "", "</code>", "", "<wbr>", "").Replace(headline))
}

// hashOf is the source expression for an inline element (CSP Level 3, section
// 2.3.1).
func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// report is what the page shows of one change.
func (p *pack) report(c plan.Change) reportChange {
	x := reportChange{
		Symbol: c.Action().Symbol(), Kind: plan.Printable(string(c.Kind)), Name: plan.Printable(c.Name), Request: plan.Printable(c.Request),
		Action: plan.Printable(strings.Join(c.Actions, ", then ")), Class: c.Class(), Update: c.Before != nil && c.After != nil,
	}
	x.Risk = c.Risk.After
	if x.Risk == "" || c.Risk.Before.Rank() > x.Risk.Rank() {
		x.Risk = c.Risk.Before
	}
	if x.Risk.Rank() < 0 {
		x.Risk = ""
	}
	x.RiskText = string(x.Risk)
	if c.Risk.Before != "" && c.Risk.After != "" && c.Risk.Before != c.Risk.After {
		x.RiskText = plan.Printable(string(c.Risk.Before)) + " → " + plan.Printable(string(c.Risk.After))
	}
	x.Approval, x.Approved = p.approvalText(c)
	for _, r := range c.Reasons {
		x.Reasons = append(x.Reasons, plan.Reason{Code: plan.Printable(r.Code), Class: r.Class, Text: plan.Printable(r.Text)})
		x.Search += " " + plan.Printable(r.Code) + " " + plan.Printable(r.Text)
	}
	x.Search = strings.ToLower(strings.Join([]string{x.Kind, x.Name, x.Request, x.Search}, " "))
	switch {
	case x.Update:
		for _, f := range c.Fields {
			x.Rows = append(x.Rows, reportRow{plan.Printable(f.Path), pretty(f.Before), pretty(f.After)})
		}
		x.Unchanged = unchangedFields(c)
	case c.After != nil:
		for _, f := range members(c.After) {
			x.Rows = append(x.Rows, reportRow{Path: f.Path, After: f.After})
		}
	case c.Before != nil:
		for _, f := range members(c.Before) {
			x.Rows = append(x.Rows, reportRow{Path: f.Path, Before: f.After})
		}
	}
	return x
}

// approvalText is how far c is approved.
func (p *pack) approvalText(c plan.Change) (text string, approved bool) {
	a := p.approval(c)
	switch {
	case c.Kind == plan.StateKind:
		return "", false
	case a == nil && c.RequiredApprovals == 0:
		return "no approval needed", true
	case a == nil:
		return plural(c.RequiredApprovals, "approval") + " needed", false
	case a.Approved && len(a.By) == 0:
		return "no approval needed", true
	case a.Approved:
		return plan.Printable("approved by " + strings.Join(logins(a.By), ", ")), true
	}
	return plan.Printable("not approved: " + a.Missing), false
}

// members are the fields of a definition in the order people read them.
func members(doc json.RawMessage) []reportRow {
	var m map[string]json.RawMessage
	if json.Unmarshal(doc, &m) != nil {
		return []reportRow{{After: pretty(doc)}}
	}
	delete(m, "name")
	var rows []reportRow
	for _, k := range slices.Concat(definitionOrder, slices.Sorted(maps.Keys(m))) {
		if v, ok := m[k]; ok {
			rows = append(rows, reportRow{Path: plan.Printable(k), After: pretty(v)})
			delete(m, k)
		}
	}
	return rows
}

// pretty indents a JSON value, and makes each of its lines printable.
func pretty(doc json.RawMessage) string {
	if doc == nil {
		return ""
	}
	var buf bytes.Buffer
	if len(doc) <= 60 || json.Indent(&buf, doc, "", "  ") != nil {
		return plan.Printable(string(doc))
	}
	lines := strings.Split(buf.String(), "\n")
	for i, l := range lines {
		lines[i] = plan.Printable(l)
	}
	return strings.Join(lines, "\n")
}
