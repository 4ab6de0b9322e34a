package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// action is what the test looks at in action.yml.
type actionFile struct {
	Inputs  map[string]struct{ Description string }
	Outputs map[string]struct{ Value string }
	Runs    struct {
		Using string
		Steps []struct {
			Uses, Run, Shell string
			Env              map[string]string
		}
	}
}

var pinned = regexp.MustCompile(`@[0-9a-f]{40}$`)

// workflowFile is what the tests look at in a workflow.
type workflowFile struct {
	On          yaml.Node
	Permissions *map[string]string
	Jobs        map[string]struct {
		Permissions *map[string]string
		Steps       []struct {
			Uses, Run string
			With      map[string]string
		}
	}
}

// requireSafeWorkflow bans expressions in scripts, actions that are not pinned,
// permissions for all jobs, credentials left on disk, and the trigger that
// mixes secrets with what a stranger wrote.
func requireSafeWorkflow(t *testing.T, name string, doc []byte) {
	t.Helper()
	var w workflowFile
	require.NoError(t, yaml.Unmarshal(doc, &w), name)
	require.NotContains(t, string(doc), "pull_request_target", name)
	require.NotNil(t, w.Permissions, "%s: permissions are given per job", name)
	require.Empty(t, *w.Permissions, name)
	require.NotEmpty(t, w.Jobs, name)
	for _, job := range w.Jobs {
		require.NotNil(t, job.Permissions, name)
		for _, s := range job.Steps {
			require.NotContains(t, s.Run, "${{", name)
			if strings.HasPrefix(s.Uses, "actions/checkout@") {
				require.Equal(t, "false", s.With["persist-credentials"], name)
			}
			requirePinned(t, name, s.Uses)
		}
	}
}

func requirePinned(t *testing.T, name, uses string) {
	t.Helper()
	if uses != "" && !strings.HasPrefix(uses, "./") {
		require.Regexp(t, pinned, uses, name)
	}
}

// TestWorkflowsAreSafe looks at this repository's own.
func TestWorkflowsAreSafe(t *testing.T) {
	names, err := filepath.Glob(filepath.Join("..", "..", ".github", "workflows", "*.yml"))
	require.NoError(t, err)
	require.NotEmpty(t, names)
	for _, name := range names {
		doc, err := os.ReadFile(name)
		require.NoError(t, err)
		requireSafeWorkflow(t, name, doc)
	}
}

// TestActionCannotBeInjected keeps inputs out of shell scripts: an expression
// inside "run" is pasted before the shell parses it.
func TestActionCannotBeInjected(t *testing.T) {
	names, err := filepath.Glob(filepath.Join("..", "..", ".github", "actions", "*", "action.yml"))
	require.NoError(t, err)
	require.NotEmpty(t, names)
	for _, name := range append(names, filepath.Join("..", "..", "action.yml")) {
		doc, err := os.ReadFile(name)
		require.NoError(t, err)
		var a actionFile
		require.NoError(t, yaml.Unmarshal(doc, &a))
		require.Equal(t, "composite", a.Runs.Using)
		require.NotEmpty(t, a.Runs.Steps)
		for _, s := range a.Runs.Steps {
			require.NotContains(t, s.Run, "${{", name)
			requirePinned(t, name, s.Uses)
		}
	}
}

// TestActionOutputsAreSet keeps action.yml and "caskmcp action plan" together.
func TestActionOutputsAreSet(t *testing.T) {
	doc, err := os.ReadFile(filepath.Join("..", "..", "action.yml"))
	require.NoError(t, err)
	var a actionFile
	require.NoError(t, yaml.Unmarshal(doc, &a))

	e, _, _ := testEnv(t)
	importMugs(t, e, "mugs.har")
	dir := t.TempDir()
	output, summary := filepath.Join(dir, "output"), filepath.Join(dir, "summary")
	e.Getenv = func(k string) string {
		return map[string]string{"GITHUB_OUTPUT": output, "GITHUB_STEP_SUMMARY": summary}[k]
	}
	must(t, e, exitOK, "action", "plan")

	set, err := os.ReadFile(output)
	require.NoError(t, err)
	for name := range a.Outputs {
		require.Contains(t, string(set), name+"<<", "output %s is not set", name)
	}
	text, err := os.ReadFile(summary)
	require.NoError(t, err)
	require.Contains(t, string(text), "create_order")
	for _, name := range []string{"plan.json", "plan.md", "report.html"} {
		require.FileExists(t, filepath.Join(e.Dir, ".caskmcp", "plans", "mugs", name))
	}

	for input, code := range map[string]int{"changes": exitGate, "unapproved": exitGate, "error": exitOK, "policy": exitOK, "never": exitError} {
		e.Getenv = func(k string) string {
			return map[string]string{"GITHUB_OUTPUT": output, "GITHUB_STEP_SUMMARY": summary, "CASKMCP_FAIL_ON": input}[k]
		}
		must(t, e, code, "action", "plan")
	}
}

// TestActionIsDocumented keeps action.yml, its environment and docs/github.md
// together.
func TestActionIsDocumented(t *testing.T) {
	doc, err := os.ReadFile(filepath.Join("..", "..", "action.yml"))
	require.NoError(t, err)
	docs, err := os.ReadFile(filepath.Join("..", "..", "docs", "github.md"))
	require.NoError(t, err)
	var a actionFile
	require.NoError(t, yaml.Unmarshal(doc, &a))
	for name, in := range a.Inputs {
		require.NotEmpty(t, in.Description, name)
		require.Contains(t, string(docs), "`"+name+"`", "input %s", name)
		require.Contains(t, string(doc), "${{ inputs."+name+" }}", "input %s goes nowhere", name)
	}
	for name := range a.Outputs {
		require.Contains(t, string(docs), "`"+name+"`", "output %s", name)
	}
}

// importMugs imports one of the demo's recordings and compiles it.
func importMugs(t *testing.T, e *env, har string) {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("demo", har))
	require.NoError(t, err)
	must(t, e, exitOK, "capture", "import", path, "-a", shopAddr, "--name", "mugs")
	must(t, e, exitOK, "compile", "--name", "mugs")
}
