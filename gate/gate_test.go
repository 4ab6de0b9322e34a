package gate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tomallicino/caskmcp/internal/canonical"
	"github.com/tomallicino/caskmcp/policy"
	"github.com/tomallicino/caskmcp/surface"
)

type memory struct {
	mu      sync.Mutex
	records []Record
	err     error
}

func (m *memory) Audit(r Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return m.err
	}
	m.records = append(m.records, r)
	return nil
}

const schema = `{"type":"object","properties":{
	"id":{"type":"integer"},"name":{"type":"string","maxLength":8},"tags":{"type":"array","items":{"type":"string"}},
	"amount":{"type":"integer","maximum":1000},"filter":{"type":"object","properties":{"ids":{"type":"array","items":{"type":"integer"}}}},
	"any":{}
},"additionalProperties":false}`

func order(name string, effect surface.Effect) surface.Tool {
	return surface.Tool{
		Name: name, InputSchema: json.RawMessage(schema), Effect: effect, Risk: surface.Low, Confirm: surface.Never,
		Binding: surface.Binding{Method: "GET", Host: "api.example.com"}, Limits: surface.DefaultLimits, Toolsets: []string{"readonly"},
	}
}

func params(t testing.TB, tools ...surface.Tool) Params {
	p := Params{Tools: tools, Digests: map[string]string{}, Policy: policy.Default(), Auditor: &memory{}, Now: func() time.Time { return time.Date(2026, 11, 22, 23, 0, 0, 0, time.UTC) }}
	for _, tl := range tools {
		d, err := tl.Digest()
		require.NoError(t, err)
		p.Digests[tl.Name] = d
	}
	return p
}

func newGate(t testing.TB, p Params) *Gate {
	g, rejected, err := New(p)
	require.NoError(t, err)
	require.Empty(t, rejected)
	return g
}

// try makes one call and returns the refusal's code, or "ok".
func try(g *Gate, name, args string) (code, text string, executed *Call) {
	err := g.Do(context.Background(), "local", name, json.RawMessage(args), func(_ context.Context, c Call) (Outcome, error) {
		executed = &c
		return Outcome{Code: "ok", Status: 200}, nil
	})
	var r *Refusal
	if errors.As(err, &r) {
		return r.Code, r.Text, executed
	}
	return "ok", "", executed
}

func TestOrderOfDecisions(t *testing.T) {
	expired, hidden, write, asks := order("expired", surface.Read), order("hidden", surface.Read), order("write", surface.Write), order("asks", surface.Read)
	expired.Expires = "2026-11-21"
	hidden.Toolsets = []string{"operator"}
	asks.Confirm = surface.Always
	lasts := order("lasts", surface.Read)
	lasts.Expires = "2026-11-22"
	denied := order("denied", surface.Read)
	p := params(t, order("read", surface.Read), expired, hidden, write, asks, lasts, denied)
	p.Toolset = "readonly"
	p.Policy.Rules = append(p.Policy.Rules, policy.Rule{Name: "never", Action: policy.Deny, Tools: []string{"denied"}})
	audit := p.Auditor.(*memory)
	g := newGate(t, p)
	tests := []struct{ tool, args, code, rule, text string }{
		{"nothing", `{}`, "tool.unknown", "", "There is no tool"},
		{"expired", `{"bad":1}`, "tool.expired", "", "2026-11-21"},
		{"hidden", `{"bad":1}`, "toolset.not_allowed", "", `"readonly"`},
		{"write", `{"bad":1}`, "arguments.invalid", "", `argument "bad" is not known`},
		{"denied", `{}`, "policy.denied", "never", `Rule "never" of the policy denies denied`},
		{"write", `{}`, "confirm.unavailable", "confirm_changes", `rule "confirm_changes"`},
		{"asks", `{}`, "confirm.unavailable", "allow_reads", "confirm: always"},
		{"lasts", `{}`, "ok", "allow_reads", ""},
		{"read", `{"id":1}`, "ok", "allow_reads", ""},
		{"read", ``, "ok", "allow_reads", ""},
		{"read", ` null `, "ok", "allow_reads", ""},
		{"read", `[]`, "arguments.invalid", "", "not an object"},
	}
	for _, tt := range tests {
		audit.records = nil
		code, text, executed := try(g, tt.tool, tt.args)
		require.Equal(t, tt.code, code, tt.tool)
		require.Contains(t, text, tt.text)
		require.Equal(t, code == "ok", executed != nil)
		rec := audit.records[0]
		require.Equal(t, []string{"decision", tt.code, tt.rule, "local", tt.tool}, []string{rec.Event, rec.Code, rec.Rule, rec.Principal, rec.Tool})
		require.NotEmpty(t, rec.Arguments)
		require.Equal(t, p.Digests[tt.tool], rec.Digest)
		if code != "ok" {
			require.Equal(t, "deny", rec.Decision)
			require.Len(t, audit.records, 1)
			continue
		}
		require.Equal(t, "allow", rec.Decision)
		require.Equal(t, "result", audit.records[1].Event)
		require.Equal(t, 200, audit.records[1].Status)
	}
	require.True(t, g.Visible("read"))
	require.True(t, g.Visible("write"))
	for _, name := range []string{"expired", "hidden", "nothing"} {
		require.False(t, g.Visible(name))
	}
}

