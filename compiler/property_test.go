package compiler

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"github.com/tomallicino/caskmcp/capture"
	"github.com/tomallicino/caskmcp/surface"
)

var (
	harFiles = flag.String("har", "", "comma-separated HAR files for TestObservedTrafficFitsTheTools, instead of generated ones")
	harTrain = flag.String("train", "", "comma-separated HAR files to compile from, instead of -har")
	harHosts = flag.String("hosts", "", "comma-separated hosts of -har")
)

// harFile is as much of HAR 1.2 as the test needs.
type harFile struct {
	Log struct {
		Version string     `json:"version"`
		Entries []harEntry `json:"entries"`
	} `json:"log"`
}

type harEntry struct {
	Request struct {
		Method      string     `json:"method"`
		URL         string     `json:"url"`
		HTTPVersion string     `json:"httpVersion"`
		Headers     []harField `json:"headers"`
		PostData    *harBody   `json:"postData,omitempty"`
	} `json:"request"`
	Response struct {
		Status  int        `json:"status"`
		Headers []harField `json:"headers"`
		Content harBody    `json:"content"`
	} `json:"response"`
}

type harField struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type harBody struct {
	MimeType string `json:"mimeType"`
	Text     string `json:"text,omitempty"`
	Encoding string `json:"encoding,omitempty"`
}

// model is a generated API: resources with optional fields, ids of several
// kinds, forms, errors and arrays.
type model struct {
	rng *rand.Rand
	har harFile
}

func (m *model) pick(list ...string) string { return list[m.rng.IntN(len(list))] }

func (m *model) chance(p float64) bool { return m.rng.Float64() < p }

func (m *model) id(kind int) string {
	switch kind % 4 {
	case 0:
		return fmt.Sprint(10000 + m.rng.IntN(900000))
	case 1:
		return fmt.Sprintf("%08x-0000-4000-8000-%012x", m.rng.Uint32(), m.rng.Uint64N(1<<48))
	case 2:
		return fmt.Sprintf("res_%08xAb9", m.rng.Uint32())
	}
	return fmt.Sprint(uint64(1)<<60 + m.rng.Uint64N(1<<40))
}

// object is a record of which every fourth field is optional and every sixth
// nullable.
func (m *model) object(kind int, id string, depth int) map[string]any {
	o := map[string]any{"id": id, "created_at": "2026-01-02T03:04:05Z"}
	if kind%4 == 0 || kind%4 == 3 {
		o["id"] = json.Number(id)
	}
	for i, field := range []string{"name", "amount", "count", "active", "tags", "state", "parent", "meta", "ratio", "link"} {
		if (i+kind)%4 == 0 && m.chance(0.5) {
			continue
		}
		if (i+kind)%6 == 0 && m.chance(0.3) {
			o[field] = nil
			continue
		}
		o[field] = m.value(field, kind, depth)
	}
	return o
}

func (m *model) value(field string, kind, depth int) any {
	switch field {
	case "amount":
		return json.Number(fmt.Sprintf("%d.%d", m.rng.IntN(99), m.rng.IntN(9)))
	case "count":
		return m.rng.IntN(9)
	case "active":
		return m.chance(0.5)
	case "tags":
		return []any{m.pick("a", "b", "c d"), m.pick("e", "f")}[:m.rng.IntN(3)]
	case "state":
		return m.pick("open", "closed", "draft")
	case "parent":
		if depth > 1 {
			return map[string]any{}
		}
		return m.object(kind+1, m.id(kind+1), depth+1)
	case "meta":
		return map[string]any{m.id(1): m.rng.IntN(5), m.id(1): m.rng.IntN(5)}
	case "ratio":
		if m.chance(0.5) {
			return m.rng.IntN(5)
		}
		return json.Number("0.5")
	case "link":
		return "https://shop.test/" + m.id(1)
	}
	return "The " + m.pick("red", "green") + " one"
}

