package schema

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// sealAll seals texts as one capture would, with names that were seen elsewhere.
func sealAll(t *testing.T, seen []string, texts ...string) *Shape {
	t.Helper()
	known := map[string]bool{}
	for _, name := range seen {
		known[name] = true
	}
	s := observe(t, texts...)
	return s.SealKnowing(Knowledge{
		Keys:  DataKeys([]*Shape{s}, func(key string) bool { return known[key] }),
		Value: func(text string) bool { return known[text] },
	})
}

func TestNamesAsKeys(t *testing.T) {
	for _, test := range []struct {
		name string
		seen []string
		in   []string
		want string
	}{
		{"a name that a path had", []string{"linus"}, []string{`{"users":{"linus":true}}`},
			`{"type":"object","properties":{"users":{"type":"object","additionalProperties":{"type":"boolean"}}}}`},
		{"nothing known", nil, []string{`{"users":{"linus":true}}`},
			`{"type":"object","properties":{"users":{"type":"object","properties":{"linus":{"type":"boolean"}}}}}`},
		{"beside properties it is one", []string{"linus"}, []string{`{"users":{"linus":true},"more":{"linus":true,"rest":1,"size":"x y"}}`},
			`{"type":"object","properties":{"users":{"type":"object","properties":{"linus":{"type":"boolean"}}},
			"more":{"type":"object","properties":{"linus":{"type":"boolean"},"rest":{"type":"number"},"size":{"type":"string"}}}}}`},
		{"values of several kinds are properties", []string{"linus", "ada"}, []string{`{"linus":true,"ada":"x y"}`},
			`{"type":"object","properties":{"linus":{"type":"boolean"},"ada":{"type":"string"}}}`},
		{"common properties stay", []string{"name", "type"}, []string{`{"tag":{"name":"x y","type":"x y"}}`},
			`{"type":"object","properties":{"tag":{"type":"object","properties":{"name":{"type":"string"},"type":{"type":"string"}}}}}`},
		{"entries that say their key", nil, []string{`{"_updated":5,"quill":{"name":"quill","size":1},"harbor":{"name":"harbor","size":2}}`},
			`{"type":"object","additionalProperties":{"type":["object","number"],"properties":{"name":{"type":"string"},"size":{"type":"integer"}}}}`},
		{"entries with other names", nil, []string{`{"owner":{"name":"quill"},"author":{"name":"ada"}}`},
			`{"type":"object","properties":{"owner":{"type":"object","properties":{"name":{"type":"string"}}},"author":{"type":"object","properties":{"name":{"type":"string"}}}}}`},
		{"a name that is a property elsewhere", []string{"letters", "photos", "xk2", "default"}, []string{`{"default":{"at":"x y"},"letters":{"at":"x y"},"photos":{"at":"x y"},"xk2":{"at":"x y"}}`},
			`{"type":"object","additionalProperties":{"type":"object","properties":{"at":{"type":"string"}}}}`},
		{"a record of properties", []string{"letters", "default"}, []string{`{"default":{"at":"x y"},"items":{"at":"x y"},"letters":{"at":"x y"}}`},
			`{"type":"object","properties":{"default":{"type":"object","properties":{"at":{"type":"string"}}},"items":{"type":"object","properties":{"at":{"type":"string"}}},"letters":{"type":"object","properties":{"at":{"type":"string"}}}}}`},
		{"words with a number are names", nil, []string{`{"content_base64":"x y","order_item_sha512":"x y","team_abc123def456":"x y"}`},
			`{"type":"object","properties":{"content_base64":{"type":"string"},"order_item_sha512":{"type":"string"}}}`},
		{"files", nil, []string{`{"files":{"README.md":{"size":1}}}`},
			`{"type":"object","properties":{"files":{"type":"object","additionalProperties":{"type":"object","properties":{"size":{"type":"integer"}}}}}}`},
		{"texts in a map are nobody's enum", []string{"ada", "linus"}, times(8, `{"ada":"open","linus":"open"}`),
			`{"type":"object","additionalProperties":{"type":"string"}}`},
		{"names are no values of an enum", []string{"billing"}, times(8, `{"box":{"state":"open","area":"billing"}}`),
			`{"type":"object","properties":{"box":{"type":"object","properties":{"area":{"type":"string"},"state":{"type":"string","description":"Values seen: open."}}}}}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			sealed := sealAll(t, test.seen, test.in...)
			require.JSONEq(t, test.want, encode(t, sealed.Output()))
			require.Equal(t, sealed, sealed.Seal(nil), "sealing again changes nothing")
		})
	}
}

// An object that says its own key is counted however it is read.
func TestNamedObjects(t *testing.T) {
	text := `{"a":{"name":"a","id":"a"},"b":{"id":"x"},"c":[{"key":"c"}]}`
	var decoded Shape
	decoded.Observe(map[string]any{"a": map[string]any{"name": "a", "id": "a"}, "b": map[string]any{"id": "x"}, "c": []any{map[string]any{"key": "c"}}})
	s := observe(t, text)
	require.Equal(t, 1, s.Objects.Properties["a"].Objects.Named)
	require.Zero(t, s.Objects.Properties["b"].Objects.Named)
	require.Equal(t, &decoded, s)
}
