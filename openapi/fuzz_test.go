package openapi

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"

	"github.com/tomallicino/caskmcp/surface"
)

// FuzzImport: no document panics, and what is imported is sound, is the same
// again, and makes a valid contract.
func FuzzImport(f *testing.F) {
	seeds, err := filepath.Glob(filepath.Join("testdata", "features-?.?.*"))
	require.NoError(f, err)
	for _, name := range seeds {
		doc, err := os.ReadFile(name)
		require.NoError(f, err)
		f.Add(doc)
	}
	f.Add([]byte(minimal(`"servers":[{"url":"https://a.example"}],`)))
	f.Add([]byte(`{"swagger":"2.0","paths":{"/x":{"get":{"responses":{"200":{"schema":{"$ref":"#/definitions/A"}}}}}},"definitions":{"A":{"$ref":"#/definitions/A"}}}`))
	f.Add([]byte("openapi: 3.1.0\npaths:\n  /a{b}c:\n    put: &op\n      responses: {default: {content: {a/b: {schema: {$ref: '#'}}}}}\n    post: *op\n"))
	f.Fuzz(func(t *testing.T, doc []byte) {
		opt := ImportOptions{Server: "https://fuzz.example", MaxSize: 1 << 20}
		c, _, err := Import(doc, opt)
		if err != nil {
			return
		}
		sound(t, c)
		again, _, err := Import(doc, opt)
		require.NoError(t, err)
		require.Equal(t, c, again)
		s := surface.Surface{}
		for i, d := range c.Declarations {
			s.Tools = append(s.Tools, toolOf(d, fmt.Sprintf("tool_%d", i)))
		}
		jsonDoc, yamlDoc, err := Contract(s, "fuzz")
		require.NoError(t, err)
		valid(t, jsonDoc, yamlDoc, openapi3.DisableSchemaDefaultsValidation())
	})
}

func BenchmarkImport(b *testing.B) {
	for _, name := range []string{"features-2.0.yaml", "features-3.0.yaml", "features-3.1.json"} {
		b.Run(name, func(b *testing.B) {
			doc, err := os.ReadFile(filepath.Join("testdata", name))
			require.NoError(b, err)
			b.SetBytes(int64(len(doc)))
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := Import(doc, ImportOptions{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkContract(b *testing.B) {
	s := contractSurface()
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := Contract(s, "bench"); err != nil {
			b.Fatal(err)
		}
	}
}
