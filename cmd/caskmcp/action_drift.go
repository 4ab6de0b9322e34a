package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/tomallicino/caskmcp/comment"
	"github.com/tomallicino/caskmcp/drift"
	"github.com/tomallicino/caskmcp/github"
	"github.com/tomallicino/caskmcp/internal/files"
	"github.com/tomallicino/caskmcp/toolpack"
)

// drift compares the API with what is approved. Reports go to the summary, and
// to one issue where the input asks for it.
func (r *actionRun) drift(ctx context.Context) error {
	f := driftFlags{toolpack: r.in.Toolpack, captures: r.in.Captures, spec: r.in.Spec}
	if (len(f.captures) > 0) == (f.spec != "") {
		return hint(errors.New("drift needs a capture or a spec"), "set the input capture to a fresh recording, or spec to an OpenAPI document")
	}
	report, err := r.env.driftFromState(ctx, f)
	if err != nil {
		return err
	}
	opt := comment.Options{RunURL: r.runURL()}
	text := comment.DriftWith(report, opt)
	r.summarise(text)
	if err := r.logCaptured(driftText(report, false)); err != nil {
		return err
	}
	if err := r.leaveDrift(report, text); err != nil {
		return err
	}
	if err := r.setOutputs(map[string]string{
		"has-changes": fmt.Sprint(len(report.Changes) > 0), "needs-approval": fmt.Sprint(report.Blocks), "plan-path": r.plansDir(),
	}); err != nil {
		return err
	}
	if err := r.keepIssue(ctx, report); err != nil {
		return err
	}
	if !report.Blocks {
		return nil
	}
	return hint(gateError("the API is not what was approved"), "the job summary says what differs; record it, plan it and have it reviewed")
}

func (r *actionRun) leaveDrift(report *drift.Report, text string) error {
	doc, err := report.Encode()
	if err != nil {
		return err
	}
	dir := filepath.Join(r.plansDir(), "drift")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return errors.Join(files.Write(filepath.Join(dir, "drift.json"), doc, 0o644), files.Write(filepath.Join(dir, "drift.md"), []byte(text), 0o644))
}

// keepIssue keeps the one issue about drift: it is open while something
// blocks, and closed with the report that ends it. A pull request's own drift is
// its check's business.
func (r *actionRun) keepIssue(ctx context.Context, report *drift.Report) error {
	if !r.in.Issue || r.host == nil {
		return nil
	}
	if r.ev.PullRequest != nil || r.ev.MergeGroup != nil {
		r.notice("This run is about a pull request, so the issue about drift is left as it is.")
		return nil
	}
	settings, err := toolpack.LoadRepository(r.root)
	if err != nil {
		return err
	}
	r.host.SetApp(settings.GitHub.App)
	name := r.in.Toolpack
	if packs := toolpack.List(r.root); name == "" && len(packs) == 1 {
		name = packs[0]
	}
	opt := comment.Options{Key: name, RunURL: r.runURL()}
	issue := github.Issue{
		Sticky: github.Sticky{Marker: comment.Marker("drift", opt.Key)},
		Title:  "caskmcp: the API is not what was approved for " + name, Body: comment.DriftWith(report, opt),
	}
	if !report.Blocks {
		w, err := r.host.CloseIssue(ctx, issue.Sticky, issue.Body)
		if err == nil && w.Action != github.Absent {
			r.notice("The drift has ended, so %s is closed.", w.URL)
		}
		return r.refused(err, "closing the issue about drift", "issues")
	}
	w, err := r.host.OpenOrUpdateIssue(ctx, issue)
	if err == nil {
		r.notice("The drift is in %s", w.URL)
	}
	return r.refused(err, "opening an issue", "issues")
}

// check verifies the approved state of every toolpack and that nothing is
// unapproved.
func (r *actionRun) check(ctx context.Context) error {
	names := []string{r.in.Toolpack}
	if r.in.Toolpack == "" {
		names = knownPacks(r.root)
	}
	total := 0
	for _, name := range names {
		w, err := r.env.open(ctx, name, r.in.Base)
		if err != nil {
			return err
		}
		repo, err := toolpack.LoadRepository(w.Pack.Root)
		if err != nil {
			return err
		}
		w.State.Restrict(repo.Approvals.Accept)
		findings := checkFindings(w)
		total += len(findings)
		var text string
		for _, f := range findings {
			text += fmt.Sprintf("%s %s: %s (%s)\n", f.Kind, f.Name, f.Text, f.Code)
		}
		if len(findings) == 0 {
			r.summarise(fmt.Sprintf("## ✅ caskmcp check: %s\n\n%d tools approved, nothing pending.\n", w.Pack.Config.Name, len(w.State.Surface.Tools)))
			continue
		}
		r.summarise(fmt.Sprintf("## 🛑 caskmcp check: %s, %s\n\n%s", w.Pack.Config.Name, count(len(findings), "finding"), fenced(text)))
		if err := r.logCaptured(text); err != nil {
			return err
		}
	}
	if err := r.setOutput("needs-approval", fmt.Sprint(total > 0)); err != nil {
		return err
	}
	if total > 0 {
		return hint(gateError("%s", count(total, "finding")), "caskmcp check lists them, and caskmcp plan says what changes")
	}
	return nil
}

// knownPacks are the toolpacks of a work tree; an empty name, which means the
// only one there is, makes the error where there is none.
func knownPacks(root string) []string {
	if names := toolpack.List(root); len(names) > 0 {
		return names
	}
	return []string{""}
}
