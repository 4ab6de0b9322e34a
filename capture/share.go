package capture

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tomallicino/caskmcp/schema"
)

// sharedVersion is the version of files whose declarations share objects. An
// object that several declarations have, or one has several times, is written
// once under "shared", by its name there, and every place that has it holds
// {"$shared": name}. Shared objects may hold shared objects. The name is the
// beginning of the SHA-256 of the object as it is without sharing.
const sharedVersion = "1.1"

const (
	// shareFrom is how many bytes of declarations a file has before it shares
	// anything: what people can read through stays as it is.
	shareFrom = 1 << 20
	// sharedSize is how many bytes an object has at least that is shared.
	sharedSize = 100
	// shareKey is the only member of what stands for a shared object.
	shareKey = "$shared"
)

// share returns the declarations with what they have in common taken out, and
// that by its names. It returns the declarations themselves and nil where they
// are too few, or hold something that would read as a reference.
func share(declarations []string) (lines []string, shared map[string]string) {
	size := 0
	for _, d := range declarations {
		size += len(d)
		if strings.Contains(d, `"`+shareKey+`"`) {
			return declarations, nil
		}
	}
	if size < shareFrom {
		return declarations, nil
	}
	s := sharer{seen: map[string]int{}, names: map[string]string{}, shared: map[string]string{}}
	for _, d := range declarations {
		s.count(d)
	}
	for _, d := range declarations {
		lines = append(lines, s.write(d))
	}
	return lines, s.shared
}

// sharer knows how many different places hold an object, by its text. Places
// within equal objects are one.
type sharer struct {
	seen   map[string]int
	names  map[string]string // by text
	shared map[string]string // by name
}

// span is where a text has an object.
type span struct{ start, end int }

// spans are the objects within the JSON object text, from the outside to the
// inside, without text itself.
func spans(text string) []span {
	var out []span
	c := schema.NewCursor(text)
	var value func() error
	value = func() (err error) {
		switch c.Kind() {
		case '{':
			at := len(out)
			out = append(out, span{start: c.Offset()})
			err = c.Object(func(string) error { return value() })
			out[at].end = c.Offset()
		case '[':
			err = c.Array(value)
		default:
			err = c.Skip()
		}
		return err
	}
	if value() != nil || len(out) == 0 {
		return nil // nested too deeply to be looked into
	}
	return out[1:]
}

func (s *sharer) count(text string) {
	past := 0
	for _, o := range spans(text) {
		if o.start < past || o.end-o.start < sharedSize {
			continue
		}
		object := text[o.start:o.end]
		if s.seen[object]++; s.seen[object] > 1 {
			past = o.end
		}
	}
}

// write replaces what is shared in text.
func (s *sharer) write(text string) string {
	var b strings.Builder
	done := 0
	for _, o := range spans(text) {
		object := text[o.start:o.end]
		if o.start < done || len(object) < sharedSize || s.seen[object] < 2 {
			continue
		}
		name, ok := s.name(object)
		if !ok {
			continue
		}
		b.WriteString(text[done:o.start])
		b.WriteString(`{"` + shareKey + `":"` + name + `"}`)
		done = o.end
	}
	b.WriteString(text[done:])
	return b.String()
}

// name is the name of a shared object, unless another has it.
func (s *sharer) name(object string) (string, bool) {
	if name, ok := s.names[object]; ok {
		return name, true
	}
	sum := sha256.Sum256([]byte(object))
	name := hex.EncodeToString(sum[:6])
	if _, taken := s.shared[name]; taken {
		return "", false
	}
	s.names[object], s.shared[name] = name, ""
	s.shared[name] = s.write(object)
	return name, true
}

// writeShared writes the shared objects, one a line, by name.
func writeShared(buf *bytes.Buffer, shared map[string]string) {
	buf.WriteString(",\n\"shared\": {")
	for i, name := range slices.Sorted(maps.Keys(shared)) {
		if i > 0 {
			buf.WriteByte(',')
		}
		fmt.Fprintf(buf, "\n%q: %s", name, shared[name])
	}
	buf.WriteString("\n}")
}

// sharing reads what share wrote.
type sharing struct {
	objects map[string]json.RawMessage // by name; nil where nothing is shared
	whole   map[string]json.RawMessage // without references, by name
	// left is how many more bytes the schemas may have without sharing. A few
	// objects that hold each other twice would be larger than any memory.
	left int
}

