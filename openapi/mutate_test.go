package openapi

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"

	"github.com/tomallicino/caskmcp/surface"
)

// mutant swaps values of a document that parses: every place gets what belongs
// somewhere else, which mutated bytes rarely reach.
type mutant struct {
	*rand.Rand
	places []func(v any)
	values []any
}

func (m *mutant) collect(node any) {
	m.values = append(m.values, node)
	switch node := node.(type) {
	case map[string]any:
		for _, k := range sortedKeys(node) {
			m.places = append(m.places, func(v any) { node[k] = v })
			m.collect(node[k])
		}
	case []any:
		for i := range node {
			m.places = append(m.places, func(v any) { node[i] = v })
			m.collect(node[i])
		}
	}
}

// mutate changes up to four places of doc.
func mutate(t testing.TB, doc []byte, seed uint64) []byte {
	tree, err := decode(doc)
	require.NoError(t, err)
	m := &mutant{Rand: rand.New(rand.NewPCG(seed, 1))}
	m.collect(tree)
	m.values = append(m.values, nil, true, "", "#", "#/components/schemas/Order", "{", json.Number("1e400"), map[string]any{}, []any{})
	for range 1 + m.IntN(4) {
		// A copy: sharing would make the tree a graph.
		value, err := json.Marshal(m.values[m.IntN(len(m.values))])
		if err != nil {
			continue // it holds itself by now
		}
		copied, err := decodeAny(value)
		require.NoError(t, err)
		m.places[m.IntN(len(m.places))](copied)
	}
	out, err := json.Marshal(tree)
	require.NoError(t, err)
	return out
}

func decodeAny(doc []byte) (any, error) {
	tree, err := decode([]byte(`{"v":` + string(doc) + `}`))
	if err != nil {
		return nil, err
	}
	return tree.(map[string]any)["v"], nil
}

func TestImportMutated(t *testing.T) {
	names, err := filepath.Glob(filepath.Join("testdata", "features-?.?.*"))
	require.NoError(t, err)
	imported := 0
	for _, name := range names {
		doc, err := os.ReadFile(name)
		require.NoError(t, err)
		if filepath.Ext(filepath.Base(name[:len(name)-len(filepath.Ext(name))])) == ".golden" {
			continue
		}
		for seed := range uint64(mutants) {
			mutated := mutate(t, doc, seed)
			c, _, err := Import(mutated, ImportOptions{Server: "https://mutant.example"})
			if err != nil {
				continue
			}
			imported++
			sound(t, c)
			s := surface.Surface{}
			for i, d := range c.Declarations {
				s.Tools = append(s.Tools, toolOf(d, fmt.Sprintf("tool_%d", i)))
			}
			jsonDoc, yamlDoc, err := Contract(s, "mutant")
			require.NoError(t, err, "%s, seed %d", name, seed)
			valid(t, jsonDoc, yamlDoc, openapi3.DisableSchemaDefaultsValidation())
		}
	}
	require.Greater(t, imported, mutants, "most mutants still declare something")
}

// mutants of each document that the test tries.
const mutants = 40
