package compiler

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestNamesThatPeopleSent has a first recording of somebody with one thing,
// called by a word of routes: that they sent the name says what it is.
func TestNamesThatPeopleSent(t *testing.T) {
	const used = `
		GET /users/alice 200 {"login":"alice","admin":true}
		GET /users/bob 200 {"login":"bob","admin":false}
		GET /shops/alice/recipes 200 {"slug":"recipes","open":true}
		PATCH /shops/alice/recipes 200 {"slug":"recipes","open":false}
		GET /shops/alice/recipes/orders 200 [{"total":1}]
		POST /shops/alice/recipes/orders 201 {"total":1}`
	want := []string{
		"GET /shops/{}/{}", "GET /shops/{}/{}/orders", "GET /users/{}",
		"PATCH /shops/{}/{}", "POST /shops/{}/{}/orders", "POST /user/shops",
	}
	for name, sent := range map[string]string{
		"created":  `POST /user/shops 201 <- {"slug":"recipes"}`,
		"answered": `POST /user/shops 200 {"slug":"recipes"} <- {"slug":"recipes"}`,
	} {
		require.Equal(t, want, inferred(t, sent+used), name)
	}
	for name, sent := range map[string]string{
		"nobody sent it":     `POST /user/shops 201 {"slug":"other"} <- {"slug":"other"}`,
		"it was refused":     `POST /user/shops 422 {"slug":"recipes"} <- {"slug":"recipes"}`,
		"it names nothing":   `POST /user/shops 201 {"type":"recipes"} <- {"type":"recipes"}`,
		"neither, nor again": `POST /user/shops 200 {"ok":true} <- {"slug":"recipes"}`,
	} {
		require.Contains(t, inferred(t, sent+used), "GET /shops/{}/recipes", name)
	}
}

// TestRoutesThatPeopleSent has routes whose words people sent as names of
// something else, and words that choose among routes.
func TestRoutesThatPeopleSent(t *testing.T) {
	for name, c := range map[string]struct {
		traffic string
		want    []string
	}{
		"settings": {`
			PUT /settings/email 200 {"key":"email","on":true} <- {"key":"email","on":true}
			GET /settings/email 200 {"key":"email","on":true}
			PUT /settings/push 200 {"key":"push","on":true} <- {"key":"push","on":true}
			GET /settings/push 200 {"key":"push","on":true}`,
			[]string{"GET /settings/email", "GET /settings/push", "PUT /settings/email", "PUT /settings/push"}},
		"a label": {`
			POST /labels 201 {"name":"reports"} <- {"name":"reports"}
			GET /labels/reports 200 {"name":"reports"}
			GET /account/reports 200 {"rows":[]}
			GET /account/usage 200 {"rows":[]}`,
			[]string{"GET /account/reports", "GET /account/usage", "GET /labels/{}", "POST /labels"}},
		"a collection that has a member of its own name": {`
			POST /projects/42/features 201 {"name":"features"} <- {"name":"features"}
			GET /projects/42/features 200 {"features":[{"name":"features"},{"name":"dark-mode"}]}
			GET /projects/42/features/features 200 {"name":"features","on":true}
			GET /projects/42/features/dark-mode 200 {"name":"dark-mode","on":true}`,
			[]string{"GET /projects/{}/features", "GET /projects/{}/features/{}", "POST /projects/{}/features"}},
	} {
		require.Equal(t, c.want, inferred(t, c.traffic), name)
	}
}

// TestJoinedNames has names of two segments that bodies hold as one text.
func TestJoinedNames(t *testing.T) {
	for name, c := range map[string]struct {
		traffic string
		want    []string
	}{
		"registry": {`
			GET /v2/_catalog 200 {"repositories":["garden/web","garden/worker","tools"]}
			GET /v2/garden/web/tags/list 200 {"name":"garden/web","tags":["1.4"]}
			GET /v2/garden/worker/tags/list 200 {"name":"garden/worker","tags":["1.4"]}
			GET /v2/tools/tags/list 200 {"name":"tools","tags":["2.0"]}`,
			[]string{"GET /v2/_catalog", "GET /v2/{}/tags/list", "GET /v2/{}/{}/tags/list"}},
		"one namespace, a word of routes": {`
			GET /v2/_catalog 200 {"repositories":["library/web"]}
			GET /v2/library/web/tags/list 200 {"name":"library/web","tags":["1.4"]}`,
			[]string{"GET /v2/_catalog", "GET /v2/{}/{}/tags/list"}},
		"resource names": {`
			GET /v1/projects/acme 200 {"name":"projects/acme","state":"ACTIVE"}
			GET /v1/projects/acme/topics 200 {"topics":[{"name":"topics/news"}]}`,
			[]string{"GET /v1/projects/{}", "GET /v1/projects/{}/topics"}},
		"links and rights": {`
			GET /api/users/me 200 {"name":"/api/users/me","login":"alice"}
			GET /api/users/list 200 {"users":["alice"]}
			GET /api/rights 200 {"rights":[{"name":"users/me"},{"name":"users/list"},{"name":"user/edit"}]}
			POST /api/user/edit 200 {"ok":true}`,
			[]string{"GET /api/rights", "GET /api/users/list", "GET /api/users/me", "POST /api/user/edit"}},
	} {
		require.Equal(t, c.want, inferred(t, c.traffic), name)
	}
}
