package main

import (
	"context"
	"fmt"
	"path"
	"slices"

	"github.com/tomallicino/caskmcp/apply"
	"github.com/tomallicino/caskmcp/github"
	"github.com/tomallicino/caskmcp/plan"
	"github.com/tomallicino/caskmcp/toolpack"
)

// landings finds the merged pull requests behind the commits of the default
// branch, and fetches each once.
type landings struct {
	court   *court
	head    string
	history []string // along first parents, oldest first
	found   map[int]*landed
	done    bool

	app      string // that the rules at head name
	verdicts map[string]verdict
}

// verdict is what an earlier run said of a commit.
type verdict struct{ good, own bool }

// judged is the newest commit before the head that an earlier run judged good,
// "" for none, among those that accept takes.
func (l *landings) judged(ctx context.Context, accept func(sha string, v verdict) (bool, error)) (string, error) {
	commits, err := l.court.trees.repo.landed(ctx, l.head, maxPulls)
	if err != nil {
		return "", err
	}
	for _, sha := range commits {
		if sha == l.head {
			continue
		}
		v, known := l.verdicts[sha]
		if !known {
			if v.good, v.own, err = judgedGood(ctx, l.court.host, sha, l.app); err != nil {
				return "", err
			}
			l.verdicts[sha] = v
		}
		if !v.good {
			continue
		}
		if ok, err := accept(sha, v); ok || err != nil {
			return sha, err
		}
	}
	return "", nil
}

// since is the newest commit before the head that an earlier run judged good.
// It only saves work: whatever it leaves unexplained is looked for everywhere.
func (l *landings) since(ctx context.Context) (string, error) {
	return l.judged(ctx, func(string, verdict) (bool, error) { return true, nil })
}

// trusted is the newest commit before the head whose lockfile of a toolpack
// counts without being computed again. What another app said of a commit could
// be anybody's word, so it counts only where the lockfile came to the branch by
// a commit of its own, as apply makes them, and by no pull request.
func (l *landings) trusted(ctx context.Context, name string) (string, error) {
	return l.judged(ctx, func(sha string, v verdict) (bool, error) {
		if v.own {
			return true, nil
		}
		changed, err := l.court.trees.repo.lastChange(ctx, sha, path.Join(toolpack.Folder, "toolpacks", name, "lockfile"))
		if err != nil || changed == "" {
			return err == nil, err
		}
		numbers, err := l.court.host.PullsOfCommit(ctx, changed, l.court.branch)
		return len(numbers) == 0, err
	})
}

// settle decides a plan by the pull requests that landed since an earlier run
// judged the branch, and by all of them only where those leave something over.
func (l *landings) settle(ctx context.Context, name string, w *workspace) (*apply.Settlement, error) {
	since, err := l.since(ctx)
	if err != nil {
		return nil, err
	}
	if since != "" && !l.done {
		if err := l.find(ctx, since); err != nil {
			return nil, err
		}
		recent, err := l.landings(ctx, name, w.Plan)
		if err != nil {
			return nil, err
		}
		if s := apply.Settle(w.Plan, w.State, l.history, recent); len(s.LeftOver) == 0 {
			return s, nil
		}
	}
	all, err := l.about(ctx, name, w.Plan)
	if err != nil {
		return nil, err
	}
	return apply.Settle(w.Plan, w.State, l.history, all), nil
}

// about are the landings as they concern one toolpack: those that proposed
// something of the plan, all without one.
func (l *landings) about(ctx context.Context, name string, p *plan.Plan) ([]apply.Landing, error) {
	if !l.done {
		if err := l.find(ctx, ""); err != nil {
			return nil, err
		}
		l.done = true
	}
	return l.landings(ctx, name, p)
}

