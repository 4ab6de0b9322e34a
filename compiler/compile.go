package compiler

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tomallicino/caskmcp/capture"
	"github.com/tomallicino/caskmcp/surface"
)

// Compile turns captures into the surface that agents could be given. Sealed
// and unsealed captures give the same surface, in any order. An approved
// definition in prior is kept as it is except for the parts that a capture
// contradicts or opt changes. It fails when opt asks for something that does
// not exist.
func Compile(captures []*capture.Capture, prior surface.Prior, opt Options) (*Result, error) {
	if err := opt.check(); err != nil {
		return nil, err
	}
	seen := route(captures, prior, opt)
	eps := seen.endpoints
	remember(eps, prior, opt)
	r := &Result{Decisions: seen.decisions, Proposals: []Proposal{}, Contradictions: []Contradiction{}, Skipped: []Skipped{}, Unused: []string{}}
	recall(eps, prior)
	eps = r.usable(eps, opt)
	mirrors(eps)
	hold(eps)
	nameHoles(eps, prior)
	allocate(eps, prior)
	b := newBuilder(eps, prior, opt)
	if err := b.compile(eps); err != nil {
		return nil, err
	}
	used := map[string]bool{}
	tools, names := []surface.Tool{}, map[endpointKey]string{}
	for _, e := range eps {
		t, ok, err := r.tool(b, e, used)
		if err != nil {
			return nil, err
		}
		if ok {
			tools = append(tools, t)
			names[e.key] = t.Name
		}
	}
	slices.SortFunc(tools, func(a, b surface.Tool) int { return strings.Compare(a.Name, b.Name) })
	for i := 1; i < len(tools); i++ {
		if tools[i].Name == tools[i-1].Name {
			return nil, fmt.Errorf("two tools would be named %q: %s and %s; rename one in toolpack.yaml", tools[i].Name, tools[i-1].Binding.Request(), tools[i].Binding.Request())
		}
	}
	for _, key := range slices.Sorted(maps.Keys(opt.Tools)) {
		if !used[key] {
			r.Unused = append(r.Unused, key)
		}
	}
	r.Surface = surface.Surface{Tools: tools, Toolsets: toolsets(opt), Policy: policyOf(opt), Server: serverOf(tools, opt)}
	r.Merges = merges(seen.absorptions(prior, opt.Hints), names)
	r.sort()
	return r, nil
}

// traffic is what all captures saw, with the templates inferred for it and
// what belongs to one operation.
type traffic struct {
	all       *capture.Capture
	templates []string
	decisions []Decision
	endpoints []*endpoint
}

// route seals what is not sealed, merges all captures, infers the path
// templates and gathers what belongs to one operation.
func route(captures []*capture.Capture, prior surface.Prior, opt Options) traffic {
	sealed := make([]*capture.Capture, 0, len(captures))
	for _, c := range captures {
		if !c.Sealed {
			c, _ = Seal(c, SealOptions{Prior: prior, Hints: opt.Hints})
		}
		sealed = append(sealed, c)
	}
	merged := capture.Merge(sealed...)
	templates, decisions := inferTemplates(merged.Observations, knownTemplates(merged, prior, opt.Hints), opt.Hints)
	recallEvidence(merged, templates, decisions)
	settleApproved(decisions, prior)
	byKey := make(map[capture.Key]string, len(templates))
	for i, o := range merged.Observations {
		byKey[o.Key] = templates[i]
	}
	return traffic{merged, templates, decisions, group(merged.Observations, templates, sealed, byKey)}
}

// knownTemplates are the templates that have been decided about or declared.
// Where somebody decided for a literal and a hint makes it a parameter, the
// hint holds.
func knownTemplates(c *capture.Capture, prior surface.Prior, hints []string) []Template {
	var known []Template
	rules := parseHints(hints)
	for _, p := range prior.Entries {
		if t, ok := parseIdentity(p); ok && !overruled(t.Path, rules) {
			known = append(known, t)
		}
	}
	for _, d := range c.Declarations {
		known = append(known, Template{Method: d.Method, Scheme: d.Scheme, Host: d.Host, Port: d.Port, Path: surface.EraseNames(d.Path)})
	}
	slices.SortFunc(known, func(a, b Template) int {
		return cmp.Or(strings.Compare(a.Host, b.Host), strings.Compare(a.Path, b.Path), strings.Compare(a.Method, b.Method), strings.Compare(a.Scheme, b.Scheme), cmp.Compare(a.Port, b.Port))
	})
	return slices.Compact(known)
}

