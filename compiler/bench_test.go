package compiler

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tomallicino/caskmcp/capture"
	"github.com/tomallicino/caskmcp/openapi"
	"github.com/tomallicino/caskmcp/surface"
)

var specFile = flag.String("spec", "", "specification for BenchmarkSpecification, instead of a made-up one")

// recording is -har, or made-up traffic, with its hosts and its size in bytes.
func recording(b *testing.B) (files, hosts []string, size int64) {
	files, hosts = []string{generate(b, 1, 10000)}, []string{"api.shop.test"}
	if *harFiles != "" {
		files, hosts = strings.Split(*harFiles, ","), strings.Split(*harHosts, ",")
	}
	for _, f := range files {
		info, err := os.Stat(f)
		require.NoError(b, err)
		size += info.Size()
	}
	return files, hosts, size
}

// stored is the capture file of a recording, as it is committed.
func stored(b *testing.B, files, hosts []string) []byte {
	c, _, err := capture.Observe(b.Context(), files, capture.Options{Name: "x", Hosts: hosts})
	require.NoError(b, err)
	c, _ = Seal(c, SealOptions{})
	doc, err := c.Encode()
	require.NoError(b, err)
	return doc
}

// compiled is everything that is made of a capture file.
func compiled(b *testing.B, doc []byte, prior surface.Prior) *Result {
	c, err := capture.Parse(doc)
	require.NoError(b, err)
	r, err := Compile([]*capture.Capture{c}, prior, Options{})
	require.NoError(b, err)
	_, err = Artifacts(r, "x")
	require.NoError(b, err)
	return r
}

// BenchmarkRecording imports a recording, and compiles what was imported. Both
// are measured in bytes of the recording.
func BenchmarkRecording(b *testing.B) {
	files, hosts, size := recording(b)
	b.Run("import", func(b *testing.B) {
		b.SetBytes(size)
		b.ReportAllocs()
		for b.Loop() {
			stored(b, files, hosts)
		}
	})
	doc := stored(b, files, hosts)
	prior := approved(b, compiled(b, doc, surface.Prior{}))
	compile := func(prior surface.Prior) func(b *testing.B) {
		return func(b *testing.B) {
			b.SetBytes(size)
			b.ReportAllocs()
			for b.Loop() {
				compiled(b, doc, prior)
			}
		}
	}
	b.Run("compile", compile(surface.Prior{}))
	b.Run("compile approved", compile(prior))
}

// specification is an OpenAPI document of n operations that share their
// schemas.
func specification(b *testing.B, n int) []byte {
	property := func(i int) map[string]any {
		return map[string]any{"type": "string", "description": fmt.Sprintf("What is known as number %d of what there is.", i)}
	}
	schemas := map[string]any{}
	for i := range 40 {
		properties := map[string]any{}
		for j := range 25 {
			properties[fmt.Sprintf("field_%d", j)] = property(i * j % 97)
		}
		if i > 0 {
			properties["part"] = map[string]any{"$ref": fmt.Sprintf("#/components/schemas/Kind%d", i/3)}
		}
		schemas[fmt.Sprintf("Kind%d", i)] = map[string]any{"type": "object", "properties": properties}
	}
	paths := map[string]any{}
	for i := range n {
		ref := map[string]any{"application/json": map[string]any{"schema": map[string]any{"$ref": fmt.Sprintf("#/components/schemas/Kind%d", i%40)}}}
		paths[fmt.Sprintf("/kinds%d/{id}", i)] = map[string]any{"put": map[string]any{
			"summary": "Replace it", "parameters": []any{map[string]any{"name": "id", "in": "path", "required": true, "schema": property(i)}},
			"requestBody": map[string]any{"content": ref},
			"responses":   map[string]any{"200": map[string]any{"description": "It.", "content": ref}, "404": map[string]any{"description": "There is none.", "content": ref}},
		}}
	}
	doc, err := json.Marshal(map[string]any{"openapi": "3.1.0", "servers": []any{map[string]any{"url": "https://api.shop.test"}}, "paths": paths, "components": map[string]any{"schemas": schemas}})
	require.NoError(b, err)
	return doc
}

// BenchmarkSpecification imports a specification and compiles all of it, with
// its contract. Both are measured in bytes of the specification.
func BenchmarkSpecification(b *testing.B) {
	spec := specification(b, 300)
	if *specFile != "" {
		var err error
		spec, err = os.ReadFile(*specFile)
		require.NoError(b, err)
	}
	imported := func(b *testing.B) []byte {
		c, _, err := openapi.Import(spec, openapi.ImportOptions{Name: "x"})
		require.NoError(b, err)
		doc, err := c.Encode()
		require.NoError(b, err)
		require.Empty(b, capture.FindSecrets(doc))
		return doc
	}
	b.Run("import", func(b *testing.B) {
		b.SetBytes(int64(len(spec)))
		b.ReportAllocs()
		for b.Loop() {
			imported(b)
		}
	})
	doc := imported(b)
	b.Run("compile", func(b *testing.B) {
		b.SetBytes(int64(len(spec)))
		b.ReportAllocs()
		for b.Loop() {
			require.Empty(b, capture.FindSecrets(doc))
			_, _, err := openapi.Contract(compiled(b, doc, surface.Prior{}).Surface, "x")
			require.NoError(b, err)
		}
	})
}
