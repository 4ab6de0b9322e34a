package serve_test

import (
	"bufio"
	"encoding/json"
	"flag"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tomallicino/caskmcp/gate"
	"github.com/tomallicino/caskmcp/serve"
	"github.com/tomallicino/caskmcp/surface"
)

var update = flag.Bool("update", false, "rewrite the server's side of testdata/*.conversation")

// TestConversations plays testdata/*.conversation over pipes: lines that begin
// with "-> " are sent, one at a time; each is followed by the "<- " lines the
// server answers. Other lines are prose.
func TestConversations(t *testing.T) {
	files, err := filepath.Glob("testdata/*.conversation")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			before, err := os.ReadFile(file)
			require.NoError(t, err)
			after := play(t, shopServer(t), string(before))
			if *update {
				require.NoError(t, os.WriteFile(file, []byte(after), 0o644))
				return
			}
			require.Equal(t, strings.Split(string(before), "\n"), strings.Split(after, "\n"))
		})
	}
}

// shopServer serves two reads and a write of a small shop.
func shopServer(t *testing.T) *serve.Server {
	up := newAPI(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch r.URL.Path {
		case "/orders":
			_, _ = io.WriteString(w, `[{"id":"o1","total":9.5}]`)
		case "/orders/o1":
			_, _ = io.WriteString(w, `{"id":"o1","total":9.5}`)
		default:
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, `{"error":"no such order"}`)
		}
	})
	get := tool(t, up.URL, "get_order", "GET", "/orders/{order_id}", `{"type":"object","properties":{"order_id":{"type":"string","description":"The order, as list_orders gives it & <no> more."}},"required":["order_id"],"additionalProperties":false}`,
		surface.Argument{Name: "order_id", In: surface.InPath, Key: "order_id"})
	get.OutputSchema = json.RawMessage(`{"type":"object","properties":{"id":{"type":"string"},"total":{"type":"number"}}}`)
	list := tool(t, up.URL, "list_orders", "GET", "/orders", noArguments)
	list.Binding.Result = "items"
	list.OutputSchema = json.RawMessage(`{"type":"object","properties":{"items":{"type":"array"}},"required":["items"]}`)
	remove := tool(t, up.URL, "delete_order", "DELETE", "/orders/{id}", idSchema(""), surface.Argument{Name: "id", In: surface.InPath, Key: "id"})
	remove.Effect, remove.Annotations = surface.Destructive, surface.Annotations{Destructive: true, Idempotent: true}
	s := stateOf(t, get, list, remove)
	s.Surface.Server.Instructions = "Orders of the shop."
	seal(t, s)
	srv, err := serve.New(s, options(gate.NoAudit{}))
	require.NoError(t, err)
	t.Cleanup(srv.Close)
	return srv
}

func play(t *testing.T, srv *serve.Server, script string) string {
	toServer, in := io.Pipe()
	out, fromServer := io.Pipe()
	done := make(chan error, 1)
	go func() {
		done <- srv.Stdio(t.Context(), toServer, fromServer)
		_ = fromServer.Close()
	}()
	answers := bufio.NewReaderSize(out, 1<<20)
	var b strings.Builder
	for line := range strings.Lines(script) {
		if strings.HasPrefix(line, "<- ") {
			continue
		}
		b.WriteString(line)
		message, ok := strings.CutPrefix(line, "-> ")
		if !ok {
			continue
		}
		_, err := io.WriteString(in, message)
		require.NoError(t, err)
		if !expectsAnswer(message) {
			continue
		}
		answer, err := answers.ReadString('\n')
		require.NoError(t, err)
		b.WriteString("<- " + answer)
	}
	require.NoError(t, in.Close())
	require.NoError(t, <-done)
	rest, err := io.ReadAll(answers)
	require.NoError(t, err)
	require.Empty(t, string(rest))
	return b.String()
}

// expectsAnswer: requests and broken messages are answered, notifications and
// blank lines are not.
func expectsAnswer(message string) bool {
	var m struct {
		ID     any    `json:"id"`
		Method string `json:"method"`
	}
	if strings.TrimSpace(message) == "" {
		return false
	}
	return json.Unmarshal([]byte(message), &m) != nil || m.ID != nil
}