// landings are those found so far, by number.
func (l *landings) landings(ctx context.Context, name string, p *plan.Plan) ([]apply.Landing, error) {
	var out []apply.Landing
	for _, f := range l.found {
		x, err := l.landing(ctx, f, name, p)
		if err != nil {
			return nil, err
		}
		if x != nil {
			out = append(out, *x)
		}
	}
	slices.SortFunc(out, func(a, b apply.Landing) int { return a.Pull.Number - b.Pull.Number })
	return out, nil
}

// landing is what one pull request proposed for a toolpack and what its
// reviewers could see; nil if it proposed nothing that can be planned.
func (l *landings) landing(ctx context.Context, f *landed, name string, about *plan.Plan) (*apply.Landing, error) {
	pull := f.pull.Pull
	w := l.court.trees.attempt(ctx, name, pull.Merge, pull.FirstParent)
	if w == nil {
		return nil, ctx.Err() // it merged something that could not be planned: it approves nothing
	}
	if about != nil && !proposes(w.Plan, about) {
		return nil, nil
	}
	seen, err := l.court.seen(ctx, f.caseFile, name, pull.FirstParent)
	if err != nil {
		return nil, err
	}
	return &apply.Landing{Pull: pull, Reviews: f.reviews, Seen: seen, Rules: f.rules, Plan: w.Plan}, nil
}

// proposes reports whether a has a change of b: what it takes for a merge to
// have a say in it.
func proposes(a, b *plan.Plan) bool {
	digests := map[string]bool{}
	for _, c := range b.Changes {
		digests[apply.DigestOf(c)] = true
	}
	return slices.ContainsFunc(a.Changes, func(c plan.Change) bool { return digests[apply.DigestOf(c)] })
}

// find maps commits to pull requests, newest first: those that change what
// plans are made of and came after since ("" for all).
func (l *landings) find(ctx context.Context, since string) error {
	commits, err := l.court.trees.repo.landed(ctx, l.head, maxPulls)
	if err != nil {
		return err
	}
	if i := slices.Index(commits, since); i >= 0 {
		commits = commits[:i]
	}
	for _, sha := range commits {
		numbers, err := l.court.host.PullsOfCommit(ctx, sha, l.court.branch)
		if err != nil {
			return err
		}
		for _, n := range numbers {
			if _, known := l.found[n]; known {
				continue
			}
			f, err := l.fetch(ctx, n)
			if err != nil {
				return fmt.Errorf("reading pull request %d: %w", n, err)
			}
			if f != nil {
				l.found[n] = f
			}
		}
	}
	return nil
}

// fetch reads a pull request if it was merged into this branch, nil otherwise.
func (l *landings) fetch(ctx context.Context, number int) (*landed, error) {
	pull, err := l.court.host.Pull(ctx, number)
	if err != nil {
		return nil, err
	}
	if pull.MergedBy == nil || pull.BaseRef != l.court.branch || !slices.Contains(l.history, pull.Merge) {
		return nil, nil
	}
	first, err := l.firstParent(ctx, pull)
	if err != nil || first == "" {
		return nil, err
	}
	rules, err := l.court.trees.rules(ctx, first)
	if err != nil {
		return nil, err
	}
	f, err := l.court.file(ctx, number, rules)
	if err != nil {
		return nil, err
	}
	f.pull.FirstParent = first
	return &landed{caseFile: f, rules: rules}, nil
}

// firstParent is the commit that the pull request's first landed commit stands
// on. A rebase lands as many commits as the branch had, one upon another; a
// merge or squash lands one.
func (l *landings) firstParent(ctx context.Context, pull *github.Pull) (string, error) {
	first := slices.Index(l.history, pull.Merge)
	parents, err := l.court.trees.repo.parents(ctx, pull.Merge)
	if err != nil {
		return "", err
	}
	for len(parents) == 1 && first > 0 {
		numbers, err := l.court.host.PullsOfCommit(ctx, l.history[first-1], l.court.branch)
		if err != nil {
			return "", err
		}
		if !slices.Contains(numbers, pull.Number) {
			break
		}
		first--
	}
	if first == 0 {
		return "", nil // it is the root, or further back than we look
	}
	return l.history[first-1], nil
}
