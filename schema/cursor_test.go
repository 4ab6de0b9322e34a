package schema

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCursor(t *testing.T) {
	c := NewCursor(` {"a": "x\n", "n": null, "num": 1.5, "list": [1, {"z": []}, "y"], "skip": {"deep": [1]}} `)
	got := map[string]string{}
	require.NoError(t, c.Object(func(key string) (err error) {
		switch key {
		case "list":
			return c.Array(func() error {
				if c.Kind() == '{' {
					peeked, err := c.Peek()
					require.NoError(t, err)
					require.Equal(t, `{"z": []}`, peeked)
					return c.Skip()
				}
				item, err := c.Text()
				got["list"] += item
				return err
			})
		case "skip":
			return c.Skip()
		case "n":
			require.True(t, c.Null())
			require.False(t, c.Null())
			return nil
		}
		got[key], err = c.Text()
		return err
	}))
	require.NoError(t, c.End())
	require.Equal(t, map[string]string{"a": "x\n", "num": "1.5", "list": "1y"}, got)

	for _, text := range []string{``, `{`, `{"a"`, `{"a":`, `{"a":1`, `{"a":1,`, `{"a":1,}`, `{1:2}`, `[`, `7`} {
		c := NewCursor(text)
		var syntax *SyntaxError
		require.ErrorAs(t, c.Object(func(string) error { return c.Skip() }), &syntax, text)
	}
	require.Zero(t, NewCursor(" ").Kind())
	_, err := NewCursor(`[1`).Peek()
	require.Error(t, err)
	c = NewCursor(`{} x`)
	require.NoError(t, c.Skip())
	require.Error(t, c.End())
	_, err = NewCursor(`[]`).Text()
	require.EqualError(t, err, "text expected at byte 0")
}

func FuzzUnquote(f *testing.F) {
	for _, seed := range []string{`"a"`, `"\u00e9\ud83d\ude00\ud800x\udc00"`, "\"\xff\\n\xc3\"", `"\"\\\/\b\f\n\r\t"`, `"é\u0000"`, `"\ud800\ud800\udc00"`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var want string
		if len(text) == 0 || text[0] != '"' || json.Unmarshal([]byte(text), &want) != nil {
			return
		}
		c := NewCursor(text)
		got, err := c.Text()
		require.NoError(t, err)
		require.Equal(t, want, got)
	})
}
