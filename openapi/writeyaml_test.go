package openapi

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestYAMLLooksAsPeopleWriteIt(t *testing.T) {
	doc := `{"openapi":"3.1.0","paths":{"/orders/{id}":{"get":{"tags":[],"security":[{"token":[]}],"x":{},"list":[[1,[2]],{"a":[{"b":true,"c":null}]}],"200":{"description":"It's: fine #1"}}}}}`
	out, err := toYAML([]byte(doc))
	require.NoError(t, err)
	require.Equal(t, `openapi: "3.1.0"
paths:
  /orders/{id}:
    get:
      tags: []
      security:
        - token: []
      x: {}
      list:
        - - 1
          - - 2
        - a:
            - b: true
              c: null
      "200":
        description: "It's: fine #1"
`, string(out))
}

// FuzzYAML holds that a YAML reader sees what the JSON document says.
func FuzzYAML(f *testing.F) {
	for _, doc := range []string{
		`{}`, `[]`, `"x"`, `-0`, `123456789012345678901234567890`, `1.50`, `null`, `[[],[[]],{}]`, `[{"a":1,"b":[]},[]]`,
		`{"a b":"c: d","e":" f","g":"h ","i":"# j","k":"","l":"- m","n":"y","o":"No","p":"0x1f","q":"1_000","r":"2026-01-02","s":"<<","t":"=","u":"!x","v":"a #b","w":"a:","x":"null"}`,
		`{"<":{"a":1},"~":1,"":2,"yes":3,"- ":4,"a: b":5,"[":6,"\u0085":7,"\ud83d\ude00":8,"\u2028":9,"\ufeff":10,"\u0000":11,"\r\n\t":12}`,
		`{"` + strings.Repeat("k", 2000) + `":{"a":1},"b":"` + strings.Repeat("word ", 2000) + `","c":["` + strings.Repeat("é ", 200) + `"]}`,
	} {
		f.Add([]byte(doc))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		want, err := decode(doc)
		if err != nil || !json.Valid(doc) || !utf8.Valid(doc) {
			return
		}
		out, err := toYAML(doc)
		require.NoError(t, err)
		got, err := decodeYAML(out)
		if err != nil { // what JSON can say twice, YAML cannot
			require.ErrorContains(t, err, "is there twice", string(out))
			return
		}
		require.Equal(t, want, got, string(out))
	})
}