func (m *model) entry(method, path string, status int, request *harBody, response any) {
	var e harEntry
	e.Request.Method, e.Request.URL, e.Request.HTTPVersion = method, "https://api.shop.test"+path, "HTTP/1.1"
	e.Request.Headers = []harField{{"Authorization", "Bearer x"}}
	e.Response.Headers = []harField{}
	if request != nil {
		e.Request.PostData = request
		e.Request.Headers = append(e.Request.Headers, harField{"Content-Type", request.MimeType})
	}
	e.Response.Status = status
	if response != nil {
		doc, _ := json.Marshal(response)
		e.Response.Content = harBody{MimeType: "application/json", Text: string(doc)}
	}
	m.har.Log.Entries = append(m.har.Log.Entries, e)
}

func jsonBody(v any) *harBody {
	doc, _ := json.Marshal(v)
	return &harBody{MimeType: "application/json", Text: string(doc)}
}

func (m *model) traffic(kind int, resource string) {
	base := "/v1/" + resource
	query := url.Values{}
	for _, p := range []string{"page", "state", "since", "q"} {
		if m.chance(0.5) {
			query.Set(p, map[string]string{"page": fmt.Sprint(m.rng.IntN(9)), "state": m.pick("open", "closed"), "since": "2026-01-02", "q": m.pick("12", "a b", "true")}[p])
		}
	}
	for range m.rng.IntN(3) {
		query.Add("ids", m.id(kind))
	}
	id := m.id(kind)
	switch m.rng.IntN(6) {
	case 0:
		list := []any{m.object(kind, id, 0), m.object(kind, m.id(kind), 0)}
		if kind%2 == 0 {
			m.entry("GET", base+"?"+query.Encode(), 200, nil, list)
		} else {
			m.entry("GET", base+"?"+query.Encode(), 200, nil, map[string]any{"data": list, "next": nil, "total": 2})
		}
	case 1:
		m.entry("GET", base+"/"+id, 200, nil, m.object(kind, id, 0))
	case 2:
		m.entry("GET", base+"/"+id, 404, nil, map[string]any{"error": map[string]any{"id": true}})
	case 3:
		o := m.object(kind, id, 0)
		if m.chance(0.5) {
			delete(o, "name")
		}
		m.entry("POST", base, 201, jsonBody(o), o)
	case 4:
		form := url.Values{"name": {m.pick("5", "x")}, "count": {fmt.Sprint(m.rng.IntN(9))}}
		m.entry("POST", base+"/"+id+"/notes", 200, &harBody{MimeType: "application/x-www-form-urlencoded", Text: form.Encode()}, true)
	case 5:
		m.entry("PUT", base+"/"+id+"/tags", 204, jsonBody([]any{"a", m.rng.IntN(3)}), nil)
	}
}

// generate writes a HAR of n exchanges.
func generate(t testing.TB, seed uint64, n int) string {
	t.Helper()
	m := &model{rng: rand.New(rand.NewPCG(seed, 7))}
	m.har.Log.Version = "1.2"
	resources := []string{"orders", "users", "status-pages", "categories", "reports", "caches"}
	for range n {
		kind := m.rng.IntN(len(resources))
		m.traffic(kind, resources[kind])
	}
	doc, err := json.Marshal(m.har)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "traffic.har")
	require.NoError(t, os.WriteFile(file, doc, 0o644))
	return file
}

// Every request that was seen is one that its tool could make, and every
// success that was seen is one that its tool may return.
func TestObservedTrafficFitsTheTools(t *testing.T) {
	if *harFiles != "" {
		files := strings.Split(*harFiles, ",")
		if *harTrain != "" {
			requireMost(t, fits(t, strings.Split(*harTrain, ","), files, strings.Split(*harHosts, ",")))
			return
		}
		require.Empty(t, fits(t, files, files, strings.Split(*harHosts, ",")).unfit)
		return
	}
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			files := []string{generate(t, seed, 40<<seed)}
			require.Empty(t, fits(t, files, files, []string{"api.shop.test"}).unfit)
		})
	}
}

