package main

import (
	"bytes"
	"compress/gzip"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tomallicino/caskmcp/capture"
	"github.com/tomallicino/caskmcp/compiler"
	"github.com/tomallicino/caskmcp/surface"
)

// TestCaptureAttackCases has a test for each case about what captures keep.
func TestCaptureAttackCases(t *testing.T) {
	doc, err := os.ReadFile(filepath.Join("testdata", "attack", "capture.json"))
	require.NoError(t, err)
	var cases []attack
	require.NoError(t, json.Unmarshal(doc, &cases))
	tests := captureCases()
	for _, c := range cases {
		f, tested := tests[c.ID]
		require.True(t, tested, "%s (%s) needs a test", c.ID, c.Input)
		t.Run(c.ID, f)
	}
}

const plantedJWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJwbGFudGVkLXVzZXIifQ.c2lnbmVkLWJ5LXBsYW50ZXI"

// call is one exchange of a recording, as HAR writes it.
type call struct {
	method, url     string // GET https://api.shop.test/v1/things
	headers         map[string]string
	mime, body      string
	responseHeaders map[string]string
	responseMIME    string // application/json
	response        string
	encoding        string
}

func (c call) entry() any {
	list := func(headers map[string]string) []any {
		out := []any{}
		for name, value := range headers {
			out = append(out, map[string]any{"name": name, "value": value})
		}
		return out
	}
	or := func(s, otherwise string) string {
		if s == "" {
			return otherwise
		}
		return s
	}
	request := map[string]any{"method": or(c.method, "GET"), "url": or(c.url, "https://api.shop.test/v1/things"), "httpVersion": "HTTP/1.1", "headers": list(c.headers)}
	if c.body != "" {
		request["method"] = or(c.method, "POST")
		request["postData"] = map[string]any{"mimeType": or(c.mime, "application/json"), "text": c.body}
	}
	content := map[string]any{"mimeType": or(c.responseMIME, "application/json"), "text": or(c.response, `{"ok":true}`)}
	if c.encoding != "" {
		content["encoding"] = c.encoding
	}
	return map[string]any{"request": request, "response": map[string]any{"status": 200, "headers": list(c.responseHeaders), "content": content}}
}

// imported records the calls twelve times each, so that nothing is left out for
// being rare, and goes on to the plan.
func imported(t *testing.T, calls ...call) *env {
	rec := &recorder{t: t}
	for _, c := range calls {
		for range 12 {
			rec.entries = append(rec.entries, c.entry())
		}
	}
	rec.entries = append(rec.entries, call{url: "https://api.shop.test/v1/mugs"}.entry())
	e, _, _ := testEnv(t)
	must(t, e, exitOK, "capture", "import", rec.write("in.har"), "-a", "api.shop.test", "--name", "shop")
	must(t, e, exitOK, "compile", "--name", "shop")
	must(t, e, exitOK, "plan", "--out", "shop.plan")
	must(t, e, exitOK, "apply", "--auto-approve")
	return e
}

// clean holds that no file and nothing that was said has any of the secrets, in
// any spelling.
func clean(t *testing.T, e *env, secrets ...string) {
	said := out(e) + e.Stderr.(*bytes.Buffer).String()
	require.NoError(t, filepath.WalkDir(e.Dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			doc, err := os.ReadFile(path)
			require.NoError(t, err)
			said += "\n" + path + "\n" + string(doc)
		}
		return err
	}))
	low := strings.ToLower(said)
	for _, secret := range secrets {
		for _, spelling := range spellings(secret) {
			require.NotContains(t, low, strings.ToLower(spelling), "a spelling of %q", secret)
		}
	}
}

// spellings are what a careless writer could have made of a secret.
func spellings(secret string) []string {
	escaped := ""
	for _, c := range secret {
		escaped += fmt.Sprintf(`\u%04x`, c)
	}
	out := []string{secret, escaped, hex.EncodeToString([]byte(secret)), url.QueryEscape(secret), url.PathEscape(secret), url.QueryEscape(url.QueryEscape(secret))}
	for _, enc := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
		for before := range 3 { // at any place of a longer text
			text := enc.EncodeToString([]byte(strings.Repeat("x", before) + secret))
			out = append(out, text[(before*4+2)/3:len(text)-4])
		}
	}
	for _, sum := range [][]byte{sum256(secret), sum1(secret), sumMD5(secret)} {
		out = append(out, hex.EncodeToString(sum)[:16], base64.StdEncoding.EncodeToString(sum)[:16])
	}
	return out
}

