package compiler

import (
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/tomallicino/caskmcp/surface"
)

// operationIdentity is the identity of an entry without the fixed values of
// toolpack.yaml: those come and go with the configuration, the operation stays.
func operationIdentity(p surface.PriorEntry) string {
	if p.Tool != nil {
		b := p.Tool.Binding
		b.Fixed = nil
		return b.Identity()
	}
	id, _, _ := strings.Cut(p.Identity, " fixed:")
	return id
}

// recall gives every endpoint the decision about its operation. Of several, an
// approval holds before a rejection, then the first by name.
func recall(eps []*endpoint, prior surface.Prior) {
	byIdentity := map[string]*surface.PriorEntry{}
	for i := range prior.Entries {
		p := &prior.Entries[i]
		id := operationIdentity(*p)
		known := byIdentity[id]
		if known == nil || known.Status != surface.Approved && p.Status == surface.Approved || known.Status == p.Status && p.Name < known.Name {
			byIdentity[id] = p
		}
	}
	for _, e := range eps {
		e.prior = byIdentity[e.key.identity()]
	}
}

// reconcile keeps the approved definition of an endpoint and recompiles only
// the parts that the captures contradict. What people set or no longer set in
// toolpack.yaml is taken from f, the definition as it would be compiled today;
// plain is f without overrides.
func (b *builder) reconcile(e *endpoint, plain, f surface.Tool, o surface.Override) (surface.Tool, []Contradiction, error) {
	approved := e.prior.Tool
	t := clone(*approved)
	t.Evidence = &surface.Evidence{Captures: f.Evidence.Captures, Observations: f.Evidence.Observations}
	found, err := b.contradictions(e, *approved, plain)
	if err != nil {
		return t, nil, err
	}
	for _, c := range found {
		replaceFacet(&t, f, c.Code)
	}
	if len(found) > 0 && f.Risk.Rank() > t.Risk.Rank() {
		t.Risk, t.Confirm, t.Toolsets = f.Risk, f.Confirm, f.Toolsets
	}
	if err := dropStale(&t, f, approved); err != nil {
		return t, nil, err
	}
	if t.Binding.Identity() != f.Binding.Identity() {
		// Other values have been fixed than were approved.
		t.InputSchema, t.Binding.Arguments, t.Binding.Fixed = f.InputSchema, f.Binding.Arguments, f.Binding.Fixed
	}
	o.Fixed = nil
	if err := override(&t, o, b.opt); err != nil {
		return t, nil, err
	}
	t.Evidence.Overrides = f.Evidence.Overrides
	return t, found, nil
}

// replaceFacet takes the contradicted part of a definition from f.
func replaceFacet(t *surface.Tool, f surface.Tool, code string) {
	facet, _, _ := strings.Cut(code, ".")
	switch facet {
	case "output":
		t.OutputSchema, t.Binding.Result = f.OutputSchema, f.Binding.Result
		t.Redact = sortedSet(slices.Concat(t.Redact, f.Redact))
	case "input":
		t.InputSchema = f.InputSchema
		t.Binding.Arguments, t.Binding.Encoding = f.Binding.Arguments, f.Binding.Encoding
	case "auth":
		t.Auth = f.Auth
	}
}

// dropStale takes the compiled value of every field that people had set and do
// not set any more.
func dropStale(t *surface.Tool, f surface.Tool, approved *surface.Tool) error {
	if approved.Evidence == nil {
		return nil
	}
	now := f.Evidence.Overrides
	for _, field := range approved.Evidence.Overrides {
		if slices.Contains(now, field) {
			continue
		}
		if err := compiledValue(t, f, field); err != nil {
			return err
		}
	}
	return nil
}

func compiledValue(t *surface.Tool, f surface.Tool, field string) error {
	kind, rest, _ := strings.Cut(field, "/")
	switch kind {
	case "name":
		t.Name = f.Name
	case "title":
		t.Title = f.Title
	case "description":
		t.Description = f.Description
	case "risk":
		t.Risk, t.Toolsets = f.Risk, f.Toolsets
	case "confirm":
		t.Confirm = f.Confirm
	case "redact":
		t.Redact = f.Redact
	case "expires":
		t.Expires = f.Expires
	case "toolsets":
		t.Toolsets = f.Toolsets
	case "limits.rate":
		t.Limits.Rate = f.Limits.Rate
	case "limits.response_bytes":
		t.Limits.ResponseBytes = f.Limits.ResponseBytes
	case "limits.timeout":
		t.Limits.Timeout = f.Limits.Timeout
	case "fixed":
		t.InputSchema, t.Binding.Arguments, t.Binding.Fixed = f.InputSchema, f.Binding.Arguments, f.Binding.Fixed
	case "arguments":
		name, keyword, _ := strings.Cut(rest, "/")
		return restoreKeyword(t, f, name, keyword)
	}
	return nil
}

// restoreKeyword gives one keyword of an argument the value that f has.
func restoreKeyword(t *surface.Tool, f surface.Tool, name, keyword string) error {
	compiled, err := decodeObject(f.InputSchema)
	if err != nil {
		return err
	}
	properties, _ := compiled["properties"].(map[string]any)
	from, _ := properties[name].(map[string]any)
	return editInput(t, func(in map[string]any) {
		to, ok := in["properties"].(map[string]any)[name].(map[string]any)
		if !ok {
			return
		}
		if value, ok := from[keyword]; ok {
			to[keyword] = value
		} else {
			delete(to, keyword)
		}
	})
}

// parseIdentity reads the template back from a decision.
func parseIdentity(p surface.PriorEntry) (Template, bool) {
	if p.Tool != nil {
		b := p.Tool.Binding
		return Template{Method: b.Method, Scheme: b.Scheme, Host: b.Host, Port: b.Port, Path: surface.EraseNames(b.Path)}, true
	}
	method, rest, ok := strings.Cut(p.Identity, " ")
	scheme, rest, ok2 := strings.Cut(rest, "://")
	at := strings.IndexByte(rest, '/')
	if !ok || !ok2 || at < 0 {
		return Template{}, false
	}
	host, port, err := net.SplitHostPort(rest[:at])
	number, err2 := strconv.Atoi(port)
	if err != nil || err2 != nil {
		return Template{}, false
	}
	path, _, _ := strings.Cut(rest[at:], " ")
	return Template{Method: method, Scheme: scheme, Host: host, Port: number, Path: path}, true
}
