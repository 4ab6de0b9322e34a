package capture

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPaths(t *testing.T) {
	for in, want := range map[string]string{
		"/":     "/",
		"":      "/",
		"/a/b":  "/a/b",
		"/a/b/": "/a/b/",
		"/users/6f1d8a0e-2d0c-4a53-9d3a-0b5f0b7c1a11": "/users/{uuid}",
		"/orders/10231":                            "/orders/{int}",
		"/orders/1023":                             "/orders/1023",
		"/orders/10231.csv":                        "/orders/{int}.csv",
		"/orders/10231:publish":                    "/orders/{int}:publish",
		"/odata/Customers('10231')":                "/odata/Customers('{int}')",
		"/compare/507f1f77bcf86cd799439011...main": "/compare/{hex}...main",
		"/contacts/ada%40example.com":              "/contacts/{email}",
		"/a%2Fb/c":                                 "/a%2Fb/c",
		"/@scope%2fname":                           "/@scope%2Fname",
		"/caf%C3%A9":                               "/café",
		"/100%25/%7Bx%7D":                          "/100%25/%7Bx%7D",
		"/x%ff":                                    "/x%FF",
		"/a%20b":                                   "/a%20b",
		"/cars;color=red;year=1995/wheels":         "/cars;color={word};year={int}/wheels",
		"/x%E2%80%AEy":                             "/x%E2%80%AEy",
		"/v1/2024-10-01/1.1":                       "/v1/2024-10-01/1.1",
		"/geo/52.52,13.40":                         "/geo/52.52,13.40",
		"/hosts/10.0.0.1":                          "/hosts/10.0.0.1",
		"/reset/aB3dE5fG7hJ9kL1mN3pQ5rS7":          "/reset/{token}",
		"/two-factor-authentication-settings2":     "/two-factor-authentication-settings2",
		"/-12345":                                  "/{int}",
	} {
		segments, slash, ok := splitPath(in)
		require.True(t, ok, in)
		path := joinPath(segments, slash)
		require.Equal(t, want, path, in)
		_, err := url.PathUnescape(path)
		require.NoError(t, err)
	}
	for _, bad := range []string{"/a/../b", "/./a", "/%2e%2e/a"} {
		_, _, ok := splitPath(bad)
		require.False(t, ok, bad)
	}
}

func TestEmptySegments(t *testing.T) {
	c, _ := observe(t, "h", write(t, "in.har", har(entry("GET", "https://h//a//b//", 200, "application/json", "{}"))))
	require.Equal(t, "//a//b//", c.Observations[0].Path)
}

func TestEvidenceOfEchoes(t *testing.T) {
	text := har(
		entry("GET", "https://h/users/ada", 200, "application/json", `{"login":"ada","role":"dev"}`),
		entry("GET", "https://h/teams/dev", 200, "application/json", `{"members":[]}`),
		entry("GET", "https://h/repos/ada/engine", 200, "application/json", `{"full_name":"ada/engine"}`),
		entry("GET", "https://h/users/grace", 404, "application/json", `{"login":"grace"}`),
		entry("GET", "https://other/users/linus", 200, "application/json", `{"login":"mary"}`),
		entry("GET", "https://h/users/mary", 200, "application/json", `{}`),
	)
	c, _, err := Observe(t.Context(), []string{write(t, "in.har", text)}, Options{Name: "x", Hosts: []string{"h", "other"}})
	require.NoError(t, err)
	require.Equal(t, []Segment{{Index: 1, EchoOwn: 1, EchoKeys: map[string]int{"login": 1}, EchoID: true, EchoAny: true}}, one(t, c, "GET", "/users/ada").Segments)
	require.Equal(t, []Segment{{Index: 1, EchoAny: true}}, one(t, c, "GET", "/teams/dev").Segments)
	require.Equal(t, []Segment{{Index: 1, EchoID: true, EchoAny: true, JoinedHead: 1, JoinedOwn: 1}, {Index: 2, EchoID: true, EchoAny: true, JoinedTail: 1, JoinedOwn: 1}}, one(t, c, "GET", "/repos/ada/engine").Segments)
	require.Empty(t, one(t, c, "GET", "/users/grace").Segments, "an error is no echo")
	require.Empty(t, one(t, c, "GET", "/users/mary").Segments, "hosts are apart")
}

