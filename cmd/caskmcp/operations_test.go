package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"
)

// orderServer is a GraphQL and a JSON-RPC API of a few orders.
type orderServer struct {
	mu     sync.Mutex
	orders map[string]map[string]any
	bodies []string // of the requests, as they came
}

func newOrderServer() *orderServer {
	s := &orderServer{orders: map[string]map[string]any{}}
	for i := 1; i <= 20; i++ {
		id := fmt.Sprint(1000 + i)
		s.orders[id] = map[string]any{"id": id, "status": []string{"open", "paid"}[i%2], "total": i * 100, "customer": map[string]any{"name": fmt.Sprint("Customer ", i)}}
	}
	return s
}

func (s *orderServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil || r.Method != http.MethodPost {
		http.Error(w, "POST only", http.StatusMethodNotAllowed)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bodies = append(s.bodies, string(body))
	answer := s.graphQL
	if r.URL.Path == "/rpc" {
		answer = s.jsonRPC
	}
	var list []json.RawMessage
	var out any
	if json.Unmarshal(body, &list) == nil {
		answers := []any{}
		for _, one := range list {
			answers = append(answers, answer(one))
		}
		out = answers
	} else {
		out = answer(body)
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(out)
}

func (s *orderServer) graphQL(body []byte) any {
	var q struct {
		Query         string
		OperationName string
		Variables     map[string]any
	}
	fail := func(err any) any { return map[string]any{"errors": []any{map[string]any{"message": fmt.Sprint(err)}}} }
	if err := json.Unmarshal(body, &q); err != nil {
		return fail(err)
	}
	doc, err := parser.ParseQuery(&ast.Source{Input: q.Query})
	if err != nil {
		return fail(err)
	}
	op := doc.Operations.ForName(q.OperationName)
	if op == nil {
		return fail("there is no such operation")
	}
	data := map[string]any{}
	for _, one := range op.SelectionSet {
		f := one.(*ast.Field)
		args := map[string]any{}
		for _, a := range f.Arguments {
			if args[a.Name], err = a.Value.Value(q.Variables); err != nil {
				return fail(err)
			}
		}
		v, err := s.resolve(f.Name, args)
		if err != nil {
			return fail(err)
		}
		data[f.Alias] = pickFields(v, f.SelectionSet)
	}
	return map[string]any{"data": data}
}

func (s *orderServer) resolve(name string, args map[string]any) (any, error) {
	order := s.orders[fmt.Sprint(args["id"])]
	switch {
	case name == "orders":
		list := []any{}
		for i := 1; i <= 20 && len(list) < 3; i++ {
			if o := s.orders[fmt.Sprint(1000+i)]; o != nil {
				list = append(list, o)
			}
		}
		return list, nil
	case order == nil:
		return nil, fmt.Errorf("there is no order %v", args["id"])
	case name == "setStatus":
		order["status"] = args["status"]
	case name == "deleteOrder":
		delete(s.orders, fmt.Sprint(args["id"]))
	}
	return order, nil
}

func pickFields(v any, set ast.SelectionSet) any {
	switch v := v.(type) {
	case []any:
		out := []any{}
		for _, item := range v {
			out = append(out, pickFields(item, set))
		}
		return out
	case map[string]any:
		out := map[string]any{}
		for _, one := range set {
			f := one.(*ast.Field)
			out[f.Alias] = pickFields(v[f.Name], f.SelectionSet)
		}
		return out
	}
	return v
}

func (s *orderServer) jsonRPC(body []byte) any {
	var q struct {
		JSONRPC, Method string
		ID              any
		Params          map[string]any
	}
	if err := json.Unmarshal(body, &q); err != nil || q.JSONRPC != "2.0" {
		return map[string]any{"jsonrpc": "2.0", "id": nil, "error": map[string]any{"code": -32600, "message": "Invalid Request"}}
	}
	name := map[string]string{"order.get": "order", "order.setStatus": "setStatus"}[q.Method]
	v, err := s.resolve(name, q.Params)
	if err != nil {
		return map[string]any{"jsonrpc": "2.0", "id": q.ID, "error": map[string]any{"code": -32602, "message": err.Error()}}
	}
	return map[string]any{"jsonrpc": "2.0", "id": q.ID, "result": v}
}

// recorder sends requests and keeps them as HAR entries.
type recorder struct {
	t       *testing.T
	entries []any
}

func (r *recorder) post(target string, body any) { r.send("POST", target, nil, body) }

// send makes one request, with a JSON body unless that is nil.
func (r *recorder) send(method, target string, headers map[string]string, body any) {
	doc, err := json.Marshal(body)
	require.NoError(r.t, err)
	if body == nil {
		doc = nil
	}
	req, err := http.NewRequestWithContext(r.t.Context(), method, target, bytes.NewReader(doc))
	require.NoError(r.t, err)
	recorded := []any{}
	for name, value := range headers {
		req.Header.Set(name, value)
		recorded = append(recorded, map[string]any{"name": name, "value": value})
	}
	sent := map[string]any{"method": method, "url": target, "httpVersion": "HTTP/1.1"}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
		recorded = append(recorded, map[string]any{"name": "Content-Type", "value": "application/json"})
		sent["postData"] = map[string]any{"mimeType": "application/json", "text": string(doc)}
	}
	sent["headers"] = recorded
	resp, err := http.DefaultClient.Do(req)
	require.NoError(r.t, err)
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	require.NoError(r.t, err)
	r.entries = append(r.entries, map[string]any{
		"startedDateTime": "2026-03-04T12:00:00.000Z", "request": sent,
		"response": map[string]any{"status": resp.StatusCode, "headers": []any{map[string]any{"name": "Content-Type", "value": resp.Header.Get("Content-Type")}},
			"content": map[string]any{"mimeType": resp.Header.Get("Content-Type"), "text": string(answer)}},
	})
}

func (r *recorder) write(name string) string {
	doc, err := json.Marshal(map[string]any{"log": map[string]any{"version": "1.2", "creator": map[string]any{"name": "test", "version": "1"}, "entries": r.entries}})
	require.NoError(r.t, err)
	path := filepath.Join(r.t.TempDir(), name)
	require.NoError(r.t, os.WriteFile(path, doc, 0o644))
	return path
}

type object = map[string]any

// record calls everything that the API can do, as its clients would.
func (r *recorder) record(api string) {
	const get = "query GetOrder($id: ID!) { order(id: $id) { id status customer { name } } }"
	for i := 1; i <= 12; i++ {
		id := fmt.Sprint(1000 + i)
		r.post(api+"/graphql", object{"operationName": "GetOrder", "query": get, "variables": object{"id": id}})
		r.post(api+"/graphql", object{"operationName": "SetStatus", "query": "mutation SetStatus($id: ID!, $status: String!) { setStatus(id: $id, status: $status) { id status } }", "variables": object{"id": id, "status": "open"}})
		r.post(api+"/graphql", object{"query": "{ orders { id total } }"})
		r.post(api+"/rpc", object{"jsonrpc": "2.0", "id": i, "method": "order.get", "params": object{"id": id}})
		r.post(api+"/rpc", object{"jsonrpc": "2.0", "id": i, "method": "order.setStatus", "params": object{"id": id, "status": "open"}})
	}
	r.post(api+"/graphql", object{"operationName": "DeleteOrder", "query": "mutation DeleteOrder($id: ID!) { deleteOrder(id: $id) { id } }", "variables": object{"id": "1020"}})
	r.post(api+"/graphql", []any{object{"query": get, "variables": object{"id": "1001"}}, object{"query": get, "variables": object{"id": "1002"}}})
	r.post(api+"/rpc", []any{object{"jsonrpc": "2.0", "id": 1, "method": "order.get", "params": object{"id": "1001"}}})
}

// TestOperationsInsideOnePath records GraphQL and JSON-RPC, compiles a tool for
// each operation, approves them and calls the live API through them.
func TestOperationsInsideOnePath(t *testing.T) {
	server := newOrderServer()
	live := httptest.NewServer(server)
	defer live.Close()
	rec := &recorder{t: t}
	rec.record(live.URL)

	e, _, _ := testEnv(t)
	u, err := url.Parse(live.URL)
	require.NoError(t, err)
	must(t, e, exitOK, "capture", "import", rec.write("orders.har"), "-a", u.Host, "--name", "orders")
	must(t, e, exitOK, "compile", "--name", "orders")
	must(t, e, exitOK, "apply", "--auto-approve")

	tools := map[string]map[string]any{}
	files, err := filepath.Glob(filepath.Join(e.Dir, ".caskmcp", "toolpacks", "orders", "lockfile", "approved", "*.json"))
	require.NoError(t, err)
	for _, file := range files {
		doc, err := os.ReadFile(file)
		require.NoError(t, err)
		var x map[string]any
		require.NoError(t, json.Unmarshal(doc, &x))
		if x["inputSchema"] != nil {
			tools[x["name"].(string)] = x
		}
	}
	effects, anonymous := map[string]any{}, ""
	for name, x := range tools {
		if strings.HasPrefix(name, "query_") {
			require.Regexp(t, `^query_[0-9a-f]{8}$`, name)
			name, anonymous = "query_HASH", name
		}
		effects[name] = x["effect"]
	}
	require.Equal(t, map[string]any{
		"get_order": "read", "set_status": "write", "delete_order": "destructive", "query_HASH": "read", "graphql_batch": "destructive",
		"order_get": "read", "order_set_status": "write", "jsonrpc_batch": "destructive",
	}, effects)
	for name, want := range map[string][]string{"get_order": {"variables"}, "set_status": {"variables"}, anonymous: nil, "order_get": {"params"}, "graphql_batch": {"body"}, "jsonrpc_batch": {"body"}} {
		var got []string
		for _, a := range tools[name]["binding"].(map[string]any)["arguments"].([]any) {
			got = append(got, a.(map[string]any)["name"].(string))
		}
		require.Equal(t, want, got, name)
	}

	s := &served{t: t, dir: e.Dir, name: "orders"}
	s.client = connect(t, e.Dir, nil, "serve", "--toolpack", "orders", "--toolset", "operator")
	server.bodies = nil
	var answer struct {
		Data struct {
			Order  struct{ ID, Status string }
			Orders []struct{ ID string }
		}
		Result struct{ ID string }
	}
	s.call(approvedTool{Name: "get_order"}, object{"variables": object{"id": "1007"}}, &answer)
	require.Equal(t, "1007", answer.Data.Order.ID)
	s.call(approvedTool{Name: anonymous}, nil, &answer)
	require.Len(t, answer.Data.Orders, 3)
	s.call(approvedTool{Name: "order_get"}, object{"params": object{"id": "1009"}}, &answer)
	require.Equal(t, "1009", answer.Result.ID)
	require.JSONEq(t, `{"jsonrpc":"2.0","id":1,"method":"order.get","params":{"id":"1009"}}`, server.bodies[2])

	// The types of variables are those of the document.
	require.JSONEq(t, `{"type":"object","properties":{"id":{"type":["integer","string"]},"status":{"type":"string"}},"required":["id","status"],"additionalProperties":false,"description":"Variables of the GraphQL operation."}`,
		jsonText(t, tools["set_status"]["inputSchema"].(object)["properties"].(object)["variables"]))
	s.refused(approvedTool{Name: "get_order"}, nil)
	s.refused(approvedTool{Name: "get_order"}, object{"variables": object{}})
	s.refused(approvedTool{Name: "get_order"}, object{"variables": object{"id": true}})
	require.Len(t, server.bodies, 3, "nothing was sent")

	// Neither the text of a query nor the operation is the agent's to set, and
	// what changes something asks first.
	s.refused(approvedTool{Name: "get_order"}, object{"variables": object{"id": "1"}, "query": "mutation { deleteOrder(id: 1001) { id } }"})
	s.refused(approvedTool{Name: "get_order"}, object{"variables": object{"id": "1"}, "operationName": "DeleteOrder"})
	require.Contains(t, s.refused(approvedTool{Name: "set_status"}, object{"variables": object{"id": "1007", "status": "paid"}}), "confirm")
	require.Len(t, server.bodies, 3, "nothing else was sent")
}

func jsonText(t *testing.T, v any) string {
	doc, err := json.Marshal(v)
	require.NoError(t, err)
	return string(doc)
}
