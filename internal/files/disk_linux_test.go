package files_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tomallicino/caskmcp/internal/files"
)

// smallDisk is set to a folder in the process that has a disk of 64 KiB there,
// visible to itself only.
const smallDisk = "CASKMCP_TEST_SMALL_DISK"

// A disk without room, and folders that cannot be written, leave the old files
// byte for byte.
func TestFailureLeavesTheOldFiles(t *testing.T) {
	dir := os.Getenv(smallDisk)
	if dir == "" {
		if err := exec.Command("unshare", "--map-root-user", "--mount", "true").Run(); err != nil {
			require.Empty(t, os.Getenv("CASKMCP_REQUIRE"), "cannot mount a small disk here: %v", err)
			t.Skipf("cannot mount a small disk here: %v", err)
		}
		cmd := exec.Command("unshare", "--map-root-user", "--mount", "sh", "-ec",
			`mount -t tmpfs -o size=64k none "$1"; exec "$0" -test.run='^TestFailureLeavesTheOldFiles$' -test.v`, os.Args[0], t.TempDir())
		cmd.Env = append(os.Environ(), smallDisk+"="+cmd.Args[len(cmd.Args)-1])
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
		require.Contains(t, string(out), "--- PASS: TestFailureLeavesTheOldFiles/read-only")
		return
	}

	changes := func(size int) []files.Change {
		return []files.Change{{Path: "a", Data: []byte("new")}, {Path: "sub/b", Data: []byte(strings.Repeat("b", size))}, {Path: "sub/c", Remove: true}}
	}
	old := []string{"a", "sub/b", "sub/c"}
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "sub"), 0o755))
	for _, name := range old {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("old"), 0o644))
	}
	unchanged := func(t *testing.T) {
		require.Equal(t, []string{"a", "sub"}, list(t, dir))
		require.Equal(t, []string{"b", "c"}, list(t, filepath.Join(dir, "sub")))
		for _, name := range old {
			doc, err := os.ReadFile(filepath.Join(dir, name))
			require.NoError(t, err)
			require.Equal(t, "old", string(doc))
		}
	}
	t.Run("full disk", func(t *testing.T) {
		for _, size := range []int{24 << 10, 40 << 10, 60 << 10, 100 << 10} {
			require.ErrorContains(t, files.WriteAll(dir, changes(size)), "no space left")
			unchanged(t)
		}
		require.ErrorContains(t, files.Write(filepath.Join(dir, "a"), make([]byte, 100<<10), 0o644), "no space left")
		unchanged(t)
	})
	mount := func(t *testing.T, args ...string) {
		out, err := exec.Command("mount", args...).CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	t.Run("read-only folder", func(t *testing.T) {
		sub := filepath.Join(dir, "sub")
		mount(t, "--bind", sub, sub)
		mount(t, "-o", "remount,bind,ro", sub)
		require.ErrorContains(t, files.WriteAll(dir, changes(3)), "read-only")
		unchanged(t)

		// What cannot be foreseen, a removal that fails, comes after the
		// changes are in force: readers have the journal, the next run ends.
		late := []files.Change{{Path: "a", Data: []byte("old")}, {Path: "sub/d", Remove: true}}
		require.NoError(t, exec.Command("umount", sub).Run())
		require.NoError(t, os.WriteFile(filepath.Join(sub, "d"), []byte("old"), 0o644))
		mount(t, "--bind", sub, sub)
		mount(t, "-o", "remount,bind,ro", sub)
		require.ErrorIs(t, files.WriteAll(dir, late), files.ErrUnfinished)
		journal, err := files.ReadJournal(os.DirFS(dir))
		require.NoError(t, err)
		require.Len(t, journal, 2)
		require.ErrorContains(t, files.Recover(dir), "read-only")
		require.NoError(t, exec.Command("umount", sub).Run())
		require.NoError(t, files.Recover(dir))
		unchanged(t)
	})
	t.Run("read-only disk", func(t *testing.T) {
		mount(t, "-o", "remount,ro", dir)
		require.ErrorContains(t, files.WriteAll(dir, changes(3)), "read-only")
		_, err := files.Lock(t.Context(), filepath.Join(dir, "lock"))
		require.ErrorContains(t, err, "read-only")
		unchanged(t)
		mount(t, "-o", "remount,rw", dir)
	})
	t.Run("enough room", func(t *testing.T) {
		require.NoError(t, files.WriteAll(dir, changes(4<<10)))
		require.Equal(t, []string{"b"}, list(t, filepath.Join(dir, "sub")))
	})
}
