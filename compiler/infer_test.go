package compiler

import (
	"context"
	"encoding/json"
	"math/rand"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tomallicino/caskmcp/capture"
)

// observed imports a HAR file.
func observed(tb testing.TB, file string) []capture.Observation {
	tb.Helper()
	c, _, err := capture.Observe(context.Background(), []string{file}, capture.Options{Name: "test", Hosts: []string{"api.hard.example", "api.example.com"}})
	require.NoError(tb, err)
	return c.Observations
}

// recorded imports exchanges written one a line: "GET /users/7 200 {…}", and
// "POST /users 201 {…} <- {…}" with what was sent.
func recorded(tb testing.TB, lines string) []capture.Observation {
	tb.Helper()
	var entries []any
	for line := range strings.Lines(lines) {
		f := strings.SplitN(strings.TrimSpace(line), " ", 4)
		if len(f) < 3 {
			continue
		}
		status, err := strconv.Atoi(f[2])
		require.NoError(tb, err)
		content := map[string]any{"mimeType": "application/json"}
		request := map[string]any{"method": f[0], "url": "https://api.example.com" + f[1]}
		if len(f) == 4 {
			answer, sent, _ := strings.Cut(f[3], "<- ")
			content["text"] = strings.TrimSpace(answer)
			if sent != "" {
				request["postData"] = map[string]any{"mimeType": "application/json", "text": sent}
			}
		}
		entries = append(entries, map[string]any{
			"startedDateTime": "2026-03-02T09:00:00Z",
			"_resourceType":   "fetch",
			"request":         request,
			"response":        map[string]any{"status": status, "content": content},
		})
	}
	doc, err := json.Marshal(map[string]any{"log": map[string]any{"version": "1.2", "entries": entries}})
	require.NoError(tb, err)
	file := filepath.Join(tb.TempDir(), "recorded.har")
	require.NoError(tb, os.WriteFile(file, doc, 0o600))
	return observed(tb, file)
}

// templates lists what was inferred, "METHOD /path", sorted.
func templates(obs []capture.Observation, assigned []string) []string {
	var out []string
	for i, o := range obs {
		out = append(out, o.Method+" "+assigned[i])
	}
	sort.Strings(out)
	return slices.Compact(out)
}

func inferred(tb testing.TB, lines string) []string {
	tb.Helper()
	obs := recorded(tb, lines)
	assigned, _ := inferTemplates(obs, nil, nil)
	return templates(obs, assigned)
}

