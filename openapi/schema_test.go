package openapi

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tomallicino/caskmcp/capture"
)

// importSchema imports a document whose only operation answers with schema,
// as {"openapi":…,"components":{"schemas":components}}.
func importSchema(t testing.TB, schema, components string) (*capture.Capture, []Skipped) {
	t.Helper()
	c, skipped, err := Import([]byte(`{"openapi":"3.1.0","servers":[{"url":"https://a.example"}],"paths":{"/x":{"post":{
		"requestBody":{"content":{"application/json":{"schema":`+schema+`}}},
		"responses":{"200":{"description":"ok","content":{"application/json":{"schema":`+schema+`}}}}}}},
		"components":{"schemas":`+components+`}}`), ImportOptions{})
	require.NoError(t, err)
	sound(t, c)
	return c, skipped
}

func TestSchema(t *testing.T) {
	const ref = `{"$ref":"#/components/schemas/A"}`
	for _, test := range []struct{ name, schema, components, request, response string }{
		{"nullable", `{"type":"string","nullable":true}`, "{}", `{"type":["string","null"]}`, ""},
		{"nullable enum", `{"type":"string","enum":["a"],"nullable":true}`, "{}", `{"enum":["a",null],"type":["string","null"]}`, ""},
		{"nullable reference", `{"nullable":true,"description":"D","oneOf":[` + ref + `,{"type":"integer"}]}`, `{"A":{"type":"string"}}`, `{"anyOf":[{"oneOf":[{"type":"string"},{"type":"integer"}]},{"type":"null"}],"description":"D"}`, ""},
		{"nullable anything", `{"nullable":true}`, "{}", `{}`, ""},
		{"exclusive flags", `{"minimum":1,"exclusiveMinimum":true,"maximum":2,"exclusiveMaximum":false}`, "{}", `{"exclusiveMinimum":1,"maximum":2}`, ""},
		{"exclusive numbers", `{"minimum":1,"exclusiveMinimum":3}`, "{}", `{"exclusiveMinimum":3,"minimum":1}`, ""},
		{"tuple", `{"items":[{"type":"string"}]}`, "{}", `{"prefixItems":[{"type":"string"}]}`, ""},
		{"closed tuple", `{"prefixItems":[true],"items":false}`, "{}", `{"items":false,"prefixItems":[{}]}`, ""},
		{"boolean schemas", `{"properties":{"a":true,"b":false},"additionalProperties":false}`, "{}", `{"additionalProperties":false,"properties":{"a":{},"b":{"not":{}}}}`, ""},
		{"texts next to a reference", `{"$ref":"#/components/schemas/A","description":"Mine."}`, `{"A":{"type":"string","description":"Its own."}}`, `{"description":"Mine.","type":"string"}`, ""},
		{"constraint next to a reference", `{"$ref":"#/components/schemas/A","maxLength":3}`, `{"A":{"type":"string","maxLength":9}}`, `{"allOf":[{"maxLength":9,"type":"string"}],"maxLength":3}`, ""},
		{"text by allOf", `{"properties":{"a":{"allOf":[` + ref + `],"description":"Mine."}}}`, `{"A":{"type":"string"}}`, `{"properties":{"a":{"description":"Mine.","type":"string"}}}`, ""},
		{"read only", ref, `{"A":{"required":["id","pw"],"properties":{"id":{"readOnly":true},"pw":{"$ref":"#/components/schemas/P"}}},"P":{"type":"string","writeOnly":true}}`,
			`{"properties":{"pw":{"type":"string"}},"required":["pw"]}`, `{"properties":{"id":{}},"required":["id"]}`},
		{"read only of a part", `{"allOf":[` + ref + `],"required":["id","name"]}`, `{"A":{"type":"object","properties":{"id":{"readOnly":true},"name":{}}}}`,
			`{"properties":{"name":{}},"required":["name"],"type":"object"}`, `{"properties":{"id":{},"name":{}},"required":["id","name"],"type":"object"}`},
		{"merged object", `{"allOf":[` + ref + `,{"properties":{"b":{}},"required":["b"]}]}`, `{"A":{"type":"object","properties":{"a":{}},"required":["a"]}}`, `{"properties":{"a":{},"b":{}},"required":["a","b"],"type":"object"}`, ""},
		{"not merged: one property twice", `{"allOf":[{"properties":{"a":{}}},{"properties":{"a":{}}}]}`, `{}`, `{"allOf":[{"properties":{"a":{}}},{"properties":{"a":{}}}]}`, ""},
		{"not merged: closed", `{"allOf":[{"properties":{"a":{}},"additionalProperties":false},{"properties":{"b":{}}}]}`, `{}`, `{"allOf":[{"additionalProperties":false,"properties":{"a":{}}},{"properties":{"b":{}}}]}`, ""},
		{"recursion", ref, `{"A":{"items":` + ref + `}}`, `{"$defs":{"A":{"items":{"$ref":"#/$defs/A"}}},"items":{"$ref":"#/$defs/A"}}`, ""},
		{"recursion of two", ref, `{"A":{"properties":{"b":{"$ref":"#/components/schemas/B"}}},"B":{"properties":{"a":` + ref + `}}}`,
			`{"$defs":{"A":{"properties":{"b":{"properties":{"a":{"$ref":"#/$defs/A"}}}}}},"properties":{"b":{"properties":{"a":{"$ref":"#/$defs/A"}}}}}`, ""},
		{"endless", ref, `{"A":{"$ref":"#/components/schemas/B"},"B":{"allOf":[` + ref + `]}}`, `{}`, ""},
		{"pointer into a schema", `{"$ref":"#/components/schemas/A/properties/x~1y/items"}`, `{"A":{"properties":{"x/y":{"items":{"type":"null"}}}}}`, `{"type":"null"}`, ""},
		{"own root", ref, `{"A":{"properties":{"x":{"$ref":"#/definitions/D"}},"definitions":{"D":{"type":"string"}}}}`, `{"properties":{"x":{"type":"string"}}}`, ""},
		{"dynamic", ref, `{"A":{"$dynamicAnchor":"node","properties":{"x":{"$dynamicRef":"#node"}}}}`, `{"$defs":{"node":{"properties":{"x":{"$ref":"#/$defs/node"}}}},"properties":{"x":{"properties":{"x":{"$ref":"#/$defs/node"}}}}}`, ""},
		{"names that are keywords", `{"properties":{"$ref":{"type":"string"},"example":{"x-mcp-header":"A"},"allOf":{}}}`, "{}", `{"properties":{"$ref":{"type":"string"},"allOf":{},"example":{}}}`, ""},
		{"data that looks like a schema", `{"default":{"x-mcp-header":1,"$ref":"#/nowhere"}}`, "{}", `{"default":{"$ref":"#/nowhere","x-mcp-header":1}}`, ""},
		{"dropped", `{"type":"string","example":1,"examples":[1],"xml":{},"discriminator":{},"externalDocs":{},"x-a":1,"$comment":"c","$id":"https://e/","unknown":1}`, "{}", `{"type":"string"}`, ""},
		{"wrong values", `{"type":"strin","minLength":-1,"maxLength":"3","required":"a","properties":[],"allOf":{},"enum":[],"pattern":5,"multipleOf":0,"uniqueItems":"x","title":3}`, "{}", `{}`, ""},
		{"types", `{"type":["string","string","what","file"]}`, "{}", `{"type":"string"}`, ""},
		{"unsafe numbers", `{"maximum":9223372036854775807,"minimum":-9007199254740991,"default":9007199254740993,"enum":[1,18446744073709551615],"const":1e400}`, "{}", `{"minimum":-9007199254740991}`, ""},
		{"texts with secrets", `{"description":"Write to jane@shop.example, now.","properties":{"a":{"description":"ghp_0123456789abcdefghijABCDEFGHIJ012345"}}}`, "{}", `{"description":"Write to [REDACTED] now.","properties":{"a":{"description":"[REDACTED]"}}}`, ""},
		{"secret defaults", `{"properties":{"password":{"type":"string","default":"correcthorse"},"mail":{"enum":["a","jane@shop.example"]},"algorithm":{"enum":["RS256","ES256"],"default":"RS256"}}}`, "{}", `{"properties":{"algorithm":{"default":"RS256","enum":["RS256","ES256"]},"mail":{},"password":{"type":"string"}}}`, ""},
		{"words among credentials", `{"properties":{"credentials":{"properties":{"use":{"enum":["sig","enc"],"default":"sig"}}}}}`, "{}", `{"properties":{"credentials":{"properties":{"use":{"default":"sig","enum":["sig","enc"]}}}}}`, ""},
		{"wrong defaults", `{"properties":{"a":{"type":"integer","default":"1"},"b":{"enum":["x"],"default":"y"},"c":{"type":"number","default":-3}}}`, "{}", `{"properties":{"a":{"type":"integer"},"b":{"enum":["x"]},"c":{"default":-3,"type":"number"}}}`, ""},
		{"repeated values", `{"enum":["a","a",1,1,null,null]}`, "{}", `{"enum":["a",1,null]}`, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, _ := importSchema(t, test.schema, test.components)
			d := c.Declarations[0]
			require.Equal(t, test.request, string(d.Body.Schema))
			if test.response == "" {
				test.response = test.request
			}
			require.Equal(t, test.response, string(d.Responses[0].Schema))
		})
	}
}

