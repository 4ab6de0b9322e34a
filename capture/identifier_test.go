package capture

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Keys that some body of the host holds as a value are evidence while sealing,
// and nothing that is ever written.
func TestIdentifiers(t *testing.T) {
	users := entry("GET", "https://api.shop.test/packages", 200, "application/json", `{"users":{"linus":true,"ada":true}}`)
	user := entry("GET", "https://api.shop.test/me", 200, "application/json", `{"login":"linus"}`)
	c, _ := observe(t, "api.shop.test", write(t, "a.har", har(users, user)))
	require.Equal(t, []string{"linus"}, c.Identifiers)

	other, _ := observe(t, "api.shop.test", write(t, "b.har", har(users, entry("GET", "https://api.shop.test/me", 200, "application/json", `{"login":"ada"}`))))
	require.Equal(t, []string{"ada", "linus"}, Merge(other, c).Identifiers)
	require.Equal(t, Merge(c, other), Merge(other, c))

	c.Sealed = true
	doc, err := c.Encode()
	require.NoError(t, err)
	read, err := Parse(doc)
	require.NoError(t, err)
	require.Empty(t, read.Identifiers)
}
