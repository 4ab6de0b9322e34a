package main

import (
	"context"
	"errors"

	"github.com/tomallicino/caskmcp/comment"
	"github.com/tomallicino/caskmcp/github"
)

// options are what a comment or summary says beyond the plan.
func (r *actionRun) options(j *judgement, p packJudgement) comment.Options {
	opt := comment.Options{Head: j.Head, Base: j.Base, RunURL: r.runURL()}
	if r.host != nil && len(j.Pulls) > 0 {
		opt.Approvals = p.Approvals
	}
	return opt
}

// commentKey tells the comments of a pull request apart, one a toolpack.
func commentKey(pack string) string { return pack }

// comment writes the sticky comment of each toolpack. Where the head has moved
// on, the run for the new head writes it.
func (r *actionRun) comment(ctx context.Context, j *judgement) error {
	if r.host == nil || r.in.Comment == "off" || len(j.Pulls) != 1 || r.ev.MergeGroup != nil {
		return nil
	}
	pull := j.Pulls[0]
	for _, p := range j.Packs {
		opt := r.options(j, p)
		opt.Key = commentKey(p.Name)
		create := r.in.Comment == "always" || p.Work.Plan.HasChanges() || len(j.Refused) > 0
		w, err := r.host.UpsertComment(ctx, github.Comment{
			Pull: pull.Number, Sticky: github.Sticky{Marker: comment.Marker("plan", opt.Key)}, Head: j.Head,
			Body: comment.Plan(p.Work.Plan, opt), EditOnly: !create,
		})
		if errors.Is(err, github.ErrMoved) {
			r.notice("The pull request has moved on from %s, so the comment is left to the run for its new head.", short(j.Head))
			return nil
		}
		if err := r.refused(err, "commenting on the pull request", "pull-requests"); err != nil {
			return err
		}
		if w.URL != "" {
			if err := r.setOutput("comment-url", w.URL); err != nil {
				return err
			}
		}
	}
	return nil
}

// commentFailed tells a pull request that its plan failed, where it has a
// comment of ours already.
func (r *actionRun) commentFailed(ctx context.Context, failure error) error {
	if r.in.Comment == "off" {
		return nil
	}
	names := []string{r.in.Toolpack}
	if r.in.Toolpack == "" {
		names = knownPacks(r.root)
	}
	var all error
	for _, name := range names {
		opt := comment.Options{
			Key: commentKey(name), Head: r.ev.PullRequest.Head.SHA, State: comment.Failed, Failure: failure.Error(), RunURL: r.runURL(),
		}
		_, err := r.host.UpsertComment(ctx, github.Comment{
			Pull: r.ev.pullNumber(), Sticky: github.Sticky{Marker: comment.Marker("plan", opt.Key)}, Head: opt.Head,
			Body: comment.Plan(nil, opt), EditOnly: r.in.Comment != "always",
		})
		if errors.Is(err, github.ErrMoved) {
			continue // the run for the new head has its own say
		}
		all = errors.Join(all, r.refused(err, "commenting on the pull request", "pull-requests"))
	}
	return all
}
