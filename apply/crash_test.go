package apply_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tomallicino/caskmcp/apply"
	"github.com/tomallicino/caskmcp/compiler"
	"github.com/tomallicino/caskmcp/lockfile"
	"github.com/tomallicino/caskmcp/plan"
	"github.com/tomallicino/caskmcp/surface"
)

// applier is set, to a lockfile folder, in the processes that apply until they
// are killed.
const applier = "CASKMCP_TEST_APPLIER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(applier); dir != "" {
		fmt.Fprintln(os.Stderr, applyForever(dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// CASKMCP_TEST_FULL=1 runs these tests at their full size.
func full(short, long int) int {
	if os.Getenv("CASKMCP_TEST_FULL") != "" {
		return long
	}
	return short
}

// turn is one of two surfaces that differ in every file.
func turn(i int) surface.Surface {
	var tools []surface.Tool
	for n := range 12 {
		t := tool(fmt.Sprintf("tool_%02d", n+i%2*4), fmt.Sprintf("/t/%02d", n+i%2*4))
		t.Description = fmt.Sprintf("Turn %d.", i%2)
		tools = append(tools, t)
	}
	s := desired(tools...)
	s.Server.Instructions = fmt.Sprintf("Turn %d.", i%2)
	return s
}

// applyForever applies one surface after the other, and prints the number of
// each that is done. The number is in the approvals as their reason.
func applyForever(dir string) error {
	last, err := turnOf(dir)
	for i := last + 1; err == nil; i++ {
		if err = applyTurn(dir, i); errors.Is(err, apply.ErrStale) {
			err = nil // another process was faster
			continue
		}
		fmt.Println(i)
	}
	return err
}

func applyTurn(dir string, i int) error {
	state, err := lockfile.Open(os.DirFS(dir))
	if err != nil {
		return err
	}
	want := turn(i)
	p, err := plan.New(plan.Params{State: state, Result: &compiler.Result{Surface: want}})
	if err != nil {
		return err
	}
	ds := decide(p, lockfile.Approve, nil)
	for j := range ds {
		ds[j].Approval.Reason = strconv.Itoa(i)
	}
	_, err = apply.Apply(context.Background(), apply.Params{Dir: dir, Plan: p, Desired: want, Decisions: ds, Now: now})
	return err
}

// turnOf is the number of the turn that the state is of, and an error if it
// does not verify or is of no single turn.
func turnOf(dir string) (int, error) {
	state, err := lockfile.Open(os.DirFS(dir))
	if err != nil || !state.Exists {
		return 0, err
	}
	if len(state.Findings) > 0 {
		return 0, errors.New(state.Findings[0].Text)
	}
	last, err := strconv.Atoi(state.Lock.Server.Approval.Reason)
	if err != nil {
		return 0, err
	}
	want := turn(last)
	if state.Surface.Server.Instructions != want.Server.Instructions {
		return 0, fmt.Errorf("turn %d has the server block of another", last)
	}
	if len(state.Surface.Tools) != len(want.Tools) {
		return 0, fmt.Errorf("%d tools", len(state.Surface.Tools))
	}
	for i, t := range state.Surface.Tools {
		if t.Name != want.Tools[i].Name || t.Description != want.Tools[i].Description {
			return 0, fmt.Errorf("turn %d has %s: %s", last, t.Name, t.Description)
		}
	}
	return last, nil
}

// start runs an applier, which is killed after it was done at least once and a
// random time. It returns the last turn that the applier said was done.
func start(t *testing.T, dir string) (last func() int) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), applier+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	return func() int {
		lines, done := bufio.NewScanner(out), 0
		kill := sync.OnceFunc(func() {
			time.AfterFunc(time.Duration(rand.IntN(20_000))*time.Microsecond, func() { _ = cmd.Process.Kill() })
		})
		for lines.Scan() {
			n, err := strconv.Atoi(lines.Text())
			require.NoError(t, err)
			done = n
			kill()
		}
		require.ErrorContains(t, cmd.Wait(), "killed")
		return done
	}
}

// Killed at any moment, apply leaves the old state or the new one, and what
// was reported as applied stays applied.
func TestKill(t *testing.T) {
	for _, writers := range []int{1, 2} {
		t.Run(fmt.Sprintf("%d writers", writers), func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "lockfile")
			kills, torn, lost := full(20, 500)/writers, 0, 0
			for range kills {
				var running []func() int
				for range writers {
					running = append(running, start(t, dir))
				}
				done := 0
				for _, last := range running {
					done = max(done, last())
				}
				n, err := turnOf(dir)
				if err != nil {
					t.Log(err)
					torn++
				}
				// Two writers count their turns on their own.
				if writers == 1 && n < done {
					lost++
				}
			}
			t.Logf("%d kills of %d writers: %d torn, %d lost", kills*writers, writers, torn, lost)
			require.Zero(t, torn)
			require.Zero(t, lost)

			// The next run removes what the killed ones left lying about.
			n, err := turnOf(dir)
			require.NoError(t, err)
			require.NoError(t, applyTurn(dir, n+1))
			require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
				if strings.HasPrefix(d.Name(), ".") && d.Name() != lockfile.FlockName {
					return fmt.Errorf("left over: %s", path)
				}
				return err
			}))
		})
	}
}

// Of two applies of one plan, one wins and the other is told that its plan is
// stale; planned again, nothing of either is lost.
func TestRacingApplies(t *testing.T) {
	dir := approved(t, desired())
	var tools []surface.Tool
	for i := range 8 {
		tools = append(tools, tool(fmt.Sprintf("tool_%d", i), fmt.Sprintf("/t/%d", i)))
	}
	want := desired(tools...)
	first := planOf(t, dir, want)
	stale := make([]int, len(tools))
	var wg sync.WaitGroup
	for i, mine := range tools {
		wg.Go(func() {
			for p := first; ; {
				_, err := apply.Apply(t.Context(), apply.Params{
					Dir: dir, Plan: p, Desired: want, Decisions: decide(p, lockfile.Approve, named(mine.Name)), Now: now,
				})
				if err == nil {
					return
				}
				if !errors.Is(err, apply.ErrStale) {
					t.Error(err)
					return
				}
				stale[i]++
				state, err := lockfile.Open(os.DirFS(dir))
				if err != nil {
					t.Error(err)
					return
				}
				if p, err = plan.New(plan.Params{Toolpack: "example", State: state, Result: &compiler.Result{Surface: want}}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	n := 0
	for _, s := range stale {
		if s == 0 {
			n++
		}
	}
	require.Equal(t, 1, n, "exactly one apply of the first plan wins: %v", stale)
	state := open(t, dir)
	require.Empty(t, state.Findings)
	require.Len(t, state.Surface.Tools, len(tools))
	require.True(t, slices.IsSortedFunc(state.Surface.Tools, func(a, b surface.Tool) int { return strings.Compare(a.Name, b.Name) }))
}
