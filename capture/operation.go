package capture

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/formatter"
	"github.com/vektah/gqlparser/v2/parser"

	"github.com/tomallicino/caskmcp/schema"
)

// operation is what a request asks for where the path does not tell.
type operation struct {
	name     string // Key.Operation
	document string // Observation.Document
	lossy    bool   // the document had literals that were removed
}

// maxDocument is how long a GraphQL document may be.
const maxDocument = 64 << 10

// maxTokens is how many tokens of a GraphQL document are read.
const maxTokens = 20000

// call is the envelope of GraphQL over HTTP and of JSON-RPC.
type call struct {
	Query         *string         `json:"query"`
	OperationName string          `json:"operationName"`
	Extensions    json.RawMessage `json:"extensions"`
	JSONRPC       json.RawMessage `json:"jsonrpc"`
	Method        *string         `json:"method"`
	Params        json.RawMessage `json:"params"`
	ID            json.RawMessage `json:"id"`
}

// operationOf finds the operation in a request's JSON body or query.
func operationOf(x *exchange, body string, query []field) operation {
	if x.method == "GET" {
		return queryOperation(x, query)
	}
	if !startsJSON(body) || !strings.Contains(body, `"query"`) && !strings.Contains(body, `"jsonrpc"`) && !strings.Contains(body, `"persistedQuery"`) {
		return operation{}
	}
	if strings.TrimLeft(body, " \t\r\n")[0] == '[' {
		return batchOperation(body)
	}
	var c call
	if json.Unmarshal([]byte(body), &c) != nil {
		return operation{}
	}
	return c.operation()
}

// queryOperation reads GraphQL sent by GET.
func queryOperation(x *exchange, query []field) operation {
	var c call
	for _, f := range query {
		switch f.name {
		case "query":
			c.Query = &f.value
		case "operationName":
			c.OperationName = f.value
		case "extensions":
			c.Extensions = json.RawMessage(f.value)
		}
	}
	// A search has a query too; only what parses and has a selection counts.
	if c.Query == nil && !strings.Contains(string(c.Extensions), "persistedQuery") {
		return operation{}
	}
	if !strings.Contains(strings.ToLower(x.url.Path), "g") || c.Query != nil && !strings.Contains(*c.Query, "{") {
		return operation{}
	}
	return c.operation()
}

// batchName is the name of operations that hold several calls.
const batchName = "batch"

// batchOperation names a batch by its kind.
func batchOperation(body string) operation {
	var calls []call
	if json.Unmarshal([]byte(body), &calls) != nil || len(calls) == 0 {
		return operation{}
	}
	kind, _, found := strings.Cut(calls[0].operation().name, ":")
	if !found {
		return operation{}
	}
	return operation{name: kind + ":" + batchName}
}

func (c *call) operation() operation {
	switch {
	case c.Query != nil:
		return graphQL(*c.Query, c.OperationName)
	case strings.Contains(string(c.Extensions), "persistedQuery"):
		if name := operationName(c.OperationName); name != "" {
			return operation{name: "graphql:persisted " + name}
		}
		return operation{name: "graphql:persisted"}
	case c.Method != nil && len(c.JSONRPC) > 0:
		return operation{name: "jsonrpc:" + methodName(*c.Method)}
	}
	return operation{}
}

// methodName keeps the name of a JSON-RPC method and hashes what is none. Names
// without digits are names, however they look.
func methodName(method string) string {
	digits := false
	for _, c := range []byte(method) {
		switch {
		case c >= '0' && c <= '9':
			digits = true
		case !(c|0x20 >= 'a' && c|0x20 <= 'z' || strings.IndexByte("_-./:$", c) >= 0):
			return "#" + shortHash(method)
		}
	}
	if method == "" || len(method) > 128 || digits && schema.IsID(schema.Classify(method)) {
		return "#" + shortHash(method)
	}
	return method
}

// operationName keeps a GraphQL Name (GraphQL October 2021 section 2.1.9).
func operationName(name string) string {
	for i, c := range []byte(name) {
		if !(c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_' || i > 0 && c >= '0' && c <= '9') {
			return ""
		}
	}
	if len(name) > 128 {
		return ""
	}
	return name
}

func shortHash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:4])
}

// graphQL reads a document, finds the operation that is meant and normalises
// the text. An anonymous operation is named by its hash.
func graphQL(text, name string) operation {
	if len(text) > maxDocument {
		return operation{}
	}
	doc, err := parser.ParseQueryWithTokenLimit(&ast.Source{Input: text}, maxTokens)
	if err != nil || len(doc.Operations) == 0 {
		return operation{}
	}
	op := doc.Operations.ForName(name)
	if op == nil {
		op = doc.Operations[0]
	}
	n := normaliser{digits: 3}
	result := operation{document: n.normalise(doc), lossy: n.lossy}
	if op.Name != "" {
		result.name = "graphql:" + string(op.Operation) + " " + op.Name
	} else {
		// How many are asked for makes no other operation.
		all := normaliser{}
		result.name = "graphql:" + string(op.Operation) + "#" + shortHash(all.normalise(doc))
	}
	return result
}

// normaliser removes the literals of a document: strings and all but small
// whole numbers are data that was written into it.
type normaliser struct {
	digits int // of the whole numbers that stay
	lossy  bool
}

// normalise removes the literals of doc and returns its text.
func (n *normaliser) normalise(doc *ast.QueryDocument) string {
	for _, o := range doc.Operations {
		n.variables(o.VariableDefinitions)
		n.directives(o.Directives)
		n.selections(o.SelectionSet)
	}
	for _, f := range doc.Fragments {
		n.directives(f.Directives)
		n.selections(f.SelectionSet)
	}
	var buf bytes.Buffer
	formatter.NewFormatter(&buf, formatter.WithIndent("  ")).FormatQueryDocument(doc)
	return strings.TrimSpace(buf.String())
}

func (n *normaliser) variables(definitions ast.VariableDefinitionList) {
	for _, d := range definitions {
		n.value(d.DefaultValue)
		n.directives(d.Directives)
	}
}

func (n *normaliser) directives(list ast.DirectiveList) {
	for _, d := range list {
		n.arguments(d.Arguments)
	}
}

func (n *normaliser) arguments(list ast.ArgumentList) {
	for _, a := range list {
		n.value(a.Value)
	}
}

func (n *normaliser) selections(set ast.SelectionSet) {
	for _, s := range set {
		switch s := s.(type) {
		case *ast.Field:
			if schema.IsID(schema.Classify(s.Alias)) {
				s.Alias = s.Name
			}
			n.arguments(s.Arguments)
			n.directives(s.Directives)
			n.selections(s.SelectionSet)
		case *ast.InlineFragment:
			n.directives(s.Directives)
			n.selections(s.SelectionSet)
		case *ast.FragmentSpread:
			n.directives(s.Directives)
		}
	}
}

func (n *normaliser) value(v *ast.Value) {
	if v == nil {
		return
	}
	switch v.Kind {
	case ast.StringValue, ast.BlockValue:
		if v.Raw != "" {
			n.lossy = true
		}
		v.Kind, v.Raw = ast.StringValue, ""
	case ast.IntValue:
		if len(v.Raw) > n.digits {
			v.Raw, n.lossy = "0", true
		}
	case ast.FloatValue:
		v.Raw, n.lossy = "0.0", true
	}
	for _, child := range v.Children {
		n.value(child.Value)
	}
}
