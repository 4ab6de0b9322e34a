package capture

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Only what is the same for every caller is kept of a header.
func TestProtocolWords(t *testing.T) {
	for _, kept := range [][2]string{
		{"x-requested-with", "XMLHttpRequest"}, {"x-requested-with", "TiddlyWiki"}, {"x-requested-with", "com.example.app"},
		{"notion-version", "2022-06-28"}, {"stripe-version", "2025-03-31.basil"}, {"x-ms-version", "2021-04-10-preview"}, {"anthropic-version", "2023-06-01"},
		{"x-github-api-version", "2022-11-28"}, {"node-red-api-version", "v2"}, {"accept-version", "1.2.0"}, {"dataserviceversion", "3.0"},
		{"kbn-xsrf", "true"}, {"x-csrf", "1"}, {"x-atlassian-token", "no-check"}, {"ocs-apirequest", "true"}, {"apollo-require-preflight", "true"},
	} {
		require.True(t, isProtocolWord(kept[0], kept[1]), kept)
	}
	for _, dropped := range [][2]string{
		{"x-requested-with", "7c1b3d0e-55aa-4c0e-8e0b-1f2e3d4c5b6a"}, {"x-requested-with", "hunter2"}, {"x-requested-with", "alice@example.org"},
		{"x-requested-with", "ghp_abcdefghijklmnopqrstuvwxyzABCDEFGHIJ"}, {"x-client-version", "2024-05-01"}, {"pacote-version", "21.5.1"}, {"x-app-build-version", "4.2"},
		{"x-birthday-version", "1980-02-30"}, {"notion-version", "secret"}, {"x-user", "alice"}, {"x-api-key", "true"}, {"x-auth-token", "true"}, {"x-xsrf-token", "d8e8fca2dc0f896fd7cb4cb0031ba249"},
		{"authorization", "true"}, {"cookie", "true"}, {"host", "true"}, {"x-tenant", "1"},
	} {
		require.False(t, isProtocolWord(dropped[0], dropped[1]), dropped)
	}
}

func TestHeadersAreCounted(t *testing.T) {
	call := func(path, version, session string, status int) string {
		headers := fmt.Sprintf(`"headers":[{"name":"Example-Version","value":%q},{"name":"Session-Place","value":%q}]`, version, session)
		return strings.Replace(entry("GET", "https://api.example.com/"+path, status, "application/json", "{}"), `"headers":[]`, headers, 1)
	}
	c, _ := observe(t, "api.example.com", write(t, "a.har", har(call("a", "2024-01-01", "first", 200), call("a", "2024-01-01", "first", 200), call("b", "2025-01-01", "first", 200), call("b", "2025-01-01", "other", 401))))
	headers := map[string][]Parameter{}
	for _, o := range c.Observations {
		for i := range o.Headers {
			o.Headers[i].Shape = nil
		}
		if isSuccess(o.Status) {
			headers[o.Path] = o.Headers
		}
	}
	require.Equal(t, map[string][]Parameter{
		"/a": {{Name: "example-version", Count: 2, Distinct: 2, Words: map[string]int{"2024-01-01": 2}}, {Name: "session-place", Count: 2, Distinct: 1}},
		"/b": {{Name: "example-version", Count: 1, Distinct: 2, Words: map[string]int{"2025-01-01": 1}}, {Name: "session-place", Count: 1, Distinct: 1}},
	}, headers)
	twice := Merge(c, c)
	require.Equal(t, 2, twice.Observations[0].Headers[0].Distinct)
	require.Equal(t, map[string]int{"2024-01-01": 4}, twice.Observations[0].Headers[0].Words)
}

// A file that keeps another value of a header is none of ours.
func TestParseRefusesHeaderValues(t *testing.T) {
	c := &Capture{Version: FormatVersion, Name: "a", Sealed: true, Observations: []Observation{{
		Key:   Key{Method: "GET", Scheme: "https", Host: "api.example.com", Port: 443, Path: "/a", Status: 200},
		Count: 1, Sources: []string{"har"}, Headers: []Parameter{{Name: "x-api-version", Count: 1, Words: map[string]int{"3": 1}}},
	}}}
	data, err := c.Encode()
	require.NoError(t, err)
	back, err := Parse(data)
	require.NoError(t, err)
	require.Equal(t, c.Observations[0].Headers, back.Observations[0].Headers)
	_, err = Parse([]byte(strings.Replace(string(data), `"version": "1.2"`, `"version": "1.0"`, 1)))
	require.ErrorContains(t, err, "does not compare the values of headers")
	c.Observations[0].Headers[0].Words = map[string]int{"hunter2": 1}
	_, err = c.Encode()
	require.ErrorContains(t, err, "no word of a protocol")
}
