package serve_test

import (
	"context"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tomallicino/caskmcp/surface"
)

func TestCall(t *testing.T) {
	up := newAPI(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"id":"o1","total":9007199254740993,"note":"<b>"}`)
	})
	get := tool(t, up.URL, "get_order", http.MethodGet, "/orders/{order_id}", idSchema(""), surface.Argument{Name: "id", In: surface.InPath, Key: "order_id"})
	audit := &records{}
	c := connect(t, stateOf(t, get), options(audit))
	r := call(t, c, "get_order", `{"id":"o 1"}`)
	require.False(t, r.IsError, r.Text)
	require.JSONEq(t, `{"id":"o1","note":"<b>","total":9007199254740993}`, r.Text)
	require.Contains(t, string(r.Structured), "9007199254740993")
	require.Equal(t, "/orders/o%201", up.request().URL.EscapedPath())
	require.Equal(t, "caskmcp/1.2.3", up.request().UserAgent())
	require.Equal(t, "result", audit.last(t).Event)
	tools, err := c.List(context.Background())
	require.NoError(t, err)
	require.Len(t, tools, 1)
	require.Equal(t, "Title of get_order", tools[0].Title)
	require.JSONEq(t, string(get.InputSchema), string(tools[0].InputSchema))
	require.True(t, *tools[0].Annotations.ReadOnly)
	require.False(t, *tools[0].Annotations.Destructive)
}
