package schema

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
)

// observe returns the shape of some JSON texts.
func observe(t testing.TB, texts ...string) *Shape {
	t.Helper()
	s := &Shape{}
	for _, text := range texts {
		require.NoError(t, s.ObserveJSON(text, nil), text)
	}
	return s
}

func encode(t testing.TB, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	require.NoError(t, err)
	return string(data)
}

func decodeAny(t testing.TB, text string) any {
	t.Helper()
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	var v any
	require.NoError(t, dec.Decode(&v))
	return v
}

// times repeats a text.
func times(n int, texts ...string) []string {
	var all []string
	for range n {
		all = append(all, texts...)
	}
	return all
}

func TestOutput(t *testing.T) {
	for _, test := range []struct {
		name string
		in   []string
		want string
	}{
		{"nothing", nil, `{}`},
		{"null only", []string{`null`}, `{}`},
		{"null and integer", []string{`{"id":1}`, `{"id":null}`}, `{"type":"object","properties":{"id":{"type":["integer","null"]}}}`},
		{"integer, fraction and string", []string{`1`, `1.5`, `"x"`}, `{"type":["string","number"]}`},
		{"few whole numbers", times(9, `7`), `{"type":"number"}`},
		{"many whole numbers", times(10, `7`), `{"type":"integer"}`},
		{"a fraction among many", append(times(10, `7`), `7.5`), `{"type":"number"}`},
		{"count-like key", []string{`{"total_count":3,"score":3}`}, `{"type":"object","properties":{"score":{"type":"number"},"total_count":{"type":"integer"}}}`},
		{"beyond 2^53", []string{`{"id":9007199254740993}`}, `{"type":"object","properties":{"id":{"type":["string","integer"]}}}`},
		{"empty object", []string{`{}`}, `{"type":"object"}`},
		{"empty array", []string{`[]`}, `{"type":"array"}`},
		{"array at top", []string{`[{"a":true}]`}, `{"type":"array","items":{"type":"object","properties":{"a":{"type":"boolean"}}}}`},
		{"required", append(times(10, `{"a":"x y","b":"x y"}`), times(10, `{"a":"x y"}`)...), `{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"string"}},"required":["a"]}`},
		{"not required under 40 beside what is mostly there", append(times(38, `{"a":"x y","b":"x y"}`), `{"a":"x y"}`), `{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"string"}}}`},
		{"not required under 20", times(19, `{"a":"x y"}`), `{"type":"object","properties":{"a":{"type":"string"}}}`},
		{
			"not required below the root", times(30, `{"a":{"b":"x y"},"c":[{"d":"x y"}]}`),
			`{"type":"object","required":["a","c"],"properties":{"a":{"type":"object","properties":{"b":{"type":"string"}}},"c":{"type":"array","items":{"type":"object","properties":{"d":{"type":"string"}}}}}}`,
		},
		{
			"formats",
			[]string{`{"a":"6f1d8a0e-2d0c-4a53-9d3a-0b5f0b7c1a11","b":"2026-01-02T03:04:05Z","c":"2026-01-02","d":"a@example.com","site_url":"https://example.com/x","path":"https://example.com/x","f":"10.0.0.1","g":"::1"}`},
			`{"type":"object","properties":{"a":{"type":"string","format":"uuid"},"b":{"type":"string","format":"date-time"},"c":{"type":"string","format":"date"},"d":{"type":"string","format":"email"},"site_url":{"type":"string","format":"uri"},"path":{"type":"string"},"f":{"type":"string","format":"ipv4"},"g":{"type":"string","format":"ipv6"}}}`,
		},
		{"format broken by one", []string{`"2026-01-02"`, `"soon"`}, `{"type":"string"}`},
		{"JSON in a string", []string{`"{\"a\":1}"`}, `{"type":"string","contentMediaType":"application/json"}`},
		{"enum is described", times(4, `{"state":"open"}`, `{"state":"closed"}`), `{"type":"object","properties":{"state":{"type":"string","description":"Values seen: closed, open."}}}`},
		{"only what sorts things has an enum", times(8, `{"pool":"billing","segments":["early"],"node_type":"leaf"}`), `{"type":"object","properties":{"pool":{"type":"string"},"segments":{"type":"array","items":{"type":"string"}},"node_type":{"type":"string","description":"Values seen: leaf."}}}`},
		{"enum without support", times(3, `{"state":"open"}`, `{"state":"closed"}`), `{"type":"object","properties":{"state":{"type":"string"}}}`},
		{
			"integer keys",
			[]string{`{"by_id":{"17":{"n":"x y"},"42":{"n":"x y"}}}`},
			`{"type":"object","properties":{"by_id":{"type":"object","additionalProperties":{"type":"object","properties":{"n":{"type":"string"}}}}}}`,
		},
		{
			"UUID keys",
			[]string{`{"6f1d8a0e-2d0c-4a53-9d3a-0b5f0b7c1a11":true}`},
			`{"type":"object","additionalProperties":{"type":"boolean"}}`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			require.JSONEq(t, test.want, encode(t, observe(t, test.in...).Seal(nil).Output()))
		})
	}
	require.Empty(t, (*Shape)(nil).Output())
}

