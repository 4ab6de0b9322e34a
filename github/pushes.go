package github

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	gh "github.com/google/go-github/v66/github"

	"github.com/tomallicino/caskmcp/apply"
)

// activity is one entry of
// https://docs.github.com/rest/repos/repos#list-repository-activities.
type activity struct {
	After string   `json:"after"`
	Type  string   `json:"activity_type"`
	Actor *gh.User `json:"actor"`
}

// pushers are the people who pushed one of the commits of a pull request to its
// branch. A commit says what its author likes; who pushed it, GitHub knows. Where
// it does not tell, as of a fork that is private or of an old server, there are
// none.
func (c *Client) pushers(ctx context.Context, pr *gh.PullRequest, commits []*gh.RepositoryCommit) ([]apply.Person, error) {
	repo := pr.GetHead().GetRepo()
	if repo == nil {
		return nil, nil
	}
	query := url.Values{"ref": {"refs/heads/" + pr.GetHead().GetRef()}, "per_page": {strconv.Itoa(perPage)}}
	people := []apply.Person{}
	for range maxPages {
		path := fmt.Sprintf("repos/%s/%s/activity?%s", url.PathEscape(repo.GetOwner().GetLogin()), url.PathEscape(repo.GetName()), query.Encode())
		req, err := c.api.NewRequest(http.MethodGet, path, nil)
		if err != nil {
			return nil, err
		}
		var list []activity
		resp, err := c.api.Do(ctx, req, &list)
		if s := status(err); s == http.StatusForbidden || s == http.StatusNotFound {
			return people, nil
		}
		if err != nil {
			return nil, err
		}
		for _, a := range list {
			pushed := slices.Contains([]string{"push", "force_push", "branch_creation"}, a.Type) &&
				slices.ContainsFunc(commits, func(x *gh.RepositoryCommit) bool { return x.GetSHA() == a.After })
			if p := person(a.Actor); pushed && p.Login != "" && !slices.ContainsFunc(people, func(x apply.Person) bool { return x.ID == p.ID }) {
				people = append(people, p)
			}
		}
		if resp.After == "" {
			return people, nil
		}
		query.Set("after", resp.After)
	}
	return nil, fmt.Errorf("its branch has more than %d pushes, so nobody can tell who pushed to it: use a fresh one", maxPages*perPage)
}
