package lockfile_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/tomallicino/caskmcp/lockfile"
	"github.com/tomallicino/caskmcp/surface"
)

// mutations calls do once for every place in v, a pointer to a struct, with
// that place changed: no field of any type in it can be left out. It fails on
// a list, pointer or document without a value, which would leave out what can
// be inside.
func mutations(t *testing.T, v any, do func(place string)) {
	t.Helper()
	walk(t, reflect.ValueOf(v).Elem(), "", do)
}

var rawMessage = reflect.TypeFor[json.RawMessage]()

func walk(t *testing.T, v reflect.Value, place string, do func(string)) {
	t.Helper()
	old := reflect.New(v.Type()).Elem()
	old.Set(v)
	change := func(what string, now any) {
		v.Set(reflect.ValueOf(now).Convert(v.Type()))
		do(place + what)
		v.Set(old)
	}
	if v.Type() == rawMessage {
		var doc any
		require.NoError(t, json.Unmarshal(old.Bytes(), &doc), place)
		documents(doc, "", func(at string, now any) {
			raw, err := json.Marshal(now)
			require.NoError(t, err)
			change(" at "+at, raw)
		})
		return
	}
	switch v.Kind() {
	case reflect.String:
		change("", v.String()+"x")
		if v.String() != "" {
			change(" to nothing", "")
		}
	case reflect.Bool:
		change("", !v.Bool())
	case reflect.Int, reflect.Int64:
		change("", v.Int()+1)
	case reflect.Pointer:
		require.False(t, v.IsNil(), place)
		v.Set(reflect.Zero(v.Type()))
		do(place + " to nothing")
		v.Set(old)
		walk(t, v.Elem(), place, do)
	case reflect.Slice:
		require.NotZero(t, v.Len(), place)
		v.Set(reflect.AppendSlice(reflect.MakeSlice(v.Type(), 0, v.Len()+1), old))
		v.Set(reflect.Append(v, old.Index(0)))
		do(place + " one more")
		v.Set(old.Slice(0, old.Len()-1))
		do(place + " one less")
		v.Set(old)
		for i := range v.Len() {
			walk(t, v.Index(i), fmt.Sprintf("%s[%d]", place, i), do)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			walk(t, v.Field(i), place+"."+v.Type().Field(i).Name, do)
		}
	default:
		require.Failf(t, "a kind of field this test does not know", "%s is %s", place, v.Kind())
	}
}

// documents calls do with copies of a JSON value in which one thing differs.
func documents(v any, at string, do func(at string, now any)) {
	switch v := v.(type) {
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			less := maps.Clone(v)
			delete(less, k)
			do(at+" without "+k, less)
			documents(v[k], at+"/"+k, func(at string, now any) {
				c := maps.Clone(v)
				c[k] = now
				do(at, c)
			})
		}
		more := maps.Clone(v)
		more["x-added"] = true
		do(at+" with one more", more)
	case string:
		do(at, v+"x")
	case float64:
		do(at, v+1)
	case bool:
		do(at, !v)
	case nil:
		do(at, "")
	case []any:
		do(at, append(slices.Clone(v), "x"))
	}
}

// refused checks that the state of fsys does not serve what was tampered with,
// says so, and still serves the other tool.
func refused(t *testing.T, fsys fstest.MapFS, kind, name string) []string {
	t.Helper()
	state, err := lockfile.Open(fsys)
	require.NoError(t, err)
	var codes []string
	for _, f := range state.Findings {
		require.Contains(t, f.Text, "caskmcp ")
		if f.Kind == kind && f.Name == name {
			codes = append(codes, f.Code)
		}
	}
	require.NotEmpty(t, codes, "no finding about the %s", kind)
	serves := func(n string) bool {
		return slices.ContainsFunc(state.Surface.Tools, func(t surface.Tool) bool { return t.Name == n })
	}
	switch kind {
	case lockfile.KindTool:
		require.False(t, serves(name))
		require.True(t, state.PolicyOK && state.ServerOK)
	case lockfile.KindToolset:
		require.Empty(t, state.Surface.Toolsets)
	case lockfile.KindPolicy:
		require.False(t, state.PolicyOK)
		require.Zero(t, state.Surface.Policy)
	case lockfile.KindServer:
		require.False(t, state.ServerOK)
		require.Zero(t, state.Surface.Server)
	}
	require.True(t, serves("other"), "the other tool is served")
	return codes
}

// other is a second tool, which nothing below touches.
func other() surface.Tool {
	t := fullTool("other")
	t.Binding.Host = "other.example.com"
	return t
}

