package compiler

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tomallicino/caskmcp/capture"
	"github.com/tomallicino/caskmcp/surface"
)

var update = flag.Bool("update", false, "rewrite golden files")

// golden compares got with testdata/name, or rewrites it with -update.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, got, 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), string(got))
}

// compile compiles captures of a toolpack named shop.
func compile(t testing.TB, prior surface.Prior, opt Options, captures ...*capture.Capture) *Result {
	t.Helper()
	if opt.Name == "" {
		opt.Name = "shop"
	}
	r, err := Compile(captures, prior, opt)
	require.NoError(t, err)
	return r
}

// tool returns the tool of a name.
func tool(t testing.TB, r *Result, name string) surface.Tool {
	t.Helper()
	var names []string
	for _, x := range r.Surface.Tools {
		if x.Name == name {
			return x
		}
		names = append(names, x.Name)
	}
	require.Contains(t, names, name)
	return surface.Tool{}
}

// input is a property of a tool's input schema, nil without it.
func input(t testing.TB, x surface.Tool, name string) map[string]any {
	t.Helper()
	var doc struct {
		Properties map[string]map[string]any `json:"properties"`
	}
	require.NoError(t, json.Unmarshal(x.InputSchema, &doc))
	return doc.Properties[name]
}

func TestCompileShop(t *testing.T) {
	r := compile(t, surface.Prior{}, Options{}, shop(t, "shop", 12))
	files, err := Artifacts(r, "shop")
	require.NoError(t, err)
	for name, data := range files {
		golden(t, filepath.Join("shop", name), data)
	}
}
