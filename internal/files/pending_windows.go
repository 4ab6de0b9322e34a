package files

import (
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
)

// pending is a temporary file that will replace path. renameio does not
// support Windows; os.Rename replaces files there in one step.
type pending struct {
	*os.File
	path string
	done bool
}

func newPending(path string, perm fs.FileMode) (*pending, error) {
	name := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+strconv.FormatInt(rand.Int64(), 10))
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, perm)
	if err != nil {
		return nil, err
	}
	return &pending{File: f, path: path}, nil
}

// CloseAtomicallyReplace syncs and closes the file and renames it to its path.
func (p *pending) CloseAtomicallyReplace() error {
	if err := p.Sync(); err != nil {
		return err
	}
	if err := p.File.Close(); err != nil {
		return err
	}
	if err := os.Rename(p.Name(), p.path); err != nil {
		return err
	}
	p.done = true
	return nil
}

// Cleanup removes the file if it has not replaced its path.
func (p *pending) Cleanup() error {
	if p.done {
		return nil
	}
	p.done = true
	_ = p.File.Close()
	return os.Remove(p.Name())
}

// syncDir does nothing: Windows cannot sync a folder.
func syncDir(string) error { return nil }
