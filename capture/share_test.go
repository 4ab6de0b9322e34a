package capture

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// declaring is a capture of n operations whose schemas and parameters have
// parts in common, as those of specifications do.
func declaring(n int) *Capture {
	filler := func(i int) string { return strings.Repeat(fmt.Sprintf("This text is number %d. ", i%40), 12) }
	meta := func(i int) string {
		return fmt.Sprintf(`{"type":"object","description":%q,"properties":{"name":{"type":"string"},"labels":{"type":"object","additionalProperties":{"type":"string"}}}}`, filler(i%3))
	}
	spec := func(i int) string {
		return fmt.Sprintf(`{"type":"object","description":%q,"properties":{"metadata":%s,"template":{"type":"object","properties":{"metadata":%s}}}}`, filler(i%7), meta(i), meta(i+1))
	}
	c := &Capture{Version: FormatVersion, Name: "big", Sealed: true, Hosts: []string{"h.example"}, Observations: []Observation{}}
	for i := range n {
		d := Declaration{Method: "GET", Scheme: "https", Host: "h.example", Port: 443, Path: fmt.Sprintf("/v1/kinds%03d/{name}", i)}
		d.Parameters = []DeclaredParameter{
			{Name: "name", In: "path", Required: true, Description: filler(i % 3), Schema: []byte(`{"type":"string"}`)},
			{Name: "pretty", In: "query", Description: filler(1), Schema: []byte(spec(i % 2))},
		}
		d.Body = &DeclaredBody{Type: "application/json", Description: filler(i), Schema: []byte(spec(i))}
		for status := range 8 {
			d.Responses = append(d.Responses, DeclaredResponse{Status: 200 + status, Description: filler(i + status), Schema: []byte(spec(i + status))})
		}
		d.Security = []DeclaredRequirement{{Name: "oauth", Kind: "oauth2", Scopes: strings.Fields(filler(2))}}
		c.Declarations = append(c.Declarations, d)
	}
	c.sort()
	return c
}

func encoded(t testing.TB, c *Capture) string {
	doc, err := c.Encode()
	require.NoError(t, err)
	return string(doc)
}

func TestShare(t *testing.T) {
	c := declaring(200)
	doc := encoded(t, c)
	require.Contains(t, doc[:30], `"version": "1.1"`)
	back, err := Parse([]byte(doc))
	require.NoError(t, err)
	require.Equal(t, c, back)
	require.Equal(t, doc, encoded(t, back))

	var plain bytes.Buffer
	for _, d := range c.Declarations {
		line, err := json.Marshal(d)
		require.NoError(t, err)
		plain.Write(line)
	}
	require.Less(t, len(doc)*3, plain.Len())
	for _, text := range []string{"This text is number 5. ", `"oauth"`} {
		line := doc[strings.Index(doc, text):]
		line = line[:strings.Index(line, "\n")]
		require.Equal(t, 1, strings.Count(doc, line), "%s is there once", text)
	}

	// Neither the order nor the grouping of what is merged shows.
	halves := []*Capture{declaring(200), declaring(120)}
	halves[0].Declarations = slices.Clone(halves[0].Declarations[80:])
	rand.New(rand.NewPCG(1, 1)).Shuffle(120, func(i, j int) {
		d := halves[0].Declarations
		d[i], d[j] = d[j], d[i]
	})
	require.Equal(t, doc, encoded(t, Merge(halves...)))
	slices.Reverse(halves)
	require.Equal(t, doc, encoded(t, Merge(halves...)))
}

// What is small, or has what would read as a reference, is written out.
func TestNothingIsShared(t *testing.T) {
	small := declaring(20)
	require.Contains(t, encoded(t, small)[:30], `"version": "1.0"`)
	same := declaring(200)
	same.Declarations[7].Body.Schema = []byte(`{"properties":{"$shared":{"const":{"$shared":"0123456789ab"}}}}`)
	doc := encoded(t, same)
	require.Contains(t, doc[:30], `"version": "1.0"`)
	back, err := Parse([]byte(doc))
	require.NoError(t, err)
	require.Equal(t, same, back)
}

// sharing is a capture file whose one response has the given schema.
func sharingFile(version, shared, schema string) string {
	return fmt.Sprintf(`{"version":%q,"name":"x","sealed":true,"hosts":[],"observations":[],"shared":{%s},
"declarations":[{"method":"GET","scheme":"https","host":"h","port":443,"path":"/a","responses":[{"status":200,"schema":%s}]}]}`, version, shared, schema)
}

func ref(name string) string { return `{"$shared":"` + name + `"}` }

