package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// TestOwnWorkflows keeps this repository's workflows the ones that "init
// --github" writes: only the action is "./", and built from source for
// examples/shop. What is tested of one holds for the other.
func TestOwnWorkflows(t *testing.T) {
	for _, name := range initWorkflows {
		written, err := workflow(name, revision, "main")
		require.NoError(t, err)
		want := parseWorkflow(t, written)
		for _, s := range steps(t, want) {
			uses, _ := s["uses"].(string)
			with, _ := s["with"].(map[string]any)
			switch action, _, _ := strings.Cut(uses, "@"); {
			case strings.HasPrefix(action, actionRepository):
				s["uses"] = "." + strings.TrimPrefix(action, actionRepository)
				if action == actionRepository {
					s["uses"] = "./"
				} else {
					with["spec"] = "openapi.yaml"
				}
				with["working-directory"], with["install"] = "examples/shop", "source"
			case action == "actions/setup-go":
				s["with"] = map[string]any{"go-version-file": "go.mod"}
			}
		}
		own, err := os.ReadFile(filepath.Join("..", "..", ".github", "workflows", name))
		require.NoError(t, err)
		require.Equal(t, want, parseWorkflow(t, own), name)
	}
}

// TestSecondStageFollows keeps the names that caskmcp-forks.yml waits for.
func TestSecondStageFollows(t *testing.T) {
	parse := func(name string) map[string]any {
		doc, err := workflow(name, revision, "main")
		require.NoError(t, err)
		return parseWorkflow(t, doc)
	}
	on, ok := parse("caskmcp-forks.yml")["on"].(map[string]any)
	require.True(t, ok)
	require.Equal(t, map[string]any{"workflow_run": map[string]any{
		"workflows": []any{parse("caskmcp-plan.yml")["name"], parse("caskmcp-approval.yml")["name"]},
		"types":     []any{"completed"},
	}}, on)
}

func parseWorkflow(t *testing.T, doc []byte) map[string]any {
	t.Helper()
	var w map[string]any
	require.NoError(t, yaml.Unmarshal(doc, &w))
	return w
}

// steps are those of the workflow's one job.
func steps(t *testing.T, w map[string]any) (out []map[string]any) {
	t.Helper()
	jobs, ok := w["jobs"].(map[string]any)
	require.True(t, ok)
	require.Len(t, jobs, 1)
	for _, j := range jobs {
		job, ok := j.(map[string]any)
		require.True(t, ok)
		list, ok := job["steps"].([]any)
		require.True(t, ok)
		for _, x := range list {
			s, ok := x.(map[string]any)
			require.True(t, ok)
			out = append(out, s)
		}
	}
	return out
}
