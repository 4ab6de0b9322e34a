package serve

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

const (
	// maxMessage bounds one JSON-RPC message.
	maxMessage = 4 << 20
	// maxInFlight bounds the calls carried out at once, maxWaiting those that
	// were read and not answered yet.
	maxInFlight = 64
	maxWaiting  = 1024
)

// conversation is one client on one pair of streams. mcp-go's own stdio server
// has one session for the whole process, no limit on a message, and cancels
// calls in flight when the input ends; this loop has none of that.
type conversation struct {
	server *Server
	*server.InProcessSession
	out     *bufio.Writer
	writeMu sync.Mutex
	failed  atomic.Pointer[error] // the first write that failed

	slots   chan struct{}
	pending sync.WaitGroup

	mu      sync.Mutex
	cancels map[string]context.CancelFunc // by request id as written
}

var conversations atomic.Int64

func (s *Server) converse(ctx context.Context, in io.Reader, out io.Writer) error {
	id := fmt.Sprintf("stdio-%d", conversations.Add(1))
	c := &conversation{
		server: s, InProcessSession: server.NewInProcessSession(id, nil), out: bufio.NewWriter(out),
		slots: make(chan struct{}, maxInFlight), cancels: map[string]context.CancelFunc{},
	}
	if err := s.mcp.RegisterSession(ctx, c); err != nil {
		return fmt.Errorf("serving: %w", err)
	}
	defer s.mcp.UnregisterSession(context.WithoutCancel(ctx), id)
	// Calls outlive ctx by the drain time; everything else ends with it.
	listening, stop := context.WithCancel(ctx)
	defer stop()
	calls, abort := context.WithCancel(context.WithoutCancel(ctx))
	defer abort()
	lines := make(chan line)
	go readLines(in, lines, listening.Done())
	err := c.read(listening, calls, lines)
	stop()
	c.wait(abort)
	if w := c.failed.Load(); w != nil && err == nil {
		err = fmt.Errorf("writing to the client: %w", *w)
	}
	return err
}

// wait lets calls in flight finish, then cancels them.
func (c *conversation) wait(abort context.CancelFunc) {
	done := make(chan struct{})
	go func() { c.pending.Wait(); close(done) }()
	timer := time.NewTimer(c.server.drain)
	defer timer.Stop()
	select {
	case <-done:
		return
	case <-timer.C:
		abort()
	}
	<-done
}

type line struct {
	text []byte
	err  error
}

var errTooLong = errors.New("message too long")

// readLines sends the lines of in until it ends or done is closed. A line over
// maxMessage is dropped and reported as errTooLong.
func readLines(in io.Reader, lines chan<- line, done <-chan struct{}) {
	r := bufio.NewReaderSize(in, 64<<10)
	send := func(l line) bool {
		select {
		case lines <- l:
			return true
		case <-done:
			return false
		}
	}
	for {
		var text []byte
		tooLong := false
		for {
			part, err := r.ReadSlice('\n')
			if tooLong = tooLong || len(text)+len(part) > maxMessage; !tooLong {
				text = append(text, part...)
			} else {
				text = nil
			}
			if err == nil {
				break
			}
			if !errors.Is(err, bufio.ErrBufferFull) {
				if len(bytes.TrimSpace(text)) > 0 && !send(line{text: text}) {
					return
				}
				send(line{err: err})
				return
			}
		}
		l := line{text: text}
		if tooLong {
			l = line{err: errTooLong}
		}
		if !send(l) {
			return
		}
	}
}

// read takes messages until the input ends, ctx is cancelled or the output
// cannot be written.
func (c *conversation) read(ctx, calls context.Context, lines <-chan line) error {
	for c.failed.Load() == nil {
		select {
		case <-ctx.Done():
			return nil
		case l := <-lines:
			switch {
			case errors.Is(l.err, errTooLong):
				c.reply(mcp.NewJSONRPCError(mcp.NewRequestId(nil), mcp.INVALID_REQUEST, fmt.Sprintf("message is larger than %d bytes", maxMessage), nil))
			case errors.Is(l.err, io.EOF):
				return nil
			case l.err != nil:
				return fmt.Errorf("reading from the client: %w", l.err)
			case len(bytes.TrimSpace(l.text)) > 0:
				c.dispatch(ctx, calls, l.text)
			}
		}
	}
	return nil
}

type envelope struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params struct {
		RequestID json.RawMessage `json:"requestId"`
	} `json:"params"`
}

// dispatch answers one message. Calls and subscriptions run on their own, the
// rest in order.
func (c *conversation) dispatch(ctx, calls context.Context, message []byte) {
	var e envelope
	if err := json.Unmarshal(message, &e); err != nil {
		e = envelope{}
	}
	switch e.Method {
	case "notifications/cancelled":
		c.cancel(string(e.Params.RequestID))
		return
	case string(mcp.MethodToolsCall):
		ctx = calls
	case string(mcp.MethodSubscriptionsListen):
	default:
		c.answer(ctx, message)
		return
	}
	if len(e.ID) == 0 {
		c.answer(ctx, message)
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	if !c.enter(string(e.ID), cancel) {
		cancel()
		c.reply(mcp.NewJSONRPCError(mcp.NewRequestId(e.ID), mcp.INTERNAL_ERROR, "too many requests are waiting, or this id is in use", nil))
		return
	}
	c.pending.Go(func() {
		defer cancel()
		defer c.leave(string(e.ID))
		if e.Method == string(mcp.MethodToolsCall) {
			c.slots <- struct{}{}
			defer func() { <-c.slots }()
		}
		c.answer(ctx, message)
	})
}

func (c *conversation) enter(id string, cancel context.CancelFunc) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, used := c.cancels[id]; used || len(c.cancels) >= maxWaiting {
		return false
	}
	c.cancels[id] = cancel
	return true
}

func (c *conversation) leave(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.cancels, id)
}

func (c *conversation) cancel(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if cancel := c.cancels[id]; cancel != nil {
		cancel()
	}
}

// answer handles one message and writes the response, if there is one. A
// cancelled request gets none (MCP 2025-11-25, basic/utilities/cancellation).
func (c *conversation) answer(ctx context.Context, message []byte) {
	response := c.server.mcp.HandleMessage(c.server.mcp.WithContext(ctx, c), message)
	c.notify()
	if response != nil && ctx.Err() == nil {
		c.reply(response)
	}
}

// notify writes the notifications that handling a message caused; they go
// before its response.
func (c *conversation) notify() {
	for {
		select {
		case n := <-c.ClientNotifications():
			c.reply(n)
		default:
			return
		}
	}
}

func (c *conversation) reply(response any) {
	data, err := json.Marshal(response)
	if err != nil {
		c.server.log.Error("encoding response", "error", err)
		return
	}
	c.writeMu.Lock()
	defer c.writeMu.Unlock()
	_, _ = c.out.Write(data)
	_ = c.out.WriteByte('\n')
	if err := c.out.Flush(); err != nil {
		c.failed.CompareAndSwap(nil, &err)
	}
}
