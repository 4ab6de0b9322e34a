package github_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tomallicino/caskmcp/apply"
	"github.com/tomallicino/caskmcp/github"
	"github.com/tomallicino/caskmcp/internal/githubfake"
	"github.com/tomallicino/caskmcp/surface"
)

func TestPull(t *testing.T) {
	w := newWorld(t)
	c := w.client(githubfake.Token)
	n := w.pull("feature", "alice")
	w.commit("feature", "bob", map[string]string{"more.txt": "more\n"})
	p, err := c.Pull(t.Context(), n)
	require.NoError(t, err)
	require.True(t, p.Open)
	require.False(t, p.Fork)
	require.Equal(t, "main", p.BaseRef)
	require.Equal(t, w.tip("feature"), p.Head)
	require.Equal(t, w.tip("main"), p.Base)
	require.Equal(t, apply.Person{Login: "alice", ID: 1}, p.Author)
	require.Equal(t, []apply.Person{{Login: "alice", ID: 1}, {Login: "bob", ID: 2}}, p.Contributors)
	require.Empty(t, p.Merge)
	require.Nil(t, p.MergedBy)

	_, err = c.Pull(t.Context(), 99)
	require.ErrorIs(t, err, github.ErrNotFound)
}

// Who pushed a commit is in none of its fields.
func TestPushers(t *testing.T) {
	w := newWorld(t)
	n := w.pull("feature", "alice")
	first := w.tip("feature")
	second := w.commit("feature", "stranger", map[string]string{"more.txt": "more\n"})
	require.NoError(t, w.fake.Pushed("alice", "feature", "", first))
	require.NoError(t, w.fake.Pushed("mallory", "feature", first, second))
	for range 205 { // of other branches and commits, on several pages
		require.NoError(t, w.fake.Pushed("bob", "other", "", second))
		require.NoError(t, w.fake.Pushed("bob", "feature", first, w.tip("main")))
	}
	p, err := w.client(githubfake.ForkToken).Pull(t.Context(), n)
	require.NoError(t, err)
	require.Equal(t, []apply.Person{{Login: "alice", ID: 1}}, p.Contributors)
	require.Equal(t, []apply.Person{{Login: "mallory", ID: 4}, {Login: "alice", ID: 1}}, p.Pushers)

	for _, code := range []int{403, 404} {
		require.NoError(t, w.fake.AddFault(githubfake.Fault{Path: "/activity", Times: 1, Status: code}))
		p, err = w.client(githubfake.Token).Pull(t.Context(), n)
		require.NoError(t, err)
		require.Empty(t, p.Pushers, "it does not tell")
	}
	require.NoError(t, w.fake.AddFault(githubfake.Fault{Path: "/activity", Times: 1, Status: 422}))
	_, err = w.client(githubfake.Token).Pull(t.Context(), n)
	require.ErrorContains(t, err, "reading who pushed to pull request 1")
}

func TestPullFromFork(t *testing.T) {
	w := newWorld(t)
	sha := w.commit("theirs", "mallory", map[string]string{"x": "x\n"})
	n, err := w.fake.OpenPull(githubfake.Pull{Title: "x", Author: "mallory", Head: "patch-1", SHA: sha, Fork: true})
	require.NoError(t, err)
	p, err := w.client(githubfake.ForkToken).Pull(t.Context(), n)
	require.NoError(t, err)
	require.True(t, p.Fork)
	require.Equal(t, sha, p.Head)
	require.Equal(t, sha, w.git("", "rev-parse", fmt.Sprintf("refs/pull/%d/head", n)))

	numbers, err := w.client(githubfake.Token).OpenPullsFrom(t.Context(), "mallory", "patch-1")
	require.NoError(t, err)
	require.Equal(t, []int{n}, numbers)
	for _, other := range []string{"patch-2", "mallory:patch-1"} {
		numbers, err = w.client(githubfake.Token).OpenPullsFrom(t.Context(), "mallory", other)
		require.NoError(t, err)
		require.Empty(t, numbers)
	}
	numbers, err = w.client(githubfake.Token).OpenPullsOfCommit(t.Context(), sha)
	require.NoError(t, err)
	require.Empty(t, numbers, "only the fork has the commit")
}

