package main

import (
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"
)

const longHelp = `caskmcp is plan and apply for the tools that AI agents may call.

It compiles observed traffic (HAR, OpenAPI) into a minimal tool surface, shows
every change as a plan, binds approvals to the exact bytes, serves only what is
approved over MCP, and fails CI when the API or the surface drifts.`

// run is the whole program but for the process: it returns the exit code.
func run(ctx context.Context, e *env, args []string) int {
	root := newRoot(e)
	root.SetArgs(args)
	root.SetIn(e.Stdin)
	root.SetOut(e.Stdout)
	root.SetErr(e.Stderr)
	err := root.ExecuteContext(ctx)
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return exitInterrupted
	}
	return e.report(err)
}

func newRoot(e *env) *cobra.Command {
	root := &cobra.Command{
		Use:           "caskmcp",
		Short:         "Plan and apply for the tools that AI agents may call",
		Long:          longHelp,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.PersistentFlags().String("color", "auto", "colour the output: auto, always or never")
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return hint(err, `run "`+c.CommandPath()+` --help"`)
	})
	root.AddGroup(
		&cobra.Group{ID: "capture", Title: "Observe an API:"},
		&cobra.Group{ID: "surface", Title: "Plan, approve, apply:"},
		&cobra.Group{ID: "serve", Title: "Serve and watch:"},
	)
	add := func(group string, cmds ...*cobra.Command) {
		for _, c := range cmds {
			c.GroupID = group
			root.AddCommand(c)
		}
	}
	add("capture", newCapture(e), newOpenAPI(e), newCompile(e))
	add("surface", newPlan(e), newShow(e), newApprove(e), newApply(e), newCheck(e), newApproval(e))
	add("serve", newServe(e), newRun(e), newMCP(e), newDrift(e))
	root.AddCommand(newInit(e), newDemo(e), newAction(e), newVersion(e))
	hideGlobalUsageNoise(root)
	return root
}

// hideGlobalUsageNoise keeps cobra's own messages in our words.
func hideGlobalUsageNoise(root *cobra.Command) {
	root.CompletionOptions.HiddenDefaultCmd = false
	for _, c := range root.Commands() {
		if c.HasSubCommands() && c.RunE == nil {
			c.RunE = groupOnly
		}
	}
}

// groupOnly is what a command does that only has sub-commands.
func groupOnly(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return c.Help()
	}
	names := make([]string, 0, len(c.Commands()))
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			names = append(names, sub.Name())
		}
	}
	return hint(errors.New(`there is no command "`+c.CommandPath()+" "+args[0]+`"`), "there are: "+strings.Join(names, ", "))
}

// examples joins example lines for a command's help.
func examples(lines ...string) string { return "  " + strings.Join(lines, "\n  ") }

// colorMode is the value of --color.
func colorMode(c *cobra.Command) string {
	mode, err := c.Flags().GetString("color")
	if err != nil {
		return "auto"
	}
	return mode
}
