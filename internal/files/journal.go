package files

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"unicode/utf8"
)

// JournalName is the file, inside the folder given to WriteAll, that holds
// changes not yet all in place.
const JournalName = ".journal.json"

// maxJournal bounds what ReadJournal takes into memory.
const maxJournal = 256 << 20

// ErrJournal reports a journal that does not hold what WriteAll wrote.
var ErrJournal = errors.New("damaged journal")

// Change is new content for one file, or its removal. Path is slash-separated
// and relative to the folder (fs.ValidPath); Data is UTF-8.
type Change struct {
	Path   string
	Data   []byte
	Remove bool
}

type journal struct {
	Files []journalFile `json:"files"`
	// Sum is the SHA-256 of the JSON encoding of Files.
	Sum string `json:"sha256"`
}

type journalFile struct {
	Path   string `json:"path"`
	Text   string `json:"text,omitempty"`
	Remove bool   `json:"remove,omitempty"`
}

// WriteAll makes all changes under dir or none. The order is: every new file
// is written beside its place, so that a full disk or a missing permission
// shows; then the journal with all contents takes its name, which is the
// moment of commitment; then the files are renamed, removals done, and the
// journal is removed. Readers that overlay the journal (ReadJournal) see the
// old files or the new ones, never a mix. After a crash, Recover finishes.
//
// An error before the commitment leaves the old files byte for byte. The error
// ErrUnfinished says that the changes are committed and only Recover is left.
// The caller holds the lock that all writers of dir take.
func WriteAll(dir string, changes []Change) error {
	doc, err := EncodeJournal(changes)
	if err != nil {
		return err
	}
	staged, err := stage(dir, changes)
	defer func() {
		for _, f := range staged {
			_ = f.Cleanup() // a no-op once the file is in place
		}
	}()
	if err != nil {
		return err
	}
	if err := Write(filepath.Join(dir, JournalName), doc, 0o644); err != nil {
		return fmt.Errorf("writing journal: %w", err)
	}
	for _, f := range staged {
		if err := f.CloseAtomicallyReplace(); err != nil {
			return fmt.Errorf("%w: %w", ErrUnfinished, err)
		}
	}
	if err := finish(dir, changes); err != nil {
		return fmt.Errorf("%w: %w", ErrUnfinished, err)
	}
	return nil
}

// ErrUnfinished reports changes that are recorded in the journal, and hence
// in force, but not all written to their files.
var ErrUnfinished = errors.New("the changes are recorded but not all files are written yet; the next run finishes them")

type pendingFile interface {
	io.Writer
	Sync() error
	Cleanup() error
	CloseAtomicallyReplace() error
}

// stage writes the new files beside their places. What it has staged is
// returned in any case, for the caller to clean up.
func stage(dir string, changes []Change) ([]pendingFile, error) {
	var staged []pendingFile
	for _, c := range changes {
		place, err := resolve(dir, c.Path)
		if err != nil {
			return staged, err
		}
		if c.Remove {
			continue
		}
		if err := os.MkdirAll(filepath.Dir(place), 0o755); err != nil {
			return staged, err
		}
		f, err := newPending(place, 0o644)
		if err != nil {
			return staged, err
		}
		staged = append(staged, f)
		if _, err := f.Write(c.Data); err != nil {
			return staged, err
		}
		if err := f.Sync(); err != nil {
			return staged, err
		}
	}
	return staged, nil
}