// Where an API writes null, null is allowed where few values were seen and
// under the keys that are null elsewhere.
func TestOutputOfAnAPIWithNulls(t *testing.T) {
	var habits Habits
	habits.Learn(observe(t, `{"list":[{"note":null}],"by_id":{"70001":{"end":null}}}`))
	s := observe(t, append(times(40, `{"note":"x y","name":"x y"}`), `{"note":"x y","name":"x y","rare":["x y"]}`)...)
	require.JSONEq(t, `{"type":"object","required":["name","note"],"properties":{
		"note":{"type":["string","null"]},"name":{"type":"string"},"rare":{"type":["array","null"],"items":{"type":"string"}}}}`,
		encode(t, s.OutputOf(&habits)))
	require.JSONEq(t, `{"type":"object","additionalProperties":false,"required":["name","note"],"properties":{
		"note":{"type":["string","null"]},"name":{"type":"string"},"rare":{"type":["array","null"],"items":{"type":"string"}}}}`,
		encode(t, s.InputAs("", &habits)))

	var keys Habits
	keys.LearnKeys(observe(t, `{"note":null}`))
	require.JSONEq(t, `{"type":"object","additionalProperties":false,"required":["name","note"],"properties":{
		"note":{"type":["string","null"]},"name":{"type":"string"},"rare":{"type":"array","items":{"type":"string"}}}}`,
		encode(t, s.InputAs("", &keys)), "what is answered with null may be sent as null; nothing else")
}

// Where texts and numbers stand for each other under a key, both are allowed
// where few were seen.
func TestKeysWithTextsAndNumbers(t *testing.T) {
	var habits Habits
	habits.Learn(observe(t, `{"config":{"insecure":"0","id":7,"flag":true}}`, `{"config":{"insecure":1,"id":8,"flag":"x y"}}`))
	for _, test := range []struct{ in, want string }{
		{`{"insecure":"1"}`, `{"insecure":{"type":["string","number"]}}`},
		{`{"insecure":1}`, `{"insecure":{"type":["number","string"]}}`},
		{`{"insecure":true}`, `{"insecure":{"type":"boolean"}}`},
		{`{"id":1}`, `{"id":{"type":"integer"}}`},
		{`{"flag":true}`, `{"flag":{"type":"boolean"}}`},
	} {
		require.JSONEq(t, `{"type":"object","properties":`+test.want+`}`, encode(t, observe(t, test.in).OutputOf(&habits)))
	}
	many := observe(t, times(10, `{"insecure":"1"}`)...)
	require.JSONEq(t, `{"type":"object","properties":{"insecure":{"type":"string"}}}`, encode(t, many.OutputOf(&habits)))

	for range 3 {
		habits.Learn(observe(t, `{"config":{"insecure":1}}`))
	}
	require.JSONEq(t, `{"type":"object","properties":{"insecure":{"type":"number"}}}`, encode(t, observe(t, `{"insecure":1}`).OutputOf(&habits)),
		"one place of many is the exception")
}