func TestExpired(t *testing.T) {
	noon := time.Date(2026, 11, 22, 12, 0, 0, 0, time.FixedZone("", 13*3600)) // 21 November, 23:00 UTC
	for day, want := range map[string]bool{"2026-11-20": true, "2026-11-21": false, "2026-11-22": false, "2026-02-30": true, "soon": true, "9999": true} {
		require.Equal(t, want, expired(day, noon), day)
	}
}

type answer struct {
	yes bool
	err error
	why string
}

func (a *answer) Confirm(_ context.Context, c Call, why string) (bool, error) {
	a.why = why + " " + c.ArgumentsDigest
	return a.yes, a.err
}

func TestConfirmer(t *testing.T) {
	p := params(t, order("write", surface.Write))
	for _, a := range []*answer{{yes: true}, {}, {yes: true, err: errors.New("gone")}} {
		p.Confirmer = a
		code, _, _ := try(newGate(t, p), "write", `{"id":1}`)
		want := "confirm.declined"
		if a.yes && a.err == nil {
			want = "ok"
		}
		require.Equal(t, want, code)
		require.Equal(t, `rule "confirm_changes" of the policy `+canonical.Sum([]byte(`{"id":1}`)), a.why)
	}
}

func TestArguments(t *testing.T) {
	g := newGate(t, params(t, order("read", surface.Read)))
	deep := strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000)
	tests := []struct{ name, args, want string }{
		{"unknown key", `{"q":"a","admin":true}`, `argument "admin" is not known; argument "q" is not known`},
		{"case matters", `{"Amount":99999}`, `argument "Amount" is not known`},
		{"string for integer", `{"amount":"99999"}`, `argument "amount": got string, want integer`},
		{"over the maximum", `{"amount":1001}`, `argument "amount": maximum: got 1,001, want 1,000`},
		{"prototype", `{"__proto__":{"admin":true}}`, `argument "__proto__" is not known`},
		{"object for a string", `{"name":{"$ne":null}}`, `argument "name": got object, want string`},
		{"nested place", `{"filter":{"ids":[1,"2"]}}`, `argument "filter.ids[1]": got string, want integer`},
		{"too long", `{"name":"123456789"}`, `argument "name": maxLength: got 9, want 8`},
		{"duplicate key", `{"id":1,"id":2}`, "not unambiguous JSON"},
		{"duplicate key, escaped", `{"id":1,"\u0069d":2}`, "not unambiguous JSON"},
		{"unsafe integer", `{"id":9007199254740993}`, "beyond 2^53"},
		{"huge integer", `{"id":12345678901234567890}`, "beyond 2^53"},
		{"huge exponent", `{"any":1e999999999}`, "beyond 2^53"},
		{"lone surrogate", `{"name":"\ud800"}`, "not unambiguous JSON"},
		{"deep", `{"any":` + deep + `}`, "nested deeper than 64"},
		{"deep in a string is not deep", `{"name":"` + deep + `"}`, `maxLength`},
		{"large", `{"name":"` + strings.Repeat("a", 20<<20) + `"}`, "larger than 1048576 bytes"},
		{"not an object", `[1]`, "not an object"},
		{"a text", `"{}"`, "not an object"},
		{"broken", `{"id":`, "not unambiguous JSON"},
		{"two values", `{} {}`, "not unambiguous JSON"},
		{"many problems", `{"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1,"i":1,"j":1}`, "2 more problems"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			start := time.Now()
			code, text, executed := try(g, "read", tt.args)
			require.Equal(t, "arguments.invalid", code)
			require.Contains(t, text, tt.want)
			require.NotContains(t, text, "&{")
			require.NotContains(t, text, "schema:/")
			require.Nil(t, executed)
			require.Less(t, len(text), 3000)
			require.Less(t, time.Since(start), 5*time.Second)
		})
	}
	for args, want := range map[string]string{
		``: `{}`, ` {} `: `{}`, `{"id":1.0}`: `{"id":1}`, `{"id":1e3}`: `{"id":1000}`, `{"id":-0}`: `{"id":0}`,
		`{"id":9007199254740991}`: `{"id":9007199254740991}`, `{"tags":["b","a"],"id":1}`: `{"id":1,"tags":["b","a"]}`, `{"any":1e-999999999}`: `{"any":0}`,
	} {
		code, text, executed := try(g, "read", args)
		require.Equal(t, "ok", code, text)
		doc, err := json.Marshal(executed.Arguments)
		require.NoError(t, err)
		require.Equal(t, want, string(doc), "what was digested is what is sent")
		require.Equal(t, canonical.Sum(doc), executed.ArgumentsDigest)
	}
}

