package lockfile_test

import (
	"encoding/json"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tomallicino/caskmcp/lockfile"
	"github.com/tomallicino/caskmcp/policy"
	"github.com/tomallicino/caskmcp/surface"
)

// fullTool has a value in every field.
func fullTool(name string) surface.Tool {
	return surface.Tool{
		Name:         name,
		Title:        "List users",
		Description:  "Lists the users.",
		InputSchema:  json.RawMessage(`{"type":"object","properties":{"page":{"type":"integer","minimum":1}},"additionalProperties":false}`),
		OutputSchema: json.RawMessage(`{"type":"object","properties":{"id":{"type":"string"}}}`),
		Annotations:  surface.Annotations{ReadOnly: true, Idempotent: true, OpenWorld: true},
		Binding: surface.Binding{
			Method: "POST", Scheme: "https", Host: "api.example.com", Port: 8443, Path: "/v1/" + name + "/{id}",
			Arguments: []surface.Argument{{Name: "page", In: surface.InQuery, Key: "page", Style: "comma"}},
			Encoding:  "application/json",
			Accept:    "application/json",
			Fixed:     []surface.Fixed{{In: surface.InHeader, Key: "X-Mode", Value: json.RawMessage(`"full"`)}},
			Operation: &surface.Operation{Kind: "jsonrpc", Name: "users.list"},
		},
		Auth:     &surface.Auth{Ref: "api", Kind: "apiKey", In: "header", Name: "X-Api-Key", Scopes: []string{"users:read"}, Also: []surface.Sent{{Ref: "app", Kind: "apiKey", In: "header", Name: "X-App", Scopes: []string{"app:read"}}}},
		Effect:   surface.Read,
		Risk:     surface.Low,
		Confirm:  surface.Always,
		Limits:   surface.Limits{Rate: 10, ResponseBytes: 1000, Timeout: 5},
		Redact:   []string{"email"},
		Toolsets: []string{"readonly"},
		Expires:  "2030-01-31",
		Evidence: &surface.Evidence{Captures: []string{"c"}, Observations: 3, Overrides: []string{"risk"}},
	}
}

func fullServer() surface.Server {
	return surface.Server{
		Name: "api", Instructions: "Be careful.",
		Credentials:    []surface.Credential{{Ref: "api", Env: "API_KEY", Hosts: []string{"api.example.com"}}},
		AllowPrivate:   []string{"127.0.0.0/8"},
		AllowRedirects: []string{"https://cdn.example.com"},
	}
}

func fullPolicy() policy.Policy {
	return policy.Policy{Default: policy.Deny, Rules: []policy.Rule{{
		Name: "reads", Action: policy.Allow, Tools: []string{"list_*"}, Toolsets: []string{"readonly"},
		Methods: []string{"GET", "POST"}, Hosts: []string{"*.example.com"}, Effects: []string{"read"},
		Risks: []string{"low"}, Principals: []string{"*"},
	}}}
}

func approval() lockfile.Approval {
	return lockfile.Approval{
		By: lockfile.By{Login: "alice", ID: 7}, Via: lockfile.ViaReview, At: lockfile.TimeText(time.Unix(1_700_000_000, 0)),
		Reason: "fine", PR: 12, Head: "aaaa", Merge: "bbbb", Review: 99, Plan: "sha256:00",
	}
}

// stored builds a state that verifies, as the files of a lockfile folder.
func stored(t testing.TB, tools ...surface.Tool) fstest.MapFS {
	t.Helper()
	fsys := fstest.MapFS{}
	lock := &lockfile.Lock{Version: lockfile.FormatVersion, Toolsets: map[string]*lockfile.ToolsetBlock{}, Tools: map[string]*lockfile.ToolBlock{}}
	document := func(at string, v interface{ Digest() (string, error) }) *lockfile.Block {
		doc, err := surface.MarshalIndent(v)
		require.NoError(t, err)
		fsys[at] = &fstest.MapFile{Data: doc}
		d, err := v.Digest()
		require.NoError(t, err)
		return &lockfile.Block{Digest: d, Status: surface.Approved, Approval: approval()}
	}
	lock.Policy = document(lockfile.PolicyPath, fullPolicy())
	lock.Server = document(lockfile.ServerPath, fullServer())
	set := surface.Toolset{Name: "readonly", Description: "Reads.", Default: true}
	d, err := set.Digest()
	require.NoError(t, err)
	lock.Toolsets["readonly"] = &lockfile.ToolsetBlock{
		Description: set.Description, Default: set.Default,
		Block: lockfile.Block{Digest: d, Status: surface.Approved, Approval: approval()},
	}
	for _, tool := range tools {
		lock.Tools[tool.Name] = &lockfile.ToolBlock{
			Request: tool.Binding.Request(), Risk: tool.Risk, Toolsets: tool.Toolsets, Identity: tool.Binding.Identity(),
			Block: *document(lockfile.DefinitionPath(tool.Name), tool),
		}
	}
	store(t, fsys, lock)
	return fsys
}

// store seals the blocks of lock and writes it into fsys.
func store(t testing.TB, fsys fstest.MapFS, lock *lockfile.Lock) {
	t.Helper()
	if lock.Policy != nil {
		require.NoError(t, lockfile.Seal(lockfile.KindPolicy, "", lock.Policy))
	}
	if lock.Server != nil {
		require.NoError(t, lockfile.Seal(lockfile.KindServer, "", lock.Server))
	}
	for name, b := range lock.Toolsets {
		require.NoError(t, lockfile.Seal(lockfile.KindToolset, name, b))
	}
	for name, b := range lock.Tools {
		require.NoError(t, lockfile.Seal(lockfile.KindTool, name, b))
	}
	doc, err := lock.Encode()
	require.NoError(t, err)
	fsys[lockfile.Name] = &fstest.MapFile{Data: doc}
}

func TestOpen(t *testing.T) {
	tools := []surface.Tool{fullTool("list_users"), fullTool("policy")}
	fsys := stored(t, tools...)
	state, err := lockfile.Open(fsys)
	require.NoError(t, err)
	require.Empty(t, state.Findings)
	require.True(t, state.Exists)
	require.True(t, state.PolicyOK)
	require.True(t, state.ServerOK)
	require.Equal(t, fullPolicy(), state.Surface.Policy)
	require.Equal(t, fullServer(), state.Surface.Server)
	require.Equal(t, []surface.Toolset{{Name: "readonly", Description: "Reads.", Default: true}}, state.Surface.Toolsets)
	require.Len(t, state.Surface.Tools, 2)
	for i, want := range tools {
		got, err := state.Surface.Tools[i].Digest()
		require.NoError(t, err)
		expected, err := want.Digest()
		require.NoError(t, err)
		require.Equal(t, expected, got)
	}
	prior := state.Prior()
	require.Len(t, prior.Entries, 2)
	require.Equal(t, "list_users", prior.Entries[0].Name)
	require.Equal(t, tools[0].Binding.Identity(), prior.Entries[0].Identity)
	require.NotNil(t, prior.Entries[0].Tool)
}
