package compiler

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestCollectionsThatRepeatEachOther has collections below which the same
// names recur, as brokers have for each virtual host: it is the names that
// vary, however much the collections look alike.
func TestCollectionsThatRepeatEachOther(t *testing.T) {
	var lines strings.Builder
	for _, collection := range []string{"queues", "policies", "permissions"} {
		lines.WriteString("GET /api/" + collection + ` 200 [{"vhost":"mail","name":"billing"},{"vhost":"reports","name":"alerts"}]` + "\n")
		for _, vhost := range []string{"mail", "reports"} {
			lines.WriteString("GET /api/" + collection + "/" + vhost + ` 200 [{"vhost":"` + vhost + `","name":"billing"},{"vhost":"` + vhost + `","name":"alerts"}]` + "\n")
			for _, name := range []string{"billing", "alerts"} {
				path := " /api/" + collection + "/" + vhost + "/" + name
				lines.WriteString("GET" + path + ` 200 {"vhost":"` + vhost + `","name":"` + name + `","durable":true}` + "\n")
				lines.WriteString("PUT" + path + " 204\nDELETE" + path + " 204\n")
			}
		}
	}
	var want []string
	for _, collection := range []string{"permissions", "policies", "queues"} {
		want = append(want, "DELETE /api/"+collection+"/{}/{}", "GET /api/"+collection, "GET /api/"+collection+"/{}", "GET /api/"+collection+"/{}/{}", "PUT /api/"+collection+"/{}/{}")
	}
	slices.Sort(want)
	require.Equal(t, want, inferred(t, lines.String()))
}

// TestRouteAmongListedMembers has a route beside members that their
// collection lists, and members with everyday names.
func TestRouteAmongListedMembers(t *testing.T) {
	require.Equal(t, []string{
		"GET /api/environments", "GET /api/environments/{}", "POST /api/environments/{}/on", "PUT /api/environments/sort-order",
	}, inferred(t, `
		GET /api/environments 200 {"environments":[{"name":"development"},{"name":"production"},{"name":"public"}]}
		GET /api/environments/development 200 {"name":"development","enabled":true,"protected":false}
		GET /api/environments/production 200 {"name":"production","enabled":true,"protected":true}
		POST /api/environments/production/on 204
		POST /api/environments/public/on 204
		PUT /api/environments/sort-order 200
	`))
}

// TestWordsAmongIDs has words where everything else is an id: a word that
// sorts its resource is no name, nor is one of which nothing is known.
func TestWordsAmongIDs(t *testing.T) {
	require.Equal(t, []string{"GET /projects", "GET /projects/personal", "GET /projects/{}", "PATCH /projects/{}"}, inferred(t, `
		GET /projects 200 [{"id":"Yk3nQe8sVt1LpZa7","type":"personal"},{"id":"b9XwR2mJd6HcFo4u","type":"team"}]
		GET /projects/Yk3nQe8sVt1LpZa7 200 {"id":"Yk3nQe8sVt1LpZa7","type":"personal","icon":null}
		GET /projects/b9XwR2mJd6HcFo4u 200 {"id":"b9XwR2mJd6HcFo4u","type":"team","icon":null}
		PATCH /projects/b9XwR2mJd6HcFo4u 200 {"id":"b9XwR2mJd6HcFo4u","type":"team","icon":null}
		GET /projects/personal 200 {"id":"Yk3nQe8sVt1LpZa7","type":"personal","scopes":["read"],"created":1,"updated":2,"creator":3}`))
	require.Equal(t, []string{"GET /parts/layout", "GET /parts/{}"}, inferred(t, `
		GET /parts/941ac6de67da63ce0fb5640468cbbc725a1ed783b2df8b43a6411d7464a7aa94 200 {"serial":1}
		GET /parts/99a23e63ee0197690daebee31cf5166ea19aaa4dfe096e94da126ddf3bcdd59a 200 {"serial":2}
		GET /parts/ffff0000 400
		GET /parts/layout 200 [[{"room":"attic"}]]`))
}
