package compiler

import (
	"cmp"
	"slices"
	"strings"

	"github.com/tomallicino/caskmcp/capture"
	"github.com/tomallicino/caskmcp/surface"
)

// scheme is one way of authentication at one origin.
type authScheme struct {
	host           string // "host", or "host:port" where the port is not the scheme's own
	kind, in, name string
}

// authority is "host" or "host:port", as credentials are bound to.
func authority(k endpointKey) string {
	_, rest, _ := strings.Cut(surface.Origin(k.scheme, k.host, k.port), "://")
	return rest
}

// authOf finds how calls of an endpoint are authenticated. Successful
// exchanges decide; where an exporter may have removed the credentials, the
// host's usual way is taken, because "none seen" is not "none needed".
func authOf(e *endpoint, usual map[string]authScheme) *authScheme {
	obs := successes(e.obs)
	if len(obs) == 0 {
		obs = e.obs
	}
	best, unknown := strongest(e.key, obs)
	silent := e.declared == nil || slices.ContainsFunc(e.declared.Security, func(r capture.DeclaredRequirement) bool { return r.Kind == "unknown" })
	switch {
	case best != nil:
		return best
	case !silent && (len(obs) == 0 || unknown):
		return declaredAuth(e)
	case unknown || e.declared != nil && len(obs) == 0:
		if s, ok := usual[authority(e.key)]; ok {
			return &s
		}
	}
	return nil
}

// authOrder prefers credentials that are made for programs.
var authOrder = map[string]int{"oauth2": 1, "bearer": 2, "apiKey": 3, "basic": 4, "cookie": 5}

// strongest is the most frequent way of authentication that was seen, and
// whether there were exchanges that say nothing about it.
func strongest(k endpointKey, obs []capture.Observation) (best *authScheme, unknown bool) {
	counts := map[authScheme]int{}
	for _, o := range obs {
		for _, a := range o.Auth {
			switch a.Kind {
			case "unknown":
				unknown = true
			case "none", "", "csrf": // a CSRF token proves the page, not the caller
			default:
				counts[authScheme{host: authority(k), kind: a.Kind, in: a.In, name: a.Name}] += a.Count
			}
		}
	}
	for s, n := range counts {
		if best == nil || cmp.Or(cmp.Compare(authOrder[s.kind], authOrder[best.kind]), cmp.Compare(counts[*best], n), cmp.Compare(s.in+s.name, best.in+best.name)) < 0 {
			best = &s
		}
	}
	return best, unknown
}

// usualAuth is each authority's most frequent way of authentication.
func usualAuth(eps []*endpoint) map[string]authScheme {
	counts := map[authScheme]int{}
	for _, e := range eps {
		if s, _ := strongest(e.key, successes(e.obs)); s != nil {
			counts[*s] += e.exchanges()
		}
	}
	usual := map[string]authScheme{}
	for s, n := range counts {
		best, ok := usual[s.host]
		if !ok || cmp.Or(cmp.Compare(counts[best], n), cmp.Compare(s.kind+s.in+s.name, best.kind+best.in+best.name)) < 0 {
			usual[s.host] = s
		}
	}
	return usual
}

// declaredAuth is the best requirement that one credential can meet; nil where
// a specification says that none is needed.
func declaredAuth(e *endpoint) *authScheme {
	var best *authScheme
	for _, r := range e.declared.Security {
		if r.Kind == "none" || r.Kind == "" || r.Group > 0 {
			continue
		}
		s := &authScheme{host: authority(e.key), kind: r.Kind, in: r.In, name: r.Key}
		if best == nil || authOrder[s.kind] < authOrder[best.kind] {
			best = s
		}
	}
	return best
}

// severalCredentials says which credentials a specification asks for together,
// where no single one suffices; "" otherwise. A tool has one.
func severalCredentials(e *endpoint) string {
	if e.declared == nil || len(e.declared.Security) == 0 {
		return ""
	}
	first := e.declared.Security[0].Group
	var names []string
	for _, r := range e.declared.Security {
		switch r.Group {
		case 0:
			return ""
		case first:
			names = append(names, printable(r.Name))
		}
	}
	return strings.Join(names, " and ")
}

// authOptional reports whether calls succeed without any credential: a
// specification says so, or, where it is silent, some did. Where an exporter may
// have removed credentials, none seen is not none sent.
func authOptional(e *endpoint) bool {
	if e.declared != nil && len(e.declared.Security) > 0 {
		return slices.ContainsFunc(e.declared.Security, func(r capture.DeclaredRequirement) bool { return r.Kind == "none" })
	}
	without := 0
	for _, o := range successes(e.obs) {
		for _, a := range o.Auth {
			switch a.Kind {
			case "unknown":
				return false
			case "none":
				without += a.Count
			}
		}
	}
	return without > 0
}

