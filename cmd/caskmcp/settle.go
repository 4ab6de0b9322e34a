package main

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tomallicino/caskmcp/apply"
	"github.com/tomallicino/caskmcp/github"
	"github.com/tomallicino/caskmcp/lockfile"
	"github.com/tomallicino/caskmcp/plan"
	"github.com/tomallicino/caskmcp/toolpack"
)

// Bounds of the history that apply reads back through.
const (
	maxHistory = 2000 // commits along first parents
	maxPulls   = 100  // pull requests that are judged again
)

// leftOverFile lists what a merge left unapproved, in the pull request that
// asks for it.
const leftOverFile = toolpack.Folder + "/left-over.md"

// settlement is what the reviews of merged pull requests make of a commit of
// the default branch.
type settlement struct {
	head string
	// files are what differs from the commit, sorted by path from the
	// repository's top.
	files []github.File
	packs []packSettlement
}

type packSettlement struct {
	name     string
	plan     *plan.Plan // before applying
	applied  []apply.Outcome
	approved []apply.Decision
	left     []apply.LeftOver
	dropped  []apply.Difference
	findings []lockfile.Finding // that are left
	// rest is the plan of what is left over, nil for nothing.
	rest *plan.Plan
}

// complete reports whether nothing is left to do for anybody.
func (s *settlement) complete() bool {
	return !slices.ContainsFunc(s.packs, func(p packSettlement) bool { return len(p.left) > 0 || len(p.findings) > 0 })
}

// approvals are the decisions as a comment shows them.
func (p *packSettlement) approvals() *apply.Approvals {
	out := &apply.Approvals{Changes: []apply.ChangeApproval{}, Approved: true, Ignored: []apply.Ignored{}}
	for _, c := range decidable(p.plan) {
		x := apply.ChangeApproval{ChangeKey: apply.KeyOf(c), Digest: apply.DigestOf(c), Required: c.RequiredApprovals, Tier: apply.Tier(c)}
		for _, d := range p.approved {
			if d.Kind != x.Kind || d.Name != x.Name || d.Digest != x.Digest {
				continue
			}
			x.Approved = true
			at, err := time.Parse(time.RFC3339, d.Approval.At)
			if err == nil && (d.Approval.Review != 0 || d.Approval.Via == lockfile.ViaSelf) {
				x.By = append(x.By, apply.Approver{
					Person: apply.Person{Login: d.Approval.By.Login, ID: d.Approval.By.ID}, Via: d.Approval.Via,
					Review: d.Approval.Review, Commit: d.Approval.Head, Plan: d.Approval.Plan, At: at,
				})
			}
		}
		if x.Approved {
			x.Required = len(x.By) // it took what it took
		}
		out.Changes = append(out.Changes, x)
		out.Approved = out.Approved && x.Approved
	}
	return out
}

// landed is a pull request where it landed on the branch.
type landed struct {
	caseFile
	rules apply.Rules
}

// settle recomputes the state at a commit of the default branch from the
// reviews of the pull requests that landed there. It trusts nothing that was
// written before the merge: not the lockfile, nor comments, labels or
// artifacts.
func (c *court) settle(ctx context.Context, head string) (*settlement, error) {
	if err := c.trees.repo.ensure(ctx, head); err != nil {
		return nil, err
	}
	rules, err := c.trees.rules(ctx, head)
	if err != nil {
		return nil, err
	}
	c.host.SetApp(rules.App)
	lands, err := c.landings(ctx, head, rules)
	if err != nil {
		return nil, err
	}
	names, err := c.names(ctx, head)
	if err != nil {
		return nil, err
	}
	dir, err := c.trees.copy(ctx, head)
	if err != nil {
		return nil, err
	}
	s := &settlement{head: head}
	now, err := c.committed(ctx, head)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		p, err := c.settlePack(ctx, lands, dir, name, rules, now)
		if err != nil {
			return nil, fmt.Errorf("settling %s: %w", name, err)
		}
		if p != nil {
			s.packs = append(s.packs, *p)
		}
	}
	s.files, err = c.difference(ctx, head, dir)
	return s, err
}

// settlePack settles one toolpack in dir, a copy of the commit.
func (c *court) settlePack(ctx context.Context, lands *landings, dir, name string, rules apply.Rules, now time.Time) (*packSettlement, error) {
	lockDir := filepath.Join(toolpack.DirOf(dir, name), "lockfile")
	found, err := lockfile.Open(os.DirFS(lockDir))
	if err != nil {
		return nil, stateError(path.Join(toolpack.Folder, "toolpacks", name, "lockfile"), err)
	}
	out := &packSettlement{name: name}
	if acceptsOnlyReviews(rules) && found.Exists {
		r, err := c.reproduce(ctx, lands, name, found, rules)
		if err != nil {
			return nil, err
		}
		out.dropped = r.Differences
		if _, err := apply.Restore(ctx, lockDir, r); err != nil {
			return nil, err
		}
	}
	w, err := c.trees.env.planFolders(name, dir, dir, rules.Accept)
	if err != nil || w == nil {
		return nil, err
	}
	out.plan, out.findings = w.Plan, w.State.Findings
	if len(decidable(w.Plan)) == 0 {
		return out, nil
	}
	s, err := lands.settle(ctx, name, w)
	if err != nil {
		return nil, err
	}
	out.left, out.approved = s.LeftOver, s.Decisions
	if len(s.Decisions) == 0 {
		out.rest = w.Plan
		return out, nil
	}
	r, err := apply.Apply(ctx, apply.Params{Dir: lockDir, Plan: w.Plan, Desired: w.Result.Surface, Decisions: s.Decisions, Now: now})
	if err != nil {
		return nil, err
	}
	out.applied, out.findings = r.Applied, r.State.Findings
	if err := out.remaining(r); err != nil {
		return nil, err
	}
	if len(out.left) > 0 {
		again, err := c.trees.env.planFolders(name, dir, dir, rules.Accept)
		if err != nil {
			return nil, err
		}
		out.rest = again.Plan
	}
	return out, nil
}

