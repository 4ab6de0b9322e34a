package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tomallicino/caskmcp/apply"
	"github.com/tomallicino/caskmcp/comment"
	"github.com/tomallicino/caskmcp/github"
	"github.com/tomallicino/caskmcp/plan"
	"github.com/tomallicino/caskmcp/toolpack"
)

// Contexts of commit statuses.
const (
	approvalStatus = "caskmcp/approval"
	applyStatus    = "caskmcp/apply"
)

// judgement is what a pull request, or a group of a merge queue, would change,
// and how far that is approved.
type judgement struct {
	Pulls      []*github.Pull // one, but for a merge group
	Base, Head string         // commits
	Tree       string         // their merge
	// Prefix is of the plans' files, from the repository's top.
	Prefix string
	Rules  apply.Rules
	Packs  []packJudgement
	// Refused says what no review can approve: state that does not verify, an
	// edited lockfile, a secret in a capture.
	Refused []string
	// Settings says that whose word counts changes, "" if it does not.
	// SettingsApproval is how far that is approved, nil where it takes nothing.
	Settings         string
	SettingsApproval *apply.ChangeApproval
	settings         comment.Toolpack
}

// packJudgement is the part of one toolpack.
type packJudgement struct {
	Name      string
	Work      *workspace
	Approvals *apply.Approvals
}

// Changes reports whether anything would change for agents.
func (j *judgement) changes() bool {
	return slices.ContainsFunc(j.Packs, func(p packJudgement) bool { return p.Work.Plan.HasChanges() })
}

// count is how many changes there are, and how many of them lack approval.
func (j *judgement) count() (all, missing int) {
	for _, p := range j.Packs {
		for _, c := range p.Approvals.Changes {
			all++
			if !c.Approved && !c.OnMerge {
				missing++
			}
		}
	}
	return all, missing
}

// green reports whether the status may be: everything is approved, or will be
// by the merge itself.
func (j *judgement) green() bool {
	_, missing := j.count()
	return missing == 0 && len(j.Refused) == 0 && j.settingsLack() == ""
}

// onMerge reports whether something is approved only by the merge.
func (j *judgement) onMerge() bool {
	if x := j.SettingsApproval; x != nil && x.OnMerge {
		return true
	}
	return slices.ContainsFunc(j.Packs, func(p packJudgement) bool { return p.Approvals.OnMerge })
}

// status is the judgement as a commit status.
func (j *judgement) status(url string) github.Status {
	s := github.Status{Context: approvalStatus, State: github.Success, URL: url}
	all, missing := j.count()
	switch {
	case len(j.Refused) > 0:
		s.State, s.Description = github.Failure, j.Refused[0]
	case missing > 0:
		s.State, s.Description = github.Failure, fmt.Sprintf("%d of %s %s approval", missing, count(all, "change"), map[bool]string{true: "lacks", false: "lack"}[missing == 1])
	case j.settingsLack() != "":
		s.State, s.Description = github.Failure, toolpack.RepositoryFile+" changes whose word counts: "+j.settingsLack()
	case all == 0 && j.SettingsApproval != nil && j.onMerge():
		s.Description = "an approver's merge approves the change of " + toolpack.RepositoryFile
	case all == 0:
		s.Description = "nothing changes for agents"
	case j.onMerge():
		s.Description = "an approver's merge approves " + count(all, "change")
	default:
		s.Description = count(all, "change") + " approved"
	}
	s.Description = line(s.Description)
	return s
}

// court judges pull requests of a repository.
type court struct {
	host  *github.Client // nil without a token
	trees *trees
	// only restricts judgements to one toolpack; empty for all.
	only string
	// branch is the default branch: only merges there are applied.
	branch string
}

// judge evaluates an open pull request: the merge of the base's tip and its
// head, against the state and rules of that tip.
func (c *court) judge(ctx context.Context, number int) (*judgement, error) {
	pull, err := c.host.Pull(ctx, number)
	if err != nil {
		return nil, err
	}
	tip, err := c.host.Branch(ctx, pull.BaseRef)
	if err != nil {
		return nil, err
	}
	j := &judgement{Base: tip, Head: pull.Head}
	if j.Tree, err = c.trees.repo.merge(ctx, tip, pull.Head); err != nil {
		return nil, err
	}
	return j, c.fill(ctx, j, []int{number})
}

// judgeGroup evaluates a group of a merge queue: its head, against the state
// and rules of its base, by the reviews of the pull requests in it.
func (c *court) judgeGroup(ctx context.Context, base, head string, first int) (*judgement, error) {
	for _, sha := range []string{base, head} {
		if err := c.trees.repo.ensure(ctx, sha); err != nil {
			return nil, err
		}
	}
	numbers, err := c.pullsBetween(ctx, base, head)
	if err != nil {
		return nil, err
	}
	if first > 0 && !slices.Contains(numbers, first) {
		numbers = append(numbers, first)
	}
	j := &judgement{Base: base, Head: head, Tree: head}
	return j, c.fill(ctx, j, numbers)
}

