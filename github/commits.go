package github

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	gh "github.com/google/go-github/v66/github"
)

// File is one file of a commit.
type File struct {
	Path string // slash-separated, from the root
	Data []byte
	// Remove deletes the file instead.
	Remove bool
}

// Commit is a commit to make.
type Commit struct {
	Branch string
	// Parent is the commit that was planned with; the branch must still be
	// there.
	Parent  string
	Message string
	Files   []File
	// Own says that the branch is ours: it is created where it is missing, and
	// set to the new commit wherever it was. Never for a branch that people
	// work on.
	Own bool
}

// Branch is the commit that a branch is at. ErrNotFound if there is no such
// branch.
func (c *Client) Branch(ctx context.Context, name string) (string, error) {
	ref, _, err := c.api.Git.GetRef(ctx, c.owner, c.repo, "heads/"+name)
	if err != nil {
		return "", doing(err, "reading branch %s", name)
	}
	return ref.GetObject().GetSHA(), nil
}

// CommitFiles puts one commit with the files on the branch and returns it. If
// it would change nothing, it returns Parent and makes none. It fails with
// ErrMoved if the branch is not at Parent any more, and with ErrProtected
// where the branch's rules refuse the commit; the branch is as it was then.
func (c *Client) CommitFiles(ctx context.Context, want Commit) (string, error) {
	what := "committing to " + want.Branch
	parent, _, err := c.api.Git.GetCommit(ctx, c.owner, c.repo, want.Parent)
	if err != nil {
		return "", doing(err, "%s: reading the parent", what)
	}
	tree, err := c.tree(ctx, parent.GetTree().GetSHA(), want.Files)
	if err != nil {
		return "", doing(err, "%s", what)
	}
	if tree == parent.GetTree().GetSHA() {
		return want.Parent, nil
	}
	made, _, err := c.api.Git.CreateCommit(ctx, c.owner, c.repo, &gh.Commit{
		Message: &want.Message, Tree: &gh.Tree{SHA: &tree}, Parents: []*gh.Commit{{SHA: &want.Parent}},
	}, nil)
	if err != nil {
		return "", doing(err, "%s", what)
	}
	if err := c.move(ctx, want, made.GetSHA()); err != nil {
		return "", doing(err, "%s", what)
	}
	return made.GetSHA(), nil
}

// tree stores the files on top of the tree base.
func (c *Client) tree(ctx context.Context, base string, list []File) (string, error) {
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	entries := make([]*gh.TreeEntry, 0, len(list))
	for _, f := range list {
		e := &gh.TreeEntry{Path: gh.String(f.Path), Mode: gh.String("100644"), Type: gh.String("blob")}
		if !f.Remove {
			sha, err := c.blob(ctx, f.Data)
			if err != nil {
				return "", fmt.Errorf("storing %s: %w", f.Path, err)
			}
			e.SHA = &sha
		}
		entries = append(entries, e)
	}
	if len(entries) == 0 {
		return base, nil
	}
	t, _, err := c.api.Git.CreateTree(ctx, c.owner, c.repo, base, entries)
	return t.GetSHA(), err
}

func (c *Client) blob(ctx context.Context, data []byte) (string, error) {
	b := &gh.Blob{Content: gh.String(string(data)), Encoding: gh.String("utf-8")}
	if !utf8.Valid(data) {
		b = &gh.Blob{Content: gh.String(base64.StdEncoding.EncodeToString(data)), Encoding: gh.String("base64")}
	}
	made, _, err := c.api.Git.CreateBlob(ctx, c.owner, c.repo, b)
	return made.GetSHA(), err
}

// move sets the branch to the commit. GitHub takes every fast-forward, also
// from a branch that was set back meanwhile, which would bring back what was
// taken from it; so it is looked at just before.
func (c *Client) move(ctx context.Context, want Commit, sha string) error {
	if !want.Own {
		if now, err := c.Branch(ctx, want.Branch); err != nil {
			return err
		} else if now != want.Parent {
			return fmt.Errorf("%w: it is at %.12s, not at %.12s", ErrMoved, now, want.Parent)
		}
	}
	name := "refs/heads/" + want.Branch
	ref := &gh.Reference{Ref: &name, Object: &gh.GitObject{SHA: &sha}}
	_, resp, err := c.api.Git.UpdateRef(ctx, c.owner, c.repo, ref, want.Own)
	if err == nil {
		return nil
	}
	now, err2 := c.Branch(ctx, want.Branch)
	switch {
	case err2 == nil && now == sha:
		return nil // an attempt that looked like a failure was none
	case want.Own && resp != nil && (resp.StatusCode == http.StatusUnprocessableEntity || resp.StatusCode == http.StatusNotFound) && err2 != nil:
		_, _, err = c.api.Git.CreateRef(ctx, c.owner, c.repo, ref)
		return err
	case err2 == nil && now != want.Parent && !want.Own:
		return fmt.Errorf("%w: it is at %.12s, not at %.12s", ErrMoved, now, want.Parent)
	case resp != nil && (resp.StatusCode == http.StatusUnprocessableEntity || resp.StatusCode == http.StatusConflict):
		return fmt.Errorf("%w: %w", ErrProtected, err)
	}
	return err
}
