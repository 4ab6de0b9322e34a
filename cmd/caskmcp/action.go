package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"

	"github.com/sethvargo/go-githubactions"
	"github.com/spf13/cobra"

	"github.com/tomallicino/caskmcp/comment"
	"github.com/tomallicino/caskmcp/toolpack"
)

// newAction is what action.yml calls. Inputs come as CASKMCP_* variables, so
// that no input is ever pasted into a shell script.
func newAction(e *env) *cobra.Command {
	c := &cobra.Command{
		Use:    "action",
		Short:  "Run inside a GitHub Actions step (called by action.yml)",
		Hidden: true,
	}
	c.AddCommand(&cobra.Command{
		Use:   "plan",
		Short: "Plan, write the job summary and set the step's outputs",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return e.actionPlan(c.Context()) },
	})
	return c
}

func (e *env) actionPlan(ctx context.Context) error {
	failOn := e.Getenv("CASKMCP_FAIL_ON")
	switch failOn {
	case "", "error", "unapproved", "changes":
	default:
		return fmt.Errorf("fail-on is %q, want error, unapproved or changes", failOn)
	}
	for _, name := range []string{"GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"} {
		if e.Getenv(name) == "" {
			return hint(fmt.Errorf("%s is not set", name), "this command is for GitHub Actions steps; on a machine run: caskmcp plan")
		}
	}
	gh := githubactions.New(githubactions.WithWriter(e.Stdout), githubactions.WithGetenv(e.Getenv))

	w, err := e.open(ctx, e.Getenv("CASKMCP_TOOLPACK"), e.Getenv("CASKMCP_BASE"))
	if err != nil {
		gh.SetOutput("exitcode", strconv.Itoa(exitError))
		return err
	}
	path := filepath.Join(w.Pack.Root, toolpack.Folder, "plans", w.Pack.Config.Name+".json")
	if err := e.savePlan(w.Plan, path); err != nil {
		return err
	}
	gh.AddStepSummary(comment.Plan(w.Plan, comment.Options{}))

	changes := w.Plan.HasChanges()
	unapproved := len(checkFindings(w)) > 0
	code := exitOK
	if changes {
		code = exitChanges
	}
	// Only counts, booleans, digests and our own file names: go-githubactions
	// writes outputs with a fixed delimiter, which captured text could forge.
	gh.SetOutput("has-changes", strconv.FormatBool(changes))
	gh.SetOutput("needs-approval", strconv.FormatBool(unapproved))
	gh.SetOutput("highest-risk", string(w.Plan.Summary.Risk))
	gh.SetOutput("exitcode", strconv.Itoa(code))
	gh.SetOutput("plan-digest", w.Plan.PlanDigest)
	gh.SetOutput("plan-path", path)

	switch {
	case failOn == "changes" && changes:
		return &codedError{code: exitGate, err: errors.New("the plan has changes, and fail-on is changes")}
	case failOn == "unapproved" && unapproved:
		return &codedError{code: exitGate, err: errors.New("not everything is approved, and fail-on is unapproved")}
	}
	e.say("%s", w.Plan.Summary)
	return nil
}
