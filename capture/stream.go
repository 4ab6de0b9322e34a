package capture

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
)

// entryStream reads the elements of log.entries one after the other, so that
// no more than one of them is in memory.
type entryStream struct {
	r     io.Reader
	buf   []byte
	pos   int
	base  int64 // offset of buf[0]
	err   error // of r, once it failed
	limit int64 // bytes that an entry may have
	index int   // of the entry that is read, -1 before the first
	// creator is log.creator.name and version, if it comes before entries.
	creator string
	// over counts the entries that had more bytes than limit.
	over int
}

func newEntryStream(r io.Reader, limit int64) *entryStream {
	return &entryStream{r: r, buf: make([]byte, 0, 256<<10), limit: limit, index: -1}
}

// errNoHAR says that a document is JSON but has no log.entries.
var errNoHAR = errors.New("no log.entries")

// A streamError says where a file stops being HAR.
type streamError struct{ reason string }

func (e *streamError) Error() string { return e.reason }

func (s *entryStream) offset() int64 { return s.base + int64(s.pos) }

// fill reads more and reports whether there is any.
func (s *entryStream) fill() bool {
	if s.err != nil {
		return false
	}
	s.base += int64(len(s.buf))
	s.pos = 0
	for {
		n, err := s.r.Read(s.buf[:cap(s.buf)])
		s.buf = s.buf[:n]
		s.err = err
		if n > 0 {
			return true
		}
		if err != nil {
			return false
		}
	}
}

// peek returns the next byte after white space.
func (s *entryStream) peek() (byte, error) {
	for {
		for ; s.pos < len(s.buf); s.pos++ {
			switch c := s.buf[s.pos]; c {
			case ' ', '\t', '\r', '\n':
			default:
				return c, nil
			}
		}
		if !s.fill() {
			return 0, s.ended()
		}
	}
}

func (s *entryStream) ended() error {
	if s.err != nil && !errors.Is(s.err, io.EOF) {
		return s.err
	}
	return &streamError{"the file ends in the middle"}
}

func (s *entryStream) expect(want byte) error {
	c, err := s.peek()
	if err != nil {
		return err
	}
	if c != want {
		return &streamError{fmt.Sprintf("%q where %q is expected", c, want)}
	}
	s.pos++
	return nil
}

// key reads a member's name and its colon; done is true at the end of the
// object. First says that no member came before.
func (s *entryStream) key(first bool) (name string, done bool, err error) {
	c, err := s.peek()
	if err != nil {
		return "", false, err
	}
	if c == '}' {
		s.pos++
		return "", true, nil
	}
	if !first {
		if err := s.expect(','); err != nil {
			return "", false, err
		}
		if c, err = s.peek(); err != nil {
			return "", false, err
		}
	}
	if c != '"' {
		return "", false, &streamError{fmt.Sprintf("%q where a key is expected", c)}
	}
	raw, err := s.value(make([]byte, 0, 32), 1<<10)
	if err != nil {
		return "", false, err
	}
	return string(bytes.Trim(raw, `"`)), false, s.expect(':')
}

// value reads the bytes of one value to the end of dst. It balances brackets
// and strings only: what is between them is for a JSON decoder to judge. A
// value of more than limit bytes is read but comes back nil.
func (s *entryStream) value(dst []byte, limit int64) ([]byte, error) {
	c, err := s.peek()
	if err != nil {
		return nil, err
	}
	var m matcher
	if c != '{' && c != '[' && c != '"' {
		m.scalar = true
	}
	keep := true
	for {
		n, done := m.feed(s.buf[s.pos:])
		if keep && int64(len(dst)+n) > limit {
			keep, dst = false, nil
		}
		if keep {
			dst = append(dst, s.buf[s.pos:s.pos+n]...)
		}
		s.pos += n
		if done {
			return dst, nil
		}
		if m.scalar && m.bad || m.depth > maxNested {
			return nil, &streamError{"no JSON value"}
		}
		if !s.fill() {
			return nil, s.ended()
		}
	}
}

const maxNested = 10000

// matcher finds the end of a JSON value in chunks.
type matcher struct {
	depth    int
	inString bool
	escaped  bool
	scalar   bool
	bad      bool
}

