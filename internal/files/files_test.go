package files_test

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tomallicino/caskmcp/internal/files"
)

// counter is set in the processes that TestLockBetweenProcesses starts: the
// file to count in, and how often.
const counter = "CASKMCP_TEST_COUNTER"

func TestMain(m *testing.M) {
	if spec := os.Getenv(counter); spec != "" {
		path, n, _ := strings.Cut(spec, "\n")
		if err := count(path, n); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// count adds one to the number in path n times, under the lock.
func count(path, n string) error {
	times, err := strconv.Atoi(n)
	if err != nil {
		return err
	}
	for range times {
		unlock, err := files.Lock(context.Background(), path+".lock")
		if err != nil {
			return err
		}
		doc, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		was, err := strconv.Atoi(string(doc))
		if err != nil {
			return err
		}
		if err := files.Write(path, []byte(strconv.Itoa(was+1)), 0o644); err != nil {
			return err
		}
		unlock()
	}
	return nil
}

// CASKMCP_TEST_FULL=1 runs the crash and concurrency tests at their full size.
func full(short, long int) int {
	if os.Getenv("CASKMCP_TEST_FULL") != "" {
		return long
	}
	return short
}

func TestLockBetweenProcesses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "count")
	require.NoError(t, os.WriteFile(path, []byte("0"), 0o644))
	const processes = 4
	times := full(25, 250)
	var running []*exec.Cmd
	for range processes {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s\n%d", counter, path, times))
		cmd.Stderr = os.Stderr
		require.NoError(t, cmd.Start())
		running = append(running, cmd)
	}
	for _, cmd := range running {
		require.NoError(t, cmd.Wait())
	}
	doc, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, strconv.Itoa(processes*times), string(doc))
	t.Logf("%s of %d updates by %d processes", doc, processes*times, processes)
}

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	at := filepath.Join(dir, "a", "b.json")
	require.NoError(t, files.Write(at, []byte("one"), 0o600))
	info, err := os.Stat(at)
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o600), info.Mode())
	// The mode of what is there is kept.
	require.NoError(t, os.Chmod(at, 0o640))
	require.NoError(t, files.Write(at, []byte("two"), 0o644))
	info, err = os.Stat(at)
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o640), info.Mode())
	doc, err := os.ReadFile(at)
	require.NoError(t, err)
	require.Equal(t, "two", string(doc))
	require.Equal(t, []string{"b.json"}, list(t, filepath.Dir(at)))
	require.NoError(t, files.Remove(at))
	require.NoError(t, files.Remove(at))
	require.NoFileExists(t, at)
}

func list(t *testing.T, dir string) []string {
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	names := []string{}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestNothingIsWrittenThroughALink(t *testing.T) {
	dir := t.TempDir()
	outside := filepath.Join(t.TempDir(), "outside")
	require.NoError(t, os.WriteFile(outside, []byte("precious"), 0o644))
	link := filepath.Join(dir, "link")
	require.NoError(t, os.Symlink(outside, link))
	require.ErrorIs(t, files.Write(link, []byte("x"), 0o644), files.ErrNotRegular)
	require.ErrorIs(t, files.Remove(link), files.ErrNotRegular)
	require.ErrorIs(t, files.Write(dir, []byte("x"), 0o644), files.ErrNotRegular)
	_, err := files.Lock(t.Context(), link)
	require.ErrorIs(t, err, files.ErrNotRegular)
	_, err = files.Read(os.DirFS(dir), "link", 100)
	require.ErrorIs(t, err, files.ErrNotRegular)

	require.NoError(t, os.Symlink(filepath.Dir(outside), filepath.Join(dir, "folder")))
	for _, path := range []string{"link", "folder/outside", "folder/new"} {
		err := files.WriteAll(dir, []files.Change{{Path: "a", Data: []byte("x")}, {Path: path, Data: []byte("x")}})
		require.ErrorIs(t, err, files.ErrNotRegular)
	}
	require.ErrorIs(t, files.WriteAll(filepath.Join(dir, "folder"), []files.Change{{Path: "new", Data: []byte("x")}}), files.ErrNotRegular)
	require.Equal(t, []string{"folder", "link"}, list(t, dir))
	require.Equal(t, []string{"outside"}, list(t, filepath.Dir(outside)))
	doc, err := os.ReadFile(outside)
	require.NoError(t, err)
	require.Equal(t, "precious", string(doc))
}

func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x", "lock")
	unlock, err := files.Lock(t.Context(), path)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err = files.Lock(ctx, path)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorContains(t, err, "another caskmcp holds")
	unlock()
	unlock, err = files.Lock(t.Context(), path)
	require.NoError(t, err)
	unlock()
}

