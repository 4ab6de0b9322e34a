package compiler

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tomallicino/caskmcp/capture"
	"github.com/tomallicino/caskmcp/surface"
)

// A header of every recorded call is fixed; what was approved with or without it
// stays as it is, and keeps its identity.
func TestRecordedHeaders(t *testing.T) {
	seen := func(words map[string]int, count int) *capture.Capture {
		c := captured(t, "a", exchange{request: "GET https://api.shop.test/orders", response: `[]`, times: 3})
		c.Observations[0].Headers = []capture.Parameter{{Name: "shop-version", Count: count, Words: words}}
		return c
	}
	with, without := seen(map[string]int{"2024-01-01": 3}, 3), seen(map[string]int{"2024-01-01": 2}, 2)
	fixed := []surface.Fixed{{In: surface.InHeader, Key: "shop-version", Value: json.RawMessage(`"2024-01-01"`), Recorded: true}}
	versioned := compile(t, surface.Prior{}, Options{}, with)
	require.Equal(t, fixed, tool(t, versioned, "list_orders").Binding.Fixed)
	for name, c := range map[string]*capture.Capture{
		"one call without": without, "two versions": seen(map[string]int{"2024-01-01": 2, "2025-01-01": 1}, 3), "another value": seen(map[string]int{"2024-01-01": 2}, 3),
	} {
		require.Empty(t, tool(t, compile(t, surface.Prior{}, Options{}, c), "list_orders").Binding.Fixed, name)
	}

	plain := compile(t, surface.Prior{}, Options{}, without)
	require.Equal(t, tool(t, plain, "list_orders").Binding.Identity(), tool(t, versioned, "list_orders").Binding.Identity())
	later := compile(t, approved(t, plain), Options{}, with)
	require.Empty(t, tool(t, later, "list_orders").Binding.Fixed, "approved without")
	require.Len(t, later.Proposals, 1)
	require.Equal(t, []string{"binding"}, later.Proposals[0].Fields)
	later = compile(t, approved(t, versioned), Options{}, without)
	require.Equal(t, fixed, tool(t, later, "list_orders").Binding.Fixed, "approved with")
}

// What one condition of a companion is worth: without any of them nobody is
// asked for a value.
func TestCompanions(t *testing.T) {
	paths := []string{"orders", "mugs", "people"}
	type change func(c *capture.Capture)
	header := func(o *capture.Observation, edit func(*capture.Parameter)) {
		for i := range o.Headers {
			edit(&o.Headers[i])
		}
	}
	made := func(changes ...change) []surface.Sent {
		var all []exchange
		for _, p := range paths {
			all = append(all, exchange{request: "GET https://api.shop.test/" + p, response: `[]`, times: 4})
		}
		c := captured(t, "a", append(all, exchange{request: "GET https://api.shop.test/mugs", status: 401, response: `{}`, times: 1})...)
		for i := range c.Observations {
			o := &c.Observations[i]
			o.Auth = []capture.Auth{{Kind: "bearer", In: "header", Name: "Authorization", Count: o.Count}}
			if succeeded(*o) {
				o.Headers = []capture.Parameter{{Name: "browser-id", Count: o.Count, Distinct: 1}}
			}
		}
		for _, f := range changes {
			f(c)
		}
		return tool(t, compile(t, surface.Prior{}, Options{}, c), "list_orders").Auth.Also
	}
	each := func(edit func(*capture.Parameter)) change {
		return func(c *capture.Capture) {
			for i := range c.Observations {
				header(&c.Observations[i], edit)
			}
		}
	}
	require.Equal(t, []surface.Sent{{Ref: "browser_id", Kind: "apiKey", In: "header", Name: "browser-id"}}, made())
	require.Empty(t, made(each(func(p *capture.Parameter) { p.Distinct = 2 })), "several values")
	require.Empty(t, made(each(func(p *capture.Parameter) { p.Name = "trace-id" })), "an application measures itself")
	require.Empty(t, made(each(func(p *capture.Parameter) { p.Name = "x-client" })), "no id")
	require.Empty(t, made(each(func(p *capture.Parameter) { p.Count-- })), "calls did without")
	require.Empty(t, made(func(c *capture.Capture) {
		for i := range c.Observations {
			c.Observations[i].Headers = []capture.Parameter{{Name: "browser-id", Count: c.Observations[i].Count, Distinct: 1}}
		}
	}), "the denied call had it, too")
	require.Empty(t, made(func(c *capture.Capture) {
		for i := range c.Observations {
			if o := &c.Observations[i]; o.Status == 401 {
				o.Auth[0].Kind, o.Auth[0].Name, o.Auth[0].In = "none", "", ""
			}
		}
	}), "the denied call had no credential")
}