// Every byte of a definition that the digest covers: changed, it is refused.
func TestTamperedDefinition(t *testing.T) {
	tool, n := fullTool("list_users"), 0
	base := stored(t, fullTool("list_users"), other())
	mutations(t, &tool, func(place string) {
		if strings.HasPrefix(place, ".Evidence") {
			return // not part of what is approved
		}
		n++
		t.Run(place, func(t *testing.T) {
			fsys := maps.Clone(base)
			doc, err := surface.MarshalIndent(tool)
			require.NoError(t, err)
			fsys[lockfile.DefinitionPath("list_users")] = &fstest.MapFile{Data: doc}
			require.Subset(t, []string{lockfile.CodeDigest, lockfile.CodeUnreadable}, refused(t, fsys, lockfile.KindTool, "list_users"))
		})
	})
	require.Greater(t, n, 80)
}

func TestEvidenceIsNotApproved(t *testing.T) {
	tool := fullTool("list_users")
	fsys := stored(t, tool)
	tool.Evidence = &surface.Evidence{Observations: 1000}
	doc, err := surface.MarshalIndent(tool)
	require.NoError(t, err)
	fsys[lockfile.DefinitionPath(tool.Name)] = &fstest.MapFile{Data: doc}
	state, err := lockfile.Open(fsys)
	require.NoError(t, err)
	require.Empty(t, state.Findings)
	require.Equal(t, 1000, state.Surface.Tools[0].Evidence.Observations)
}

func TestTamperedPolicyAndServer(t *testing.T) {
	base := stored(t, other())
	tamper := func(kind, at string, v any) {
		mutations(t, v, func(place string) {
			t.Run(kind+place, func(t *testing.T) {
				fsys := maps.Clone(base)
				doc, err := surface.MarshalIndent(v)
				require.NoError(t, err)
				fsys[at] = &fstest.MapFile{Data: doc}
				refused(t, fsys, kind, "")
			})
		})
	}
	p, s := fullPolicy(), fullServer()
	tamper(lockfile.KindPolicy, lockfile.PolicyPath, &p)
	tamper(lockfile.KindServer, lockfile.ServerPath, &s)
}

// Every field of every block: edited by hand, the block is refused.
func TestTamperedBlock(t *testing.T) {
	base := stored(t, fullTool("list_users"), other())
	lock, err := lockfile.Parse(base[lockfile.Name].Data)
	require.NoError(t, err)
	tamper := func(kind, name string, block any) {
		mutations(t, block, func(place string) {
			t.Run(kind+place, func(t *testing.T) {
				fsys := maps.Clone(base)
				doc, err := lock.Encode()
				require.NoError(t, err)
				fsys[lockfile.Name] = &fstest.MapFile{Data: doc}
				require.Contains(t, refused(t, fsys, kind, name), lockfile.CodeApproval)
			})
		})
	}
	tamper(lockfile.KindTool, "list_users", lock.Tools["list_users"])
	tamper(lockfile.KindToolset, "readonly", lock.Toolsets["readonly"])
	tamper(lockfile.KindPolicy, "", lock.Policy)
	tamper(lockfile.KindServer, "", lock.Server)
}

// A block whose checksum was made up again must still describe the definition
// that it approves.
func TestForgedBlock(t *testing.T) {
	for name, forge := range map[string]func(*lockfile.ToolBlock){
		"request":  func(b *lockfile.ToolBlock) { b.Request = "GET https://harmless.example.com/" },
		"risk":     func(b *lockfile.ToolBlock) { b.Risk = surface.Safe },
		"toolsets": func(b *lockfile.ToolBlock) { b.Toolsets = []string{"operator"} },
		"identity": func(b *lockfile.ToolBlock) { b.Identity = "GET https://harmless.example.com:443/" },
	} {
		t.Run(name, func(t *testing.T) {
			fsys := stored(t, fullTool("list_users"), other())
			lock, err := lockfile.Parse(fsys[lockfile.Name].Data)
			require.NoError(t, err)
			forge(lock.Tools["list_users"])
			store(t, fsys, lock)
			require.Equal(t, []string{lockfile.CodeDisagrees}, refused(t, fsys, lockfile.KindTool, "list_users"))
		})
	}
}