func TestInferTemplates(t *testing.T) {
	for name, c := range map[string]struct {
		traffic string
		want    []string
	}{
		"numbers": {`
			GET /orders/10231 200 {"id":10231,"status":"open","total":1}
			GET /orders/7 200 {"id":7,"status":"open","total":1}
			POST /orders/7/cancel 200 {"ok":true}`,
			[]string{"GET /orders/{}", "POST /orders/{}/cancel"}},
		"names and literals beside them": {`
			GET /users/alice 200 {"username":"alice","email":"a@example.com","plan":"x"}
			GET /users/bob 200 {"username":"bob","email":"b@example.com","plan":"x"}
			GET /users/carol/followers 200 [{"username":"alice"}]
			GET /users/bob/followers 200 [{"username":"carol"}]
			GET /users/me 200 {"username":"alice","email":"a@example.com","plan":"x"}
			GET /users/search 200 [{"username":"bob"}]`,
			[]string{"GET /users/me", "GET /users/search", "GET /users/{}", "GET /users/{}/followers"}},
		"two names": {`
			GET /repos/acme/rocket/issues 200 [{"number":4}]
			GET /repos/acme/beacon-io/issues 200 [{"number":9}]
			GET /repos/acme/rocket 200 {"name":"rocket","owner":{"login":"acme"},"stars":1}
			GET /repos/globex/sparrow 200 {"name":"sparrow","owner":{"login":"globex"},"stars":1}
			GET /repos/globex/sparrow/pulls 200 [{"number":9}]
			GET /repos/acme/rocket/pulls 200 [{"number":9}]`,
			[]string{"GET /repos/{}/{}", "GET /repos/{}/{}/issues", "GET /repos/{}/{}/pulls"}},
		"settings of one shape": {`
			GET /settings/email 200 {"enabled":true,"frequency":"daily","at":1}
			GET /settings/push 200 {"enabled":true,"frequency":"daily","at":1}
			GET /settings/sms 200 {"enabled":true,"frequency":"daily","at":1}`,
			[]string{"GET /settings/email", "GET /settings/push", "GET /settings/sms"}},
		"collections at the root": {`
			GET /countries 200 [{"code":"x","label":"y","n":1}]
			GET /currencies 200 [{"code":"x","label":"y","n":1}]
			GET /timezones 200 [{"code":"x","label":"y","n":1}]`,
			[]string{"GET /countries", "GET /currencies", "GET /timezones"}},
		"extensions": {`
			GET /exports/991.csv 200
			GET /exports/992.csv 200
			GET /config/client.json 200 {"a":1}`,
			[]string{"GET /config/client.json", "GET /exports/{}.csv"}},
		"an extension where the path ends, none where it goes on": {`
			GET /posts/12.json 200 {"id":12}
			GET /posts/14.json 200 {"id":14}
			GET /posts/12/likes.json 200 []`,
			[]string{"GET /posts/{}.json", "GET /posts/{}/likes.json"}},
		"extensions that vary": {`
			GET /raw/README.md 200
			GET /raw/src%2Fmain.go 200
			GET /raw/go.mod 200`,
			[]string{"GET /raw/{}"}},
		"ranges": {`
			GET /compare/main...dev 200 {"ahead":1}
			GET /compare/v1.0.0...v1.1.0 200 {"ahead":1}`,
			[]string{"GET /compare/{}...{}"}},
		"custom methods": {`
			POST /projects/p-71/topics/orders:publish 200 {}
			POST /projects/p-71/topics/users:publish 200 {}`,
			[]string{"POST /projects/{}/topics/{}:publish"}},
		"pairs": {`
			GET /repos/acme:web/tree 200 []
			GET /repos/globex:core/tree 200 []`,
			[]string{"GET /repos/{}:{}/tree"}},
		"a common head": {`
			GET /-/user/org.couchdb.user:ada 200 {"name":"ada"}
			GET /-/user/org.couchdb.user:grace 200 {"name":"grace"}`,
			[]string{"GET /-/user/org.couchdb.user:{}"}},
		"OData keys": {`
			GET /odata/Customers('ALFKI') 200 {"CustomerID":"ALFKI"}
			GET /odata/Customers('ANATR') 200 {"CustomerID":"ANATR"}
			GET /odata/Orders(10248) 200 {"OrderID":10248}`,
			[]string{"GET /odata/Customers('{}')", "GET /odata/Orders({})"}},
		"matrix parameters": {`
			GET /cars;color=red;year=2020/wheels 200 []
			GET /cars;color=blue;year=2021/wheels 200 []`,
			[]string{"GET /cars;color={};year={}/wheels"}},
		"locales": {`
			GET /en-US/catalog/items/7 200 {"id":7}
			GET /fr/catalog/items/8 200 {"id":8}
			GET /de-DE/catalog/search 200 []`,
			[]string{"GET /{}/catalog/items/{}", "GET /{}/catalog/search"}},
		"versions": {`
			GET /v1/widgets/w_81hd72 200 {"id":"w_81hd72"}
			GET /v2/widgets/w_81hd72 200 {"id":"w_81hd72"}
			GET /1/boards/5f2b8c0a9d3e4f0012ab34cd 200 {"id":"x"}
			GET /2024-10-01/accounts 200 []
			GET /rest/api/3/projects 200 []
			GET /api/1.1/statuses/1789234567890123456 200 {"id":1}`,
			[]string{"GET /1/boards/{}", "GET /2024-10-01/accounts", "GET /api/1.1/statuses/{}", "GET /rest/api/3/projects", "GET /v1/widgets/{}", "GET /v2/widgets/{}"}},
		"handles": {`
			GET /@mona 200 {"username":"mona"}
			GET /@hubot 200 {"username":"hubot"}`,
			[]string{"GET /@{}"}},
		"entities at the root, scoped in one segment or two": {`
			GET /badger 200 {"name":"badger","versions":{},"dist-tags":{}}
			GET /lantern 200 {"name":"lantern","versions":{},"dist-tags":{}}
			GET /@games%2fchess 200 {"name":"@games/chess","versions":{},"dist-tags":{}}
			GET /badger/-/badger-1.1.0.tgz 200
			GET /@games/chess/-/chess-1.1.0.tgz 200
			GET /-/ping 200 {}
			GET /-/whoami 200 {"username":"ada"}
			GET /nobody-made-this 404 {"error":"not found"}`,
			[]string{"GET /-/ping", "GET /-/whoami", "GET /{}", "GET /{}/-/{}.tgz", "GET /{}/{}/-/{}.tgz"}},
		"marked routes beside names at the root": {`
			GET /inventory 200 {"db_name":"inventory","doc_count":1,"sizes":{}}
			GET /archive-2024 200 {"db_name":"archive-2024","doc_count":1,"sizes":{}}
			GET /inventory/_all_docs 200 {"rows":[],"offset":0,"total":1}
			GET /archive-2024/_all_docs 200 {"rows":[],"offset":0,"total":1}
			POST /inventory/_find 200 {"docs":[]}
			POST /archive-2024/_find 200 {"docs":[]}
			GET /_all_dbs 200 ["inventory","archive-2024"]
			GET /_session 200 {"ok":true}`,
			[]string{"GET /_all_dbs", "GET /_session", "GET /{}", "GET /{}/_all_docs", "POST /{}/_find"}},
		"words of labels below a literal": {`
			GET /api/v1/label/__name__/values 200 {"data":["up"]}
			GET /api/v1/label/job/values 200 {"data":["node"]}
			GET /api/v1/label/instance/values 200 {"data":["a:1"]}
			GET /api/v1/label/goversion/values 200 {"data":["go1.26"]}
			GET /api/v1/label/le/values 200 {"data":["0.1"]}
			GET /api/v1/label/quantile/values 200 {"data":["0.5"]}
			GET /api/v1/labels 200 {"data":["__name__","instance","job"]}
			GET /api/v1/status/config 200 {"data":{"yaml":"x"}}
			GET /api/v1/status/flags 200 {"data":{"a":"b"}}`,
			[]string{"GET /api/v1/label/{}/values", "GET /api/v1/labels", "GET /api/v1/status/config", "GET /api/v1/status/flags"}},
		"a slash that was always there stays": {`
			GET /api/items/ 200 []
			GET /api/items/71234/ 200 {"id":71234}
			GET /health2/x 200 {}
			GET /health2/x/ 200 {}`,
			[]string{"GET /api/items/", "GET /api/items/{}/", "GET /health2/x"}},
		"words written together": {`
			GET /rest/api/3/issuetypescheme 200 {"a":1,"b":2,"c":3}
			GET /rest/api/3/fieldconfiguration 200 {"a":1,"b":2,"c":3}
			GET /rest/api/3/issuetypescheme/10011 200 {"id":10011}
			GET /rest/api/3/fieldconfiguration/10012 200 {"id":10012}`,
			[]string{"GET /rest/api/3/fieldconfiguration", "GET /rest/api/3/fieldconfiguration/{}", "GET /rest/api/3/issuetypescheme", "GET /rest/api/3/issuetypescheme/{}"}},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.want, inferred(t, c.traffic))
		})
	}
}