// fill plans every toolpack and counts the reviews of the pull requests.
func (c *court) fill(ctx context.Context, j *judgement, numbers []int) error {
	if err := c.trees.repo.ensure(ctx, j.Base); err != nil {
		return err
	}
	j.Prefix = c.trees.repo.prefix
	there, err := c.trees.repo.elsewhere(ctx, j.Base)
	if err != nil {
		return err
	}
	if there != "" {
		j.Refused = append(j.Refused, fmt.Sprintf("the base has no %s here, but %s: bring %s to the base first, so that its rules hold", j.Prefix+toolpack.Folder, there, j.Prefix+toolpack.RepositoryFile))
	}
	if j.Rules, err = c.trees.rules(ctx, j.Base); err != nil {
		return err
	}
	if c.host != nil {
		c.host.SetApp(j.Rules.App)
	}
	names, err := c.names(ctx, j.Tree, j.Base)
	if err != nil {
		return err
	}
	var files []caseFile
	for _, n := range numbers {
		f, err := c.file(ctx, n, j.Rules)
		if err != nil {
			return err
		}
		j.Pulls = append(j.Pulls, f.pull)
		files = append(files, f)
	}
	if err := c.settingsOf(ctx, j, files); err != nil {
		return err
	}
	var lands *landings
	if len(files) > 0 {
		if lands, err = c.landings(ctx, j.Base, j.Rules); err != nil {
			return err
		}
	}
	for _, name := range names {
		w, err := c.trees.plan(ctx, name, j.Tree, j.Base)
		if err != nil {
			return err
		}
		if w == nil {
			continue
		}
		p := packJudgement{Name: name, Work: w}
		var all []*apply.Approvals
		for _, f := range files {
			seen, err := c.seen(ctx, f, name, j.Base)
			if err != nil {
				return err
			}
			if f.pull.Brought, err = lands.brought(ctx, name, j.Base, w.Plan); err != nil {
				return err
			}
			all = append(all, apply.Evaluate(w.Plan, f.pull.Pull, f.reviews, seen, j.Rules))
		}
		if len(all) == 1 {
			p.Approvals = all[0]
		} else {
			p.Approvals = apply.Combine(w.Plan, all)
		}
		j.Packs = append(j.Packs, p)
		j.Refused = append(j.Refused, refusals(w)...)
	}
	edited, err := c.edited(ctx, j)
	if err != nil {
		return err
	}
	j.Refused = append(j.Refused, edited...)
	return c.byLockfile(ctx, j)
}

// names is trees.names, without an error for a repository that has no toolpack
// yet.
func (c *court) names(ctx context.Context, revisions ...string) ([]string, error) {
	names, err := c.trees.names(ctx, c.only, revisions...)
	if err != nil && c.only == "" {
		return nil, c.broken(ctx, revisions)
	}
	return names, err
}

// broken is the error of reading the revisions, nil if they only have no
// toolpack.
func (c *court) broken(ctx context.Context, revisions []string) error {
	for _, r := range revisions {
		if _, err := c.trees.folder(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

// refusals are what no review can approve.
func refusals(w *workspace) []string {
	var out []string
	for _, f := range w.State.Findings {
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s %s: %s", f.Kind, f.Name, f.Text)))
	}
	for _, n := range w.Plan.Notes {
		if n.Code == plan.SecretNote {
			out = append(out, n.Text)
		}
	}
	return out
}

// caseFile is what the host says about a pull request.
type caseFile struct {
	pull    *github.Pull
	reviews []apply.Review
	planned map[string]time.Time // by commit
}

// file fetches a pull request, its reviews, and when what they were given for
// was planned.
func (c *court) file(ctx context.Context, number int, rules apply.Rules) (caseFile, error) {
	f := caseFile{planned: map[string]time.Time{}}
	var err error
	if f.pull, err = c.host.Pull(ctx, number); err != nil {
		return f, err
	}
	if f.reviews, err = c.host.Reviews(ctx, number); err != nil {
		return f, err
	}
	if err := people(ctx, c.host, rules, &f); err != nil {
		return f, err
	}
	commits := []string{f.pull.Head}
	for _, r := range f.reviews {
		if r.Commit != "" && !slices.Contains(commits, r.Commit) {
			commits = append(commits, r.Commit)
		}
	}
	for _, sha := range commits {
		if f.planned[sha], err = plannedAt(ctx, c.host, sha, rules); err != nil {
			return f, err
		}
	}
	return f, nil
}

// seen recomputes what the plans of each reviewed commit showed, on a base that
// is now at tip. What cannot be planned showed nothing.
func (c *court) seen(ctx context.Context, f caseFile, name, tip string) (map[string]apply.Seen, error) {
	seen := map[string]apply.Seen{}
	for sha, at := range f.planned {
		one, err := c.seenOf(ctx, name, tip, sha, at)
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err != nil {
			one = apply.Seen{PlannedAt: at}
		}
		seen[sha] = one
	}
	return seen, nil
}

// shown is the plan of the merge of a commit with base.
func (c *court) shown(ctx context.Context, name, base, sha string) (*plan.Plan, error) {
	tree, err := c.trees.repo.merge(ctx, base, sha)
	if err != nil {
		return nil, err
	}
	w, err := c.trees.plan(ctx, name, tree, base)
	if err != nil || w == nil {
		return nil, err
	}
	return w.Plan, nil
}