// remaining adds what was approved but could not be applied to what is left.
func (p *packSettlement) remaining(r *apply.Result) error {
	for _, o := range r.LeftOut {
		k := apply.ChangeKey{Kind: o.Kind, Name: o.Name, Action: o.Action}
		if !slices.ContainsFunc(p.left, func(l apply.LeftOver) bool { return l.ChangeKey == k }) {
			p.left = append(p.left, apply.LeftOver{ChangeKey: k, Digest: o.Digest, Why: o.Reason})
		}
	}
	return nil
}

// reproduce judges the blocks that were found. What an earlier run judged, as
// its status on a commit of this branch says, is trusted; the rest has to
// follow from reviews.
func (c *court) reproduce(ctx context.Context, lands *landings, name string, found *lockfile.State, rules apply.Rules) (*apply.Reproduction, error) {
	trusted, err := c.trusted(ctx, lands, name)
	if err != nil {
		return nil, err
	}
	if trusted != nil && trusted.Digest == found.Digest && len(found.Findings) == 0 && !hasCLI(found) {
		return &apply.Reproduction{Base: found.Digest, Differences: []apply.Difference{}}, nil
	}
	if trusted != nil && trusted.Digest == found.Digest {
		return apply.Reproduce(found, trusted, lands.history, nil, rules.Accept), nil
	}
	all, err := lands.about(ctx, name, nil)
	if err != nil {
		return nil, err
	}
	return apply.Reproduce(found, trusted, lands.history, all, rules.Accept), nil
}

// hasCLI reports whether a block was approved on a command line.
func hasCLI(s *lockfile.State) bool {
	blocks := []*lockfile.Block{s.Lock.Policy, s.Lock.Server}
	for _, b := range s.Lock.Tools {
		blocks = append(blocks, &b.Block)
	}
	for _, b := range s.Lock.Toolsets {
		blocks = append(blocks, &b.Block)
	}
	return slices.ContainsFunc(blocks, func(b *lockfile.Block) bool { return b != nil && b.Approval.Via == lockfile.ViaCLI })
}

// trusted is the state of a toolpack as an earlier run judged it good, nil for
// none.
func (c *court) trusted(ctx context.Context, lands *landings, name string) (*lockfile.State, error) {
	commit, err := lands.trusted(ctx, name)
	if err != nil || commit == "" {
		return nil, err
	}
	dir, err := c.trees.folder(ctx, commit)
	if err != nil {
		return nil, err
	}
	return lockfile.Open(os.DirFS(filepath.Join(toolpack.DirOf(dir, name), "lockfile")))
}

// history are the commits along first parents, oldest first.
func (c *court) history(ctx context.Context, head string) ([]string, error) {
	out, err := c.trees.repo.git(ctx, "rev-list", "--first-parent", "--reverse", "--max-count="+strconv.Itoa(maxHistory), head)
	if err != nil {
		return nil, fmt.Errorf("reading the history: %w", err)
	}
	return strings.Fields(string(out)), nil
}

// committed is when a commit was made: the clock of everything recomputed.
func (c *court) committed(ctx context.Context, sha string) (time.Time, error) {
	out, err := c.trees.repo.git(ctx, "show", "--no-patch", "--format=%ct", sha)
	if err != nil {
		return time.Time{}, err
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(out)), 10, 64)
	return time.Unix(n, 0).UTC(), err
}

// difference is what dir changed of the lockfiles at head. The list of an
// earlier merge's left-overs goes, whatever it says, and so do files beside a
// lockfile that are not for git: a journal, which readers would believe.
func (c *court) difference(ctx context.Context, head, dir string) ([]github.File, error) {
	prefix := c.trees.repo.prefix
	blobs, err := c.trees.repo.blobs(ctx, head, prefix+toolpack.Folder)
	if err != nil {
		return nil, err
	}
	before := map[string][]byte{}
	for _, b := range blobs {
		before[b.path] = b.data
	}
	var out []github.File
	seen := map[string]bool{}
	err = filepath.WalkDir(filepath.Join(dir, toolpack.Folder), func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, name)
		if err != nil {
			return err
		}
		at := prefix + filepath.ToSlash(rel)
		if !isLockfile(at) || path.Base(at) == lockfile.PendingName || strings.HasPrefix(path.Base(at), ".") {
			return nil
		}
		seen[at] = true
		doc, err := os.ReadFile(name)
		if old, ok := before[at]; err == nil && (!ok || !bytes.Equal(old, doc)) {
			out = append(out, github.File{Path: at, Data: doc})
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	for at := range before {
		if isLockfile(at) && !seen[at] || at == prefix+leftOverFile {
			out = append(out, github.File{Path: at, Remove: true})
		}
	}
	slices.SortFunc(out, func(a, b github.File) int { return strings.Compare(a.Path, b.Path) })
	return out, nil
}
