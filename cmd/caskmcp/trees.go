package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tomallicino/caskmcp/apply"
	"github.com/tomallicino/caskmcp/lockfile"
	"github.com/tomallicino/caskmcp/toolpack"
)

// trees plans revisions of a repository: configuration from one, state and
// rules from another. Each revision is copied out once, as data.
type trees struct {
	env     *env
	repo    *repo
	dir     string            // of the copies; removed by close
	folders map[string]string // treeish → copy
	plans   map[string]*workspace
}

func (e *env) newTrees(r *repo) (*trees, error) {
	dir, err := os.MkdirTemp("", "caskmcp-")
	if err != nil {
		return nil, fmt.Errorf("reading revisions: %w", err)
	}
	return &trees{env: e, repo: r, dir: dir, folders: map[string]string{}, plans: map[string]*workspace{}}, nil
}

func (t *trees) close() error { return os.RemoveAll(t.dir) }

// folder is a copy of what caskmcp reads of a commit or tree.
func (t *trees) folder(ctx context.Context, treeish string) (string, error) {
	if dir, ok := t.folders[treeish]; ok {
		return dir, nil
	}
	dir, err := t.copy(ctx, treeish)
	if err == nil {
		t.folders[treeish] = dir
	}
	return dir, err
}

// copy is a copy of a revision that the caller may change.
func (t *trees) copy(ctx context.Context, treeish string) (string, error) {
	dir, err := os.MkdirTemp(t.dir, "tree-")
	if err != nil {
		return "", err
	}
	return dir, t.repo.extract(ctx, treeish, dir)
}

// rules are those of caskmcp.yaml in a revision.
func (t *trees) rules(ctx context.Context, treeish string) (apply.Rules, error) {
	dir, err := t.folder(ctx, treeish)
	if err != nil {
		return apply.Rules{}, err
	}
	cfg, err := toolpack.LoadRepository(dir)
	if err != nil {
		return apply.Rules{}, err
	}
	a := cfg.Approvals
	return apply.Rules{Accept: a.Accept, Approvers: a.Approvers, AllowSelf: a.AllowSelf, App: cfg.GitHub.App}, nil
}

// acceptsOnlyReviews reports whether only reviews can approve.
func acceptsOnlyReviews(r apply.Rules) bool {
	return len(r.Accept) > 0 && !slices.Contains(r.Accept, lockfile.ViaCLI)
}

// names are the toolpacks of the revisions, sorted. Only restricts them to one;
// it is an error if there is no such one.
func (t *trees) names(ctx context.Context, only string, revisions ...string) ([]string, error) {
	found := map[string]bool{}
	for _, rev := range revisions {
		dir, err := t.folder(ctx, rev)
		if err != nil {
			return nil, err
		}
		for _, n := range toolpack.List(dir) {
			found[n] = true
		}
	}
	all := slices.Sorted(maps.Keys(found))
	if only == "" {
		if len(all) == 0 {
			return nil, hint(fmt.Errorf("there is no toolpack in this repository"), `make one with "caskmcp openapi FILE" or "caskmcp capture import FILE", then "caskmcp compile --name NAME"`)
		}
		return all, nil
	}
	name := packName(only)
	if !found[name] {
		return nil, hint(fmt.Errorf("there is no toolpack %q in this repository", only), "there are: "+strings.Join(all, ", "))
	}
	return []string{name}, nil
}

// packName is the name of a toolpack that is given as a name, a folder or a
// file.
func packName(ref string) string {
	return path.Base(strings.TrimSuffix(filepath.ToSlash(ref), "/"+toolpack.FileName))
}

// plan plans a toolpack: the configuration of one revision against the state
// of another, of which only what its own rules accept counts. Nil, without an
// error, stands for a toolpack that config does not have.
func (t *trees) plan(ctx context.Context, name, config, state string) (*workspace, error) {
	key := name + " " + config + " " + state
	if w, ok := t.plans[key]; ok {
		return w, nil
	}
	dir, err := t.folder(ctx, config)
	if err != nil {
		return nil, err
	}
	base, err := t.folder(ctx, state)
	if err != nil {
		return nil, err
	}
	rules, err := t.rules(ctx, state)
	if err != nil {
		return nil, err
	}
	w, err := t.env.planFolders(name, dir, base, rules.Accept)
	if err != nil {
		return nil, err
	}
	t.plans[key] = w
	return w, nil
}

// attempt is plan for what may be anything: nil for what cannot be planned.
func (t *trees) attempt(ctx context.Context, name, config, state string) *workspace {
	w, err := t.plan(ctx, name, config, state)
	if err != nil {
		return nil
	}
	return w
}

// planFolders plans the toolpack name in the folder config against its state
// in the folder base.
func (e *env) planFolders(name, config, base string, accept []string) (*workspace, error) {
	if !slices.Contains(toolpack.List(config), name) {
		return nil, nil
	}
	if _, err := os.Stat(filepath.Join(toolpack.DirOf(config, name), toolpack.FileName)); os.IsNotExist(err) {
		return nil, nil // a lockfile that was left behind
	}
	pack, err := toolpack.Load(toolpack.DirOf(config, name))
	if err != nil {
		return nil, err
	}
	w := &workspace{Pack: pack}
	lockDir := filepath.Join(toolpack.DirOf(base, name), filepath.Base(pack.LockDir()))
	if w.State, err = lockfile.Open(os.DirFS(lockDir)); err != nil {
		return nil, stateError(pack.Rel(pack.LockDir()), err)
	}
	w.State.Restrict(accept)
	if err := w.compile(); err != nil {
		return nil, err
	}
	return w, w.makePlan(e, nil)
}
