package capture

import (
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
