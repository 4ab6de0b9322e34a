package compiler

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tomallicino/caskmcp/capture"
	"github.com/tomallicino/caskmcp/surface"
)

// decisionAt is what was decided about a path.
func decisionAt(t testing.TB, decisions []Decision, path string) Decision {
	t.Helper()
	i := slices.IndexFunc(decisions, func(d Decision) bool { return d.Path == path })
	require.GreaterOrEqual(t, i, 0, path)
	return decisions[i]
}

func kinds(d Decision) map[string]float64 {
	out := map[string]float64{}
	for _, e := range d.Evidence {
		out[e.Kind] += e.Weight
	}
	return out
}

// Sealing takes the values that a segment was judged by. What they said is
// kept, without them, in the file and through any number of merges.
func TestEvidenceSurvivesSealing(t *testing.T) {
	c := unsealed(t,
		exchange{request: "GET https://api.shop.test/v1/mugs", response: `{"mugs":[{"slug":"tulip"},{"slug":"wren-blue"}]}`},
		exchange{request: "GET https://api.shop.test/v1/mugs/tulip", response: `{"slug":"tulip"}`},
		exchange{request: "GET https://api.shop.test/v1/mugs/wren-blue/prices", response: `{"slug":"wren-blue","net":4}`},
		exchange{request: "GET https://api.shop.test/v1/orders/{int}", response: `{"id":70001}`})
	for i := range c.Observations { // as observing would have noted it
		if o := &c.Observations[i]; o.Path == "/v1/mugs/tulip" {
			o.Segments = []capture.Segment{{Index: 2, EchoOwn: 1, EchoKeys: map[string]int{"slug": 1}, EchoID: true, EchoAny: true, EchoAbove: 1, EchoAboveID: 1}}
		}
	}
	sealed, decisions := Seal(c, SealOptions{})
	before := decisionAt(t, decisions, "/v1/mugs/{}")
	require.True(t, before.Parameter)
	require.False(t, before.Sealed)
	require.Greater(t, len(before.Evidence), 2)
	doc, err := sealed.Encode()
	require.NoError(t, err)
	require.NotContains(t, string(doc), "tulip")
	require.NotContains(t, string(doc), "wren")
	require.Len(t, sealed.Inferred, 1, "of ids there is nothing to say")

	read, err := capture.Parse(doc)
	require.NoError(t, err)
	for _, from := range [][]*capture.Capture{{c}, {sealed}, {read}, {read, sealed, shop(t, "other", 3)}} {
		after := decisionAt(t, compile(t, surface.Prior{}, Options{}, from...).Decisions, "/v1/mugs/{}")
		require.True(t, after.Sealed)
		require.InDelta(t, before.Score, after.Score, 1e-9)
		require.Equal(t, kinds(before), kinds(after))
	}
	again, _ := Seal(sealed, SealOptions{})
	require.Equal(t, sealed, again)
	decided := approved(t, compile(t, surface.Prior{}, Options{}, sealed))
	again, _ = Seal(c, SealOptions{Prior: decided, Hints: []string{"/v1/mugs/{mug}"}})
	same, err := again.Encode()
	require.NoError(t, err)
	require.Equal(t, string(doc), string(same), "imported again once it is approved, the recording says the same")
}

// doubtful is a sealed capture that was in doubt whether /v1/mugs/{} is one.
func doubtful(t testing.TB, score float64) *capture.Capture {
	t.Helper()
	c := captured(t, "doubtful",
		exchange{request: "GET https://api.shop.test/v1/mugs/{word}", response: `{"slug":"x"}`},
		exchange{request: "PUT https://api.shop.test/v1/mugs/{word}/glaze", response: `{"slug":"x"}`})
	c.Inferred = []capture.Inferred{{Scheme: "https", Host: "api.shop.test", Port: 443, Path: "/v1/mugs/{}", Score: score, Evidence: map[string]float64{"form: word": -2.2, "echo: id key": score + 2.2}}}
	return c
}

