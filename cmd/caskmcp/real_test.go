package main

import (
	"bytes"
	"context"
	"crypto/sha1"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/client/transport"
	"github.com/mark3labs/mcp-go/mcp"
	"github.com/stretchr/testify/require"
)

// These tests go from a checked-in capture of a real program to a tool that
// answers with that program's live data. They run where the program is
// installed; CASKMCP_REQUIRE=1 makes its absence a failure instead of a skip.
// testdata/record tells how the captures were made.

func TestPrometheus(t *testing.T) {
	t.Parallel()
	program := installed(t, "apt-get install prometheus", "prometheus")
	const addr = "127.0.0.1:19090" // as recorded, and so as approved
	config := filepath.Join(t.TempDir(), "prometheus.yml")
	scrapeItself := "scrape_configs: [{job_name: self, scrape_interval: 1s, static_configs: [{targets: ['" + addr + "']}]}]\n"
	require.NoError(t, os.WriteFile(config, []byte(scrapeItself), 0o644))
	start(t, addr, "/-/ready", exec.Command(program, "--config.file="+config, "--storage.tsdb.path="+t.TempDir(),
		"--web.listen-address="+addr, "--log.level=error"))
	s := approveAndServe(t, "prometheus")

	var labels struct{ Data []string }
	values := s.tool("GET", "/api/v1/label/{}/values")
	require.Eventually(t, func() bool {
		s.call(values, map[string]any{s.pathArgument(values, 0): "job"}, &labels)
		return len(labels.Data) > 0
	}, 20*time.Second, 200*time.Millisecond, "Prometheus never scraped itself")
	require.Equal(t, []string{"self"}, labels.Data)

	var build struct{ Data struct{ Version string } }
	s.call(s.tool("GET", "/api/v1/status/buildinfo"), nil, &build)
	require.NotEmpty(t, build.Data.Version)

	var answer struct {
		Data struct {
			Result []struct{ Metric map[string]string }
		}
	}
	s.call(s.tool("GET", "/api/v1/query"), map[string]any{"query": `up{job="self"}`}, &answer)
	require.Len(t, answer.Data.Result, 1)
	require.Equal(t, "up", answer.Data.Result[0].Metric["__name__"])

	require.Contains(t, s.refused(s.tool("GET", "/api/v1/query"), map[string]any{"query": "sum("}), "400")
	require.Contains(t, s.refused(values, map[string]any{s.pathArgument(values, 0): "../status/config"}), "Nothing was sent")
	reload := s.tool("POST", "/-/reload")
	require.Contains(t, s.refused(reload, nil), "confirm")
	require.NotContains(t, s.listed("readonly"), reload.Name)
	require.Contains(t, s.listed("readonly"), values.Name)
}

func TestVerdaccio(t *testing.T) {
	t.Parallel()
	program := installed(t, "npm ci --prefix testdata/record/verdaccio --ignore-scripts", "verdaccio",
		filepath.Join("..", "..", "testdata", "record", "verdaccio", "node_modules", ".bin", "verdaccio"))
	const addr = "127.0.0.1:14873" // as recorded, and so as approved
	dir := t.TempDir()
	config := filepath.Join(dir, "config.yaml")
	require.NoError(t, os.WriteFile(config, []byte(strings.Join([]string{
		"storage: " + dir, "auth: {htpasswd: {file: " + filepath.Join(dir, "htpasswd") + "}}",
		`packages: {"@*/*": {access: $all, publish: $authenticated}, "**": {access: $all, publish: $authenticated}}`,
		"log: {type: stdout, format: pretty, level: error}",
	}, "\n")), 0o644))
	start(t, addr, "/-/ping", exec.Command(program, "--config", config, "--listen", addr))
	token := publish(t, "http://"+addr, "teapot", "3.1.4")
	s := approveAndServe(t, "verdaccio", "CASKMCP_VERDACCIO_TOKEN="+token)

	// A word-like id that no recording had: what was inferred holds for others.
	get := s.tool("GET", "/{}")
	var doc struct {
		Name string            `json:"name"`
		Tags map[string]string `json:"dist-tags"`
	}
	s.call(get, map[string]any{s.pathArgument(get, 0): "teapot"}, &doc)
	require.Equal(t, "teapot", doc.Name)
	require.Equal(t, map[string]string{"latest": "3.1.4"}, doc.Tags)

	tags := s.tool("GET", "/-/package/{}/dist-tags")
	var latest map[string]string
	s.call(tags, map[string]any{s.pathArgument(tags, 0): "teapot"}, &latest)
	require.Equal(t, map[string]string{"latest": "3.1.4"}, latest)

	require.Contains(t, s.refused(get, map[string]any{s.pathArgument(get, 0): "no-such-package"}), "404")
	// Scoped names hold a slash, which was approved and travels as %2F: it
	// stays in its segment, so that another route cannot be reached with it.
	require.Contains(t, s.refused(get, map[string]any{s.pathArgument(get, 0): "-/whoami"}), "invalid package")
	require.Contains(t, s.refused(get, map[string]any{s.pathArgument(get, 0): "../-/whoami"}), "Nothing was sent")
	drop := s.tool("DELETE", "/-/package/{}/dist-tags/{}")
	require.Contains(t, s.refused(drop, map[string]any{s.pathArgument(drop, 0): "teapot", s.pathArgument(drop, 1): "latest"}), "confirm")
}

