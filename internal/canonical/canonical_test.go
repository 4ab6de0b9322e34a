package canonical

import (
	"encoding/json"
	"strings"
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

// shortcuts are documents that need nothing but sorting.
var shortcuts = []string{
	`{"b":{"d":[],"c":{}},"a":[{"z":-12,"y":0},"x\\\"\b\f\n\r\t"],"":true}`,
	"\n{ \"b\" : [ 1 , 2 ] ,\t\"a\" : null }\r\n",
	`{"é":1,"e":2,"z":false,"aa":1,"a":1,"A":1}`,
	`"text"`, `-999999999999999`, `[]`, `{}`, ` null `,
}

// What the shortcut takes is what jcs makes of it, and it takes what surfaces
// are made of; everything else is left to jcs.
func TestSorted(t *testing.T) {
	for _, doc := range shortcuts {
		got, ok := sorted([]byte(doc))
		require.True(t, ok, doc)
		want, err := transform([]byte(doc))
		require.NoError(t, err)
		require.Equal(t, string(want), string(got))
	}
	for _, doc := range []string{
		``, `{`, `[1,]`, `[1 2]`, `{"a"}`, `{"a":1,}`, `{a:1}`, `{"a":1}x`, `tru`, `-`, `01`, `-0`, `1.5`, `1e3`, `1234567890123456`, `"a`, "\"\x01\"", `"\u00e9"`, `"\/"`, `"\x"`, "\"\xff\"",
		`{"a":1,"a":2}`, `{"b":1,"a":2,"b":3}`, `{"\n":1,"a":2}`, `{"︀":1,"𐀀":2}`, strings.Repeat("[", 600) + strings.Repeat("]", 600),
	} {
		_, ok := sorted([]byte(doc))
		require.False(t, ok, doc)
	}
}

func BenchmarkTransform(b *testing.B) {
	tool := `{"name":"get_order","inputSchema":{"type":"object","properties":{"order_id":{"type":["integer","string"],"description":"Which order."},"expand":{"type":"string"}},"required":["order_id"],"additionalProperties":false},"annotations":{"readOnlyHint":true}}`
	doc := []byte("[" + strings.Repeat(tool+",", 500) + tool + "]")
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		_, err := Transform(doc)
		require.NoError(b, err)
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
	for _, doc := range shortcuts {
		f.Add([]byte(doc))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		once, err := Transform(doc)
		want, wantErr := transform(doc)
		require.Equal(t, wantErr, err)
		require.Equal(t, string(want), string(once))
		if err != nil {
			return
		}
		twice, err := Transform(once)
		require.NoError(t, err)
		require.Equal(t, string(once), string(twice))
	})
}
