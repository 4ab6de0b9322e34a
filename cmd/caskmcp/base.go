package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os/exec"
	"path"
	"path/filepath"
	"strings"

	"github.com/tomallicino/caskmcp/toolpack"
)

// gitTree is the folder dir as it was in the git revision rev. A folder that
// did not exist there is an empty tree.
func gitTree(ctx context.Context, dir, rev string) (fs.FS, error) {
	r, commit, rel, err := atRevision(ctx, dir, rev)
	if err != nil {
		return nil, err
	}
	return r.filesOf(ctx, commit, rel)
}

// rulesAt is caskmcp.yaml in root: of the work tree, or of the git revision
// rev, so that a change cannot loosen the rules that it is judged by.
func rulesAt(ctx context.Context, root, rev string) (toolpack.Repository, error) {
	if rev == "" {
		return toolpack.LoadRepository(root)
	}
	r, commit, rel, err := atRevision(ctx, root, rev)
	if err != nil {
		return toolpack.Repository{}, err
	}
	found, err := r.blobs(ctx, commit, path.Join(rel, toolpack.RepositoryFile))
	if err != nil || len(found) == 0 {
		return toolpack.Repository{}, err
	}
	return toolpack.ParseRepository(rev+":"+found[0].path, found[0].data)
}

// atRevision is the git work tree that dir lies in, the commit that rev names
// and dir as it is called there.
func atRevision(ctx context.Context, dir, rev string) (r *repo, id, rel string, err error) {
	parent := existingParent(dir)
	top, err := git(ctx, parent, "rev-parse", "--show-toplevel")
	if err != nil {
		return nil, "", "", hint(fmt.Errorf("reading revision %s: %w", rev, err), "--base needs a git work tree")
	}
	commit, err := git(ctx, parent, "rev-parse", "--verify", "--quiet", "--end-of-options", rev+"^{commit}")
	if err != nil {
		return nil, "", "", hint(fmt.Errorf("reading revision %s: there is no such commit", rev), `fetch it first, for example with "git fetch origin main"`)
	}
	root := strings.TrimSpace(string(top))
	rel, err = relativeTo(root, dir)
	if err != nil {
		return nil, "", "", fmt.Errorf("reading revision %s: %w", rev, err)
	}
	return &repo{top: root}, strings.TrimSpace(string(commit)), rel, nil
}

// emptyFS is a folder with nothing in it.
type emptyFS struct{}

func (emptyFS) Open(name string) (fs.File, error) {
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}

// relativeTo is dir below the git work tree at root, with symbolic links on
// the way resolved as git resolves them.
func relativeTo(root, dir string) (string, error) {
	base := existingParent(dir)
	real, err := filepath.EvalSymlinks(base)
	if err != nil {
		return "", err
	}
	rest, err := filepath.Rel(base, dir)
	if err != nil {
		return "", err
	}
	rel, err := filepath.Rel(root, filepath.Join(real, rest))
	if err != nil {
		return "", err
	}
	return filepath.ToSlash(rel), nil
}

// existingParent is dir or its nearest ancestor that exists.
func existingParent(dir string) string {
	for {
		if _, err := filepath.EvalSymlinks(dir); err == nil {
			return dir
		}
		up := filepath.Dir(dir)
		if up == dir {
			return dir
		}
		dir = up
	}
}

// git runs git in dir and returns its standard output.
func git(ctx context.Context, dir string, args ...string) ([]byte, error) {
	return gitWith(ctx, dir, nil, nil, args...)
}

// gitWith runs git in dir with more variables in its environment and an input.
// The error holds what git said, and wraps its exit status.
func gitWith(ctx context.Context, dir string, env []string, in io.Reader, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "git", append([]string{"-C", dir}, args...)...)
	cmd.Env = append(cmd.Environ(), env...)
	cmd.Stdin = in
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		if msg := strings.TrimSpace(stderr.String()); msg != "" {
			return nil, fmt.Errorf("git %s: %s (%w)", args[0], msg, err)
		}
		return nil, fmt.Errorf("git %s: %w", args[0], err)
	}
	return out, nil
}
