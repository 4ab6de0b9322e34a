package comment

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tomallicino/caskmcp/plan"
)

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

// text says what changes and why and, under it, the request it is.
func (r rows) text(c plan.Change, short bool) string {
	text := symbol(c.Action()) + object(c)
	if why := r.why(c, short); why != "" {
		text += " " + why
	}
	if c.Request == "" {
		return text
	}
	method, origin, path := splitRequest(c.Request)
	text += "<br>" + inline(strings.TrimSpace(method+" "+path))
	if origin != r.origin {
		text += " at " + inline(strings.TrimPrefix(origin, "https://"))
	}
	return text
}

// object names what changes.
func object(c plan.Change) string {
	switch {
	case c.Kind == plan.ToolKind:
		return inline(c.Name)
	case c.Name == string(c.Kind):
		return escapeWord(c.Name)
	}
	return escapeWord(string(c.Kind)) + " " + inline(c.Name)
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
	return strings.Join(parts, " · ")
}
