package drift

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/tomallicino/caskmcp/capture"
	"github.com/tomallicino/caskmcp/plan"
	"github.com/tomallicino/caskmcp/surface"
)

// goneStatuses are the answers of an upstream that does not have an endpoint
// (RFC 9110 sections 15.5.5, 15.5.6 and 15.5.11).
var goneStatuses = []int{404, 405, 410}

// goneAfter is how many of them it takes: one may be a resource that did not
// exist.
const goneAfter = 2

// goneTools counts, for each approved tool that reality called, the answers
// that say it is gone. Tools that answered anything else are left out.
func goneTools(tools []surface.Tool, reality []*capture.Capture) map[string]int {
	gone, alive := map[string]int{}, map[string]bool{}
	for _, c := range reality {
		for _, o := range c.Observations {
			t := bestMatch(tools, o.Key)
			if t == nil {
				continue
			}
			if slices.Contains(goneStatuses, o.Status) {
				gone[t.Name] += o.Count
			} else {
				alive[t.Name] = true
			}
		}
	}
	for name, n := range gone {
		if n < goneAfter || alive[name] {
			delete(gone, name)
		}
	}
	return gone
}

// bestMatch finds the approved tool a request belongs to: the one with the
// most literal path of those whose template matches.
func bestMatch(tools []surface.Tool, k capture.Key) *surface.Tool {
	var best *surface.Tool
	bestVariables := 0
	for i := range tools {
		b := tools[i].Binding
		if b.Method != k.Method || b.Scheme != k.Scheme || b.Host != k.Host || b.Port != k.Port || operationKey(b.Operation) != k.Operation {
			continue
		}
		if n := strings.Count(b.Path, "{"); matchTemplate(b.Path, k.Path) && (best == nil || n < bestVariables) {
			best, bestVariables = &tools[i], n
		}
	}
	return best
}

func operationKey(o *surface.Operation) string {
	if o == nil {
		return ""
	}
	return o.Kind + ":" + o.Name
}

// matchTemplate reports whether path, with placeholders of its own or
// without, is an instance of template, segment by segment.
func matchTemplate(template, path string) bool {
	want, got := strings.Split(template, "/"), strings.Split(path, "/")
	if len(want) != len(got) {
		return false
	}
	for i := range want {
		if !matchSegment(want[i], got[i]) {
			return false
		}
	}
	return true
}

// matchSegment matches the literal parts around each {name} in order; every
// variable stands for at least one character.
func matchSegment(template, segment string) bool {
	parts := strings.Split(surface.EraseNames(template), "{}")
	if len(parts) == 1 {
		return template == segment
	}
	if !strings.HasPrefix(segment, parts[0]) {
		return false
	}
	rest := segment[len(parts[0]):]
	for _, part := range parts[1 : len(parts)-1] {
		if rest == "" {
			return false
		}
		i := strings.Index(rest[1:], part)
		if i < 0 {
			return false
		}
		rest = rest[1+i+len(part):]
	}
	last := parts[len(parts)-1]
	return len(rest) > len(last) && strings.HasSuffix(rest, last)
}

// newOutput are the reasons that fresh traffic can give by itself.
var newOutput = []string{"output.added", "output.pii_added", "output.secret_shape_added"}

// onlyNewOutput keeps of change what a recording shows whatever else it
// happened to hold: response fields that were never seen before. Keys of maps
// are data, not fields.
func onlyNewOutput(before surface.Tool, change *plan.Change) {
	var doc any
	if json.Unmarshal(before.OutputSchema, &doc) != nil {
		doc = nil
	}
	change.Fields = slices.DeleteFunc(change.Fields, func(f plan.Field) bool {
		return f.Before != nil || !isNewField(doc, f.Path)
	})
	if len(change.Fields) == 0 {
		change.Reasons = nil
		return
	}
	change.Reasons = slices.DeleteFunc(change.Reasons, func(r plan.Reason) bool { return !slices.Contains(newOutput, r.Code) })
}

// isNewField reports whether path, a JSON Pointer into the definition, is a
// property that the approved output schema does not have in an object whose
// properties it lists.
func isNewField(output any, path string) bool {
	tokens := strings.Split(path, "/")
	if len(tokens) < 4 || tokens[1] != "outputSchema" || tokens[len(tokens)-2] != "properties" {
		return false
	}
	at := output
	for _, t := range tokens[2 : len(tokens)-2] {
		m, ok := at.(map[string]any)
		if !ok {
			return false
		}
		at = m[strings.NewReplacer("~1", "/", "~0", "~").Replace(t)]
	}
	object, ok := at.(map[string]any)
	if !ok {
		return false
	}
	_, listed := object["properties"]
	_, isMap := object["additionalProperties"].(map[string]any)
	return listed && !isMap
}
