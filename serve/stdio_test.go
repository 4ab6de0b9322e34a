package serve_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tomallicino/caskmcp/gate"
	"github.com/tomallicino/caskmcp/serve"
	"github.com/tomallicino/caskmcp/surface"
)

// blocking is an upstream that answers when it is told to.
type blocking struct {
	*api
	started chan struct{}
	release chan struct{}
	gone    chan struct{} // a request whose client went away
}

func newBlocking(t testing.TB) *blocking {
	b := &blocking{started: make(chan struct{}, 100), release: make(chan struct{}), gone: make(chan struct{}, 100)}
	b.api = newAPI(t, func(w http.ResponseWriter, r *http.Request) {
		b.started <- struct{}{}
		select {
		case <-b.release:
			_, _ = io.WriteString(w, "done")
		case <-r.Context().Done():
			b.gone <- struct{}{}
		}
	})
	return b
}

func blockingServer(t testing.TB, b *blocking, drain time.Duration) *serve.Server {
	opt := options(gate.NoAudit{})
	opt.Drain = drain
	tl := tool(t, b.URL, "wait", "GET", "/wait", noArguments)
	tl.Limits.Rate = 1_000_000
	srv, err := serve.New(stateOf(t, tl), opt)
	require.NoError(t, err)
	t.Cleanup(srv.Close)
	return srv
}

func callLine(id int, name string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":%q,"arguments":{}}}`+"\n", id, name)
}

// buffer is a bytes.Buffer that may be read while it is written.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func TestEndOfInputLetsCallsFinish(t *testing.T) {
	b := newBlocking(t)
	srv := blockingServer(t, b, time.Minute)
	var out buffer
	done := make(chan error)
	go func() {
		done <- srv.Stdio(context.Background(), strings.NewReader(callLine(1, "wait")+strings.TrimSuffix(callLine(2, "wait"), "\n")), &out)
	}()
	<-b.started
	<-b.started
	close(b.release)
	require.NoError(t, <-done)
	require.Equal(t, 2, strings.Count(out.String(), "\n"))
	require.Equal(t, 2, strings.Count(out.String(), "done"))
}

func TestDrainIsBounded(t *testing.T) {
	for name, end := range map[string]func(*io.PipeWriter, context.CancelFunc){
		"end of input": func(in *io.PipeWriter, _ context.CancelFunc) { _ = in.Close() },
		"cancel":       func(_ *io.PipeWriter, cancel context.CancelFunc) { cancel() },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBlocking(t)
			srv := blockingServer(t, b, 10*time.Millisecond)
			toServer, in := io.Pipe()
			defer func() { _ = in.Close() }()
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			done := make(chan error)
			var out buffer
			go func() { done <- srv.Stdio(ctx, toServer, &out) }()
			_, err := io.WriteString(in, callLine(1, "wait"))
			require.NoError(t, err)
			<-b.started
			end(in, cancel)
			require.NoError(t, <-done)
			<-b.gone
			require.Empty(t, out.String(), "a call that was cut off has no answer")
		})
	}
}

func TestCancelledNotification(t *testing.T) {
	b := newBlocking(t)
	srv := blockingServer(t, b, time.Minute)
	toServer, in := io.Pipe()
	var out buffer
	done := make(chan error)
	go func() { done <- srv.Stdio(context.Background(), toServer, &out) }()
	// Right behind the call, before its handler can have begun.
	_, err := io.WriteString(in, callLine(7, "wait")+`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}}`+"\n"+callLine(8, "missing"))
	require.NoError(t, err)
	require.NoError(t, in.Close())
	require.NoError(t, <-done)
	require.NotContains(t, out.String(), `"id":7`)
	require.Contains(t, out.String(), `"id":8`)
}

