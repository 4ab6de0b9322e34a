package compiler

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSingular(t *testing.T) {
	for _, pair := range strings.Fields(`
		orders/order users/user statuses/status status/status series/series news/news caches/cache cache/cache matches/match
		branches/branch boxes/box indexes/index indices/index addresses/address address/address categories/category
		entries/entry queries/query movies/movie cookies/cookie people/person children/child data/data metadata/metadata
		analyses/analysis analysis/analysis releases/release databases/database cases/case licenses/license houses/house
		aliases/alias alias/alias archives/archive leaves/leaf keys/key days/day businesses/business buses/bus
		processes/process access/access dns/dns settings/setting sizes/size prizes/prize quizzes/quiz heroes/hero
		vertices/vertex matrices/matrix policies/policy responses/response purchases/purchase warehouses/warehouse
		photos/photo schemas/schema glasses/glass pushes/push taxes/tax axes/axis us/us`) {
		plural, want, _ := strings.Cut(pair, "/")
		require.Equal(t, want, singular(plural), plural)
	}
}

// A singular must be a fixed point: names are made of singulars of singulars.
func TestSingularOfSingular(t *testing.T) {
	for plural, s := range irregular {
		require.Equal(t, s, singular(s), "%s → %s", plural, s)
	}
}

func TestNameWords(t *testing.T) {
	for name, want := range map[string]string{
		"userId": "user id", "userIDs": "user ids", "HTTPServer": "http server", "order-items": "order items",
		"listUsers": "list users", "v1Pods": "v1 pods", "query_range": "query range", "a.b:c": "a b c",
		"Ünïcode": "n code", "%41bc": "abc", "": "", "__x__": "x", "kötü\u202e": "k t",
		"getS3Object": "get s3 object", "IDs": "ids", "<b>x</b>": "b x b",
	} {
		require.Equal(t, want, strings.Join(nameWords(name), " "), name)
	}
}

func FuzzNameWords(f *testing.F) {
	f.Add("userIDs")
	f.Add("%zz\u202e{}<>")
	f.Fuzz(func(t *testing.T, name string) {
		for _, w := range nameWords(name) {
			require.Regexp(t, `^[a-z0-9]+$`, w)
			require.NotPanics(t, func() { singular(w) })
		}
		if legal := legalArgument(name); name != "" {
			require.Regexp(t, `^[A-Za-z_][A-Za-z0-9_-]{0,47}$`, legal)
		}
	})
}
