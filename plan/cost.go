package plan

import (
	"encoding/json"

	"github.com/tomallicino/caskmcp/surface"
)

// listedTool is what tools/list says of a tool (MCP 2025-11-25).
type listedTool struct {
	Name         string              `json:"name"`
	Title        string              `json:"title,omitempty"`
	Description  string              `json:"description"`
	InputSchema  json.RawMessage     `json:"inputSchema"`
	OutputSchema json.RawMessage     `json:"outputSchema,omitempty"`
	Annotations  surface.Annotations `json:"annotations"`
}

// costMeter measures tools/list of the whole surface, all toolsets together.
type costMeter struct {
	tools, bytes int
}

// add measures one tool and returns its bytes, so that an unchanged tool is
// measured once.
func (m *costMeter) add(t surface.Tool) (int, error) {
	doc, err := json.Marshal(listedTool{t.Name, t.Title, t.Description, t.InputSchema, t.OutputSchema, t.Annotations})
	if err != nil {
		return 0, err
	}
	m.count(len(doc))
	return len(doc), nil
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
