package compiler

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
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

func (s authScheme) compare(o authScheme) int {
	return cmp.Or(strings.Compare(s.host, o.host), strings.Compare(s.kind+s.in+s.name, o.kind+o.in+o.name))
}

// authority is "host" or "host:port", as credentials are bound to.
func authority(k endpointKey) string {
	_, rest, _ := strings.Cut(surface.Origin(k.scheme, k.host, k.port), "://")
	return rest
}

// authOf finds the credentials that calls of an endpoint send, the main one
// first; none where none is needed. Successful exchanges decide; where an
// exporter may have removed the credentials, the host's usual ones are taken,
// because "none seen" is not "none needed".
func authOf(e *endpoint, usual map[string][]authScheme) []authScheme {
	obs := successes(e.obs)
	if len(obs) == 0 {
		obs = e.obs
	}
	best, unknown := strongest(e.key, obs)
	silent := e.declared == nil || slices.ContainsFunc(e.declared.Security, func(r capture.DeclaredRequirement) bool { return r.Kind == "unknown" })
	switch {
	case best != nil:
		return append([]authScheme{*best}, further(e, obs, *best)...)
	case !silent && (len(obs) == 0 || unknown):
		return declaredAuth(e)
	case unknown || e.declared != nil && len(obs) == 0:
		return usual[authority(e.key)]
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
			case "none", "", "csrf", "signature": // a CSRF token proves the page, not the caller
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

// signed is the scheme by which every one of the exchanges was signed, ""
// where some was not: a signature is good for one request.
func signed(obs []capture.Observation) string {
	count, scheme := 0, ""
	for _, o := range obs {
		for _, a := range o.Auth {
			if a.Kind == "signature" {
				count, scheme = count+a.Count, cmp.Or(scheme, a.Name)
			}
		}
	}
	if count < exchanges(obs) {
		return ""
	}
	return printable(scheme)
}

// further are the credentials that every one of the exchanges carried beside
// the main one, sorted. Cookies and the tokens that go with them are none:
// browsers send them anyway.
func further(e *endpoint, obs []capture.Observation, main authScheme) []authScheme {
	counts := map[authScheme]int{}
	for _, o := range obs {
		for _, a := range o.Auth {
			s := authScheme{host: main.host, kind: a.Kind, in: a.In, name: a.Name}
			switch a.Kind {
			case "bearer", "basic", "apiKey":
				if a.In != main.in || a.Name != main.name {
					counts[s] += a.Count
				}
			}
		}
		for _, p := range o.Headers {
			if isCallerHeader(p.Name) && !declares(e, p.Name) {
				counts[authScheme{host: main.host, kind: "apiKey", in: surface.InHeader, name: p.Name}] += p.Count
			}
		}
	}
	var out []authScheme
	for s, n := range counts {
		if n >= exchanges(obs) {
			out = append(out, s)
		}
	}
	slices.SortFunc(out, authScheme.compare)
	return out
}

// callerHeader matches request headers that say for whom a call is made. Their
// value comes with the credential, and no agent can know it.
var callerHeader = regexp.MustCompile(`(^|-)(app|application|client|tenant|org|organization|workspace|project|account|subscription)-id$`)

func isCallerHeader(name string) bool { return callerHeader.MatchString(strings.ToLower(name)) }

// declares reports whether a specification has the header as a parameter, so
// that it is an argument.
func declares(e *endpoint, header string) bool {
	return e.declared != nil && slices.ContainsFunc(e.declared.Parameters, func(p capture.DeclaredParameter) bool {
		return p.In == surface.InHeader && strings.EqualFold(p.Name, header)
	})
}

// usualAuth is what most authenticated exchanges of each authority sent.
func usualAuth(eps []*endpoint) map[string][]authScheme {
	sets, counts := map[string][]authScheme{}, map[string]int{}
	for _, e := range eps {
		obs := successes(e.obs)
		if s, _ := strongest(e.key, obs); s != nil {
			set := append([]authScheme{*s}, further(e, obs, *s)...)
			key := fmt.Sprint(set)
			sets[key] = set
			counts[key] += e.exchanges()
		}
	}
	usual, best := map[string][]authScheme{}, map[string]string{}
	for key, set := range sets {
		host := set[0].host
		if old, ok := best[host]; !ok || cmp.Or(cmp.Compare(counts[old], counts[key]), cmp.Compare(key, old)) < 0 {
			usual[host], best[host] = set, key
		}
	}
	return usual
}

// declaredAuth is the requirement of a specification that the fewest
// credentials meet, by preference one that is made for programs; nil where none
// is needed.
func declaredAuth(e *endpoint) []authScheme {
	sets := map[int][]authScheme{} // by group; those alone have a negative one
	for i, r := range e.declared.Security {
		if r.Kind == "none" || r.Kind == "" {
			continue
		}
		group := r.Group
		if group == 0 {
			group = -1 - i
		}
		sets[group] = append(sets[group], authScheme{host: authority(e.key), kind: r.Kind, in: r.In, name: r.Key})
	}
	var best []authScheme
	for _, group := range slices.SortedFunc(maps.Keys(sets), func(a, b int) int { return cmp.Or(cmp.Compare(max(a, 0), max(b, 0)), cmp.Compare(b, a)) }) {
		set := sets[group]
		slices.SortStableFunc(set, func(a, b authScheme) int { return cmp.Compare(authOrder[a.kind], authOrder[b.kind]) })
		set = onePerPlace(set)
		if best == nil || cmp.Or(cmp.Compare(len(set), len(best)), cmp.Compare(authOrder[set[0].kind], authOrder[best[0].kind])) < 0 {
			best = set
		}
	}
	return best
}

// onePerPlace keeps the first of the credentials that go to one place: an
// Authorization header holds one token, whatever a specification calls it.
func onePerPlace(set []authScheme) []authScheme {
	taken := map[[2]string]bool{}
	return slices.DeleteFunc(set, func(s authScheme) bool {
		at := [2]string{s.in, strings.ToLower(s.name)}
		switch s.kind {
		case "bearer", "basic", "oauth2":
			at = [2]string{surface.InHeader, "authorization"}
		}
		again := taken[at]
		taken[at] = true
		return again
	})
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
