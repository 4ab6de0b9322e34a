package compiler

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tomallicino/caskmcp/capture"
)

// unsealed is a capture whose exchanges were not looked at together yet.
func unsealed(t testing.TB, exchanges ...exchange) *capture.Capture {
	t.Helper()
	c := &capture.Capture{Version: capture.FormatVersion, Name: "shop", Hosts: []string{"api.shop.test"}}
	for _, x := range exchanges {
		for range max(1, x.times) {
			c = capture.Merge(c, &capture.Capture{Version: capture.FormatVersion, Name: "shop", Hosts: c.Hosts, Observations: []capture.Observation{x.observe(t)}})
		}
	}
	return c
}

// Values that repeat only over many paths are an enum, because the paths turn
// out to be one.
func TestSealLooksAtOneOperationAsAWhole(t *testing.T) {
	var all []exchange
	for i := range 8 {
		all = append(all, exchange{request: fmt.Sprintf("GET https://api.shop.test/mugs/mug-%c?view=full", 'a'+i), response: `{"state":"` + []string{"open", "sold"}[i%2] + `"}`})
	}
	sealed, _ := Seal(unsealed(t, all...), SealOptions{Hints: []string{"/mugs/{mug}"}})
	require.Len(t, sealed.Observations, 1)
	o := sealed.Observations[0]
	require.Equal(t, 4, o.Response.Objects.Properties["state"].Strings.Values.Of("sold"))
	require.Equal(t, 8, o.Query[0].Shape.Strings.Values.Of("full"))
	doc, err := json.Marshal(sealed)
	require.NoError(t, err)
	require.NotContains(t, string(doc), "mug-a")
}

// The fields of a form have names, though something may be called so.
func TestSealKeepsTheFieldsOfForms(t *testing.T) {
	c := unsealed(t,
		exchange{request: "GET https://api.shop.test/templates/welcome", response: `{"name":"welcome"}`},
		exchange{request: "PATCH https://api.shop.test/uris", reqType: "application/x-www-form-urlencoded", body: `{"welcome":"https://example.com/x"}`, response: `{"ok":true}`})
	sealed, _ := Seal(c, SealOptions{Hints: []string{"/templates/{template}"}})
	for _, o := range sealed.Observations {
		if o.Method == "PATCH" {
			require.Contains(t, o.Request.Objects.Properties, "welcome")
		}
	}
}

// What people called something reaches neither the capture nor the surface,
// though it is a key; recorded again, the capture is the same.
func TestSealKeepsNoNamesThatAreKeys(t *testing.T) {
	recorded := func(a, b string) []byte {
		c := unsealed(t,
			exchange{request: "GET https://api.shop.test/users/" + a, response: `{"login":"` + a + `"}`},
			exchange{request: "GET https://api.shop.test/users/" + b, response: `{"login":"` + b + `"}`},
			exchange{request: "GET https://api.shop.test/packages", response: `{"stars":{"` + a + `":true},"teams":{"` + b + `":{"owner":"` + a + `"}}}`, times: 9})
		sealed, _ := Seal(c, SealOptions{Hints: []string{"/users/{user}"}})
		require.Nil(t, sealed.Identifiers)
		doc, err := json.Marshal(sealed)
		require.NoError(t, err)
		require.NotContains(t, string(doc), a)
		require.NotContains(t, string(doc), b)
		return doc
	}
	require.Equal(t, string(recorded("linus", "billing")), string(recorded("grace", "checkout")))
}
