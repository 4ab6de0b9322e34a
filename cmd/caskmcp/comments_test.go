package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tomallicino/caskmcp/internal/githubfake"
)

// parts is the configuration of a second toolpack with one tool.
func (s *story) parts() {
	s.t.Helper()
	s.write("parts.yaml", `openapi: 3.1.0
info: {title: Parts, version: "1"}
servers: [{url: https://api.parts.example}]
paths:
  /parts:
    get:
      operationId: listParts
      responses:
        "200":
          description: The parts.
          content: {application/json: {schema: {type: object, properties: {total: {type: integer}}}}}
`)
	s.caskmcp("openapi", "parts.yaml", "--name", "parts")
	s.caskmcp("compile", "--name", "parts")
}

// comments of a pull request by key, those of ours only.
func (s *story) comments(n int) map[string]githubfake.Comment {
	s.t.Helper()
	ours := map[string]githubfake.Comment{}
	for _, c := range s.fake.State().Comments {
		if c.Issue == n && c.User == githubfake.ActionsLogin {
			_, key, _ := strings.Cut(c.Body, "key=")
			key, _, _ = strings.Cut(key, " ")
			require.NotContains(s.t, ours, key, "two comments with one key")
			ours[key] = c
		}
	}
	return ours
}

// TestOneCommentForAllToolpacks, which the comments of versions that wrote one
// for each become; those of others are left alone.
func TestOneCommentForAllToolpacks(t *testing.T) {
	t.Parallel()
	s := newStory(t, onlyReviews)
	s.push("alice", "topic", func() { s.shop(); s.parts() })
	n := s.open("alice", "topic")
	var first int64
	for i, who := range []string{"alice", githubfake.ActionsLogin, githubfake.ActionsLogin, githubfake.ActionsLogin} {
		body := []string{"<!-- caskmcp:plan v=1 key=parts -->\nplanted", "<!-- caskmcp:plan v=1 key=parts head=1 -->\nold", "<!-- caskmcp:plan v=1 key=shop head=1 -->\nold", "<!-- caskmcp:drift v=1 key=shop -->\nanother kind"}[i]
		id, err := s.fake.AddComment(githubfake.Comment{Issue: n, User: who, Body: body})
		require.NoError(t, err)
		if i == 1 {
			first = id
		}
	}
	require.Equal(t, exitOK, s.planned(n), s.log)
	ours := s.comments(n)
	require.Len(t, ours, 2)
	require.Equal(t, "<!-- caskmcp:drift v=1 key=shop -->\nanother kind", ours["shop"].Body)
	all := ours["default"]
	require.Equal(t, first, all.ID, "the oldest of ours is edited")
	require.Len(t, s.fake.State().Comments, 3)
	require.Equal(t, "<!-- caskmcp:plan v=1 key=parts -->\nplanted", s.fake.State().Comments[0].Body)
	for _, text := range []string{all.Body, s.summary} {
		require.Equal(t, 1, strings.Count(text, "## 🛑"))
		require.Contains(t, text, "2 toolpacks")
		require.Contains(t, text, "### Needs approval in <code>parts</code>")
		require.Contains(t, text, "### Needs approval in <code>shop</code>")
		require.Contains(t, text, "<code>list&#95;parts</code>")
	}
	require.LessOrEqual(t, strings.Count(s.log, "::warning")+strings.Count(s.log, "::notice"), 10, "annotations of all together")

	s.review(n, "bob", "APPROVED")
	require.Equal(t, exitOK, s.counted(n), s.log)
	s.requireStatus(n, "success")
	require.Contains(t, s.comments(n)["default"].Body, "## 🟢")
	s.merge(n, "bob", githubfake.Squash)
	require.Equal(t, exitOK, s.pushed(), s.log)
	applied := s.comments(n)["default"].Body
	require.Contains(t, applied, "## ✅ caskmcp plan: applied in <code>"+s.main()[:7])
	require.Contains(t, applied, "| <code>parts</code> | ✅ applied |")
	require.Contains(t, applied, "| <code>shop</code> | ✅ applied |")
}

