package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tomallicino/caskmcp/comment"
	"github.com/tomallicino/caskmcp/github"
	"github.com/tomallicino/caskmcp/internal/files"
	"github.com/tomallicino/caskmcp/plan"
)

// Branches that apply writes beside the default one.
const (
	applyBranch    = "caskmcp/apply"
	leftOverBranch = "caskmcp/left-over"
)

// maxRaces is how often apply plans again because the branch moved.
const maxRaces = 3

// apply writes what merged pull requests approved to the default branch.
func (r *actionRun) apply(ctx context.Context) (err error) {
	branch := r.ev.Repository.DefaultBranch
	switch {
	case r.host == nil:
		return hint(errors.New("applying needs the GitHub API: reviews are read from it"), "leave the input github-token as it is")
	case branch == "":
		return errors.New("the event does not name the default branch")
	case r.ev.pushedTo() != branch:
		r.notice("This is no push to %s: nothing is applied.", branch)
		return nil
	}
	c, err := r.court(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.trees.close()) }()
	for range maxRaces {
		head, err := r.host.Branch(ctx, branch)
		if err != nil {
			return err
		}
		s, err := c.settle(ctx, head)
		if err != nil {
			return err
		}
		after, err := r.deliver(ctx, s)
		if errors.Is(err, github.ErrMoved) {
			r.notice("%s has moved on from %s: planning again.", branch, short(head))
			continue
		}
		if err != nil {
			return r.refused(err, "writing the lockfile", "contents")
		}
		return r.concludeApply(ctx, c.trees.repo.prefix, s, after)
	}
	return hint(fmt.Errorf("%s moved during each of %d attempts; nothing was written", branch, maxRaces), "run this workflow again")
}

// deliver writes what the settlement changes, and returns the commit that has
// it: "" where none has it yet.
func (r *actionRun) deliver(ctx context.Context, s *settlement) (string, error) {
	if len(s.files) == 0 {
		return s.head, nil
	}
	branch := r.ev.Repository.DefaultBranch
	c := github.Commit{Branch: branch, Parent: s.head, Message: message(s), Files: s.files}
	switch r.in.Deliver {
	case "artifact":
		return "", r.leaveFiles(s)
	case "pull-request":
		c.Branch, c.Own = applyBranch, true
		if _, err := r.host.CommitFiles(ctx, c); err != nil {
			return "", err
		}
		w, err := r.host.OpenOrUpdatePull(ctx, github.PullRequest{
			Branch: applyBranch, Base: branch, Title: "caskmcp: apply approved changes", Body: applyBody(s),
		})
		if err == nil {
			r.notice("The lockfile is in a pull request: %s", w.URL)
		}
		return "", err
	}
	return r.host.CommitFiles(ctx, c)
}

// message is the commit message: our own words and approved names only.
func message(s *settlement) string {
	var b strings.Builder
	b.WriteString("caskmcp: apply approved changes\n")
	for _, p := range s.packs {
		for _, d := range p.approved {
			a := d.Approval
			fmt.Fprintf(&b, "\n%s: %s %s %s (#%d, %s %s)", p.name, d.Action, d.Kind, line(d.Name), a.PR, a.Via, line(a.By.Login))
		}
		for _, d := range p.dropped {
			what := "drop"
			if d.Restored {
				what = "restore"
			}
			fmt.Fprintf(&b, "\n%s: %s %s %s: %s", p.name, what, d.Kind, line(d.Name), line(d.Why))
		}
	}
	return b.String() + "\n"
}

func applyBody(s *settlement) string {
	return "What reviews approved, computed from the pull requests that were merged. Its check is green exactly when this is what caskmcp computes.\n\n" + fenced(message(s))
}

// leaveFiles writes the changed files for upload-artifact.
func (r *actionRun) leaveFiles(s *settlement) error {
	dir := filepath.Join(r.plansDir(), "apply")
	var removed []string
	for _, f := range s.files {
		if f.Remove {
			removed = append(removed, f.Path)
			continue
		}
		name := filepath.Join(dir, filepath.FromSlash(f.Path))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		if err := files.Write(name, f.Data, 0o644); err != nil {
			return err
		}
	}
	if len(removed) == 0 {
		return nil
	}
	return files.Write(filepath.Join(dir, "removed.txt"), []byte(strings.Join(removed, "\n")+"\n"), 0o644)
}

// concludeApply reports what was written, asks for what is left over, and
// fails if anything is.
func (r *actionRun) concludeApply(ctx context.Context, prefix string, s *settlement, after string) error {
	left := r.tellApplied(s, after)
	var plans []*plan.Plan
	for _, p := range s.packs {
		plans = append(plans, p.plan)
	}
	if err := r.setOutputs(map[string]string{
		"has-changes": fmt.Sprint(len(s.files) > 0 || left > 0), "needs-approval": fmt.Sprint(left > 0),
		"plan-digest": plan.DigestOf(plans...), "plan-path": r.plansDir(),
	}); err != nil {
		return err
	}
	unmarked := r.markJudged(ctx, s, after)
	if err := r.tellPulls(ctx, s, after); err != nil {
		return errors.Join(unmarked, err)
	}
	if s.complete() {
		return unmarked
	}
	parent := after
	if parent == "" {
		parent = s.head
	}
	if left > 0 {
		if err := r.proposeLeftOver(ctx, prefix, s, parent); err != nil {
			return errors.Join(unmarked, err)
		}
	}
	if unmarked != nil {
		return unmarked
	}
	return hint(gateError("%s not applied", count(left, "change")), "the job summary lists what each needs; review the pull request from "+leftOverBranch)
}

