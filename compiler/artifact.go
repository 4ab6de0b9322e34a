package compiler

import (
	"bytes"
	"encoding/json"
	"fmt"

	"go.yaml.in/yaml/v3"

	"github.com/tomallicino/caskmcp/surface"
)

// Artifacts are the files of artifact/ by name: tools.json, toolsets.yaml,
// policy.yaml and baseline.json. They are output for people and other tools;
// nothing reads them back. Equal results give equal bytes.
func Artifacts(r *Result, name string) (map[string][]byte, error) {
	files := map[string][]byte{}
	base, err := baselineOf(r, name)
	if err != nil {
		return nil, err
	}
	for file, doc := range map[string]any{
		"tools.json":    manifest{Version: 1, Tools: r.Surface.Tools},
		"baseline.json": base,
	} {
		if files[file], err = surface.MarshalIndent(doc); err != nil {
			return nil, fmt.Errorf("writing %s: %w", file, err)
		}
	}
	for file, doc := range map[string]any{
		"toolsets.yaml": toolsetFile(r.Surface),
		"policy.yaml":   r.Surface.Policy,
	} {
		if files[file], err = marshalYAML(doc); err != nil {
			return nil, fmt.Errorf("writing %s: %w", file, err)
		}
	}
	return files, nil
}

// manifest is tools.json.
type manifest struct {
	Version int            `json:"version"`
	Tools   []surface.Tool `json:"tools"`
}

// baseline is baseline.json: what drift compares, one entry a tool.
type baseline struct {
	Version  int             `json:"version"`
	Toolpack string          `json:"toolpack"`
	Tools    []baselineEntry `json:"tools"`
}

type baselineEntry struct {
	Name         string          `json:"name"`
	Identity     string          `json:"identity"`
	Request      string          `json:"request"`
	Digest       string          `json:"digest"`
	Effect       surface.Effect  `json:"effect"`
	Risk         surface.Risk    `json:"risk"`
	Auth         string          `json:"auth,omitempty"`
	InputSchema  json.RawMessage `json:"inputSchema"`
	OutputSchema json.RawMessage `json:"outputSchema,omitempty"`
}

func baselineOf(r *Result, name string) (baseline, error) {
	b := baseline{Version: 1, Toolpack: name, Tools: []baselineEntry{}}
	for _, t := range r.Surface.Tools {
		digest, err := t.Digest()
		if err != nil {
			return b, err
		}
		e := baselineEntry{
			Name: t.Name, Identity: t.Binding.Identity(), Request: t.Binding.Request(), Digest: digest,
			Effect: t.Effect, Risk: t.Risk, InputSchema: t.InputSchema, OutputSchema: t.OutputSchema,
		}
		if t.Auth != nil {
			e.Auth = t.Auth.Kind
		}
		b.Tools = append(b.Tools, e)
	}
	return b, nil
}

// toolsets.yaml: every toolset with its members.
type toolsetsFile struct {
	Version  int                     `yaml:"version"`
	Default  string                  `yaml:"default"`
	Toolsets map[string]toolsetEntry `yaml:"toolsets"`
}

type toolsetEntry struct {
	Description string   `yaml:"description"`
	Tools       []string `yaml:"tools"`
}

func toolsetFile(s surface.Surface) toolsetsFile {
	f := toolsetsFile{Version: 1, Toolsets: map[string]toolsetEntry{}}
	for _, set := range s.Toolsets {
		entry := toolsetEntry{Description: set.Description, Tools: []string{}}
		for _, t := range s.Tools {
			for _, name := range t.Toolsets {
				if name == set.Name {
					entry.Tools = append(entry.Tools, t.Name)
				}
			}
		}
		if set.Default {
			f.Default = set.Name
		}
		f.Toolsets[set.Name] = entry
	}
	return f
}

func marshalYAML(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := yaml.NewEncoder(&buf)
	enc.SetIndent(2)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return buf.Bytes(), enc.Close()
}
