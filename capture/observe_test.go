package capture

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// observe imports files for a host.
func observe(t testing.TB, host string, files ...string) (*Capture, *Report) {
	t.Helper()
	c, report, err := Observe(t.Context(), files, Options{Name: "test", Hosts: []string{host}})
	require.NoError(t, err)
	return c, report
}

func write(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// har is a HAR document of some entries.
func har(entries ...string) string {
	return `{"log":{"version":"1.2","creator":{"name":"test","version":"1"},"entries":[` + strings.Join(entries, ",\n") + `]}}`
}

// entry is the HAR entry of a call that sends nothing.
func entry(method, url string, status int, mime, body string) string {
	return fmt.Sprintf(`{"request":{"method":%q,"url":%q,"headers":[]},"response":{"status":%d,"headers":[],"content":{"mimeType":%q,"text":%s}}}`, method, url, status, mime, quote(body))
}

func post(url, mime, body string) string { return posted(url, mime, body, "{}") }

func posted(url, mime, body, answer string) string {
	return fmt.Sprintf(`{"request":{"method":"POST","url":%q,"headers":[],"postData":{"mimeType":%q,"text":%s}},"response":{"status":200,"headers":[],"content":{"mimeType":"application/json","text":%s}}}`, url, mime, quote(body), quote(answer))
}

func quote(text string) string {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	if err := enc.Encode(text); err != nil {
		panic(err)
	}
	return strings.TrimSpace(buf.String())
}

// one returns the observation of a method and path.
func one(t testing.TB, c *Capture, method, path string) Observation {
	t.Helper()
	var paths []string
	for _, o := range c.Observations {
		if o.Method == method && o.Path == path {
			return o
		}
		paths = append(paths, o.Method+" "+o.Path)
	}
	t.Fatalf("no %s %s among %q", method, path, paths)
	return Observation{}
}

func names(list []Parameter) []string {
	var out []string
	for _, p := range list {
		out = append(out, p.Name)
	}
	return out
}

func shape(t testing.TB, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	require.NoError(t, err)
	return string(data)
}

func TestChrome(t *testing.T) {
	c, report := observe(t, "api.shop.example", "testdata/chrome.har")
	require.Len(t, c.Observations, 3)
	list := one(t, c, "GET", "/v1/orders")
	require.Equal(t, []string{"page", "per_page", "status"}, names(list.Query))
	require.Equal(t, 1, list.Query[0].Shape.Integers.Count)
	require.Equal(t, []string{"x-tenant"}, names(list.Headers))
	require.Equal(t, []Auth{{Kind: "cookie", In: "cookie", Name: "sid", Count: 1}}, list.Auth)
	require.Equal(t, 1, list.Traits[TraitLinkNext])
	require.Equal(t, "application/json", list.ResponseType)
	detail := one(t, c, "GET", "/v1/orders/{int}")
	require.Equal(t, []Segment{{Index: 2, Classes: map[string]int{"int": 1}, Distinct: 1, EchoOwn: 1, EchoKeys: map[string]int{"id": 1}}}, detail.Segments)
	create := one(t, c, "POST", "/v1/orders")
	require.Equal(t, []Auth{{Kind: "cookie", In: "cookie", Name: "sid", Count: 1}, {Kind: "csrf", In: "header", Name: "x-csrf-token", Count: 1}}, create.Auth)
	require.Empty(t, create.Headers)
	require.NotNil(t, create.Request.Objects.Properties["sku"])
	require.Equal(t, []Dropped{
		{"HTML page", 1}, {"aborted or failed", 1}, {"asset", 1}, {"other host", 1}, {"preflight, HEAD or OPTIONS", 1}, {"websocket", 1},
	}, c.Dropped)
	require.Equal(t, 3, report.Bodies.Present)
	require.Equal(t, []HostCount{{"www.google-analytics.com", 1}}, report.Foreign)
	require.Contains(t, report.String(), "3 of 3 API exchanges have bodies.\nLeft out 6 of 9 exchanges:\n")
}

func TestChromeSanitised(t *testing.T) {
	c, report := observe(t, "api.shop.example", "testdata/chrome-sanitised.har")
	require.Equal(t, []Auth{{Kind: "unknown", Count: 1}}, one(t, c, "GET", "/v1/orders/{int}").Auth)
	require.Equal(t, []Auth{{Kind: "apiKey", In: "header", Name: "x-api-key", Count: 1}}, one(t, c, "GET", "/v1/me").Auth)
	require.Equal(t, 1, report.UnknownAuth)
	require.Contains(t, report.String(), "1 of 2 API exchanges have bodies; 1 lack them because:\n      1  not kept by the browser")
}

func TestFirefox(t *testing.T) {
	c, report := observe(t, "api.shop.example:8443", "testdata/firefox.har")
	search := one(t, c, "GET", "/search/café%2Fbar")
	require.Equal(t, []string{"q", "tag"}, names(search.Query))
	require.Equal(t, 1, search.Query[0].Count)
	require.Equal(t, 1, search.Query[0].Repeated)
	require.Equal(t, 2, search.Query[0].Shape.Total())
	require.Equal(t, 8443, search.Port)
	require.Equal(t, "text/plain", search.ResponseType)
	require.Equal(t, 1, search.ResponseBodies, "mislabelled text is a body")
	require.Equal(t, []Auth{{Kind: "bearer", In: "header", Name: "authorization", Count: 1}}, search.Auth)
	login := one(t, c, "POST", "/login")
	require.NotNil(t, login.Response.Objects.Properties["ok"])
	require.Contains(t, login.Request.Objects.Properties, "password")
	require.NotContains(t, login.Request.Objects.Properties, "csrf_token")
	require.Equal(t, []Auth{{Kind: "none", Count: 1}}, login.Auth)
	require.Equal(t, 2, report.Bodies.Present)
}

func TestPlaywright(t *testing.T) {
	attached, report := observe(t, "127.0.0.1", "testdata/playwright.har")
	create := one(t, attached, "POST", "/api/items")
	require.Equal(t, []Auth{{Kind: "basic", In: "header", Name: "authorization", Count: 1}}, create.Auth)
	require.Contains(t, create.Request.Objects.Properties, "name")
	require.Contains(t, create.Response.Objects.Properties, "price")
	list := one(t, attached, "GET", "/api/items")
	require.Equal(t, 1, list.Response.Arrays.Empty)
	require.Equal(t, 2, report.Bodies.Present)
	require.Equal(t, []Dropped{{"aborted or failed", 1}}, attached.Dropped)

	zipped, _ := observe(t, "127.0.0.1:9090", archive(t, map[string]string{
		"har.har": read(t, "testdata/playwright.har"),
		"1111111111111111111111111111111111111111.json": read(t, "testdata/1111111111111111111111111111111111111111.json"),
		"2222222222222222222222222222222222222222.json": read(t, "testdata/2222222222222222222222222222222222222222.json"),
	}))
	require.Equal(t, attached.Observations, zipped.Observations)

	_, report = observe(t, "127.0.0.1", write(t, "moved.har", read(t, "testdata/playwright.har")))
	require.Equal(t, []Dropped{{"request: the body's file is missing", 1}, {"the body's file is missing", 1}}, report.Lost)
}

func read(t testing.TB, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(data)
}

func archive(t testing.TB, members map[string]string) string {
	t.Helper()
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	for name, text := range members {
		f, err := w.Create(name)
		require.NoError(t, err)
		_, err = f.Write([]byte(text))
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return write(t, "recording.zip", buf.String())
}

func TestBadInput(t *testing.T) {
	chrome := read(t, "testdata/chrome.har")
	for _, test := range []struct {
		name, text string
		reason     string
		entry      int
	}{
		{"truncated", chrome[:len(chrome)/2], "the file ends in the middle", 1},
		{"broken entry", har(`{"request":{"method":"GET","url":"https://h/","headers":[}}`), "no HAR entry", 0},
		{"text after", har() + "x", `'x' after the document`, -1},
		{"no comma", `{"log":{"entries":[{} {}]}}`, `'{' where ',' is expected`, 0},
		{"empty", "", "the file is empty", -1},
		{"UTF-16", "\xff\xfe{\x00", "the file is UTF-16, HAR is UTF-8", -1},
		{"not HAR", `{"openapi":"3.1.0"}`, "it is no HAR file: it has no log.entries", -1},
		{"array", `[]`, "it is no HAR file: it has no log.entries", -1},
		{"text", `hello`, "it is no HAR file: it has no log.entries", -1},
		{"entry is no object", har(`7`), "no HAR entry", 0},
		{"gzip", "\x1f\x8b\x08\x00", "the file is compressed with gzip", -1},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, _, err := Observe(t.Context(), []string{write(t, "in.har", test.text)}, Options{Name: "x", Hosts: []string{"h"}})
			var file *FileError
			require.ErrorAs(t, err, &file)
			require.Equal(t, test.reason, file.Reason)
			require.Equal(t, test.entry, file.Entry)
			require.Contains(t, err.Error(), "reading ")
		})
	}
}

