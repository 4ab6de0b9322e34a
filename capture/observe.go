package capture

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/tomallicino/caskmcp/schema"
)

const (
	// DefaultMaxFile is how large an input file may be, in bytes.
	DefaultMaxFile = 1 << 30
	// DefaultMaxBody is how large a decoded body may be, in bytes.
	DefaultMaxBody = 16 << 20
)

// Options say what to observe.
type Options struct {
	// Name of the capture.
	Name string
	// Hosts are the allowed hosts: "host", "host:port" or "*.host".
	Hosts []string
	// MaxFile and MaxBody are limits in bytes; 0 means the defaults. What a zip
	// archive unpacks to counts for MaxFile.
	MaxFile, MaxBody int64
	// Progress, if not nil, is called from time to time, never at the same
	// time twice.
	Progress func(Progress)
}

// Progress is how far an import is.
type Progress struct {
	File      string
	Bytes     int64 // read of all files
	Exchanges int
}

// Observe reads HAR 1.2 files (http://www.softwareishard.com/blog/har-12-spec/)
// as browsers and test tools write them, also Playwright's zip archives, and
// returns what can be said about the exchanges with the allowed hosts. The
// capture is not sealed. The order of files and entries does not matter, and
// files with equal bytes count once. It returns a *FileError for input that
// is broken or over a limit and a *NoHostError where no exchange is allowed.
func Observe(ctx context.Context, files []string, opt Options) (*Capture, *Report, error) {
	hosts, err := parseHosts(opt.Hosts)
	if err != nil {
		return nil, nil, err
	}
	opt.MaxFile = cmp.Or(opt.MaxFile, DefaultMaxFile)
	opt.MaxBody = cmp.Or(opt.MaxBody, DefaultMaxBody)
	in := &importer{ctx: ctx, opt: opt, hosts: hosts}
	in.start()
	files, duplicates, err := uniqueFiles(ctx, files, opt.MaxFile)
	for _, file := range files {
		if err == nil {
			err = in.file(file)
		}
	}
	c, workErr := in.stop()
	if err = errors.Join(workErr, err); err != nil {
		return nil, nil, firstError(err)
	}
	c.report.Files, c.report.Duplicate = len(files), duplicates
	out, report := c.finish(opt.Name)
	if report.Allowed == 0 {
		return nil, report, &NoHostError{Allowed: hosts.patterns, Seen: report.Foreign}
	}
	return out, report, nil
}

// firstError prefers the error of a file, which is what people can act on; of
// two, that of an entry comes before that of what follows it.
func firstError(err error) error {
	var file *FileError
	if errors.As(err, &file) {
		return file
	}
	return err
}

// importer hands entries to workers, each with a collector of its own.
type importer struct {
	ctx     context.Context
	opt     Options
	hosts   hostList
	jobs    chan job
	free    chan []byte
	workers sync.WaitGroup
	pending sync.WaitGroup // jobs whose file must stay open
	parts   []*collector

	mu   sync.Mutex
	errs []*FileError

	done Progress
	over int
}

// job is an entry to decode.
type job struct {
	data    []byte
	path    string
	index   int
	offset  int64
	creator string
	files   bodyFiles
}

func (in *importer) start() {
	n := min(runtime.GOMAXPROCS(0), 8)
	shared := &groups{byKey: make(map[Key]*group)}
	in.jobs = make(chan job, 2*n)
	in.free = make(chan []byte, 4*n)
	for range n {
		c := newCollector(in.hosts, in.opt.MaxBody, shared)
		in.parts = append(in.parts, c)
		in.workers.Go(func() { in.work(c) })
	}
}

// maxPooled is how large a buffer is kept for the next entry.
const maxPooled = 1 << 20

func (in *importer) work(c *collector) {
	for j := range in.jobs {
		x, ok, err := decodeEntry(string(j.data), j.creator, j.files)
		switch {
		case err != nil:
			in.fail(entryError(j, err))
		case !ok:
			c.report.Exchanges++
			c.dropped[dropURL]++
		default:
			c.add(x)
		}
		in.pending.Done()
		if cap(j.data) <= maxPooled {
			select {
			case in.free <- j.data[:0]:
			default:
			}
		}
	}
}

