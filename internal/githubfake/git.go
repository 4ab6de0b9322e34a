package githubfake

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// git is a bare repository.
type git struct{ dir string }

// zero is the object name of nothing.
const zero = "0000000000000000000000000000000000000000"

// openGit makes the repository if it is missing.
func openGit(dir string) (*git, error) {
	g := &git{dir: dir}
	if _, err := os.Stat(filepath.Join(dir, "HEAD")); err == nil {
		return g, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	_, err := g.run(nil, nil, "init", "-q", "--bare", "-b", "main", ".")
	return g, err
}

// run is git with that input and environment; it returns the trimmed output.
func (g *git) run(stdin []byte, env []string, args ...string) (string, error) {
	cmd := exec.Command("git", args...)
	cmd.Dir, cmd.Stdin = g.dir, bytes.NewReader(stdin)
	cmd.Env = append([]string{"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=" + g.dir, "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null"}, env...)
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("git %s: %w: %s", args[0], err, cmp.Or(strings.TrimSpace(complaint.String()), strings.TrimSpace(out.String())))
	}
	return strings.TrimSuffix(out.String(), "\n"), nil
}

func (g *git) lines(args ...string) []string {
	out, err := g.run(nil, nil, args...)
	if err != nil || out == "" {
		return nil
	}
	return strings.Split(out, "\n")
}

// commit of a ref or object name; "" if there is none.
func (g *git) commit(name string) string {
	out, err := g.run(nil, nil, "rev-parse", "-q", "--verify", name+"^{commit}")
	if err != nil {
		return ""
	}
	return out
}

func (g *git) exists(object, kind string) bool {
	out, err := g.run(nil, nil, "cat-file", "-t", object)
	return err == nil && out == kind
}

func (g *git) ancestor(old, now string) bool {
	_, err := g.run(nil, nil, "merge-base", "--is-ancestor", old, now)
	return err == nil
}

// setRef moves a ref from old ("" for anything) to now.
func (g *git) setRef(ref, now, old string) error {
	args := []string{"update-ref", ref, now}
	if old != "" {
		args = append(args, old)
	}
	_, err := g.run(nil, nil, args...)
	return err
}

// who wrote a commit, and when.
type who struct {
	name, email string
	at          time.Time
}

func (w who) env(role string) []string {
	return []string{
		"GIT_" + role + "_NAME=" + w.name, "GIT_" + role + "_EMAIL=" + w.email,
		"GIT_" + role + "_DATE=" + w.at.UTC().Format(time.RFC3339),
	}
}

func (g *git) commitTree(tree, message string, author, committer who, parents ...string) (string, error) {
	args := []string{"commit-tree", tree, "-F", "-"}
	for _, p := range parents {
		args = append(args, "-p", p)
	}
	return g.run([]byte(message), append(author.env("AUTHOR"), committer.env("COMMITTER")...), args...)
}

// details of a commit.
type details struct {
	sha, tree                                        string
	parents                                          []string
	authorName, authorMail, committerName, committer string
	authored, committed                              string
	message                                          string
}

func (g *git) details(sha string) (details, error) {
	list, err := g.log(sha)
	if err != nil || len(list) == 0 {
		return details{}, errors.Join(err, errors.New("no such commit"))
	}
	return list[0], nil
}

// log has the details of these commits.
func (g *git) log(commits ...string) ([]details, error) {
	if len(commits) == 0 {
		return nil, nil
	}
	args := append([]string{"show", "-s", "--format=%x01%H%x00%T%x00%P%x00%an%x00%ae%x00%cn%x00%ce%x00%aI%x00%cI%x00%B"}, commits...)
	out, err := g.run(nil, nil, args...)
	if err != nil {
		return nil, err
	}
	list := make([]details, 0, len(commits))
	for _, one := range strings.Split(out, "\x01")[1:] {
		f := strings.SplitN(one, "\x00", 10)
		if len(f) != 10 {
			return nil, errors.New("git show: unexpected output")
		}
		list = append(list, details{
			sha: f[0], tree: f[1], parents: strings.Fields(f[2]), authorName: f[3], authorMail: f[4], committerName: f[5], committer: f[6],
			authored: f[7], committed: f[8], message: strings.TrimRight(f[9], "\n"),
		})
	}
	if len(list) != len(commits) {
		return nil, errors.New("git show: unexpected output")
	}
	return list, nil
}

// entry of a tree to make; an empty sha removes the path.
type treeEntry struct{ path, mode, sha string }

// tree is base with the entries on top.
func (g *git) tree(base string, entries []treeEntry) (string, error) {
	index, err := os.CreateTemp("", "index")
	if err != nil {
		return "", err
	}
	_ = index.Close()
	_ = os.Remove(index.Name())
	defer func() { _ = os.Remove(index.Name()) }()
	env := []string{"GIT_INDEX_FILE=" + index.Name()}
	if base != "" {
		if _, err := g.run(nil, env, "read-tree", base); err != nil {
			return "", err
		}
	}
	var info strings.Builder
	for _, e := range entries {
		if e.sha == "" {
			fmt.Fprintf(&info, "0 %s\t%s\n", zero, e.path)
		} else {
			fmt.Fprintf(&info, "%s %s\t%s\n", e.mode, e.sha, e.path)
		}
	}
	if _, err := g.run([]byte(info.String()), env, "update-index", "--index-info"); err != nil {
		return "", err
	}
	return g.run(nil, env, "write-tree")
}

// mergeTree is the tree of two commits merged; an error on conflicts.
func (g *git) mergeTree(a, b string) (string, error) {
	out, err := g.run(nil, nil, "merge-tree", "--write-tree", a, b)
	tree, _, _ := strings.Cut(out, "\n")
	return tree, err
}

// pick is the tree of base with what the commit d changed. The three trees are
// merged as commits that have that history and no other.
func (g *git) pick(base string, d details) (string, error) {
	nobody := who{"nobody", "nobody", time.Unix(0, 0)}
	from, err := g.commitTree(d.parents[0]+"^{tree}", "from", nobody, nobody)
	if err != nil {
		return "", err
	}
	ours, err := g.commitTree(base+"^{tree}", "ours", nobody, nobody, from)
	if err != nil {
		return "", err
	}
	theirs, err := g.commitTree(d.tree, "theirs", nobody, nobody, from)
	if err != nil {
		return "", err
	}
	return g.mergeTree(ours, theirs)
}