func TestLimits(t *testing.T) {
	path := write(t, "in.har", har(entry("GET", "https://h/a", 200, "application/json", `{"a":"`+strings.Repeat("x", 5000)+`"}`)))
	_, _, err := Observe(t.Context(), []string{path}, Options{Name: "x", Hosts: []string{"h"}, MaxFile: 1000})
	require.ErrorContains(t, err, "the limit is 0 MB; raise --max-file or split it")
	_, report, err := Observe(t.Context(), []string{path}, Options{Name: "x", Hosts: []string{"h"}, MaxBody: 1000})
	require.NoError(t, err)
	require.Equal(t, []Dropped{{"larger than the limit for bodies", 1}}, report.Lost)

	_, _, err = Observe(t.Context(), []string{"testdata/none.har"}, Options{Name: "x", Hosts: []string{"h"}})
	require.ErrorIs(t, err, os.ErrNotExist)
	_, _, err = Observe(t.Context(), []string{t.TempDir()}, Options{Name: "x", Hosts: []string{"h"}})
	require.ErrorContains(t, err, "no regular file")
	_, _, err = Observe(t.Context(), []string{path}, Options{Name: "x", Hosts: []string{"https://h/"}})
	require.ErrorContains(t, err, "write host, host:port or *.host")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err = Observe(ctx, []string{path}, Options{Name: "x", Hosts: []string{"h"}})
	require.ErrorIs(t, err, context.Canceled)
}

