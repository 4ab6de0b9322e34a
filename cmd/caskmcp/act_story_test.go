package main

import (
	"html"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tomallicino/caskmcp/internal/githubfake"
	"github.com/tomallicino/caskmcp/lockfile"
)

// ownStory is a story in a clone of this repository, whose own workflows run
// "uses: ./" on examples/shop.
func ownStory(t *testing.T) *story {
	actPrograms(t)
	s := emptyStory(t)
	s.folder = "examples/shop"
	cloneModule(t, s.work)
	s.git("carol", "remote", "set-url", "origin", s.bare)
	s.git("carol", "checkout", "-q", "-B", "main")
	s.git("carol", "push", "-q", "origin", "main")
	for _, b := range s.lock().Tools { // the story begins after what was approved
		at, err := time.Parse(time.RFC3339, b.Approval.At)
		require.NoError(t, err)
		require.NoError(t, s.fake.Advance(max(0, int(at.Sub(s.fake.State().Now).Seconds())+1)))
	}
	s.act = newAct(t, s)
	return s
}

// respecify changes the specification of examples/shop in the clone.
func (s *story) respecify(from, to string) {
	s.t.Helper()
	name := filepath.Join(s.at(), "openapi.yaml")
	doc, err := os.ReadFile(name)
	require.NoError(s.t, err)
	require.Equal(s.t, 1, strings.Count(string(doc), from), from)
	require.NoError(s.t, os.WriteFile(name, []byte(strings.Replace(string(doc), from, to, 1)), 0o644))
}

// deletion is one more operation of examples/shop, before the path /orders.
const deletion = `    delete:
      operationId: deleteMug
      summary: Takes a mug off the shelves.
      parameters: [{name: id, in: path, required: true, schema: {type: string, format: uuid}}]
      responses: {"204": {description: It is gone.}}
`

// TestActStory is the life of a pull request in this repository's own
// workflows: the plan, a review that does not count, one that does, a push
// after it, the merge queue, the merge, and a second run.
func TestActStory(t *testing.T) {
	t.Parallel()
	s := ownStory(t)
	before := s.lock()
	require.Len(t, before.Tools, 3)

	s.push("alice", "topic", func() {
		s.respecify("  /orders:\n", deletion+"  /orders:\n")
		s.caskmcp("openapi", "openapi.yaml", "--name", "shop")
		s.caskmcp("compile", "--name", "shop")
	})
	n := s.open("alice", "topic")
	require.Equal(t, exitOK, s.planned(n), s.log)
	require.Equal(t, "1 of 1 change lacks approval", s.requireStatus(n, "failure"))
	require.Contains(t, s.row(n, "delete_mug"), "🛑")
	require.Equal(t, []string{"POST statuses", "POST issues/comments"}, s.wrote())

	s.actReviews(n)
	s.actPushesAgain(n)
	s.actQueues(n)

	require.Equal(t, before, s.lock(), "nothing is applied before the merge")
	merge := s.merge(n, "bob", githubfake.MergeCommit)
	require.Equal(t, exitOK, s.pushed(), s.log)
	s.requireApplied(n, merge, before)

	head := s.main()
	require.Equal(t, exitOK, s.pushed(), s.log)
	require.Equal(t, head, s.main(), "a second run has nothing to do")
	require.Contains(t, s.log, "nothing to do")
	require.Empty(t, s.wrote())
	require.Len(t, s.fake.State().Pulls, 1, "nothing is left over")
}

// actReviews: a reader's approval counts for nothing, a writer's does.
func (s *story) actReviews(n int) {
	s.t.Helper()
	s.review(n, "eve", "APPROVED")
	require.Equal(s.t, exitOK, s.counted(n), s.log)
	require.Equal(s.t, "1 of 1 change lacks approval", s.requireStatus(n, "failure"))
	require.Contains(s.t, s.row(n, "delete_mug"), "🛑")
	require.Contains(s.t, s.comment(n), "<code>eve</code> may not write")
	require.Equal(s.t, []string{"PATCH issues/comments"}, s.wrote())

	s.review(n, "bob", "APPROVED")
	require.Equal(s.t, exitOK, s.counted(n), s.log)
	require.Equal(s.t, "1 change approved", s.requireStatus(n, "success"))
	require.Contains(s.t, s.row(n, "delete_mug"), "bob")
	require.Equal(s.t, []string{"POST statuses", "PATCH issues/comments"}, s.wrote())
}

