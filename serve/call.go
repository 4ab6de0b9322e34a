package serve

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"runtime/debug"
	"strings"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/tomallicino/caskmcp/gate"
	"github.com/tomallicino/caskmcp/upstream"
)

// handle is the handler of every tool: the gate decides, the upstream is
// asked, and whatever goes wrong is a result with isError that says what
// happened, because only results reach the model (MCP 2025-11-25, server/tools).
func (s *Server) handle(ctx context.Context, req mcp.CallToolRequest) (result *mcp.CallToolResult, err error) {
	defer func() {
		if p := recover(); p != nil {
			s.log.Error("call panicked", "tool", req.Params.Name, "stack", string(debug.Stack()))
			result, err = refused("caskmcp met an internal error; the call may have been carried out."), nil
		}
	}()
	refusal := s.gate.Do(ctx, principal, req.Params.Name, rawArguments(req), func(ctx context.Context, call gate.Call) (gate.Outcome, error) {
		r, err := s.upstream.Do(ctx, upstream.Call{Tool: call.Tool.Name, Arguments: call.Arguments, Conforms: call.Conforms})
		if err != nil {
			var e *upstream.Error
			if errors.As(err, &e) && e.Sent {
				result = refused(e.Text)
				return gate.Outcome{Code: e.Code}, nil
			}
			return gate.Outcome{}, asRefusal(err)
		}
		result = resultOf(r)
		return gate.Outcome{Code: r.Code, Status: r.Status}, nil
	})
	if refusal != nil {
		return refused(s.upstream.Hide(refusal.Error())), nil
	}
	return result, nil
}

// asRefusal reports a request that was never sent as a denial.
func asRefusal(err error) error {
	var e *upstream.Error
	if errors.As(err, &e) {
		return &gate.Refusal{Code: e.Code, Text: e.Text}
	}
	return &gate.Refusal{Code: "upstream.failed", Text: "The call could not be carried out. Nothing was sent."}
}

func rawArguments(req mcp.CallToolRequest) json.RawMessage {
	if len(req.Params.RawArguments) > 0 {
		return req.Params.RawArguments
	}
	if req.Params.Arguments == nil {
		return nil
	}
	raw, err := json.Marshal(req.Params.Arguments)
	if err != nil {
		return json.RawMessage("null")
	}
	return raw
}

func refused(text string) *mcp.CallToolResult {
	return &mcp.CallToolResult{IsError: true, Content: []mcp.Content{mcp.NewTextContent(text)}}
}

// resultOf writes an upstream result as MCP content.
func resultOf(r *upstream.Result) *mcp.CallToolResult {
	out := &mcp.CallToolResult{IsError: r.IsError}
	switch {
	case r.Data == nil:
		out.Content = []mcp.Content{mcp.NewTextContent(r.Text)}
	case strings.HasPrefix(r.MediaType, "audio/"):
		out.Content = []mcp.Content{mcp.NewAudioContent(base64.StdEncoding.EncodeToString(r.Data), r.MediaType)}
	default:
		out.Content = []mcp.Content{mcp.NewImageContent(base64.StdEncoding.EncodeToString(r.Data), r.MediaType)}
	}
	// Clients up to 2025-11-25 take objects only.
	if len(r.Structured) > 0 && r.Structured[0] == '{' {
		out.RawStructuredContent = r.Structured
	}
	if r.Removed > 0 {
		out.Meta = mcp.NewMetaFromMap(map[string]any{"caskmcp/invisible_characters_removed": r.Removed})
	}
	return out
}

// auditUnknown audits calls that mcp-go refused before the handler ran: tools
// that do not exist, are outside the toolset or have expired.
func (s *Server) auditUnknown(ctx context.Context, _ any, method mcp.MCPMethod, message any, err error) {
	req, ok := message.(*mcp.CallToolRequest)
	if !ok || method != mcp.MethodToolsCall || !errors.Is(err, server.ErrToolNotFound) {
		return
	}
	refusal := s.gate.Do(ctx, principal, req.Params.Name, rawArguments(*req), func(context.Context, gate.Call) (gate.Outcome, error) {
		return gate.Outcome{}, &gate.Refusal{Code: "tool.unknown", Text: "not found"}
	})
	s.log.Debug("call refused", "reason", refusal)
}
