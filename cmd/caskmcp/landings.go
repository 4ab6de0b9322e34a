package main

import (
	"context"
	"fmt"
	"maps"
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

// landings are those of a commit of the default branch, none of them read yet.
func (c *court) landings(ctx context.Context, head string, rules apply.Rules) (*landings, error) {
	history, err := c.history(ctx, head)
	if err != nil {
		return nil, err
	}
	return &landings{court: c, head: head, history: history, app: rules.App, found: map[int]*landed{}, verdicts: map[string]verdict{}}, nil
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
	if err := l.findAll(ctx); err != nil {
		return nil, err
	}
	return l.landings(ctx, name, p)
}

// findAll finds every landing once.
func (l *landings) findAll(ctx context.Context) error {
	if l.done {
		return nil
	}
	if err := l.find(ctx, ""); err != nil {
		return err
	}
	l.done = true
	return nil
}

// landings are those found so far, by number.
func (l *landings) landings(ctx context.Context, name string, p *plan.Plan) ([]apply.Landing, error) {
	var out []apply.Landing
	for _, n := range slices.Sorted(maps.Keys(l.found)) {
		f := l.found[n]
		x, err := l.landing(ctx, f, name, p)
		if err != nil {
			return nil, err
		}
		if x != nil {
			out = append(out, *x)
		}
	}
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
	if pull.Brought, err = l.brought(ctx, name, pull.FirstParent, w.Plan); err != nil {
		return nil, err
	}
	return &apply.Landing{Pull: pull, Reviews: f.reviews, Seen: seen, Rules: f.rules, Plan: w.Plan}, nil
}

// brought says, by digest, who brought the changes of a plan that the base asks
// for already: the authors of the pull requests that landed there with them. A
// landing or base that cannot be planned may have brought anything.
func (l *landings) brought(ctx context.Context, name, base string, p *plan.Plan) (map[string][]apply.Person, error) {
	pending, err := l.court.trees.plan(ctx, name, base, base)
	if ctx.Err() != nil || err == nil && pending == nil {
		return nil, ctx.Err() // the base has no such toolpack
	}
	digests := digestsOf(p)
	if err == nil {
		there := digestsOf(pending.Plan)
		maps.DeleteFunc(digests, func(d string, _ bool) bool { return !there[d] })
	}
	if len(digests) == 0 {
		return nil, nil
	}
	if err := l.findAll(ctx); err != nil {
		return nil, err
	}
	by, at := map[string][]apply.Person{}, slices.Index(l.history, base)
	for _, n := range slices.Sorted(maps.Keys(l.found)) {
		pull := l.found[n].pull.Pull
		if slices.Index(l.history, pull.Merge) > at {
			continue
		}
		proposed := digests
		if w := l.court.trees.attempt(ctx, name, pull.Merge, pull.FirstParent); w != nil {
			proposed = digestsOf(w.Plan)
		}
		for d := range digests {
			if proposed[d] {
				by[d] = slices.Concat(by[d], []apply.Person{pull.Author}, pull.Contributors, pull.Pushers)
			}
		}
	}
	return by, ctx.Err()
}

func digestsOf(p *plan.Plan) map[string]bool {
	digests := map[string]bool{}
	for _, c := range decidable(p) {
		digests[apply.DigestOf(c)] = true
	}
	return digests
}

// proposes reports whether a has a change of b: what it takes for a merge to
// have a say in it.
func proposes(a, b *plan.Plan) bool {
	digests := digestsOf(b)
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