var erased = regexp.MustCompile(`\{[^{}/]*\}`)

// accuracy is the F1 of exact templates, and what is wrong.
func accuracy(tb testing.TB, file string, got []string) (f1 float64, wrong []string) {
	tb.Helper()
	doc, err := os.ReadFile(file)
	require.NoError(tb, err)
	rest := map[string]bool{}
	for _, g := range got {
		rest[strings.TrimSuffix(g, "/")] = true
	}
	predicted, hits, total := len(rest), 0, 0
	for line := range strings.Lines(string(doc)) {
		f := strings.Fields(line)
		total++
		found := slices.IndexFunc(f[1:], func(p string) bool { return rest[f[0]+" "+strings.TrimSuffix(erased.ReplaceAllString(p, "{}"), "/")] })
		if found < 0 {
			wrong = append(wrong, "missed "+strings.TrimSpace(line))
			continue
		}
		hits++
		delete(rest, f[0]+" "+strings.TrimSuffix(erased.ReplaceAllString(f[1+found], "{}"), "/"))
	}
	for g := range rest {
		wrong = append(wrong, "made up "+g)
	}
	sort.Strings(wrong)
	p, r := float64(hits)/float64(predicted), float64(hits)/float64(total)
	return 2 * p * r / (p + r), wrong
}