// Tools compiled from some traffic fit other traffic of the same API.
func TestOtherTrafficFitsTheTools(t *testing.T) {
	requireMost(t, fits(t, []string{generate(t, 1, 1500)}, []string{generate(t, 2, 1500)}, []string{"api.shop.test"}))
}

func requireMost(t *testing.T, f fit) {
	t.Helper()
	require.LessOrEqual(t, len(f.unfit)*100, f.checked, "more than 1 %% do not fit")
}

// fit is how many requests and responses were validated, and the errors.
type fit struct {
	checked int
	unfit   []error
}

func (f *fit) add(err error) {
	f.checked++
	if err != nil {
		f.unfit = append(f.unfit, err)
	}
}

func fits(t *testing.T, train, files, hosts []string) (f fit) {
	c, _, err := capture.Observe(t.Context(), train, capture.Options{Name: "x", Hosts: hosts})
	require.NoError(t, err)
	r := compile(t, surface.Prior{}, Options{}, c)
	require.NotEmpty(t, r.Surface.Tools)
	tools := []*validTool{}
	for _, x := range r.Surface.Tools {
		tools = append(tools, newValidTool(t, x))
	}
	requests, badRequests, bodies, missed := 0, 0, 0, 0
	for _, file := range files {
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		var har harFile
		require.NoError(t, json.Unmarshal(data, &har))
		for _, e := range har.Log.Entries {
			if e.Response.Status < 200 || e.Response.Status > 299 {
				continue
			}
			x, values := toolFor(tools, e)
			if x == nil {
				missed++
				continue
			}
			requests++
			before := len(f.unfit)
			f.add(x.checkRequest(e, values))
			badRequests += len(f.unfit) - before
			if ok, err := x.checkResponse(e); ok {
				bodies++
				f.add(err)
			}
		}
	}
	for _, err := range f.unfit {
		t.Log(err)
	}
	t.Logf("%d tools, %d requests, %d of them unfit, %d bodies, %d of them unfit, %d not routed", len(tools), requests, badRequests, bodies, len(f.unfit)-badRequests, missed)
	require.Positive(t, requests)
	require.Positive(t, bodies)
	return f
}

// validTool is a tool with its schemas compiled.
type validTool struct {
	surface.Tool
	path          *regexp.Regexp
	literal       int
	input, output *jsonschema.Schema
	properties    map[string]json.RawMessage
}

func newValidTool(t testing.TB, x surface.Tool) *validTool {
	v := &validTool{Tool: x}
	parts := strings.Split(surface.EraseNames(x.Binding.Path), "{}")
	for i := range parts {
		v.literal += len(parts[i])
		parts[i] = regexp.QuoteMeta(parts[i])
	}
	v.path = regexp.MustCompile("^" + strings.Join(parts, "([^/]+?)") + "/?$")
	v.input = compileSchema(t, x.Name+"-in", x.InputSchema)
	if len(x.OutputSchema) > 0 {
		v.output = compileSchema(t, x.Name+"-out", x.OutputSchema)
	}
	v.properties, _ = argumentSchemas(x.InputSchema)
	return v
}

func compileSchema(t testing.TB, name string, doc json.RawMessage) *jsonschema.Schema {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(doc))
	require.NoError(t, err)
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	require.NoError(t, c.AddResource("https://shop.test/"+name, v))
	s, err := c.Compile("https://shop.test/" + name)
	require.NoError(t, err, name)
	return s
}