func TestLargeEntries(t *testing.T) {
	big := `{"a":"` + strings.Repeat("x", largeEntry) + `"}`
	var entries []string
	for i := range 6 {
		body := big
		if i%2 == 0 {
			body = `{"a":"x"}`
		}
		entries = append(entries, entry("GET", "https://h/a", 200, "application/json", body))
	}
	c, report := observe(t, "h", write(t, "in.har", har(entries...)))
	require.Equal(t, 6, one(t, c, "GET", "/a").Response.Objects.Count)
	require.Equal(t, 6, report.Bodies.Present)

	path := write(t, "in.har", har(append(entries, entry("GET", "https://h/b", 200, "text/plain", strings.Repeat("y", 12<<20)))...))
	_, report, err := Observe(t.Context(), []string{path}, Options{Name: "x", Hosts: []string{"h"}, MaxBody: 1 << 20})
	require.NoError(t, err)
	require.Equal(t, []Dropped{{"entry larger than the limit", 1}}, report.Dropped)
	require.Equal(t, []Dropped{{"larger than the limit for bodies", 3}}, report.Lost)
}

func TestArchivesThatAreRefused(t *testing.T) {
	for name, test := range map[string]struct {
		members map[string]string
		want    string
	}{
		"traversal": {map[string]string{"har.har": har(), "../../etc/passwd": "x"}, "leads out of it"},
		"absolute":  {map[string]string{"har.har": har(), "/etc/passwd": "x"}, "leads out of it"},
		"backslash": {map[string]string{"har.har": har(), `..\x`: "x"}, "leads out of it"},
		"no HAR":    {map[string]string{"a.json": "{}"}, "no HAR document"},
		"two":       {map[string]string{"a.har": har(), "b.har": har()}, "more than one"},
		"bomb":      {map[string]string{"har.har": har(), "a.bin": strings.Repeat("\x00", 3<<20)}, "unpacks to more than 2 MB"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := Observe(t.Context(), []string{archive(t, test.members)}, Options{Name: "x", Hosts: []string{"h"}, MaxFile: 2 << 20})
			require.ErrorContains(t, err, test.want)
		})
	}
	_, _, err := Observe(t.Context(), []string{write(t, "x.zip", "PK\x03\x04broken")}, Options{Name: "x", Hosts: []string{"h"}})
	require.ErrorContains(t, err, "the archive is damaged")
}

