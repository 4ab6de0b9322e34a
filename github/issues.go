package github

import (
	"context"
	"fmt"
	"net/http"
	"time"

	gh "github.com/google/go-github/v66/github"
)

// PullRequest is the one open pull request to keep for a branch.
type PullRequest struct {
	Branch, Base string
	Title, Body  string
}

// OpenOrUpdatePull opens a pull request from Branch to Base, or makes the open
// one say Title and Body.
func (c *Client) OpenOrUpdatePull(ctx context.Context, want PullRequest) (Written, error) {
	what := fmt.Sprintf("opening a pull request from %s to %s", want.Branch, want.Base)
	var err error
	for range creations {
		var w Written
		if w, err = c.upsertPull(ctx, want); err == nil || status(err) < http.StatusInternalServerError {
			return w, wrap(err, what)
		}
		if err := c.sleep(ctx, time.Second); err != nil {
			return Written{}, fmt.Errorf("%s: %w", what, err)
		}
	}
	return Written{}, doing(err, "%s", what)
}

func (c *Client) upsertPull(ctx context.Context, want PullRequest) (Written, error) {
	list, err := all(func(opt gh.ListOptions) ([]*gh.PullRequest, *gh.Response, error) {
		return c.api.PullRequests.List(ctx, c.owner, c.repo, &gh.PullRequestListOptions{
			State: "open", Head: c.owner + ":" + want.Branch, Base: want.Base, ListOptions: opt,
		})
	})
	if err != nil {
		return Written{}, err
	}
	for _, pr := range list {
		if pr.GetHead().GetRef() != want.Branch || fork(pr) {
			continue // GitHub ignores a head that it does not know
		}
		if pr.GetTitle() == want.Title && pr.GetBody() == want.Body {
			return writtenPull(Unchanged, pr), nil
		}
		pr, _, err := c.api.PullRequests.Edit(ctx, c.owner, c.repo, pr.GetNumber(), &gh.PullRequest{Title: &want.Title, Body: &want.Body})
		if err != nil {
			return Written{}, err
		}
		return writtenPull(Updated, pr), nil
	}
	pr, _, err := c.api.PullRequests.Create(ctx, c.owner, c.repo, &gh.NewPullRequest{
		Title: &want.Title, Body: &want.Body, Head: &want.Branch, Base: &want.Base,
	})
	if err != nil {
		return Written{}, err
	}
	return writtenPull(Created, pr), nil
}

func writtenPull(action string, pr *gh.PullRequest) Written {
	return Written{Action: action, Number: pr.GetNumber(), URL: pr.GetHTMLURL(), Author: pr.GetUser().GetLogin()}
}

// Issue is the one open issue to keep.
type Issue struct {
	Sticky
	Title string
	// Body begins with Marker.
	Body string
}

// OpenOrUpdateIssue opens the issue, or makes the oldest open one of ours say
// Title and Body.
func (c *Client) OpenOrUpdateIssue(ctx context.Context, want Issue) (Written, error) {
	const what = "opening an issue"
	want.Sticky = c.named(want.Sticky)
	if err := checkBody(want.Marker, want.Body); err != nil {
		return Written{}, fmt.Errorf("%s: %w", what, err)
	}
	var err error
	for range creations {
		var w Written
		if w, err = c.upsertIssue(ctx, want); err == nil || status(err) < http.StatusInternalServerError {
			return w, wrap(err, what)
		}
		if err := c.sleep(ctx, time.Second); err != nil {
			return Written{}, fmt.Errorf("%s: %w", what, err)
		}
	}
	return Written{}, doing(err, "%s", what)
}

func (c *Client) upsertIssue(ctx context.Context, want Issue) (Written, error) {
	ours, err := c.issues(ctx, want.Sticky)
	if err != nil {
		return Written{}, err
	}
	req := &gh.IssueRequest{Title: &want.Title, Body: &want.Body}
	if len(ours) == 0 {
		x, _, err := c.api.Issues.Create(ctx, c.owner, c.repo, req)
		if err != nil {
			return Written{}, err
		}
		return writtenIssue(Created, x), nil
	}
	first := ours[0]
	if first.GetTitle() == want.Title && first.GetBody() == want.Body {
		return writtenIssue(Unchanged, first), nil
	}
	x, _, err := c.api.Issues.Edit(ctx, c.owner, c.repo, first.GetNumber(), req)
	if err != nil {
		return Written{}, err
	}
	return writtenIssue(Updated, x), nil
}

// CloseIssue closes every open issue of ours. Body, if it is not empty,
// becomes their text, so that they say why.
func (c *Client) CloseIssue(ctx context.Context, s Sticky, body string) (Written, error) {
	ours, err := c.issues(ctx, c.named(s))
	if err != nil {
		return Written{}, doing(err, "closing an issue")
	}
	w := Written{Action: Absent}
	for _, x := range ours {
		req := &gh.IssueRequest{State: gh.String("closed")}
		if body != "" {
			req.Body = &body
		}
		closed, _, err := c.api.Issues.Edit(ctx, c.owner, c.repo, x.GetNumber(), req)
		if err != nil {
			return w, doing(err, "closing issue %d", x.GetNumber())
		}
		w = writtenIssue(Updated, closed)
	}
	return w, nil
}

func writtenIssue(action string, x *gh.Issue) Written {
	return Written{Action: action, Number: x.GetNumber(), URL: x.GetHTMLURL(), Author: x.GetUser().GetLogin()}
}

// issues are the open ones of ours, oldest first.
func (c *Client) issues(ctx context.Context, s Sticky) ([]*gh.Issue, error) {
	list, err := all(func(opt gh.ListOptions) ([]*gh.Issue, *gh.Response, error) {
		return c.api.Issues.ListByRepo(ctx, c.owner, c.repo, &gh.IssueListByRepoOptions{
			State: "open", Sort: "created", Direction: "asc", ListOptions: opt,
		})
	})
	if err != nil {
		return nil, err
	}
	var ours []*gh.Issue
	for _, x := range list {
		if !x.IsPullRequest() && s.is(x.GetUser(), x.GetBody()) {
			ours = append(ours, x)
		}
	}
	return ours, nil
}
