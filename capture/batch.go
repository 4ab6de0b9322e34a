package capture

import (
	"bytes"
	"encoding/json"
	"strings"
)

// part is one operation of an exchange with the bodies that belong to it.
type part struct {
	op                operation
	request, response content
	failed            bool // the body reports an error, whatever the status
}

// answer has the members of JSON-RPC responses (JSON-RPC 2.0 section 5) and of
// GraphQL responses (GraphQL October 2021 section 7.1) that tell errors from
// results.
type answer struct {
	ID     json.RawMessage   `json:"id"`
	Result json.RawMessage   `json:"result"`
	Error  json.RawMessage   `json:"error"`
	Data   json.RawMessage   `json:"data"`
	Errors []json.RawMessage `json:"errors"`
}

func absent(v json.RawMessage) bool { return len(v) == 0 || string(v) == "null" }

// failed reports whether there is nothing but an error.
func (a *answer) failed(kind string) bool {
	switch kind {
	case "jsonrpc":
		return !absent(a.Error) && absent(a.Result)
	case "graphql":
		return len(a.Errors) > 0 && absent(a.Data)
	}
	return false
}

// partsOf is the exchange as one operation, and for a batch also each of the
// calls in it, with the answer that is its own.
func partsOf(op operation, request, response content) []part {
	whole := part{op: op, request: request, response: response}
	kind, name, found := strings.Cut(op.name, ":")
	if !found {
		return []part{whole}
	}
	var a answer
	if json.Unmarshal([]byte(response.json), &a) == nil {
		whole.failed = a.failed(kind)
	}
	if name != batchName {
		return []part{whole}
	}
	return append([]part{whole}, batchParts(kind, request, response)...)
}

// batchParts are the calls of a batch that were answered.
func batchParts(kind string, request, response content) []part {
	var calls, answers []json.RawMessage
	if json.Unmarshal([]byte(request.json), &calls) != nil || json.Unmarshal([]byte(response.json), &answers) != nil {
		return nil
	}
	byID := map[string]json.RawMessage{}
	for _, doc := range answers {
		var a answer
		if json.Unmarshal(doc, &a) == nil && !absent(a.ID) {
			byID[compact(a.ID)] = doc
		}
	}
	var parts []part
	for i, doc := range calls {
		var c call
		if json.Unmarshal(doc, &c) != nil {
			continue
		}
		p := part{op: c.operation(), request: request, response: response}
		var own json.RawMessage
		switch {
		case kind == "jsonrpc" && !absent(c.ID):
			own = byID[compact(c.ID)]
		case kind == "graphql" && len(answers) == len(calls):
			own = answers[i]
		}
		if own == nil || !strings.HasPrefix(p.op.name, kind+":") {
			continue
		}
		var a answer
		p.failed = json.Unmarshal(own, &a) == nil && a.failed(kind)
		p.request.json, p.response.json = string(doc), string(own)
		parts = append(parts, p)
	}
	return parts
}

func compact(doc json.RawMessage) string {
	var buf bytes.Buffer
	if json.Compact(&buf, doc) != nil {
		return string(doc)
	}
	return buf.String()
}
