package compiler

import (
	"maps"
	"slices"
	"strings"

	"github.com/tomallicino/caskmcp/capture"
	"github.com/tomallicino/caskmcp/surface"
)

// fixHeaders makes request headers fixed values whose one value every successful
// exchange had and everybody may know, such as a version of the API or what
// shows that no form of another site made the request. Without them an API may
// answer in another way, or not at all.
func (in *inputs) fixHeaders(e *endpoint, credentials map[string]bool) {
	good := successes(e.obs)
	total := exchanges(good)
	words := map[string]map[string]int{}
	for _, o := range good {
		for _, p := range o.Headers {
			if words[p.Name] == nil {
				words[p.Name] = map[string]int{}
			}
			for word, n := range p.Words {
				words[p.Name][word] += n
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(words)) {
		word := mostFrequent(words[name])
		if n := words[name][word]; n == 0 || n < total || len(words[name]) > 1 || credentials[name] || declares(e, name) || refusedHeaders[name] {
			continue
		}
		in.fix(surface.InHeader, name, word)
		in.fixed[len(in.fixed)-1].Recorded = true
	}
	slices.SortFunc(in.fixed, func(a, b surface.Fixed) int { return strings.Compare(a.Key+"\x00"+a.In, b.Key+"\x00"+b.In) })
}

// What it takes to see that a header goes with a credential: so many calls of so
// many operations came with both, and at most a tenth with the credential alone:
// browsers send cookies with what needs none.
const (
	companionExchanges = 10
	companionEndpoints = 3
	companionShare     = 0.9
)

// companions finds headers without which a credential is not enough: custom
// ones that the successful exchanges with the credential carried, always with
// one value, while a call with the credential but without the header was denied.
// They are sent from the environment as credentials are, for their value is the
// caller's. What is always there but was never missed is left out: nobody should
// have to look up what an application measures itself by.
func companions(eps []*endpoint, sent map[*endpoint][]authScheme) map[authScheme][]authScheme {
	byMain := map[authScheme][]*endpoint{}
	for _, e := range eps {
		if best, _ := strongest(e.key, successes(e.obs)); best != nil && len(sent[e]) > 0 && sent[e][0] == *best {
			byMain[*best] = append(byMain[*best], e)
		}
	}
	out := map[authScheme][]authScheme{}
	for main, own := range byMain {
		calls, operations := map[string]int{}, map[string]int{}
		total := 0
		for _, e := range own {
			total += exchanges(successes(e.obs))
			for name, n := range always(e) {
				calls[name] += n
				operations[name]++
			}
		}
		for _, name := range slices.Sorted(maps.Keys(calls)) {
			enough := calls[name] >= companionExchanges && operations[name] >= companionEndpoints && float64(calls[name]) >= companionShare*float64(total)
			if enough && missed(eps, main, name) {
				out[main] = append(out[main], authScheme{host: main.host, kind: "apiKey", in: surface.InHeader, name: name})
			}
		}
	}
	return out
}

// always are the headers that may belong to a caller and that every successful
// exchange of e carried, with their number.
func always(e *endpoint) map[string]int {
	good := successes(e.obs)
	counts := map[string]int{}
	for _, o := range good {
		for _, p := range o.Headers {
			if goesWithCaller(p) {
				counts[p.Name] += p.Count
			}
		}
	}
	total := exchanges(good)
	maps.DeleteFunc(counts, func(name string, n int) bool { return n < total || declares(e, name) })
	return counts
}

// measuring are words of headers by which applications watch themselves or say
// what they look like.
var measuring = wordSet(`analytics correlation datadog device lang language locale measure metrics newrelic request
	sentry span telemetry timezone trace tracking transaction version`)

// goesWithCaller reports whether a header looks like one that belongs to a
// caller: one value, which is an id.
func goesWithCaller(p capture.Parameter) bool {
	words := strings.FieldsFunc(strings.ToLower(p.Name), func(r rune) bool { return r == '-' || r == '_' || r == '.' })
	if p.Distinct != 1 || p.Repeated > 0 || len(p.Words) > 0 || refusedHeaders[p.Name] || slices.ContainsFunc(words, func(w string) bool { return measuring[w] }) {
		return false
	}
	return words[len(words)-1] == "id" || p.Shape != nil && p.Shape.Strings != nil && len(p.Shape.Strings.Classes) > 0
}

// missed reports whether an exchange with the credential but without the header
// was denied.
func missed(eps []*endpoint, main authScheme, header string) bool {
	for _, e := range eps {
		if authority(e.key) != main.host {
			continue
		}
		for _, o := range e.obs {
			if (o.Status == 401 || o.Status == 403) && authenticated(o, main) > headed(o, header) {
				return true
			}
		}
	}
	return false
}

// authenticated is the number of exchanges that carried a credential, headed of
// those that had a header.
func authenticated(o capture.Observation, s authScheme) int {
	n := 0
	for _, a := range o.Auth {
		if a.Kind == s.kind && a.In == s.in && a.Name == s.name {
			n += a.Count
		}
	}
	return n
}

func headed(o capture.Observation, name string) int {
	n := 0
	for _, p := range o.Headers {
		if p.Name == name {
			n += p.Count
		}
	}
	return n
}

// accompany adds the companions of its main credential to what an endpoint sends.
func accompany(eps []*endpoint, sent map[*endpoint][]authScheme) {
	found := companions(eps, sent)
	for e, set := range sent {
		if len(set) == 0 {
			continue
		}
		own, silent := always(e), len(successes(e.obs)) == 0
		more := slices.DeleteFunc(slices.Clone(found[set[0]]), func(s authScheme) bool {
			return slices.Contains(set, s) || !silent && own[s.name] == 0 || declares(e, s.name)
		})
		sent[e] = append(slices.Clone(set), more...)
		slices.SortFunc(sent[e][1:], authScheme.compare)
	}
}
