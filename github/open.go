package github

import (
	"context"
	"slices"

	gh "github.com/google/go-github/v66/github"
)

// OpenPullsOfCommit lists the numbers of the open pull requests that have the
// commit, in ascending order: those of a merge group's commits, or those whose
// head a finished run was for.
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
