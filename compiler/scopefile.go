package compiler

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"go.yaml.in/yaml/v3"
)

// ParseScope reads a scope file: YAML with the single key "rules", a list of
// ScopeRule. Unknown keys, fields, operators and actions are errors, and so is
// a file without rules: it would select nothing.
func ParseScope(doc []byte) ([]ScopeRule, error) {
	var file struct {
		Rules []ScopeRule `yaml:"rules"`
	}
	dec := yaml.NewDecoder(bytes.NewReader(doc))
	dec.KnownFields(true)
	if err := dec.Decode(&file); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if len(file.Rules) == 0 {
		return nil, errors.New("it has no rules")
	}
	for i, r := range file.Rules {
		if err := r.check(); err != nil {
			return nil, fmt.Errorf("rule %d: %w", i+1, err)
		}
	}
	return file.Rules, nil
}