// A definition that was approved although a value in it means nothing is not
// served: later steps would have to guess.
func TestDefinitionsWithoutMeaning(t *testing.T) {
	for name, change := range map[string]func(*surface.Tool){
		"effect":         func(t *surface.Tool) { t.Effect = "harmless" },
		"risk":           func(t *surface.Tool) { t.Risk = "" },
		"confirm":        func(t *surface.Tool) { t.Confirm = "sometimes" },
		"rate":           func(t *surface.Tool) { t.Limits.Rate = 0 },
		"response bytes": func(t *surface.Tool) { t.Limits.ResponseBytes = -1 },
		"timeout":        func(t *surface.Tool) { t.Limits.Timeout = 0 },
		"expires":        func(t *surface.Tool) { t.Expires = "31.12.2030" },
	} {
		t.Run(name, func(t *testing.T) {
			tool := fullTool("list_users")
			change(&tool)
			require.Equal(t, []string{lockfile.CodeInvalid}, refused(t, stored(t, tool, other()), lockfile.KindTool, "list_users"))
		})
	}
}

func TestForgedToolset(t *testing.T) {
	fsys := stored(t, other())
	lock, err := lockfile.Parse(fsys[lockfile.Name].Data)
	require.NoError(t, err)
	lock.Toolsets["readonly"].Description = "Writes."
	store(t, fsys, lock)
	require.Equal(t, []string{lockfile.CodeDigest}, refused(t, fsys, lockfile.KindToolset, "readonly"))
}

func TestTamperedFiles(t *testing.T) {
	definition := lockfile.DefinitionPath("list_users")
	for name, tc := range map[string]struct {
		tamper func(fstest.MapFS)
		kind   string
		about  string
		code   string
	}{
		"definition removed": {
			func(f fstest.MapFS) { delete(f, definition) },
			lockfile.KindTool, "list_users", lockfile.CodeMissing,
		},
		"definition empty": {
			func(f fstest.MapFS) { f[definition] = &fstest.MapFile{} },
			lockfile.KindTool, "list_users", lockfile.CodeUnreadable,
		},
		"definition with a key twice": {
			func(f fstest.MapFS) {
				replace(f, definition, `"name": "list_users",`, `"name": "list_users", "name": "list_users",`)
			},
			lockfile.KindTool, "list_users", lockfile.CodeUnreadable,
		},
		"definition with another spelling of a key": {
			func(f fstest.MapFS) { replace(f, definition, `"confirm": "always"`, `"Confirm": "always"`) },
			lockfile.KindTool, "list_users", lockfile.CodeUnreadable,
		},
		"definition with an unknown key": {
			func(f fstest.MapFS) { replace(f, definition, `"name":`, `"icons": [], "name":`) },
			lockfile.KindTool, "list_users", lockfile.CodeUnreadable,
		},
		"schema with a key twice": {
			func(f fstest.MapFS) { replace(f, definition, `"minimum": 1`, `"minimum": 1, "minimum": 1`) },
			lockfile.KindTool, "list_users", lockfile.CodeUnreadable,
		},
		"evidence with an unknown key": {
			func(f fstest.MapFS) { replace(f, definition, `"observations": 3`, `"observations": 3, "by": "x"`) },
			lockfile.KindTool, "list_users", lockfile.CodeUnreadable,
		},
		"definition followed by another": {
			func(f fstest.MapFS) {
				f[definition] = &fstest.MapFile{Data: append(slices.Clone(f[definition].Data), f[definition].Data...)}
			},
			lockfile.KindTool, "list_users", lockfile.CodeUnreadable,
		},
		"definition with an unsafe integer": {
			func(f fstest.MapFS) { replace(f, definition, `"minimum": 1`, `"minimum": 9007199254740993`) },
			lockfile.KindTool, "list_users", lockfile.CodeUnreadable,
		},
		"definition is a link": {
			func(f fstest.MapFS) {
				f[definition] = &fstest.MapFile{Mode: 0o777 | fs.ModeSymlink, Data: []byte("other.json")}
			},
			lockfile.KindTool, "list_users", lockfile.CodeUnreadable,
		},
		"definition is too large": {
			func(f fstest.MapFS) { f[definition] = &fstest.MapFile{Data: make([]byte, lockfile.MaxBytes+1)} },
			lockfile.KindTool, "list_users", lockfile.CodeUnreadable,
		},
		"definition of another tool": {
			func(f fstest.MapFS) { f[definition] = f[lockfile.DefinitionPath("other")] },
			lockfile.KindTool, "list_users", lockfile.CodeDigest,
		},
		"policy removed": {
			func(f fstest.MapFS) { delete(f, lockfile.PolicyPath) },
			lockfile.KindPolicy, "", lockfile.CodeMissing,
		},
		"server removed": {
			func(f fstest.MapFS) { delete(f, lockfile.ServerPath) },
			lockfile.KindServer, "", lockfile.CodeMissing,
		},
	} {
		t.Run(name, func(t *testing.T) {
			fsys := stored(t, fullTool("list_users"), other())
			tc.tamper(fsys)
			require.Equal(t, []string{tc.code}, refused(t, fsys, tc.kind, tc.about))
		})
	}
}

