package comment

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tomallicino/caskmcp/compiler"
	"github.com/tomallicino/caskmcp/plan"
	"github.com/tomallicino/caskmcp/surface"
)

// A merge that is proposed is a line of the comment and the report, with the
// hints that do it, and no change.
func TestProposedMerges(t *testing.T) {
	s := shop(tool("get_recipes", "GET", "api.example", "/repos/recipes", surface.Read))
	merge := compiler.Merge{Tool: "get_repo", Absorbs: []string{"get_recipes"}, Hints: []string{"/repos/{id}"}, Keep: []string{"/repos/^recipes"}}
	p, err := plan.New(plan.Params{State: state(s), Result: &compiler.Result{Surface: s, Merges: []compiler.Merge{merge}}})
	require.NoError(t, err)
	text := Plan(one(p, nil), Options{})
	require.True(t, strings.HasPrefix(text, "## ✅ caskmcp plan: no changes"), text)
	require.Contains(t, text, "Proposed merges of approved tools: 1")
	require.Contains(t, text, "absorbs &#34;get&#95;<wbr>recipes&#34;")
	require.Contains(t, text, "/<wbr>repos/<wbr>&#123;id&#125;")
	require.NotContains(t, text, "written differently")
	requireSafe(t, text)
	html, err := HTML(one(p, nil)[0], Options{})
	require.NoError(t, err)
	require.Contains(t, string(html), "1 general tool would absorb 1 approved tool")
}
