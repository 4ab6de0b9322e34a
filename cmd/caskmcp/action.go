package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tomallicino/caskmcp/github"
	"github.com/tomallicino/caskmcp/toolpack"
)

// newAction is what action.yml calls. Inputs come as CASKMCP_* variables, so
// that no input is ever pasted into a shell script.
func newAction(e *env) *cobra.Command {
	return &cobra.Command{
		Use:    "action [COMMAND]",
		Short:  "Run inside a GitHub Actions step (called by action.yml)",
		Hidden: true,
		Args:   cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			command := e.Getenv("CASKMCP_COMMAND")
			if len(args) == 1 {
				command = args[0]
			}
			return e.runAction(c.Context(), command)
		},
	}
}

// inputs are those of action.yml.
type inputs struct {
	Command, Toolpack, Spec, Comment, FailOn, Base, Deliver string

	Captures []string
	Issue    bool
	Token    string
}

// choices are the inputs with a fixed set of values; the first is the default.
var inputChoices = map[string][]string{
	"command": {"plan", "approval", "apply", "drift", "check", "drift-or-check"},
	"comment": {"on-change", "always", "off"},
	"fail-on": {"policy", "error", "unapproved", "changes"},
	"deliver": {"commit", "pull-request", "artifact"},
	"issue":   {"false", "true"},
}

func (e *env) readInputs(command string) (inputs, error) {
	in := inputs{
		Command: command, Toolpack: e.Getenv("CASKMCP_TOOLPACK"), Spec: e.Getenv("CASKMCP_SPEC"),
		Comment: e.Getenv("CASKMCP_COMMENT"), FailOn: e.Getenv("CASKMCP_FAIL_ON"),
		Base: e.Getenv("CASKMCP_BASE"), Deliver: e.Getenv("CASKMCP_DELIVER"),
		Token: e.Getenv("CASKMCP_GITHUB_TOKEN"),
	}
	issue := e.Getenv("CASKMCP_ISSUE")
	for name, value := range map[string]*string{"command": &in.Command, "comment": &in.Comment, "fail-on": &in.FailOn, "deliver": &in.Deliver, "issue": &issue} {
		choices := inputChoices[name]
		if *value == "" {
			*value = choices[0]
		}
		if !slices.Contains(choices, *value) {
			return in, fmt.Errorf("%s is %q, want one of %s", name, *value, strings.Join(choices, ", "))
		}
	}
	in.Issue = issue == "true"
	for line := range strings.Lines(e.Getenv("CASKMCP_CAPTURE")) {
		if line = strings.TrimSpace(line); line != "" {
			in.Captures = append(in.Captures, line)
		}
	}
	return in, nil
}

// actionRun is one run of the action.
type actionRun struct {
	*step
	in   inputs
	ev   *event
	host *github.Client // nil without a token
	root string
}

func (e *env) runAction(ctx context.Context, command string) error {
	s, err := e.newStep()
	if err != nil {
		return err
	}
	in, err := e.readInputs(command)
	if err != nil {
		return s.finish(err)
	}
	ev, err := e.readEvent()
	if err != nil {
		return s.finish(err)
	}
	root, err := toolpack.FindRoot(e.Dir)
	if err != nil {
		return s.finish(err)
	}
	r := &actionRun{step: s, in: in, ev: ev, root: root}
	if in.Token != "" && ev.Repository.FullName != "" {
		if r.host, err = e.newHost(in.Token, ev.Repository.FullName); err != nil {
			return s.finish(err)
		}
	}
	return s.finish(unread(r.dispatch(ctx)))
}

// unread makes a token that may not read what a verdict takes shut the gate:
// GitHub answers 403, or 404 for what the token may not know of.
func unread(err error) error {
	if codeOf(err) != exitError || !errors.Is(err, github.ErrForbidden) && !errors.Is(err, github.ErrNotFound) {
		return err
	}
	return hint(&codedError{code: exitGate, err: err}, "look at the job's permissions: it takes contents: read, pull-requests: write and statuses: write, see docs/github.md")
}

func (r *actionRun) dispatch(ctx context.Context) error {
	switch r.in.Command {
	case "approval":
		return r.approval(ctx)
	case "apply":
		return r.apply(ctx)
	case "drift":
		return r.drift(ctx)
	case "check":
		return r.check(ctx)
	case "drift-or-check":
		if len(r.in.Captures) == 0 && r.in.Spec == "" {
			return r.check(ctx)
		}
		return r.drift(ctx)
	}
	return r.plan(ctx)
}

// finish sets the outputs that every run has. A run that could not work also
// says so in the summary.
func (s *step) finish(err error) error {
	code := exitOK
	switch {
	case err != nil:
		code = codeOf(err)
	case s.outputs["has-changes"] == "true":
		code = exitChanges
	}
	if err != nil && err.Error() != "" {
		s.annotate([]annotation{{Level: "error", Title: "caskmcp", Text: err.Error()}})
	}
	for name, value := range map[string]string{
		"has-changes": "false", "needs-approval": "false", "highest-risk": "", "plan-digest": "", "plan-path": "", "comment-url": "",
	} {
		if _, ok := s.outputs[name]; !ok {
			if e := s.setOutput(name, value); e != nil {
				return errors.Join(err, e)
			}
		}
	}
	if e := s.setOutput("exitcode", strconv.Itoa(code)); e != nil {
		return errors.Join(err, e)
	}
	return err
}

// plansDir is where the run leaves plans for upload-artifact.
func (r *actionRun) plansDir() string { return filepath.Join(r.root, toolpack.Folder, "plans") }

// runURL is the page of this workflow run.
func (r *actionRun) runURL() string {
	server, id := r.env.Getenv("GITHUB_SERVER_URL"), r.env.Getenv("GITHUB_RUN_ID")
	if server == "" || id == "" || r.ev.Repository.FullName == "" {
		return ""
	}
	return server + "/" + r.ev.Repository.FullName + "/actions/runs/" + id
}

// court opens the repository for judging pull requests.
func (r *actionRun) court(ctx context.Context) (*court, error) {
	repo, err := openRepo(ctx, r.env.Dir, r.env.Getenv("GITHUB_SERVER_URL"), r.in.Token)
	if err != nil {
		return nil, err
	}
	t, err := r.env.newTrees(repo)
	if err != nil {
		return nil, err
	}
	return &court{host: r.host, trees: t, branch: r.ev.Repository.DefaultBranch}, nil
}

// refused decides what a 403 means. A pull request from a fork has a token
// that may only read: that is how GitHub works, and the summary says how to go
// on. Everywhere else the workflow lacks a permission, and the gate is shut.
func (r *actionRun) refused(err error, doing, permission string) error {
	if err == nil || !errors.Is(err, github.ErrForbidden) {
		return err
	}
	if r.ev.fork() {
		r.notice("This pull request comes from a fork, so this run cannot do this: %s. The plan is in the job summary.", doing)
		return nil
	}
	return hint(&codedError{code: exitGate, err: fmt.Errorf("%s: %w", doing, err)}, "add to the job: permissions: {"+permission+": write}")
}

// forkSummary says how a pull request from a fork becomes approvable.
const forkSummary = `
> [!NOTE]
> This pull request comes from a fork, so this run may not comment or set the status caskmcp/approval.
> The workflow "caskmcp forks" that "caskmcp init --github" writes does both right after it, from the default branch.
> Without it, push the branch to this repository to have it approved.
`
