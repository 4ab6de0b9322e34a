package lockfile

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/tomallicino/caskmcp/internal/canonical"
	"github.com/tomallicino/caskmcp/internal/files"
	"github.com/tomallicino/caskmcp/internal/format"
)

// ErrBusy reports a lockfile that changed each time it was read.
var ErrBusy = errors.New("the lockfile keeps changing; try again")

// attempts bound how often Open starts again when an apply gets in between.
const attempts = 20

// Open reads and verifies the state in fsys, which is rooted at a toolpack's
// lockfile folder. Without a lockfile it returns a State that does not exist,
// and no error. A lockfile that cannot be read without guessing is an error;
// what does not verify is left out of the surface and listed as findings.
//
// An apply that runs meanwhile, or was killed, is seen as a whole or not at
// all. Symbolic links are refused as far as fsys can tell (fs.ReadLinkFS, as
// os.DirFS and os.Root.FS).
func Open(fsys fs.FS) (*State, error) {
	for range attempts {
		t, err := newTree(fsys)
		if err != nil {
			return nil, explain(err)
		}
		state, err := t.open()
		after, err2 := newTree(fsys)
		if err2 == nil && t.sameLock(after) {
			return state, explain(err)
		}
	}
	return nil, fmt.Errorf("reading lockfile: %w", ErrBusy)
}

// Preview is Open after the given changes, which are not written anywhere.
func Preview(fsys fs.FS, changes []files.Change) (*State, error) {
	t, err := newTree(fsys)
	if err != nil {
		return nil, explain(err)
	}
	for _, c := range changes {
		t.over[c.Path] = c
	}
	t.lock, t.lockErr = t.read(Name)
	state, err := t.open()
	return state, explain(err)
}

func explain(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, format.ErrUnsupported):
		return fmt.Errorf("reading lockfile: %w", err)
	}
	return fmt.Errorf("reading lockfile: %w; restore %s from git", err, Name)
}

// tree reads files under the changes of a journal.
type tree struct {
	fsys    fs.FS
	over    map[string]files.Change
	lock    []byte
	lockErr error
}

func newTree(fsys fs.FS) (*tree, error) {
	changes, err := files.ReadJournal(fsys)
	if err != nil {
		return nil, err
	}
	t := &tree{fsys: fsys, over: map[string]files.Change{}}
	for _, c := range changes {
		if c.Path != Name && c.Path != PendingName && path.Dir(c.Path) != ApprovedDir {
			return nil, fmt.Errorf("%s: %w: path %q", files.JournalName, files.ErrJournal, c.Path)
		}
		t.over[c.Path] = c
	}
	t.lock, t.lockErr = t.read(Name)
	return t, nil
}

// sameLock reports whether nothing was applied between two readings. Every
// apply changes the lockfile: its approvals have times and plans.
func (t *tree) sameLock(o *tree) bool {
	return (t.lockErr == nil) == (o.lockErr == nil) && bytes.Equal(t.lock, o.lock)
}

func (t *tree) read(name string) ([]byte, error) {
	if c, ok := t.over[name]; ok {
		if c.Remove {
			return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
		}
		return c.Data, nil
	}
	return files.Read(t.fsys, name, MaxBytes)
}

// approved lists the paths in the approved folder, sorted. Names with a dot
// in front are nobody's definition.
func (t *tree) approved() ([]string, error) {
	info, err := fs.Lstat(t.fsys, ApprovedDir)
	names := map[string]bool{}
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	case !info.IsDir():
		return nil, fmt.Errorf("%s: %w", ApprovedDir, files.ErrNotRegular)
	default:
		entries, err := fs.ReadDir(t.fsys, ApprovedDir)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			names[path.Join(ApprovedDir, e.Name())] = true
		}
	}
	for _, c := range t.over {
		if path.Dir(c.Path) == ApprovedDir {
			names[c.Path] = !c.Remove
		}
	}
	maps.DeleteFunc(names, func(p string, there bool) bool {
		return !there || strings.HasPrefix(path.Base(p), ".")
	})
	return slices.Sorted(maps.Keys(names)), nil
}

func (t *tree) open() (*State, error) {
	s := &State{}
	present, err := t.approved()
	if err != nil {
		return nil, err
	}
	switch {
	case errors.Is(t.lockErr, fs.ErrNotExist):
		s.Lock.Version = FormatVersion
	case t.lockErr != nil:
		return nil, t.lockErr
	default:
		l, err := Parse(t.lock)
		if err != nil {
			return nil, err
		}
		s.Exists, s.Digest, s.Lock = true, canonical.Sum(t.lock), *l
	}
	v := verifier{tree: t, state: s, covered: map[string]bool{}}
	v.all()
	for _, p := range present {
		if !v.covered[p] {
			s.add(KindLockfile, p, CodeUnexpected, "%s is covered by no approved block: remove it with \"git rm\", or %s", p, restore)
		}
	}
	s.sortFindings()
	return s, nil
}
