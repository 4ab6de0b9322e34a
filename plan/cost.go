package plan

import (
	"encoding/json"

	"github.com/tomallicino/caskmcp/surface"
)

// listedTool is what tools/list says of a tool (MCP 2025-11-25), schemas
// apart.
type listedTool struct {
	Name        string              `json:"name"`
	Title       string              `json:"title,omitempty"`
	Description string              `json:"description"`
	Annotations surface.Annotations `json:"annotations"`
}

// costMeter measures tools/list of the whole surface, all toolsets together.
type costMeter struct {
	tools, bytes int
}

// add measures one tool and returns its bytes, so that an unchanged tool is
// measured once.
func (m *costMeter) add(t surface.Tool) (int, error) {
	doc, err := json.Marshal(listedTool{t.Name, t.Title, t.Description, t.Annotations})
	if err != nil {
		return 0, err
	}
	n := len(doc) + len(`,"inputSchema":`) + compactLen(t.InputSchema)
	if len(t.OutputSchema) > 0 {
		n += len(`,"outputSchema":`) + compactLen(t.OutputSchema)
	}
	m.count(n)
	return n, nil
}

// compactLen is the length of a JSON document without the whitespace between
// its tokens.
func compactLen(doc json.RawMessage) int {
	n, quoted, escaped := 0, false, false
	for _, c := range doc {
		switch {
		case escaped:
			escaped = false
		case quoted && c == '\\':
			escaped = true
		case c == '"':
			quoted = !quoted
		case !quoted && (c == ' ' || c == '\n' || c == '\t' || c == '\r'):
			continue
		}
		n++
	}
	return n
}

func (m *costMeter) count(bytes int) {
	m.tools++
	m.bytes += bytes
}

// cost is the size of {"tools":[…]}. Tokens are estimated at four bytes each.
func (m *costMeter) cost() ListCost {
	bytes := len(`{"tools":[]}`) + m.bytes
	if m.tools > 1 {
		bytes += m.tools - 1 // commas
	}
	return ListCost{Tools: m.tools, Bytes: bytes, Tokens: bytes / 4}
}
