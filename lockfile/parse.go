package lockfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/tomallicino/caskmcp/internal/format"
)

// MaxBytes is the largest file of the state that is read.
const MaxBytes = 8 << 20

// maxItems bounds the lines, list items and brackets of a file: a file of the
// largest size that is made of nothing else would take gigabytes to parse.
const maxItems = MaxBytes / 16

// ErrSyntax is wrapped by errors about a lockfile that cannot be read without
// guessing.
var ErrSyntax = errors.New("malformed lockfile")

// Parse reads a lockfile. It refuses what could mean two things to two
// readers: unknown and duplicate keys, anchors, aliases, tags, a second
// document, an unknown format version, and more than MaxBytes bytes.
// What the blocks say is not verified; Open does.
func Parse(doc []byte) (*Lock, error) {
	var l Lock
	if err := parse(doc, lockKeys, &l); err != nil {
		return nil, err
	}
	if err := format.Check(l.Version, FormatVersion); err != nil {
		return nil, err
	}
	return &l, nil
}

// keys are the keys a mapping may have; nil is a scalar or a list of scalars.
type keys map[string]keys

// anyKey stands for names that people choose.
const anyKey = "*"

var (
	approvalKeys = keys{
		"by":  {"login": nil, "id": nil},
		"via": nil, "at": nil, "reason": nil, "pr": nil, "head": nil, "merge": nil,
		"review": nil, "plan": nil, "checksum": nil,
	}
	blockKeys   = keys{"digest": nil, "status": nil, "approval": approvalKeys}
	toolsetKeys = keys{"description": nil, "default": nil, "digest": nil, "status": nil, "approval": approvalKeys}
	toolKeys    = keys{
		"request": nil, "risk": nil, "toolsets": nil, "identity": nil,
		"digest": nil, "status": nil, "approval": approvalKeys,
	}
	lockKeys = keys{
		"version": nil, "policy": blockKeys, "server": blockKeys,
		"toolsets": {anyKey: toolsetKeys}, "tools": {anyKey: toolKeys},
	}
)

var conflictMarker = regexp.MustCompile(`(?m)^(<<<<<<<|>>>>>>>|\|\|\|\|\|\|\|)( |\r?$)`)

// parse decodes the one YAML document in doc, which must be a mapping of the
// known keys, into v.
func parse(doc []byte, known keys, v any) error {
	if len(doc) > MaxBytes {
		return fmt.Errorf("%w: more than %d bytes", ErrSyntax, MaxBytes)
	}
	items := 0
	for _, sep := range []string{"\n", ",", "[", "{"} {
		items += bytes.Count(doc, []byte(sep))
	}
	if items > maxItems {
		return fmt.Errorf("%w: more than %d lines and list items", ErrSyntax, maxItems)
	}
	if conflictMarker.Match(doc) {
		return fmt.Errorf("%w: it has git conflict markers; keep the blocks of both sides, or take one side and run \"caskmcp apply\" again", ErrSyntax)
	}
	dec := yaml.NewDecoder(bytes.NewReader(doc))
	var root yaml.Node
	if err := dec.Decode(&root); err != nil {
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("%w: it is empty", ErrSyntax)
		}
		return fmt.Errorf("%w: %w", ErrSyntax, err)
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: it has more than one YAML document", ErrSyntax)
	}
	if len(root.Content) != 1 {
		return fmt.Errorf("%w: it is empty", ErrSyntax)
	}
	if err := check(root.Content[0], known); err != nil {
		return fmt.Errorf("%w: %w", ErrSyntax, err)
	}
	if err := root.Content[0].Decode(v); err != nil {
		return fmt.Errorf("%w: %w", ErrSyntax, err)
	}
	return nil
}

// check walks a mapping that may have the known keys.
func check(n *yaml.Node, known keys) error {
	if err := plain(n); err != nil {
		return err
	}
	if n.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: expected keys and values", n.Line)
	}
	seen := make(map[string]bool, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if err := plain(key); err != nil {
			return err
		}
		if key.Kind != yaml.ScalarNode || key.ShortTag() != "!!str" {
			return fmt.Errorf("line %d: key %q is not a string", key.Line, key.Value)
		}
		if seen[key.Value] {
			return fmt.Errorf("line %d: key %q is there twice", key.Line, key.Value)
		}
		seen[key.Value] = true
		below, ok := known[key.Value]
		if !ok {
			below, ok = known[anyKey]
		}
		if !ok {
			return fmt.Errorf("line %d: unknown key %q", key.Line, key.Value)
		}
		if err := checkValue(value, below); err != nil {
			return err
		}
	}
	return nil
}

func checkValue(n *yaml.Node, known keys) error {
	if known != nil {
		return check(n, known)
	}
	if err := plain(n); err != nil {
		return err
	}
	switch n.Kind {
	case yaml.ScalarNode:
		return nil
	case yaml.SequenceNode:
		for _, item := range n.Content {
			if err := plain(item); err != nil {
				return err
			}
			if item.Kind != yaml.ScalarNode {
				return fmt.Errorf("line %d: expected a list of strings", item.Line)
			}
		}
		return nil
	}
	return fmt.Errorf("line %d: expected a value, not keys", n.Line)
}

// plain refuses the parts of YAML that make a value depend on another place
// or on a type of its own.
func plain(n *yaml.Node) error {
	switch {
	case n.Kind == yaml.AliasNode || n.Anchor != "":
		return fmt.Errorf("line %d: anchors and aliases are not allowed", n.Line)
	case n.Style&yaml.TaggedStyle != 0:
		return fmt.Errorf("line %d: tags are not allowed", n.Line)
	}
	return nil
}

// parseTime reads what timeText writes, and nothing else.
func parseTime(s string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return t, err
	}
	if TimeText(t) != s {
		return t, errors.New("not in UTC and whole seconds")
	}
	return t, nil
}

// TimeText is how the state writes times: RFC 3339, UTC, whole seconds.
func TimeText(t time.Time) string { return t.UTC().Format(time.RFC3339) }
