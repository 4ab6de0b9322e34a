package serve

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
	"github.com/stretchr/testify/require"

	"github.com/tomallicino/caskmcp/gate"
	"github.com/tomallicino/caskmcp/lockfile"
	"github.com/tomallicino/caskmcp/policy"
	"github.com/tomallicino/caskmcp/surface"
)

// benchUpstream makes the test binary an upstream of its own process, so that
// the CPU time of the serving process alone can be read.
const benchUpstream = "CASKMCP_BENCH_UPSTREAM"

const benchBody = `{"id":"o1","status":"open","total":129.95,"currency":"EUR","created":"2026-11-22T10:00:00Z","items":[{"sku":"a-1","quantity":2,"price":49.95},{"sku":"b-2","quantity":1,"price":30.05}],"customer":{"id":"c1","name":"Ada"}}`

func TestMain(m *testing.M) {
	if os.Getenv(benchUpstream) != "" {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, benchBody)
		}))
		fmt.Println(s.URL)
		_, _ = io.Copy(io.Discard, os.Stdin)
		return
	}
	os.Exit(m.Run())
}

func startUpstream(b *testing.B) string {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), benchUpstream+"=1")
	in, err := cmd.StdinPipe()
	require.NoError(b, err)
	out, err := cmd.StdoutPipe()
	require.NoError(b, err)
	require.NoError(b, cmd.Start())
	b.Cleanup(func() { _ = in.Close(); _ = cmd.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(b, err)
	return strings.TrimSpace(line)
}

const benchOutput = `{"type":"object","properties":{"id":{"type":"string"},"status":{"type":"string"},"total":{"type":"number"},"currency":{"type":"string"},"created":{"type":"string","format":"date-time"},"items":{"type":"array","items":{"type":"object","properties":{"sku":{"type":"string"},"quantity":{"type":"integer"},"price":{"type":"number"}},"required":["sku"]}},"customer":{"type":"object","properties":{"id":{"type":"string"},"name":{"type":"string"}}}},"required":["id","status"]}`

func benchState(tb testing.TB, base string, tools int) *lockfile.State {
	u, err := url.Parse(base)
	require.NoError(tb, err)
	port, err := strconv.Atoi(u.Port())
	require.NoError(tb, err)
	s := &lockfile.State{Exists: true, PolicyOK: true, ServerOK: true, Lock: lockfile.Lock{Tools: map[string]*lockfile.ToolBlock{}}}
	s.Surface.Policy = policy.Default()
	for i := range tools {
		t := surface.Tool{
			Name: fmt.Sprintf("get_order_%03d", i), Title: "Get order", Description: "Returns one order with its items, total and customer. Use list_orders to find ids.",
			InputSchema:  json.RawMessage(`{"type":"object","properties":{"order_id":{"type":"string","description":"Id of the order."},"expand":{"type":"array","items":{"type":"string"}},"page":{"type":"integer","minimum":1}},"required":["order_id"],"additionalProperties":false}`),
			OutputSchema: json.RawMessage(benchOutput), Effect: surface.Read, Risk: surface.Low, Confirm: surface.Never, Toolsets: []string{"readonly"},
			Limits: surface.Limits{Rate: 1 << 30, ResponseBytes: 1 << 20, Timeout: 30},
			Binding: surface.Binding{Method: "GET", Scheme: "http", Host: u.Hostname(), Port: port, Path: "/orders/{order_id}", Accept: "application/json",
				Arguments: []surface.Argument{{Name: "expand", In: "query", Key: "expand"}, {Name: "order_id", In: "path", Key: "order_id"}, {Name: "page", In: "query", Key: "page"}}},
		}
		d, err := t.Digest()
		require.NoError(tb, err)
		s.Surface.Tools = append(s.Surface.Tools, t)
		s.Lock.Tools[t.Name] = &lockfile.ToolBlock{Block: lockfile.Block{Digest: d, Status: surface.Approved}}
	}
	d, err := s.Surface.Policy.Digest()
	require.NoError(tb, err)
	s.Lock.Policy = &lockfile.Block{Digest: d, Status: surface.Approved}
	d, err = s.Surface.Server.Digest()
	require.NoError(tb, err)
	s.Lock.Server = &lockfile.Block{Digest: d, Status: surface.Approved}
	return s
}

func benchOptions(audit gate.Auditor) Options {
	return Options{Auditor: audit, Now: time.Now, AllowPrivate: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
}

const (
	legacyCall = `{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"get_order_000","arguments":{"order_id":"o1","page":2}}}`
	modernCall = `{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"get_order_000","arguments":{"order_id":"o1","page":2},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/clientInfo":{"name":"bench","version":"1"}}}}`
)

// bareServer is what a hand-written mcp-go server does for the same call.
func bareServer(base string) *server.MCPServer {
	m := server.NewMCPServer("bare", "1", server.WithToolCapabilities(false))
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	m.AddTool(mcp.NewTool("get_order_000", mcp.WithString("order_id", mcp.Required()), mcp.WithNumber("page")), func(ctx context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		id, err := r.RequireString("order_id")
		if err != nil {
			return nil, err
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/orders/"+url.PathEscape(id)+"?page="+strconv.Itoa(r.GetInt("page", 1)), nil)
		if err != nil {
			return nil, err
		}
		resp, err := client.Do(req)
		if err != nil {
			return nil, err
		}
		defer func() { _ = resp.Body.Close() }()
		var v any
		body, err := io.ReadAll(resp.Body)
		if err == nil {
			err = json.Unmarshal(body, &v)
		}
		if err != nil {
			return nil, err
		}
		return mcp.NewToolResultStructured(v, string(body)), nil
	})
	return m
}

// BenchmarkCall runs the governed call and the bare one in turns and reports
// the CPU time of this process for each call.
func BenchmarkCall(b *testing.B) {
	base := startUpstream(b)
	audit, err := gate.OpenAudit(b.TempDir() + "/audit.jsonl")
	require.NoError(b, err)
	b.Cleanup(func() { _ = audit.Close() })
	srv, err := New(benchState(b, base, 200), benchOptions(audit))
	require.NoError(b, err)
	b.Cleanup(srv.Close)
	bare := bareServer(base)
	for _, message := range []struct{ name, call string }{{"legacy", legacyCall}, {"modern", modernCall}} {
		for _, parallel := range []int{1, 16} {
			for _, who := range []struct {
				name string
				mcp  *server.MCPServer
			}{{"bare", bare}, {"governed", srv.mcp}, {"bare-again", bare}, {"governed-again", srv.mcp}} {
				b.Run(fmt.Sprintf("%s/c=%d/%s", message.name, parallel, who.name), func(b *testing.B) {
					benchCalls(b, who.mcp, message.call, parallel)
				})
			}
		}
	}
}

func benchCalls(b *testing.B, m *server.MCPServer, call string, parallel int) {
	var id atomic.Int64
	one := func() {
		resp := m.HandleMessage(context.Background(), fmt.Appendf(nil, call, id.Add(1)))
		doc, err := json.Marshal(resp)
		if err != nil || !strings.Contains(string(doc), `"structuredContent"`) {
			b.Fatalf("%s %v", doc, err)
		}
	}
	one()
	before := cpu()
	if parallel == 1 {
		for b.Loop() {
			one()
		}
	} else {
		b.SetParallelism(parallel / 2)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				one()
			}
		})
	}
	b.ReportMetric(float64((cpu()-before).Microseconds())/float64(b.N), "cpu-µs/call")
}

func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkStart measures from an opened state to the answer of the first
// tools/list of a client, with 200 tools.
func BenchmarkStart(b *testing.B) {
	state := benchState(b, "http://127.0.0.1:1", 200)
	input := `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}` + "\n" +
		`{"jsonrpc":"2.0","method":"notifications/initialized"}` + "\n" + `{"jsonrpc":"2.0","id":2,"method":"tools/list"}` + "\n"
	before := cpu()
	for b.Loop() {
		srv, err := New(state, benchOptions(gate.NoAudit{}))
		if err != nil {
			b.Fatal(err)
		}
		var out countingWriter
		if err := srv.Stdio(context.Background(), strings.NewReader(input), &out); err != nil {
			b.Fatal(err)
		}
		if out.bytes < 100_000 {
			b.Fatalf("%d bytes", out.bytes)
		}
		srv.Close()
	}
	b.ReportMetric(float64((cpu()-before).Microseconds())/float64(b.N), "cpu-µs/start")
}

type countingWriter struct {
	mu    sync.Mutex
	bytes int
}

func (c *countingWriter) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bytes += len(p)
	return len(p), nil
}