// TestToolpackOfItsOwnWorkflow restricts what a run reports, in a comment of its
// own, but not the status: it belongs to the whole pull request.
func TestToolpackOfItsOwnWorkflow(t *testing.T) {
	t.Parallel()
	s := newStory(t, onlyReviews)
	s.push("alice", "topic", func() { s.shop(); s.parts() })
	n := s.open("alice", "topic")
	_, err := s.fake.AddComment(githubfake.Comment{Issue: n, User: githubfake.ActionsLogin, Body: "<!-- caskmcp:plan v=1 key=parts head=1 -->\nold"})
	require.NoError(t, err)
	require.Equal(t, exitOK, s.planned(n), s.log)
	whole := s.requireStatus(n, "failure")
	everything := s.comments(n)["default"]

	require.Equal(t, exitOK, s.planned(n, "CASKMCP_TOOLPACK=.caskmcp/toolpacks/parts"), s.log)
	require.Equal(t, whole, s.requireStatus(n, "failure"))
	ours := s.comments(n)
	require.Len(t, ours, 2)
	require.Equal(t, everything, ours["default"])
	for _, text := range []string{ours["toolpack:parts"].Body, s.summary, s.log} {
		require.NotContains(t, text, "order")
	}
	require.Contains(t, ours["toolpack:parts"].Body, "Toolpack <code>parts</code>")

	s.review(n, "bob", "APPROVED")
	require.Equal(t, exitOK, s.counted(n), s.log)
	s.merge(n, "bob", githubfake.Squash)
	require.Equal(t, exitOK, s.pushed(), s.log)
	for _, key := range []string{"default", "toolpack:parts"} {
		require.Contains(t, s.comments(n)[key].Body, "## ✅ caskmcp plan: applied", key)
	}
	require.Contains(t, s.comments(n)["default"].Body, "shop")
	require.NotContains(t, s.comments(n)["toolpack:parts"].Body, "shop")

	s.push("alice", "more", func() { s.override("get_mug", "Returns one mug by its id.") })
	require.Equal(t, exitError, s.planned(s.open("alice", "more"), "CASKMCP_TOOLPACK=prats"), s.log)
	require.Contains(t, s.log, "parts, shop")
}

// TestCommentSaysWhatElseKeepsItRed: a comment that says approved under a red
// check would be worse than none.
func TestCommentSaysWhatElseKeepsItRed(t *testing.T) {
	t.Parallel()
	const carols = onlyReviews + "  approvers:\n    safe: [bob]\n    critical: [carol]\n"
	s := newStory(t, carols)
	s.push("alice", "topic", func() { s.write("caskmcp.yaml", carols+"  allow_self: true\n") })
	n := s.open("alice", "topic")
	require.Equal(t, exitOK, s.planned(n), s.log)
	s.requireStatus(n, "failure")
	text := s.comments(n)["default"].Body
	require.Contains(t, text, "## 🛑 caskmcp plan: 1 of 1 change needs approval")
	require.Contains(t, text, "| 🛑&nbsp;0&nbsp;of&nbsp;1<br><code>carol</code> | `~` settings <code>caskmcp.yaml</code>")
	require.Contains(t, text, "! /allow_self: false -> true")
	s.review(n, "carol", "APPROVED")
	require.Equal(t, exitOK, s.counted(n), s.log)
	s.requireStatus(n, "success")
	require.Contains(t, s.comments(n)["default"].Body, "## 🟢")

	s.push("alice", "forged", func() {
		s.parts()
		s.write("caskmcp.yaml", "version: \"1.0\"\n")
		s.caskmcp("apply", "--auto-approve", "--by", "alice")
		s.write("caskmcp.yaml", carols)
	})
	n = s.open("alice", "forged")
	require.Equal(t, exitGate, s.planned(n), s.log)
	s.requireStatus(n, "failure")
	require.Contains(t, s.comments(n)["default"].Body, "## 🛑 caskmcp plan: refused, and no review can approve it")
	require.Contains(t, s.comments(n)["default"].Body, "edits the lockfile by hand")
}

// TestToolpackRemoved says so in the comment that is there.
func TestToolpackRemoved(t *testing.T) {
	t.Parallel()
	s := newStory(t, onlyReviews)
	s.push("alice", "topic", s.parts)
	n := s.open("alice", "topic")
	require.Equal(t, exitOK, s.planned(n), s.log)
	require.Contains(t, s.comments(n)["default"].Body, "list&#95;parts")
	s.push("alice", "topic", func() { s.git("alice", "rm", "-rq", ".caskmcp/toolpacks") })
	require.Equal(t, exitOK, s.planned(n), s.log)
	require.Contains(t, s.comments(n)["default"].Body, "caskmcp plan: no toolpack")
	require.Contains(t, s.summary, "caskmcp plan: no toolpack")
}