func TestNoMatchingHost(t *testing.T) {
	_, report, err := Observe(t.Context(), []string{"testdata/chrome.har"}, Options{Name: "x", Hosts: []string{"api.other.example"}})
	var none *NoHostError
	require.ErrorAs(t, err, &none)
	require.Equal(t, "no exchange with api.other.example; pass the API's host with -a. Seen: api.shop.example (8) www.google-analytics.com (1)", err.Error())
	require.Equal(t, 9, report.Exchanges)
}

func TestHosts(t *testing.T) {
	for _, test := range []struct {
		pattern, host string
		port          int
		want          bool
	}{
		{"a.example", "a.example", 443, true}, {"a.example", "a.example", 8443, true}, {"a.example:443", "a.example", 443, true},
		{"a.example:443", "a.example", 80, false}, {"*.example", "a.example", 443, true}, {"*.example", "a.b.example", 443, true},
		{"*.example", "example", 443, false}, {"*.example", "badexample", 443, false}, {"A.Example.", "a.example", 443, true},
		{"[::1]:80", "::1", 80, true}, {"::1", "::1", 9, true}, {"127.0.0.1", "127.0.0.1", 9090, true}, {"bücher.example", "xn--bcher-kva.example", 443, true},
	} {
		list, err := parseHosts([]string{test.pattern})
		require.NoError(t, err)
		require.Equal(t, test.want, list.allows(test.host, test.port), "%s %s:%d", test.pattern, test.host, test.port)
	}
	for _, bad := range []string{"", "https://x", "x/y", "a:b", "*.", "*", "a:0", "a:70000", "a b"} {
		_, err := parseHosts([]string{bad})
		require.Error(t, err, bad)
	}
}

// sample is traffic that has a bit of everything.
func sample(r *rand.Rand, n int) []string {
	words := []string{"ada", "grace", "linus", "search", "blue-lamp", "v2"}
	var entries []string
	for range n {
		w := words[r.IntN(len(words))]
		switch r.IntN(7) {
		case 0:
			entries = append(entries, entry("GET", "https://h.example/users/"+w, 200, "application/json", fmt.Sprintf(`{"login":%q,"id":%d}`, w, r.IntN(100))))
		case 1:
			entries = append(entries, entry("GET", fmt.Sprintf("https://h.example/orders/%d?page=%d", 10000+r.IntN(400), r.IntN(9)), 200, "application/json", fmt.Sprintf(`[{"state":%q}]`, w)))
		case 2:
			entries = append(entries, entry("GET", "https://h.example/users/"+w, 404, "application/json", `{"error":"x"}`))
		case 3:
			entries = append(entries, post("https://h.example/graphql", "application/json", fmt.Sprintf(`{"query":"query Q%d { user(login: %q) { id } }"}`, r.IntN(3), `\"`+w+`\"`)))
		case 4:
			entries = append(entries, post("https://h.example/form", formType, "a="+w+"&b=1"))
		case 5:
			entries = append(entries, entry("GET", "https://other.example/x.js", 200, "text/javascript", "x"))
		default:
			entries = append(entries, entry("GET", "https://h.example/logo.png", 200, "image/png", "x"))
		}
	}
	return entries
}

