package capture

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestNamesThatPeopleGave counts what people sent as a name, and what bodies
// hold as one text with what stands beside it in a path.
func TestNamesThatPeopleGave(t *testing.T) {
	text := har(
		posted("https://h/user/repos", "application/json", `{"name":"recipes","license":"mit"}`, `{"name":"recipes","license":"mit"}`),
		posted("https://h/teams", "application/json", `{"name":"ghosts"}`, `{"ok":true}`),
		posted("https://h/labels", formType, "name=urgent&color=red", `{"name":"urgent"}`),
		entry("GET", "https://h/repos/ada/recipes", 200, "application/json", `{"full_name":"ada/recipes","url":"https://h/repos/ada/recipes","description":"ada/recipes/issues"}`),
		entry("GET", "https://h/repos/ada/recipes/issues", 200, "application/json", `[]`),
		entry("GET", "https://h/licenses/mit", 200, "application/json", `{}`),
		entry("GET", "https://h/teams/ghosts", 200, "application/json", `{}`),
		entry("GET", "https://h/labels/urgent", 200, "application/json", `{}`),
		entry("GET", "https://other/recipes", 200, "application/json", `{}`),
	)
	c, _, err := Observe(t.Context(), []string{write(t, "in.har", text)}, Options{Name: "x", Hosts: []string{"h", "other"}})
	require.NoError(t, err)
	at := func(path string, index int) Segment {
		for _, s := range one(t, c, "GET", path).Segments {
			if s.Index == index {
				return Segment{Sent: s.Sent, JoinedHead: s.JoinedHead, JoinedTail: s.JoinedTail, JoinedOwn: s.JoinedOwn}
			}
		}
		return Segment{}
	}
	require.Equal(t, Segment{JoinedHead: 1, JoinedOwn: 1}, at("/repos/ada/recipes", 1))
	require.Equal(t, Segment{Sent: 1, JoinedTail: 1, JoinedOwn: 1}, at("/repos/ada/recipes", 2))
	require.Equal(t, Segment{Sent: 1, JoinedTail: 1}, at("/repos/ada/recipes/issues", 2), "another path holds it")
	require.Equal(t, Segment{}, at("/repos/ada/recipes/issues", 3), "descriptions name nothing")
	require.Equal(t, Segment{}, at("/licenses/mit", 1), "a choice is no name")
	require.Equal(t, Segment{}, at("/teams/ghosts", 1), "the answer does not say that it is called so")
	require.Equal(t, Segment{Sent: 1}, at("/labels/urgent", 1), "forms send names, too")
	require.Equal(t, Segment{}, at("/recipes", 0), "hosts are apart")

	two := one(t, Merge(c, c), "GET", "/repos/ada/recipes").Segments
	require.Equal(t, []int{2, 2, 2}, []int{two[1].Sent, two[1].JoinedTail, two[1].JoinedOwn})
}

// TestVersionOfGivenNames: older versions refuse fields that they do not
// know, so they must be told that the file is newer.
func TestVersionOfGivenNames(t *testing.T) {
	c := &Capture{Version: FormatVersion, Name: "x", Sealed: true, Observations: []Observation{{
		Key:   Key{Method: "GET", Scheme: "https", Host: "h", Port: 443, Path: "/labels/bug", Status: 200},
		Count: 1, Sources: []string{"har"}, Segments: []Segment{{Index: 1, EchoAny: true}},
	}}}
	for version, sent := range map[string]int{FormatVersion: 0, inferredVersion: 1} {
		c.Observations[0].Segments[0].Sent = sent
		data, err := c.Encode()
		require.NoError(t, err)
		require.Contains(t, string(data), `"version": "`+version+`"`)
		again, err := Parse(data)
		require.NoError(t, err)
		require.Equal(t, c.Observations, again.Observations)
	}
}

func TestJoined(t *testing.T) {
	for value, want := range map[string]bool{
		"alice/recipes": true, "group/sub/project": true, "@scope/name": true,
		"recipes": false, "/repos/alice": false, "alice/": false, "https://h/alice": false, "a/b/c/d": false, "./a": false, "a/..": false, "": false, "A fine day/night": false,
	} {
		require.Equal(t, want, joined(value), value)
	}
}