func TestSharedObjects(t *testing.T) {
	bomb := []string{`"x0":{"a":[` + strings.Repeat("1,", 4000) + `1]}`}
	chain := []string{`"x0":{}`}
	for i := range 40 {
		below := ref(fmt.Sprint("x", i))
		bomb = append(bomb, fmt.Sprintf(`"x%d":{"a":%s,"b":%s}`, i+1, below, below))
	}
	for i := range 20_000 {
		chain = append(chain, fmt.Sprintf(`"x%d":%s`, i+1, ref(fmt.Sprint("x", i))))
	}
	for _, test := range []struct{ name, shared, schema, want string }{
		{"whole", `"a":{"type":"string"}`, ref("a"), ""},
		{"with spaces", `"a":{"b": { "$shared" : "c" } }, "c": {"d":[1]}`, ` { "$shared": "a" } `, ""},
		{"in a list", `"a":{"type":"string"}`, `{"anyOf":[` + ref("a") + `,` + ref("a") + `]}`, ""},
		{"unknown", ``, ref("a"), `no shared object "a"`},
		{"more members", `"a":{}`, `{"$shared":"a","type":"string"}`, "more members"},
		{"circle", `"a":{"x":` + ref("b") + `},"b":{"x":` + ref("a") + `}`, ref("a"), "hold themselves"},
		{"itself", `"a":` + ref("a"), ref("a"), "hold themselves"},
		{"chain", strings.Join(chain, ","), ref("x20000"), "hold themselves"},
		{"bomb", strings.Join(bomb, ","), ref("x40"), "more than 256 MB"},
		{"used often", strings.Join(bomb, ","), `[` + strings.Repeat(ref("x9")+",", 200) + ref("x9") + `]`, "more than 256 MB"},
		{"not an object", `"a":"b"`, `{"x":` + ref("a") + `}`, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			doc := sharingFile("1.1", test.shared, test.schema)
			require.Empty(t, FindSecrets([]byte(doc)))
			c, err := Parse([]byte(doc))
			if test.want != "" {
				require.ErrorContains(t, err, test.want)
				return
			}
			require.NoError(t, err)
			require.NotContains(t, string(c.Declarations[0].Responses[0].Schema), shareKey)
			require.True(t, json.Valid(c.Declarations[0].Responses[0].Schema))
		})
	}
	_, err := Parse([]byte(sharingFile("1.0", `"a":{}`, ref("a"))))
	require.ErrorContains(t, err, "does not share")
	_, err = Parse([]byte(strings.Replace(sharingFile("1.1", `"a":{"status":200,"password":1}`, "{}"), `[{"status"`, `[{"$shared":"a"},{"status"`, 1)))
	require.ErrorContains(t, err, "unknown field")
}

// Where a shared object is used tells whether it is a secret.
func TestFindSecretsInSharedObjects(t *testing.T) {
	for _, test := range []struct {
		shared, schema string
		want           []Secret
	}{
		{`"a":{"type":"string","default":"hunter2hunter2"}`, `{"properties":{"password":` + ref("a") + `}}`,
			[]Secret{{"/declarations/0/responses/0/schema/properties/password/default", "value of a sensitive property"}}},
		{`"a":{"x":` + ref("b") + `},"b":{"default":"hunter2hunter2"}`, `{"properties":{"password":` + ref("a") + `,"color":` + ref("b") + `}}`,
			[]Secret{{"/declarations/0/responses/0/schema/properties/password/x/default", "value of a sensitive property"}}},
		{`"a":{"password":{"const":"hunter2hunter2"}}`, `{"properties":` + ref("a") + `}`,
			[]Secret{{"/declarations/0/responses/0/schema/properties/password/const", "value of a sensitive property"}}},
		{`"a":{"description":"write to ada@example.com"}`, `{}`, []Secret{{"/shared/a/description", "e-mail address"}}},
		{`"a":{"type":"string","default":"red"}`, `{"properties":{"color":` + ref("a") + `}}`, nil},
	} {
		require.Equal(t, test.want, FindSecrets([]byte(sharingFile("1.1", test.shared, test.schema))))
	}
	// All the uses of 20 objects that hold each other twice are looked at once.
	bomb := `"x0":{"type":"string"}`
	for i := range 60 {
		bomb += fmt.Sprintf(`,"x%d":{"a":%s,"b":%s}`, i+1, ref(fmt.Sprint("x", i)), ref(fmt.Sprint("x", i)))
	}
	require.Empty(t, FindSecrets([]byte(sharingFile("1.1", bomb, ref("x60")))))
}

func BenchmarkEncode(b *testing.B) {
	c := declaring(500)
	b.SetBytes(int64(len(encoded(b, c))))
	b.ReportAllocs()
	for b.Loop() {
		_, err := c.Encode()
		require.NoError(b, err)
	}
}

func BenchmarkParse(b *testing.B) {
	doc := []byte(encoded(b, declaring(500)))
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		_, err := Parse(doc)
		require.NoError(b, err)
	}
}
