package github

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	gh "github.com/google/go-github/v66/github"

	"github.com/tomallicino/caskmcp/apply"
	"github.com/tomallicino/caskmcp/surface"
)

// Pull is a pull request as GitHub has it. FirstParent is not known there:
// git tells it.
type Pull struct {
	apply.Pull
	// Open is false once it is merged or closed.
	Open bool
	// BaseRef and HeadRef are the names of the branches.
	BaseRef, HeadRef string
	Title, URL       string
}

// Pull reads a pull request with everyone who has commits in it or pushed them. Permissions
// and teams are filled in by Qualify.
func (c *Client) Pull(ctx context.Context, number int) (*Pull, error) {
	pr, _, err := c.api.PullRequests.Get(ctx, c.owner, c.repo, number)
	if err != nil {
		return nil, doing(err, "reading pull request %d", number)
	}
	p := &Pull{
		Open: pr.GetState() == "open", BaseRef: pr.GetBase().GetRef(), HeadRef: pr.GetHead().GetRef(), Title: pr.GetTitle(), URL: pr.GetHTMLURL(),
		Pull: apply.Pull{Number: pr.GetNumber(), Author: person(pr.User), Head: pr.GetHead().GetSHA(), Base: pr.GetBase().GetSHA(), Fork: fork(pr)},
	}
	if pr.MergedAt != nil {
		by := person(pr.MergedBy)
		p.Merge, p.MergedAt, p.MergedBy = pr.GetMergeCommitSHA(), pr.GetMergedAt().UTC(), &by
	}
	commits, err := all(func(opt gh.ListOptions) ([]*gh.RepositoryCommit, *gh.Response, error) {
		return c.api.PullRequests.ListCommits(ctx, c.owner, c.repo, number, &opt)
	})
	if err != nil {
		return nil, doing(err, "reading the commits of pull request %d", number)
	}
	if len(commits) < pr.GetCommits() {
		return nil, fmt.Errorf("reading the commits of pull request %d: GitHub lists %d of %d, so nobody can tell who has commits in it: split the pull request", number, len(commits), pr.GetCommits())
	}
	p.Contributors = contributors(commits)
	if p.Pushers, err = c.pushers(ctx, pr, commits); err != nil {
		return nil, doing(err, "reading who pushed to pull request %d", number)
	}
	return p, nil
}

// fork reports whether the head is in another repository, or in one that is
// gone.
func fork(pr *gh.PullRequest) bool {
	return pr.GetHead().Repo == nil || pr.Head.Repo.GetID() != pr.GetBase().GetRepo().GetID()
}

func person(u *gh.User) apply.Person {
	return apply.Person{Login: u.GetLogin(), ID: u.GetID(), Bot: u.GetType() != "User"}
}

// contributors are the authors and committers that have an account, each once.
func contributors(commits []*gh.RepositoryCommit) []apply.Person {
	people := []apply.Person{}
	for _, commit := range commits {
		for _, u := range []*gh.User{commit.Author, commit.Committer} {
			p := person(u)
			if p.Login != "" && !slices.ContainsFunc(people, func(x apply.Person) bool { return x.ID == p.ID }) {
				people = append(people, p)
			}
		}
	}
	return people
}

// Reviews lists the reviews of a pull request, oldest first. Permissions and
// teams are filled in by Qualify.
func (c *Client) Reviews(ctx context.Context, number int) ([]apply.Review, error) {
	list, err := all(func(opt gh.ListOptions) ([]*gh.PullRequestReview, *gh.Response, error) {
		return c.api.PullRequests.ListReviews(ctx, c.owner, c.repo, number, &opt)
	})
	if err != nil {
		return nil, doing(err, "reading the reviews of pull request %d", number)
	}
	reviews := make([]apply.Review, 0, len(list))
	for _, r := range list {
		reviews = append(reviews, apply.Review{
			ID: r.GetID(), User: person(r.User), State: r.GetState(), Commit: r.GetCommitID(), At: r.GetSubmittedAt().UTC(),
		})
	}
	return reviews, nil
}

