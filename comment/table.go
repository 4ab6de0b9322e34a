package comment

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tomallicino/caskmcp/apply"
	"github.com/tomallicino/caskmcp/lockfile"
	"github.com/tomallicino/caskmcp/plan"
)

// sheet writes the tables of a comment into what room there is.
type sheet struct {
	b    *strings.Builder
	room int // bytes that b may have at the end
	// short leaves out rows for which there is no room; otherwise writing stops
	// where b is over, for it will not be used.
	short bool
	rows  int // written so far
}

// maxRows is how many rows a shortened comment has.
const maxRows = 200

// reserved is what a shortened comment keeps for what follows its tables, in
// bytes.
const reserved = 1500

// section writes a head and n rows, and returns how many are left out; if all
// are, so is the head.
func (s *sheet) section(head string, n int, row func(i int) string) (left int) {
	for i := range n {
		if !s.short && s.b.Len() > s.room {
			return 0
		}
		text := row(i)
		if i == 0 {
			text = head + text
		}
		if s.short && (s.rows == maxRows && s.room <= MaxBytes || s.b.Len()+len(text) > s.room-reserved) {
			return n - i
		}
		s.b.WriteString(text)
		s.rows++
	}
	return 0
}

// leftOut says how many rows are not there.
func (s *sheet) leftOut(left int, remark string) {
	if left > 0 && s.rows > 0 {
		fmt.Fprintf(s.b, "\n**%s left out here.**%s\n", plural(left, "more row")+verb(left, " is", " are"), remark)
	}
}

// tables has what is never folded: a row for each toolpack, and then a row for
// each change that needs approval.
func (v *view) tables(s *sheet) {
	v.packTable(s)
	left := 0
	for _, p := range v.packs {
		left += v.outsideTable(s, p)
	}
	for _, p := range v.packs {
		left += v.approvalTable(s, p)
	}
	s.leftOut(left, verb(left, " It needs", " They need")+" approval all the same.")
}

func (v *view) outsideTable(s *sheet, p *pack) (left int) {
	head := "\n### Changed outside caskmcp" + v.in(p) + "\nWhat does not verify is not served.\n\n| What | Code | Finding |\n|:--|:--|:--|\n"
	return s.section(head, len(p.outside), func(i int) string {
		c, row := p.outside[i], ""
		for _, r := range c.Reasons {
			row += fmt.Sprintf("| %s %s | %s | %s |\n", escapeWord(c.Identity), inline(c.Name), inline(r.Code), inline(r.Text))
		}
		return row
	})
}

func (v *view) approvalTable(s *sheet, p *pack) (left int) {
	title := "Needs approval"
	if v.opt.State == Applied {
		title = "Changes"
	}
	head := "\n### " + title + v.in(p) + "\n" + p.rows.facts(s.short) + "| Approvals | Change | Why |\n|:--|:--|:--|\n"
	return s.section(head, len(p.need), func(i int) string {
		c := p.need[i]
		return fmt.Sprintf("| %s | %s | %s |\n", p.state(c, v.opt.State), p.rows.object(c), p.rows.why(c, s.short))
	})
}

// rows is what the rows of one table have in common, so that it is said once.
type rows struct {
	// origin is the one that most requests go to: rows name only others.
	origin string
	others bool // there are others
	// fresh says that all requests go to one origin, and that it is new.
	fresh    bool
	repeated map[plan.Reason]int
}

func rowsOf(changes []plan.Change) rows {
	r := rows{repeated: repeated(changes)}
	count := map[string]int{}
	tools, fresh := 0, 0
	for _, c := range changes {
		if c.Request == "" {
			continue
		}
		tools++
		_, origin, _ := splitRequest(c.Request)
		count[origin]++
		if hasCode(c, "host.added") {
			fresh++
		}
	}
	for origin, n := range count {
		if best := count[r.origin]; n > best || n == best && origin < r.origin {
			r.origin = origin
		}
	}
	if count[r.origin] < 2 {
		r.origin = ""
	}
	r.others = count[r.origin] < tools
	r.fresh = r.origin != "" && !r.others && fresh == tools
	return r
}

// facts says above the table what its rows leave out. The rows of a shortened
// table say no more than the names of reasons.
func (r rows) facts(short bool) string {
	var said []string
	for reason, n := range r.repeated {
		if short {
			break
		}
		if labels[reason.Code] == "" {
			said = append(said, fmt.Sprintf("- %d × %s: %s\n", n, label(reason), sentence(reason.Text)))
		}
	}
	slices.Sort(said)
	text := strings.Join(said[:min(len(said), mostFacts)], "")
	if text != "" {
		text += "\n"
	}
	switch {
	case r.origin == "":
		return text
	case r.others:
		return "Requests go to " + inline(r.origin) + ", unless a row names another host.\n\n" + text
	case r.fresh:
		return "All requests go to " + inline(r.origin) + ", a **new host**.\n\n" + text
	}
	return "All requests go to " + inline(r.origin) + ".\n\n" + text
}

