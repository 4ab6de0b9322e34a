package lockfile

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

const header = `# Written by "caskmcp apply". Every block is checksummed: an edited one is not served.
`

// Encode writes l as caskmcp.lock.yaml: sorted, one blank line between
// blocks, equal bytes for equal content. The checksums are taken as they are.
func (l *Lock) Encode() ([]byte, error) {
	w := writer{}
	w.buf.WriteString(header)
	w.entry("", "version", l.Version)
	if l.Policy != nil {
		w.buf.WriteString("\n")
		w.entry("", "policy", l.Policy)
	}
	if l.Server != nil {
		w.buf.WriteString("\n")
		w.entry("", "server", l.Server)
	}
	section(&w, "toolsets", l.Toolsets)
	section(&w, "tools", l.Tools)
	if w.err != nil {
		return nil, fmt.Errorf("encoding lockfile: %w", w.err)
	}
	return w.buf.Bytes(), nil
}

// writer collects YAML; err is the first error.
type writer struct {
	buf bytes.Buffer
	err error
}

func section[B any](w *writer, key string, blocks map[string]*B) {
	if len(blocks) == 0 {
		return
	}
	w.buf.WriteString("\n" + key + ":\n")
	for i, name := range slices.Sorted(maps.Keys(blocks)) {
		if i > 0 {
			w.buf.WriteString("\n")
		}
		w.entry("  ", name, blocks[name])
	}
}

// entry writes one key and its value, each line indented.
func (w *writer) entry(indent, key string, value any) {
	if w.err != nil {
		return
	}
	var buf bytes.Buffer
	enc := yaml.NewEncoder(&buf)
	enc.SetIndent(2)
	if w.err = enc.Encode(map[string]any{key: value}); w.err != nil {
		return
	}
	for line := range strings.Lines(buf.String()) {
		if line != "\n" {
			w.buf.WriteString(indent)
		}
		w.buf.WriteString(line)
	}
}
