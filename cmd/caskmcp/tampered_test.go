package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/tomallicino/caskmcp/lockfile"
	"github.com/tomallicino/caskmcp/policy"
	"github.com/tomallicino/caskmcp/surface"
	"github.com/tomallicino/caskmcp/toolpack"
)

// tampering changes one value of a stored document, by hand.
type tampering struct {
	name string
	// kind and subject are what check has to name.
	kind, subject string
	edit          func(t *testing.T, lockDir string)
	// everything says that nothing may be served any more; otherwise only the
	// subject is not.
	everything bool
}

// TestTamperedState changes each value of every stored document, one at a
// time: check says no and names it, and serve leaves out that tool, or serves
// nothing where the block is about everything.
func TestTamperedState(t *testing.T) {
	base := approvedPack(t)
	lockDir := filepath.Join(toolpack.DirOf(base, "mugs"), "lockfile")
	cases := tamperings(t, lockDir)
	require.Greater(t, len(cases), 60)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			require.NoError(t, os.CopyFS(dir, os.DirFS(base)))
			c.edit(t, filepath.Join(toolpack.DirOf(dir, "mugs"), "lockfile"))

			e := envIn(t, dir)
			must(t, e, exitGate, "check")
			out := e.Stdout.(*bytes.Buffer).String() + e.Stderr.(*bytes.Buffer).String()
			require.Contains(t, out, c.subject, "check does not name what was tampered with")

			must(t, envIn(t, dir), exitGate, "run", "--toolpack", "mugs")
			e = envIn(t, dir)
			e.Stdin = strings.NewReader(listTools)
			code := run(t.Context(), e, []string{"serve", "--toolpack", "mugs", "--toolset", "operator"})
			if c.everything {
				require.Equal(t, exitGate, code)
				require.Empty(t, e.Stdout.(*bytes.Buffer).String())
				require.Contains(t, e.Stderr.(*bytes.Buffer).String(), "caskmcp ", "the error does not say what to run")
				return
			}
			if code != exitOK { // the whole lockfile was refused: stricter than needed
				require.Empty(t, e.Stdout.(*bytes.Buffer).String())
				return
			}
			require.NotContains(t, e.Stdout.(*bytes.Buffer).String(), `"name":"`+c.subject+`"`)
		})
	}
}

