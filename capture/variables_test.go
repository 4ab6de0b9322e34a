package capture

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestVariables(t *testing.T) {
	defined, ok := Variables(`query Other { a } query Orders($ids: [ID!]!, $first: Int = 20, $where: OrderWhere) { orders(ids: $ids, first: $first, where: $where) { id } }`, "Orders")
	require.True(t, ok)
	var got []string
	for _, v := range defined {
		text := v.Name + " " + v.Type.String()
		if v.Default {
			text += " default"
		}
		got = append(got, text)
	}
	require.Equal(t, []string{"ids [ID!]!", "first Int default", "where OrderWhere"}, got)
	for document, name := range map[string]string{"query A { a }": "B", "{ a": "", "": ""} {
		_, ok = Variables(document, name)
		require.False(t, ok, document)
	}
	defined, ok = Variables("{ a }", "")
	require.True(t, ok)
	require.Empty(t, defined)
}

// How many an anonymous query asks for makes it no other operation, but its
// text does not say any more what was asked.
func TestAnonymousQueriesDifferInMoreThanNumbers(t *testing.T) {
	ask := func(query string) string {
		return post("https://h/graphql", "application/json", `{"query":`+quote(query)+`}`)
	}
	documents := func(entries ...string) map[string]int {
		c, _ := observe(t, "h", write(t, "in.har", har(entries...)))
		out := map[string]int{}
		for _, o := range c.Observations {
			out[o.Document] = o.Traits[TraitLiterals]
		}
		return out
	}
	first, third := "query {\n  books(first: 1) {\n    name\n  }\n}", "{ books(first: 3) { name } }"
	require.Equal(t, map[string]int{first: 0}, documents(ask(first), ask(first)))
	require.Equal(t, map[string]int{first: 3}, documents(ask(first), ask(third), ask(first)))
	require.Equal(t, map[string]int{first: 3}, documents(ask(third), ask(first), ask(first)))
	require.Len(t, documents(ask(first), ask("{ books(last: 1) { name } }"), ask("{ books(first: 1, all: true) { name } }")), 3)
	require.Equal(t, map[string]int{"query A {\n  b(first: 1)\n}": 0}, documents(ask("query A { b(first: 1) }"), ask("query A { b(first: 2) }")), "a name is a name")
}
