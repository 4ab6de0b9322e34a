package compiler

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tomallicino/caskmcp/capture"
	"github.com/tomallicino/caskmcp/surface"
)

// What a response holds is told through its envelope.
func TestDescriptionsTellWhatIsInside(t *testing.T) {
	tests := []struct{ request, body, response, want string }{
		{"GET /status/buildinfo", "", `{"status":"success","data":{"version":"1","revision":"x"}}`,
			"Reads status buildinfo. Returns an object with status and data; data is an object with revision and version."},
		{"GET /labels", "", `{"status":"success","data":["a","b"]}`,
			"Lists labels. Returns an object with status and data; data is an array of strings."},
		{"GET /query", "", `{"status":"success","data":{"resultType":"vector","result":[{"metric":{"job":"x"},"value":[1,"2"]}]}}`,
			`Calls "query", which takes no arguments. Returns an object with status and data; data is an object with result and resultType; result is an array of objects with metric and value.`},
		{"GET /articles", "", `{"data":[{"type":"articles","id":"1","attributes":{"title":"x","body":"y"}}],"links":{"self":"x"},"included":[]}`,
			"Lists articles. Returns an object with data, included and links; data is an array of objects with id, type and attributes; attributes is an object with title and body."},
		{"GET /addons", "", `{"addons":[{"id":1}],"providers":[{"name":"x"}]}`,
			"Lists addons. Returns an object with addons and providers; addons is an array of objects with id."},
		{"GET /rates", "", `{"result":{"eur":1.5}}`,
			"Reads rates. Returns an object with result; result is an object with eur."},
		{"GET /orders/{int}", "", `{"id":1,"total":2,"state":"open","items":[{"sku":"x"}],"customer":{"id":1}}`,
			"Reads one order. Returns an object with id, state, customer, items and total; items is an array of objects with sku."},
		{"POST /playground/advanced", `{"context":{},"projects":["a"]}`, `{"features":[{"name":"x"}],"input":{}}`,
			"Sends context and projects to the playground advanced. Returns an object with features and input."},
		{"POST /orders/{int}/refund", `{"amount":1}`, `{"ok":true}`,
			"Refunds one order, given amount. Returns an object with ok. This changes data."},
		{"POST /login", `{"user":"x"}`, `{"ok":true}`, `Calls "login" with user. Returns an object with ok. This changes data.`},
		{"POST /orders/{int}", `{"note":"x"}`, `{"ok":true}`, "Changes one order. Returns an object with ok."},
		{"PATCH /orders/{int}", `{"note":"x"}`, `{"ok":true}`, "Changes one order; fields that are not given stay as they are. Returns an object with ok."},
		{"PUT /orders/{int}", `{"note":"x"}`, `{"ok":true}`, "Replaces one order; fields that are not given may be lost. Returns an object with ok."},
		{"PUT /users/{int}/roles/{int}", "", `{"ok":true}`, "Sets one role of one user, which takes no fields. Returns an object with ok."},
		{"GET /{word}", "", `{"name":"x"}`, "Reads the item given by id. Returns an object with name."},
	}
	for _, tt := range tests {
		method, path, _ := strings.Cut(tt.request, " ")
		r := compile(t, surface.Prior{}, Options{}, captured(t, "a", exchange{request: method + " https://api.shop.test" + path, body: tt.body, response: tt.response, times: 12}))
		require.Len(t, r.Surface.Tools, 1, tt.request)
		require.Equal(t, tt.want, r.Surface.Tools[0].Description)
	}
}

// What a thing holds is no thing of its kind.
func TestDescriptionsOfWhatIsHeld(t *testing.T) {
	r := compile(t, surface.Prior{}, Options{}, captured(t, "a",
		exchange{request: "GET https://api.shop.test/queues/{word}", response: `{"name":"x","files":["y"]}`},
		exchange{request: "POST https://api.shop.test/queues/{word}", body: `{"text":"x"}`, status: 201, response: `{"ok":true}`},
		exchange{request: "DELETE https://api.shop.test/queues/{word}/{mixed}", status: 204},
		exchange{request: "POST https://api.shop.test/schemas/{word}", body: `{"text":"x"}`, status: 201, response: `{"ok":true}`}))
	for name, want := range map[string]string{
		"get_queue":         "Reads one queue. Returns an object with name and files; files is an array of strings.",
		"create_queue_item": "Creates a new item of one queue. Returns an object with ok.",
		"delete_queue_item": "Deletes one item of one queue. Returns no content. This cannot be undone.",
		"create_schema":     "Creates one schema. Returns an object with ok.",
	} {
		require.Equal(t, want, tool(t, r, name).Description)
	}
}

// A path parameter says which tool returns its values, where responses have
// shown that they are the same ones and the tool is there to be called.
func TestIDsSayWhereTheyComeFrom(t *testing.T) {
	list := exchange{request: "GET https://api.shop.test/v1/orders", response: `{"orders":[{"id":70001,"total":1}]}`, times: 3}
	get := exchange{request: "GET https://api.shop.test/v1/orders/{int}", response: `{"id":70001,"total":1}`, echo: "id", times: 3}
	items := exchange{request: "GET https://api.shop.test/v1/orders/{int}/items", response: `[{"sku":"x"}]`, times: 3}
	text := func(opt Options, name string, calls ...exchange) any {
		return input(t, tool(t, compile(t, surface.Prior{}, opt, captured(t, "a", calls...)), name), "order_id")["description"]
	}
	require.Equal(t, "Identifies the order; list_orders returns it as id.", text(Options{}, "get_order", list, get, items))
	require.Equal(t, "Identifies the order; list_orders returns it as id.", text(Options{}, "list_order_items", list, get, items), "the place is the same")
	require.Equal(t, "Identifies the order.", text(Options{}, "get_order", get, items), "nothing lists orders")
	require.Equal(t, "Identifies the order.", text(Options{Exclude: []string{"list_orders"}}, "get_order", list, get, items), "agents do not have list_orders")
	unechoed := get
	unechoed.echo = ""
	require.Equal(t, "Identifies the order.", text(Options{}, "get_order", list, unechoed, items), "no response has shown it")
	renamed := Options{Tools: map[string]surface.Override{"list_orders": {Rename: "find_orders"}}}
	require.Equal(t, "Identifies the order; find_orders returns it as id.", text(renamed, "get_order", list, get, items))
}

// Descriptions are short whatever a specification says and a response holds.
func TestDescriptionsAreShort(t *testing.T) {
	long := ""
	for range 200 {
		long += "many words "
	}
	body := `{"data":{"items":[{`
	for i := range 40 {
		body += `"a_field_with_a_long_name_` + itoa(i) + `":1,`
	}
	body += `"id":1}]}}`
	c := captured(t, "a", exchange{request: "GET https://api.shop.test/things?page=2", response: body, times: 12})
	x := tool(t, compile(t, surface.Prior{}, Options{}, c), "list_things")
	require.LessOrEqual(t, len(x.Description), 400)
	require.Contains(t, x.Description, "Results come in pages; use page to get more.")
	c.Declarations = []capture.Declaration{{Method: "GET", Scheme: "https", Host: "api.shop.test", Port: 443, Path: "/things", Summary: "Lists things", Description: long, Deprecated: true}}
	x = tool(t, compile(t, surface.Prior{}, Options{}, c), "list_things")
	require.LessOrEqual(t, len(x.Description), 400)
	require.Contains(t, x.Description, "Lists things. many words")
	require.Contains(t, x.Description, "Deprecated.")
}