func sum256(s string) []byte { x := sha256.Sum256([]byte(s)); return x[:] }
func sum1(s string) []byte   { x := sha1.Sum([]byte(s)); return x[:] }
func sumMD5(s string) []byte { x := md5.Sum([]byte(s)); return x[:] }

func captureCases() map[string]func(*testing.T) {
	// gone plants secrets, and none of them is left.
	gone := func(secrets []string, calls ...call) func(*testing.T) {
		return func(t *testing.T) { clean(t, imported(t, calls...), secrets...) }
	}
	zipped := func(text string) string {
		var buf bytes.Buffer
		w := gzip.NewWriter(&buf)
		_, _ = w.Write([]byte(text))
		_ = w.Close()
		return base64.StdEncoding.EncodeToString(buf.Bytes())
	}
	twice := func(s string) string { return url.QueryEscape(url.QueryEscape(s)) }
	return map[string]func(*testing.T){
		"CAP-01": gone([]string{"plant-access-01"}, call{body: `[{"access_token":"plant-access-01"}]`, response: `[{"access_token":"plant-access-01"}]`}),
		"CAP-02": gone([]string{"plant-client-02"}, call{body: `{"client_secret":"plant-client-02"}`, response: `{"client_secret":"plant-client-02","a":{"clientSecret":"plant-client-02"}}`}),
		"CAP-04": gone([]string{plantedJWT, strings.Split(plantedJWT, ".")[1]}, call{body: `{"a":[[{"b":["` + plantedJWT + `"]}]]}`, response: `[[["` + plantedJWT + `"]]]`}),
		"CAP-05": gone([]string{"FwoGZXIvPlanted05", "hvs.Planted05VaultToken123", "plant-custom-05", "cGxhbnQtd3Mta2V5LTA1"}, call{headers: map[string]string{
			"X-Amz-Security-Token": "FwoGZXIvPlanted05", "X-Vault-Token": "hvs.Planted05VaultToken123", "X-Custom-Auth": "plant-custom-05", "Sec-WebSocket-Key": "cGxhbnQtd3Mta2V5LTA1"}}),
		"CAP-07": gone([]string{"plant-user-07", "plant-fragment-07", "plant-sig-07", "plantamz07deadbeef", "plant-code-07"},
			call{url: "https://ada:plant-user-07@api.shop.test/v1/things"}, call{url: "https://api.shop.test/v1/things#access_token=plant-fragment-07"},
			call{url: "https://api.shop.test/v1/files?sig=plant-sig-07"}, call{url: "https://api.shop.test/v1/files?X-Amz-Signature=plantamz07deadbeef"},
			call{url: "https://api.shop.test/v1/cb?code=plant-code-07&state=x"}),
		"CAP-08": gone([]string{"plant-location-08", "plant-link-08", "plant-referer-08", "plant-cookie-08", "plant-sent-08"},
			call{headers: map[string]string{"Referer": "https://shop.test/reset?token=plant-referer-08", "Cookie": "sid=plant-sent-08"},
				responseHeaders: map[string]string{"Location": "https://shop.test/cb#access_token=plant-location-08", "Link": `<https://api.shop.test/v1/things?token=plant-link-08>; rel="next"`, "Set-Cookie": "sid=plant-cookie-08; HttpOnly"}}),
		"CAP-10": gone([]string{"plant-gzip-10", "plant-base64-10", "plant-multi-10", "plant-form-10", "plant-xml-10", strings.Split(plantedJWT, ".")[1], "plant-torn-10"},
			call{url: "https://api.shop.test/v1/gz", response: zipped(`{"token":"plant-gzip-10"}`), encoding: "base64"},
			call{url: "https://api.shop.test/v1/b64", response: base64.StdEncoding.EncodeToString([]byte(`{"token":"plant-base64-10"}`)), encoding: "base64"},
			call{url: "https://api.shop.test/v1/jwt", response: base64.StdEncoding.EncodeToString([]byte(`{"x":"` + plantedJWT + `"}`)), encoding: "base64"},
			call{url: "https://api.shop.test/v1/torn", response: zipped(`{"token":"plant-torn-10"}`)[:24], encoding: "base64"},
			call{url: "https://api.shop.test/v1/multi", mime: "multipart/form-data; boundary=b", body: "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"plant-multi-10.txt\"\r\n\r\nplant-multi-10\r\n--b--\r\n"},
			call{url: "https://api.shop.test/v1/form", mime: "application/x-www-form-urlencoded", body: "user=ada&password=plant-form-10"},
			call{url: "https://api.shop.test/v1/xml", mime: "application/xml", body: "<token>plant-xml-10</token>", responseMIME: "application/xml", response: "<token>plant-xml-10</token>"}),
		"CAP-11": gone([]string{"plant-escape-11", "plant twice+11", "plant-param-11"},
			call{body: `{"note":"pl\u0061nt-\u0065scape-11","password":"\u0070lant-escape-11"}`},
			call{url: "https://api.shop.test/v1/things?token=" + twice("plant twice+11") + "&q=" + twice("plant twice+11")},
			call{mime: "application/x-www-form-urlencoded", body: "secret=" + twice("plant-param-11") + "&note=" + url.QueryEscape(`{"password":"plant-param-11"}`)}),
		"CAP-13": formatsStay,
		"CAP-14": gone([]string{"078-05-1120", "078051120", "90412", "41-1x-4711"}, call{body: `{"pin":"90412","ssn":"078-05-1120","tax":"078051120"}`, response: `{"pin":90412,"ssn":"078-05-1120","ref":"41-1x-4711"}`}),
		"CAP-16": func(t *testing.T) {
			// There is no way to keep values, in a work tree or anywhere.
			e, _, _ := testEnv(t)
			rec := &recorder{t: t, entries: []any{call{}.entry()}}
			must(t, e, exitError, "capture", "import", rec.write("in.har"), "-a", "api.shop.test", "--raw")
			require.Contains(t, e.Stderr.(*bytes.Buffer).String(), "unknown flag: --raw")
			require.NoDirExists(t, filepath.Join(e.Dir, ".caskmcp", "captures"))
		},
		"CAP-17": func(t *testing.T) {
			const token = "ghp_16C7e42F292c6912E7710c838347Ae178B4a"
			e := imported(t, call{url: "https://api.shop.test/v1/things?colour=red"})
			found, err := filepath.Glob(filepath.Join(e.Dir, ".caskmcp", "captures", "*.json"))
			require.NoError(t, err)
			require.Len(t, found, 1)
			replaceIn(t, found[0], `"colour"`, `"`+token+`"`)
			e = envIn(t, e.Dir)
			must(t, e, exitOK, "plan")
			must(t, e, exitChanges, "plan", "--detailed-exitcode")
			must(t, e, exitGate, "check")
			must(t, e, exitGate, "apply", "--auto-approve")
			require.Contains(t, out(e), "secrets.in_capture")
			require.NotContains(t, out(e)+e.Stderr.(*bytes.Buffer).String(), token)
		},
		"CAP-19": largeFileIsStreamed,
		"CAP-20": func(t *testing.T) {
			rec := &recorder{t: t, entries: []any{call{}.entry(), call{body: `{"a":1}`}.entry()}}
			whole, err := os.ReadFile(rec.write("in.har"))
			require.NoError(t, err)
			for name, x := range map[string]struct {
				doc  string
				code int
				text string
			}{
				"truncated":     {string(whole[:len(whole)/2]), exitError, "in.har"},
				"invalid UTF-8": {strings.Replace(string(whole), `{\"ok\":true}`, "{\\\"\xff\xfe\\\":true}", 1), exitOK, ""},
				"UTF-16":        {"\xff\xfe{\x00", exitError, "UTF-16"},
				"BOM":           {"\ufeff" + string(whole), exitOK, ""},
				"empty":         {"", exitError, "empty"},
			} {
				e, _, _ := testEnv(t)
				require.NoError(t, os.WriteFile(filepath.Join(e.Dir, "in.har"), []byte(x.doc), 0o644))
				must(t, e, x.code, "capture", "import", "in.har", "-a", "api.shop.test", "--name", "shop")
				said := e.Stderr.(*bytes.Buffer).String()
				require.Contains(t, said, x.text, name)
				require.NotContains(t, said, "panic", name)
				_, err := os.Stat(filepath.Join(e.Dir, ".caskmcp", "captures"))
				require.Equal(t, x.code == exitOK, err == nil, "%s: a failed import leaves nothing behind", name)
			}
		},
	}
}

