package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tomallicino/caskmcp/apply"
	"github.com/tomallicino/caskmcp/plan"
)

// maxBases bounds how often the base may have changed under a commit that
// somebody reviewed. Beyond it nobody can be said to have seen anything: the
// branch has to be updated and reviewed again.
const maxBases = 30

// seenOf is what the plans of a commit showed since that time. A plan is of the
// merge with the base, and the base moves on without the commit: what counts is
// the same from wherever it may have been when somebody looked. From a base that
// it could not be planned with nothing was shown, so nothing is the same.
func (c *court) seenOf(ctx context.Context, name, tip, sha string, at time.Time) (apply.Seen, error) {
	nothing := apply.Seen{PlannedAt: at}
	bases, err := c.trees.repo.bases(ctx, tip, sha)
	if err != nil || len(bases) > maxBases {
		return nothing, err
	}
	var plans []*plan.Plan
	for _, base := range bases {
		p, err := c.shown(ctx, name, base, sha)
		if err != nil || p == nil {
			return nothing, ctx.Err()
		}
		plans = append(plans, p)
	}
	return apply.Shown(at, plans...), nil
}

// bases are the commits at which the branch with that tip may have been since
// there was a commit sha upon it, oldest first, the tip last: one for each
// change of what plans are made of.
func (r *repo) bases(ctx context.Context, tip, sha string) ([]string, error) {
	for _, id := range []string{tip, sha} {
		if err := r.ensure(ctx, id); err != nil {
			return nil, err
		}
	}
	// Two lists: limited by a commit, git leaves merges out that only their
	// first parent differs from.
	out, err := r.git(ctx, "rev-list", "--first-parent", "--max-count="+strconv.Itoa(maxHistory), tip, "^"+sha)
	if err != nil {
		return nil, fmt.Errorf("reading the history of %s: %w", short(tip), err)
	}
	since := strings.Fields(string(out))
	changed, err := r.landed(ctx, tip, maxBases+1)
	if err != nil {
		return nil, err
	}
	changed = slices.DeleteFunc(changed, func(id string) bool { return !slices.Contains(since, id) })
	slices.Reverse(changed)
	if len(changed) == 0 {
		return []string{tip}, nil
	}
	first, err := r.parents(ctx, changed[0])
	if err != nil {
		return nil, err
	}
	changed[len(changed)-1] = tip // it has what the last change made
	return append(first[:min(1, len(first))], changed...), nil
}