func TestInferTemplatesOfManyKinds(t *testing.T) {
	obs := observed(t, "testdata/infer/hard.har")
	assigned, _ := inferTemplates(obs, nil, nil)
	f1, wrong := accuracy(t, "testdata/infer/hard.txt", templates(obs, assigned))
	require.GreaterOrEqual(t, f1, 0.97, "%s", strings.Join(wrong, "\n"))
}

func TestInferTemplatesIgnoresOrder(t *testing.T) {
	obs := observed(t, "testdata/infer/hard.har")
	want, why := inferTemplates(obs, nil, nil)
	byKey := map[capture.Key]string{}
	for i, o := range obs {
		byKey[o.Key] = want[i]
	}
	for seed := range int64(5) {
		shuffled := slices.Clone(obs)
		rand.New(rand.NewSource(seed)).Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		got, reasons := inferTemplates(shuffled, nil, nil)
		for i, o := range shuffled {
			require.Equal(t, byKey[o.Key], got[i], "%v", o.Key)
		}
		require.Equal(t, why, reasons)
	}
}

// Sealing forgets the values and must not change what is inferred.
func TestInferTemplatesOfSealed(t *testing.T) {
	c, _, err := capture.Observe(context.Background(), []string{"testdata/infer/hard.har"}, capture.Options{Name: "test", Hosts: []string{"api.hard.example"}})
	require.NoError(t, err)
	assigned, _ := inferTemplates(c.Observations, nil, nil)
	want := templates(c.Observations, assigned)
	sealed, _ := Seal(c, SealOptions{})
	assigned, _ = inferTemplates(sealed.Observations, nil, nil)
	require.Equal(t, want, templates(sealed.Observations, assigned))
	for i, o := range sealed.Observations {
		require.Equal(t, o.Path, sealPath(o.Path, assigned[i]), "sealing again changes a path")
	}
}

// Templates that were approved are matched first, however little traffic they
// were inferred from.
func TestInferTemplatesKeepsKnown(t *testing.T) {
	obs := observed(t, "testdata/infer/hard.har")
	var known []Template
	for step := 1; step <= 10; step++ {
		part := obs[:len(obs)*step/10]
		assigned, _ := inferTemplates(part, known, nil)
		found := map[Template]bool{}
		for i, o := range part {
			found[Template{o.Method, o.Scheme, o.Host, o.Port, assigned[i]}] = true
		}
		for _, k := range known {
			require.True(t, found[k], "step %d lost %v", step, k)
		}
		known = known[:0]
		for k := range found {
			known = append(known, k)
		}
	}
}