func TestDoubtLastsUntilItIsSettled(t *testing.T) {
	reviewed := func(prior surface.Prior, opt Options, from ...*capture.Capture) Decision {
		return decisionAt(t, compile(t, prior, opt, from...).Decisions, "/v1/mugs/{}")
	}
	d := reviewed(surface.Prior{}, Options{}, doubtful(t, 0.4))
	require.True(t, d.Review)
	require.Equal(t, []Evidence{{"echo: id key", 2.6}, {"form: word", -2.2}}, d.Evidence)
	require.Equal(t, "/v1/mugs/{id} if it stands for different values; if it is part of the route, /v1/mugs/^WORD with its word, then delete the capture and import the recording again", d.Advice())
	require.True(t, reviewed(surface.Prior{}, Options{}, doubtful(t, 0.4), shop(t, "shop", 3)).Review, "other captures say nothing about it")
	require.True(t, reviewed(surface.Prior{}, Options{}, doubtful(t, 0.4), captured(t, "ids", exchange{request: "GET https://api.shop.test/v1/mugs/{uuid}", response: `{}`})).Review, "ids beside a word do not make it one")

	require.False(t, reviewed(surface.Prior{}, Options{}, doubtful(t, 0.4), doubtful(t, 4)).Review, "surer evidence")
	require.False(t, reviewed(surface.Prior{}, Options{Hints: []string{"/v1/mugs/{slug}"}}, doubtful(t, 0.4)).Review, "the hint it gives")

	all := approved(t, compile(t, surface.Prior{}, Options{}, doubtful(t, 0.4), shop(t, "shop", 3)))
	only := func(keep func(p surface.PriorEntry) bool) surface.Prior {
		return surface.Prior{Entries: slices.DeleteFunc(slices.Clone(all.Entries), func(p surface.PriorEntry) bool { return !keep(p) })}
	}
	below := only(func(p surface.PriorEntry) bool { return p.Tool.Binding.Method == "PUT" })
	require.Len(t, below.Entries, 1)
	require.False(t, reviewed(below, Options{}, doubtful(t, 0.4)).Review, "a tool that has the step is approved")
	require.Empty(t, reviewed(below, Options{}, doubtful(t, 0.4)).Hint)
	others := only(func(p surface.PriorEntry) bool { return surface.EraseNames(p.Tool.Binding.Path) == "/v1/orders/{}" })
	require.NotEmpty(t, others.Entries)
	require.True(t, reviewed(others, Options{}, doubtful(t, 0.4), shop(t, "shop", 3)).Review, "approval of other tools")
	below.Entries[0].Status = surface.Rejected
	require.True(t, reviewed(below, Options{}, doubtful(t, 0.4)).Review, "a rejection")
}

// Places that turn out to be one have the evidence of the surest.
func TestDoubtsOfOnePlace(t *testing.T) {
	for _, scores := range [][2]float64{{0.4, 3}, {3, 0.4}} {
		c := captured(t, "shops",
			exchange{request: "GET https://api.shop.test/v1/shops/north/mugs/{word}", response: `{}`},
			exchange{request: "GET https://api.shop.test/v1/shops/south/mugs/{word}", response: `{}`})
		for i, shop := range []string{"north", "south"} {
			c.Inferred = append(c.Inferred, capture.Inferred{Scheme: "https", Host: "api.shop.test", Port: 443, Path: "/v1/shops/" + shop + "/mugs/{}", Score: scores[i], Evidence: map[string]float64{"form: word": scores[i]}})
		}
		d := decisionAt(t, compile(t, surface.Prior{}, Options{Hints: []string{"/v1/shops/{shop}"}}, c).Decisions, "/v1/shops/{}/mugs/{}")
		require.InDelta(t, 3, d.Score, 1e-9)
		require.False(t, d.Review)
	}
}

func TestHeldBy(t *testing.T) {
	at := origin{"https", "api.shop.test", 443}
	literal, parameter := Decision{Path: "/users/new", at: at}, Decision{Path: "/users/{}", Parameter: true, at: at}
	for path, want := range map[string][2]bool{
		"/users/new":    {true, false},
		"/users/new/x":  {true, false},
		"/users/{}":     {false, true},
		"/users/{}.csv": {false, true},
		"/users/{}/x":   {false, true},
		"/users":        {false, false},
		"/people/{}":    {false, false},
		"/people/new":   {false, false},
	} {
		held := func(d Decision) bool { return d.heldBy(Template{Method: "GET", Host: "api.shop.test", Path: path}) }
		require.Equal(t, want, [2]bool{held(literal), held(parameter)}, path)
		require.False(t, literal.heldBy(Template{Host: "other.test", Path: path}))
	}
	require.Equal(t, "/users/{id} if it stands for different values; /users/^new if it is part of the route", review(Decision{Path: "/users/new", Score: -0.2}, "/users/").Advice())
}
