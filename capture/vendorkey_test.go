package capture

import (
	"regexp/syntax"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// shortest spells the shortest texts that an expression matches, one for each
// of its alternatives.
func shortest(t *testing.T, re *syntax.Regexp) []string {
	switch re.Op {
	case syntax.OpLiteral:
		return []string{string(re.Rune)}
	case syntax.OpWordBoundary, syntax.OpQuest, syntax.OpEmptyMatch:
		return []string{""}
	case syntax.OpCharClass:
		var out []string
		for i := 0; i < len(re.Rune); i += 2 {
			out = append(out, string(re.Rune[i]))
		}
		return out
	case syntax.OpRepeat:
		return []string{strings.Repeat(shortest(t, re.Sub[0])[0], re.Min)}
	case syntax.OpCapture:
		return shortest(t, re.Sub[0])
	case syntax.OpAlternate:
		var out []string
		for _, sub := range re.Sub {
			out = append(out, shortest(t, sub)...)
		}
		return out
	case syntax.OpConcat:
		out := []string{""}
		for _, sub := range re.Sub {
			var longer []string
			for _, begin := range out {
				for _, end := range shortest(t, sub) {
					longer = append(longer, begin+end)
				}
			}
			out = longer
		}
		return out
	}
	require.Failf(t, "an operation that no vendor's key had before", "%s", re)
	return nil
}

// What is looked at before the expression lets every key through that the
// expression finds.
func TestVendorKeyBegins(t *testing.T) {
	re, err := syntax.Parse(vendorKeys.String(), syntax.Perl)
	require.NoError(t, err)
	keys := shortest(t, re)
	require.Greater(t, len(keys), 40)
	for _, key := range keys {
		require.GreaterOrEqual(t, len(key), minVendorKey)
		require.True(t, vendorKeys.MatchString(key), key)
		for _, text := range []string{key, "(" + key + ")", "key of sk- and doors: " + key + " is set", "é" + key} {
			require.True(t, vendorKey(text), text)
		}
		require.False(t, vendorKey("x"+key), key)
	}
	require.False(t, vendorKey("the documentation of github_pat_ and xox tokens, AC and SG."))
}

func TestSchemeTokenInAnyCase(t *testing.T) {
	for _, text := range []string{"BEARER abcdef1234567890", "send bEarer  abcdef1234567890", "Authorization: BaSiC YWRhOnBsYW50ZWQ="} {
		require.Equal(t, "HTTP credentials", secretText(text))
	}
	require.Empty(t, secretText("a bearer of good news, a basic understanding"))
}