func TestToolsThatCannotBeGoverned(t *testing.T) {
	with := func(change func(*surface.Tool)) surface.Tool {
		tl := order("it", surface.Read)
		change(&tl)
		return tl
	}
	tests := map[string]surface.Tool{
		"no schema":     with(func(t *surface.Tool) { t.InputSchema = nil }),
		"not an object": with(func(t *surface.Tool) { t.InputSchema = json.RawMessage(`{"type":"array"}`) }),
		"any type":      with(func(t *surface.Tool) { t.InputSchema = json.RawMessage(`{}`) }),
		"bad type":      with(func(t *surface.Tool) { t.InputSchema = json.RawMessage(`{"type":"objekt"}`) }),
		"bad pattern": with(func(t *surface.Tool) {
			t.InputSchema = json.RawMessage(`{"type":"object","properties":{"a":{"pattern":"(?!x)"}}}`)
		}),
		"file reference": with(func(t *surface.Tool) {
			t.InputSchema = json.RawMessage(`{"type":"object","$ref":"file:///etc/passwd"}`)
		}),
		"web reference": with(func(t *surface.Tool) {
			t.InputSchema = json.RawMessage(`{"type":"object","$ref":"http://127.0.0.1:1/x"}`)
		}),
		"web dialect": with(func(t *surface.Tool) {
			t.InputSchema = json.RawMessage(`{"type":"object","$schema":"http://127.0.0.1:1/x"}`)
		}),
		"dangling reference": with(func(t *surface.Tool) { t.InputSchema = json.RawMessage(`{"type":"object","$ref":"#/$defs/x"}`) }),
	}
	for name, tl := range tests {
		t.Run(name, func(t *testing.T) {
			p := params(t, order("good", surface.Read))
			p.Tools = append(p.Tools, tl)
			if d, err := tl.Digest(); err == nil {
				p.Digests["it"] = d
			}
			g, rejected, err := New(p)
			require.NoError(t, err)
			require.Error(t, rejected["it"])
			require.False(t, g.Visible("it"))
			require.True(t, g.Visible("good"))
			code, _, _ := try(g, "it", `{}`)
			require.Equal(t, "tool.unknown", code)
		})
	}
	p := params(t, order("it", surface.Read))
	p.Digests["it"] = strings.Replace(p.Digests["it"], "sha256:", "sha256:0", 1)
	_, rejected, err := New(p)
	require.NoError(t, err)
	require.ErrorContains(t, rejected["it"], "digest")
	delete(p.Digests, "it")
	_, rejected, err = New(p)
	require.NoError(t, err)
	require.Error(t, rejected["it"])
	for _, p := range []Params{
		{Now: p.Now, Policy: policy.Default()}, {Auditor: NoAudit{}, Policy: policy.Default()}, {Auditor: NoAudit{}, Now: p.Now},
	} {
		_, _, err := New(p)
		require.Error(t, err)
	}
}

