package compiler

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tomallicino/caskmcp/capture"
	"github.com/tomallicino/caskmcp/surface"
)

func TestPresence(t *testing.T) {
	list := func(name string, n int, item string) *capture.Capture {
		return captured(t, name, exchange{request: "GET https://api.shop.test/mugs", response: `[` + item + `,` + item + `]`, times: n})
	}
	old := list("mugs", 10, `{"slug":"a b","cents":1}`)
	renamed := list("mugs", 2, `{"slug":"a b","price":1}`)
	many := list("mugs", 10, `{"slug":"a b","price":1}`)
	sometimes := list("mugs", 10, `{"slug":"a b","cents":1},{"slug":"a c"}`)
	declared := captured(t, "spec")
	declared.Declarations = []capture.Declaration{{Method: "GET", Scheme: "https", Host: "api.shop.test", Port: 443, Path: "/mugs",
		Responses: []capture.DeclaredResponse{{Status: 200, Type: "application/json", Schema: []byte(`{"type":"array","items":{"type":"object","properties":{"cents":{"type":"integer"}}}}`)}}}}
	tests := []struct {
		name     string
		approved []*capture.Capture
		now      []*capture.Capture
		known    []*capture.Capture
		want     []string
	}{
		{"the same again", []*capture.Capture{old}, []*capture.Capture{old, old}, nil, []string{}},
		{"renamed", []*capture.Capture{old}, []*capture.Capture{old, renamed}, nil, []string{"list_mugs output.removed /properties/result/items/properties/cents"}},
		{"against what is known", []*capture.Capture{old}, []*capture.Capture{renamed}, []*capture.Capture{old}, []string{"list_mugs output.removed /properties/result/items/properties/cents"}},
		{"nothing is known", []*capture.Capture{old}, []*capture.Capture{renamed}, nil, []string{}},
		{"never always there", []*capture.Capture{sometimes}, []*capture.Capture{sometimes, renamed}, nil, []string{}},
		{"a specification says so", []*capture.Capture{old, declared}, []*capture.Capture{old, declared, renamed}, nil, []string{}},
		{"a known specification says so", []*capture.Capture{old, declared}, []*capture.Capture{renamed}, []*capture.Capture{old, declared}, []string{}},
		{"both approved", []*capture.Capture{old, many}, []*capture.Capture{old, many}, nil, []string{}},
		{"approved, then recorded again", []*capture.Capture{old, many}, []*capture.Capture{old, many, renamed}, nil, []string{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			prior := approved(t, compile(t, surface.Prior{}, Options{}, tt.approved...))
			r := compile(t, prior, Options{Known: tt.known}, tt.now...)
			require.Equal(t, tt.want, codes(r))
			again := compile(t, approved(t, r), Options{Known: tt.known}, tt.now...)
			require.Empty(t, codes(again), "approving it settles the matter")
			require.Equal(t, digests(t, r), digests(t, again))
		})
	}
}

func TestFieldsThatComeAndGo(t *testing.T) {
	page := func(body string) *capture.Capture {
		return captured(t, "a", exchange{request: "GET https://api.shop.test/mugs/{int}", response: body, times: 10})
	}
	x := tool(t, compile(t, surface.Prior{}, Options{}, page(`{"id":1,"cents":1}`), page(`{"id":1,"state":"open"}`)), "get_mug")
	require.JSONEq(t, `{"type":"object","required":["id"],"properties":{"id":{"type":"integer"},"cents":{"type":"integer","description":"Not always there."},
		"state":{"type":"string","description":"Values seen: open. Not always there."}}}`, string(x.OutputSchema))
}
