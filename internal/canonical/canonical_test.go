package canonical

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTransform(t *testing.T) {
	tests := []struct {
		name, doc, want string
		err             error
	}{
		{name: "sorts keys", doc: `{"b":1, "a":[true,null]}`, want: `{"a":[true,null],"b":1}`},
		{name: "keeps text as it is", doc: `{"a":"<b>&\u00e9"}`, want: `{"a":"<b>&é"}`},
		{name: "largest safe integer", doc: `9007199254740991`, want: `9007199254740991`},
		{name: "first unsafe integer", doc: `9007199254740992`, err: ErrUnsafeNumber},
		{name: "unsafe negative integer", doc: `[-9007199254740993]`, err: ErrUnsafeNumber},
		{name: "unsafe integer written as a float", doc: `1e300`, err: ErrUnsafeNumber},
		{name: "overflow", doc: `1e999`, err: ErrUnsafeNumber},
		{name: "fraction", doc: `{"a":0.10}`, want: `{"a":0.1}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Transform([]byte(tt.doc))
			if tt.err != nil {
				require.ErrorIs(t, err, tt.err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tt.want, string(got))
		})
	}
}

func TestTransformRefuses(t *testing.T) {
	for _, doc := range []string{`{"a":1,"a":2}`, `{"a":1`, "\"\xff\"", `"\ud800"`, ``, `{} {}`} {
		_, err := Transform([]byte(doc))
		require.Error(t, err, "%q", doc)
	}
}

func TestDigestIgnoresKeyOrder(t *testing.T) {
	a, err := Digest(json.RawMessage(`{"x":1,"y":{"b":2,"a":1}}`))
	require.NoError(t, err)
	b, err := Digest(map[string]any{"y": map[string]any{"a": 1, "b": 2}, "x": 1})
	require.NoError(t, err)
	require.Equal(t, a, b)
}

func FuzzTransform(f *testing.F) {
	f.Add([]byte(`{"b":[1,2.5,"x"],"a":null}`))
	f.Add([]byte(`9007199254740993`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		once, err := Transform(doc)
		if err != nil {
			return
		}
		twice, err := Transform(once)
		require.NoError(t, err)
		require.Equal(t, string(once), string(twice))
	})
}