// GitHub lists 250 commits of a pull request: whoever has the others in it is
// unknown, so nobody's review can be said to be independent.
func TestPullWithTooManyCommits(t *testing.T) {
	w := newWorld(t)
	var in strings.Builder
	from := w.tip("main")
	for i := range 251 {
		fmt.Fprintf(&in, "commit refs/heads/long\ncommitter alice <alice@users.noreply.github.com> %d +0000\ndata 1\nx\n", 1795338000+i)
		if i == 0 {
			fmt.Fprintf(&in, "from %s\n", from)
		}
		in.WriteString("\n")
	}
	w.git(in.String(), "fast-import", "--quiet")
	n, err := w.fake.OpenPull(githubfake.Pull{Title: "long", Author: "alice", Head: "long"})
	require.NoError(t, err)
	_, err = w.client(githubfake.Token).Pull(t.Context(), n)
	require.ErrorContains(t, err, "GitHub lists 250 of 251")
}

func TestMergeKinds(t *testing.T) {
	for _, kind := range []string{githubfake.MergeCommit, githubfake.Squash, githubfake.Rebase} {
		t.Run(kind, func(t *testing.T) {
			w := newWorld(t)
			c := w.client(githubfake.Token)
			n := w.pull("feature", "alice")
			w.commit("feature", "bob", map[string]string{"more.txt": "more\n"})
			w.commit("main", "alice", map[string]string{"direct.txt": "direct\n"})
			head, base := w.tip("feature"), w.tip("main")
			sha, err := w.fake.MergePull(githubfake.Merging{Pull: n, Kind: kind, By: "bob"})
			require.NoError(t, err)
			require.Equal(t, sha, w.tip("main"))

			p, err := c.Pull(t.Context(), n)
			require.NoError(t, err)
			require.False(t, p.Open)
			require.Equal(t, sha, p.Merge)
			require.Equal(t, head, p.Head)
			require.Equal(t, "bob", p.MergedBy.Login)
			require.False(t, p.MergedAt.IsZero())
			require.Len(t, p.Contributors, 2)
			for _, name := range []string{"feature.txt", "more.txt", "direct.txt"} {
				w.git("", "cat-file", "-e", "main:"+name)
			}
			// Every commit that landed leads to the pull request, the direct one
			// to none, and the other branch to none.
			for _, landed := range strings.Fields(w.git("", "rev-list", "--first-parent", base+"..main")) {
				numbers, err := c.PullsOfCommit(t.Context(), landed, "main")
				require.NoError(t, err)
				require.Equal(t, []int{n}, numbers)
			}
			numbers, err := c.PullsOfCommit(t.Context(), base, "main")
			require.NoError(t, err)
			require.Empty(t, numbers)
			numbers, err = c.PullsOfCommit(t.Context(), sha, "release")
			require.NoError(t, err)
			require.Empty(t, numbers)
		})
	}
}

func TestReviewsOfEveryPage(t *testing.T) {
	w := newWorld(t)
	c := w.client(githubfake.Token)
	n := w.pull("feature", "alice")
	first := w.tip("feature")
	const many = 105
	var last int64
	for range many {
		id, err := w.fake.AddReview(githubfake.Review{Pull: n, User: "bob", State: apply.ReviewCommented})
		require.NoError(t, err)
		last = id
	}
	w.commit("feature", "alice", map[string]string{"x": "x\n"})
	_, err := w.fake.AddReview(githubfake.Review{Pull: n, User: "bob", State: apply.ReviewApproved})
	require.NoError(t, err)
	require.NoError(t, w.fake.DismissReview(last))
	reviews, err := c.Reviews(t.Context(), n)
	require.NoError(t, err)
	require.Len(t, reviews, many+1)
	require.Equal(t, apply.ReviewDismissed, reviews[many-1].State)
	require.Equal(t, first, reviews[0].Commit)
	require.Equal(t, w.tip("feature"), reviews[many].Commit)
	require.Equal(t, apply.ReviewApproved, reviews[many].State)
	require.True(t, reviews[many].At.After(reviews[0].At))
	require.Equal(t, apply.Person{Login: "bob", ID: 2}, reviews[0].User)
}