// PullsOfCommit lists the numbers of the pull requests by which the commit
// came into the branch, in ascending order. There is none for a commit that
// was pushed directly.
func (c *Client) PullsOfCommit(ctx context.Context, sha, branch string) ([]int, error) {
	list, err := all(func(opt gh.ListOptions) ([]*gh.PullRequest, *gh.Response, error) {
		return c.api.PullRequests.ListPullRequestsWithCommit(ctx, c.owner, c.repo, sha, &opt)
	})
	if err != nil {
		return nil, doing(err, "reading the pull requests of commit %s", sha)
	}
	numbers := []int{}
	for _, pr := range list {
		if pr.MergedAt != nil && pr.GetBase().GetRef() == branch {
			numbers = append(numbers, pr.GetNumber())
		}
	}
	slices.Sort(numbers)
	return slices.Compact(numbers), nil
}

// Permission is what login may do here: admin, write, read or none (GitHub
// reports maintain as write and triage as read).
func (c *Client) Permission(ctx context.Context, login string) (string, error) {
	level, _, err := c.api.Repositories.GetPermissionLevel(ctx, c.owner, c.repo, login)
	if status(err) == 404 {
		return "none", nil
	}
	if err != nil {
		return "", doing(err, "reading the permission of %s", login)
	}
	return level.GetPermission(), nil
}

// Teams returns those of the teams ("org/team") that login is an active
// member of, and those whose members the token may not read: a job's own token
// may not, an app's with the organization permission Members (read) may. Teams
// that do not exist, or that the token may not see, have no members.
func (c *Client) Teams(ctx context.Context, login string, teams []string) (member, unread []string, err error) {
	member = []string{}
	for _, team := range teams {
		org, slug, ok := strings.Cut(team, "/")
		if !ok {
			continue
		}
		m, _, err := c.api.Teams.GetTeamMembershipBySlug(ctx, org, slug, login)
		switch {
		case status(err) == http.StatusForbidden:
			unread = append(unread, team)
		case status(err) == http.StatusNotFound:
		case err != nil:
			return nil, nil, doing(err, "reading whether %s is in %s", login, team)
		case m.GetState() == "active":
			member = append(member, team)
		}
	}
	return member, unread, nil
}

// Qualify fills in the permission and teams of everyone who reviewed or merged
// a pull request, as far as the rules ask for them. Each person is asked for
// once.
func (c *Client) Qualify(ctx context.Context, rules apply.Rules, pull *apply.Pull, reviews []apply.Review) error {
	teams := teamsOf(rules)
	known := map[string]apply.Person{}
	fill := func(p *apply.Person) error {
		if p.Bot || p.Login == "" {
			return nil
		}
		k, ok := known[p.Login]
		if !ok {
			var err error
			if k.Permission, err = c.Permission(ctx, p.Login); err != nil {
				return err
			}
			if k.Teams, k.Unread, err = c.Teams(ctx, p.Login, teams); err != nil {
				return err
			}
			known[p.Login] = k
		}
		p.Permission, p.Teams, p.Unread = k.Permission, k.Teams, k.Unread
		return nil
	}
	for i := range reviews {
		if err := fill(&reviews[i].User); err != nil {
			return err
		}
	}
	if pull.MergedBy != nil {
		return fill(pull.MergedBy)
	}
	return nil
}

// teamsOf are the teams that the rules name, sorted, each once.
func teamsOf(rules apply.Rules) []string {
	teams := []string{}
	for _, tier := range surface.Risks {
		for _, a := range rules.Approvers[tier] {
			if name := strings.TrimPrefix(a, "@"); strings.Contains(name, "/") {
				teams = append(teams, name)
			}
		}
	}
	slices.Sort(teams)
	return slices.Compact(teams)
}