// feed returns how many bytes of b belong to the value and whether it ends
// there.
func (m *matcher) feed(b []byte) (int, bool) {
	if m.scalar {
		return m.feedScalar(b)
	}
	for i := 0; i < len(b); i++ {
		if m.escaped {
			m.escaped = false
			continue
		}
		if m.inString {
			for i < len(b) && b[i] != '"' && b[i] != '\\' {
				i++
			}
			switch {
			case i == len(b):
			case b[i] == '\\':
				m.escaped = true
			default:
				m.inString = false
				if m.depth == 0 {
					return i + 1, true
				}
			}
			continue
		}
		switch b[i] {
		case '"':
			m.inString = true
		case '{', '[':
			m.depth++
		case '}', ']':
			m.depth--
			if m.depth <= 0 {
				return i + 1, true
			}
		}
	}
	return len(b), false
}

func (m *matcher) feedScalar(b []byte) (int, bool) {
	for i, c := range b {
		switch {
		case c == ',' || c == '}' || c == ']' || c == ' ' || c == '\n' || c == '\r' || c == '\t':
			if i == 0 && m.depth == 0 {
				m.bad = true
				return 0, false
			}
			return i, true
		default:
			m.depth = 1
		}
	}
	return len(b), false
}

// each calls entry with every element of log.entries, its index and its
// offset; entry owns the bytes. Elements over the limit are counted only.
func (s *entryStream) each(ctx context.Context, get func() []byte, entry func(data []byte, index int, offset int64) error) error {
	if err := s.skipBOM(); err != nil {
		return err
	}
	if c, err := s.peek(); err != nil {
		return err
	} else if c != '{' {
		return errNoHAR
	}
	found := false
	err := s.object(func(name string) error {
		if name != "log" {
			return s.skip()
		}
		if c, err := s.peek(); err != nil || c != '{' {
			return errors.Join(err, errNoHAR)
		}
		return s.object(func(name string) error {
			switch name {
			case "creator":
				return s.readCreator()
			case "entries":
				found = true
				return s.entries(ctx, get, entry)
			}
			return s.skip()
		})
	})
	if err == nil && !found {
		return errNoHAR
	}
	if err == nil {
		err = s.atEnd()
	}
	return err
}

func (s *entryStream) atEnd() error {
	if c, err := s.peek(); err == nil {
		return &streamError{fmt.Sprintf("%q after the document", c)}
	} else if !errors.Is(s.err, io.EOF) {
		return err
	}
	return nil
}

// skipBOM skips the byte order mark of UTF-8 and refuses UTF-16.
func (s *entryStream) skipBOM() error {
	if len(s.buf) == 0 && !s.fill() {
		if !errors.Is(s.err, io.EOF) {
			return s.err
		}
		return &streamError{"the file is empty"}
	}
	switch {
	case bytes.HasPrefix(s.buf, []byte("\xef\xbb\xbf")):
		s.pos = 3
	case bytes.HasPrefix(s.buf, []byte("\xff\xfe")), bytes.HasPrefix(s.buf, []byte("\xfe\xff")):
		return &streamError{"the file is UTF-16, HAR is UTF-8"}
	case bytes.HasPrefix(s.buf, []byte("\x1f\x8b")):
		return &streamError{"the file is compressed with gzip"}
	}
	return nil
}

func (s *entryStream) object(member func(name string) error) error {
	if err := s.expect('{'); err != nil {
		return err
	}
	for first := true; ; first = false {
		name, done, err := s.key(first)
		if err != nil || done {
			return err
		}
		if err := member(name); err != nil {
			return err
		}
	}
}

func (s *entryStream) skip() error {
	_, err := s.value(nil, 0)
	return err
}

func (s *entryStream) readCreator() error {
	raw, err := s.value(nil, 1<<16)
	if err == nil {
		s.creator = creatorName(raw)
	}
	return err
}

func (s *entryStream) entries(ctx context.Context, get func() []byte, entry func([]byte, int, int64) error) error {
	if err := s.expect('['); err != nil {
		return err
	}
	for {
		c, err := s.peek()
		if err != nil {
			return err
		}
		switch {
		case c == ']':
			s.pos++
			return nil
		case s.index >= 0:
			if err := s.expect(','); err != nil {
				return err
			}
			if _, err := s.peek(); err != nil {
				return err
			}
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		s.index++
		offset := s.offset()
		data, err := s.value(get(), s.limit)
		if err != nil {
			return err
		}
		if data == nil {
			s.over++
			continue
		}
		if err := entry(data, s.index, offset); err != nil {
			return err
		}
	}
}
