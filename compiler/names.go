package compiler

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"net"
	"regexp"
	"slices"
	"strings"

	"github.com/tomallicino/caskmcp/surface"
)

// maxName is the length of a tool name in bytes.
const maxName = 48

var legalName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,47}$`)

// candidates are the names of an endpoint, best first: the operation id, verb
// and noun, then with one more word of the path each, then the method, the
// host and at last a digest of the identity. There is always one that no
// other endpoint has.
func (e *endpoint) candidates() []string {
	var out []string
	add := func(parts ...string) {
		name := shorten(parts)
		if legalName.MatchString(name) && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	if e.declared != nil && e.declared.OperationID != "" {
		if id := snake(e.declared.OperationID); legalName.MatchString(id) {
			out = append(out, id)
		}
	}
	if kind, name, ok := strings.Cut(e.key.operation, ":"); ok {
		if _, op, named := strings.Cut(name, " "); named && kind == "graphql" {
			name = op
		}
		if name != batch {
			add(nameWords(name)...)
		}
		add(append([]string{kind}, nameWords(name)...)...)
	} else {
		e.pathCandidates(add)
	}
	sum := sha256.Sum256([]byte(e.key.identity()))
	base := "call"
	if len(out) > 0 {
		base = out[0]
	}
	add(base[:min(len(base), maxName-9)], hex.EncodeToString(sum[:])[:8])
	return out
}

func (e *endpoint) pathCandidates(add func(...string)) {
	n := e.nouns()
	verb := n.verb
	if n.action != "" {
		verb = n.action
	}
	base := slices.Concat(n.owner, n.object, n.suffix)
	if len(base) == 0 && n.action == "" {
		base = []string{"root"}
		if n.item {
			base = []string{"by", holeWord(e)}
		}
	}
	add(append([]string{verb}, base...)...)
	if e.shared {
		add(append(append([]string{verb}, base...), "by", strings.ToLower(e.key.method))...)
	}
	host := hostWords(e.key.host)
	for _, extra := range n.left {
		add(slices.Concat([]string{verb}, extra, base)...)
	}
	for i := 1; i < len(n.left); i++ {
		longer := slices.Clone(n.left[:i+1])
		slices.Reverse(longer)
		add(slices.Concat([]string{verb}, slices.Concat(longer...), base)...)
	}
	for _, word := range slices.Concat(n.owner, slices.Concat(n.left...)) { // where whole nouns are too long
		add(slices.Concat([]string{verb, word}, n.object, n.suffix)...)
	}
	if len(n.owner) > 0 { // /users/{id}/keys beside /user/keys
		add(slices.Concat([]string{verb}, n.spelt, n.object, n.suffix)...)
	}
	if e.hosts && len(host) > 0 {
		add(slices.Concat([]string{verb}, host, base)...)
	}
	if n.item {
		add(append(append([]string{verb}, base...), "by", holeWord(e))...)
	}
	if names := pathNames(e, nil); !n.item {
		for _, name := range slices.Backward(names) { // /domains/{domain_id}/config beside /domains/config
			add(append(append([]string{verb}, base...), "by", strings.ToLower(name))...)
		}
	}
	for _, stage := range n.stage {
		add(slices.Concat([]string{verb}, stage, base)...)
	}
	if len(host) > 0 {
		add(slices.Concat([]string{verb}, nameWords(e.key.host), base)...)
	}
	add(slices.Concat([]string{verb}, base, []string{e.key.scheme, itoa(e.key.port)})...)
}

// hostWords are the words of a host's first label; an address has none, for it
// says where something runs and not what it is.
func hostWords(host string) []string {
	if host == "localhost" || net.ParseIP(host) != nil {
		return nil
	}
	return nameWords(strings.Split(host, ".")[0])
}

// holeWord names the last parameter, for paths that differ in nothing else.
func holeWord(e *endpoint) string {
	names := pathNames(e, nil)
	if len(names) == 0 {
		return "path"
	}
	return names[len(names)-1]
}

// shorten joins words to a name of at most maxName bytes. Words are left out
// after the verb until it fits.
func shorten(parts []string) string {
	parts = slices.DeleteFunc(slices.Clone(parts), func(p string) bool { return p == "" })
	name := strings.Join(parts, "_")
	for len(name) > maxName && len(parts) > 2 {
		parts = slices.Delete(parts, 1, 2)
		name = strings.Join(parts, "_")
	}
	if len(name) > maxName {
		name = strings.TrimRight(name[:maxName], "_")
	}
	if name != "" && (name[0] < 'a' || name[0] > 'z') {
		name = "call_" + name
		name = strings.TrimRight(name[:min(len(name), maxName)], "_")
	}
	return name
}

// allocate names all endpoints. Names of earlier decisions are kept, those of
// rejected and removed tools stay taken, and only the name of an approved tool
// whose operation is gone may pass to one that would have had it anyway: the
// plan shows that as a replacement.
func allocate(eps []*endpoint, prior surface.Prior) {
	taken := map[string]bool{}
	gone := goneNames(eps, prior)
	for _, p := range prior.Entries {
		taken[p.Name] = !gone[p.Name]
	}
	alike, hosts := map[string]int{}, map[string]bool{}
	for _, e := range eps {
		alike[e.spoken()]++
		hosts[e.key.host] = true
	}
	var waiting []*wish
	for _, e := range eps {
		e.shared = alike[e.spoken()] > 1 && e.key.method != "GET"
		e.hosts = len(hosts) > 1
		if e.prior != nil {
			e.name, e.base = e.prior.Name, e.prior.Name
			if !renamed(e.prior) {
				continue
			}
			e.base = ""
		}
		waiting = append(waiting, &wish{endpoint: e, names: e.candidates(), first: true})
	}
	for len(waiting) > 0 {
		waiting = settle(waiting, taken, gone)
	}
}

// wish is an endpoint that has no name yet, and the names it could have.
type wish struct {
	endpoint *endpoint
	names    []string
	first    bool // names[0] is its first choice
}

func (w *wish) next() { w.names, w.first = w.names[1:], false }

// goneNames are names of approved tools that no endpoint has any more.
func goneNames(eps []*endpoint, prior surface.Prior) map[string]bool {
	kept := map[string]bool{}
	for _, e := range eps {
		if e.prior != nil {
			kept[e.prior.Name] = true
		}
	}
	gone := map[string]bool{}
	for _, p := range prior.Entries {
		if p.Status == surface.Approved && !kept[p.Name] {
			gone[p.Name] = true
		}
	}
	return gone
}

// settle is one round: of the endpoints that want the same free name, the only
// one with the shortest path gets it; all others go on to their next choice.
// It returns those that still wait.
func settle(waiting []*wish, taken, gone map[string]bool) []*wish {
	wants := map[string][]*wish{}
	for _, w := range waiting {
		for len(w.names) > 1 && (taken[w.names[0]] && w.names[0] != w.endpoint.name || gone[w.names[0]] && !w.first) {
			w.next()
		}
		wants[w.names[0]] = append(wants[w.names[0]], w)
	}
	var still []*wish
	for _, w := range waiting {
		name := w.names[0]
		if len(w.names) > 1 && shortest(wants[name]) != w {
			still = append(still, w)
			continue
		}
		w.endpoint.base = name
		if w.endpoint.name == "" {
			w.endpoint.name = name
		}
		taken[name] = true
	}
	for _, w := range still {
		w.next()
	}
	return still
}

// methodOrder says which of two methods on one path has the plain name.
var methodOrder = map[string]int{"GET": 1, "PATCH": 2, "PUT": 3, "POST": 4, "DELETE": 5}

// shortest is the one with the fewest path segments; among methods of one path
// the usual one for the verb. It is nil if several are as short.
func shortest(ws []*wish) *wish {
	var best *wish
	fewest, tied := -1, false
	for _, w := range ws {
		n := strings.Count(w.endpoint.key.template, "/")
		switch {
		case fewest < 0 || n < fewest:
			best, fewest, tied = w, n, false
		case n > fewest:
		case w.endpoint.resource() != best.endpoint.resource():
			tied = true
		case methodOrder[w.endpoint.key.method] < methodOrder[best.endpoint.key.method]:
			best = w
		}
	}
	if tied {
		return nil
	}
	return best
}

// spoken is the resource and what is done to it: PATCH and POST of an item are
// both an update.
func (e *endpoint) spoken() string {
	n := e.nouns()
	return e.resource().request() + " " + cmp.Or(n.action, n.verb)
}

// resource is the endpoint without its method.
func (e *endpoint) resource() endpointKey {
	k := e.key
	k.method = ""
	return k
}

// renamed reports whether the name in the lockfile is one that people chose.
func renamed(p *surface.PriorEntry) bool {
	return p.Tool != nil && p.Tool.Evidence != nil && slices.Contains(p.Tool.Evidence.Overrides, "name")
}