func TestSweep(t *testing.T) {
	dir := t.TempDir()
	keep := []string{".env", ".gitignore", ".journal.json", ".x20261122", "a.json", "b.json1234567890123"}
	for _, name := range append([]string{".a.json1234567890123", "..journal.json987654321098"}, keep...) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), nil, 0o644))
	}
	require.NoError(t, files.Sweep(dir))
	require.Equal(t, keep, list(t, dir))
	require.NoError(t, files.Sweep(filepath.Join(dir, "none")))
}

func TestWriteAll(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, files.WriteAll(dir, []files.Change{
		{Path: "a.yaml", Data: []byte("a: 1\n")}, {Path: "sub/b.json", Data: []byte("{}\u2028\n")}, {Path: "sub/c.json", Data: nil},
	}))
	require.NoError(t, files.WriteAll(dir, []files.Change{
		{Path: "a.yaml", Data: []byte("a: 2\n")}, {Path: "sub/c.json", Remove: true}, {Path: "sub/none.json", Remove: true},
	}))
	require.Equal(t, []string{"a.yaml", "sub"}, list(t, dir))
	require.Equal(t, []string{"b.json"}, list(t, filepath.Join(dir, "sub")))
	doc, err := os.ReadFile(filepath.Join(dir, "sub", "b.json"))
	require.NoError(t, err)
	require.Equal(t, "{}\u2028\n", string(doc))

	for name, bad := range map[string][]files.Change{
		"outside":     {{Path: "../x"}},
		"absolute":    {{Path: "/x"}},
		"itself":      {{Path: "."}},
		"twice":       {{Path: "x"}, {Path: "x"}},
		"not UTF-8":   {{Path: "x", Data: []byte("\xff")}},
		"into a file": {{Path: "a.yaml/x"}},
	} {
		require.Error(t, files.WriteAll(dir, bad), name)
	}
	require.Equal(t, []string{"a.yaml", "sub"}, list(t, dir))
}

func TestRecover(t *testing.T) {
	changes := []files.Change{{Path: "a", Data: []byte("new")}, {Path: "sub/b", Data: []byte("b")}, {Path: "old/x", Remove: true}}
	dir := t.TempDir()
	require.NoError(t, files.WriteAll(dir, []files.Change{{Path: "a", Data: []byte("old")}, {Path: "old/x"}}))
	// Killed when the journal had its name, and nothing else was done.
	doc, err := files.EncodeJournal(changes)
	require.NoError(t, err)
	require.NoError(t, files.Write(filepath.Join(dir, files.JournalName), doc, 0o644))

	found, err := files.ReadJournal(os.DirFS(dir))
	require.NoError(t, err)
	require.Equal(t, changes[0].Data, found[0].Data)
	require.Len(t, found, 3)
	require.NoError(t, files.Recover(dir))
	require.NoError(t, files.Recover(dir))
	require.Equal(t, []string{"a", "old", "sub"}, list(t, dir))
	doc, err = os.ReadFile(filepath.Join(dir, "a"))
	require.NoError(t, err)
	require.Equal(t, "new", string(doc))
	require.Empty(t, list(t, filepath.Join(dir, "old")))
}

func TestDamagedJournal(t *testing.T) {
	doc, err := files.EncodeJournal([]files.Change{{Path: "a", Data: []byte("new")}})
	require.NoError(t, err)
	for name, tc := range map[string]string{
		"cut off":   string(doc[:len(doc)/2]),
		"edited":    strings.Replace(string(doc), "new", "bad", 1),
		"empty":     "",
		"no object": "[]",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := files.ReadJournal(fstest.MapFS{files.JournalName: &fstest.MapFile{Data: []byte(tc)}})
			require.ErrorIs(t, err, files.ErrJournal)
		})
	}
}

func TestRead(t *testing.T) {
	fsys := fstest.MapFS{"a": &fstest.MapFile{Data: []byte("12345")}}
	doc, err := files.Read(fsys, "a", 5)
	require.NoError(t, err)
	require.Equal(t, "12345", string(doc))
	_, err = files.Read(fsys, "a", 4)
	require.ErrorIs(t, err, files.ErrTooLarge)
	_, err = files.Read(fsys, "b", 4)
	require.ErrorIs(t, err, fs.ErrNotExist)
}
