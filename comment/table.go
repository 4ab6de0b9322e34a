package comment

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tomallicino/caskmcp/apply"
	"github.com/tomallicino/caskmcp/lockfile"
	"github.com/tomallicino/caskmcp/plan"
)

func outsideTable(outside []plan.Change) string {
	if len(outside) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("\n### Changed outside caskmcp\nWhat does not verify is not served.\n\n| What | Code | Finding |\n|:--|:--|:--|\n")
	for i, c := range outside {
		if i == maxRows {
			fmt.Fprintf(&b, "| … | | %d more |\n", len(outside)-maxRows)
			break
		}
		for _, r := range c.Reasons {
			fmt.Fprintf(&b, "| %s %s | %s | %s |\n", escapeWord(c.Identity), inline(c.Name), inline(r.Code), inline(r.Text))
		}
	}
	return b.String()
}

// rows is what the rows of one table have in common, so that it is said once.
type rows struct {
	opt Options
	// origin is the one that most requests go to: rows name only others.
	origin string
	others bool // there are others
	// fresh says that all requests go to one origin, and that it is new.
	fresh    bool
	repeated map[plan.Reason]int
	short    bool
}

func rowsOf(opt Options, changes []plan.Change, l level) rows {
	r := rows{opt: opt, repeated: repeated(changes), short: l >= tableOnly}
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

// facts says above the table what its rows leave out.
func (r rows) facts() string {
	var said []string
	for reason, n := range r.repeated {
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

func approvalTable(opt Options, need []plan.Change, l level, room int) string {
	if len(need) == 0 {
		return ""
	}
	var b strings.Builder
	r := rowsOf(opt, need, l)
	title, approvers := "Needs approval", "Approvals"
	if opt.State == Applied {
		title = "Changes"
	}
	b.WriteString("\n### " + title + "\n" + r.facts())
	if opt.Approvals == nil {
		b.WriteString("| | Change | Why | " + approvers + " |\n|:-:|:--|:--|:--|\n")
	} else {
		b.WriteString("| | Change | Why | Approvers | State |\n|:-:|:--|:--|:--|:--|\n")
	}
	left := r.write(&b, need, room, func(c plan.Change) string {
		return fmt.Sprintf("| %s | %s | %s | %s |\n", symbol(c.Action()), r.object(c), r.why(c), r.approval(c))
	})
	switch {
	case left == len(need):
		return ""
	case left > 0:
		fmt.Fprintf(&b, "\n**%s left out here.** %s approval all the same.\n", plural(left, "more row")+verb(left, " is", " are"), verb(left, "It needs", "They need"))
	}
	return b.String()
}

// write writes a row for each change. A shortened table stays within the room,
// in a comment also within maxRows, and the number of those left out is
// returned; another stops when it is over.
func (r rows) write(b *strings.Builder, changes []plan.Change, room int, row func(plan.Change) string) (left int) {
	for i, c := range changes {
		if !r.short && b.Len() > room {
			return 0
		}
		text := row(c)
		if r.short && (i == maxRows && room <= MaxBytes || b.Len()+len(text) > room-reserved) {
			return len(changes) - i
		}
		b.WriteString(text)
	}
	return 0
}

// reserved is what a shortened comment keeps for what follows the table, in
// bytes.
const reserved = 1500

// object names what changes and, under it, the request it is.
func (r rows) object(c plan.Change) string {
	name := inline(c.Name)
	if c.Kind != plan.ToolKind {
		name = escapeWord(string(c.Kind))
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

// symbol writes what a change does as code, nothing where it does nothing.
func symbol(a plan.Action) string {
	if a == plan.NoOp {
		return ""
	}
	return "`" + a.Symbol() + "`"
}

// why names the most severe reasons, one of each code; one in all in a
// shortened table.
func (r rows) why(c plan.Change) string {
	most := 3
	if r.short {
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
			parts = append(parts, phrase(reason, r.short || r.repeated[reason] > 0))
		}
	}
	if left > 0 {
		parts = append(parts, fmt.Sprintf("and %d more", left))
	}
	return strings.Join(parts, "<br>")
}

// approval is who is asked, and how far they are.
func (r rows) approval(c plan.Change) string {
	a := r.opt.approval(c)
	switch {
	case r.opt.Approvals == nil:
		return fmt.Sprint(c.RequiredApprovals)
	case a == nil:
		return fmt.Sprintf("%d | 🛑 unknown", c.RequiredApprovals)
	}
	return approvers(a) + " | " + approvalState(a, r.opt.State)
}

// approvers is "2 × security" or, where nobody is named, "1 × any writer".
func approvers(a *apply.ChangeApproval) string {
	if a.Required == 0 {
		return "none"
	}
	who := "any writer"
	if len(a.Approvers) > 0 {
		var quoted []string
		for _, x := range a.Approvers {
			quoted = append(quoted, inline(strings.TrimPrefix(x, "@")))
		}
		who = list(quoted, 3)
		if len(quoted) > 1 {
			return fmt.Sprintf("%d of %s", a.Required, who)
		}
	}
	return fmt.Sprintf("%d × %s", a.Required, who)
}

func approvalState(a *apply.ChangeApproval, state State) string {
	var by []string
	for _, x := range a.By {
		name := x.Person.Login
		if x.Via == lockfile.ViaSelf {
			by = append(by, inline(name)+" by merging")
			continue
		}
		by = append(by, inline(name))
	}
	who := ""
	if len(by) > 0 {
		who = " " + strings.Join(by, ", ")
	}
	switch {
	case a.Approved:
		return "✅" + who
	case len(a.BlockedBy) > 0:
		var logins []string
		for _, x := range a.BlockedBy {
			logins = append(logins, x.Person.Login)
		}
		return "⛔ " + names(logins) + " " + verb(len(logins), "requests", "request") + " changes"
	case state == Applied:
		return "🛑 left out" + who
	case a.OnMerge:
		return "🟡 by merging" + who
	}
	return fmt.Sprintf("🛑 %d of %d", len(a.By), a.Required) + who
}

// ignoredReviews explains reviews that count for nothing, so that their
// authors know why the check stays red.
func ignoredReviews(opt Options) string {
	if opt.Approvals == nil || len(opt.Approvals.Ignored) == 0 {
		return ""
	}
	var items []string
	for _, x := range opt.Approvals.Ignored {
		items = append(items, inline(x.Login)+" "+sentence(x.Why))
	}
	return "\nReviews that do not count: " + list(items, 5) + ".\n"
}

// names writes logins as code: nobody is mentioned.
func names(logins []string) string {
	var out []string
	for _, l := range logins {
		out = append(out, inline(l))
	}
	return list(out, 3)
}
