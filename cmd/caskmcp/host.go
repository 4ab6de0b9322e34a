package main

import (
	"context"
	"time"

	"github.com/tomallicino/caskmcp/apply"
	"github.com/tomallicino/caskmcp/github"
)

// newHost is a client of the GitHub API for a repository "owner/name".
func (e *env) newHost(token, repository string) (*github.Client, error) {
	return github.New(github.Options{BaseURL: e.Getenv("GITHUB_API_URL"), Repository: repository, Token: token})
}

// plannedAt is when the status caskmcp/approval of a commit was first set by a
// job of this repository: from then on people could see its plan.
func plannedAt(ctx context.Context, c *github.Client, commit string) (time.Time, error) {
	list, err := c.Statuses(ctx, commit)
	if err != nil {
		return time.Time{}, err
	}
	return github.FirstStatus(list, approvalStatus, github.ActionsLogin), nil
}

// judgedGood reports whether the last status caskmcp/apply of a commit, set by
// an app, is a success.
func judgedGood(ctx context.Context, c *github.Client, commit string) (bool, error) {
	list, err := c.Statuses(ctx, commit)
	if err != nil {
		return false, err
	}
	for _, s := range list { // newest first
		if s.Context == applyStatus && s.Creator.Bot {
			return s.State == github.Success, nil
		}
	}
	return false, nil
}

// people adds permissions and teams to whom the rules ask about.
func people(ctx context.Context, c *github.Client, rules apply.Rules, f *caseFile) error {
	return c.Qualify(ctx, rules, &f.pull.Pull, f.reviews)
}
