package comment

import (
	"fmt"
	"strings"

	"github.com/tomallicino/caskmcp/plan"
)

func verdict(p *plan.Plan, opt Options, t tally) string {
	changes := len(t.need) + len(t.free)
	switch {
	case opt.State == Outdated:
		return "## ⏳ caskmcp plan: " + outdated(opt)
	case opt.State == Applied:
		return appliedVerdict(opt, t, changes)
	case secrets(p.Notes) > 0:
		return fmt.Sprintf("## 🛑 caskmcp plan: %s in the captures", plural(secrets(p.Notes), "secret"))
	case len(t.outside) > 0:
		return fmt.Sprintf("## 🛑 caskmcp plan: the approved state was changed outside caskmcp, and %s", needs(len(t.need), changes))
	case !p.HasChanges():
		return "## ✅ caskmcp plan: no changes"
	case len(t.blockers) > 0:
		return "## 🛑 caskmcp plan: " + names(t.blockers) + " " + verb(len(t.blockers), "requests", "request") + " changes"
	case t.missing == 0 && len(t.need) > 0:
		return "## 🟢 caskmcp plan: approved, applies on merge"
	case t.missing == 0:
		return fmt.Sprintf("## 🟢 caskmcp plan: %s, no approval needed", plural(changes, "change"))
	case t.onMerge:
		return fmt.Sprintf("## 🟡 caskmcp plan: %s, approved by merging", plural(changes, "change"))
	case opt.Approvals != nil && t.missing < len(t.need):
		return fmt.Sprintf("## 🛑 caskmcp plan: %s, %d approved so far", needs(len(t.need), changes), len(t.need)-t.missing)
	}
	return "## 🛑 caskmcp plan: " + needs(len(t.need), changes)
}

func appliedVerdict(opt Options, t tally, changes int) string {
	in := ""
	if opt.Commit != "" {
		in = " in " + commit(opt.Commit)
	}
	switch {
	case t.missing == 0:
		return "## ✅ caskmcp plan: applied" + in
	case t.missing == changes:
		return "## 🛑 caskmcp plan: nothing applied, " + plural(changes, "change") + " without approval"
	}
	return fmt.Sprintf("## ⚠️ caskmcp plan: %d of %s applied%s, %d without approval left out", changes-t.missing, plural(changes, "change"), in, t.missing)
}

// commit names a commit as git does, by its first characters.
func commit(sha string) string { return inline(sha[:min(len(sha), 7)]) }

func needs(need, all int) string {
	return fmt.Sprintf("%d of %s %s approval", need, plural(all, "change"), verb(need, "needs", "need"))
}

func verb(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// withoutPlan is the comment while there is no plan to show.
func withoutPlan(opt Options) string {
	var b strings.Builder
	b.WriteString(marker("plan", opt, ""))
	if opt.State == Failed {
		b.WriteString("## ❌ caskmcp plan failed\n\nNothing was planned, and nothing new is served.\n")
		if opt.Failure != "" {
			b.WriteString("\n" + fence("text", failureLines(opt)))
		}
	} else {
		b.WriteString("## ⏳ caskmcp plan: " + outdated(opt) + "\n\nThis comment shows the plan as soon as it is there.\n")
	}
	b.WriteString(footer(nil, opt))
	return b.String()
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