func TestQualify(t *testing.T) {
	w := newWorld(t)
	require.NoError(t, w.fake.SetTeam("acme/security", "alice", "mallory", "bob:pending"))
	rules := apply.Rules{Approvers: map[surface.Risk][]string{surface.High: {"@Acme/Security", "alice"}}}
	reviews := func() []apply.Review {
		var list []apply.Review
		for _, login := range []string{"alice", "bob", "mallory", "alice", "stranger"} {
			list = append(list, apply.Review{User: apply.Person{Login: login}})
		}
		return append(list, apply.Review{User: apply.Person{Login: "helper[bot]", Bot: true}}, apply.Review{})
	}
	list := reviews()
	merger := apply.Person{Login: "bob"}
	require.NoError(t, w.client(githubfake.AppToken).Qualify(t.Context(), rules, &apply.Pull{MergedBy: &merger}, list))
	require.Equal(t, "write", list[0].User.Permission)
	require.Equal(t, []string{"Acme/Security"}, list[0].User.Teams)
	require.Equal(t, list[0].User, list[3].User)
	require.Equal(t, "write", list[1].User.Permission, "maintain is reported as write")
	require.Empty(t, list[1].User.Teams, "an invitation is no membership")
	require.Empty(t, list[1].User.Unread)
	require.Equal(t, "read", list[2].User.Permission, "triage is reported as read")
	require.Equal(t, "none", list[4].User.Permission)
	require.Empty(t, list[5].User.Permission)
	require.Equal(t, list[1].User, merger)

	// A job's own token may not read teams: nobody is known to be in one.
	list = reviews()
	require.NoError(t, w.client(githubfake.Token).Qualify(t.Context(), rules, &apply.Pull{}, list))
	require.Equal(t, "write", list[0].User.Permission)
	require.Empty(t, list[0].User.Teams)
	require.Equal(t, []string{"Acme/Security"}, list[0].User.Unread)
}

func TestStatuses(t *testing.T) {
	w := newWorld(t)
	c, app := w.client(githubfake.Token), w.client(githubfake.AppToken)
	sha := w.tip("main")
	const context = "caskmcp/approval"
	set := func(c *github.Client, s github.Status) bool {
		changed, err := c.SetStatus(t.Context(), sha, s)
		require.NoError(t, err)
		return changed
	}
	require.True(t, set(app, github.Status{Context: context, State: github.Pending, Description: "forged early"}))
	require.True(t, set(c, github.Status{Context: "other", State: github.Success}))
	red := github.Status{Context: context, State: github.Failure, Description: "0 of 1", URL: "https://ci.example/run"}
	require.True(t, set(c, red))
	require.False(t, set(c, red), "it says so already")
	require.True(t, set(c, github.Status{Context: context, State: github.Success, Description: strings.Repeat("ü", 500)}))
	require.True(t, set(c, red), "the last one holds")
	list, err := c.Statuses(t.Context(), sha)
	require.NoError(t, err)
	require.Len(t, list, 5)
	require.Equal(t, red.Description, list[0].Description)
	require.Equal(t, githubfake.ActionsLogin, list[0].Creator.Login)
	require.Len(t, []rune(list[1].Description), 140)
	require.Equal(t, list[4].At, github.FirstStatus(list, context, githubfake.ActionsLogin, githubfake.AppLogin))
	require.Equal(t, list[2].At, github.FirstStatus(list, context, githubfake.ActionsLogin))
	require.True(t, github.FirstStatus(list, "never", githubfake.ActionsLogin).IsZero())
	require.True(t, github.FirstStatus(list, context, "").IsZero(), "nobody is asked")

	_, err = c.SetStatus(t.Context(), strings.Repeat("1", 40), red)
	require.ErrorContains(t, err, "No commit found")
}

const marker = "<!-- caskmcp:plan v=1 key=default "

func comment(n int, head, text string) github.Comment {
	return github.Comment{Pull: n, Head: head, Sticky: github.Sticky{Marker: marker}, Body: marker + "-->\n" + text}
}