var (
	errExpanded = fmt.Errorf("without sharing it has more than %d MB", maxCaptureFile>>20)
	errCircle   = errors.New("its shared objects are nested too deeply, or hold themselves")
)

// object returns the shared object that raw refers to, or raw itself.
func (s *sharing) object(raw json.RawMessage) (json.RawMessage, error) {
	if s.objects == nil || !bytes.Contains(raw, []byte(`"`+shareKey+`"`)) {
		return raw, nil
	}
	name, err := reference(schema.NewCursor(string(raw)))
	if name == "" || err != nil {
		return raw, err
	}
	return s.lookup(name)
}

func (s *sharing) lookup(name string) (json.RawMessage, error) {
	object, ok := s.objects[name]
	if !ok {
		return nil, fmt.Errorf("there is no shared object %q", name)
	}
	return object, nil
}

// reference reads an object and returns the name it refers to, or "".
func reference(c *schema.Cursor) (name string, err error) {
	members := 0
	err = c.Object(func(key string) error {
		members++
		if key != shareKey || c.Kind() != '"' {
			return c.Skip()
		}
		var err error
		name, err = c.Text()
		return err
	})
	if err == nil && name != "" && members > 1 {
		err = fmt.Errorf("what refers to the shared object %q has more members", name)
	}
	return name, err
}

// expand returns a value with its references replaced, depth levels down.
func (s *sharing) expand(raw json.RawMessage, depth int) (json.RawMessage, error) {
	if s.objects == nil || !bytes.Contains(raw, []byte(`"`+shareKey+`"`)) {
		return raw, nil
	}
	e := expansion{sharing: s, text: string(raw)}
	e.Cursor = schema.NewCursor(e.text)
	if err := e.value(depth); err != nil {
		return nil, err
	}
	if e.out == nil && e.done == len(e.text) {
		return e.only, nil
	}
	return append(e.out, e.text[e.done:]...), nil
}

// expansion is a value of which the first done bytes have been copied to out.
// A value that is a reference itself is only what that stands for.
type expansion struct {
	*sharing
	*schema.Cursor
	text string
	done int
	out  []byte
	only json.RawMessage
}

// maxShared is how many levels shared objects have with what they hold.
const maxShared = 1000

func (e *expansion) value(depth int) error {
	if depth > maxShared {
		return errCircle
	}
	switch e.Kind() {
	case '[':
		return e.Array(func() error { return e.value(depth + 1) })
	case '{':
	default:
		return e.Skip()
	}
	start := e.Offset()
	name, members := "", 0
	err := e.Object(func(key string) error {
		members++
		if key != shareKey || e.Kind() != '"' {
			return e.value(depth + 1)
		}
		var err error
		name, err = e.Text()
		return err
	})
	switch {
	case err != nil || name == "":
		return err
	case members > 1:
		return fmt.Errorf("what refers to the shared object %q has more members", name)
	}
	object, err := e.wholeObject(name, depth)
	if err != nil {
		return err
	}
	if e.left -= len(object); e.left < 0 {
		return errExpanded
	}
	if start == 0 {
		e.only, e.done = object, e.Offset()
		return nil
	}
	e.out = append(append(e.out, e.text[e.done:start]...), object...)
	e.done = e.Offset()
	return nil
}

// wholeObject is a shared object without references.
func (s *sharing) wholeObject(name string, depth int) (json.RawMessage, error) {
	if object, ok := s.whole[name]; ok {
		return object, nil
	}
	object, err := s.lookup(name)
	if err != nil {
		return nil, err
	}
	if object, err = s.expand(object, depth+1); err != nil {
		return nil, err
	}
	s.whole[name] = slices.Clip(object)
	return s.whole[name], nil
}

// sharedObjects are the shared objects of a capture file by name; nil in any
// other document.
func sharedObjects(text string) map[string]string {
	if !strings.Contains(text, `"`+shareKey+`"`) {
		return nil
	}
	var out map[string]string
	c := schema.NewCursor(text)
	_ = c.Object(func(key string) error { // what is no object shares nothing
		if !strings.EqualFold(key, "shared") || c.Kind() != '{' {
			return c.Skip()
		}
		if out == nil {
			out = map[string]string{}
		}
		return c.Object(func(name string) error {
			object, err := c.Peek()
			if err != nil {
				return err
			}
			out[name] = object
			return c.Skip()
		})
	})
	return out
}