func TestEvidenceOfPathsAbove(t *testing.T) {
	text := har(
		entry("GET", "https://h/queues", 200, "application/json", `[{"name":"mail","vhost":"main","state":"idle"}]`),
		entry("DELETE", "https://h/queues/main/mail", 204, "", ""),
		entry("GET", "https://h/queues/main/idle", 200, "application/json", `[]`),
		entry("GET", "https://h/queues/main", 200, "application/json", `[{"title":"idle"}]`),
		entry("GET", "https://h/users/mail", 200, "application/json", `{}`),
		entry("PUT", "https://h/users", 200, "application/json", `{"name":"ada"}`),
		entry("DELETE", "https://h/users/ada", 204, "", ""),
		entry("GET", "https://h/orders/open", 200, "application/json", `[{"status":"open","shop":"orders"}]`),
	)
	c, _, err := Observe(t.Context(), []string{write(t, "in.har", text)}, Options{Name: "x", Hosts: []string{"h"}})
	require.NoError(t, err)
	require.Equal(t, []Segment{{Index: 1, EchoAny: true, EchoAbove: 1}, {Index: 2, EchoID: true, EchoAny: true, EchoFar: 1}}, one(t, c, "DELETE", "/queues/main/mail").Segments)
	require.Equal(t, []Segment{{Index: 1, EchoAny: true, EchoAbove: 1}, {Index: 2, EchoAny: true, EchoAbove: 1}}, one(t, c, "GET", "/queues/main/idle").Segments, "the nearest path counts")
	require.Equal(t, []Segment{{Index: 1, EchoID: true, EchoAny: true}}, one(t, c, "GET", "/users/mail").Segments, "another collection names it")
	require.Equal(t, []Segment{{Index: 1, EchoID: true, EchoAny: true}}, one(t, c, "DELETE", "/users/ada").Segments, "PUT names no members")
	require.Equal(t, []Segment{{Index: 0, EchoOwn: 1, EchoKeys: map[string]int{"shop": 1}, EchoAny: true}, {Index: 1, EchoAny: true}},
		one(t, c, "GET", "/orders/open").Segments, "a list under what sorts it is no echo")
}

func TestEchoesAreASampleThatOrderDoesNotChange(t *testing.T) {
	forward, backward, left, right := newEchoes(100), newEchoes(100), newEchoes(100), newEchoes(100)
	value := func(i int) uint64 {
		return echoHash("h", string(rune('a'+i%26))+string(rune('a'+i/26%26))+string(rune('a'+i/676)))
	}
	for i := range 5000 {
		forward.add(value(i), uint64(i%2))
		backward.add(value(4999-i), uint64((4999-i)%2))
		half := left
		if i%3 == 0 {
			half = right
		}
		half.add(value(i), uint64(i%2))
	}
	left.merge(right)
	kept := 0
	for i := range 5000 {
		any, id := forward.has(value(i))
		for _, other := range []*echoes{backward, left} {
			otherAny, otherID := other.has(value(i))
			require.Equal(t, any, otherAny)
			require.Equal(t, id, otherID)
		}
		if any {
			kept++
			require.Equal(t, i%2 == 1, id)
		}
	}
	require.LessOrEqual(t, kept, 100)
	require.Greater(t, kept, 20)
}

func TestPlaceholdersCountDistinctValues(t *testing.T) {
	var entries []string
	for i := range 30 {
		entries = append(entries, entry("GET", "https://h/orders/"+string(rune('1'+i%3))+"0000", 200, "application/json", "{}"))
	}
	c, _ := observe(t, "h", write(t, "in.har", har(entries...)))
	require.Equal(t, []Segment{{Index: 1, Classes: map[string]int{"int": 30}, Distinct: 3}}, one(t, c, "GET", "/orders/{int}").Segments)
}

// That a value held an escaped slash is kept, because a call has to send one,
// too.
func TestEscapedSlashes(t *testing.T) {
	get := func(path string, status int) string {
		return entry("GET", "https://api.shop.test/packages/"+path, status, "application/json", `{}`)
	}
	c, _ := observe(t, "api.shop.test", write(t, "a.har", har(get("@scope%2fname", 200), get("@scope%2Fname", 200), get("plain", 200), get("a%252Fb", 200))))
	slashes := map[string]int{}
	for _, o := range c.Observations {
		for _, s := range o.Segments {
			slashes[o.Path] += s.Slashes
		}
	}
	require.Equal(t, map[string]int{"/packages/@scope%2Fname": 2}, slashes)
	twice := Merge(c, c)
	require.Equal(t, 4, one(t, twice, "GET", "/packages/@scope%2Fname").Segments[0].Slashes)
}