func TestUpsertComment(t *testing.T) {
	w := newWorld(t)
	c := w.client(githubfake.Token)
	n := w.pull("feature", "alice")
	head := w.tip("feature")
	upsert := func(want github.Comment) github.Written {
		got, err := c.UpsertComment(t.Context(), want)
		require.NoError(t, err)
		return got
	}
	quiet := comment(n, head, "no changes")
	quiet.EditOnly = true
	require.Equal(t, github.Absent, upsert(quiet).Action)
	require.Empty(t, w.fake.State().Comments)

	// Somebody plants our marker; it is not ours.
	for _, who := range []string{"mallory", "helper[bot]"} {
		_, err := w.fake.AddComment(githubfake.Comment{Issue: n, User: who, Body: marker + "-->\nall is well"})
		require.NoError(t, err)
	}
	for range 101 {
		_, err := w.fake.AddComment(githubfake.Comment{Issue: n, User: "bob", Body: "hm"})
		require.NoError(t, err)
	}
	made := upsert(comment(n, head, "one"))
	require.Equal(t, github.Created, made.Action)
	require.Equal(t, github.ActionsLogin, made.Author)
	require.Equal(t, github.Unchanged, upsert(comment(n, head, "one")).Action)
	edited := upsert(comment(n, head, "two"))
	require.Equal(t, github.Updated, edited.Action)
	require.Equal(t, made.URL, edited.URL)
	require.Equal(t, github.Updated, upsert(quiet).Action)

	// The app's own are ours where it is named.
	_, err := w.fake.AddComment(githubfake.Comment{Issue: n, User: githubfake.AppLogin, Body: marker + "-->\napp"})
	require.NoError(t, err)
	require.Equal(t, github.Unchanged, upsert(quiet).Action)
	require.Len(t, w.fake.State().Comments, 105)
	c.SetApp(githubfake.AppLogin)
	require.Equal(t, github.Unchanged, upsert(quiet).Action)
	require.Len(t, w.fake.State().Comments, 104, "and of two, the younger goes")
	c.SetApp("")

	// A second one of ours goes; those of others stay as they are.
	_, err = w.fake.AddComment(githubfake.Comment{Issue: n, User: githubfake.ActionsLogin, Body: marker + "-->\ntwin"})
	require.NoError(t, err)
	require.Equal(t, github.Unchanged, upsert(quiet).Action)
	list := w.fake.State().Comments
	require.Len(t, list, 104)
	require.Equal(t, marker+"-->\nall is well", list[0].Body)
	require.Zero(t, list[0].Edits+list[1].Edits)
	require.Equal(t, quiet.Body, list[103].Body)
}

// What is about an older head is not written any more.
func TestCommentAboutAnOlderHead(t *testing.T) {
	w := newWorld(t)
	n := w.pull("feature", "alice")
	head := w.tip("feature")
	w.commit("feature", "alice", map[string]string{"x": "x\n"})
	_, err := w.client(githubfake.Token).UpsertComment(t.Context(), comment(n, head, "old"))
	require.ErrorIs(t, err, github.ErrMoved)
	require.Empty(t, w.fake.State().Writes)
}

func TestCommentsThatAreRefused(t *testing.T) {
	w := newWorld(t)
	n := w.pull("feature", "alice")
	head := w.tip("feature")
	_, err := w.client(githubfake.ForkToken).UpsertComment(t.Context(), comment(n, head, "one"))
	require.ErrorIs(t, err, github.ErrForbidden)
	require.ErrorContains(t, err, "Resource not accessible by integration")
	_, err = w.client("wrong").UpsertComment(t.Context(), comment(n, head, "one"))
	require.ErrorIs(t, err, github.ErrForbidden)
	_, err = w.client(githubfake.Token).UpsertComment(t.Context(), comment(n, head, strings.Repeat("x", github.MaxBody)))
	require.ErrorContains(t, err, "more than the 65536")
	bare := comment(n, head, "")
	bare.Body = "no marker"
	_, err = w.client(githubfake.Token).UpsertComment(t.Context(), bare)
	require.ErrorContains(t, err, "does not begin with its marker")
	require.Empty(t, w.fake.State().Comments)
}

func files(path, text string) []github.File { return []github.File{{Path: path, Data: []byte(text)}} }

func TestCommitFiles(t *testing.T) {
	w := newWorld(t)
	c := w.client(githubfake.Token)
	parent := w.commit("main", "alice", map[string]string{"old/a.json": "{}\n", "old/b.json": "{}\n"})
	sha, err := c.CommitFiles(t.Context(), github.Commit{Branch: "main", Parent: parent, Message: "caskmcp: apply", Files: []github.File{
		{Path: "state/lock.yaml", Data: []byte("version: \"1.0\"\n")}, {Path: "state/binary", Data: []byte{0xff, 0, 1}}, {Path: "old/a.json", Remove: true},
	}})
	require.NoError(t, err)
	require.Equal(t, sha, w.tip("main"))
	require.Equal(t, parent, w.git("", "rev-parse", "main^"))
	require.Equal(t, "README.md\nold/b.json\nstate/binary\nstate/lock.yaml", w.git("", "ls-tree", "-r", "--name-only", "main"))
	require.Equal(t, `version: "1.0"`, w.git("", "show", "main:state/lock.yaml"))
	require.Equal(t, "3", w.git("", "cat-file", "-s", "main:state/binary"))
	require.Equal(t, githubfake.ActionsLogin, w.git("", "show", "-s", "--format=%an", "main"))

	// The same again is nothing to do.
	again, err := c.CommitFiles(t.Context(), github.Commit{Branch: "main", Parent: sha, Message: "x", Files: files("state/lock.yaml", "version: \"1.0\"\n")})
	require.NoError(t, err)
	require.Equal(t, sha, again)
	none, err := c.CommitFiles(t.Context(), github.Commit{Branch: "main", Parent: sha, Message: "x"})
	require.NoError(t, err)
	require.Equal(t, sha, none)
	require.Equal(t, sha, w.tip("main"))
}