// resolve is the place of a change's path under dir. It refuses paths that
// lead elsewhere: dir itself and every element of the path must not be a
// symbolic link.
func resolve(dir, name string) (string, error) {
	if !fs.ValidPath(name) || name == "." {
		return "", fmt.Errorf("%w: path %q", ErrJournal, name)
	}
	place := filepath.Join(dir, filepath.FromSlash(name))
	for folder := name; folder != "."; {
		folder = path.Dir(folder)
		at := filepath.Join(dir, filepath.FromSlash(folder))
		info, err := os.Lstat(at)
		if err == nil && !info.IsDir() {
			return "", fmt.Errorf("%s: not a folder (%s): %w", at, describe(info.Mode()), ErrNotRegular)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	return place, checkRegular(place)
}

// finish does the removals, makes the folders durable and drops the journal.
func finish(dir string, changes []Change) error {
	folders := []string{dir}
	for _, c := range changes {
		place := filepath.Join(dir, filepath.FromSlash(c.Path))
		if c.Remove {
			if err := os.Remove(place); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		if folder := filepath.Dir(place); !slices.Contains(folders, folder) {
			folders = append(folders, folder)
		}
	}
	for _, f := range folders {
		if err := syncDir(f); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := os.Remove(filepath.Join(dir, JournalName)); err != nil {
		return err
	}
	return syncDir(dir)
}

// Recover finishes the changes of a journal that a killed WriteAll left in
// dir. Without a journal it does nothing. The caller holds the lock that all
// writers of dir take.
func Recover(dir string) error {
	changes, err := ReadJournal(os.DirFS(dir))
	if err != nil {
		return err
	}
	if changes == nil {
		return nil
	}
	for _, c := range changes {
		place, err := resolve(dir, c.Path)
		if err != nil {
			return err
		}
		if !c.Remove {
			if err := Write(place, c.Data, 0o644); err != nil {
				return err
			}
		}
	}
	return finish(dir, changes)
}

// ReadJournal returns the changes of the journal in fsys, or nil if there is
// none. It fails with ErrJournal if the journal is not as WriteAll wrote it.
func ReadJournal(fsys fs.FS) ([]Change, error) {
	doc, err := Read(fsys, JournalName, maxJournal)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return decodeJournal(doc)
}

// ErrTooLarge reports a file beyond the limit given to Read.
var ErrTooLarge = errors.New("file is too large")

// Read returns the content of a regular file of at most limit bytes. It
// refuses symbolic links as far as fsys can tell (fs.ReadLinkFS).
func Read(fsys fs.FS, name string, limit int64) ([]byte, error) {
	info, err := fs.Lstat(fsys, name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: %w (%s)", name, ErrNotRegular, describe(info.Mode()))
	}
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var buf bytes.Buffer
	buf.Grow(int(min(info.Size(), limit)) + bytes.MinRead)
	if _, err := buf.ReadFrom(io.LimitReader(f, limit+1)); err != nil {
		return nil, err
	}
	if int64(buf.Len()) > limit {
		return nil, fmt.Errorf("%s: %w (more than %d bytes)", name, ErrTooLarge, limit)
	}
	return buf.Bytes(), nil
}

// EncodeJournal is the content of the journal file for the given changes.
func EncodeJournal(changes []Change) ([]byte, error) {
	j := journal{Files: []journalFile{}}
	seen := map[string]bool{}
	for _, c := range changes {
		if !fs.ValidPath(c.Path) || c.Path == "." || seen[c.Path] {
			return nil, fmt.Errorf("%w: path %q", ErrJournal, c.Path)
		}
		seen[c.Path] = true
		if !utf8.Valid(c.Data) {
			return nil, fmt.Errorf("%w: %s is not UTF-8", ErrJournal, c.Path)
		}
		j.Files = append(j.Files, journalFile{Path: c.Path, Text: string(c.Data), Remove: c.Remove})
	}
	sum, err := sumOf(j.Files)
	if err != nil {
		return nil, err
	}
	j.Sum = sum
	return json.Marshal(j)
}

func decodeJournal(doc []byte) ([]Change, error) {
	var j journal
	if err := json.Unmarshal(doc, &j); err != nil {
		return nil, fmt.Errorf("%s: %w: %w", JournalName, ErrJournal, err)
	}
	sum, err := sumOf(j.Files)
	if err != nil {
		return nil, err
	}
	if sum != j.Sum {
		return nil, fmt.Errorf("%s: %w: its checksum does not match", JournalName, ErrJournal)
	}
	changes := []Change{}
	for _, f := range j.Files {
		if !fs.ValidPath(f.Path) || f.Path == "." {
			return nil, fmt.Errorf("%s: %w: path %q", JournalName, ErrJournal, f.Path)
		}
		changes = append(changes, Change{Path: f.Path, Data: []byte(f.Text), Remove: f.Remove})
	}
	return changes, nil
}

func sumOf(files []journalFile) (string, error) {
	doc, err := json.Marshal(files)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(doc)
	return hex.EncodeToString(sum[:]), nil
}
