package main

import (
	"context"
	"regexp"
	"slices"
	"strings"

	"github.com/tomallicino/caskmcp/apply"
	"github.com/tomallicino/caskmcp/toolpack"
)

// edited says which lockfiles the pull request edits otherwise than caskmcp
// itself would at the base: with accept [review], nobody writes them by hand.
func (c *court) edited(ctx context.Context, j *judgement) ([]string, error) {
	if !acceptsOnlyReviews(j.Rules) {
		return nil, nil
	}
	want, err := c.lockfiles(ctx, j.Base)
	if err != nil {
		return nil, err
	}
	got, err := c.lockfiles(ctx, j.Tree)
	if err == nil {
		err = c.forgetRemoved(ctx, j.Tree, want)
	}
	if err != nil || sameFiles(want, got) {
		return nil, err
	}
	s, err := c.settle(ctx, j.Base)
	if err != nil {
		return nil, err
	}
	for _, f := range s.files {
		if f.Remove {
			delete(want, f.Path)
		} else if isLockfile(f.Path) {
			want[f.Path] = string(f.Data)
		}
	}
	if err := c.forgetRemoved(ctx, j.Tree, want); err != nil {
		return nil, err
	}
	if sameFiles(want, got) {
		j.settled(s)
		return nil, nil
	}
	return []string{"the pull request edits the lockfile by hand; only what apply computes is accepted"}, nil
}

// forgetRemoved takes the lockfiles of toolpacks that the tree does not have
// out of files: removing a whole toolpack gives nobody anything.
func (c *court) forgetRemoved(ctx context.Context, tree string, files map[string]string) error {
	dir, err := c.trees.folder(ctx, tree)
	if err != nil {
		return err
	}
	left := toolpack.List(dir)
	folder := c.trees.repo.prefix + toolpack.Folder + "/toolpacks/"
	for path := range files {
		name, _, _ := strings.Cut(strings.TrimPrefix(path, folder), "/")
		if !slices.Contains(left, name) {
			delete(files, path)
		}
	}
	return nil
}

// settled takes over what was approved before: the pull request brings exactly
// the lockfile that apply computes at its base, from reviews that are given.
func (j *judgement) settled(s *settlement) {
	for _, p := range j.Packs {
		i := slices.IndexFunc(s.packs, func(x packSettlement) bool { return x.name == p.Name })
		if i < 0 {
			continue
		}
		for _, d := range s.packs[i].approved {
			c := p.Approvals.Of(apply.ChangeKey{Kind: d.Kind, Name: d.Name, Action: d.Action})
			if c != nil && c.Digest == d.Digest {
				c.Approved, c.OnMerge, c.Missing = true, false, ""
			}
		}
		p.Approvals.Approved = !slices.ContainsFunc(p.Approvals.Changes, func(c apply.ChangeApproval) bool { return !c.Approved })
	}
}

// lockfiles are the files of all lockfile folders of a revision.
func (c *court) lockfiles(ctx context.Context, treeish string) (map[string]string, error) {
	blobs, err := c.trees.repo.blobs(ctx, treeish, c.trees.repo.prefix+toolpack.Folder)
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, b := range blobs {
		if isLockfile(b.path) {
			out[b.path] = string(b.data)
		}
	}
	return out, nil
}

// inLockfile matches what lies in a toolpack's lockfile folder.
var inLockfile = regexp.MustCompile(`(^|/)` + regexp.QuoteMeta(toolpack.Folder) + `/toolpacks/[^/]+/lockfile/`)

// isLockfile reports whether a path of a repository lies in a toolpack's
// lockfile folder.
func isLockfile(path string) bool { return inLockfile.MatchString(path) }

func sameFiles(a, b map[string]string) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		if w, ok := b[k]; !ok || w != v {
			return false
		}
	}
	return true
}

// byLockfile counts what a repository that also accepts approvals on the
// command line has approved in the lockfile that the pull request brings.
func (c *court) byLockfile(ctx context.Context, j *judgement) error {
	if acceptsOnlyReviews(j.Rules) {
		return nil
	}
	for _, p := range j.Packs {
		w, err := c.trees.plan(ctx, p.Name, j.Tree, j.Tree)
		if err != nil {
			return err
		}
		if w == nil || w.Plan.HasChanges() || len(w.State.Findings) > 0 {
			continue
		}
		for k := range p.Approvals.Changes {
			x := &p.Approvals.Changes[k]
			x.Approved, x.OnMerge, x.Missing = true, false, ""
		}
		p.Approvals.Approved = true
	}
	return nil
}
