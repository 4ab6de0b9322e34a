package capture

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// ErrUnsealed says that a capture still has literals that may be values and
// must not be written.
var ErrUnsealed = errors.New("the capture is not sealed")

// maxCaptureFile is how large a capture file may be: captures are sets, so
// that a large one is no capture.
const maxCaptureFile = 256 << 20

// Encode returns the capture file: JSON with one line an observation, so that
// git can show and merge it. Equal captures have equal bytes. It returns
// ErrUnsealed if c is not sealed, and an error for what Parse would refuse.
func (c *Capture) Encode() ([]byte, error) {
	if !c.Sealed {
		return nil, ErrUnsealed
	}
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("encoding the capture: %w", err)
	}
	return c.encode()
}

func (c *Capture) encode() ([]byte, error) {
	sorted := *c
	sorted.Hosts = slices.Clone(c.Hosts)
	sorted.Observations = slices.Clone(c.Observations)
	sorted.Inferred = slices.Clone(c.Inferred)
	sorted.Declarations = slices.Clone(c.Declarations)
	sorted.Dropped = slices.Clone(c.Dropped)
	sorted.sort()
	if sorted.Hosts == nil {
		sorted.Hosts = []string{}
	}
	var w lineWriter
	declarations, shared := share(w.lines(sorted.Declarations))
	if len(shared) > 0 {
		sorted.Version = sharedVersion
	}
	if len(sorted.Inferred) > 0 || sorted.comparesHeaders() || sorted.knowsNames() {
		sorted.Version = inferredVersion
	}
	w.member("{\n", "version", sorted.Version)
	w.member(",\n", "name", sorted.Name)
	w.member(",\n", "sealed", sorted.Sealed)
	w.member(",\n", "hosts", sorted.Hosts)
	writeLines(&w, "observations", sorted.Observations, func(o Observation) { w.value(&o) })
	if len(sorted.Inferred) > 0 {
		writeLines(&w, "inferred", sorted.Inferred, func(i Inferred) { w.value(i) })
	}
	if len(shared) > 0 {
		writeShared(&w.buf, shared)
	}
	if len(declarations) > 0 {
		writeLines(&w, "declarations", declarations, func(line string) { w.buf.WriteString(line) })
	}
	if len(sorted.Dropped) > 0 {
		writeLines(&w, "dropped", sorted.Dropped, func(d Dropped) { w.value(d) })
	}
	w.buf.WriteString("\n}\n")
	return w.buf.Bytes(), w.err
}

type lineWriter struct {
	buf bytes.Buffer
	err error
}

func (w *lineWriter) value(v any) {
	enc := json.NewEncoder(&w.buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil && w.err == nil {
		w.err = fmt.Errorf("encoding the capture: %w", err)
	}
	w.buf.Truncate(len(bytes.TrimRight(w.buf.Bytes(), "\n")))
}

func (w *lineWriter) member(before, name string, v any) {
	fmt.Fprintf(&w.buf, "%s%q: ", before, name)
	w.value(v)
}

// lines are declarations as they are written without sharing.
func (w *lineWriter) lines(declarations []Declaration) []string {
	var all lineWriter
	var ends []int
	for i := range declarations {
		all.value(&declarations[i])
		ends = append(ends, all.buf.Len())
	}
	w.err = all.err
	text, start := all.buf.String(), 0
	lines := make([]string, len(ends))
	for i, end := range ends {
		lines[i], start = text[start:end], end
	}
	return lines
}

func writeLines[T any](w *lineWriter, name string, list []T, write func(T)) {
	fmt.Fprintf(&w.buf, ",\n%q: [", name)
	for i := range list {
		if i > 0 {
			w.buf.WriteByte(',')
		}
		w.buf.WriteByte('\n')
		write(list[i])
	}
	if len(list) > 0 {
		w.buf.WriteByte('\n')
	}
	w.buf.WriteByte(']')
}

// FileName returns the name that the capture's file has by its content:
// <name>-<hash8>.json.
func (c *Capture) FileName() (string, error) {
	data, err := c.Encode()
	if err != nil {
		return "", err
	}
	return c.FileNameOf(data), nil
}

// FileNameOf is FileName where the file is known: data is what Encode returned.
func (c *Capture) FileNameOf(data []byte) string {
	sum := sha256.Sum256(data)
	return c.Name + "-" + hex.EncodeToString(sum[:4]) + ".json"
}

// Read reads a capture file.
func Read(path string) (*Capture, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading capture: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxCaptureFile+1))
	if err != nil {
		return nil, fmt.Errorf("reading capture: %w", err)
	}
	c, err := Parse(data)
	if err != nil {
		return nil, fmt.Errorf("reading capture %s: %w", path, err)
	}
	return c, nil
}

