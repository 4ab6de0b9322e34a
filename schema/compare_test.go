package schema

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCompare(t *testing.T) {
	const none = ""
	tests := []struct {
		name, before, after string
		want                []string // kind, path and name of each difference
	}{
		{"equal", `{"type":"string"}`, `{"type":"string"}`, nil},
		{"key order", `{"type":"string","title":"x"}`, `{"title":"x","type":"string"}`, nil},
		{"number spelling", `{"maximum":1}`, `{"maximum":1.0}`, nil},
		{"no schema either side", none, none, nil},
		{"true and empty", `true`, `{}`, []string{"text "}},
		{"schema appears", none, `{"type":"string"}`, []string{"narrowed "}},
		{"schema disappears", `{"type":"string"}`, none, []string{"widened "}},
		{"false to anything", `false`, `{"type":"string"}`, []string{"widened "}},
		{"anything to false", `{"type":"string"}`, `false`, []string{"narrowed "}},

		{"type replaced", `{"type":"string"}`, `{"type":"integer"}`, []string{"type_changed /type"}},
		{"type added", `{"type":"string"}`, `{"type":["string","null"]}`, []string{"widened /type"}},
		{"type removed from list", `{"type":["string","null"]}`, `{"type":"string"}`, []string{"narrowed /type"}},
		{"integer to number", `{"type":"integer"}`, `{"type":"number"}`, []string{"widened /type"}},
		{"number to integer", `{"type":"number"}`, `{"type":"integer"}`, []string{"narrowed /type"}},
		{"type dropped", `{"type":"string"}`, `{"title":"x"}`, []string{"text /title", "widened /type"}},
		{"type spelled as list", `{"type":"string"}`, `{"type":["string"]}`, []string{"text /type"}},
		{"type is no type", `{"type":"string"}`, `{"type":"text"}`, []string{"type_changed /type"}},

		{"enum gains", `{"enum":["a"]}`, `{"enum":["a","b"]}`, []string{"widened /enum"}},
		{"enum loses", `{"enum":["a","b"]}`, `{"enum":["a"]}`, []string{"narrowed /enum"}},
		{"enum swaps", `{"enum":["a"]}`, `{"enum":["b"]}`, []string{"narrowed /enum", "widened /enum"}},
		{"enum order", `{"enum":["a","b"]}`, `{"enum":["b","a"]}`, []string{"text /enum"}},
		{"enum added", `{"type":"string"}`, `{"type":"string","enum":["a"]}`, []string{"narrowed /enum"}},
		{"enum removed", `{"enum":["a"],"type":"string"}`, `{"type":"string"}`, []string{"widened /enum"}},
		{"const", `{"const":1}`, `{"const":2}`, []string{"narrowed /const", "widened /const"}},

		{"maximum up", `{"maximum":1}`, `{"maximum":2}`, []string{"widened /maximum"}},
		{"maximum down", `{"maximum":2}`, `{"maximum":1}`, []string{"narrowed /maximum"}},
		{"maximum removed", `{"maximum":2,"type":"integer"}`, `{"type":"integer"}`, []string{"widened /maximum"}},
		{"maximum beyond doubles", `{"maximum":9007199254740992}`, `{"maximum":9007199254740993}`, []string{"widened /maximum"}},
		{"minimum up", `{"minimum":1}`, `{"minimum":2}`, []string{"narrowed /minimum"}},
		{"minLength down", `{"minLength":2}`, `{"minLength":0}`, []string{"widened /minLength"}},
		{"maxItems added", `{"type":"array"}`, `{"type":"array","maxItems":3}`, []string{"narrowed /maxItems"}},
		{"exclusiveMaximum up", `{"exclusiveMaximum":1.5}`, `{"exclusiveMaximum":1.75}`, []string{"widened /exclusiveMaximum"}},
		{"multipleOf to divisor", `{"multipleOf":10}`, `{"multipleOf":5}`, []string{"widened /multipleOf"}},
		{"multipleOf to multiple", `{"multipleOf":5}`, `{"multipleOf":10}`, []string{"narrowed /multipleOf"}},
		{"multipleOf to another", `{"multipleOf":5}`, `{"multipleOf":7}`, []string{"narrowed /multipleOf", "widened /multipleOf"}},
		{"multipleOf zero", `{"multipleOf":5}`, `{"multipleOf":0}`, []string{"narrowed /multipleOf", "widened /multipleOf"}},
		{"pattern removed", `{"pattern":"a"}`, `{"title":"a"}`, []string{"widened /pattern", "text /title"}},
		{"pattern changed", `{"pattern":"a"}`, `{"pattern":"b"}`, []string{"narrowed /pattern", "widened /pattern"}},
		{"format added", `{"type":"string"}`, `{"type":"string","format":"uuid"}`, []string{"narrowed /format"}},
		{"uniqueItems off", `{"uniqueItems":true}`, `{"uniqueItems":false}`, []string{"widened /uniqueItems"}},
		{"uniqueItems said", `{"type":"array"}`, `{"type":"array","uniqueItems":false}`, []string{"text /uniqueItems"}},

		{"property added", `{"properties":{"a":{}}}`, `{"properties":{"a":{},"b":{}}}`, []string{"property_added /properties/b b"}},
		{"property removed", `{"properties":{"a":{},"b":{}}}`, `{"properties":{"a":{}}}`, []string{"property_removed /properties/b b"}},
		{"properties appear", `{"type":"object"}`, `{"type":"object","properties":{"a":{}}}`, []string{"property_added /properties/a a"}},
		{"empty properties appear", `{"type":"object"}`, `{"type":"object","properties":{}}`, []string{"text /properties"}},
		{"property name escaped", `{"properties":{}}`, `{"properties":{"a/b~c":{}}}`, []string{"property_added /properties/a~1b~0c a/b~c"}},
		{"required", `{"required":["a"]}`, `{"required":["b"]}`, []string{"required_added /required b", "required_removed /required a"}},
		{"required order", `{"required":["a","b"]}`, `{"required":["b","a"]}`, []string{"text /required"}},
		{"additionalProperties opened", `{"additionalProperties":false}`, `{"additionalProperties":true}`, []string{"widened /additionalProperties"}},
		{"additionalProperties dropped", `{"additionalProperties":false,"type":"object"}`, `{"type":"object"}`, []string{"widened /additionalProperties"}},
		{"additionalProperties narrowed", `{"type":"object"}`, `{"type":"object","additionalProperties":{"type":"string"}}`, []string{"narrowed /additionalProperties"}},
		{"patternProperties", `{"patternProperties":{"^a":{"type":"string"}}}`, `{"patternProperties":{"^a":{"type":"integer"}}}`, []string{"type_changed /patternProperties/^a/type"}},
		{"dependentRequired", `{"dependentRequired":{"a":["b"]}}`, `{"dependentRequired":{"a":["b","c"]}}`, []string{"required_added /dependentRequired/a c"}},
		{"dependentSchemas added", `{"type":"object"}`, `{"type":"object","dependentSchemas":{"a":{"required":["b"]}}}`, []string{"narrowed /dependentSchemas/a"}},

		{"items deep", `{"items":{"properties":{"a":{"items":{"maxLength":1}}}}}`, `{"items":{"properties":{"a":{"items":{"maxLength":2}}}}}`, []string{"widened /items/properties/a/items/maxLength"}},
		{"prefixItems longer", `{"prefixItems":[{"type":"string"}]}`, `{"prefixItems":[{"type":"string"},{"type":"integer"}]}`, []string{"narrowed /prefixItems/1"}},
		{"anyOf gains", `{"anyOf":[{"type":"string"}]}`, `{"anyOf":[{"type":"string"},{"type":"integer"}]}`, []string{"widened /anyOf/1"}},
		{"oneOf loses", `{"oneOf":[{"type":"string"},{"type":"integer"}]}`, `{"oneOf":[{"type":"integer"}]}`, []string{"narrowed /oneOf/0"}},
		{"anyOf order", `{"anyOf":[{"type":"string"},{"type":"integer"}]}`, `{"anyOf":[{"type":"integer"},{"type":"string"}]}`, []string{"text /anyOf"}},
		{"anyOf branch", `{"anyOf":[{"type":"string","maxLength":1},{"type":"null"}]}`, `{"anyOf":[{"type":"null"},{"type":"string","maxLength":2}]}`, []string{"widened /anyOf/1/maxLength"}},
		{"allOf gains", `{"allOf":[{"type":"string"}]}`, `{"allOf":[{"type":"string"},{"maxLength":1}]}`, []string{"narrowed /allOf/1"}},
		{"not turns round", `{"not":{"maxLength":1}}`, `{"not":{"maxLength":2}}`, []string{"narrowed /not/maxLength"}},
		{"not not", `{"not":{"not":{"maxLength":1}}}`, `{"not":{"not":{"maxLength":2}}}`, []string{"widened /not/not/maxLength"}},
		{"not added", `{"type":"string"}`, `{"type":"string","not":{"const":"x"}}`, []string{"narrowed /not"}},
		{"if", `{"if":{"const":1}}`, `{"if":{"const":2}}`, []string{"narrowed /if", "widened /if"}},
		{"$ref", `{"$ref":"#/$defs/a"}`, `{"$ref":"#/$defs/b"}`, []string{"narrowed /$ref", "widened /$ref"}},
		{"definition changed", `{"$defs":{"a":{"maxLength":1}}}`, `{"$defs":{"a":{"maxLength":2}}}`, []string{"widened /$defs/a/maxLength"}},

		{"description", `{"description":"a"}`, `{"description":"b"}`, []string{"text /description"}},
		{"property named like a keyword", `{"properties":{"type":{"type":"string"}}}`, `{"properties":{"type":{"type":"integer"}}}`, []string{"type_changed /properties/type/type"}},
		{"unknown keyword", `{"x-rank":1}`, `{"x-rank":2}`, []string{"text /x-rank"}},
		{"keyword of a wrong type", `{"maximum":"1"}`, `{"maximum":2}`, []string{"narrowed /maximum", "widened /maximum"}},
		{"no JSON", `{`, `{"type":"string"}`, []string{"type_changed "}},
		{"two documents", `{} {}`, `{}`, []string{"type_changed "}},
		{"trailing bracket", `{} }`, `{}`, []string{"type_changed "}},
		{"no schema object", `"text"`, `{"type":"string"}`, []string{"type_changed "}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, d := range Compare(json.RawMessage(tt.before), json.RawMessage(tt.after)) {
				line := string(d.Kind) + " " + d.Path
				if d.Name != "" {
					line += " " + d.Name
				}
				got = append(got, line)
			}
			require.Equal(t, tt.want, got)
		})
	}
}