// TestSchemaIsBounded: what documents can make of a few lines stays small,
// valid and, but for the depths, complete.
func TestSchemaIsBounded(t *testing.T) {
	doubling, chain, wide := []string{}, []string{}, []string{}
	for i := range 60 {
		doubling = append(doubling, fmt.Sprintf(`"S%d":{"properties":{"l":{"$ref":"#/components/schemas/S%d"},"r":{"$ref":"#/components/schemas/S%d"}}}`, i, i+1, i+1))
	}
	doubling = append(doubling, `"S60":{"type":"string"}`)
	for i := range 5000 {
		chain = append(chain, fmt.Sprintf(`"S%d":{"items":{"$ref":"#/components/schemas/S%d"}}`, i, i+1))
		wide = append(wide, fmt.Sprintf(`"p%d":{"type":"object","description":"%s","properties":{"x":{"type":"string"}}}`, i, strings.Repeat("d", 50)))
	}
	chain = append(chain, `"S5000":{}`)
	for _, test := range []struct {
		name, schema, components, want, note string
	}{
		{"doubling", `{"$ref":"#/components/schemas/S0"}`, "{" + strings.Join(doubling, ",") + "}", `"$ref":"#/$defs/S60"`, ""},
		{"chain", `{"$ref":"#/components/schemas/S0"}`, "{" + strings.Join(chain, ",") + "}", `"items"`, "nested deeper than 10 levels"},
		{"wide", `{"type":"object","properties":{` + strings.Join(wide, ",") + `}}`, "{}", `{"type":"object"}`, "only its type is kept"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, skipped := importSchema(t, test.schema, test.components)
			require.Contains(t, string(c.Declarations[0].Responses[0].Schema), test.want)
			require.Equal(t, test.note != "", slices.ContainsFunc(skipped, func(s Skipped) bool { return strings.Contains(s.Reason, test.note) }) && test.note != "")
		})
	}
}

func TestPortable(t *testing.T) {
	for pattern, want := range map[string]string{
		`^[a-z]{2,4}$`: `^[a-z]{2,4}$`, `^\d+\.\d+$`: `^\d+\.\d+$`, `\@\_\-\/`: `@_-\/`, `[\w\-\.]`: `[\w\-\.]`,
		`^{id}$`: `^\{id\}$`, `a]`: `a\]`, `\p{L}+`: `\p{L}+`, `(?:a|b)`: `(?:a|b)`, `[[]`: `[[]`,
		`(?i)a`: "", `(?=a)`: "", `(?P<n>a)`: "", `\Aa\z`: "", `[[:alpha:]]`: "", `[]a]`: "", `(`: "", `a{2}{3}`: "", `\p{Greek}`: "", `\u0041`: "", `\`: "",
	} {
		got, ok := portable(pattern)
		if want == "" {
			require.False(t, ok, pattern)
			continue
		}
		require.True(t, ok, pattern)
		require.Equal(t, want, got)
	}
}
