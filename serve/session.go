package serve

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/client/transport"
	"github.com/mark3labs/mcp-go/mcp"
)

// Session is an MCP client that talks to a Server in the same process, over
// the same protocol bytes as any other client.
type Session struct {
	client *client.Client
	in     *io.PipeWriter
	done   chan error
	// Instructions are what the server told the client about itself.
	Instructions string
}

// ListedTool is a tool as a client sees it.
type ListedTool struct {
	Name         string          `json:"name"`
	Title        string          `json:"title"`
	Description  string          `json:"description"`
	InputSchema  json.RawMessage `json:"inputSchema"`
	OutputSchema json.RawMessage `json:"outputSchema"`
	Annotations  struct {
		ReadOnly    *bool `json:"readOnlyHint"`
		Destructive *bool `json:"destructiveHint"`
		Idempotent  *bool `json:"idempotentHint"`
		OpenWorld   *bool `json:"openWorldHint"`
	} `json:"annotations"`
}

// CallResult is the result of a call as a client sees it.
type CallResult struct {
	// Text of all text content, in order, separated by newlines.
	Text string
	// Structured is the structured content as JSON, nil without one.
	Structured json.RawMessage
	IsError    bool
}

// Connect starts a session. The caller closes it; ctx ends it too.
func (s *Server) Connect(ctx context.Context) (*Session, error) {
	toServer, in := io.Pipe()
	out, fromServer := io.Pipe()
	c := &Session{in: in, done: make(chan error, 1)}
	go func() {
		err := s.Stdio(ctx, toServer, fromServer)
		_ = fromServer.Close()
		_ = toServer.Close()
		c.done <- err
	}()
	c.client = client.NewClient(transport.NewIO(out, in, io.NopCloser(emptyReader{})))
	if err := c.client.Start(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("connecting: %w", err), c.Close())
	}
	init := mcp.InitializeRequest{}
	init.Params.ClientInfo = mcp.Implementation{Name: "caskmcp", Version: "1"}
	init.Params.ProtocolVersion = mcp.LATEST_PROTOCOL_VERSION
	info, err := c.client.Initialize(ctx, init)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("connecting: %w", err), c.Close())
	}
	c.Instructions = info.Instructions
	return c, nil
}

type emptyReader struct{}

func (emptyReader) Read([]byte) (int, error) { return 0, io.EOF }

// List is the answer to tools/list.
func (c *Session) List(ctx context.Context) ([]ListedTool, error) {
	list, err := c.client.ListTools(ctx, mcp.ListToolsRequest{})
	if err != nil {
		return nil, fmt.Errorf("listing tools: %w", err)
	}
	doc, err := json.Marshal(list.Tools)
	if err != nil {
		return nil, fmt.Errorf("listing tools: %w", err)
	}
	var tools []ListedTool
	if err := json.Unmarshal(doc, &tools); err != nil {
		return nil, fmt.Errorf("listing tools: %w", err)
	}
	return tools, nil
}

// Call is the answer to tools/call. Arguments that are a json.RawMessage are
// sent as they are. An error is one of the protocol, such as an unknown tool;
// whatever a tool or the gate refuses is a result with IsError.
func (c *Session) Call(ctx context.Context, tool string, arguments any) (*CallResult, error) {
	req := mcp.CallToolRequest{}
	req.Params.Name, req.Params.Arguments = tool, arguments
	r, err := c.client.CallTool(ctx, req)
	if err != nil {
		return nil, fmt.Errorf("calling %s: %w", tool, err)
	}
	out := &CallResult{IsError: r.IsError, Structured: r.RawStructuredContent}
	for _, content := range r.Content {
		if t, ok := mcp.AsTextContent(content); ok {
			if out.Text != "" {
				out.Text += "\n"
			}
			out.Text += t.Text
		}
	}
	return out, nil
}

// Close ends the session and waits for the server's side of it.
func (c *Session) Close() error {
	_ = c.in.Close()
	err := <-c.done
	return errors.Join(err, c.client.Close())
}
