package main

import (
	"archive/zip"
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/tomallicino/caskmcp/toolpack"
)

// Bounds of what is read from one revision.
const (
	maxTreeFiles = 20_000
	maxTreeBytes = 1 << 30
)

// repo reads revisions of a git repository as data: blobs are copied out, and
// nothing of a revision ever runs, filters or hides them (git archive would
// obey the revision's own .gitattributes).
type repo struct {
	top    string   // the work tree's top folder
	prefix string   // folder of caskmcp.yaml and .caskmcp below top; "" or "a/b/"
	env    []string // of every git process, beside this process's own
}

// errConflict reports two commits that git cannot merge.
var errConflict = errors.New("the branches conflict")

// openRepo finds the repository around dir. With a token, commits that are not
// there are fetched from origin at server.
func openRepo(ctx context.Context, dir, server, token string) (*repo, error) {
	out, err := git(ctx, dir, "rev-parse", "--show-toplevel")
	if err != nil {
		return nil, hint(fmt.Errorf("opening the repository: %w", err), "check the repository out first, with actions/checkout and fetch-depth: 0")
	}
	root, err := toolpack.FindRoot(dir)
	if err != nil {
		return nil, err
	}
	r := &repo{top: strings.TrimSpace(string(out))}
	rel, err := relativeTo(r.top, root)
	if err != nil {
		return nil, fmt.Errorf("opening the repository: %w", err)
	}
	if rel != "." {
		r.prefix = rel + "/"
	}
	if token != "" && server != "" {
		// By environment: arguments of a process can be read by every other one.
		auth := base64.StdEncoding.EncodeToString([]byte("x-access-token:" + token))
		r.env = []string{
			"GIT_CONFIG_COUNT=1",
			"GIT_CONFIG_KEY_0=http." + server + "/.extraheader",
			"GIT_CONFIG_VALUE_0=AUTHORIZATION: basic " + auth,
		}
	}
	return r, nil
}

func (r *repo) git(ctx context.Context, args ...string) ([]byte, error) {
	return gitWith(ctx, r.top, r.env, nil, args...)
}

var objectName = regexp.MustCompile(`^[0-9a-f]{40}([0-9a-f]{24})?$`)

// ensure makes sure that a commit is there, fetching it if it is not.
func (r *repo) ensure(ctx context.Context, sha string) error {
	if !objectName.MatchString(sha) {
		return fmt.Errorf("reading a revision: %q is no commit id", sha)
	}
	if _, err := r.git(ctx, "cat-file", "-e", sha+"^{commit}"); err == nil {
		return nil
	}
	if _, err := r.git(ctx, "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "origin", sha); err != nil {
		return fmt.Errorf("fetching %s: %w", short(sha), err)
	}
	if _, err := r.git(ctx, "cat-file", "-e", sha+"^{commit}"); err != nil {
		return fmt.Errorf("fetching %s: it is no commit", short(sha))
	}
	return nil
}

// parents of a commit, the first one first.
func (r *repo) parents(ctx context.Context, sha string) ([]string, error) {
	out, err := r.git(ctx, "rev-list", "--parents", "--max-count=1", sha, "--")
	if err != nil {
		return nil, fmt.Errorf("reading the parents of %s: %w", short(sha), err)
	}
	ids := strings.Fields(string(out))
	return ids[min(1, len(ids)):], nil
}

// landed are the first-parent commits below tip, newest first, that change
// what plans are made of; at most limit.
func (r *repo) landed(ctx context.Context, tip string, limit int) ([]string, error) {
	out, err := r.git(ctx, "rev-list", "--first-parent", "--diff-merges=first-parent", "--max-count="+strconv.Itoa(limit), tip, "--", r.prefix+toolpack.Folder, r.prefix+toolpack.RepositoryFile)
	if err != nil {
		return nil, fmt.Errorf("reading the history of %s: %w", short(tip), err)
	}
	return strings.Fields(string(out)), nil
}

// elsewhere is a .caskmcp of a commit, if there is one and none where this
// repository looks for it: then the work tree has another root than the commit.
func (r *repo) elsewhere(ctx context.Context, sha string) (string, error) {
	here, err := r.git(ctx, "ls-tree", "--full-tree", "--name-only", sha, "--", r.prefix+toolpack.Folder, r.prefix+toolpack.RepositoryFile)
	if err != nil || len(here) > 0 {
		return "", err
	}
	all, err := r.git(ctx, "ls-tree", "-r", "-d", "-z", "--full-tree", "--name-only", sha)
	if err != nil {
		return "", err
	}
	for _, dir := range strings.Split(string(all), "\x00") {
		if path.Base(dir) == toolpack.Folder {
			return dir, nil
		}
	}
	return "", nil
}

// lastChange is the last first-parent commit up to tip that changes what is at
// or below a path, "" for none.
func (r *repo) lastChange(ctx context.Context, tip, path string) (string, error) {
	out, err := r.git(ctx, "rev-list", "--first-parent", "--diff-merges=first-parent", "--max-count=1", tip, "--", r.prefix+path)
	if err != nil {
		return "", fmt.Errorf("reading the history of %s: %w", short(tip), err)
	}
	return strings.TrimSpace(string(out)), nil
}

