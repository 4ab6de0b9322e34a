package plan

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tomallicino/caskmcp/compiler"
	"github.com/tomallicino/caskmcp/surface"
)

// manyTools are n tools of a usual size.
func manyTools(n int) []surface.Tool {
	tools := make([]surface.Tool, n)
	for i := range tools {
		t := listOrders()
		if i%2 == 0 {
			t = getOrder()
			t.Binding.Operation = nil
		}
		t.Name = fmt.Sprintf("tool_%04d", i)
		t.Binding.Path = fmt.Sprintf("/r%04d/{order_id}", i)
		properties := map[string]any{}
		for k := range 20 {
			properties[fmt.Sprintf("field_%02d", k)] = map[string]any{"type": "string", "description": "A field of the record."}
		}
		doc, err := json.Marshal(map[string]any{"type": "object", "properties": properties})
		if err != nil {
			panic(err)
		}
		t.OutputSchema = doc
		tools[i] = t
	}
	return tools
}

// changedSurface is a surface of n tools of which every tenth differs.
func changedSurface(n int) (before, after surface.Surface) {
	before, after = shop(manyTools(n)...), shop(manyTools(n)...)
	for i := range after.Tools {
		if i%10 == 0 {
			after.Tools[i].Description = "Returns one order, and what it holds."
			after.Tools[i].InputSchema = json.RawMessage(`{"type":"object","properties":{"order_id":{"type":"string"}},"required":["order_id"],"additionalProperties":false}`)
		}
	}
	return before, after
}

func BenchmarkNew(b *testing.B) {
	before, after := changedSurface(1000)
	state := approved(b, before)
	b.ReportAllocs()
	for b.Loop() {
		p, err := New(Params{State: state, Result: &compiler.Result{Surface: after}})
		require.NoError(b, err)
		require.Len(b, p.Changes, 100)
	}
}

func TestNewIgnoresOrder(t *testing.T) {
	before, after := changedSurface(40)
	after.Tools = append(after.Tools[5:], createRefund())
	contradictions := []compiler.Contradiction{{Tool: "tool_0010", Code: "output.type", Text: "b"}, {Tool: "tool_0010", Code: "output.type", Text: "a"}}
	inputs := []Input{{Path: "a"}, {Path: "b"}, {Path: "c"}}
	var want string
	for seed := range uint64(8) {
		r := rand.New(rand.NewPCG(seed, 1))
		r.Shuffle(len(before.Tools), func(i, j int) { before.Tools[i], before.Tools[j] = before.Tools[j], before.Tools[i] })
		r.Shuffle(len(after.Tools), func(i, j int) { after.Tools[i], after.Tools[j] = after.Tools[j], after.Tools[i] })
		r.Shuffle(len(after.Toolsets), func(i, j int) { after.Toolsets[i], after.Toolsets[j] = after.Toolsets[j], after.Toolsets[i] })
		r.Shuffle(len(contradictions), func(i, j int) { contradictions[i], contradictions[j] = contradictions[j], contradictions[i] })
		r.Shuffle(len(inputs), func(i, j int) { inputs[i], inputs[j] = inputs[j], inputs[i] })
		p := mustPlan(t, Params{State: approved(t, before), Result: &compiler.Result{Surface: after, Contradictions: contradictions}, Inputs: inputs})
		doc, err := p.Encode()
		require.NoError(t, err)
		if want == "" {
			want = string(doc)
		}
		require.Equal(t, want, string(doc))
	}
}
