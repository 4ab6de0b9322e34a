package openapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// decodeYAML reads one YAML document into the tree that JSON would give.
func decodeYAML(doc []byte) (any, error) {
	var node yaml.Node
	if err := yaml.Unmarshal(doc, &node); err != nil {
		return nil, fmt.Errorf("reading YAML: %w", err)
	}
	if node.Kind == 0 {
		return nil, errors.New("the document is empty")
	}
	left := maxNodes
	return fromYAML(&node, 0, &left)
}

func fromYAML(n *yaml.Node, depth int, left *int) (any, error) {
	if depth > maxDepth {
		return nil, errDeep
	}
	if *left--; *left < 0 {
		return nil, errMany
	}
	switch n.Kind {
	case yaml.DocumentNode:
		return fromYAML(n.Content[0], depth, left)
	case yaml.AliasNode:
		return fromYAML(n.Alias, depth+1, left)
	case yaml.SequenceNode:
		out := make([]any, 0, len(n.Content))
		for _, c := range n.Content {
			v, err := fromYAML(c, depth+1, left)
			if err != nil {
				return nil, err
			}
			out = append(out, v)
		}
		return out, nil
	case yaml.MappingNode:
		return fromMapping(n, depth, left)
	default:
		return fromScalar(n), nil
	}
}

// fromMapping reads a mapping. Keys are written as they are spelt, so 200 and
// "200" are one key, which must not be there twice; "<<" merges.
func fromMapping(n *yaml.Node, depth int, left *int) (any, error) {
	out := make(map[string]any, len(n.Content)/2)
	var merged []any
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		v, err := fromYAML(value, depth+1, left)
		if err != nil {
			return nil, err
		}
		for key.Kind == yaml.AliasNode {
			key = key.Alias
		}
		switch {
		case key.Kind != yaml.ScalarNode:
			return nil, fmt.Errorf("reading YAML: line %d: a key is not a scalar", key.Line)
		case key.Tag == "!!merge":
			merged = append(merged, v)
			continue
		}
		if _, twice := out[key.Value]; twice {
			return nil, fmt.Errorf("reading YAML: line %d: key %q is there twice", key.Line, clip(key.Value, 80))
		}
		out[key.Value] = v
	}
	for _, m := range merged {
		if err := mergeInto(out, m); err != nil {
			return nil, fmt.Errorf("reading YAML: line %d: %w", n.Line, err)
		}
	}
	return out, nil
}

// mergeInto adds what out does not have yet.
func mergeInto(out map[string]any, from any) error {
	switch from := from.(type) {
	case map[string]any:
		for k, v := range from {
			if _, ok := out[k]; !ok {
				out[k] = v
			}
		}
		return nil
	case []any:
		for _, m := range from {
			if err := mergeInto(out, m); err != nil {
				return err
			}
		}
		return nil
	}
	return errors.New(`"<<" does not merge a mapping`)
}

// fromScalar keeps text where JSON has no such value: dates, infinities.
func fromScalar(n *yaml.Node) any {
	switch n.ShortTag() {
	case "!!null":
		return nil
	case "!!bool":
		var b bool
		if n.Decode(&b) == nil {
			return b
		}
	case "!!int":
		if json.Valid([]byte(n.Value)) {
			return json.Number(n.Value)
		}
		var i int64
		if n.Decode(&i) == nil {
			return json.Number(strconv.FormatInt(i, 10))
		}
	case "!!float":
		if json.Valid([]byte(n.Value)) {
			return json.Number(n.Value)
		}
		var f float64
		if n.Decode(&f) == nil && !math.IsInf(f, 0) && !math.IsNaN(f) {
			return json.Number(strconv.FormatFloat(f, 'g', -1, 64))
		}
	}
	return n.Value
}
