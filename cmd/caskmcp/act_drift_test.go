package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tomallicino/caskmcp/internal/githubfake"
)

// issue is the one issue there is.
func (s *story) issue() githubfake.Issue {
	s.t.Helper()
	issues := s.fake.State().Issues
	require.Len(s.t, issues, 1, s.log)
	require.Equal(s.t, githubfake.ActionsLogin, issues[0].User)
	return issues[0]
}

// TestActDriftOfASpecification is this repository's own drift workflow, with
// the specification in examples/shop.
func TestActDriftOfASpecification(t *testing.T) {
	t.Parallel()
	s := ownStory(t)
	drifts := func(event, from, to string) int {
		s.push("carol", "main", func() { s.respecify(from, to) })
		return s.step("drift", event, map[string]any{"ref": "refs/heads/main"})
	}
	require.Equal(t, exitGate, drifts("schedule", "price_cents: {type: integer}", "price_cents: {type: string}"), s.log)
	require.Contains(t, s.issue().Body, "price_cents")
	require.NotContains(t, s.issue().Body, "total_cents")
	require.Equal(t, []string{"POST issues"}, s.wrote())

	require.Equal(t, exitGate, drifts("workflow_dispatch", "total_cents: {type: integer}", "total_cents: {type: string}"), s.log)
	require.Contains(t, s.issue().Body, "total_cents")
	require.Equal(t, []string{"PATCH issues"}, s.wrote())
	require.Equal(t, "open", s.issue().State)

	s.push("carol", "main", func() { s.respecify("price_cents: {type: string}", "price_cents: {type: integer}") })
	require.Equal(t, exitOK, drifts("schedule", "total_cents: {type: string}", "total_cents: {type: integer}"), s.log)
	require.Contains(t, s.log, "No drift.")
	require.Equal(t, []string{"PATCH issues"}, s.wrote())
	require.Equal(t, "closed", s.issue().State)
}

// TestActDriftOfACapture is the drift workflow of "init --github": as it is
// written it verifies the approved state, and with the two edits that its
// comment asks for it compares a fresh recording with that.
func TestActDriftOfACapture(t *testing.T) {
	t.Parallel()
	s := newStory(t, "version: \"1.0\"\n")
	s.act = newAct(t, s)
	demo, err := filepath.Abs("demo")
	require.NoError(t, err)
	s.push("carol", "main", func() {
		s.caskmcp("init", "--github", "--revision", revision)
		s.caskmcp("capture", "import", filepath.Join(demo, "mugs.har"), "-a", shopAddr, "--name", "mugs")
		s.caskmcp("compile", "--name", "mugs")
		s.caskmcp("apply", "--auto-approve", "--by", "carol")
	})
	drifts := func(event string) int { return s.step("drift", event, map[string]any{"ref": "refs/heads/main"}) }
	require.Equal(t, exitOK, drifts("schedule"), s.log)
	require.Contains(t, s.log, "caskmcp check: mugs")

	record := func(har string) {
		doc, err := os.ReadFile(filepath.Join(demo, har))
		require.NoError(t, err)
		s.push("carol", "main", func() {
			s.write("recorded.har", string(doc))
			name := filepath.Join(".github", "workflows", "caskmcp-drift.yml")
			flow, err := os.ReadFile(filepath.Join(s.work, name))
			require.NoError(t, err)
			s.write(name, strings.NewReplacer(
				"      - uses: "+actionRepository, "      - run: cp recorded.har fresh.har\n      - uses: "+actionRepository,
				"          # capture: fresh.har", "          capture: fresh.har").Replace(string(flow)))
		})
	}
	record("mugs.har")
	require.Equal(t, exitOK, drifts("workflow_dispatch"), s.log)
	require.Contains(t, s.log, "No drift.")
	require.Empty(t, s.wrote())

	record("mugs-v2.har")
	require.Equal(t, exitGate, drifts("schedule"), s.log)
	require.Equal(t, "open", s.issue().State)
	require.Contains(t, s.issue().Title, "mugs")
	require.Equal(t, []string{"POST issues"}, s.wrote())
}
