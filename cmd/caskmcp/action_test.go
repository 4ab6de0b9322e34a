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

// TestActionCannotBeInjected keeps inputs out of shell scripts: an expression
// inside "run" is pasted before the shell parses it.
func TestActionCannotBeInjected(t *testing.T) {
	doc, err := os.ReadFile(filepath.Join("..", "..", "action.yml"))
	require.NoError(t, err)
	var a actionFile
	require.NoError(t, yaml.Unmarshal(doc, &a))
	require.Equal(t, "composite", a.Runs.Using)
	require.NotEmpty(t, a.Runs.Steps)
	for _, s := range a.Runs.Steps {
		require.NotContains(t, s.Run, "${{")
		if s.Uses != "" && !strings.HasPrefix(s.Uses, "./") {
			require.Regexp(t, pinned, s.Uses)
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

// importMugs imports one of the demo's recordings and compiles it.
func importMugs(t *testing.T, e *env, har string) {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("demo", har))
	require.NoError(t, err)
	must(t, e, exitOK, "capture", "import", path, "-a", shopAddr, "--name", "mugs")
	must(t, e, exitOK, "compile", "--name", "mugs")
}
