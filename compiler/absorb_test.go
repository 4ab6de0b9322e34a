package compiler

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tomallicino/caskmcp/capture"
	"github.com/tomallicino/caskmcp/surface"
)

// mugs are requests about one mug and its glaze.
func mugs(slug string) []exchange {
	return []exchange{
		{request: "GET https://api.shop.test/v1/mugs/" + slug, response: `{"slug":"x","price":4}`},
		{request: "DELETE https://api.shop.test/v1/mugs/" + slug + "/glazes/{int}", response: `{"ok":true}`},
	}
}

// grown are the decisions about a first recording that had one mug, which was
// taken for a route, and the captures that came to be.
func grown(t *testing.T, slugs ...string) (surface.Prior, []*capture.Capture) {
	t.Helper()
	first := captured(t, "first", append(mugs("wren-4f"), exchange{request: "GET https://api.shop.test/v1/mugs/featured", response: `{"mugs":[{"slug":"x"}]}`})...)
	r := compile(t, surface.Prior{}, Options{Hints: []string{"/v1/mugs/^wren-4f", "/v1/mugs/^featured"}}, first)
	require.Contains(t, toolNames(r), "get_mug_featured")
	var later []exchange
	for _, slug := range slugs {
		later = append(later, mugs(slug)...)
	}
	return approved(t, r), []*capture.Capture{first, captured(t, "later", later...)}
}

func TestMergesAreProposed(t *testing.T) {
	prior, captures := grown(t, "{mixed}", "{kebab}")
	r := compile(t, prior, Options{}, captures...)
	wren := toolAt(t, r, "GET", "/v1/mugs/wren-4f").Name
	glaze := toolAt(t, r, "DELETE", "/v1/mugs/wren-4f/glazes/{}").Name
	hints, keep := []string{"/v1/mugs/^featured", "/v1/mugs/{id}"}, []string{"/v1/mugs/^wren-4f"}
	want := []Merge{
		{Tool: toolAt(t, r, "DELETE", "/v1/mugs/{}/glazes/{}").Name, Request: "DELETE https://api.shop.test/v1/mugs/{}/glazes/{}", Absorbs: []string{glaze}, Hints: hints, Keep: keep},
		{Tool: toolAt(t, r, "GET", "/v1/mugs/{}").Name, Request: "GET https://api.shop.test/v1/mugs/{}", Absorbs: []string{wren}, Hints: hints, Keep: keep},
	}
	require.Equal(t, want, r.Merges)
	slices.Reverse(captures)
	require.Equal(t, want, compile(t, prior, Options{}, captures...).Merges)
	for _, p := range prior.Entries {
		digest, err := p.Tool.Digest()
		require.NoError(t, err)
		require.Equal(t, digest, digests(t, r)[p.Name], "what is approved stays")
	}

	require.Empty(t, compile(t, prior, Options{Hints: keep}, captures...).Merges, "somebody said that it is a route")
	require.Empty(t, compile(t, surface.Prior{}, Options{}, captures...).Merges, "nothing is approved")
	require.Empty(t, compile(t, prior, Options{Exclude: []string{wren, glaze}}, captures...).Merges, "not compiled")
}

// The hints of a proposal do what it says in one plan, and nothing else.
func TestMergesAreDoneByTheirHints(t *testing.T) {
	prior, captures := grown(t, "{mixed}", "{kebab}")
	before := compile(t, prior, Options{}, captures...)
	after := compile(t, prior, Options{Hints: before.Merges[0].Hints}, captures...)
	var gone []string
	for _, m := range before.Merges {
		gone = append(gone, m.Absorbs...)
	}
	require.Empty(t, after.Merges)
	require.ElementsMatch(t, slices.DeleteFunc(toolNames(before), func(name string) bool { return slices.Contains(gone, name) }), toolNames(after))
	require.Equal(t, digests(t, before)["get_mug_featured"], digests(t, after)["get_mug_featured"])
	general := before.Merges[1].Tool
	require.Equal(t, tool(t, before, general).Evidence.Observations+1, tool(t, after, general).Evidence.Observations, "the absorbed tool's calls are its own now")
}

// A proposal needs no traffic of the general tool.
func TestMergesNameToolsToCome(t *testing.T) {
	prior, captures := grown(t)
	r := compile(t, prior, Options{Hints: []string{"/v1/mugs/{slug}/glazes"}}, captures[0])
	require.NotEmpty(t, r.Merges)
	for _, m := range r.Merges {
		require.Empty(t, m.Tool)
		require.Contains(t, m.Request, "https://api.shop.test/v1/mugs/{}")
	}
}

func TestOverruled(t *testing.T) {
	for _, c := range []struct {
		template string
		hints    []string
		want     bool
	}{
		{"/post/new", []string{"/post/{id}"}, true},
		{"/post/new/x", []string{"/post/{id}"}, true},
		{"/post/new", []string{"/post/{id}", "/post/^new"}, false},
		{"/post/new", []string{"/post/{id}", "/post/^old"}, true},
		{"/post/{}", []string{"/post/{id}"}, false},
		{"/post/new", []string{"/post/{id}/x"}, false},
		{"/post/new/x", []string{"/post/{id}/x"}, false},
		{"/post/new/x", []string{"/post/{id}/{part}"}, false},
		{"/post/{}/x", []string{"/post/{id}/{part}"}, true},
		{"/post/{}/x", []string{"/post/{}/{part}"}, true},
		{"/post/a.csv", []string{"/post/{id}.csv"}, true},
		{"/post/a.pdf", []string{"/post/{id}.csv"}, false},
		{"/post", []string{"/post/{id}"}, false},
		{"/post/new", nil, false},
	} {
		require.Equal(t, c.want, overruled(c.template, parseHints(c.hints)), "%s %v", c.template, c.hints)
	}
}

// A parameter without a name on the way to what a hint is about settles
// nothing there.
func TestHintsPassUnnamedParameters(t *testing.T) {
	var g guide
	for _, h := range parseHints([]string{"/repos/{}/{repo}", "/users/{user}/{}"}) {
		g.hint(h)
	}
	require.Empty(t, g.literals["repos"].forced)
	require.True(t, g.literals["repos"].patterns["{}"].forced["{}"])
	require.True(t, g.literals["users"].forced["{}"])
	require.True(t, g.literals["users"].patterns["{}"].forced["{}"])
}

// toolAt returns the tool of an operation, its path without names.
func toolAt(t testing.TB, r *Result, method, path string) surface.Tool {
	t.Helper()
	i := slices.IndexFunc(r.Surface.Tools, func(x surface.Tool) bool {
		return x.Binding.Method == method && surface.EraseNames(x.Binding.Path) == path
	})
	require.GreaterOrEqual(t, i, 0, "%s %s in %v", method, path, toolNames(r))
	return r.Surface.Tools[i]
}
