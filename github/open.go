package github

import (
	"context"
	"slices"

	gh "github.com/google/go-github/v66/github"
)

// OpenPullsOfCommit lists the numbers of the open pull requests that have the
// commit, in ascending order. GitHub lists none for a commit that only a fork
// has.
func (c *Client) OpenPullsOfCommit(ctx context.Context, sha string) ([]int, error) {
	list, err := all(func(opt gh.ListOptions) ([]*gh.PullRequest, *gh.Response, error) {
		return c.api.PullRequests.ListPullRequestsWithCommit(ctx, c.owner, c.repo, sha, &opt)
	})
	if err != nil {
		return nil, doing(err, "reading the open pull requests of commit %s", sha)
	}
	numbers := []int{}
	for _, pr := range list {
		if pr.GetState() == "open" {
			numbers = append(numbers, pr.GetNumber())
		}
	}
	slices.Sort(numbers)
	return slices.Compact(numbers), nil
}

// OpenPullsFrom lists the numbers of the open pull requests from a branch of
// this repository or of its owner's fork, in ascending order.
func (c *Client) OpenPullsFrom(ctx context.Context, owner, branch string) ([]int, error) {
	list, err := all(func(opt gh.ListOptions) ([]*gh.PullRequest, *gh.Response, error) {
		return c.api.PullRequests.List(ctx, c.owner, c.repo, &gh.PullRequestListOptions{State: "open", Head: owner + ":" + branch, ListOptions: opt})
	})
	if err != nil {
		return nil, doing(err, "reading the open pull requests from %s:%s", owner, branch)
	}
	numbers := []int{}
	for _, pr := range list {
		numbers = append(numbers, pr.GetNumber())
	}
	slices.Sort(numbers)
	return numbers, nil
}