// Parse reads a capture file strictly: an unknown version or field, a
// duplicate key, an observation twice, a value that a capture cannot have and
// a capture that is not sealed are errors.
func Parse(data []byte) (*Capture, error) {
	if len(data) > maxCaptureFile {
		return nil, fmt.Errorf("it has more than %d MB", maxCaptureFile>>20)
	}
	if err := checkVersion(data); err != nil {
		return nil, err
	}
	if err := checkKeys(data); err != nil {
		return nil, err
	}
	c, err := decode(data)
	if err != nil {
		return nil, err
	}
	if !c.Sealed {
		return nil, ErrUnsealed
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	c.sort()
	return c, nil
}

// check finds values that no capture has.
func (c *Capture) check() error {
	if err := checkName(c.Name); err != nil {
		return err
	}
	if _, err := parseHosts(c.Hosts); err != nil {
		return err
	}
	seen := make(map[Key]bool, len(c.Observations))
	for i := range c.Observations {
		o := &c.Observations[i]
		if err := o.check(); err != nil {
			return fmt.Errorf("observation %d (%s %s): %w", i, o.Method, o.Path, err)
		}
		if seen[o.Key] {
			return fmt.Errorf("observation %d (%s %s) is there twice", i, o.Method, o.Path)
		}
		seen[o.Key] = true
	}
	if err := c.checkInferred(); err != nil {
		return err
	}
	for i, d := range c.Declarations {
		if err := checkTarget(d.Method, d.Scheme, d.Host, d.Port, d.Path); err != nil {
			return fmt.Errorf("declaration %d (%s %s): %w", i, d.Method, d.Path, err)
		}
	}
	return nil
}

// checkName accepts what can be a part of a file's name.
func checkName(name string) error {
	if name == "" || len(name) > 100 || name[0] == '.' || name[0] == '-' || strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") != "" {
		return fmt.Errorf("%q is no name of a capture: use letters, digits, dots, dashes and underscores", name)
	}
	return nil
}

func (o *Observation) check() error {
	if err := checkTarget(o.Method, o.Scheme, o.Host, o.Port, o.Path); err != nil {
		return err
	}
	if o.Count < 1 || o.RequestBodies < 0 || o.ResponseBodies < 0 {
		return errors.New("a count is out of range")
	}
	if o.Status < 100 || o.Status > 599 {
		return fmt.Errorf("status %d is none", o.Status)
	}
	for _, mime := range []string{o.RequestType, o.ResponseType} {
		if m := (&message{mediaType: mime}); m.mime() != mime {
			return fmt.Errorf("media type %q is none", mime)
		}
	}
	for _, s := range o.Segments {
		if s.Index < 0 || s.Index >= maxSegments || s.EchoOwn < 0 || s.Slashes < 0 || s.Distinct < 0 || min(s.EchoAbove, s.EchoAboveID, s.EchoFar, s.Sent, s.JoinedHead, s.JoinedTail, s.JoinedOwn) < 0 {
			return errors.New("the evidence for a segment is out of range")
		}
	}
	return checkHeaders(o.Headers)
}

func checkTarget(method, scheme, host string, port int, path string) error {
	switch {
	case !isToken(method) || method != strings.ToUpper(method):
		return fmt.Errorf("method %q is none", method)
	case scheme != "http" && scheme != "https":
		return fmt.Errorf("scheme %q is not http or https", scheme)
	case port < 1 || port > 65535:
		return fmt.Errorf("port %d is none", port)
	case !strings.HasPrefix(path, "/"):
		return fmt.Errorf("path %q does not start with a slash", path)
	}
	if canonical, err := canonicalHost(host); err != nil || canonical != host {
		return fmt.Errorf("host %q is none", host)
	}
	return nil
}