// formatsStay holds that keeping no values costs no format: what is compiled
// from the written capture is what is compiled from the traffic.
func formatsStay(t *testing.T) {
	rec := &recorder{t: t}
	for i := range 12 {
		rec.entries = append(rec.entries, call{url: fmt.Sprintf("https://api.shop.test/v1/things/%d", 70000+i), response: fmt.Sprintf(
			`{"id":%d,"uuid":"1b4e28ba-2fa1-41d2-883f-0016d3cca4%02d","email":"a%d@shop.test","at":"2026-01-02T03:04:%02dZ","ulid":"01HF7YAT5Q9X8ZC3KMR4WN6P%02d","hex":"9f86d081884c7d659a2feaa0c55ad0%02d","day":"2026-01-%02d"}`,
			70000+i, 10+i, i, i, 10+i, 10+i, 10+i)}.entry())
	}
	file := rec.write("in.har")
	raw, _, err := capture.Observe(t.Context(), []string{file}, capture.Options{Name: "shop", Hosts: []string{"api.shop.test"}})
	require.NoError(t, err)
	want, err := compiler.Compile([]*capture.Capture{raw}, surface.Prior{}, compiler.Options{Name: "shop"})
	require.NoError(t, err)
	require.Len(t, want.Surface.Tools, 1)

	e, _, _ := testEnv(t)
	must(t, e, exitOK, "capture", "import", file, "-a", "api.shop.test", "--name", "shop")
	found, err := filepath.Glob(filepath.Join(e.Dir, ".caskmcp", "captures", "*.json"))
	require.NoError(t, err)
	sealed, err := capture.Read(found[0])
	require.NoError(t, err)
	got, err := compiler.Compile([]*capture.Capture{sealed}, surface.Prior{}, compiler.Options{Name: "shop"})
	require.NoError(t, err)
	require.Equal(t, want.Surface, got.Surface)
	schema := string(got.Surface.Tools[0].OutputSchema)
	for _, keyword := range []string{`"uuid":{"format":"uuid"`, `"email":{"format":"email"`, `"at":{"format":"date-time"`, `"day":{"format":"date"`, `"id":{"type":"integer"}`} {
		require.Contains(t, schema, keyword)
	}
	clean(t, e, "1b4e28ba-2fa1", "@shop.test", "01HF7YAT5Q9X", "9f86d081884c", "70003")
}