const listTools = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"test","version":"1"}}}
{"jsonrpc":"2.0","method":"notifications/initialized"}
{"jsonrpc":"2.0","id":2,"method":"tools/list"}
`

// tamperings makes a case of every value in the definition of each tool, in
// the policy, the server block and the lockfile.
func tamperings(t *testing.T, lockDir string) []tampering {
	var cases []tampering
	for file, about := range map[string]struct{ kind, subject string }{
		"approved/list_mugs.json":    {"tool", "list_mugs"},
		"approved/create_order.json": {"tool", "create_order"},
		"approved/get_order.json":    {"tool", "get_order"},
		"approved/policy.json":       {"policy", "policy"},
		"approved/server.json":       {"server", "server"},
	} {
		doc, err := os.ReadFile(filepath.Join(lockDir, file))
		require.NoError(t, err)
		var v any
		require.NoError(t, json.Unmarshal(doc, &v))
		for _, at := range pointers(v, "") {
			if strings.HasPrefix(at, "/evidence") {
				continue // outside the digest
			}
			if about.subject == "get_order" && !strings.HasPrefix(at, "/redact") {
				continue // list_mugs has the same
			}
			cases = append(cases, tampering{
				name: strings.ReplaceAll(file+at, "/", "."), kind: about.kind, subject: about.subject,
				everything: about.kind != "tool",
				edit:       func(t *testing.T, dir string) { changeJSON(t, filepath.Join(dir, file), at) },
			})
		}
		cases = append(cases, tampering{
			name: strings.ReplaceAll(file, "/", ".") + ".unknown-key", kind: about.kind, subject: about.subject, everything: about.kind != "tool",
			edit: func(t *testing.T, dir string) {
				replaceIn(t, filepath.Join(dir, file), "{", `{"unknown": true,`)
			},
		}, tampering{
			name: strings.ReplaceAll(file, "/", ".") + ".deleted", kind: about.kind, subject: about.subject, everything: about.kind != "tool",
			edit: func(t *testing.T, dir string) { require.NoError(t, os.Remove(filepath.Join(dir, file))) },
		})
	}
	return append(cases, lockTamperings(t, lockDir)...)
}

// lockTamperings makes a case of every value in the lockfile's blocks.
func lockTamperings(t *testing.T, lockDir string) []tampering {
	doc, err := os.ReadFile(filepath.Join(lockDir, lockfile.Name))
	require.NoError(t, err)
	var v any
	require.NoError(t, yaml.Unmarshal(doc, &v))
	var cases []tampering
	for _, at := range pointers(v, "") {
		parts := strings.Split(at, "/")
		var kind, subject string
		switch parts[1] {
		case "policy", "server":
			kind, subject = parts[1], parts[1]
		case "tools", "toolsets":
			if parts[2] != "list_mugs" && parts[2] != "operator" {
				continue
			}
			kind, subject = strings.TrimSuffix(parts[1], "s"), parts[2]
		default:
			continue // the version has a script of its own
		}
		cases = append(cases, tampering{
			name: "lock" + strings.ReplaceAll(at, "/", "."), kind: kind, subject: subject, everything: kind != "tool",
			edit: func(t *testing.T, dir string) { changeYAML(t, filepath.Join(dir, lockfile.Name), at) },
		})
	}
	return append(cases,
		tampering{
			name: "lock.copied-approval", kind: "tool", subject: "create_order",
			edit: func(t *testing.T, dir string) {
				editLock(t, dir, func(l *lockfile.Lock) { l.Tools["create_order"].Approval = l.Tools["list_mugs"].Approval })
			},
		},
		tampering{
			name: "lock.renamed-block", kind: "tool", subject: "harmless",
			edit: func(t *testing.T, dir string) {
				editLock(t, dir, func(l *lockfile.Lock) {
					l.Tools["harmless"] = l.Tools["create_order"]
					delete(l.Tools, "create_order")
				})
				require.NoError(t, os.Rename(filepath.Join(dir, "approved", "create_order.json"), filepath.Join(dir, "approved", "harmless.json")))
			},
		},
		tampering{
			name: "approved.stray-definition", kind: "tool", subject: "stray",
			edit: func(t *testing.T, dir string) {
				doc, err := os.ReadFile(filepath.Join(dir, "approved", "list_mugs.json"))
				require.NoError(t, err)
				doc = bytes.Replace(doc, []byte(`"list_mugs"`), []byte(`"stray"`), 1)
				require.NoError(t, os.WriteFile(filepath.Join(dir, "approved", "stray.json"), doc, 0o644))
			},
		})
}

// TestTamperingCoversTheTypes makes sure that the documents tampered with have
// every field their types have, or that the field is known to be absent.
func TestTamperingCoversTheTypes(t *testing.T) {
	base := approvedPack(t)
	dir := filepath.Join(toolpack.DirOf(base, "mugs"), "lockfile", "approved")
	absent := map[string]bool{
		"tool/binding/operation/kind": true, "tool/binding/operation/name": true, "tool/binding/result": true,
		"tool/binding/arguments/*/style": true, "tool/binding/arguments/*/escaped_slash": true, "tool/binding/fixed/*/recorded": true, "tool/auth/scopes": true, "tool/auth/optional": true,
		"tool/auth/also/*/ref": true, "tool/auth/also/*/kind": true, "tool/auth/also/*/in": true, "tool/auth/also/*/name": true, "tool/auth/also/*/scopes": true,
		"server/allow_redirects": true,
		"policy/rules/*/tools":   true, "policy/rules/*/toolsets": true, "policy/rules/*/methods": true,
		"policy/rules/*/hosts": true, "policy/rules/*/risks": true, "policy/rules/*/principals": true,
	}
	for prefix, x := range map[string]struct {
		typ   reflect.Type
		files []string
	}{
		"tool":   {reflect.TypeFor[surface.Tool](), []string{"list_mugs.json", "create_order.json", "get_order.json"}},
		"policy": {reflect.TypeFor[policy.Policy](), []string{"policy.json"}},
		"server": {reflect.TypeFor[surface.Server](), []string{"server.json"}},
	} {
		have := map[string]bool{}
		for _, f := range x.files {
			doc, err := os.ReadFile(filepath.Join(dir, f))
			require.NoError(t, err)
			var v any
			require.NoError(t, json.Unmarshal(doc, &v))
			for _, at := range pointers(v, "") {
				have[at] = true
			}
		}
		for _, l := range leaves(x.typ) {
			if absent[prefix+l] || strings.HasPrefix(l, "/evidence") {
				continue
			}
			require.True(t, hasLeaf(have, l), "%s%s is in no document that the test tampers with", prefix, l)
		}
	}
}

// hasLeaf reports whether a pointer like "/rules/0/name" matches "/rules/*/name".
func hasLeaf(have map[string]bool, leaf string) bool {
	want := strings.Split(leaf, "/")
	for at := range have {
		parts := strings.Split(at, "/")
		ok := len(parts) >= len(want)
		for i := 0; ok && i < len(want); i++ {
			ok = want[i] == "*" || want[i] == parts[i]
		}
		if ok {
			return true
		}
	}
	return false
}

// pointers lists the scalars, empty lists and empty objects of a document.
func pointers(v any, at string) []string {
	var out []string
	switch v := v.(type) {
	case map[string]any:
		for _, k := range sortedKeys(v) {
			out = append(out, pointers(v[k], at+"/"+k)...)
		}
		if len(v) == 0 {
			return []string{at}
		}
	case []any:
		for i, x := range v {
			out = append(out, pointers(x, at+"/"+string(rune('0'+i)))...)
		}
		if len(v) == 0 {
			return []string{at}
		}
	default:
		return []string{at}
	}
	return out
}

// other is a different value of the same kind.
func other(v any) any {
	switch v := v.(type) {
	case bool:
		return !v
	case float64:
		return v + 1
	case int:
		return v + 1
	case string:
		return v + "x"
	case []any:
		return []any{"x"}
	case map[string]any:
		return map[string]any{"x": map[string]any{}}
	}
	return "x"
}

// changed is v with the value at the pointer replaced by another.
func changed(v any, at string) any {
	if at == "" {
		return other(v)
	}
	head, rest, more := strings.Cut(at[1:], "/")
	if more {
		rest = "/" + rest
	}
	switch v := v.(type) {
	case map[string]any:
		v[head] = changed(v[head], rest)
	case []any:
		v[head[0]-'0'] = changed(v[head[0]-'0'], rest)
	}
	return v
}

func changeJSON(t *testing.T, name, at string) {
	doc, err := os.ReadFile(name)
	require.NoError(t, err)
	var v any
	require.NoError(t, json.Unmarshal(doc, &v))
	out, err := surface.MarshalIndent(changed(v, at))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(name, out, 0o644))
}

func changeYAML(t *testing.T, name, at string) {
	doc, err := os.ReadFile(name)
	require.NoError(t, err)
	var v any
	require.NoError(t, yaml.Unmarshal(doc, &v))
	out, err := yaml.Marshal(changed(v, at))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(name, out, 0o644))
}

func editLock(t *testing.T, dir string, f func(*lockfile.Lock)) {
	name := filepath.Join(dir, lockfile.Name)
	doc, err := os.ReadFile(name)
	require.NoError(t, err)
	l, err := lockfile.Parse(doc)
	require.NoError(t, err)
	f(l)
	doc, err = l.Encode()
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(name, doc, 0o644))
}

func replaceIn(t *testing.T, name, from, to string) {
	doc, err := os.ReadFile(name)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(name, bytes.Replace(doc, []byte(from), []byte(to), 1), 0o644))
}
