package lockfile_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/tomallicino/caskmcp/lockfile"
	"github.com/tomallicino/caskmcp/surface"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// FuzzParse: what Parse accepts is written and read back as the same lock with
// the same checksums, and Open never serves it without a definition.
func FuzzParse(f *testing.F) {
	f.Add(stored(f, fullTool("list_users"), fullTool("policy"))[lockfile.Name].Data)
	f.Add([]byte("version: \"1.0\"\n"))
	f.Add([]byte("version: 1\ntools:\n  a:\n    approval: {reason: \"a\\nb\\n\\n \", by: {login: \"- x\\u0085\"}}\n"))
	f.Add([]byte("version: 1.0\ntoolsets: {\"\": {description: |+\n  a\n\n }}\n"))
	f.Fuzz(func(t *testing.T, doc []byte) {
		lock, err := lockfile.Parse(doc)
		if err != nil {
			return
		}
		encoded, err := lock.Encode()
		require.NoError(t, err)
		again, err := lockfile.Parse(encoded)
		require.NoError(t, err, "%s", encoded)
		twice, err := again.Encode()
		require.NoError(t, err)
		require.Equal(t, string(encoded), string(twice))
		for name, b := range lock.Tools {
			one, err := lockfile.Checksum(lockfile.KindTool, name, b)
			require.NoError(t, err)
			two, err := lockfile.Checksum(lockfile.KindTool, name, again.Tools[name])
			require.NoError(t, err)
			require.Equal(t, one, two)
		}
		state, err := lockfile.Open(fstest.MapFS{lockfile.Name: &fstest.MapFile{Data: doc}})
		require.NoError(t, err)
		require.Empty(t, state.Surface.Tools)
		require.False(t, state.PolicyOK || state.ServerOK)
	})
}

// FuzzPending: what ParsePending accepts is written and read back the same.
func FuzzPending(f *testing.F) {
	f.Add([]byte("version: \"1.0\"\nbase: \"\"\nplan: x\ntools:\n  a:\n    action: create\n    digest: d\n    mark: {decision: approve, by: {login: b}, at: c}\n"))
	f.Add([]byte("version: 1\npolicy: {action: update, mark: {decision: reject}}\n"))
	f.Fuzz(func(t *testing.T, doc []byte) {
		p, err := lockfile.ParsePending(doc)
		if err != nil {
			return
		}
		encoded, err := p.Encode()
		require.NoError(t, err)
		again, err := lockfile.ParsePending(encoded)
		require.NoError(t, err, "%s", encoded)
		twice, err := again.Encode()
		require.NoError(t, err)
		require.Equal(t, string(encoded), string(twice))
	})
}

// BenchmarkOpen reads and verifies the state of a large toolpack.
func BenchmarkOpen(b *testing.B) {
	for _, n := range []int{200, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var tools []surface.Tool
			for i := range n {
				t := fullTool(fmt.Sprintf("tool_%04d", i))
				properties := map[string]any{}
				for j := range 20 {
					properties[fmt.Sprintf("field_%02d", j)] = map[string]any{"type": "string", "format": "date-time", "description": "When it happened."}
				}
				t.OutputSchema, _ = json.Marshal(map[string]any{"type": "object", "properties": properties})
				tools = append(tools, t)
			}
			dir := filepath.Join(b.TempDir(), "lockfile")
			require.NoError(b, os.CopyFS(dir, stored(b, tools...)))
			for b.Loop() {
				state, err := lockfile.Open(os.DirFS(dir))
				require.NoError(b, err)
				require.Len(b, state.Surface.Tools, n)
			}
		})
	}
}
