// Package gate decides whether a call may go ahead. Every call passes the same
// steps in the same order, the first that refuses ends it, and each decision
// is audited before anything is sent:
//
//	tool known → definition intact and not expired → toolset → arguments
//	valid → policy → confirmation → rate → execute
package gate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/tomallicino/caskmcp/internal/canonical"
	"github.com/tomallicino/caskmcp/policy"
	"github.com/tomallicino/caskmcp/surface"
)

// Params are what a gate decides by.
type Params struct {
	// Tools that are approved, with the digests they were approved under.
	Tools   []surface.Tool
	Digests map[string]string
	// Toolset limits the tools to its members; "" means all.
	Toolset string
	Policy  policy.Policy
	// Auditor is required; NoAudit is the explicit choice to have none.
	Auditor Auditor
	// Confirmer asks a person; without one, calls that need confirmation are
	// refused.
	Confirmer Confirmer
	// Now is the clock.
	Now func() time.Time
}

// Confirmer is the channel by which a person confirms one call.
type Confirmer interface {
	// Confirm reports whether a person said yes to exactly this call. Why is
	// what asks for the confirmation.
	Confirm(ctx context.Context, call Call, why string) (bool, error)
}

// Call is one call that passed the checks up to where it is handed on.
type Call struct {
	Tool      *surface.Tool
	Digest    string
	Principal string
	// Arguments are valid against the inputSchema; numbers are json.Number.
	Arguments map[string]any
	// ArgumentsDigest is the SHA-256 of the arguments' RFC 8785 form.
	ArgumentsDigest string
	// Conforms checks a result against the outputSchema; nil without one.
	Conforms func(v any) error
}

// Refusal is the error for a call that may not go ahead.
type Refusal struct {
	// Code is the reason for the audit log: "tool.unknown", "tool.tampered",
	// "tool.expired", "tool.invalid", "toolset.not_allowed", "arguments.invalid",
	// "policy.denied", "confirm.unavailable", "confirm.declined",
	// "rate.limited", "audit.unavailable", or the reason of a call that was
	// refused while it was carried out.
	Code string
	// Text tells the agent what happened and what can be done.
	Text string
	// Rule of the policy that decided, if one did.
	Rule string
}

func (r *Refusal) Error() string { return r.Text }

// Outcome is what the execution of an admitted call reports for the audit.
type Outcome struct {
	Code   string // "ok" or a reason
	Status int    // HTTP status, 0 without one
}

// Gate admits calls. It is safe for concurrent use.
type Gate struct {
	params Params
	tools  map[string]*entry

	mu       sync.Mutex
	limiters map[limitKey]*rate.Limiter
}

type limitKey struct{ principal, tool string }

type entry struct {
	tool       surface.Tool
	digest     string
	definition []byte // the RFC 8785 form the digest is of
	contract   *contract
}

// New prepares a gate. Rejected says, by tool name, which tools cannot be
// governed and why: a digest that does not match, or a schema that does not
// compile. Those are unknown to the gate.
func New(p Params) (g *Gate, rejected map[string]error, err error) {
	switch {
	case p.Auditor == nil:
		return nil, nil, errors.New("no audit log is set; choose one, or choose to have none")
	case p.Now == nil:
		return nil, nil, errors.New("no clock is set")
	}
	if err := p.Policy.Validate(); err != nil {
		return nil, nil, err
	}
	g = &Gate{params: p, tools: map[string]*entry{}, limiters: map[limitKey]*rate.Limiter{}}
	rejected = map[string]error{}
	entries, errs := newEntries(p)
	for i, t := range p.Tools {
		if errs[i] != nil {
			rejected[t.Name] = errs[i]
			continue
		}
		g.tools[t.Name] = entries[i]
	}
	return g, rejected, nil
}

// newEntries prepares the tools on all processors; compiling schemas is most
// of the time that starting takes.
func newEntries(p Params) ([]*entry, []error) {
	entries, errs := make([]*entry, len(p.Tools)), make([]error, len(p.Tools))
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(p.Tools)) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(p.Tools); i = int(next.Add(1)) - 1 {
				entries[i], errs[i] = newEntry(p.Tools[i], p.Digests[p.Tools[i].Name])
			}
		})
	}
	wg.Wait()
	return entries, errs
}

