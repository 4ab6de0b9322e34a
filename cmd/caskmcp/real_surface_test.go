package main

import (
	"bufio"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestRealSurface compiles the captures of real programs and compares the
// tools with the operations that the programs' documentation and routers name.
func TestRealSurface(t *testing.T) {
	for _, floor := range []struct {
		name              string
		precision, recall float64
	}{
		{"prometheus", 1, 1},
		{"verdaccio", 0.95, 0.95},
		{"unleash", 0.97, 0.97}, // its flags and fields are named with everyday words
	} {
		t.Run(floor.name, func(t *testing.T) {
			name := floor.name
			e, _, _ := testEnv(t)
			takeCapture(t, e, name)
			must(t, e, exitOK, "compile", "--name", name)
			compiled := compiledOperations(t, filepath.Join(e.Dir, ".caskmcp", "toolpacks", name, "artifact", "tools.json"))
			want := readOperations(t, filepath.Join("..", "..", "testdata", "captures", name+".operations.txt"))
			missed, wrong, right := want.compare(compiled)
			precision := float64(right) / float64(right+len(wrong))
			recall := float64(right) / float64(right+len(missed))
			t.Logf("precision %.3f, recall %.3f of %d operations", precision, recall, len(want.tools))
			failures := "missed:\n  " + strings.Join(missed, "\n  ") + "\nwrong:\n  " + strings.Join(wrong, "\n  ")
			require.GreaterOrEqual(t, precision, floor.precision, failures)
			require.GreaterOrEqual(t, recall, floor.recall, failures)
		})
	}
}

// TestRealGrowth approves what one recording compiles to and adds another of
// the same programs: three times the traffic, with other values.
func TestRealGrowth(t *testing.T) {
	for _, name := range []string{"prometheus", "verdaccio"} {
		t.Run(name, func(t *testing.T) {
			e, out, _ := testEnv(t)
			takeCapture(t, e, name)
			must(t, e, exitOK, "compile", "--name", name)
			must(t, e, exitOK, "approve", "tool", "--all")
			must(t, e, exitOK, "apply")
			again := takeCapture(t, e, "again/"+name)
			out.Reset()
			must(t, e, exitOK, "plan", "--detailed-exitcode")
			require.Contains(t, out.String(), "No changes.")
			must(t, e, exitOK, "drift", "--capture", again)
		})
	}
}

// operations are the operations of a program that a recording used.
type operations struct {
	tools  [][]string      // each with all right ways to write it
	either map[string]bool // may be a tool or not
}

func readOperations(t *testing.T, path string) operations {
	f, err := os.Open(path)
	require.NoError(t, err)
	defer func() { _ = f.Close() }()
	ops := operations{either: map[string]bool{}}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		words := strings.Fields(lines.Text())
		require.GreaterOrEqual(t, len(words), 3, "%s: %s", path, lines.Text())
		if words[0] == "either" {
			ops.either[words[1]+" "+unnamed(words[2])] = true
			continue
		}
		var forms []string
		for _, template := range words[2:] {
			forms = append(forms, words[1]+" "+unnamed(template))
		}
		ops.tools = append(ops.tools, forms)
	}
	return ops
}

// compare tells which operations no tool is, which tools are no operation, and
// how many are right.
func (ops operations) compare(compiled map[string]bool) (missed, wrong []string, right int) {
	used := map[string]bool{}
	for _, forms := range ops.tools {
		found := false
		for _, form := range forms {
			if compiled[form] {
				found, used[form] = true, true
			}
		}
		if found {
			right++
		} else {
			missed = append(missed, forms[0])
		}
	}
	for _, key := range slices.Sorted(maps.Keys(compiled)) {
		if !used[key] && !ops.either[key] {
			wrong = append(wrong, key)
		}
	}
	return missed, wrong, right
}

func compiledOperations(t *testing.T, path string) map[string]bool {
	doc, err := os.ReadFile(path)
	require.NoError(t, err)
	var list struct{ Tools []approvedTool }
	require.NoError(t, json.Unmarshal(doc, &list))
	compiled := map[string]bool{}
	for _, tool := range list.Tools {
		compiled[tool.Binding.Method+" "+unnamed(tool.Binding.Path)] = true
	}
	return compiled
}
