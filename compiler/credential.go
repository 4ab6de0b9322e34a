package compiler

import (
	"cmp"
	"slices"
	"strings"

	"github.com/tomallicino/caskmcp/surface"
)

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
// exchanges, gets the short name, others of its host one with their header or
// parameter, those of other hosts one with the host.
func references(sent map[*endpoint][]authScheme, prior surface.Prior) map[authScheme]string {
	refs, taken := priorReferences(prior)
	counts := map[authScheme]int{}
	for e, set := range sent {
		for _, s := range set {
			counts[s] += 1 + e.exchanges()
		}
	}
	var open []authScheme
	for s := range counts {
		if refs[s] == "" {
			open = append(open, s)
		}
	}
	slices.SortFunc(open, func(a, b authScheme) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), a.compare(b))
	})
	for _, s := range open {
		word := cmp.Or(refWords[s.kind], "credential")
		long := snake(s.host) + "_" + word
		names := []string{word, long, long + "_" + snake(s.in+" "+s.name), freeName(long, keys(taken))}
		own := strings.TrimPrefix(snake(s.name), "x_")
		switch {
		case s.kind == "apiKey" && strings.HasSuffix(own, "_id"):
			names = slices.Insert(names, 0, own) // says who calls, and is no key
		case s.kind == "apiKey" && hasReference(refs, s.host, word):
			names = slices.Insert(names, 1, own)
		}
		for _, ref := range names {
			if ref = strings.Trim(ref, "_"); ref != "" && !taken[ref] {
				refs[s], taken[ref] = ref, true
				break
			}
		}
	}
	return refs
}

// hasReference reports whether a credential of the host has the name.
func hasReference(refs map[authScheme]string, host, ref string) bool {
	for s, r := range refs {
		if s.host == host && r == ref {
			return true
		}
	}
	return false
}

func priorReferences(prior surface.Prior) (map[authScheme]string, map[string]bool) {
	refs, taken := map[authScheme]string{}, map[string]bool{}
	for _, p := range prior.Entries {
		if p.Tool == nil {
			continue
		}
		b := p.Tool.Binding
		host := authority(endpointKey{scheme: b.Scheme, host: b.Host, port: b.Port})
		for _, a := range p.Tool.Auth.All() {
			s := authScheme{host: host, kind: a.Kind, in: a.In, name: a.Name}
			if refs[s] == "" || a.Ref < refs[s] {
				refs[s] = a.Ref
			}
			taken[a.Ref] = true
		}
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
		host := authority(endpointKey{scheme: t.Binding.Scheme, host: t.Binding.Host, port: t.Binding.Port})
		for _, a := range t.Auth.All() {
			c := byRef[a.Ref]
			if c == nil {
				c = &surface.Credential{Ref: a.Ref, Env: environment(opt.Name, a.Ref)}
				byRef[a.Ref] = c
			}
			if !slices.Contains(c.Hosts, host) {
				c.Hosts = append(c.Hosts, host)
			}
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
