package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/tomallicino/caskmcp/apply"
	"github.com/tomallicino/caskmcp/github"
)

// newHost is a client of the GitHub API for a repository "owner/name".
func (e *env) newHost(token, repository string) (*github.Client, error) {
	return github.New(github.Options{BaseURL: e.Getenv("GITHUB_API_URL"), Repository: repository, Token: token})
}

// plannedAt is when the status caskmcp/approval of a commit was first set by a
// job of this repository, or by the app that the rules name: from then on
// people could see its plan.
func plannedAt(ctx context.Context, c *github.Client, commit string, rules apply.Rules) (time.Time, error) {
	list, err := c.Statuses(ctx, commit)
	if err != nil {
		return time.Time{}, err
	}
	return github.FirstStatus(list, approvalStatus, github.ActionsLogin, rules.App), nil
}

// judgedGood reports whether the last status caskmcp/apply of a commit is a
// success. The app that the rules name is heard first, and then own is true:
// nobody else can have set it. Any other app's word anyone who may push a branch
// can have, by a workflow on it.
func judgedGood(ctx context.Context, c *github.Client, commit, app string) (good, own bool, err error) {
	list, err := c.Statuses(ctx, commit)
	if err != nil {
		return false, false, err
	}
	last := func(by func(login string) bool) *github.Status {
		i := slices.IndexFunc(list, func(s github.Status) bool { // newest first
			return s.Context == applyStatus && s.Creator.Bot && by(s.Creator.Login)
		})
		if i < 0 {
			return nil
		}
		return &list[i]
	}
	if app != "" {
		if s := last(func(login string) bool { return strings.EqualFold(login, app) }); s != nil {
			return s.State == github.Success, true, nil
		}
	}
	s := last(func(string) bool { return true })
	return s != nil && s.State == github.Success, false, nil
}

// people adds permissions and teams to whom the rules ask about.
func people(ctx context.Context, c *github.Client, rules apply.Rules, f *caseFile) error {
	return c.Qualify(ctx, rules, &f.pull.Pull, f.reviews)
}