func TestCompareShowsValues(t *testing.T) {
	got := Compare(json.RawMessage(`{"properties":{"a":{"maximum":1}}}`), json.RawMessage(`{"properties":{"a":{"maximum":2},"b":{"title":"<b>"}}}`))
	require.Equal(t, []Difference{
		{Path: "/properties/a/maximum", Kind: Widened, Before: json.RawMessage(`1`), After: json.RawMessage(`2`)},
		{Path: "/properties/b", Kind: PropertyAdded, Name: "b", After: json.RawMessage(`{"title":"<b>"}`)},
	}, got)
}

// FuzzCompare: no panic, no difference to itself, and never silence about two
// documents that differ.
func FuzzCompare(f *testing.F) {
	for _, s := range []string{`{"type":"string"}`, `{"properties":{"a":{"enum":[1,2.0]}},"required":["a"]}`, `{"not":{"anyOf":[true,false,{}]}}`, `[1e400]`, `null`, `{"$defs":{"a":{"dependentRequired":{"b":["c"]}}}}`} {
		f.Add(s, `{"type":["integer","null"],"items":false}`)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		require.Empty(t, Compare(json.RawMessage(a), json.RawMessage(a)))
		there, back := Compare(json.RawMessage(a), json.RawMessage(b)), Compare(json.RawMessage(b), json.RawMessage(a))
		require.Equal(t, len(there) == 0, len(back) == 0)
		x, okX := decodeSchema(json.RawMessage(a))
		y, okY := decodeSchema(json.RawMessage(b))
		if okX && okY && !sameJSON(x, y) {
			require.NotEmpty(t, there, fmt.Sprintf("%s against %s", a, b))
		}
	})
}