func newEntry(t surface.Tool, digest string) (*entry, error) {
	t.Evidence = nil
	doc, err := canonical.JSON(t)
	if err != nil {
		return nil, fmt.Errorf("reading definition: %w", err)
	}
	if canonical.Sum(doc) != digest {
		return nil, errors.New("the definition does not have the approved digest")
	}
	c, err := newContract(t)
	if err != nil {
		return nil, err
	}
	return &entry{tool: t, digest: digest, definition: doc, contract: c}, nil
}

// Visible reports whether the named tool may be shown and called now: it is
// known, in the toolset and not expired.
func (g *Gate) Visible(name string) bool {
	e := g.tools[name]
	return e != nil && g.available(e) == nil
}

// Do decides about one call and, if it may go ahead, runs execute. Every error
// is a *Refusal; execute may return one of its own, which is audited as a
// denial.
func (g *Gate) Do(ctx context.Context, principal, name string, arguments json.RawMessage, execute func(context.Context, Call) (Outcome, error)) error {
	rec := Record{Event: "decision", Principal: principal, Tool: clip(name), Decision: "deny"}
	call, refusal := g.admit(ctx, principal, name, arguments, &rec)
	if refusal != nil {
		rec.Code, rec.Rule = refusal.Code, refusal.Rule
		if rec.Arguments == "" {
			rec.Arguments = canonical.Sum(arguments)
		}
		if err := g.audit(rec); err != nil {
			return err
		}
		return refusal
	}
	rec.Decision, rec.Code = "allow", "ok"
	if err := g.audit(rec); err != nil {
		return err
	}
	outcome, err := execute(ctx, call)
	rec.Event, rec.Code, rec.Status = "result", outcome.Code, outcome.Status
	var denied *Refusal
	if errors.As(err, &denied) {
		rec.Decision, rec.Code = "deny", denied.Code
	}
	if auditErr := g.audit(rec); auditErr != nil && err == nil {
		// The call is done and cannot be undone; the next one is denied if the
		// log still cannot be written.
		return nil
	}
	return err
}

func (g *Gate) audit(r Record) error {
	r.Time = g.params.Now().UTC()
	if err := g.params.Auditor.Audit(r); err != nil {
		return &Refusal{Code: "audit.unavailable", Text: "The audit log cannot be written, so the call was refused. The operator of caskmcp serve must make it writable."}
	}
	return nil
}

// admit runs the steps up to execution.
func (g *Gate) admit(ctx context.Context, principal, name string, raw json.RawMessage, rec *Record) (Call, *Refusal) {
	e, refusal := g.find(name)
	if e != nil {
		rec.Digest = e.digest
	}
	if refusal != nil {
		return Call{}, refusal
	}
	args, doc, err := e.contract.arguments(raw)
	if err != nil {
		return Call{}, &Refusal{Code: "arguments.invalid", Text: fmt.Sprintf("The arguments of %s are not valid: %v. Nothing was sent.", name, err)}
	}
	rec.Arguments = canonical.Sum(doc)
	call := Call{Tool: &e.tool, Digest: e.digest, Principal: principal, Arguments: args, ArgumentsDigest: rec.Arguments}
	if call.Conforms, err = e.contract.conformance(); err != nil {
		return Call{}, &Refusal{Code: "tool.invalid", Text: fmt.Sprintf("%s cannot be governed: its outputSchema cannot be used. Nothing was sent. An owner can correct it and run \"caskmcp plan\", \"caskmcp approve\" and \"caskmcp apply\".", name)}
	}
	if refusal := g.permit(ctx, call, rec); refusal != nil {
		return Call{}, refusal
	}
	return call, g.spend(call)
}

// find is the tool if it may be called at all. The entry is returned with a
// refusal where the tool is known.
func (g *Gate) find(name string) (*entry, *Refusal) {
	e := g.tools[name]
	if e == nil {
		return nil, &Refusal{Code: "tool.unknown", Text: fmt.Sprintf("There is no tool %q.", clip(name))}
	}
	if canonical.Sum(e.definition) != e.digest {
		return e, &Refusal{Code: "tool.tampered", Text: fmt.Sprintf("The definition of %s is not the approved one. Nothing was sent.", name)}
	}
	return e, g.available(e)
}

