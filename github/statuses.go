package github

import (
	"context"
	"slices"
	"strings"
	"time"

	gh "github.com/google/go-github/v66/github"

	"github.com/tomallicino/caskmcp/apply"
)

// States of a commit status.
const (
	Success = "success"
	Pending = "pending"
	Failure = "failure"
	Error   = "error"
)

// maxDescription is the most characters of a status description.
const maxDescription = 140

// Status is a commit status: the last one of a context holds.
type Status struct {
	Context, State, Description, URL string
	// Creator and At are GitHub's.
	Creator apply.Person
	At      time.Time
}

// Statuses lists all statuses ever set on a commit, newest first.
func (c *Client) Statuses(ctx context.Context, sha string) ([]Status, error) {
	list, err := all(func(opt gh.ListOptions) ([]*gh.RepoStatus, *gh.Response, error) {
		return c.api.Repositories.ListStatuses(ctx, c.owner, c.repo, sha, &opt)
	})
	if err != nil {
		return nil, doing(err, "reading the statuses of %s", sha)
	}
	out := make([]Status, 0, len(list))
	for _, s := range list {
		out = append(out, Status{
			Context: s.GetContext(), State: s.GetState(), Description: s.GetDescription(), URL: s.GetTargetURL(),
			Creator: person(s.Creator), At: s.GetCreatedAt().UTC(),
		})
	}
	return out, nil
}

// FirstStatus is when the context was first set by one of the creators; the
// zero time if it never was.
func FirstStatus(list []Status, context string, creators ...string) time.Time {
	var first time.Time
	for _, s := range list {
		ours := slices.ContainsFunc(creators, func(c string) bool { return c != "" && strings.EqualFold(s.Creator.Login, c) })
		if s.Context == context && ours && s.Creator.Bot && (first.IsZero() || s.At.Before(first)) {
			first = s.At
		}
	}
	return first
}

// SetStatus sets a status of a commit, and reports whether it had to: where
// the context says it already, nothing is written. A description that is too
// long is cut.
func (c *Client) SetStatus(ctx context.Context, sha string, want Status) (changed bool, err error) {
	want.Description = cut(want.Description, maxDescription)
	list, err := c.Statuses(ctx, sha)
	if err != nil {
		return false, err
	}
	for _, s := range list {
		if s.Context == want.Context {
			if s.State == want.State && s.Description == want.Description && s.URL == want.URL {
				return false, nil
			}
			break
		}
	}
	status := &gh.RepoStatus{State: &want.State, Context: &want.Context, Description: &want.Description}
	if want.URL != "" {
		status.TargetURL = &want.URL
	}
	_, _, err = c.api.Repositories.CreateStatus(ctx, c.owner, c.repo, sha, status)
	return err == nil, wrap(err, "setting the status "+want.Context+" of "+sha)
}

// cut shortens s to n characters.
func cut(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}
