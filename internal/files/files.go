// Package files writes files so that a crash, a full disk or a second process
// never leaves half of one behind.
package files

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/gofrs/flock"
)

// ErrNotRegular reports a path that is a symbolic link, a folder or a device
// where a plain file was expected. Nothing is read or written through it.
var ErrNotRegular = errors.New("not a regular file")

// Write replaces the file at path by data in one step: readers see the old
// bytes or the new ones. Data is on the disk before the name is. The mode of
// an existing file is kept; a new one gets perm less the umask. Missing
// folders are made. It refuses a path that is a symbolic link or no regular
// file (ErrNotRegular), and leaves the old file untouched on any error.
func Write(path string, data []byte, perm fs.FileMode) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := checkRegular(path); err != nil {
		return err
	}
	f, err := newPending(path, perm)
	if err != nil {
		return err
	}
	defer f.Cleanup() //nolint:errcheck // a no-op once the file is in place
	if _, err := f.Write(data); err != nil {
		return err
	}
	if err := f.CloseAtomicallyReplace(); err != nil {
		return err
	}
	return syncDir(dir)
}

// Remove removes the file at path if it exists, and refuses what Write
// refuses.
func Remove(path string) error {
	if err := checkRegular(path); err != nil {
		return err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// checkRegular returns nil if path is a regular file or does not exist.
func checkRegular(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s: %w (%s)", path, ErrNotRegular, describe(info.Mode()))
	}
	return nil
}

func describe(m fs.FileMode) string {
	switch {
	case m&fs.ModeSymlink != 0:
		return "symbolic link"
	case m.IsDir():
		return "folder"
	}
	return m.Type().String()
}

// lockRetry is how long Lock waits between two attempts.
const lockRetry = 5 * time.Millisecond

// Lock takes the advisory lock at path and waits for it until ctx is done. The
// file is made if it is missing and stays when the lock is released; the lock
// itself ends with the process, so a crash leaves none behind.
func Lock(ctx context.Context, path string) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	if err := checkRegular(path); err != nil {
		return nil, err
	}
	l := flock.New(path, flock.SetPermissions(0o644))
	if _, err := l.TryLockContext(ctx, lockRetry); err != nil {
		if ctx.Err() != nil {
			return nil, fmt.Errorf("waiting for %s, which another caskmcp holds: %w", path, ctx.Err())
		}
		return nil, fmt.Errorf("locking %s: %w", path, err)
	}
	return func() { _ = l.Unlock() }, nil
}

// temporary matches the names of files that Write had not yet put in place.
var temporary = regexp.MustCompile(`^\..+\.[A-Za-z]+[0-9]{10,19}$`)

// Sweep removes the temporary files that a killed Write or WriteAll left in
// dir. The caller holds the lock that all writers of dir take.
func Sweep(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range entries {
		if e.Type().IsRegular() && temporary.MatchString(e.Name()) {
			errs = append(errs, os.Remove(filepath.Join(dir, e.Name())))
		}
	}
	return errors.Join(errs...)
}