func TestHostileInput(t *testing.T) {
	b := newBlocking(t)
	srv := blockingServer(t, b, time.Second)
	deep := `{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"wait","arguments":{"a":` + strings.Repeat("[", 9000) + strings.Repeat("]", 9000) + `}}}`
	input := strings.Join([]string{
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"wait","arguments":{"a":"` + strings.Repeat("a", 5<<20) + `"}}}`,
		deep,
		`{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"wait","arguments":{"a":"` + strings.Repeat("a", 2<<20) + `"}}}`,
		`{"jsonrpc":"2.0","id":4,"method":"tools/call","params":{"name":"wait","arguments":[1]}}`,
		`{"jsonrpc":"2.0","id":5,"method":"tools/call","params":7}`,
		`[{"jsonrpc":"2.0","id":6,"method":"ping"}]`,
		`{"jsonrpc":"2.0","id":7,"result":{}}`,
		"\x00\xff", `"text"`, `null`, `{}`,
		`{"jsonrpc":"2.0","id":{"a":1},"method":"ping"}`,
		`{"jsonrpc":"2.0","id":99,"method":"ping"}`,
	}, "\n")
	var out buffer
	require.NoError(t, srv.Stdio(context.Background(), strings.NewReader(input), &out))
	require.Contains(t, out.String(), "message is larger than 4194304 bytes")
	require.Contains(t, out.String(), "nested deeper than 64")
	require.Contains(t, out.String(), "larger than 1048576 bytes")
	require.Contains(t, out.String(), `"id":99,"result":{}`)
	require.Zero(t, b.hits.Load())
	for line := range strings.Lines(out.String()) {
		require.True(t, strings.HasPrefix(line, `{"jsonrpc":"2.0"`), "%.100s", line)
	}
}

func TestIDsInUse(t *testing.T) {
	b := newBlocking(t)
	srv := blockingServer(t, b, time.Minute)
	toServer, in := io.Pipe()
	out, fromServer := io.Pipe()
	done := make(chan error)
	go func() { done <- srv.Stdio(context.Background(), toServer, fromServer) }()
	lines := bufio.NewReader(out)
	_, err := io.WriteString(in, callLine(1, "wait")+callLine(1, "wait"))
	require.NoError(t, err)
	line, err := lines.ReadString('\n')
	require.NoError(t, err)
	require.Contains(t, line, "this id is in use")
	<-b.started
	close(b.release)
	line, err = lines.ReadString('\n')
	require.NoError(t, err)
	require.Contains(t, line, "done")
	require.NoError(t, in.Close())
	require.NoError(t, <-done)
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errors.New("bad descriptor") }

func TestBrokenStreams(t *testing.T) {
	srv := blockingServer(t, newBlocking(t), time.Second)
	ping := `{"jsonrpc":"2.0","id":1,"method":"ping"}` + "\n"
	toServer, in := io.Pipe()
	go func() { _, _ = io.WriteString(in, ping+ping) }()
	require.ErrorContains(t, srv.Stdio(t.Context(), toServer, brokenWriter{}), "writing to the client: broken pipe")
	require.NoError(t, toServer.Close())
	require.ErrorContains(t, srv.Stdio(t.Context(), brokenReader{}, io.Discard), "reading from the client: bad descriptor")
}

// Many clients and calls leave no goroutine behind, and every answer belongs
// to its question.
func TestNoGoroutineIsLeft(t *testing.T) {
	up := newAPI(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"id":%q}`, r.URL.Path)
	})
	tl := tool(t, up.URL, "get", "GET", "/things/{id}", idSchema(""), surface.Argument{Name: "id", In: surface.InPath, Key: "id"})
	tl.Limits.Rate = 1_000_000
	srv, err := serve.New(stateOf(t, tl), options(gate.NoAudit{}))
	require.NoError(t, err)
	before := runtime.NumGoroutine()
	var clients sync.WaitGroup
	for n := range 4 {
		clients.Go(func() {
			c, err := srv.Connect(context.Background())
			if err != nil {
				panic(err)
			}
			var calls sync.WaitGroup
			for i := range 50 {
				calls.Go(func() {
					id := fmt.Sprintf("%d-%d", n, i)
					r, err := c.Call(context.Background(), "get", map[string]any{"id": id})
					if err != nil || r.Text != fmt.Sprintf(`{"id":"/things/%s"}`, id) {
						panic(fmt.Sprint(r, err))
					}
				})
			}
			calls.Wait()
			if err := c.Close(); err != nil {
				panic(err)
			}
		})
	}
	clients.Wait()
	srv.Close()
	up.CloseClientConnections()
	for range 1000 {
		if runtime.NumGoroutine() <= before {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	require.LessOrEqual(t, runtime.NumGoroutine(), before, "%s", stacks{})
	require.EqualValues(t, 200, up.hits.Load())
}

// stacks writes what every goroutine is doing.
type stacks struct{}

func (stacks) String() string {
	b := make([]byte, 1<<20)
	return string(b[:runtime.Stack(b, true)])
}
