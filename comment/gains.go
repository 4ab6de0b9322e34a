package comment

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tomallicino/caskmcp/plan"
)

// gain is a way in which a plan gives agents more.
type gain struct {
	codes     []string
	one, many string
	item      func(pack string, c plan.Change, r plan.Reason) item
}

// item is one thing a gain is about: a captured name, with a remark of ours,
// or the text of a reason. Pack is the toolpack it is in, where that has to be
// said.
type item struct{ name, remark, text, pack string }

// gains are in the order in which a reviewer should meet them.
var gains = []gain{
	{[]string{"tool.write_added"}, "new tool that changes state", "new tools that change state", writeTool},
	{[]string{"effect.read_to_write"}, "tool goes from read → write", "tools go from read → write", toolName},
	{[]string{"effect.raised"}, "tool may now destroy", "tools may now destroy", toolName},
	{[]string{"confirm.never", "confirm.relaxed"}, "tool changes state without asking", "tools change state without asking", toolName},
	{[]string{"policy.relaxed", "default_action.changed", "policy.changed"}, "change of the policy", "changes of the policy", reasonText},
	{[]string{"host.added", "host.changed"}, "new host", "new hosts", host},
	{[]string{"network.widened"}, "opening of the network", "openings of the network", reasonText},
	{[]string{"credential.added", "credential.rebound", "auth.weakened", "auth.changed", "scope.widened"}, "credential change", "credential changes", reasonText},
	{[]string{"output.pii_added", "output.secret_shape_added", "redaction.removed"}, "tool reads more sensitive data", "tools read more sensitive data", toolName},
	{[]string{"text.injection_lint", "tool.shadowing", "tool.confusable"}, "suspicious text", "suspicious texts", reasonText},
	{[]string{"tool.was_rejected", "tool.name_taken"}, "tool takes up what was rejected or another's name", "tools take up what was rejected or another's name", toolName},
}

// newReads is what is said last, and gives no reason for caution.
var newReads = gain{[]string{"tool.added"}, "new tool that only reads", "new tools that only read", toolName}

func toolName(pack string, c plan.Change, _ plan.Reason) item { return item{name: c.Name, pack: pack} }

func writeTool(pack string, c plan.Change, r plan.Reason) item {
	x := item{name: c.Name, pack: pack}
	if strings.Contains(r.Text, "destructive") {
		x.remark = "destructive"
	}
	return x
}

func reasonText(pack string, _ plan.Change, r plan.Reason) item {
	return item{text: r.Text, pack: pack}
}

// host is the same one, whatever toolpack reaches it.
func host(_ string, c plan.Change, _ plan.Reason) item {
	_, origin, _ := splitRequest(c.Request)
	return item{name: origin}
}

func (i item) markdown() string {
	text := sentence(i.text)
	if i.name != "" {
		text = inline(i.name)
	}
	if i.remark != "" {
		text += " (" + i.remark + ")"
	}
	if i.pack != "" {
		text += " in " + inline(i.pack)
	}
	return text
}

// portion is the changes of one toolpack, named where that has to be said.
type portion struct {
	pack    string
	changes []plan.Change
}

// granted are the changes that agents gain by.
func (v *view) granted() (all []portion) {
	for _, p := range v.packs {
		x := portion{changes: p.granted(v.opt.State)}
		if v.several() {
			x.pack = p.Toolpack
		}
		all = append(all, x)
	}
	return all
}

// items lists what g is about in those changes, each thing once.
func (g gain) items(all []portion) []item {
	var items []item
	seen := map[item]bool{}
	for _, p := range all {
		for _, c := range p.changes {
			if c.Kind == plan.StateKind {
				continue
			}
			for _, r := range c.Reasons {
				if !slices.Contains(g.codes, r.Code) {
					continue
				}
				if x := g.item(p.pack, c, r); !seen[x] {
					seen[x] = true
					items = append(items, x)
				}
			}
		}
	}
	return items
}

// gained is one line of the box: how many of what, and which.
type gained struct {
	Count string
	items []item
}

// gainedBy lists what agents gain by those changes, what is most dangerous
// first. Caution is false where they only get more to read.
func gainedBy(all []portion) (lines []gained, caution bool) {
	for _, g := range append(slices.Clone(gains), newReads) {
		caution = caution || len(lines) > 0
		if items := g.items(all); len(items) > 0 {
			lines = append(lines, gained{Count: fmt.Sprintf("%d %s", len(items), verb(len(items), g.one, g.many)), items: items})
		}
	}
	return lines, caution
}

// mostItems is how many things one line of the box names.
const mostItems = 4

// gainBox says above the fold what agents gain; empty when they gain nothing.
// It names things while there is room for anything but counts.
func gainBox(title string, all []portion, l level) string {
	lines, caution := gainedBy(all)
	if len(lines) == 0 {
		return ""
	}
	kind := "NOTE"
	if caution {
		kind = "CAUTION"
	}
	var b strings.Builder
	b.WriteString("\n> [!" + kind + "]\n> **" + title + "**\n")
	for _, g := range lines {
		if l == countsAndLinks {
			fmt.Fprintf(&b, "> - **%s**\n", g.Count)
			continue
		}
		var items []string
		for _, x := range g.items[:min(len(g.items), mostItems+1)] {
			items = append(items, x.markdown())
		}
		fmt.Fprintf(&b, "> - **%s:** %s\n", g.Count, listOf(items, len(g.items), mostItems))
	}
	return b.String()
}

// list joins items and counts those over most.
func list(items []string, most int) string { return listOf(items, len(items), most) }

// listOf is list for the first of n items.
func listOf(items []string, n, most int) string {
	if n <= most+1 {
		return strings.Join(items, ", ")
	}
	return strings.Join(items[:most], ", ") + fmt.Sprintf(" and %d more", n-most)
}