// What is in one body is much alike: whole numbers and properties of nested
// objects need many bodies, not many values.
func TestOneBodyPromisesLittle(t *testing.T) {
	list := observe(t, `[`+strings.Join(times(30, `{"a":7}`), ",")+`]`)
	require.JSONEq(t, `{"type":"array","items":{"type":"object","properties":{"a":{"type":"number"}}}}`, encode(t, list.Output()))
	require.JSONEq(t, `{"type":"array","items":{"type":"object","properties":{"a":{"type":"number"}}}}`, encode(t, list.Input()))
}

func TestNameKeyedMap(t *testing.T) {
	var texts []string
	for i := range 4 {
		texts = append(texts, fmt.Sprintf(`{"%[1]cta":{"cpu":%[2]d,"mem":"x y"},"%[1]czo":{"cpu":1,"mem":"x y"}}`, 'a'+i, i))
	}
	sealed := observe(t, texts...).Seal(nil)
	require.True(t, sealed.Objects.Map)
	require.JSONEq(t,
		`{"type":"object","additionalProperties":{"type":"object","properties":{"cpu":{"type":"number"},"mem":{"type":"string"}}}}`,
		encode(t, sealed.Output()))

	record := observe(t, times(3, `{"a":{"x":1},"b":{"x":1},"c":{"x":1},"d":{"x":1},"e":{"x":1}}`)...).Seal(nil)
	require.False(t, record.Objects.Map, "the same names each time are a record")

	errors := observe(t, `{"error":"x"}`, `{"message":"x"}`, `{"hint":"x"}`, `{"detail":"x"}`).Seal(nil)
	require.False(t, errors.Objects.Map, "few scalars are optional properties")
}

func TestTooManyPropertiesAreEntries(t *testing.T) {
	var object []string
	for i := range MaxProperties + 1 {
		object = append(object, fmt.Sprintf(`"k%s":1`, letters(i)))
	}
	whole := observe(t, "{"+strings.Join(object, ",")+"}")
	require.True(t, whole.Objects.Map)
	require.Equal(t, MaxProperties+1, whole.Objects.Entries.Integers.Count)

	split := &Shape{}
	for _, member := range object {
		split = Merge(split, observe(t, "{"+member+"}"))
	}
	split.Objects.Count = 1
	require.Equal(t, whole, split)
}

func letters(i int) string {
	return string([]byte{'a' + byte(i/26/26), 'a' + byte(i/26%26), 'a' + byte(i%26)})
}

func TestInputClosesTheRoot(t *testing.T) {
	s := observe(t, `{"a":{"b":"x y"}}`)
	require.JSONEq(t, `{"type":"object","additionalProperties":false,"properties":{"a":{"type":"object","properties":{"b":{"type":"string"}}}}}`, encode(t, s.Input()))
	page := &Shape{}
	page.ObserveText("2")
	require.Equal(t, "integer", page.InputAs("page", nil)["type"])
	require.Equal(t, "number", page.InputAs("amount", nil)["type"])
	require.Equal(t, "integer", page.InputAs("per_page", nil)["type"])
}

func TestObserveText(t *testing.T) {
	s := &Shape{}
	for _, raw := range []string{"12", "-3", "007", "1.5", "1e3", "true", "false", "null", "", "open", "9223372036854775808"} {
		s.ObserveText(raw)
	}
	require.Equal(t, 3, s.Integers.Count)
	require.Equal(t, 1, s.Integers.Negative)
	require.Equal(t, 1, s.Integers.Unsafe)
	require.Equal(t, 2, s.Numbers)
	require.Equal(t, 2, s.Booleans)
	require.Equal(t, 4, s.Strings.Count)
	require.Equal(t, Counts{{"int", 1}}, s.Strings.Classes)
}

func TestSealKeepsOnlyEnums(t *testing.T) {
	texts := times(4, `{"state":"open","login":"alice","apiToken":"abc","nested":{"secret_kind":{"x":"yes"}}}`, `{"state":"closed","login":"bob","apiToken":"def","nested":{"secret_kind":{"x":"no"}}}`)
	texts = append(texts, `{"once":"only"}`)
	sensitive := func(key string) bool {
		return strings.Contains(strings.ToLower(key), "token") || strings.Contains(key, "secret")
	}
	sealed := observe(t, texts...).Seal(sensitive)
	require.Equal(t, Counts{{"closed", 4}, {"open", 4}}, sealed.Objects.Properties["state"].Strings.Values)
	got := encode(t, sealed)
	for _, value := range []string{"alice", "bob", "abc", "def", "only", `"yes"`} {
		require.NotContains(t, got, value)
	}
	require.Equal(t, sealed, sealed.Seal(sensitive))
	require.Nil(t, (*Shape)(nil).Seal(nil))
}