// installed is the first of names that can be run here. A bare machine skips
// the test and says what to install.
func installed(t *testing.T, install string, names ...string) string {
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			path, err = filepath.Abs(path)
			require.NoError(t, err)
			return path
		}
	}
	if os.Getenv("CASKMCP_REQUIRE") == "1" {
		t.Fatalf("%s is not installed and CASKMCP_REQUIRE=1 is set: %s", names[0], install)
	}
	t.Skipf("%s is not installed: %s", names[0], install)
	return ""
}

// start runs a server on addr until the test ends and waits until it answers
// path. The captures name addr, so nothing else may be there.
func start(t *testing.T, addr, path string, cmd *exec.Cmd) {
	l, err := net.Listen("tcp", addr)
	require.NoError(t, err, "%s is the recorded address and has to be free", addr)
	require.NoError(t, l.Close())
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	require.NoError(t, cmd.Start())
	exited := make(chan struct{})
	go func() { defer close(exited); _ = cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		select {
		case <-exited:
		case <-time.After(10 * time.Second):
			_ = cmd.Process.Kill()
			<-exited
		}
	})
	deadline := time.After(40 * time.Second)
	for {
		if r, err := http.Get("http://" + addr + path); err == nil {
			_ = r.Body.Close()
			if r.StatusCode == http.StatusOK {
				return
			}
		}
		select {
		case <-exited:
			t.Fatalf("%s ended at once:\n%s", cmd.Path, output.String())
		case <-deadline:
			t.Fatalf("%s does not answer at %s%s", cmd.Path, addr, path)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// publish makes an account of its own and publishes an empty package, as
// "npm publish" does. It returns the account's token.
func publish(t *testing.T, base, pkg, version string) string {
	send := func(token, path string, body any) []byte {
		doc, err := json.Marshal(body)
		require.NoError(t, err)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, base+path, bytes.NewReader(doc))
		require.NoError(t, err)
		req.Header.Set("Content-Type", "application/json")
		if token != "" {
			req.Header.Set("Authorization", "Bearer "+token)
		}
		r, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		defer func() { _ = r.Body.Close() }()
		answer, err := io.ReadAll(r.Body)
		require.NoError(t, err)
		require.Equal(t, http.StatusCreated, r.StatusCode, "%s", answer)
		return answer
	}
	const user = "potter"
	var account struct{ Token string }
	require.NoError(t, json.Unmarshal(send("", "/-/user/org.couchdb.user:"+user,
		map[string]any{"name": user, "password": "correct-horse-battery"}), &account))
	file, tarball := pkg+"-"+version+".tgz", []byte("empty")
	sha1sum, sha512sum := sha1.Sum(tarball), sha512.Sum512(tarball)
	send(account.Token, "/"+pkg, map[string]any{
		"_id": pkg, "name": pkg, "description": "For tea", "dist-tags": map[string]string{"latest": version},
		"versions": map[string]any{version: map[string]any{
			"name": pkg, "version": version, "description": "For tea",
			"dist": map[string]string{
				"tarball":   base + "/" + pkg + "/-/" + file,
				"shasum":    hex.EncodeToString(sha1sum[:]),
				"integrity": "sha512-" + base64.StdEncoding.EncodeToString(sha512sum[:]),
			},
		}},
		"_attachments": map[string]any{file: map[string]any{
			"content_type": "application/octet-stream", "data": base64.StdEncoding.EncodeToString(tarball), "length": len(tarball),
		}},
	})
	return account.Token
}

// served is a surface that was approved and is served by a process of its own
// to a real MCP client.
type served struct {
	t      *testing.T
	dir    string // the repository
	name   string // of the toolpack
	client *client.Client
	tools  map[string]approvedTool // by method and template, "GET /orders/{}"
}

type approvedTool struct {
	Name    string
	Binding struct {
		Method string
		Path   string
	}
}

// approveAndServe compiles the capture called name in an empty repository,
// approves and applies all of it, and serves it over stdio with env.
func approveAndServe(t *testing.T, name string, env ...string) *served {
	e, out, _ := testEnv(t)
	takeCapture(t, e, name)
	must(t, e, exitOK, "compile", "--name", name)
	must(t, e, exitChanges, "plan", "--detailed-exitcode")
	require.Contains(t, out.String(), "to add, 0 to change, 0 to replace, 0 to remove")
	must(t, e, exitGate, "check")
	must(t, e, exitOK, "approve", "tool", "--all", "--reason", "reviewed")
	must(t, e, exitOK, "apply")
	must(t, e, exitOK, "check")
	must(t, e, exitOK, "plan", "--detailed-exitcode")

	s := &served{t: t, dir: e.Dir, name: name, tools: approvedTools(t, filepath.Join(e.Dir, ".caskmcp", "toolpacks", name, "lockfile", "approved"))}
	// The operator toolset has all tools, the default one only reads.
	s.client = connect(t, e.Dir, env, "serve", "--toolpack", name, "--toolset", "operator")
	return s
}

// takeCapture puts the checked-in capture called name into e's repository and
// returns where it is then.
func takeCapture(t *testing.T, e *env, name string) string {
	found, err := filepath.Glob(filepath.Join("..", "..", "testdata", "captures", name+"-*.json"))
	require.NoError(t, err)
	require.Len(t, found, 1)
	doc, err := os.ReadFile(found[0])
	require.NoError(t, err)
	captures := filepath.Join(e.Dir, ".caskmcp", "captures")
	require.NoError(t, os.MkdirAll(captures, 0o755))
	path := filepath.Join(captures, filepath.Base(found[0]))
	require.NoError(t, os.WriteFile(path, doc, 0o644))
	return path
}

// approvedTools are the definitions that approvals cover, by method and path
// template with the names of its parameters left out.
func approvedTools(t *testing.T, dir string) map[string]approvedTool {
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	require.NoError(t, err)
	tools := map[string]approvedTool{}
	for _, file := range files {
		doc, err := os.ReadFile(file)
		require.NoError(t, err)
		var tool approvedTool
		require.NoError(t, json.Unmarshal(doc, &tool))
		if tool.Binding.Method != "" { // the policy and the server block are not tools
			tools[tool.Binding.Method+" "+unnamed(tool.Binding.Path)] = tool
		}
	}
	return tools
}

func unnamed(template string) string {
	parts := strings.Split(template, "{")
	for i := range parts[1:] {
		_, after, _ := strings.Cut(parts[i+1], "}")
		parts[i+1] = "}" + after
	}
	return strings.Join(parts, "{")
}

// connect starts caskmcp in dir as an MCP client would and shakes hands.
func connect(t *testing.T, dir string, env []string, args ...string) *client.Client {
	program, err := exec.LookPath("caskmcp") // this test binary: TestMain put it there
	require.NoError(t, err)
	c, err := client.NewStdioMCPClientWithOptions(program, env, args, transport.WithCommandFunc(
		func(ctx context.Context, name string, env, args []string) (*exec.Cmd, error) {
			cmd := exec.CommandContext(ctx, name, args...)
			cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
			return cmd, nil
		}), transport.WithCommandStderrWriter(t.Output()))
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	hello := mcp.InitializeRequest{}
	hello.Params.ProtocolVersion = mcp.LATEST_PROTOCOL_VERSION
	hello.Params.ClientInfo = mcp.Implementation{Name: "test", Version: "1"}
	_, err = c.Initialize(t.Context(), hello)
	require.NoError(t, err)
	return c
}

// tool is the tool of a method and template, as approved and as listed.
func (s *served) tool(method, template string) approvedTool {
	s.t.Helper()
	tool, ok := s.tools[method+" "+template]
	require.True(s.t, ok, "no tool is %s %s", method, template)
	return tool
}

// listed are the names that a client of one toolset sees.
func (s *served) listed(toolset string) []string {
	s.t.Helper()
	list, err := connect(s.t, s.dir, nil, "serve", "--toolpack", s.name, "--toolset", toolset).ListTools(s.t.Context(), mcp.ListToolsRequest{})
	require.NoError(s.t, err)
	var names []string
	for _, tool := range list.Tools {
		names = append(names, tool.Name)
	}
	return names
}

// pathArgument is the name of the n-th parameter in the tool's path.
func (s *served) pathArgument(tool approvedTool, n int) string {
	s.t.Helper()
	parts := strings.Split(tool.Binding.Path, "{")
	require.Greater(s.t, len(parts), n+1, tool.Binding.Path)
	name, _, _ := strings.Cut(parts[n+1], "}")
	return name
}

// call expects the tool to answer and decodes its structured content.
func (s *served) call(tool approvedTool, args map[string]any, into any) {
	s.t.Helper()
	r := s.send(tool, args)
	require.False(s.t, r.IsError, "%s: %v", tool.Name, r.Content)
	doc, err := json.Marshal(r.StructuredContent)
	require.NoError(s.t, err)
	require.NoError(s.t, json.Unmarshal(doc, into), "%s: %s", tool.Name, doc)
}

// refused expects the tool not to do it and returns what it says.
func (s *served) refused(tool approvedTool, args map[string]any) string {
	s.t.Helper()
	r := s.send(tool, args)
	require.True(s.t, r.IsError, "%s: %v", tool.Name, r.Content)
	return fmt.Sprint(r.Content)
}

func (s *served) send(tool approvedTool, args map[string]any) *mcp.CallToolResult {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 20*time.Second)
	defer cancel()
	req := mcp.CallToolRequest{}
	req.Params.Name, req.Params.Arguments = tool.Name, map[string]any{}
	if args != nil {
		req.Params.Arguments = args
	}
	r, err := s.client.CallTool(ctx, req)
	require.NoError(s.t, err)
	return r
}