// available refuses a tool that expired or is not in the toolset.
func (g *Gate) available(e *entry) *Refusal {
	t := &e.tool
	if t.Expires != "" && expired(t.Expires, g.params.Now()) {
		return &Refusal{Code: "tool.expired", Text: fmt.Sprintf("The approval of %s expired on %s. To renew it, change expires in toolpack.yaml, then run \"caskmcp approve\" and \"caskmcp apply\".", t.Name, t.Expires)}
	}
	if g.params.Toolset != "" && !slices.Contains(t.Toolsets, g.params.Toolset) {
		return &Refusal{Code: "toolset.not_allowed", Text: fmt.Sprintf("%s is not in toolset %q, which is the one served.", t.Name, g.params.Toolset)}
	}
	return nil
}

// expired reports whether the last day, in UTC, is over. A day that cannot be
// read is.
func expired(lastDay string, now time.Time) bool {
	last, err := time.Parse(time.DateOnly, lastDay)
	return err != nil || !now.UTC().Before(last.AddDate(0, 0, 1))
}

// permit applies policy and confirmation.
func (g *Gate) permit(ctx context.Context, call Call, rec *Record) *Refusal {
	t := call.Tool
	d := policy.Decide(g.params.Policy, policy.Call{
		Tool: t.Name, Toolsets: t.Toolsets, Method: t.Binding.Method, Host: t.Binding.Host,
		Effect: string(t.Effect), Risk: string(t.Risk), Principal: call.Principal,
	})
	rec.Rule = d.Rule
	by := "the policy's default"
	if d.Rule != "" {
		by = fmt.Sprintf("rule %q of the policy", d.Rule)
	}
	var reasons, settings []string
	switch d.Action {
	case policy.Allow:
	case policy.ConfirmFirst:
		reasons, settings = append(reasons, by), append(settings, "policy:")
	default:
		return &Refusal{Code: "policy.denied", Rule: d.Rule, Text: fmt.Sprintf("%s denies %s. Nothing was sent. An owner can change policy: in toolpack.yaml, then run \"caskmcp approve\" and \"caskmcp apply\".", upperFirst(by), t.Name)}
	}
	if t.Confirm != surface.Never {
		reasons, settings = append(reasons, "confirm: always of the tool"), append(settings, "confirm: of the tool")
	}
	if len(reasons) == 0 {
		return nil
	}
	why := strings.Join(reasons, ", ")
	if g.params.Confirmer == nil {
		return &Refusal{Code: "confirm.unavailable", Rule: d.Rule, Text: fmt.Sprintf(
			"%s needs the confirmation of a person (%s), and this server has no way to ask for one. Nothing was sent; trying again will not help. An owner can let it go ahead without confirmation by changing %s in toolpack.yaml, then running \"caskmcp approve\" and \"caskmcp apply\".",
			t.Name, why, strings.Join(settings, " and "))}
	}
	ok, err := g.params.Confirmer.Confirm(ctx, call, why)
	if err != nil || !ok {
		return &Refusal{Code: "confirm.declined", Rule: d.Rule, Text: fmt.Sprintf("%s was not confirmed (%s). Nothing was sent.", t.Name, why)}
	}
	return nil
}

// spend takes one call from the tool's rate; only calls that may go ahead do.
func (g *Gate) spend(call Call) *Refusal {
	perMinute := call.Tool.Limits.Rate
	if perMinute <= 0 {
		perMinute = surface.DefaultLimits.Rate
	}
	key := limitKey{call.Principal, call.Tool.Name}
	g.mu.Lock()
	l := g.limiters[key]
	if l == nil {
		l = rate.NewLimiter(rate.Limit(float64(perMinute)/60), perMinute)
		g.limiters[key] = l
	}
	g.mu.Unlock()
	now := g.params.Now()
	r := l.ReserveN(now, 1)
	wait := r.DelayFrom(now)
	if wait == 0 {
		return nil
	}
	r.CancelAt(now)
	return &Refusal{Code: "rate.limited", Text: fmt.Sprintf("%s may be called %d times a minute. Nothing was sent. Retry after %d seconds.", call.Tool.Name, perMinute, int(wait/time.Second)+1)}
}

// clip bounds a name that somebody else chose.
func clip(s string) string {
	if len(s) > 128 {
		return s[:128]
	}
	return s
}

func upperFirst(s string) string { return string(s[0]-'a'+'A') + s[1:] }
