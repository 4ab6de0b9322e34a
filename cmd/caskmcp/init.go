package main

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tomallicino/caskmcp/internal/files"
	"github.com/tomallicino/caskmcp/toolpack"
)

//go:embed init/*.yml
var initFiles embed.FS

// actionRepository is where the action is published.
const actionRepository = "tomallicino/caskmcp"

// Actions that the written workflows use, each pinned to a commit.
var pinnedActions = map[string]string{
	"checkout":        "actions/checkout@08c6903cd8c0fde910a37f88322edcfb5dd907a8 # v5.0.0",
	"setup-go":        "actions/setup-go@44694675825211faa026b3c33043df3e48a5fa00 # v6.0.0",
	"upload-artifact": "actions/upload-artifact@ea165f8d65b6e75b540449e92b4886f43607fa02 # v4.6.2",
}

// initWorkflows are written by "init --github", in this order.
var initWorkflows = []string{"caskmcp-plan.yml", "caskmcp-approval.yml", "caskmcp-forks.yml", "caskmcp-apply.yml", "caskmcp-drift.yml"}

type initFlags struct {
	github    bool
	revision  string
	branch    string
	allowSelf bool
	force     bool
}

func newInit(e *env) *cobra.Command {
	var f initFlags
	c := &cobra.Command{
		Use:   "init",
		Short: "Set a repository up: plan in the pull request, apply on merge",
		Long: `Init writes what this repository needs to have its tools planned in pull
requests, approved by reviews and applied on merge: caskmcp.yaml and five
workflows, every action pinned to a commit, every job with the least permissions.
It prints the branch protection to set, and overwrites nothing without --force.

Rules count from the base branch on, so bring these files there before the pull
request with the first tools.`,
		Example: examples(
			`caskmcp init --github`,
			`caskmcp init --github --allow-self   # for a maintainer working alone`,
		),
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if !f.github {
				return hint(errors.New("say what to set up"), "caskmcp init --github, or for other CI see examples/ci")
			}
			return e.initGitHub(c.Context(), f)
		},
	}
	c.Flags().BoolVar(&f.github, "github", false, "write workflows for GitHub Actions")
	c.Flags().StringVar(&f.revision, "revision", "", "commit of "+actionRepository+" to pin the action to (default: the one this binary was built from)")
	c.Flags().StringVar(&f.branch, "branch", "", "default branch (default: what git says, else main)")
	c.Flags().BoolVar(&f.allowSelf, "allow-self", false, "let an approver's merge count as their approval, for repositories with one maintainer")
	c.Flags().BoolVar(&f.force, "force", false, "overwrite workflows that are there already")
	return c
}

func (e *env) initGitHub(ctx context.Context, f initFlags) error {
	revision := f.revision
	if revision == "" {
		revision = builtFrom()
	}
	if !objectName.MatchString(revision) {
		return hint(errors.New("this binary does not know which commit it was built from, and actions are pinned to commits"),
			"caskmcp init --github --revision SHA, with a commit of github.com/"+actionRepository)
	}
	root, err := toolpack.FindRoot(e.Dir)
	if err != nil {
		return err
	}
	top := e.gitTop(ctx, root)
	branch := f.branch
	if branch == "" {
		branch = defaultBranch(ctx, top)
	}
	if !branchName.MatchString(branch) {
		return fmt.Errorf("%q cannot be a branch in a workflow: name it with --branch", branch)
	}
	written := map[string][]byte{}
	for _, name := range initWorkflows {
		doc, err := workflow(name, revision, branch)
		if err != nil {
			return err
		}
		written[filepath.Join(top, ".github", "workflows", name)] = doc
	}
	if err := e.writeNew(written, f.force); err != nil {
		return err
	}
	if err := e.writeSettings(filepath.Join(root, toolpack.RepositoryFile), f.allowSelf); err != nil {
		return err
	}
	if err := toolpack.WriteIgnore(root); err != nil {
		return err
	}
	e.sayProtection(branch, f.allowSelf)
	return nil
}

