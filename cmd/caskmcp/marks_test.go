package main

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tomallicino/caskmcp/lockfile"
)

// TestMarksOfSeveralPeople approves different tools at the same time: no mark
// is lost.
func TestMarksOfSeveralPeople(t *testing.T) {
	e, _, _ := testEnv(t)
	importMugs(t, e, "mugs.har")
	names := []string{"policy", "server", "toolset:readonly", "toolset:operator", "toolset:write_ops", "toolset:high_risk",
		"list_mugs", "get_mug", "list_orders", "get_order", "create_order"}
	var wg sync.WaitGroup
	for _, n := range names {
		wg.Go(func() {
			for range 3 {
				if code := run(t.Context(), envIn(t, e.Dir), []string{"approve", "tool", n}); code != exitOK {
					t.Errorf("approving %s ended with %d", n, code)
				}
			}
		})
	}
	wg.Wait()
	pack, err := e.loadPack("mugs")
	require.NoError(t, err)
	marks, err := readMarks(pack)
	require.NoError(t, err)
	marked := 0
	marks.Each(func(_, _ string, c *lockfile.PendingChange) {
		if c.Mark != nil && c.Mark.Decision == lockfile.Approve {
			marked++
		}
	})
	require.Equal(t, len(names), marked)
	must(t, envIn(t, e.Dir), exitOK, "apply")
	must(t, envIn(t, e.Dir), exitOK, "check")
}
