package apply_test

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tomallicino/caskmcp/apply"
	"github.com/tomallicino/caskmcp/lockfile"
	"github.com/tomallicino/caskmcp/surface"
)

// Whatever order the git host lists things in, the same people approve the same
// changes, and nobody is counted who may not be.
func TestOrderDoesNotMatter(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	people := []apply.Person{alice, bob, carol, mallory, robot, author}
	states := []string{apply.ReviewApproved, apply.ReviewChangesRequested, apply.ReviewCommented, apply.ReviewDismissed}
	p := planOfTools(t, tool("a", "/a"), writeTool("b", "/b"))
	seen := map[string]apply.Seen{head: apply.SeenOf(p, minute(0)), older: apply.SeenOf(planOfTools(t, tool("a", "/a")), minute(-9))}
	approvals := 0
	for range 300 {
		var reviews []apply.Review
		for i := range rnd.IntN(8) {
			commit := head
			if rnd.IntN(3) == 0 {
				commit = older
			}
			reviews = append(reviews, review(int64(i), people[rnd.IntN(len(people))], states[rnd.IntN(len(states))*rnd.IntN(2)], commit, rnd.IntN(10)-3))
		}
		rules := apply.Rules{}
		if rnd.IntN(2) == 0 {
			rules.Approvers = map[surface.Risk][]string{surface.Low: {"alice", "@acme/security"}}
		}
		want := apply.Evaluate(p, pull(), reviews, seen, rules)
		for range 3 {
			rnd.Shuffle(len(reviews), func(i, j int) { reviews[i], reviews[j] = reviews[j], reviews[i] })
			require.Equal(t, want, apply.Evaluate(p, pull(), reviews, seen, rules))
		}
		for _, c := range want.Changes {
			for _, by := range c.By {
				approvals++
				require.Contains(t, []string{"alice", "bob", "carol"}, by.Person.Login)
				require.Equal(t, lockfile.ViaReview, by.Via)
				require.True(t, by.At.After(seen[by.Commit].PlannedAt))
				require.True(t, by.Commit == head || c.Name == "a", "b was not shown then")
			}
			require.False(t, c.Approved && len(c.BlockedBy) > 0)
		}
	}
	require.Greater(t, approvals, 100, "the test approves something")
}

func TestOrderOfLandingsDoesNotMatter(t *testing.T) {
	b := newBranch(t, tool("a", "/a"))
	b.land("one", desired(tool("a", "/a"), tool("b", "/b")), alice)
	b.land("two", desired(version("a", "Two."), tool("b", "/b")), bob)
	b.land("three", desired(version("a", "Three."), tool("b", "/b"), tool("c", "/c")), carol)
	p, state := planOf(t, b.dir, b.want), open(t, b.dir)
	want := apply.Settle(p, state, b.history, b.landings)
	require.Len(t, want.Decisions, 3)
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		rnd.Shuffle(len(b.landings), func(i, j int) { b.landings[i], b.landings[j] = b.landings[j], b.landings[i] })
		require.Equal(t, want, apply.Settle(p, state, b.history, b.landings))
	}
}
