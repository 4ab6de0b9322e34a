package surface

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzMarshalIndent: documents are indented as encoding/json does it.
func FuzzMarshalIndent(f *testing.F) {
	for _, doc := range []string{`null`, `""`, `{}`, `[]`, `[[],{}]`, `{"a":{},"b":[]}`, `{"a\\":"\"{[,:]}\\\\","b":[1,-2.5e3,true,{"c":null}],"<&>":"\u2028é"}`, ` [ 1 , { } , [ ] ] `} {
		f.Add([]byte(doc))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		if !json.Valid(doc) {
			return
		}
		got, err := MarshalIndent(json.RawMessage(doc))
		require.NoError(t, err)
		var want bytes.Buffer
		enc := json.NewEncoder(&want)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		require.NoError(t, enc.Encode(json.RawMessage(doc)))
		require.Equal(t, want.String(), string(got))
	})
}