// mostFacts is how many repeated reasons are listed above a table.
const mostFacts = 10

// object names what changes and, under it, the request it is.
func (r rows) object(c plan.Change) string {
	name := symbol(c.Action()) + inline(c.Name)
	if c.Kind != plan.ToolKind {
		name = symbol(c.Action()) + escapeWord(string(c.Kind))
		if c.Name != string(c.Kind) {
			name += " " + inline(c.Name)
		}
	}
	if c.Request == "" {
		return name
	}
	method, origin, path := splitRequest(c.Request)
	text := name + "<br>" + inline(strings.TrimSpace(method+" "+path))
	if origin != r.origin {
		text += "<br>at " + inline(strings.TrimPrefix(origin, "https://"))
	}
	return text
}

// splitRequest divides "GET https://api.example/v1" into method, origin and
// the rest.
func splitRequest(request string) (method, origin, path string) {
	method, url, _ := strings.Cut(request, " ")
	scheme, rest, ok := strings.Cut(url, "://")
	if !ok {
		return "", "", request
	}
	authority, path := rest, ""
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		authority, path = rest[:i], rest[i:]
	}
	return method, scheme + "://" + authority, path
}

// symbol writes what a change does before its name, nothing where it does
// nothing.
func symbol(a plan.Action) string {
	if a == plan.NoOp {
		return ""
	}
	return "`" + a.Symbol() + "` "
}

// why names the most severe reasons, one of each code; one in all in a
// shortened table.
func (r rows) why(c plan.Change, short bool) string {
	most := 3
	if short {
		most = 1
	}
	var parts []string
	left, codes := 0, map[string]bool{}
	for _, reason := range c.Reasons {
		switch {
		case reason.Code == "host.added" && r.fresh && len(c.Reasons) > 1:
		case codes[reason.Code] || len(parts) == most:
			left++
		default:
			codes[reason.Code] = true
			parts = append(parts, phrase(reason, short || r.repeated[reason] > 0))
		}
	}
	if left > 0 {
		parts = append(parts, fmt.Sprintf("and %d more", left))
	}
	return strings.Join(parts, "<br>")
}

// state is how far c is approved and, under it, who is asked.
func (p *pack) state(c plan.Change, state State) string {
	a := p.approval(c)
	switch {
	case !p.n.tracked:
		return fmt.Sprintf("🛑 %d needed", c.RequiredApprovals)
	case a == nil:
		return "🛑 unknown"
	case a.Approved:
		return "✅ " + given(a)
	case len(a.BlockedBy) > 0:
		blockers := logins(a.BlockedBy)
		return "⛔ " + names(blockers) + "<br>" + verb(len(blockers), "requests", "request") + " changes"
	}
	text := fmt.Sprintf("🛑 %d of %d", len(a.By), a.Required)
	switch {
	case state == Applied:
		text = "🛑 left out"
	case a.OnMerge:
		text = "🟡 by merging"
	}
	if len(a.By) > 0 {
		text += "<br>✅ " + given(a)
	}
	return text + "<br>" + asked(a)
}

// asked names the approvers of a change.
func asked(a *apply.ChangeApproval) string {
	if len(a.Approvers) == 0 {
		return "any writer"
	}
	var who []string
	for _, x := range a.Approvers {
		who = append(who, inline(strings.TrimPrefix(x, "@")))
	}
	return list(who, 3)
}

// given names who approved a change.
func given(a *apply.ChangeApproval) string {
	var by []string
	for _, x := range a.By {
		name := inline(x.Person.Login)
		if x.Via == lockfile.ViaSelf {
			name += " by merging"
		}
		by = append(by, name)
	}
	return strings.Join(by, ", ")
}

// ignoredReviews explains reviews that count for nothing in any toolpack, so
// that their authors know why the check stays red.
func (v *view) ignoredReviews() string {
	var items []string
	changed := slices.DeleteFunc(slices.Clone(v.packs), func(p *pack) bool { return len(p.Changes) == 0 })
	if len(changed) == 0 {
		return ""
	}
	for _, x := range changed[0].ignored {
		if !slices.ContainsFunc(changed, func(p *pack) bool { return !p.ignores(x) }) {
			items = append(items, inline(x.Login)+" "+sentence(x.Why))
		}
	}
	if len(items) == 0 {
		return ""
	}
	return "\nReviews that do not count: " + list(items, 5) + ".\n"
}

func (p *pack) ignores(x apply.Ignored) bool {
	return slices.ContainsFunc(p.ignored, func(y apply.Ignored) bool { return y.Review == x.Review && y.Login == x.Login })
}

// names writes logins as code: nobody is mentioned.
func names(logins []string) string {
	var out []string
	for _, l := range logins {
		out = append(out, inline(l))
	}
	return list(out, 3)
}
