package comment

import (
	"fmt"
	"strings"

	"github.com/tomallicino/caskmcp/plan"
)

func (v *view) verdict() string {
	const of = " caskmcp plan: "
	n := v.n
	switch {
	case v.opt.State == Outdated:
		return "## ⏳" + of + outdated(v.opt)
	case v.opt.State == Applied:
		return "## " + v.appliedVerdict(of)
	case n.secrets > 0:
		return fmt.Sprintf("## 🛑%s%s in the captures", of, plural(n.secrets, "secret"))
	case n.outside > 0:
		return fmt.Sprintf("## 🛑%sthe approved state was changed outside caskmcp, and %s", of, needs(n))
	case len(v.opt.Refused) > 0:
		return "## 🛑" + of + "refused, and no review can approve it"
	case n.changes() == 0:
		return "## ✅" + of + "no changes"
	case len(n.blockers) > 0:
		return "## 🛑" + of + names(n.blockers) + " " + verb(len(n.blockers), "requests", "request") + " changes"
	case n.missing == 0 && n.need > 0:
		return "## 🟢" + of + "approved, applies on merge"
	case n.missing == 0:
		return fmt.Sprintf("## 🟢%s%s, no approval needed", of, plural(n.changes(), "change"))
	case n.onMerge:
		return fmt.Sprintf("## 🟡%s%s, approved by merging", of, plural(n.changes(), "change"))
	case n.tracked && n.missing < n.need:
		return fmt.Sprintf("## 🛑%s%s, %d approved so far", of, needs(n), n.need-n.missing)
	}
	return "## 🛑" + of + needs(n)
}

// refused is what no approval can help. It is said above everything else.
func (v *view) refused(l level) string {
	if len(v.opt.Refused) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("\n> [!CAUTION]\n> **No review can approve this**\n")
	shown := v.opt.Refused[:min(len(v.opt.Refused), mostItems)]
	if l == countsAndLinks {
		shown = nil
	}
	for _, text := range shown {
		b.WriteString("> - " + sentence(text) + "\n")
	}
	if more := len(v.opt.Refused) - len(shown); more > 0 {
		fmt.Fprintf(&b, "> - %s\n", plural(more, "more finding"))
	}
	return b.String()
}

func (v *view) appliedVerdict(of string) string {
	in, n := "", v.n
	if v.opt.Commit != "" {
		in = " in " + commit(v.opt.Commit)
	}
	switch {
	case n.missing == 0:
		return "✅" + of + "applied" + in
	case n.missing == n.changes():
		return "🛑" + of + "nothing applied, " + plural(n.missing, "change") + " without approval"
	}
	return fmt.Sprintf("⚠️%s%d of %s applied%s, %d without approval left out", of, n.changes()-n.missing, plural(n.changes(), "change"), in, n.missing)
}

// commit names a commit as git does, by its first characters.
func commit(sha string) string { return inline(sha[:min(len(sha), 7)]) }

func needs(n tally) string {
	return fmt.Sprintf("%d of %s %s approval", n.need, plural(n.changes(), "change"), verb(n.need, "needs", "need"))
}

func verb(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// noToolpack is said of a repository without any.
const noToolpack = "## ✅ caskmcp plan: no toolpack\n\nThis repository has no toolpack, so agents can call nothing.\n"

// withoutPlan is the comment while there is no plan to show.
func withoutPlan(opt Options) string {
	text := marker("plan", opt, "")
	switch opt.State {
	case Failed:
		text += "## ❌ caskmcp plan failed\n\nNothing was planned, and nothing new is served.\n"
		if opt.Failure != "" {
			text += "\n" + fence("text", failureLines(opt))
		}
	case Outdated:
		text += "## ⏳ caskmcp plan: " + outdated(opt) + "\n\nThis comment shows the plan as soon as it is there.\n"
	default:
		text += noToolpack
	}
	return text + links(link("Log", opt.RunURL))
}

// failureLines are the printable lines of the error, as many as there is room
// for.
func failureLines(opt Options) []string {
	room := MaxBytes
	if opt.MaxBytes > 0 {
		room = opt.MaxBytes
	}
	room = min(room-reserved, maxFailure)
	var lines []string
	for line := range strings.SplitSeq(strings.TrimSpace(opt.Failure), "\n") {
		line = shorten(plan.Printable(strings.TrimSuffix(line, "\r")), maxLine)
		if room -= len(line) + 1; room < 0 {
			return append(lines, "…")
		}
		lines = append(lines, line)
	}
	return lines
}

// maxLine is how many characters of one line of it are shown.
const maxLine = 500

// maxFailure is how much of an error a comment shows, in bytes.
const maxFailure = 8000

func outdated(opt Options) string {
	if opt.Commit == "" {
		return "outdated, planning again"
	}
	return "outdated, planning " + commit(opt.Commit)
}