// usable leaves out what is no tool and says why.
func (r *Result) usable(eps []*endpoint, opt Options) []*endpoint {
	var out []*endpoint
	for _, e := range eps {
		reason := notATool(e)
		switch {
		case reason == "" && !opt.AllOperations && unobserved(e, eps):
			reason = "declared, but not seen in traffic (all_operations includes it)"
		case reason == "" && e.key.method == "HEAD" && slices.ContainsFunc(eps, func(o *endpoint) bool { return o.isGetOf(e) }):
			reason = "HEAD of an operation that GET covers"
		}
		if reason != "" {
			r.skip(e, reason)
			continue
		}
		out = append(out, e)
	}
	return out
}

// isGetOf reports whether e is the GET of the same resource.
func (e *endpoint) isGetOf(o *endpoint) bool {
	k := e.key
	k.method = o.key.method
	return e.key.method == "GET" && k == o.key
}

func (r *Result) skip(e *endpoint, reason string) {
	r.Skipped = append(r.Skipped, Skipped{Request: e.key.request(), Reason: reason, Count: e.exchanges()})
}

func newBuilder(eps []*endpoint, prior surface.Prior, opt Options) *builder {
	b := &builder{opt: opt, credentials: credentialNames(eps), auth: map[*endpoint][]authScheme{}}
	for _, e := range eps {
		good := successShape(e.obs)
		b.returned.Learn(good)
		b.sent.LearnKeys(good)
		if encoding := bodyEncoding(e.obs); isJSON(encoding) {
			body, _, _ := requestShape(successes(e.obs), encoding)
			b.sent.Learn(body)
		}
	}
	usual := usualAuth(eps)
	for _, e := range eps {
		b.auth[e] = authOf(e, usual)
	}
	accompany(eps, b.auth)
	b.refs = references(b.auth, prior)
	return b
}

// tool compiles one endpoint, keeps what has been approved of it, and says
// whether it is in scope.
func (r *Result) tool(b *builder, e *endpoint, used map[string]bool) (surface.Tool, bool, error) {
	f := b.compiled[e]
	plain := f
	o, key := overrideOf(e, b.opt)
	used[key] = true
	f.Name = e.base
	if e.prior != nil && !renamed(e.prior) {
		f.Name = e.prior.Name
	}
	err := override(&f, o, b.opt)
	if err != nil {
		return f, false, fmt.Errorf("applying toolpack.yaml to %q: %w", key, err)
	}
	t, found := f, []Contradiction(nil)
	approved := e.prior != nil && e.prior.Status == surface.Approved && e.prior.Tool != nil
	if approved {
		if t, found, err = b.reconcile(e, plain, f, o); err != nil {
			return t, false, err
		}
	}
	if ok, reason := selected(t.Name, e.key, b.opt); !ok {
		r.skip(e, reason)
		return t, false, nil
	}
	if ok, reason := inScope(&t, b.opt); !ok {
		r.skip(e, reason)
		return t, false, nil
	}
	r.Contradictions = append(r.Contradictions, found...)
	if !approved {
		return t, true, nil
	}
	fields, err := differing(t, f)
	if len(fields) > 0 {
		r.Proposals = append(r.Proposals, Proposal{Tool: t.Name, Before: t, After: f, Fields: fields})
	}
	return t, true, err
}

func (r *Result) sort() {
	slices.SortFunc(r.Proposals, func(a, b Proposal) int { return strings.Compare(a.Tool, b.Tool) })
	slices.SortFunc(r.Contradictions, func(a, b Contradiction) int {
		return cmp.Or(strings.Compare(a.Tool, b.Tool), strings.Compare(a.Code, b.Code), strings.Compare(a.Path, b.Path), strings.Compare(a.Text, b.Text))
	})
	slices.SortFunc(r.Skipped, func(a, b Skipped) int {
		return cmp.Or(strings.Compare(a.Request, b.Request), strings.Compare(a.Reason, b.Reason))
	})
}
