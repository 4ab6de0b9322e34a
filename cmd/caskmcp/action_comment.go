package main

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/tomallicino/caskmcp/comment"
	"github.com/tomallicino/caskmcp/github"
)

// toolpacks are the plans of a judgement and, where reviews were counted, how
// far they are approved.
func (r *actionRun) toolpacks(j *judgement) []comment.Toolpack {
	var packs []comment.Toolpack
	for _, p := range j.Packs {
		t := comment.Toolpack{Plan: p.Work.Plan}
		if r.host != nil && len(j.Pulls) > 0 {
			t.Approvals = p.Approvals
		}
		packs = append(packs, t)
	}
	return packs
}

// sticky is the one comment about all toolpacks, or the one about a toolpack
// that has a workflow of its own. Versions before this one wrote a comment for
// each toolpack: that of a named one becomes it.
func sticky(only string, known []string) (key string, s github.Sticky) {
	key = allToolpacks
	if only != "" {
		known = []string{packName(only)}
		key = "toolpack:" + known[0]
	}
	s.Marker = comment.Marker("plan", key)
	for _, name := range known {
		s.Former = append(s.Former, comment.Marker("plan", name))
	}
	return key, s
}

// allToolpacks is the key of the comment about all toolpacks.
const allToolpacks = "default"

// comment writes the sticky comment. Where the head has moved on, the run for
// the new head writes it.
func (r *actionRun) comment(ctx context.Context, j *judgement) error {
	if r.host == nil || r.in.Comment == "off" || len(j.Pulls) != 1 || r.ev.MergeGroup != nil {
		return nil
	}
	opt := r.options(j)
	var mark github.Sticky
	opt.Key, mark = sticky(r.in.Toolpack, j.names())
	w, err := r.host.UpsertComment(ctx, github.Comment{
		Pull: j.Pulls[0].Number, Sticky: mark, Head: j.Head, Body: comment.Plan(r.toolpacks(j), opt),
		EditOnly: r.in.Comment != "always" && !j.changes() && len(j.Refused) == 0 && j.SettingsApproval == nil,
	})
	if errors.Is(err, github.ErrMoved) {
		r.notice("The pull request has moved on from %s, so the comment is left to the run for its new head.", short(j.Head))
		return nil
	}
	if err := r.refused(err, "commenting on the pull request", "pull-requests"); err != nil || w.URL == "" {
		return err
	}
	return r.setOutput("comment-url", w.URL)
}

// options are what a comment or summary says beyond the plans.
func (r *actionRun) options(j *judgement) comment.Options {
	opt := comment.Options{Head: j.Head, Base: j.Base, RunURL: r.runURL()}
	if j.SettingsApproval != nil {
		opt.Settings = &j.settings
	}
	told := map[string]bool{} // by the plans
	for _, p := range j.Packs {
		for _, text := range refusals(p.Work) {
			told[text] = true
		}
	}
	for _, text := range j.Refused {
		if !told[text] {
			opt.Refused = append(opt.Refused, text)
		}
	}
	return opt
}

// commentFailed tells a pull request that its plan failed, where it has a
// comment of ours already.
func (r *actionRun) commentFailed(ctx context.Context, failure error) error {
	if r.in.Comment == "off" {
		return nil
	}
	opt := comment.Options{Head: r.ev.PullRequest.Head.SHA, State: comment.Failed, Failure: failure.Error(), RunURL: r.runURL()}
	var mark github.Sticky
	opt.Key, mark = sticky(r.in.Toolpack, knownPacks(r.root))
	_, err := r.host.UpsertComment(ctx, github.Comment{
		Pull: r.ev.pullNumber(), Sticky: mark, Head: opt.Head, Body: comment.Plan(nil, opt), EditOnly: r.in.Comment != "always",
	})
	if errors.Is(err, github.ErrMoved) {
		return nil // the run for the new head has its own say
	}
	return r.refused(err, "commenting on the pull request", "pull-requests")
}

// tellPulls says in the pull requests that brought something that it is
// applied, where they have a comment of ours.
func (r *actionRun) tellPulls(ctx context.Context, s *settlement, after string) error {
	if after == "" || r.in.Comment == "off" {
		return nil
	}
	heads := map[int]string{} // by pull request
	var names []string
	for _, p := range s.packs {
		names = append(names, p.name)
		for _, d := range p.approved {
			heads[d.Approval.PR] = d.Approval.Head
		}
	}
	for _, number := range slices.Sorted(maps.Keys(heads)) {
		for _, only := range append([]string{""}, names...) {
			if err := r.tellPull(ctx, s, number, heads[number], after, only); err != nil {
				return err
			}
		}
	}
	return nil
}

// tellPull updates the comment of a pull request about all toolpacks, or about
// the one that has a workflow of its own.
func (r *actionRun) tellPull(ctx context.Context, s *settlement, number int, head, after, only string) error {
	opt := comment.Options{Head: head, State: comment.Applied, Commit: after, RunURL: r.runURL()}
	var packs []comment.Toolpack
	var names []string
	for _, p := range s.packs {
		if only == "" || only == p.name {
			packs, names = append(packs, comment.Toolpack{Plan: p.plan, Approvals: p.approvals()}), append(names, p.name)
		}
	}
	var mark github.Sticky
	opt.Key, mark = sticky(only, names)
	_, err := r.host.UpsertComment(ctx, github.Comment{Pull: number, Sticky: mark, Head: head, Body: comment.Plan(packs, opt), EditOnly: true})
	if errors.Is(err, github.ErrMoved) {
		return nil
	}
	return r.refused(err, "updating the comment of a pull request", "pull-requests")
}