// actPushesAgain: a push that changes another tool voids nothing but needs an
// approval of its own.
func (s *story) actPushesAgain(n int) {
	s.t.Helper()
	old := s.pull(n).SHA
	s.push("alice", "topic", func() { s.override("get_mug", "Returns one mug by its id.") })
	require.Equal(s.t, exitOK, s.planned(n), s.log)
	require.Equal(s.t, "1 of 2 changes lacks approval", s.requireStatus(n, "failure"))
	state, _ := s.status(old, "caskmcp/approval")
	require.Equal(s.t, "success", state, "the commit before is approved as it was")
	require.Contains(s.t, s.row(n, "delete_mug"), "bob")
	require.Contains(s.t, s.row(n, "get_mug"), "🛑")
	require.NotContains(s.t, s.row(n, "get_mug"), "bob")
	require.Equal(s.t, []string{"POST statuses", "PATCH issues/comments"}, s.wrote())

	s.review(n, "bob", "APPROVED")
	require.Equal(s.t, exitOK, s.counted(n), s.log)
	require.Equal(s.t, "2 changes approved", s.requireStatus(n, "success"))
	require.Equal(s.t, []string{"POST statuses", "PATCH issues/comments"}, s.wrote())
}

// actQueues: the merge group is as approved as its pull request.
func (s *story) actQueues(n int) {
	s.t.Helper()
	group := s.queue(n)
	require.Equal(s.t, exitOK, s.step("plan", "merge_group", s.groupPayload(n, group)), s.log)
	state, description := s.status(group, "caskmcp/approval")
	require.Equal(s.t, []string{"success", "2 changes approved"}, []string{state, description}, s.log)
	require.Equal(s.t, []string{"POST statuses"}, s.wrote())
}

// requireApplied looks at what apply made of the merge of pull request n.
func (s *story) requireApplied(n int, merge string, before *lockfile.Lock) {
	s.t.Helper()
	lock, head := s.lock(), s.main()
	require.Len(s.t, lock.Tools, 4, s.log)
	for _, name := range []string{"delete_mug", "get_mug"} {
		a := lock.Tools[name].Approval
		require.Equal(s.t, []any{lockfile.ViaReview, "bob", n, merge, s.pull(n).SHA}, []any{a.Via, a.By.Login, a.PR, a.Merge, a.Head}, name)
		require.NotZero(s.t, a.Review)
	}
	for _, name := range []string{"create_order", "list_mugs"} {
		require.Equal(s.t, before.Tools[name], lock.Tools[name], "what nobody changed stays as it was")
	}
	s.git("bob", "fetch", "-q", "origin")
	require.Equal(s.t, merge, s.git("bob", "rev-parse", head+"^@"), "one commit on the merge")
	for name := range strings.Lines(s.git("bob", "diff", "--name-only", merge, head)) {
		require.True(s.t, strings.HasPrefix(name, path.Join(s.folder, ".caskmcp/toolpacks/shop/lockfile")+"/"), name)
	}
	state, _ := s.status(head, "caskmcp/apply")
	require.Equal(s.t, "success", state)
	require.Contains(s.t, s.comment(n), "## ✅")
	require.Contains(s.t, s.comment(n), head[:7])
	require.Equal(s.t, []string{
		"POST git/blobs", "POST git/blobs", "POST git/blobs", // two definitions and the lockfile
		"POST git/trees", "POST git/commits", "PATCH git/refs/heads/main", "POST statuses", "PATCH issues/comments",
	}, s.wrote())
}

// comment is the one comment of ours in a pull request.
func (s *story) comment(n int) string {
	s.t.Helper()
	var body []string
	for _, c := range s.fake.State().Comments {
		if c.Issue == n && c.User == githubfake.ActionsLogin {
			body = append(body, c.Body)
		}
	}
	require.Len(s.t, body, 1, s.log)
	return html.UnescapeString(body[0])
}