func TestNothingOfAValueSurvives(t *testing.T) {
	secrets := []string{
		"hunter2-hunter2", "sk_live_51H8xkq9aZbYcXdWeVfUg", "alice@example.com", "4111111111111111", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
		"aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY", "DE89370400440532013000", "078-05-1120", "correct horse battery", "AbCdEfGhIjKlMnOpQrSt",
	}
	var texts []string
	for range 20 {
		for _, secret := range secrets {
			texts = append(texts, fmt.Sprintf(`{"context":%q,"list":[%q]}`, secret, secret))
		}
	}
	for _, secret := range []string{"alice@example.com", "sk_live_51H8xkq9aZbYcXdWeVfUg", "4111111111111111", "aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY"} {
		texts = append(texts, fmt.Sprintf(`{%q:1}`, secret))
	}
	got := encode(t, observe(t, texts...).Seal(nil))
	for _, secret := range secrets {
		require.NotContains(t, got, secret)
	}
	single := encode(t, observe(t, times(20, `{"context":"AbCdEfGhIjKlMnOpQrSt"}`)...).Seal(nil))
	require.NotContains(t, single, "AbCdEf", "letters alone can be a secret too")
}

func TestDepthIsBounded(t *testing.T) {
	deep := strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 100)
	s := observe(t, deep)
	require.Contains(t, encode(t, s), `"deep":1`)
	other := &Shape{}
	other.Observe(decodeAny(t, deep))
	require.Equal(t, s, other)
	require.Error(t, s.ObserveJSON(strings.Repeat("[", 5000)+strings.Repeat("]", 5000), nil))
}

