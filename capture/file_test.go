package capture

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// sealed is a capture that may be written.
func sealed(t testing.TB) *Capture {
	t.Helper()
	c, _ := observe(t, "h.example", write(t, "in.har", har(sample(rand.New(rand.NewPCG(9, 9)), 60)...)))
	for i := range c.Observations {
		o := &c.Observations[i]
		o.Request, o.Response = o.Request.Seal(Sensitive), o.Response.Seal(Sensitive)
	}
	c.Sealed = true
	c.Declarations = []Declaration{{Method: "GET", Scheme: "https", Host: "h.example", Port: 443, Path: "/users/{id}", Responses: []DeclaredResponse{{Status: 200, Schema: []byte(`{"maximum":9223372036854775807}`)}}}}
	return c
}

func TestFileRoundTrip(t *testing.T) {
	c := sealed(t)
	data, err := c.Encode()
	require.NoError(t, err)
	back, err := Parse(data)
	require.NoError(t, err)
	again, err := back.Encode()
	require.NoError(t, err)
	require.Equal(t, string(data), string(again))
	require.Equal(t, len(c.Observations)+len(c.Declarations), strings.Count(string(data), "\n{\"method\""), "one line an observation")

	name, err := c.FileName()
	require.NoError(t, err)
	require.Regexp(t, `^test-[0-9a-f]{8}\.json$`, name)
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, data, 0o600))
	fromFile, err := Read(path)
	require.NoError(t, err)
	require.Equal(t, back, fromFile)
	_, err = Read(filepath.Join(t.TempDir(), "none.json"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestUnsealedIsNotWritten(t *testing.T) {
	c := sealed(t)
	c.Sealed = false
	_, err := c.Encode()
	require.ErrorIs(t, err, ErrUnsealed)
	_, err = c.FileName()
	require.ErrorIs(t, err, ErrUnsealed)
	data, err := c.encode()
	require.NoError(t, err)
	_, err = Parse(data)
	require.ErrorIs(t, err, ErrUnsealed)
}

func TestParseRefuses(t *testing.T) {
	data, err := sealed(t).Encode()
	require.NoError(t, err)
	text := string(data)
	line := text[strings.Index(text, "{\"method\""):]
	line = line[:strings.Index(line, "\n")]
	for _, test := range []struct{ name, text, want string }{
		{"nothing", "", "no capture"},
		{"other JSON", "[]", "no capture"},
		{"version", strings.Replace(text, `"1.0"`, `"2.0"`, 1), `capture format "2.0" is not known`},
		{"unknown field", strings.Replace(text, `"sealed"`, `"extra": 1, "sealed"`, 1), "unknown field"},
		{"duplicate key", strings.Replace(text, `"sealed": true`, `"sealed": true, "sealed": true`, 1), `the key "sealed" twice`},
		{"deep duplicate key", strings.Replace(text, `{"count":`, `{"count":1,"count":`, 1), `the key "count" twice`},
		{"text after", text + "{}", "text after the value"},
		{"twice", strings.Replace(text, line, strings.TrimSuffix(line, ",")+",\n"+line, 1), "is there twice"},
		{"name", strings.Replace(text, `"test"`, `"../test"`, 1), "no name of a capture"},
		{"method", strings.Replace(text, `"method":"GET"`, `"method":"G T"`, 1), "method"},
		{"scheme", strings.Replace(text, `"scheme":"https"`, `"scheme":"file"`, 1), "scheme"},
		{"host", strings.Replace(text, `"host":"h.example"`, `"host":"H.example/"`, 1), "host"},
		{"port", strings.Replace(text, `"port":443`, `"port":0`, 1), "port"},
		{"path", strings.Replace(text, `"path":"/`, `"path":"`, 1), "path"},
		{"status", strings.Replace(text, `"status":200`, `"status":7`, 1), "status"},
		{"count", strings.Replace(text, `,"count":`, `,"count":-`, 1), "count"},
		{"media type", strings.Replace(text, `"response_type":"application/json"`, `"response_type":"nonsense"`, 1), "media type"},
		{"cut off", text[:len(text)-20], "no capture"},
	} {
		t.Run(test.name, func(t *testing.T) {
			require.NotEqual(t, text, test.text)
			_, err := Parse([]byte(test.text))
			require.ErrorContains(t, err, test.want)
		})
	}
}

func FuzzParse(f *testing.F) {
	data, err := sealed(f).Encode()
	require.NoError(f, err)
	f.Add(data)
	f.Add([]byte(`{"version":"1.0","name":"x","sealed":true,"hosts":[],"observations":[]}`))
	f.Add([]byte(sharingFile("1.1", `"a":{"b":`+ref("c")+`},"c":{"d":[1]}`, ref("a"))))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse(data)
		if err != nil {
			return
		}
		first, err := c.Encode()
		require.NoError(t, err)
		back, err := Parse(first)
		require.NoError(t, err)
		second, err := back.Encode()
		require.NoError(t, err)
		require.True(t, bytes.Equal(first, second))
		merged, err := Merge(c).Encode()
		require.NoError(t, err)
		_, err = Parse(merged)
		require.NoError(t, err)
		FindSecrets(data)
	})
}

func FuzzHAR(f *testing.F) {
	for _, name := range []string{"chrome", "chrome-sanitised", "firefox", "playwright"} {
		f.Add([]byte(read(f, "testdata/"+name+".har")), uint8(0))
	}
	f.Add([]byte(har(post("https://api.shop.example/graphql", "application/json", `{"query":"{a(b:\"c\")}"}`))), uint8(3))
	f.Fuzz(func(t *testing.T, data []byte, _ uint8) {
		path := write(t, "in.har", string(data))
		opt := Options{Name: "x", Hosts: []string{"api.shop.example", "127.0.0.1"}, MaxBody: 1 << 16}
		c, report, err := Observe(t.Context(), []string{path}, opt)
		if err != nil {
			require.NotEmpty(t, err.Error())
			return
		}
		require.NotEmpty(t, report.String())
		first, err := c.encode()
		require.NoError(t, err)
		again, _, err := Observe(t.Context(), []string{path}, opt)
		require.NoError(t, err)
		second, err := again.encode()
		require.NoError(t, err)
		require.Equal(t, string(first), string(second))
		c.Sealed = true
		data, err = c.Encode()
		require.NoError(t, err)
		_, err = Parse(data)
		require.NoError(t, err)
	})
}

func BenchmarkObserve(b *testing.B) {
	text := har(sample(rand.New(rand.NewPCG(3, 3)), 20_000)...)
	path := write(b, "in.har", text)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		_, _, err := Observe(b.Context(), []string{path}, Options{Name: "x", Hosts: []string{"h.example"}})
		require.NoError(b, err)
	}
}
