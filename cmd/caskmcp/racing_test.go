package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tomallicino/caskmcp/internal/githubfake"
)

// Two pull requests that change one tool, each reviewed alone, make a third
// definition when both are merged. Nobody was shown that one, so it waits for a
// review; what the second changes elsewhere does not.
func TestRacingPullRequests(t *testing.T) {
	for _, kind := range []string{githubfake.MergeCommit, githubfake.Squash, githubfake.Rebase} {
		t.Run(kind, func(t *testing.T) {
			s := newStory(t, onlyReviews)
			// Lines in between let git merge changes of the same tool.
			texts := func(edits ...string) func() {
				return func() {
					path := filepath.Join(s.work, ".caskmcp/toolpacks/shop/toolpack.yaml")
					doc, err := os.ReadFile(path)
					require.NoError(t, err)
					require.NoError(t, os.WriteFile(path, []byte(strings.NewReplacer(edits...).Replace(string(doc))), 0o644))
				}
			}
			s.push("alice", "first", func() {
				s.shop()
				path := filepath.Join(s.work, ".caskmcp/toolpacks/shop/toolpack.yaml")
				doc, err := os.ReadFile(path)
				require.NoError(t, err)
				require.NotContains(t, string(doc), "\ntools:")
				text := string(doc) + "\ntools:\n  get_mug:\n    title: One\n" + strings.Repeat("    #\n", 8) + "    description: Two.\n" +
					strings.Repeat("  #\n", 8) + "  list_mugs:\n    description: Three.\n"
				require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
			})
			n := s.open("alice", "first")
			require.Equal(t, exitOK, s.planned(n), s.log)
			s.review(n, "bob", "APPROVED")
			s.merge(n, "bob", kind)
			require.Equal(t, exitOK, s.pushed(), s.log)

			s.push("alice", "one", texts("title: One", "title: Uno"))
			s.push("alice", "two", texts("description: Two.", "description: Due.", "description: Three.", "description: Tre."))
			one, two := s.open("alice", "one"), s.open("alice", "two")
			for _, n := range []int{one, two} {
				require.Equal(t, exitOK, s.planned(n), s.log)
				s.review(n, "bob", "APPROVED")
				require.Equal(t, exitOK, s.counted(n), s.log)
				s.requireStatus(n, "success")
			}
			merged := s.merge(one, "bob", kind)
			require.Equal(t, exitOK, s.pushed(), s.log)
			require.Equal(t, merged, s.lock().Tools["get_mug"].Approval.Merge)

			// Counted anew, the second is red for the one tool.
			require.Equal(t, exitOK, s.counted(two), s.log)
			require.Equal(t, "1 of 2 changes lacks approval", s.requireStatus(two, "failure"))

			// Merged all the same, only the other tool is applied.
			second := s.merge(two, "bob", kind)
			require.Equal(t, exitGate, s.pushed(), s.log)
			require.Equal(t, merged, s.lock().Tools["get_mug"].Approval.Merge)
			require.Equal(t, second, s.lock().Tools["list_mugs"].Approval.Merge)
		})
	}
}

// A review that was given while the plan failed saw nothing, also when the base
// is set right afterwards.
func TestReviewOfAFailedPlan(t *testing.T) {
	s := newStory(t, onlyReviews)
	text := func(old, now string) func() {
		return func() {
			path := filepath.Join(s.work, ".caskmcp/toolpacks/shop/toolpack.yaml")
			doc, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Contains(t, string(doc), old)
			require.NoError(t, os.WriteFile(path, []byte(strings.Replace(string(doc), old, now, 1)), 0o644))
		}
	}
	s.push("alice", "first", func() { s.shop(); s.override("get_mug", "One.") })
	n := s.open("alice", "first")
	require.Equal(t, exitOK, s.planned(n), s.log)
	s.review(n, "bob", "APPROVED")
	s.merge(n, "bob", githubfake.Squash)
	require.Equal(t, exitOK, s.pushed(), s.log)

	s.push("alice", "late", text("One.", "Late."))
	s.push("alice", "other", text("One.", "Other."))
	s.merge(s.open("alice", "other"), "bob", githubfake.Squash)
	late := s.open("alice", "late")
	require.NotEqual(t, exitOK, s.planned(late), "it conflicts with its base")
	s.review(late, "bob", "APPROVED")

	s.push("alice", "back", text("Other.", "One."))
	s.merge(s.open("alice", "back"), "bob", githubfake.Squash)
	s.merge(late, "bob", githubfake.Squash)
	require.Equal(t, exitGate, s.pushed(), s.log)
	require.Equal(t, n, s.lock().Tools["get_mug"].Approval.PR)
}