// The branch moved on between plan and commit, also when it was forced
// elsewhere.
func TestCommitOnABranchThatMoved(t *testing.T) {
	for name, move := range map[string]func(w *world){
		"set back": func(w *world) { w.git("", "update-ref", "refs/heads/main", "main^") },
		"pushed":   func(w *world) { w.commit("main", "alice", map[string]string{"x": "x\n"}) },
		"forced": func(w *world) {
			w.git("", "update-ref", "refs/heads/main", w.commit("elsewhere", "alice", map[string]string{"y": "y\n"}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			parent := w.commit("main", "alice", map[string]string{"last": "last\n"})
			move(w)
			now := w.tip("main")
			_, err := w.client(githubfake.Token).CommitFiles(t.Context(), github.Commit{Branch: "main", Parent: parent, Message: "x", Files: files("lock", "1")})
			require.ErrorIs(t, err, github.ErrMoved)
			require.Equal(t, now, w.tip("main"))
			tip, err := w.client(githubfake.Token).Branch(t.Context(), "main")
			require.NoError(t, err)
			require.Equal(t, now, tip)
			_, err = w.client(githubfake.Token).CommitFiles(t.Context(), github.Commit{Branch: "main", Parent: tip, Message: "x", Files: files("lock", "1")})
			require.NoError(t, err)
		})
	}
}

// The branch moves in the last moment, between looking and writing.
func TestCommitThatLosesTheRace(t *testing.T) {
	w := newWorld(t)
	parent := w.tip("main")
	require.NoError(t, w.fake.AddFault(githubfake.Fault{Method: "PATCH", Path: "/git/refs", Times: 1, Status: 502}))
	var once sync.Once
	c, err := github.New(github.Options{BaseURL: w.url, Repository: "acme/tools", Token: githubfake.Token, Sleep: func(context.Context, time.Duration) error {
		once.Do(func() { w.commit("main", "alice", map[string]string{"x": "x\n"}) })
		return nil
	}})
	require.NoError(t, err)
	_, err = c.CommitFiles(t.Context(), github.Commit{Branch: "main", Parent: parent, Message: "x", Files: files("lock", "1")})
	require.ErrorIs(t, err, github.ErrMoved)
	require.Equal(t, "x", w.git("", "show", "main:x"))
}

func TestCommitThatRulesRefuse(t *testing.T) {
	w := newWorld(t)
	require.NoError(t, w.fake.Protect("main"))
	commit := github.Commit{Branch: "main", Parent: w.tip("main"), Message: "x", Files: files("lock", "1")}
	_, err := w.client(githubfake.Token).CommitFiles(t.Context(), commit)
	require.ErrorIs(t, err, github.ErrProtected)
	require.NotErrorIs(t, err, github.ErrMoved)
	_, err = w.client(githubfake.ForkToken).CommitFiles(t.Context(), commit)
	require.ErrorIs(t, err, github.ErrForbidden)
	_, err = w.client(githubfake.AppToken).CommitFiles(t.Context(), commit)
	require.NoError(t, err)
}

// The delivery branch is ours: it is made, and set anew each time.
func TestDeliveryByPullRequest(t *testing.T) {
	w := newWorld(t)
	c := w.client(githubfake.Token)
	deliver := func(text string) (string, github.Written) {
		sha, err := c.CommitFiles(t.Context(), github.Commit{Branch: "caskmcp/apply", Parent: w.tip("main"), Message: "x", Files: files("lock", text), Own: true})
		require.NoError(t, err)
		pr, err := c.OpenOrUpdatePull(t.Context(), github.PullRequest{Branch: "caskmcp/apply", Base: "main", Title: "Apply", Body: "of " + text})
		require.NoError(t, err)
		return sha, pr
	}
	_, err := c.Branch(t.Context(), "caskmcp/apply")
	require.ErrorIs(t, err, github.ErrNotFound)
	first, pr := deliver("1")
	require.Equal(t, github.Created, pr.Action)
	require.Equal(t, first, w.tip("caskmcp/apply"))

	w.commit("main", "alice", map[string]string{"x": "x\n"})
	second, again := deliver("2")
	require.Equal(t, github.Updated, again.Action)
	require.Equal(t, pr.Number, again.Number)
	require.Equal(t, second, w.tip("caskmcp/apply"))
	require.Equal(t, w.tip("main"), w.git("", "rev-parse", "caskmcp/apply^"))
	_, again = deliver("2")
	require.Equal(t, github.Unchanged, again.Action)

	// Merged, the next one is new. The branch of a fork of the same name is
	// another branch.
	_, err = w.fake.MergePull(githubfake.Merging{Pull: pr.Number, Kind: githubfake.Squash, By: "bob"})
	require.NoError(t, err)
	sha := w.commit("theirs", "mallory", map[string]string{"y": "y\n"})
	_, err = w.fake.OpenPull(githubfake.Pull{Title: "x", Author: "mallory", Head: "caskmcp/apply", SHA: sha, Fork: true})
	require.NoError(t, err)
	_, next := deliver("3")
	require.Equal(t, github.Created, next.Action)
	require.Greater(t, next.Number, pr.Number)
}

func TestIssue(t *testing.T) {
	w := newWorld(t)
	c := w.client(githubfake.Token)
	issue := func(text string) github.Issue {
		return github.Issue{Sticky: github.Sticky{Marker: "<!-- caskmcp:drift -->"}, Title: "Drift", Body: "<!-- caskmcp:drift -->\n" + text}
	}
	w.pull("feature", "alice") // pull requests are in the list of issues too
	made, err := c.OpenOrUpdateIssue(t.Context(), issue("1"))
	require.NoError(t, err)
	require.Equal(t, github.Created, made.Action)
	got, err := c.OpenOrUpdateIssue(t.Context(), issue("1"))
	require.NoError(t, err)
	require.Equal(t, github.Unchanged, got.Action)
	got, err = c.OpenOrUpdateIssue(t.Context(), issue("2"))
	require.NoError(t, err)
	require.Equal(t, github.Updated, got.Action)
	require.Equal(t, made.Number, got.Number)
	theirs := issue("2")
	theirs.Author = githubfake.AppLogin
	other, err := w.client(githubfake.AppToken).OpenOrUpdateIssue(t.Context(), theirs)
	require.NoError(t, err)
	require.Equal(t, github.Created, other.Action, "an issue of another author is not ours")

	c.SetApp(githubfake.AppLogin)
	got, err = c.OpenOrUpdateIssue(t.Context(), issue("2"))
	require.NoError(t, err)
	require.Equal(t, made.Number, got.Number, "the oldest one")
	c.SetApp("")

	closed, err := c.CloseIssue(t.Context(), issue("").Sticky, "<!-- caskmcp:drift -->\nno drift any more")
	require.NoError(t, err)
	require.Equal(t, github.Updated, closed.Action)
	closed, err = c.CloseIssue(t.Context(), issue("").Sticky, "")
	require.NoError(t, err)
	require.Equal(t, github.Absent, closed.Action)
	require.Equal(t, "closed", w.fake.State().Issues[0].State)
	reopened, err := c.OpenOrUpdateIssue(t.Context(), issue("3"))
	require.NoError(t, err)
	require.Equal(t, github.Created, reopened.Action)
}

func TestNewRefuses(t *testing.T) {
	for _, opt := range []github.Options{
		{Repository: ""}, {Repository: "acme"}, {Repository: "/tools"}, {Repository: "acme/"}, {Repository: "acme/tools/x"}, {Repository: "acme/to?ols"},
		{Repository: "acme/tools", BaseURL: "ftp://x"}, {Repository: "acme/tools", BaseURL: "://"}, {Repository: "acme/tools", BaseURL: "https://"},
	} {
		_, err := github.New(opt)
		require.Error(t, err, opt)
	}
	_, err := github.New(github.Options{Repository: "acme/tools"})
	require.NoError(t, err)
}

func TestCancelled(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := w.client(githubfake.Token).Reviews(ctx, 1)
	require.ErrorIs(t, err, context.Canceled)
	require.Empty(t, w.slept)
}