// merge is the tree of the merge of two commits, made without a work tree.
func (r *repo) merge(ctx context.Context, base, head string) (string, error) {
	for _, sha := range []string{base, head} {
		if err := r.ensure(ctx, sha); err != nil {
			return "", err
		}
	}
	out, err := r.git(ctx, "merge-tree", "--write-tree", "--no-messages", base, head)
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 1 {
		return "", fmt.Errorf("merging %s into %s: %w", short(head), short(base), errConflict)
	}
	if err != nil {
		return "", fmt.Errorf("merging %s into %s: %w", short(head), short(base), err)
	}
	return strings.TrimSpace(string(out)), nil
}

// extract writes what caskmcp reads of a commit or tree into dir, which stands
// for the folder that holds caskmcp.yaml and .caskmcp.
func (r *repo) extract(ctx context.Context, treeish, dir string) error {
	blobs, err := r.blobs(ctx, treeish, r.prefix+toolpack.Folder, r.prefix+toolpack.RepositoryFile)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(dir, toolpack.Folder), 0o755); err != nil {
		return err
	}
	for _, b := range blobs {
		name := filepath.Join(dir, filepath.FromSlash(strings.TrimPrefix(b.path, r.prefix)))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(name, b.data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// blob is one file of a revision; path is slash-separated, from the top.
type blob struct {
	path, id string
	data     []byte
}

// blobs reads the files of a commit or tree at or below paths. Symbolic links,
// submodules and names that leave the folder are errors.
func (r *repo) blobs(ctx context.Context, treeish string, paths ...string) ([]blob, error) {
	out, err := r.git(ctx, append([]string{"ls-tree", "-r", "-z", "-l", "--full-tree", treeish, "--"}, paths...)...)
	if err != nil {
		return nil, fmt.Errorf("reading revision %s: %w", short(treeish), err)
	}
	var blobs []blob
	var ids bytes.Buffer
	var size int64
	for _, line := range strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		meta, name, ok := strings.Cut(line, "\t")
		f := strings.Fields(meta)
		if !ok || len(f) != 4 {
			continue
		}
		if f[0] != "100644" && f[0] != "100755" {
			return nil, fmt.Errorf("reading revision %s: %q is a link, not a file", short(treeish), name)
		}
		if !fs.ValidPath(name) || strings.ContainsAny(name, "\\:\n") {
			return nil, fmt.Errorf("reading revision %s: the file name %q is not allowed", short(treeish), name)
		}
		n, err := strconv.ParseInt(f[3], 10, 64)
		if size += n; err != nil || size > maxTreeBytes || len(blobs) == maxTreeFiles {
			return nil, fmt.Errorf("reading revision %s: more than %d files or %d bytes", short(treeish), maxTreeFiles, maxTreeBytes)
		}
		blobs = append(blobs, blob{path: name, id: f[2]})
		ids.WriteString(f[2] + "\n")
	}
	if len(blobs) == 0 {
		return nil, nil
	}
	doc, err := gitWith(ctx, r.top, r.env, &ids, "cat-file", "--batch")
	if err != nil {
		return nil, fmt.Errorf("reading revision %s: %w", short(treeish), err)
	}
	return blobs, fill(blobs, doc)
}

// fill reads the output of "git cat-file --batch", in the order of blobs.
func fill(blobs []blob, doc []byte) error {
	in := bufio.NewReader(bytes.NewReader(doc))
	for i := range blobs {
		head, err := in.ReadString('\n')
		f := strings.Fields(head)
		if err != nil || len(f) != 3 || f[0] != blobs[i].id || f[1] != "blob" {
			return fmt.Errorf("reading %q: git answered %q", blobs[i].path, head)
		}
		n, err := strconv.Atoi(f[2])
		if err != nil || n < 0 || n > len(doc) {
			return fmt.Errorf("reading %q: git answered %q", blobs[i].path, head)
		}
		blobs[i].data = make([]byte, n)
		if _, err := io.ReadFull(in, blobs[i].data); err != nil {
			return fmt.Errorf("reading %q: %w", blobs[i].path, err)
		}
		if _, err := in.Discard(1); err != nil {
			return fmt.Errorf("reading %q: %w", blobs[i].path, err)
		}
	}
	return nil
}

// filesOf is the files below the folder rel of a revision, as a file system.
func (r *repo) filesOf(ctx context.Context, treeish, rel string) (fs.FS, error) {
	blobs, err := r.blobs(ctx, treeish, rel)
	if err != nil {
		return nil, err
	}
	if len(blobs) == 0 {
		return emptyFS{}, nil
	}
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	for _, b := range blobs {
		f, err := w.CreateHeader(&zip.FileHeader{Name: strings.TrimPrefix(b.path, path.Clean(rel)+"/"), Method: zip.Store})
		if err == nil {
			_, err = f.Write(b.data)
		}
		if err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return zip.NewReader(bytes.NewReader(buf.Bytes()), int64(buf.Len()))
}

// short is a commit id as people read it.
func short(sha string) string { return sha[:min(len(sha), 7)] }