func TestObserveJSONRefuses(t *testing.T) {
	for _, text := range []string{"", " ", "{", "[1,]", `{"a"}`, `{"a":1,}`, "01", "1.", "-", "1e", "tru", `"a`, `"\x"`, `"\u12g4"`, "\"\n\"", "{} {}", "nul", `{a:1}`, "[1 2]", `"\`} {
		s := &Shape{}
		var syntax *SyntaxError
		require.ErrorAs(t, s.ObserveJSON(text, nil), &syntax, text)
		require.Equal(t, &Shape{}, s)
	}
}

func TestVisitSeesScalars(t *testing.T) {
	var got []string
	s := &Shape{}
	require.NoError(t, s.ObserveJSON(`{"id":7,"tags":["a","\u0062"],"o":{"x":null,"y":true}}`, func(k, v string) { got = append(got, k+"="+v) }))
	require.Equal(t, []string{"id=7", "tags=a", "tags=b"}, got)
}

// randomJSON writes values that hit every kind of a Shape.
func randomJSON(r *rand.Rand, depth int) string {
	words := []string{"open", "closed", "done", "x y", "", "2026-01-02", "a@example.com", "{}", "sha256", "AbCdEfGhIjKlMnOpQrSt"}
	keys := []string{"id", "name", "state", "17", "18", "kind", "6f1d8a0e-2d0c-4a53-9d3a-0b5f0b7c1a11", "a", "b", "c", "d", "e"}
	switch n := r.IntN(10); {
	case n < 3:
		return fmt.Sprintf("%q", words[r.IntN(len(words))])
	case n == 3:
		return fmt.Sprint(r.Int64() >> r.IntN(63))
	case n == 4:
		return fmt.Sprintf("%.2f", r.Float64())
	case n == 5:
		return []string{"true", "false", "null"}[r.IntN(3)]
	case depth == 0:
		return "null"
	case n < 8:
		members := map[string]string{}
		for range r.IntN(6) {
			members[fmt.Sprintf("%q", keys[r.IntN(len(keys))])] = randomJSON(r, depth-1)
		}
		var parts []string
		for key, value := range members {
			parts = append(parts, key+":"+value)
		}
		return "{" + strings.Join(parts, ",") + "}"
	default:
		var items []string
		for range r.IntN(4) {
			items = append(items, randomJSON(r, depth-1))
		}
		return "[" + strings.Join(items, " , ") + "]"
	}
}

func TestMergeLaws(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		var shapes [3]*Shape
		var before [3]string
		for i := range shapes {
			shapes[i] = &Shape{}
			for range r.IntN(30) {
				require.NoError(t, shapes[i].ObserveJSON(randomJSON(r, 3), nil))
			}
			before[i] = encode(t, shapes[i])
		}
		a, b, c := shapes[0], shapes[1], shapes[2]
		require.Equal(t, Merge(a, b), Merge(b, a))
		require.Equal(t, Merge(Merge(a, b), c), Merge(a, Merge(b, c)))
		require.Equal(t, a, Merge(a, nil))
		require.Equal(t, a, Merge(&Shape{}, a))
		sealed := Merge(a, b).Seal(nil)
		require.Equal(t, sealed, sealed.Seal(nil))
		for i := range shapes {
			require.Equal(t, before[i], encode(t, shapes[i]), "Merge and Seal change no argument")
		}
		var back Shape
		require.NoError(t, json.Unmarshal([]byte(encode(t, a)), &back))
		require.Equal(t, encode(t, a), encode(t, &back))
	}
}

// The schema of what was seen accepts all of it.
func TestEverythingSeenIsValid(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		var texts []string
		for range 1 + r.IntN(30) {
			texts = append(texts, randomJSON(r, 3))
		}
		for _, doc := range []map[string]any{observe(t, texts...).Seal(nil).Output(), observe(t, texts...).Seal(nil).Input()} {
			schema := compileSchema(t, doc)
			for _, text := range texts {
				v, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
				require.NoError(t, err)
				require.NoError(t, schema.Validate(v), "%s\n%s", encode(t, doc), text)
			}
		}
	}
}

func compileSchema(t testing.TB, doc map[string]any) *jsonschema.Schema {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(encode(t, doc)))
	require.NoError(t, err)
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	require.NoError(t, c.AddResource("mem://schema", v))
	schema, err := c.Compile("mem://schema")
	require.NoError(t, err)
	return schema
}

func FuzzShape(f *testing.F) {
	f.Add(`{"a":[1,2.5,"x"],"b":null}`, `[{"id":1},{"id":"x"}]`, uint64(1))
	f.Add(`"\ud800\u0041"`, `{"\u0061":1e5}`, uint64(2))
	f.Add("\"\xff\"", `{"17":{"18":[]}}`, uint64(3))
	f.Fuzz(func(t *testing.T, first, second string, seed uint64) {
		texts := []string{first, second}
		r := rand.New(rand.NewPCG(seed, 0))
		for range 3 {
			texts = append(texts, randomJSON(r, 2))
		}
		want := &Shape{}
		var valid []string
		for _, text := range texts {
			err := want.ObserveJSON(text, nil)
			if ok := json.Valid([]byte(text)); ok != (err == nil) && strings.Count(text, "[")+strings.Count(text, "{") < maxNesting {
				t.Fatalf("valid %v, but %v: %q", ok, err, text)
			}
			if err == nil {
				valid = append(valid, text)
			}
		}
		r.Shuffle(len(valid), func(i, j int) { valid[i], valid[j] = valid[j], valid[i] })
		cut := 0
		if len(valid) > 0 {
			cut = r.IntN(len(valid))
		}
		require.Equal(t, want, Merge(observe(t, valid[:cut]...), observe(t, valid[cut:]...)))
		for _, text := range valid {
			// Keys that are there twice count twice in a text only.
			v := decodeAny(t, text)
			direct := &Shape{}
			direct.Observe(v)
			require.Equal(t, direct, observe(t, encode(t, v)))
		}
		sealed := want.Seal(nil)
		require.Equal(t, sealed, sealed.Seal(nil))
		compileSchema(t, sealed.Output())
		require.Empty(t, Conflicts([]byte(encode(t, want.Output())), want))
	})
}
