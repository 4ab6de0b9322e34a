package capture

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestGraphQLIsSplitByOperation(t *testing.T) {
	body := func(query string) string { return `{"query":` + quote(query) + `,"variables":{"id":7}}` }
	c, _ := observe(t, "h", write(t, "in.har", har(
		post("https://h/graphql", "application/json", body("query GetUser($id: ID!) { user(id: $id) { name } }")),
		post("https://h/graphql", "application/json", body("query GetUser($id: ID!) {\n  user(id: $id) {\n    name\n  }\n}")),
		post("https://h/graphql", "application/json", body("mutation Rename { rename(to: \"ada@example.com\", times: 12345, first: 20) { ok } }")),
		post("https://h/graphql", "application/json", body("{ viewer { login } }")),
		post("https://h/graphql", "application/json", body("{viewer{login}}")),
		post("https://h/graphql", "application/json", `{"operationName":"B","query":"query A { a } query B { b }"}`),
		post("https://h/graphql", "application/json", `[{"query":"{a}"},{"query":"{b}"}]`),
		post("https://h/graphql", "application/json", `{"operationName":"Saved","extensions":{"persistedQuery":{"sha256Hash":"ab"}}}`),
		post("https://h/search", "application/json", `{"query":"all lamps"}`),
		entry("GET", "https://h/graphql?query=query%20Ping%20%7B%20ping%20%7D", 200, "application/json", "{}"),
		entry("GET", "https://h/graphs?query=up%7Bjob%3D%22a%22%7D", 200, "application/json", "{}"),
	)))
	documents := map[string]string{}
	counts := map[string]int{}
	for _, o := range c.Observations {
		documents[o.Operation] = o.Document
		counts[o.Operation] += o.Count
	}
	anonymous := "graphql:query#" + shortHash("query {\n  viewer {\n    login\n  }\n}")
	require.Equal(t, map[string]int{
		"graphql:query GetUser": 2, "graphql:mutation Rename": 1, anonymous: 2, "graphql:query B": 1, "graphql:batch": 1,
		"graphql:persisted Saved": 1, "graphql:query Ping": 1, "": 2,
	}, counts, "documents %q", documents)
	require.Equal(t, "query GetUser ($id: ID!) {\n  user(id: $id) {\n    name\n  }\n}", documents["graphql:query GetUser"])
	rename := documents["graphql:mutation Rename"]
	require.Contains(t, rename, `rename(to: "", times: 0, first: 20)`)
	require.NotContains(t, rename, "ada")
	for _, o := range c.Observations {
		require.Equal(t, strings.Contains(o.Operation, "Rename"), o.Traits[TraitLiterals] > 0)
	}
}

func TestJSONRPCIsSplitByMethod(t *testing.T) {
	c, _ := observe(t, "h", write(t, "in.har", har(
		post("https://h/rpc", "application/json", `{"jsonrpc":"2.0","id":1,"method":"order.get","params":{"id":1}}`),
		post("https://h/rpc", "application/json", `{"jsonrpc":"2.0","id":2,"method":"order.list"}`),
		post("https://h/rpc", "application/json", `{"jsonrpc":"2.0","id":2,"method":"not a method"}`),
		post("https://h/rpc", "application/json", `[{"jsonrpc":"2.0","id":2,"method":"order.list"}]`),
		post("https://h/rpc", "application/json", `{"method":"no envelope"}`),
	)))
	var operations []string
	for _, o := range c.Observations {
		operations = append(operations, o.Operation)
	}
	require.Equal(t, []string{"", "jsonrpc:#" + shortHash("not a method"), "jsonrpc:batch", "jsonrpc:order.get", "jsonrpc:order.list"}, operations)
}

func TestMethodNamesAreKept(t *testing.T) {
	for _, name := range []string{"eth_getBlockByHash", "eth_getUncleCountByBlockNumber", "web3_sha3", "system.listMethods", "item/get", "$/cancel"} {
		require.Equal(t, name, methodName(name))
	}
	for _, data := range []string{"", "two words", "3f2a91c04d5b6e7f8091a2b3c4d5e6f7", "0190b5a7-3b1c-7c3e-9d55-1f2e3d4c5b6a", strings.Repeat("a", 129)} {
		require.Equal(t, "#"+shortHash(data), methodName(data))
	}
}

// The calls of a batch are seen with the answers that are their own, and what
// was answered with an error is no success.
func TestBatchesAreTakenApart(t *testing.T) {
	exchange := func(path, body, answer string) string {
		return posted("https://h/"+path, "application/json", body, answer)
	}
	c, _ := observe(t, "h", write(t, "in.har", har(
		exchange("rpc", `[{"jsonrpc":"2.0","id":1,"method":"a.get"},{"jsonrpc":"2.0","id":"x","method":"b.set","params":[1]},{"jsonrpc":"2.0","method":"c.tell"},{"jsonrpc":"2.0","id":3,"method":"a.get"}]`,
			`[{"id":"x","jsonrpc":"2.0","error":{"code":-32000,"message":"no"}},{"id":1,"jsonrpc":"2.0","result":{"name":"one"}},{"id":3,"jsonrpc":"2.0","result":null}]`),
		exchange("rpc", `{"jsonrpc":"2.0","id":1,"method":"d.get"}`, `{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"no such method"}}`),
		exchange("rpc", `[{"jsonrpc":"2.0","id":1,"method":"e.get"}]`, `{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"too many"}}`),
		exchange("graphql", `[{"query":"query A{a}"},{"query":"query B{b}"}]`, `[{"data":{"a":1}},{"errors":[{"message":"no"}],"data":null}]`),
		exchange("graphql", `{"query":"query C{c}"}`, `{"errors":[{"message":"partly"}],"data":{"c":1}}`),
	)))
	type seen struct {
		operation string
		failed    bool
		count     int
		keys      []string
	}
	var got []seen
	for _, o := range c.Observations {
		var keys []string
		if o.Response.Objects != nil {
			keys = slices.Sorted(maps.Keys(o.Response.Objects.Properties))
		}
		got = append(got, seen{o.Operation, o.Failed, o.Count, keys})
	}
	require.Equal(t, []seen{
		{"graphql:batch", false, 1, nil},
		{"graphql:query A", false, 1, []string{"data"}},
		{"graphql:query B", true, 1, []string{"data", "errors"}},
		{"graphql:query C", false, 1, []string{"data", "errors"}},
		{"jsonrpc:a.get", false, 2, []string{"id", "jsonrpc", "result"}},
		{"jsonrpc:b.set", true, 1, []string{"error", "id", "jsonrpc"}},
		{"jsonrpc:batch", false, 1, nil},
		{"jsonrpc:batch", true, 1, []string{"error", "id", "jsonrpc"}},
		{"jsonrpc:d.get", true, 1, []string{"error", "id", "jsonrpc"}},
	}, got)
}
