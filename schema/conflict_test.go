package schema

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestConflicts(t *testing.T) {
	const object = `{"type":"object","properties":{"a":{"type":"string"},"n":{"type":"integer"},"l":{"type":"array","items":{"type":"string"}}},"required":["a"]}`
	for _, test := range []struct {
		name, doc string
		in        []string
		want      []Conflict
	}{
		{"nothing", object, []string{`{"a":"x","n":1,"l":["x"]}`}, nil},
		{"optional and absent", object, times(5, `{"a":"x"}`), nil},
		{"type", object, []string{`{"a":1}`, `{"a":2}`, `{"a":"x"}`}, []Conflict{{"/properties/a", ConflictType, "2 of 3 values are integer, not string", true}}},
		{"half the values", object, []string{`{"a":1}`, `{"a":"x"}`}, []Conflict{{"/properties/a", ConflictWidened, "1 of 2 values are integer", false}}},
		{"null", object, []string{`{"a":null}`}, []Conflict{{"/properties/a", ConflictNull, "1 of 1 values are null", false}}},
		{"fraction", object, []string{`{"a":"x","n":1.5}`}, []Conflict{{"/properties/n", ConflictWidened, "1 of 1 values have a fraction", false}}},
		{"items", object, []string{`{"a":"x","l":[1,2]}`}, []Conflict{{"/properties/l/items", ConflictType, "2 of 2 values are integer, not string", true}}},
		{"removed", object, times(3, `{"n":1}`), []Conflict{{"/properties/a", ConflictRemoved, `3 of 3 objects lack the required property "a"`, true}}},
		{"removed from too few", object, times(2, `{"n":1}`), []Conflict{{"/properties/a", ConflictRemoved, `2 of 2 objects lack the required property "a"`, false}}},
		{"sometimes absent", object, append(times(3, `{"n":1}`), `{"a":"x"}`), []Conflict{{"/properties/a", ConflictRemoved, `3 of 4 objects lack the required property "a"`, false}}},
		{"new", object, []string{`{"a":"x","b~/":1}`}, []Conflict{{"/properties/b~0~1", ConflictWidened, `property "b~/" is new`, false}}},
		{"root", object, []string{`[]`}, []Conflict{{"", ConflictType, "1 of 1 values are array, not object", true}}},
		{"enum", `{"enum":["a","b"]}`, []string{`"a"`, `"c"`}, []Conflict{{"", ConflictWidened, `value "c" is not in the enum`, false}}},
		{"union", `{"anyOf":[{"type":"string"},{"type":"null"}]}`, []string{`1`}, []Conflict{{"", ConflictType, "1 of 1 values are integer, not null or string", true}}},
		{"number takes integers", `{"type":"number"}`, []string{`1`}, nil},
		{"number takes no text", `{"type":"number"}`, []string{`"x"`}, []Conflict{{"", ConflictType, "1 of 1 values are string, not number", true}}},
		{"map", `{"type":"object","additionalProperties":{"type":"string"}}`, []string{`{"17":1}`}, []Conflict{{"/additionalProperties", ConflictType, "1 of 1 values are integer, not string", true}}},
		{"open", `{}`, []string{`1`}, nil},
		{"no schema", ``, []string{`1`}, nil},
		{"unreadable", `{"type":`, []string{`1`}, nil},
		{"all of", `{"allOf":[{"type":"string"}]}`, []string{`1`}, []Conflict{{"/allOf/0", ConflictType, "1 of 1 values are integer, not string", true}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			require.Equal(t, test.want, Conflicts(json.RawMessage(test.doc), observe(t, test.in...)))
		})
	}
}