// row is that of a change in the comment's table.
func (s *story) row(n int, name string) string {
	s.t.Helper()
	for line := range strings.Lines(s.comment(n)) {
		if strings.HasPrefix(line, "|") && strings.Contains(line, name) {
			return line
		}
	}
	s.t.Fatalf("no row of %s in\n%s", name, s.comment(n))
	return ""
}

// TestActDayOne is a maintainer alone, with a specification: init, a pull
// request, the merge queue, the merge, and the tools are served.
func TestActDayOne(t *testing.T) {
	t.Parallel()
	s := newStory(t, onlyReviews)
	s.act = newAct(t, s)
	s.push("carol", "main", func() {
		require.NoError(t, os.Remove(filepath.Join(s.work, "caskmcp.yaml")))
		s.caskmcp("init", "--github", "--allow-self", "--revision", revision)
	})
	s.push("carol", "tools", s.shop)
	n := s.open("carol", "tools")
	require.Equal(t, exitOK, s.planned(n), s.log)
	require.Equal(t, "an approver's merge approves 9 changes", s.requireStatus(n, "success"))
	group := s.queue(n)
	require.Equal(t, exitOK, s.step("plan", "merge_group", s.groupPayload(n, group)), s.log)
	state, _ := s.status(group, "caskmcp/approval")
	require.Equal(t, "success", state, s.log)
	require.Empty(t, s.lock().Tools)
	s.merge(n, "carol", githubfake.Squash)
	require.Equal(t, exitOK, s.pushed(), s.log)
	require.Len(t, s.lock().Tools, 3, s.log)
	require.Equal(t, lockfile.ViaSelf, s.lock().Tools["list_mugs"].Approval.Via)
	require.Contains(t, s.served("carol"), `"name":"list_mugs"`)
}

// TestActFork is a pull request from a fork in the workflows of "init
// --github": its own runs write nothing, the second stage does.
func TestActFork(t *testing.T) {
	t.Parallel()
	s := newStory(t, onlyReviews)
	s.act = newAct(t, s)
	s.push("carol", "main", func() { s.caskmcp("init", "--github", "--revision", revision) })
	require.NoError(t, s.fake.AddUser(githubfake.User{Login: "mallory", Permission: "read"}))
	sha := s.push("mallory", "patch-1", s.shop)
	n, err := s.fake.OpenPull(githubfake.Pull{Title: "Tools", Author: "mallory", Head: "patch-1", Fork: true, SHA: sha})
	require.NoError(t, err)
	s.git("mallory", "push", "-q", "origin", "--delete", "patch-1") // it is in the fork

	s.token = githubfake.ForkToken
	require.Equal(t, exitOK, s.planned(n), s.log)
	require.Contains(t, s.log, "create_order", "the summary has the plan")
	require.Contains(t, s.log, "comes from a fork")
	require.Empty(t, s.wrote())

	s.token = githubfake.Token
	require.Equal(t, exitOK, s.second(n, "pull_request"), s.log)
	require.Equal(t, "9 of 9 changes lack approval", s.requireStatus(n, "failure"))
	require.Equal(t, []string{"POST statuses", "POST issues/comments"}, s.wrote())

	s.review(n, "bob", "APPROVED")
	s.token = githubfake.ForkToken
	require.Equal(t, exitOK, s.counted(n), s.log)
	require.Empty(t, s.wrote())
	s.token = githubfake.Token
	require.Equal(t, exitOK, s.second(n, "pull_request_review"), s.log)
	require.Equal(t, "9 changes approved", s.requireStatus(n, "success"))
	require.Contains(t, s.comment(n), "bob")

	merge := s.merge(n, "bob", githubfake.Squash)
	require.Equal(t, exitOK, s.pushed(), s.log)
	require.Len(t, s.lock().Tools, 3, s.log)
	require.Equal(t, merge, s.lock().Tools["get_mug"].Approval.Merge)
}