func TestDefinitionChangedInMemory(t *testing.T) {
	g := newGate(t, params(t, order("read", surface.Read)))
	g.tools["read"].definition[10] ^= 1
	code, _, _ := try(g, "read", `{}`)
	require.Equal(t, "tool.tampered", code)
}

func TestRate(t *testing.T) {
	tl := order("read", surface.Read)
	tl.Limits.Rate = 10
	p := params(t, tl)
	now := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	p.Now = func() time.Time { return now }
	g := newGate(t, p)
	for range 30 {
		code, _, _ := try(g, "read", `{"bad":1}`)
		require.Equal(t, "arguments.invalid", code, "refused calls spend nothing")
	}
	var passed, limited atomic.Int64
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			switch code, text, _ := try(g, "read", `{}`); code {
			case "ok":
				passed.Add(1)
			case "rate.limited":
				limited.Add(1)
				if !strings.Contains(text, "Retry after 7 seconds") {
					panic(text)
				}
			}
		})
	}
	wg.Wait()
	require.EqualValues(t, 10, passed.Load())
	require.EqualValues(t, 10, limited.Load())
	err := g.Do(t.Context(), "alice", "read", nil, func(context.Context, Call) (Outcome, error) { return Outcome{}, nil })
	require.NoError(t, err, "each principal has its own rate")
	now = now.Add(7 * time.Second)
	code, _, _ := try(g, "read", `{}`)
	require.Equal(t, "ok", code)
	code, _, _ = try(g, "read", `{}`)
	require.Equal(t, "rate.limited", code)
}

func TestAuditUnavailable(t *testing.T) {
	p := params(t, order("read", surface.Read))
	audit := p.Auditor.(*memory)
	g := newGate(t, p)
	audit.err = errors.New("disk full")
	for _, args := range []string{`{}`, `{"bad":1}`} {
		code, _, executed := try(g, "read", args)
		require.Equal(t, "audit.unavailable", code)
		require.Nil(t, executed)
	}
}

func TestExecutionRefused(t *testing.T) {
	p := params(t, order("read", surface.Read))
	g := newGate(t, p)
	err := g.Do(t.Context(), "local", "read", nil, func(context.Context, Call) (Outcome, error) {
		return Outcome{}, &Refusal{Code: "address.blocked", Text: "no"}
	})
	require.EqualError(t, err, "no")
	last := p.Auditor.(*memory).records[1]
	require.Equal(t, []string{"result", "deny", "address.blocked"}, []string{last.Event, last.Decision, last.Code})
}

