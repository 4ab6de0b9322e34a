package compiler

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLiftDefinitions(t *testing.T) {
	for _, test := range []struct{ name, doc, want string }{
		{"nothing to lift", `{"properties":{"a":{"type":"string"}}}`, `{"properties":{"a":{"type":"string"}}}`},
		{"one", `{"properties":{"body":{"$ref":"#/$defs/T","$defs":{"T":{"items":{"$ref":"#/$defs/T"}}}}}}`,
			`{"properties":{"body":{"$ref":"#/$defs/T"}},"$defs":{"T":{"items":{"$ref":"#/$defs/T"}}}}`},
		{"the same twice", `{"properties":{"a":{"$ref":"#/$defs/T","$defs":{"T":{}}},"b":{"not":{"$ref":"#/$defs/T"},"$defs":{"T":{}}}}}`,
			`{"properties":{"a":{"$ref":"#/$defs/T"},"b":{"not":{"$ref":"#/$defs/T"}}},"$defs":{"T":{}}}`},
		{"different by what they refer to", `{"properties":{"a":{"$ref":"#/$defs/T","$defs":{"T":{"not":{"$ref":"#/$defs/U"}},"U":{"type":"null"}}},"b":{"$ref":"#/$defs/T","$defs":{"T":{"not":{"$ref":"#/$defs/U"}},"U":{}}}}}`,
			`{"properties":{"a":{"$ref":"#/$defs/T"},"b":{"$ref":"#/$defs/T_2"}},"$defs":{"T":{"not":{"$ref":"#/$defs/U"}},"U":{"type":"null"},"T_2":{"not":{"$ref":"#/$defs/U_2"}},"U_2":{}}}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			var doc map[string]any
			require.NoError(t, json.Unmarshal([]byte(test.doc), &doc))
			liftDefinitions(doc)
			got, err := json.Marshal(doc)
			require.NoError(t, err)
			require.JSONEq(t, test.want, string(got))
		})
	}
}
