package capture

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// uniqueFiles leaves out files whose bytes are those of an earlier one.
func uniqueFiles(ctx context.Context, files []string, limit int64) (unique []string, duplicates int, err error) {
	seen := make(map[[sha256.Size]byte]bool)
	for _, path := range files {
		info, err := os.Stat(path)
		if err != nil {
			return nil, 0, &FileError{Path: path, Offset: -1, Entry: -1, Reason: "it cannot be opened", Err: pathless(err)}
		}
		switch {
		case !info.Mode().IsRegular():
			return nil, 0, &FileError{Path: path, Offset: -1, Entry: -1, Reason: "it is no regular file"}
		case info.Size() > limit:
			return nil, 0, &FileError{Path: path, Offset: -1, Entry: -1, Reason: fmt.Sprintf("it has %d MB, the limit is %d MB", info.Size()>>20, limit>>20), Hint: "raise --max-file or split it"}
		}
		if len(files) > 1 {
			sum, err := hashFile(ctx, path)
			if err != nil {
				return nil, 0, fmt.Errorf("reading %s: %w", path, pathless(err))
			}
			if seen[sum] {
				duplicates++
				continue
			}
			seen[sum] = true
		}
		unique = append(unique, path)
	}
	return unique, duplicates, nil
}

// pathless drops the path that os puts into its errors.
func pathless(err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

func hashFile(ctx context.Context, path string) (sum [sha256.Size]byte, err error) {
	if err := ctx.Err(); err != nil {
		return sum, err
	}
	f, err := os.Open(path)
	if err != nil {
		return sum, err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return sum, err
	}
	return [sha256.Size]byte(h.Sum(nil)), nil
}

// file imports one HAR file or archive.
func (in *importer) file(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return &FileError{Path: path, Offset: -1, Entry: -1, Reason: "it cannot be opened", Err: pathless(err)}
	}
	defer f.Close()
	var magic [4]byte
	n, _ := io.ReadFull(f, magic[:])
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("reading %s: %w", path, pathless(err))
	}
	if bytes.HasPrefix(magic[:n], []byte("PK\x03\x04")) || bytes.HasPrefix(magic[:n], []byte("PK\x05\x06")) {
		return in.archive(path, f)
	}
	files := &siblingFiles{dir: filepath.Dir(path), limit: in.opt.MaxBody}
	return in.stream(path, f, in.opt.MaxFile, files.read)
}

// siblingFiles opens the bodies beside a HAR file, which Playwright writes so
// with content: "attach".
type siblingFiles struct {
	dir   string
	limit int64
}

func (s *siblingFiles) read(name string) (string, error) {
	if !isBodyName(name) {
		return "", errors.New("the name of the body's file leads elsewhere")
	}
	root, err := os.OpenRoot(s.dir)
	if err != nil {
		return "", errors.New("the body's file cannot be opened")
	}
	defer root.Close()
	f, err := root.Open(name)
	if err != nil {
		return "", errors.New("the body's file is missing")
	}
	defer f.Close()
	return readBody(f, s.limit)
}

// isBodyName accepts plain file names only.
func isBodyName(name string) bool {
	return name != "" && len(name) <= 255 && name[0] != '.' && !strings.ContainsAny(name, "/\\:\x00")
}

func readBody(r io.Reader, limit int64) (string, error) {
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	switch {
	case err != nil:
		return "", errors.New("the body's file is damaged")
	case int64(len(data)) > limit:
		return "", errors.New("larger than the limit for bodies")
	}
	return string(data), nil
}

// maxMembers is how many files an archive may have.
const maxMembers = 200_000

// archive imports Playwright's zip: a HAR document and its bodies.
func (in *importer) archive(path string, f *os.File) error {
	bad := func(reason string, err error) error {
		return &FileError{Path: path, Offset: -1, Entry: -1, Reason: reason, Err: err, Hint: "record it again"}
	}
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("reading %s: %w", path, pathless(err))
	}
	r, err := zip.NewReader(f, info.Size())
	if errors.Is(err, zip.ErrInsecurePath) {
		return bad("the archive has a name that leads out of it", nil)
	}
	if err != nil {
		return bad("the archive is damaged", err)
	}
	if len(r.File) > maxMembers {
		return bad(fmt.Sprintf("the archive has more than %d files", maxMembers), nil)
	}
	var document *zip.File
	var total uint64
	bodies := make(map[string]*zip.File, len(r.File))
	for _, member := range r.File {
		if !filepath.IsLocal(member.Name) || strings.ContainsAny(member.Name, "\\\x00") {
			return bad("the archive has a name that leads out of it", nil)
		}
		if total += member.UncompressedSize64; total > uint64(in.opt.MaxFile) {
			return &FileError{Path: path, Offset: -1, Entry: -1, Reason: fmt.Sprintf("it unpacks to more than %d MB", in.opt.MaxFile>>20), Hint: "raise --max-file or record less"}
		}
		switch {
		case member.FileInfo().IsDir():
		case strings.HasSuffix(member.Name, ".har"):
			if document != nil {
				return bad("the archive has more than one HAR document", nil)
			}
			document = member
		default:
			bodies[member.Name] = member
		}
	}
	if document == nil {
		return bad("the archive has no HAR document", nil)
	}
	har, err := document.Open()
	if err != nil {
		return bad("the archive is damaged", err)
	}
	defer har.Close()
	return in.stream(path, har, in.opt.MaxFile, func(name string) (string, error) {
		member := bodies[name]
		if member == nil || !isBodyName(name) {
			return "", errors.New("the body's file is missing")
		}
		body, err := member.Open()
		if err != nil {
			return "", errors.New("the body's file is damaged")
		}
		defer body.Close()
		return readBody(body, in.opt.MaxBody)
	})
}