func TestOutputSchemaThatCannotBeUsed(t *testing.T) {
	for _, schema := range []string{`{"type":7}`, `{"$ref":"file:///etc/passwd"}`, `{"properties":{"a":{"pattern":"(?!x)"}}}`} {
		tl := order("read", surface.Read)
		tl.OutputSchema = json.RawMessage(schema)
		code, text, executed := try(newGate(t, params(t, tl)), "read", `{}`)
		require.Equal(t, "tool.invalid", code)
		require.Contains(t, text, "outputSchema")
		require.Nil(t, executed)
	}
}

func TestConforms(t *testing.T) {
	tl := order("read", surface.Read)
	tl.OutputSchema = json.RawMessage(`{"type":"object","properties":{"items":{"type":"array","items":{"type":"object","required":["id"]}}}}`)
	g := newGate(t, params(t, tl))
	_, _, call := try(g, "read", `{}`)
	require.NoError(t, call.Conforms(map[string]any{"items": []any{}}))
	require.EqualError(t, call.Conforms(map[string]any{"items": []any{map[string]any{}}}), `field "items[0].id" is required`)
}

func TestFileAuditor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	require.NoError(t, os.WriteFile(path, []byte("{\"tool\":\"whole\"}\n{\"tool\":\"torn"), 0o600))
	a, err := OpenAudit(path)
	require.NoError(t, err)
	require.NoError(t, a.Audit(Record{Tool: "x\n{\"tool\":\"forged\"}", Decision: "deny", Code: "tool.unknown", Time: time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)}))
	require.NoError(t, a.Audit(Record{Tool: "y"}))
	require.NoError(t, a.Close())
	require.Error(t, a.Audit(Record{}), "a closed log denies")
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
	require.Len(t, lines, 4)
	require.Equal(t, `{"tool":"torn`, lines[1])
	var r Record
	require.NoError(t, json.Unmarshal([]byte(lines[2]), &r))
	require.Equal(t, "x\n{\"tool\":\"forged\"}", r.Tool)
	for _, path := range []string{t.TempDir(), filepath.Join(t.TempDir(), "no", "such")} {
		_, err := OpenAudit(path)
		require.Error(t, err)
	}
	link := filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.Symlink(path, link))
	_, err = OpenAudit(link)
	require.ErrorContains(t, err, "not a regular file")
}

// What passes is an object within the bounds whose canonical form is what the
// decoded arguments say.
func FuzzArguments(f *testing.F) {
	for _, s := range []string{`{}`, `{"id":1}`, `{"id":1,"id":2}`, `{"any":[[[{"a":1e5}]]]}`, `{"id":9007199254740993}`, `{"name":"\ud800"}`, "{\"name\":\"\xff\"}"} {
		f.Add([]byte(s))
	}
	c, err := newContract(order("it", surface.Read))
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, raw []byte) {
		args, doc, err := c.arguments(raw)
		if err != nil {
			require.Nil(t, args)
			return
		}
		again, err := canonical.JSON(args)
		require.NoError(t, err)
		require.Equal(t, string(doc), string(again))
	})
}

func BenchmarkDo(b *testing.B) {
	p := params(b, order("read", surface.Read))
	p.Auditor = NoAudit{}
	p.Tools[0].Limits.Rate = 1 << 30
	p.Digests["read"], _ = p.Tools[0].Digest()
	g := newGate(b, p)
	args := json.RawMessage(`{"id":1,"name":"x","tags":["a","b"]}`)
	b.ReportAllocs()
	for b.Loop() {
		err := g.Do(b.Context(), "local", "read", args, func(context.Context, Call) (Outcome, error) { return Outcome{Code: "ok"}, nil })
		if err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkNew200(b *testing.B) {
	var tools []surface.Tool
	for i := range 200 {
		tl := order(fmt.Sprintf("tool_%03d", i), surface.Read)
		tl.OutputSchema = json.RawMessage(schema)
		tools = append(tools, tl)
	}
	p := params(b, tools...)
	for b.Loop() {
		if _, _, err := New(p); err != nil {
			b.Fatal(err)
		}
	}
}
