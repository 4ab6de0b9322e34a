package lockfile_test

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tomallicino/caskmcp/internal/files"
	"github.com/tomallicino/caskmcp/lockfile"
	"github.com/tomallicino/caskmcp/surface"
)

// between are the changes that turn one stored state into another.
func between(from, to fstest.MapFS) []files.Change {
	var changes []files.Change
	for _, path := range slices.Sorted(maps.Keys(to)) {
		changes = append(changes, files.Change{Path: path, Data: to[path].Data})
	}
	for _, path := range slices.Sorted(maps.Keys(from)) {
		if to[path] == nil {
			changes = append(changes, files.Change{Path: path, Remove: true})
		}
	}
	return changes
}

// twoStates are states that have no file content in common.
func twoStates(t testing.TB) (one, two fstest.MapFS) {
	a, b := fullTool("list_users"), fullTool("list_posts")
	one = stored(t, a, b)
	a.Description, b = "Changed.", fullTool("list_tags")
	return one, stored(t, a, b)
}

// At every moment of an interrupted apply, readers see the new state.
func TestOpenAfterACrash(t *testing.T) {
	one, two := twoStates(t)
	changes := between(one, two)
	journal, err := files.EncodeJournal(changes)
	require.NoError(t, err)
	want, err := lockfile.Open(two)
	require.NoError(t, err)
	fsys := maps.Clone(one)
	fsys[files.JournalName] = &fstest.MapFile{Data: journal}
	for i := 0; ; i++ {
		state, err := lockfile.Open(fsys)
		require.NoError(t, err)
		require.Equal(t, want, state, "after %d files", i)
		if i == len(changes) {
			break
		}
		delete(fsys, changes[i].Path)
		if !changes[i].Remove {
			fsys[changes[i].Path] = &fstest.MapFile{Data: changes[i].Data}
		}
	}

	preview, err := lockfile.Preview(one, changes)
	require.NoError(t, err)
	require.Equal(t, want, preview)
}

func TestJournalsThatAreRefused(t *testing.T) {
	one, _ := twoStates(t)
	for _, path := range []string{"toolpack.yaml", "approved/sub/x.json", ".flock"} {
		journal, err := files.EncodeJournal([]files.Change{{Path: path}})
		require.NoError(t, err)
		fsys := maps.Clone(one)
		fsys[files.JournalName] = &fstest.MapFile{Data: journal}
		_, err = lockfile.Open(fsys)
		require.ErrorIs(t, err, files.ErrJournal, path)
	}
	fsys := maps.Clone(one)
	fsys[files.JournalName] = &fstest.MapFile{Data: []byte("{}")}
	_, err := lockfile.Open(fsys)
	require.ErrorIs(t, err, files.ErrJournal)
}

// Readers during many applies see one state or the other, never a mix, and
// never an error.
func TestOpenDuringApply(t *testing.T) {
	one, two := twoStates(t)
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, one))
	there, back := between(one, two), between(two, one)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	defer wg.Wait()
	defer close(stop)
	wg.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			changes := slices.Clone(there)
			if i%2 == 1 {
				changes = slices.Clone(back)
			}
			// As with real applies, whose approvals have times, no two
			// lockfiles are the same.
			for j, c := range changes {
				if c.Path == lockfile.Name {
					changes[j].Data = fmt.Appendf(slices.Clone(c.Data), "# %d\n", i)
				}
			}
			if err := files.WriteAll(dir, changes); err != nil {
				t.Error(err)
				return
			}
		}
	})
	seen := map[string]int{}
	for range 100 {
		state, err := lockfile.Open(os.DirFS(dir))
		require.NoError(t, err)
		require.Empty(t, state.Findings)
		require.True(t, state.PolicyOK && state.ServerOK)
		names := ""
		for _, tool := range state.Surface.Tools {
			names += tool.Name + ": " + tool.Description + " "
		}
		seen[names]++
	}
	for names := range seen {
		require.Contains(t, []string{
			"list_posts: Lists the users. list_users: Lists the users. ",
			"list_tags: Lists the users. list_users: Changed. ",
		}, names)
	}
	require.NotEmpty(t, seen)
}

