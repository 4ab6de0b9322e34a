package plan

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tomallicino/caskmcp/compiler"
)

// Forty merges of one step are one line for people and forty for machines.
func TestMergesAreOneLineForEachStep(t *testing.T) {
	result := &compiler.Result{Surface: shop(getOrder())}
	for i := range 40 {
		m := compiler.Merge{
			Tool: fmt.Sprintf("get_repo_%02d", i), Request: fmt.Sprintf("GET https://api.shop.example/repos/{}/x%02d", i),
			Absorbs: []string{fmt.Sprintf("get_recipes_%02d", i)}, Hints: []string{"/repos/^search", "/repos/{id}"}, Keep: []string{"/repos/^recipes"},
		}
		if i == 0 {
			m.Tool, m.Absorbs, m.Keep = "", []string{"get_music", "get_recipes"}, []string{"/repos/^music", "/repos/^recipes"}
		}
		result.Merges = append(result.Merges, m)
	}
	result.Merges = append(result.Merges, compiler.Merge{Tool: "get_tag", Request: "GET https://api.shop.example/tags/{}", Absorbs: []string{"get_\u202etag"}, Hints: []string{"/tags/{id}"}, Keep: []string{"/tags/^red"}})
	p := mustPlan(t, Params{State: approved(t, shop(getOrder())), Result: result})
	require.False(t, p.HasChanges())
	require.Empty(t, p.Rewrites())
	require.Equal(t, []Note{{
		Code: "tool.merge",
		Text: `1 general tool would absorb 1 approved tool: "get_tag" absorbs "get_\u202etag"`,
		Hint: `hints: ["/tags/{id}"] in toolpack.yaml plans the merge; ["/tags/^red"] keeps them apart`,
	}, {
		Code: "tool.merge",
		Text: `40 general tools would absorb 41 approved tools: "GET https://api.shop.example/repos/{}/x00" absorbs "get_music", "get_recipes", "get_repo_01" absorbs "get_recipes_01", "get_repo_02" absorbs "get_recipes_02", and 37 more (--json lists them)`,
		Hint: `hints: ["/repos/^search", "/repos/{id}"] in toolpack.yaml plans the merge; ["/repos/^music", "/repos/^recipes"] keeps them apart`,
	}}, p.Merges())

	text := Text(p, TextOptions{})
	require.Equal(t, 2, strings.Count(text, "tool.merge"))
	require.NotContains(t, text, "written differently")
	require.NotContains(t, text, "\u202e")
	doc, err := p.Encode()
	require.NoError(t, err)
	back, err := Decode(doc)
	require.NoError(t, err)
	require.Equal(t, p.Proposals, back.Proposals)
	require.Len(t, back.Proposals, 41)
	require.Equal(t, []string{"get_recipes_01"}, back.Proposals[1].Absorbs)

	result.Merges = nil
	without := mustPlan(t, Params{State: approved(t, shop(getOrder())), Result: result})
	require.NotEqual(t, without.PlanDigest, p.PlanDigest)
	require.NotContains(t, Text(without, TextOptions{}), "merge")
}
