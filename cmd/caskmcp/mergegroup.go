package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/tomallicino/caskmcp/github"
)

// maxGroup bounds the commits of a merge group.
const maxGroup = 100

// namedPull matches what GitHub writes into the subject of a merge or squash.
var namedPull = regexp.MustCompile(`^Merge pull request #([1-9][0-9]{0,8}) |\(#([1-9][0-9]{0,8})\)$`)

// pullsBetween are the open pull requests of the commits that head adds to
// base. Where a commit of the group is new to GitHub, the branch that it merges
// or its subject names one: that is only a candidate, for its reviews count for
// exactly the definitions that their plan showed, whoever names it.
func (c *court) pullsBetween(ctx context.Context, base, head string) ([]int, error) {
	out, err := c.trees.repo.git(ctx, "log", "--first-parent", "--max-count="+strconv.Itoa(maxGroup), "--format=%H %P%x09%s", head, "^"+base)
	if err != nil {
		return nil, fmt.Errorf("reading the merge group: %w", err)
	}
	var candidates []int
	for entry := range strings.Lines(string(out)) {
		ids, subject, _ := strings.Cut(strings.TrimRight(entry, "\n"), "\t")
		commits := strings.Fields(ids)
		if len(commits) > 1 {
			commits = slices.Delete(commits, 1, 2) // the first parent is the group's own
		}
		for _, sha := range commits {
			found, err := c.host.OpenPullsOfCommit(ctx, sha)
			if err != nil {
				return nil, err
			}
			candidates = append(candidates, found...)
		}
		if m := namedPull.FindStringSubmatch(subject); m != nil {
			if n, err := strconv.Atoi(m[1] + m[2]); err == nil {
				candidates = append(candidates, n)
			}
		}
	}
	slices.Sort(candidates)
	return c.openPulls(ctx, slices.Compact(candidates))
}

// openPulls keeps the open pull requests to the default branch.
func (c *court) openPulls(ctx context.Context, numbers []int) ([]int, error) {
	var open []int
	for _, n := range numbers {
		p, err := c.host.Pull(ctx, n)
		if errors.Is(err, github.ErrNotFound) {
			continue // a subject can name anything
		}
		if err != nil {
			return nil, err
		}
		if p.Open && p.BaseRef == c.branch {
			open = append(open, n)
		}
	}
	return open, nil
}
