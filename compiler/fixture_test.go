package compiler

import (
	"encoding/json"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tomallicino/caskmcp/capture"
	"github.com/tomallicino/caskmcp/schema"
	"github.com/tomallicino/caskmcp/surface"
)

// exchange is one call of a fixture API.
type exchange struct {
	request  string // "GET https://api.shop.test/orders/{int}?page=1"
	status   int    // 200 if 0
	body     string // JSON of the request
	response string // JSON of the response, or text for other types
	reqType  string // media type of body; application/json if empty
	resType  string
	auth     string // "bearer" if empty
	echo     string // JSON key under which the response repeats the last path value
	times    int    // 1 if 0
	graphql  string // operation
	document string
}

// captured makes a sealed capture of exchanges.
func captured(t testing.TB, name string, exchanges ...exchange) *capture.Capture {
	t.Helper()
	c := &capture.Capture{Version: capture.FormatVersion, Name: name, Sealed: true, Hosts: []string{"api.shop.test"}}
	for _, x := range exchanges {
		for range max(1, x.times) {
			one := &capture.Capture{Version: capture.FormatVersion, Name: name, Sealed: true, Hosts: c.Hosts, Observations: []capture.Observation{x.observe(t)}}
			c = capture.Merge(c, one)
		}
	}
	for i := range c.Observations {
		o := &c.Observations[i]
		o.Request, o.Response = o.Request.Seal(nil), o.Response.Seal(nil)
		o.Query = sealParameters(o.Query, schema.Knowledge{})
	}
	c.Name, c.Sealed = name, true
	return c
}

func (x exchange) observe(t testing.TB) capture.Observation {
	t.Helper()
	method, raw, _ := strings.Cut(x.request, " ")
	u, err := url.Parse(raw)
	require.NoError(t, err)
	port, _ := strconv.Atoi(u.Port())
	if port == 0 {
		port = surface.DefaultPort(u.Scheme)
	}
	o := capture.Observation{Count: 1, Sources: []string{"har"}, Key: capture.Key{
		Method: method, Scheme: u.Scheme, Host: u.Hostname(), Port: port, Path: u.Path, Status: x.status, Operation: x.graphql,
	}, Document: x.document}
	if o.Status == 0 {
		o.Status = 200
	}
	x.observeSegments(&o)
	for _, pair := range strings.Split(u.RawQuery, "&") {
		if key, value, ok := strings.Cut(pair, "="); ok {
			observeParameter(&o, key, value)
		}
	}
	if x.body != "" {
		o.RequestType, o.RequestBodies = x.reqType, 1
		if x.reqType == "" {
			o.RequestType = "application/json"
		}
		o.Request = observeJSON(t, x.body)
	}
	if x.response != "" {
		o.ResponseType = x.resType
		if x.resType == "" {
			o.ResponseType = "application/json"
		}
		if isJSON(o.ResponseType) {
			o.Response, o.ResponseBodies = observeJSON(t, x.response), 1
		}
	}
	kind := x.auth
	if kind == "" {
		kind = "bearer"
	}
	a := capture.Auth{Kind: kind, Count: 1}
	switch kind {
	case "bearer":
		a.In, a.Name = "header", "Authorization"
	case "apiKey":
		a.In, a.Name = "query", "api_key"
	}
	o.Auth = []capture.Auth{a}
	return o
}

func (x exchange) observeSegments(o *capture.Observation) {
	parts := strings.Split(strings.Trim(o.Path, "/"), "/")
	for i, part := range parts {
		if !strings.HasPrefix(part, "{") {
			continue
		}
		s := capture.Segment{Index: i, Classes: map[string]int{strings.Trim(part, "{}"): 1}, Distinct: 1}
		if x.echo != "" && i == len(parts)-1 {
			s.EchoOwn, s.EchoID, s.EchoAny, s.EchoKeys = 1, true, true, map[string]int{x.echo: 1}
		}
		o.Segments = append(o.Segments, s)
	}
}

func observeParameter(o *capture.Observation, name, value string) {
	for i := range o.Query {
		if o.Query[i].Name == name {
			o.Query[i].Repeated = 1
			o.Query[i].Shape.ObserveText(value)
			return
		}
	}
	p := capture.Parameter{Name: name, Count: 1, Shape: &schema.Shape{}}
	p.Shape.ObserveText(value)
	o.Query = append(o.Query, p)
}

func observeJSON(t testing.TB, text string) *schema.Shape {
	t.Helper()
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	var v any
	require.NoError(t, dec.Decode(&v), text)
	s := &schema.Shape{}
	s.Observe(v)
	return s
}

// shop is a small API with everything a tool can have, called n times over.
func shop(t testing.TB, name string, n int) *capture.Capture {
	order := `{"id":70001,"status":"open","total":12.5,"items":[{"sku":"A1","quantity":2}],"customer":{"email":"a@shop.test"},"note":null}`
	return captured(t, name,
		exchange{request: "GET https://api.shop.test/v1/orders?page=1&limit=20&state=open", response: `{"orders":[` + order + `],"next":"/v1/orders?page=2"}`, times: n},
		exchange{request: "GET https://api.shop.test/v1/orders/{int}", response: order, echo: "id", times: n},
		exchange{request: "GET https://api.shop.test/v1/orders/{int}", status: 404, response: `{"error":"not found","trace":"x"}`},
		exchange{request: "POST https://api.shop.test/v1/orders", status: 201, body: `{"customer_id":70002,"items":[{"sku":"A1","quantity":2}]}`, response: order, times: n},
		exchange{request: "PATCH https://api.shop.test/v1/orders/{int}", body: `{"note":"x"}`, response: order, echo: "id", times: n},
		exchange{request: "DELETE https://api.shop.test/v1/orders/{int}", status: 204, times: n},
		exchange{request: "POST https://api.shop.test/v1/orders/{int}/cancel", response: order, times: n},
		exchange{request: "GET https://api.shop.test/v1/users/{word}/orders/{int}", response: order, echo: "id", times: n},
		exchange{request: "POST https://api.shop.test/v1/products/search", body: `{"query":"mug","limit":5}`, response: `[{"sku":"A1","name":"Mug"}]`, times: n},
		exchange{request: "GET https://api.shop.test/v1/tags?ids=1&ids=2", response: `["a","b"]`, auth: "none", times: n},
	)
}
