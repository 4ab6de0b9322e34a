package capture

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A request that means another method than it has is none that a tool may
// repeat.
func TestMethodOverridesAreLeftOut(t *testing.T) {
	header := func(name, value string) string {
		return strings.Replace(post("https://h/objects", "application/json", `{"filter":"x"}`), `"headers":[]`, `"headers":[{"name":"`+name+`","value":"`+value+`"}]`, 1)
	}
	c, _ := observe(t, "h", write(t, "in.har", har(
		header("X-HTTP-Method-Override", "GET"), header("x-http-method", "delete"), header("X-Method-Override", "PATCH"),
		post("https://h/objects?_method=PUT", "application/json", `{}`),
		post("https://h/objects", "application/x-www-form-urlencoded", "_method=delete&id=1"),
		post("https://h/objects", "text/plain", `{"_method":"GET","where":{}}`),
		header("X-HTTP-Method-Override", "post"),
		post("https://h/objects", "application/json", `{"_method":"card","amount":1}`),
		post("https://h/objects", "application/json", `{"payment":{"_method":"GET"}}`),
	)))
	require.Equal(t, []Dropped{{dropOverride, 6}}, c.Dropped)
	require.Len(t, c.Observations, 1)
	require.Equal(t, 3, c.Observations[0].Count)
}

func TestPolledSocketsAreLeftOut(t *testing.T) {
	c, _ := observe(t, "h", write(t, "in.har", har(
		entry("GET", "https://h/socket.io/?EIO=4&transport=polling&t=Abc", 200, "text/plain", "ok"),
		entry("GET", "https://h/routes?transport=train", 200, "application/json", "{}"),
	)))
	require.Equal(t, []Dropped{{dropSocket, 1}}, c.Dropped)
	require.Len(t, c.Observations, 1)
}