var branchName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/-]{0,199}$`)

// builtFrom is the commit this binary was built from, "" where it is not known
// or the work tree had changes.
func builtFrom() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	revision := ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			return ""
		}
	}
	return revision
}

// gitTop is the work tree's top folder, where GitHub looks for workflows.
func (e *env) gitTop(ctx context.Context, root string) string {
	if out, err := git(ctx, root, "rev-parse", "--show-toplevel"); err == nil {
		return strings.TrimSpace(string(out))
	}
	return root
}

func defaultBranch(ctx context.Context, dir string) string {
	for _, args := range [][]string{{"symbolic-ref", "--quiet", "--short", "refs/remotes/origin/HEAD"}, {"config", "init.defaultBranch"}} {
		if out, err := git(ctx, dir, args...); err == nil {
			if name := strings.TrimPrefix(strings.TrimSpace(string(out)), "origin/"); name != "" {
				return name
			}
		}
	}
	return "main"
}

// workflow is one of the written workflows.
func workflow(name, revision, branch string) ([]byte, error) {
	doc, err := initFiles.ReadFile("init/" + name)
	if err != nil {
		return nil, err
	}
	pairs := []string{"{{branch}}", branch,
		"{{caskmcp}}", actionRepository + "@" + revision,
		"{{caskmcp-drift}}", actionRepository + "/.github/actions/caskmcp-drift@" + revision}
	for k, v := range pinnedActions {
		pairs = append(pairs, "{{"+k+"}}", v)
	}
	return []byte(strings.NewReplacer(pairs...).Replace(string(doc))), nil
}

// writeNew writes files that are not there; one that is there and differs
// stops it before anything is written.
func (e *env) writeNew(written map[string][]byte, force bool) error {
	var taken []string
	for name, doc := range written {
		if old, err := os.ReadFile(name); err == nil && !bytes.Equal(old, doc) {
			taken = append(taken, e.show(name))
		}
	}
	if len(taken) > 0 && !force {
		return hint(fmt.Errorf("%s there already and different", strings.Join(taken, ", ")+map[bool]string{true: " is", false: " are"}[len(taken) == 1]),
			"look at what is there, then overwrite it with --force")
	}
	for _, name := range sortedKeys(written) {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		if err := files.Write(name, written[name], 0o644); err != nil {
			return err
		}
		e.say("wrote %s", e.show(name))
	}
	return nil
}

const settings = `# Whose approvals count. caskmcp reads this file from the base of a pull
# request: nobody can name themselves in the one they open.
version: "1.0"
approvals:
  # Only reviews of pull requests count, not approvals on somebody's machine.
  accept: [review]

  # Who is asked from which risk on: logins and "@org/team". Without a list, one
  # review by anybody else with write permission is enough.
  # approvers:
  #   low: ["@acme/api-owners"]
  #   high: ["@acme/security"]

  # For a maintainer alone: merging counts as approving what the plan showed.
  allow_self: %t
`

// writeSettings writes caskmcp.yaml unless there is one.
func (e *env) writeSettings(name string, allowSelf bool) error {
	if _, err := os.Lstat(name); err == nil {
		e.say("kept  %s; it should have approvals.accept: [review]", e.show(name))
		return nil
	}
	if err := files.Write(name, fmt.Appendf(nil, settings, allowSelf), 0o644); err != nil {
		return err
	}
	e.say("wrote %s", e.show(name))
	return nil
}

// sayProtection prints what only a person can set at the git host.
func (e *env) sayProtection(branch string, allowSelf bool) {
	reviews := "Require a pull request, with 1 approval, also of the most recent reviewable push; dismiss no stale ones: caskmcp binds reviews to definitions"
	if allowSelf {
		reviews = "Require a pull request (no approval: you are alone, your merge is your approval)"
	}
	e.say(`
next: bring these files to %[1]s, and only then open the pull request with the first tools.

Then, at GitHub, Settings → Rules → Rulesets → New branch ruleset for %[1]s:
  [x] %[2]s
  [x] Require status checks to pass: "caskmcp / plan" and "caskmcp/approval"
      (source of caskmcp/approval: GitHub Actions)
  [x] Block force pushes
  [x] Bypass list: the App whose token applies, or set deliver: pull-request
      in caskmcp-apply.yml
Settings → Actions → General → Workflow permissions:
  [ ] Allow GitHub Actions to create and approve pull requests
      (check it only for what is left over and deliver: pull-request; reviews
      by Actions never count here)

And protect what decides, in .github/CODEOWNERS (use your own team):
  /.github/          @acme/security
  /caskmcp.yaml      @acme/security
  /.caskmcp/         @acme/api-owners
  /.caskmcp/toolpacks/*/lockfile/  @acme/security

How it works and where it ends: docs/github.md`, branch, reviews)
}