// unsentCredentials are the other credentials that every successful exchange
// carried beside the one that calls send. Cookies and the tokens that go with
// them are none: browsers send them anyway.
func unsentCredentials(e *endpoint, sent *authScheme) []string {
	if sent == nil {
		return nil
	}
	counts := map[string]int{}
	good := successes(e.obs)
	for _, o := range good {
		for _, a := range o.Auth {
			switch a.Kind {
			case "bearer", "basic", "apiKey":
				if a.Kind != sent.kind || a.In != sent.in || a.Name != sent.name {
					counts[strings.TrimSpace(a.Kind+" "+printable(a.Name))] += a.Count
				}
			}
		}
	}
	var names []string
	for name, n := range counts {
		if n >= exchanges(good) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// declaredScopes are the OAuth 2.0 scopes that a specification asks for.
func declaredScopes(e *endpoint, kind string) []string {
	if e.declared == nil {
		return nil
	}
	for _, r := range e.declared.Security {
		if r.Kind == kind && len(r.Scopes) > 0 {
			scopes := slices.Clone(r.Scopes)
			slices.Sort(scopes)
			return slices.Compact(scopes)
		}
	}
	return nil
}

// credentialNames are query parameters and headers that carry credentials
// somewhere on the surface: nowhere are they arguments.
func credentialNames(eps []*endpoint) map[string]bool {
	names := map[string]bool{}
	for _, e := range eps {
		for _, o := range e.obs {
			for _, a := range o.Auth {
				if a.Name != "" && a.In != "cookie" {
					names[a.Name] = true
				}
			}
		}
		if e.declared != nil {
			for _, r := range e.declared.Security {
				if r.Key != "" && r.In != "cookie" {
					names[r.Key] = true
				}
			}
		}
	}
	return names
}

// refWords name a credential by its kind.
var refWords = map[string]string{"bearer": "token", "oauth2": "token", "basic": "basic", "apiKey": "api_key", "cookie": "session"}

// references gives every scheme the name of its credential. Names that
// approved tools use stay with their host; the first scheme of a kind, by
// exchanges, gets the short name, others one with their host.
func references(schemes map[*endpoint]*authScheme, prior surface.Prior) map[authScheme]string {
	refs, taken := priorReferences(prior)
	counts := map[authScheme]int{}
	for e, s := range schemes {
		if s != nil {
			counts[*s] += 1 + e.exchanges()
		}
	}
	var open []authScheme
	for s := range counts {
		if refs[s] == "" {
			open = append(open, s)
		}
	}
	slices.SortFunc(open, func(a, b authScheme) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), strings.Compare(a.host, b.host), strings.Compare(a.kind+a.in+a.name, b.kind+b.in+b.name))
	})
	for _, s := range open {
		word := cmp.Or(refWords[s.kind], "credential")
		long := snake(s.host) + "_" + word
		for _, ref := range []string{word, long, long + "_" + snake(s.in+" "+s.name), freeName(long, keys(taken))} {
			if ref = strings.Trim(ref, "_"); !taken[ref] {
				refs[s], taken[ref] = ref, true
				break
			}
		}
	}
	return refs
}

func priorReferences(prior surface.Prior) (map[authScheme]string, map[string]bool) {
	refs, taken := map[authScheme]string{}, map[string]bool{}
	for _, p := range prior.Entries {
		if p.Tool == nil || p.Tool.Auth == nil {
			continue
		}
		a, b := p.Tool.Auth, p.Tool.Binding
		k := endpointKey{scheme: b.Scheme, host: b.Host, port: b.Port}
		s := authScheme{host: authority(k), kind: a.Kind, in: a.In, name: a.Name}
		if refs[s] == "" || a.Ref < refs[s] {
			refs[s] = a.Ref
		}
		taken[a.Ref] = true
	}
	return refs, taken
}

func keys(set map[string]bool) []string {
	out := make([]string, 0, len(set))
	for k := range set {
		out = append(out, k)
	}
	return out
}

// credentialsOf are the credentials that the tools refer to, with those of
// toolpack.yaml in place of the generated ones.
func credentialsOf(tools []surface.Tool, opt Options) []surface.Credential {
	byRef := map[string]*surface.Credential{}
	for _, t := range tools {
		if t.Auth == nil {
			continue
		}
		c := byRef[t.Auth.Ref]
		if c == nil {
			c = &surface.Credential{Ref: t.Auth.Ref, Env: environment(opt.Name, t.Auth.Ref)}
			byRef[t.Auth.Ref] = c
		}
		host := authority(endpointKey{scheme: t.Binding.Scheme, host: t.Binding.Host, port: t.Binding.Port})
		if !slices.Contains(c.Hosts, host) {
			c.Hosts = append(c.Hosts, host)
		}
	}
	for _, c := range slices.Concat(opt.Server.Credentials, opt.Credentials) {
		generated := byRef[c.Ref]
		if generated == nil {
			byRef[c.Ref] = &surface.Credential{Ref: c.Ref, Env: cmp.Or(c.Env, environment(opt.Name, c.Ref)), Hosts: slices.Clone(c.Hosts)}
			continue
		}
		generated.Env = cmp.Or(c.Env, generated.Env)
		if len(c.Hosts) > 0 {
			generated.Hosts = slices.Clone(c.Hosts)
		}
	}
	var out []surface.Credential
	for _, c := range byRef {
		slices.Sort(c.Hosts)
		c.Hosts = slices.Compact(c.Hosts)
		if c.Hosts == nil {
			c.Hosts = []string{}
		}
		out = append(out, *c)
	}
	slices.SortFunc(out, func(a, b surface.Credential) int { return strings.Compare(a.Ref, b.Ref) })
	return out
}

// environment is the variable of a credential: CASKMCP_<TOOLPACK>_<REF>.
func environment(toolpack, ref string) string {
	name := strings.Trim(snake(toolpack)+"_"+snake(ref), "_")
	return "CASKMCP_" + strings.ToUpper(name)
}