// toolFor finds the most literal tool of a request without discriminator.
func toolFor(tools []*validTool, e harEntry) (*validTool, []string) {
	u, err := url.Parse(e.Request.URL)
	if err != nil {
		return nil, nil
	}
	var best *validTool
	var values []string
	for _, x := range tools {
		if x.Binding.Method != e.Request.Method || x.Binding.Host != u.Hostname() || x.Binding.Operation != nil {
			continue
		}
		if m := x.path.FindStringSubmatch(u.EscapedPath()); m != nil && (best == nil || x.literal > best.literal) {
			best, values = x, m[1:]
		}
	}
	return best, values
}

// checkRequest turns a request into arguments and validates them.
func (x *validTool) checkRequest(e harEntry, values []string) error {
	u, _ := url.Parse(e.Request.URL)
	query := u.Query()
	arguments := map[string]any{}
	body, form := x.body(e)
	names := holes(x.Binding.Path)
	for _, a := range x.Binding.Arguments {
		switch {
		case a.In == surface.InPath:
			text, _ := url.PathUnescape(values[slices.Index(names, a.Key)])
			arguments[a.Name] = x.typed(a.Name, []string{text})
		case a.In == surface.InQuery && query.Has(a.Key):
			arguments[a.Name] = x.typed(a.Name, query[a.Key])
		case a.In == surface.InBody && form != nil:
			if form.Has(a.Key) {
				arguments[a.Name] = x.typed(a.Name, form[a.Key])
			}
		case a.In == surface.InBody && a.Key == "":
			if body != nil || e.Request.PostData != nil {
				arguments[a.Name] = body
			}
		case a.In == surface.InBody:
			if o, ok := body.(map[string]any); ok {
				if v, ok := o[a.Key]; ok {
					arguments[a.Name] = v
				}
			}
		}
	}
	if err := x.input.Validate(arguments); err != nil {
		return fmt.Errorf("%s %s: %v: %w", e.Request.Method, e.Request.URL, arguments, err)
	}
	return nil
}

func (x *validTool) body(e harEntry) (any, url.Values) {
	if e.Request.PostData == nil || e.Request.PostData.Text == "" {
		return nil, nil
	}
	if strings.HasPrefix(e.Request.PostData.MimeType, "application/x-www-form-urlencoded") {
		form, _ := url.ParseQuery(e.Request.PostData.Text)
		return nil, form
	}
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(e.Request.PostData.Text))
	if err != nil {
		return e.Request.PostData.Text, nil
	}
	return v, nil
}

// typed reads text as the argument's schema says it is to be given.
func (x *validTool) typed(name string, texts []string) any {
	var doc struct {
		Type  any             `json:"type"`
		Items json.RawMessage `json:"items"`
	}
	_ = json.Unmarshal(x.properties[name], &doc)
	if doc.Type == "array" {
		list := []any{}
		for _, text := range texts {
			list = append(list, read(doc.Items, text))
		}
		return list
	}
	return read(x.properties[name], texts[0])
}

func read(schema json.RawMessage, text string) any {
	var doc struct {
		Type any `json:"type"`
	}
	_ = json.Unmarshal(schema, &doc)
	if doc.Type == nil || strings.Contains(fmt.Sprint(doc.Type), "string") {
		return text
	}
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		return text
	}
	return v
}

// checkResponse validates a JSON body; false says that there is nothing to
// validate.
func (x *validTool) checkResponse(e harEntry) (bool, error) {
	text := e.Response.Content.Text
	if e.Response.Content.Encoding == "base64" { // what recording proxies write of every body
		decoded, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return false, nil //nolint:nilerr // neither does the import read it
		}
		text = string(decoded)
	}
	if x.output == nil || text == "" || !strings.Contains(e.Response.Content.MimeType, "json") {
		return false, nil
	}
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		return false, nil //nolint:nilerr // a body that is no JSON has no schema to fit
	}
	if x.Binding.Result != "" {
		v = map[string]any{x.Binding.Result: v}
	}
	if err := x.output.Validate(v); err != nil {
		return true, fmt.Errorf("%s %s: %w", e.Request.Method, e.Request.URL, err)
	}
	return true, nil
}