func TestRestrict(t *testing.T) {
	open := func(via map[string]string) *lockfile.State {
		fsys := stored(t, fullTool("list_users"), other())
		lock, err := lockfile.Parse(fsys[lockfile.Name].Data)
		require.NoError(t, err)
		for name, b := range map[string]*lockfile.Block{
			"policy": lock.Policy, "server": lock.Server, "readonly": &lock.Toolsets["readonly"].Block,
			"list_users": &lock.Tools["list_users"].Block, "other": &lock.Tools["other"].Block,
		} {
			if v := via[name]; v != "" {
				b.Approval.Via = v
			}
		}
		store(t, fsys, lock)
		state, err := lockfile.Open(fsys)
		require.NoError(t, err)
		require.Empty(t, state.Findings)
		return state
	}
	state := open(map[string]string{"list_users": lockfile.ViaCLI, "other": lockfile.ViaSelf})
	state.Restrict(nil)
	require.Len(t, state.Surface.Tools, 2)
	state.Restrict([]string{lockfile.ViaReview})
	require.Len(t, state.Surface.Tools, 1)
	require.Equal(t, "other", state.Surface.Tools[0].Name)
	require.Len(t, state.Findings, 1)
	require.Equal(t, lockfile.CodeVia, state.Findings[0].Code)
	require.Nil(t, state.Prior().Entries[0].Tool)

	state = open(map[string]string{"policy": lockfile.ViaCLI, "server": lockfile.ViaCLI, "readonly": lockfile.ViaCLI})
	state.Restrict([]string{lockfile.ViaReview})
	require.False(t, state.PolicyOK || state.ServerOK)
	require.Zero(t, state.Surface.Policy)
	require.Zero(t, state.Surface.Server)
	require.Empty(t, state.Surface.Toolsets)
	require.Len(t, state.Surface.Tools, 2)
	require.Len(t, state.Findings, 3)
}

func TestExpired(t *testing.T) {
	tool := surface.Tool{Expires: "2026-11-22"}
	require.False(t, lockfile.Expired(tool, time.Date(2026, 11, 22, 23, 59, 59, 0, time.UTC)))
	require.True(t, lockfile.Expired(tool, time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)))
	// The day is one in UTC, wherever the server runs.
	west := time.FixedZone("west", -8*3600)
	require.True(t, lockfile.Expired(tool, time.Date(2026, 11, 22, 17, 0, 0, 0, west)))
	require.False(t, lockfile.Expired(surface.Tool{}, time.Now()))
	require.True(t, lockfile.Expired(surface.Tool{Expires: "soon"}, time.Now()))
}

// changing is a file system whose lockfile is another one each time.
type changing struct {
	fs.FS
	opened *int
}

func (c changing) Open(name string) (fs.File, error) {
	if name == lockfile.Name {
		*c.opened++
		return fstest.MapFS{name: &fstest.MapFile{Data: []byte("version: \"1.0\" #" + time.Duration(*c.opened).String())}}.Open(name)
	}
	return c.FS.Open(name)
}

func TestOpenGivesUp(t *testing.T) {
	one, _ := twoStates(t)
	_, err := lockfile.Open(changing{one, new(int)})
	require.ErrorIs(t, err, lockfile.ErrBusy)
}

func TestPending(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "lockfile")
	empty, err := lockfile.ReadPending(os.DirFS(dir))
	require.NoError(t, err)
	require.NoError(t, lockfile.WritePending(dir, empty))
	require.NoFileExists(t, filepath.Join(dir, lockfile.PendingName))

	p := &lockfile.Pending{Version: lockfile.FormatVersion, Base: "sha256:0", Plan: "sha256:1"}
	mark := &lockfile.Mark{Decision: lockfile.Reject, By: lockfile.By{Login: "alice", ID: 3}, At: "2026-11-22T00:00:00Z", Reason: "no", Plan: "sha256:1"}
	for _, kind := range []string{lockfile.KindPolicy, lockfile.KindServer, lockfile.KindToolset, lockfile.KindTool} {
		p.Set(kind, "x", lockfile.PendingChange{Action: "update", Digest: "sha256:2", Request: "GET /", Risk: surface.Low, Mark: mark})
		require.Equal(t, mark, p.Change(kind, "x").Mark)
	}
	require.Nil(t, p.Change("state", "x"))
	require.NoError(t, lockfile.WritePending(dir, p))
	again, err := lockfile.ReadPending(os.DirFS(dir))
	require.NoError(t, err)
	require.Equal(t, p, again)

	// A mark is bound to kind, name, action and digest.
	next := &lockfile.Pending{}
	next.Set(lockfile.KindTool, "x", lockfile.PendingChange{Action: "update", Digest: "sha256:2"})
	next.Set(lockfile.KindTool, "y", lockfile.PendingChange{Action: "update", Digest: "sha256:2"})
	next.Set(lockfile.KindToolset, "x", lockfile.PendingChange{Action: "delete", Digest: "sha256:2"})
	next.Set(lockfile.KindPolicy, "", lockfile.PendingChange{Action: "update", Digest: "sha256:3"})
	next.KeepMarks(p)
	require.Equal(t, mark, next.Tools["x"].Mark)
	require.Nil(t, next.Tools["y"].Mark)
	require.Nil(t, next.Toolsets["x"].Mark)
	require.Nil(t, next.Policy.Mark)

	for _, doc := range []string{
		"version: \"1.0\"\ntools:\n  x: {mark: {decision: perhaps}}\n",
		"version: \"99\"\n",
		"version: \"1.0\"\nserved: true\n",
		"",
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, lockfile.PendingName), []byte(doc), 0o644))
		_, err = lockfile.ReadPending(os.DirFS(dir))
		require.ErrorContains(t, err, "run \"caskmcp plan\" again")
	}
}