// entryError says where in the file an entry is broken.
func entryError(j job, err error) *FileError {
	e := &FileError{Path: j.path, Offset: j.offset, Entry: j.index, Reason: "no HAR entry", Err: err, Hint: "export the file again"}
	var syntax *schema.SyntaxError
	if errors.As(err, &syntax) {
		e.Offset += int64(syntax.Offset)
		e.Err = errors.New(syntax.Reason)
	}
	return e
}

func (in *importer) fail(err *FileError) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.errs = append(in.errs, err)
}

func (in *importer) failed() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return len(in.errs) > 0
}

// stop waits for the workers and merges what they collected. Of several
// errors it returns the first by place.
func (in *importer) stop() (*collector, error) {
	close(in.jobs)
	in.workers.Wait()
	if len(in.errs) > 0 {
		slices.SortFunc(in.errs, func(a, b *FileError) int {
			return cmp.Or(strings.Compare(a.Path, b.Path), cmp.Compare(a.Entry, b.Entry))
		})
		return nil, in.errs[0]
	}
	c := in.parts[0]
	for _, part := range in.parts[1:] {
		c.merge(part)
	}
	if in.over > 0 {
		c.report.Exchanges += in.over
		c.dropped[dropSize] += in.over
	}
	return c, nil
}

// stream reads one HAR document and returns when its entries are observed.
// Path is for errors, size how large it may be.
func (in *importer) stream(path string, r io.Reader, size int64, files bodyFiles) error {
	// Text in JSON is at most six times as long as what it stands for.
	s := newEntryStream(&limitedReader{r: r, left: size}, 6*in.opt.MaxBody+(4<<20))
	base := in.done.Bytes
	in.done.File = path
	err := s.each(in.ctx, in.buffer, func(data []byte, index int, offset int64) error {
		if in.failed() {
			return errStopped
		}
		in.submit(job{data: data, path: path, index: index, offset: offset, creator: s.creator, files: files})
		in.done.Exchanges++
		in.done.Bytes = base + s.offset()
		if in.opt.Progress != nil && in.done.Exchanges%256 == 0 {
			in.opt.Progress(in.done)
		}
		return nil
	})
	in.pending.Wait()
	in.over += s.over
	in.done.Bytes = base + s.offset()
	return streamFailure(path, s, err)
}

// largeEntry is how many bytes make an entry that is decoded alone, so that
// memory holds one of its kind.
const largeEntry = 4 << 20

func (in *importer) submit(j job) {
	large := len(j.data) > largeEntry
	if large {
		in.pending.Wait()
	}
	in.pending.Add(1)
	in.jobs <- j
	if large {
		in.pending.Wait()
	}
}

// errStopped ends the reading after a worker met an error.
var errStopped = errors.New("stopped")

func streamFailure(path string, s *entryStream, err error) error {
	var broken *streamError
	switch {
	case err == nil, errors.Is(err, errStopped):
		return nil
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, errLimit):
		return &FileError{Path: path, Offset: -1, Entry: -1, Reason: "it is larger than the limit", Hint: "raise --max-file or split it"}
	case errors.Is(err, errNoHAR):
		return &FileError{Path: path, Offset: -1, Entry: -1, Reason: "it is no HAR file: it has no log.entries", Hint: "export it from the browser's network panel as HAR"}
	case errors.As(err, &broken):
		return &FileError{Path: path, Offset: s.offset(), Entry: s.index, Reason: broken.reason, Hint: "the file is damaged or was cut off: export it again"}
	}
	return fmt.Errorf("reading %s: %w", path, err)
}

func (in *importer) buffer() []byte {
	select {
	case b := <-in.free:
		return b
	default:
		return make([]byte, 0, 4<<10)
	}
}

// errLimit says that a file is larger than Options.MaxFile.
var errLimit = errors.New("over the limit")

type limitedReader struct {
	r    io.Reader
	left int64
}

func (l *limitedReader) Read(p []byte) (int, error) {
	if l.left <= 0 {
		// A file of exactly the limit ends here.
		var one [1]byte
		if n, err := l.r.Read(one[:]); n == 0 {
			return 0, err
		}
		return 0, errLimit
	}
	n, err := l.r.Read(p[:min(int64(len(p)), l.left)])
	l.left -= int64(n)
	return n, err
}

// creatorName reads the name in log.creator.
func creatorName(raw []byte) (name string) {
	r := harReader{schema.NewCursor(string(raw))}
	// A creator that cannot be read is an unknown one.
	_ = r.object(func(key string) (err error) {
		if key != "name" {
			return r.Skip()
		}
		name, err = r.Text()
		return err
	})
	return name
}