func TestHints(t *testing.T) {
	const traffic = `
		GET /clusters/marble-ochre/jobs 200 [1]
		GET /clusters/new/jobs 200 [1]
		GET /reports/daily 200 [1]
		GET /reports/weekly 200 [1]`
	obs := recorded(t, traffic)
	for name, c := range map[string]struct {
		hints []string
		want  []string
	}{
		"a parameter":               {[]string{"/reports/{period}"}, []string{"GET /clusters/new/jobs", "GET /clusters/{}/jobs", "GET /reports/{}"}},
		"a parameter and a literal": {[]string{"/reports/{period}", "/reports/^weekly"}, []string{"GET /clusters/new/jobs", "GET /clusters/{}/jobs", "GET /reports/weekly", "GET /reports/{}"}},
		"a literal":                 {[]string{"/clusters/^marble-ochre"}, []string{"GET /clusters/marble-ochre/jobs", "GET /clusters/new/jobs", "GET /reports/daily", "GET /reports/weekly"}},
		"nothing":                   {[]string{"", " / "}, []string{"GET /clusters/new/jobs", "GET /clusters/{}/jobs", "GET /reports/daily", "GET /reports/weekly"}},
	} {
		t.Run(name, func(t *testing.T) {
			assigned, _ := inferTemplates(obs, nil, c.hints)
			require.Equal(t, c.want, templates(obs, assigned))
		})
	}
}

func TestKnownTemplatesReachOtherPaths(t *testing.T) {
	obs := recorded(t, `
		GET /plans/gold 200 {"a":1}
		GET /plans/gold/prices 200 [1]
		GET /plans/silver/prices/eur 200 [1]`)
	known := []Template{{"GET", "https", "api.example.com", 443, "/plans/{}"}}
	assigned, _ := inferTemplates(obs, known, nil)
	require.Equal(t, []string{"GET /plans/{}", "GET /plans/{}/prices", "GET /plans/{}/prices/eur"}, templates(obs, assigned))
	obs = recorded(t, `
		GET /users/alice 200 {"username":"alice"}
		GET /users/me 200 {"username":"alice"}`)
	known = []Template{{"GET", "https", "api.example.com", 443, "/users/{}"}}
	assigned, _ = inferTemplates(obs, known, nil)
	require.Equal(t, []string{"GET /users/me", "GET /users/{}"}, templates(obs, assigned), "an addition, not a change")
	obs = recorded(t, "GET /users/me 200 {}")
	assigned, _ = inferTemplates(obs, known, nil)
	require.Equal(t, []string{"GET /users/{}"}, templates(obs, assigned), "the known template would be gone")
}

func TestKnownTemplatesOfOtherOrigins(t *testing.T) {
	obs := recorded(t, `GET /plans/gold 200 {"a":1}`)
	elsewhere := []Template{{"GET", "https", "api.example.org", 443, "/plans/{}"}}
	assigned, _ := inferTemplates(obs, elsewhere, nil)
	require.Equal(t, []string{"GET /plans/gold"}, templates(obs, assigned))
}

func TestDecisions(t *testing.T) {
	obs := recorded(t, `
		GET /users/alice 200 {"username":"alice","email":"a@example.com","plan":"x"}
		GET /users/bob 200 {"username":"bob","email":"b@example.com","plan":"x"}
		GET /users/me 200 {"username":"alice","email":"a@example.com","plan":"x"}`)
	_, decisions := inferTemplates(obs, nil, nil)
	byPath := map[string]Decision{}
	for _, d := range decisions {
		byPath[d.Path] = d
		require.NotContains(t, d.Path, "alice")
		sum := 0.0
		for _, e := range d.Evidence {
			sum += e.Weight
		}
		require.InDelta(t, d.Score, sum, 0.001, d.Path)
		require.Equal(t, d.Review, d.Score > -1 && d.Score < 1)
		require.Equal(t, d.Review, d.Hint != "")
	}
	require.True(t, byPath["/users/{}"].Parameter)
	require.False(t, byPath["/users"].Parameter)
	require.False(t, byPath["/users/me"].Parameter)
}

func BenchmarkInferTemplates(b *testing.B) {
	obs := observed(b, "testdata/infer/hard.har")
	b.ReportAllocs()
	for b.Loop() {
		inferTemplates(obs, nil, nil)
	}
}
