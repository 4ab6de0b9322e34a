package openapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

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

// toYAML writes a JSON document as YAML, its keys in the order they are in.
func toYAML(doc []byte) ([]byte, error) {
	dec := json.NewDecoder(bytes.NewReader(doc))
	dec.UseNumber()
	node, err := toNode(dec)
	if err != nil {
		return nil, fmt.Errorf("writing YAML: %w", err)
	}
	var buf bytes.Buffer
	enc := yaml.NewEncoder(&buf)
	enc.SetIndent(2)
	if err := enc.Encode(node); err != nil {
		return nil, fmt.Errorf("writing YAML: %w", err)
	}
	return buf.Bytes(), enc.Close()
}

func toNode(dec *json.Decoder) (*yaml.Node, error) {
	token, err := dec.Token()
	if err != nil {
		return nil, err
	}
	n := &yaml.Node{Kind: yaml.ScalarNode}
	switch t := token.(type) {
	case json.Delim:
		n.Kind = yaml.SequenceNode
		if t == '{' {
			n.Kind = yaml.MappingNode
		}
		for dec.More() {
			c, err := toNode(dec)
			if err != nil {
				return nil, err
			}
			n.Content = append(n.Content, c)
		}
		if len(n.Content) == 0 {
			n.Style = yaml.FlowStyle
		}
		_, err = dec.Token()
		return n, err
	case string:
		n.SetString(t)
		if strings.ContainsAny(t, "\r\u0085\u2028\u2029") || strings.TrimSpace(t) != t {
			n.Style = yaml.DoubleQuotedStyle
		}
	case json.Number:
		n.Tag, n.Value = "!!float", string(t)
		if !strings.ContainsAny(string(t), ".eE") {
			n.Tag = "!!int"
		}
	case bool:
		n.Tag, n.Value = "!!bool", strconv.FormatBool(t)
	case nil:
		n.Tag, n.Value = "!!null", "null"
	}
	return n, nil
}