// largeFileIsStreamed imports a file that is larger than the memory it may
// take: entries are read one at a time.
func largeFileIsStreamed(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("other systems count memory in other units")
	}
	name := filepath.Join(t.TempDir(), "large.har")
	f, err := os.Create(name)
	require.NoError(t, err)
	body := `{"items":[` + strings.TrimSuffix(strings.Repeat(`{"name":"`+strings.Repeat("word ", 2000)+`","total":5},`, 12), ",") + `]}`
	entry, err := json.Marshal(call{response: body}.entry())
	require.NoError(t, err)
	_, err = f.WriteString(`{"log":{"version":"1.2","entries":[`)
	require.NoError(t, err)
	const size = 96 << 20
	for written := 0; written < size; written += len(entry) + 1 {
		if written > 0 {
			_, err = f.WriteString(",")
			require.NoError(t, err)
		}
		_, err = f.Write(entry)
		require.NoError(t, err)
	}
	_, err = f.WriteString(`]}}`)
	require.NoError(t, err)
	require.NoError(t, f.Close())

	program, err := exec.LookPath("caskmcp") // this test binary: TestMain put it there
	require.NoError(t, err)
	cmd := exec.Command(program, "capture", "import", name, "-a", "api.shop.test", "--name", "shop", "--dry-run")
	cmd.Dir = t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(cmd.Dir, ".caskmcp"), 0o755))
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	require.NoError(t, cmd.Start())
	done := make(chan error)
	go func() { done <- cmd.Wait() }()
	used := int64(0)
	for running := true; running; {
		select {
		case err := <-done:
			require.NoError(t, err, said.String())
			running = false
		case <-time.After(5 * time.Millisecond):
			used = max(used, peakMemory(cmd.Process.Pid))
		}
	}
	require.Contains(t, said.String(), "would be written")
	require.Positive(t, used)
	t.Logf("%d MiB of memory for a file of %d MiB", used>>20, size>>20)
	require.Less(t, used, int64(size)*3/4, "the file is not held in memory")
}

// peakMemory is the most memory that a process has had so far, in bytes; 0 when
// it is gone. The usage that a parent is told of counts the parent's own.
func peakMemory(pid int) int64 {
	doc, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(doc), "VmHWM:")
	var kilobytes int64
	_, _ = fmt.Sscan(rest, &kilobytes)
	return kilobytes << 10
}