func TestOrderAndSplitDoNotMatter(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	entries := sample(r, 600)
	encode := func(files ...string) string {
		c, report := observe(t, "h.example", files...)
		data, err := c.encode()
		require.NoError(t, err)
		report.Files = 0
		return string(data) + shape(t, report)
	}
	want := encode(write(t, "all.har", har(entries...)))
	for range 4 {
		r.Shuffle(len(entries), func(i, j int) { entries[i], entries[j] = entries[j], entries[i] })
		require.Equal(t, want, encode(write(t, "shuffled.har", har(entries...))))
		var files []string
		for part := range slices.Chunk(entries, 1+r.IntN(200)) {
			files = append(files, write(t, "part.har", har(part...)))
		}
		require.Equal(t, want, encode(files...))
		slices.Reverse(files)
		require.Equal(t, want, encode(files...))
	}
}

func TestSameFileTwice(t *testing.T) {
	copied := write(t, "copy.har", read(t, "testdata/chrome.har"))
	once, _ := observe(t, "api.shop.example", "testdata/chrome.har")
	twice, report := observe(t, "api.shop.example", "testdata/chrome.har", copied)
	require.Equal(t, once, twice)
	require.Equal(t, 1, report.Duplicate)
}

func TestMergeOfCapturesIsAMonoid(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	var captures []*Capture
	for range 3 {
		c, _ := observe(t, "h.example", write(t, "in.har", har(sample(r, 80)...)))
		captures = append(captures, c)
	}
	a, b, c := captures[0], captures[1], captures[2]
	before := shape(t, captures)
	require.Equal(t, Merge(a, b), Merge(b, a))
	require.Equal(t, Merge(Merge(a, b), c), Merge(a, Merge(b, c)))
	require.Equal(t, Merge(a, b, c), Merge(a, Merge(b, c)))
	require.Equal(t, shape(t, a), shape(t, Merge(a, nil)))
	require.Equal(t, before, shape(t, captures), "Merge changes no argument")
	require.False(t, Merge(a).Sealed)
	total := 0
	for _, o := range Merge(a, b, c).Observations {
		total += o.Count
	}
	for _, c := range captures {
		for _, o := range c.Observations {
			total -= o.Count
		}
	}
	require.Zero(t, total)
}

func TestProgress(t *testing.T) {
	var last Progress
	_, _, err := Observe(t.Context(), []string{write(t, "in.har", har(sample(rand.New(rand.NewPCG(1, 1)), 600)...))},
		Options{Name: "x", Hosts: []string{"h.example"}, Progress: func(p Progress) { last = p }})
	require.NoError(t, err)
	require.Equal(t, 512, last.Exchanges)
	require.Positive(t, last.Bytes)
}

func TestErrorsAreOfOneEntryAndStable(t *testing.T) {
	entries := sample(rand.New(rand.NewPCG(1, 1)), 50)
	entries[7], entries[30] = `{"request":7}`, `{"request":8}`
	path := write(t, "in.har", har(entries...))
	for range 5 {
		_, _, err := Observe(t.Context(), []string{path}, Options{Name: "x", Hosts: []string{"h.example"}})
		var file *FileError
		require.True(t, errors.As(err, &file))
		require.Equal(t, 7, file.Entry)
	}
}