func replace(fsys fstest.MapFS, name, old, now string) {
	fsys[name] = &fstest.MapFile{Data: []byte(strings.Replace(string(fsys[name].Data), old, now, 1))}
}

// An approval moved to another name or another kind is none.
func TestCopiedBlock(t *testing.T) {
	fsys := stored(t, fullTool("list_users"), other())
	lock, err := lockfile.Parse(fsys[lockfile.Name].Data)
	require.NoError(t, err)
	lock.Tools["list_people"] = lock.Tools["list_users"]
	delete(lock.Tools, "list_users")
	doc, err := lock.Encode()
	require.NoError(t, err)
	fsys[lockfile.Name] = &fstest.MapFile{Data: doc}
	fsys[lockfile.DefinitionPath("list_people")] = fsys[lockfile.DefinitionPath("list_users")]
	require.Equal(t, []string{lockfile.CodeApproval}, refused(t, fsys, lockfile.KindTool, "list_people"))

	lock.Policy, lock.Server = lock.Server, lock.Policy
	doc, err = lock.Encode()
	require.NoError(t, err)
	fsys[lockfile.Name] = &fstest.MapFile{Data: doc}
	require.Equal(t, []string{lockfile.CodeApproval}, refused(t, fsys, lockfile.KindPolicy, ""))
}

func TestTwoBlocksForOneOperation(t *testing.T) {
	a, b := fullTool("list_users"), fullTool("list_people")
	b.Binding = a.Binding
	fsys := stored(t, a, b, other())
	require.Equal(t, []string{lockfile.CodeDuplicate}, refused(t, fsys, lockfile.KindTool, "list_users"))
	require.Equal(t, []string{lockfile.CodeDuplicate}, refused(t, fsys, lockfile.KindTool, "list_people"))
}

func TestNames(t *testing.T) {
	fsys := stored(t, fullTool("Get"), fullTool("get"), other())
	require.Contains(t, refused(t, fsys, lockfile.KindTool, "get"), lockfile.CodeConfusable)
	require.Contains(t, refused(t, fsys, lockfile.KindTool, "Get"), lockfile.CodeConfusable)

	for _, name := range []string{"../../escape", "a/b", "", ".hidden", "-flag", "naïve", strings.Repeat("a", 129)} {
		t.Run(name, func(t *testing.T) {
			require.False(t, lockfile.ValidName(name))
			fsys := stored(t, other())
			lock, err := lockfile.Parse(fsys[lockfile.Name].Data)
			require.NoError(t, err)
			lock.Tools[name] = lock.Tools["other"]
			delete(lock.Tools, "other")
			store(t, fsys, lock)
			state, err := lockfile.Open(fsys)
			require.NoError(t, err)
			require.Empty(t, state.Surface.Tools)
			require.Equal(t, lockfile.CodeName, state.Findings[len(state.Findings)-1].Code)
		})
	}
}

func TestFilesWithoutABlock(t *testing.T) {
	fsys := stored(t, other())
	fsys["approved/stray.json"] = &fstest.MapFile{Data: []byte("{}")}
	fsys["approved/notes.txt"] = &fstest.MapFile{}
	fsys["approved/.other.json1234567890123"] = &fstest.MapFile{} // left by a killed run
	state, err := lockfile.Open(fsys)
	require.NoError(t, err)
	require.Len(t, state.Findings, 2)
	for i, name := range []string{"approved/notes.txt", "approved/stray.json"} {
		require.Equal(t, lockfile.CodeUnexpected, state.Findings[i].Code)
		require.Equal(t, name, state.Findings[i].Name)
	}
	require.Len(t, state.Surface.Tools, 1)

	// Without the lockfile nothing is approved, whatever lies about.
	delete(fsys, lockfile.Name)
	state, err = lockfile.Open(fsys)
	require.NoError(t, err)
	require.False(t, state.Exists)
	require.False(t, state.PolicyOK || state.ServerOK)
	require.Zero(t, state.Surface)
	require.NotEmpty(t, state.Findings)
}