// markJudged sets the status caskmcp/apply of the commit that has what was
// settled. Later runs start from there; without it they read every review again,
// which comes to the same as long as GitHub still has what the reviews were
// about.
func (r *actionRun) markJudged(ctx context.Context, s *settlement, after string) error {
	if after == "" {
		return nil
	}
	status := github.Status{Context: applyStatus, State: github.Success, Description: "the lockfile is what reviews approved", URL: r.runURL()}
	if slices.ContainsFunc(s.packs, func(p packSettlement) bool { return len(p.findings) > 0 }) {
		status.State, status.Description = github.Failure, "parts of the lockfile do not verify"
	}
	_, err := r.host.SetStatus(ctx, after, status)
	if err = r.refused(err, "setting the status "+applyStatus, "statuses"); err == nil {
		return nil
	}
	r.warning("The lockfile is as it should be in %s, but the status %s could not be set there: the next run reads every review again.", short(after), applyStatus)
	return hint(err, "then run this workflow again: it writes nothing twice")
}

// tellApplied writes the job summary and returns how many changes are left.
func (r *actionRun) tellApplied(s *settlement, after string) int {
	var b strings.Builder
	applied, dropped, left := 0, 0, 0
	for _, p := range s.packs {
		applied, dropped, left = applied+len(p.applied), dropped+len(p.dropped), left+len(p.left)
	}
	switch {
	case applied+dropped+left == 0:
		b.WriteString("## ✅ caskmcp apply: nothing to do\n")
	case left == 0:
		fmt.Fprintf(&b, "## ✅ caskmcp apply: %s applied\n", count(applied, "change"))
	default:
		fmt.Fprintf(&b, "## 🛑 caskmcp apply: %s applied, %d left over\n", count(applied, "change"), left)
	}
	if after != "" {
		fmt.Fprintf(&b, "\nThe lockfile is in `%s`.\n", short(after))
	}
	for _, p := range s.packs {
		var lines []string
		for _, d := range p.approved {
			lines = append(lines, fmt.Sprintf("applied    %s %s %s: #%d, %s by %s", d.Action, d.Kind, d.Name, d.Approval.PR, d.Approval.Via, d.Approval.By.Login))
		}
		for _, d := range p.dropped {
			verb := "removed"
			if d.Restored {
				verb = "restored"
			}
			lines = append(lines, fmt.Sprintf("%-10s %s %s: %s", verb, d.Kind, d.Name, d.Why))
		}
		for _, l := range p.left {
			lines = append(lines, fmt.Sprintf("left over  %s %s %s: %s", l.Action, l.Kind, l.Name, l.Why))
		}
		for _, f := range p.findings {
			lines = append(lines, fmt.Sprintf("broken     %s %s: %s", f.Kind, f.Name, f.Text))
		}
		if len(lines) > 0 {
			fmt.Fprintf(&b, "\n### %s\n\n%s", p.name, fenced(strings.Join(lines, "\n")))
		}
	}
	if rest := s.rest(); len(rest) > 0 {
		b.WriteString("\n" + comment.Summary(rest, comment.Options{Head: s.head, RunURL: r.runURL()}))
	}
	r.summarise(b.String())
	return left
}

// proposeLeftOver opens or updates the one pull request that asks for what is
// left over. It changes nothing but a list of it: its plan is what matters.
func (r *actionRun) proposeLeftOver(ctx context.Context, prefix string, s *settlement, parent string) error {
	list := leftOverList(s)
	c := github.Commit{
		Branch: leftOverBranch, Parent: parent, Own: true, Message: "caskmcp: ask for what is left over\n",
		Files: []github.File{{Path: prefix + leftOverFile, Data: []byte(list)}},
	}
	_, err := r.host.CommitFiles(ctx, c)
	if err == nil {
		var w github.Written
		w, err = r.host.OpenOrUpdatePull(ctx, github.PullRequest{
			Branch: leftOverBranch, Base: r.ev.Repository.DefaultBranch, Title: "caskmcp: approve what is left over", Body: leftOverBody(s),
		})
		if err == nil {
			r.warning("What is not approved is in %s", w.URL)
		}
	}
	if errors.Is(err, github.ErrForbidden) {
		r.warning("The token may not open a pull request for what is left over: allow it in Settings → Actions → General, or use an App's token.")
		return nil
	}
	return err
}

// rest are the plans of what is left over.
func (s *settlement) rest() (packs []comment.Toolpack) {
	for _, p := range s.packs {
		if p.rest != nil {
			packs = append(packs, comment.Toolpack{Plan: p.rest})
		}
	}
	return packs
}

// leftOverList is the file that makes the pull request differ from its base.
func leftOverList(s *settlement) string {
	var b strings.Builder
	b.WriteString("# Left over\n\nMerged, but not approved, so not served. caskmcp removes this file when it applies.\n\n")
	var lines []string
	for _, p := range s.packs {
		for _, l := range p.left {
			lines = append(lines, fmt.Sprintf("%s: %s %s %s %s", p.name, l.Action, l.Kind, l.Name, l.Digest))
		}
	}
	return b.String() + fenced(strings.Join(lines, "\n"))
}

func leftOverBody(s *settlement) string {
	var b strings.Builder
	b.WriteString("These changes were merged without enough approvals. They are not served. Reviewing this pull request approves them; merging it applies them.\n")
	if rest := s.rest(); len(rest) > 0 {
		b.WriteString("\n" + comment.Plan(rest, comment.Options{Head: s.head}))
	}
	return b.String()
}

// fenced is text in a code block that it cannot end, one inert line each.
func fenced(text string) string {
	fence := "```"
	for strings.Contains(text, fence) {
		fence += "`"
	}
	var b strings.Builder
	b.WriteString(fence + "text\n")
	for l := range strings.Lines(text) {
		b.WriteString(plan.Printable(strings.TrimRight(l, "\r\n")) + "\n")
	}
	return b.String() + fence + "\n"
}
