package compiler

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/tomallicino/caskmcp/schema"
	"github.com/tomallicino/caskmcp/surface"
)

// maxName is the length of a tool name in bytes.
const maxName = 48

var legalName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,47}$`)

// actionWords are last path words that are verbs: POST /orders/{id}/cancel.
var actionWords = wordSet(`accept acknowledge ack activate add apply approve archive assign attach authenticate authorize block bulk_create bulk_delete bulk_update
	cancel capture checkout clear clone close commit compare complete compress confirm convert copy create deactivate decline
	delete demote deploy deprecate destroy detach disable disconnect dismiss download duplicate edit enable encrypt execute expire explain export
	extend finalize find finish follow fork generate import install invalidate invite join kick launch leave lock login logout
	like lookup mark_read merge move mute notify open pause ping preview process promote publish purge push query reactivate read rebuild
	refresh refund regenerate reindex register reject release reload remove rename render reopen reorder replay replace reply
	report request resend reset resolve restart restore resume retry revert revive revoke rollback rotate run save schedule scale search send
	set share ship shutdown signin signout signup skip snooze split star start stop submit subscribe suspend swap sync terminate test
	toggle track transfer trigger unarchive unassign unblock undelete undo unfollow unlike uninstall unlink unlock unmute unpublish unshare unstar
	unsubscribe unsuspend update upgrade upload validate verify void vote watch unwatch withdraw`)

// readActions are the verbs that a GET can end in.
var readActions = wordSet(`search query find lookup export download compare preview validate verify explain ping
	logout signout delete remove destroy unsubscribe cancel approve reject disable enable activate deactivate reset revoke restart shutdown`)

// imperatives begin literals that are verb and object: bulk words and nouns
// that are verbs too ("search templates") do not.
var imperatives = wordSet(`add approve cancel clean clear create delete disable enable generate get mark move reject remove reset restart
	send set update validate verify`)

// readImperatives are those of a GET: query_range.
var readImperatives = wordSet("get list find query format search lookup export download fetch")

// nouns is how an endpoint is spoken of.
type nouns struct {
	verb   string
	action string   // a verb of the API's own: "cancel"
	owner  []string // what it belongs to: user
	object []string // orders
	suffix []string // csv
	left   [][]string
	item   bool // what is meant is one thing: the path ends in a parameter
	of     bool // the owner is one thing
	plural bool // the path names a collection
}

// noun is a literal of the path that says something.
type noun struct {
	words []string
	one   bool // a parameter follows
}

// nounsOf takes an endpoint's words from its path.
func nounsOf(e *endpoint) nouns {
	n := nouns{}
	all := n.read(segments(e.key.template))
	named := slices.DeleteFunc(slices.Clone(all), func(w noun) bool { return isVersion(strings.Join(w.words, "")) || nameless(w.words) })
	named = n.takeAction(e, named)
	if some := slices.DeleteFunc(slices.Clone(named), func(w noun) bool { return len(w.words) == 1 && areas[w.words[0]] && !w.one }); len(some) > 0 {
		named = some
	}
	if k := len(named); k > 0 {
		last := named[k-1]
		n.object, n.item = last.words, last.one || n.item && n.action == "" && n.suffix != nil
		if last.one {
			n.object = singularLast(last.words)
		}
		if k > 1 {
			owner := named[k-2]
			if owner.one {
				owner.words = singularLast(owner.words)
			}
			if words := compound(owner.words); !slices.Equal(singularLast(words), singularLast(n.object)) {
				n.owner, n.of = words, owner.one
			}
		}
	}
	for i := len(all) - 1; i >= 0; i-- {
		words := singularLast(all[i].words)
		isAction := i == len(all)-1 && strings.Join(all[i].words, "_") == n.action
		if len(words) > 0 && !isAction && !slices.Equal(words, singularLast(n.object)) && !slices.Equal(words, n.owner) {
			n.left = append(n.left, words)
		}
	}
	n.verb = verbOf(e, n)
	if k := len(n.object); k > 0 {
		n.plural = isPlural(n.object[k-1]) || n.object[k-1] == "series"
	}
	if n.verb == "create" && n.action == "" {
		n.object = singularLast(n.object)
	}
	return n
}

// read takes the literals of a path; prefixes and versions among them.
func (n *nouns) read(segs []segment) []noun {
	var all []noun
	for i, s := range segs {
		last := i == len(segs)-1
		if last {
			n.action = s.action
		}
		switch {
		case s.literal():
			all = append(all, noun{words: s.words})
		case len(s.words) > 0 && !strings.HasPrefix(s.text, "{}") && !strings.HasPrefix(s.text, "@"): // Customers('{}')
			all = append(all, noun{words: s.words, one: true})
		default:
			if len(all) > 0 {
				all[len(all)-1].one = true
			}
			if last {
				n.suffix = s.words
				n.item = true
			}
		}
	}
	return all
}

// takeAction takes the last literal as a verb, where it is one, or begins with
// one: clean_tombstones.
func (n *nouns) takeAction(e *endpoint, named []noun) []noun {
	if n.action != "" || len(named) == 0 || named[len(named)-1].one || e.key.method == "DELETE" {
		return named
	}
	last := &named[len(named)-1]
	whole := strings.Join(last.words, "_")
	verbs, openings := actionWords, imperatives
	if e.key.method == "GET" || e.key.method == "HEAD" || e.mirror {
		verbs, openings = readActions, readImperatives
	}
	switch {
	case verbs[whole]:
		n.action = whole
		return named[:len(named)-1]
	case switches[whole] != "" && len(named) > 1 && e.key.method != "GET":
		n.action = switches[whole]
		return named[:len(named)-1]
	case len(last.words) > 1 && openings[last.words[0]]:
		n.action, last.words = last.words[0], last.words[1:]
	}
	if i := slices.IndexFunc(named, func(w noun) bool { return !w.one && strings.Join(w.words, "_") == "search" }); i >= 0 && n.action == "" {
		n.action = "search"
		return slices.Delete(named, i, i+1)
	}
	return named
}

// switches are last path words that turn something on or off.
var switches = map[string]string{"on": "turn_on", "off": "turn_off"}

func verbOf(e *endpoint, n nouns) string {
	switch e.key.method {
	case "POST":
		if e.mirror {
			return readVerb(e, n)
		}
		if n.item {
			return "update"
		}
		return "create"
	case "PUT":
		return "replace"
	case "PATCH":
		return "update"
	case "DELETE":
		return "delete"
	case "HEAD":
		return "check"
	}
	return readVerb(e, n)
}

func readVerb(e *endpoint, n nouns) string {
	if !n.item && returnsMany(e, n) {
		return "list"
	}
	return "get"
}

// returnsMany reports whether a GET returns a collection: its body is an
// array, or the word is a plural and there is an array in the body, or nothing
// is known of the body.
func returnsMany(e *endpoint, n nouns) bool {
	many := len(n.object) > 0 && isPlural(n.object[len(n.object)-1])
	shape := successShape(e.obs)
	if shape == nil || shape.Total() == 0 {
		if d := declaredOutput(e.declared); d != nil && d["type"] == "array" {
			return true
		}
		return many
	}
	if shape.Arrays != nil && shape.Objects == nil {
		return true
	}
	return many && holdsArray(shape, 2)
}

func holdsArray(s *schema.Shape, depth int) bool {
	if s == nil || s.Objects == nil {
		return false
	}
	if s.Objects.Map || s.Objects.Entries != nil {
		return true
	}
	for _, p := range s.Objects.Properties {
		if p.Arrays != nil || depth > 1 && holdsArray(p, depth-1) {
			return true
		}
	}
	return false
}

// many reports whether the endpoint returns several things of a kind.
func (e *endpoint) many() bool {
	n := nounsOf(e)
	return n.verb == "list" && n.action == "" || n.action != "" && lookups[n.action]
}

// phrase is the object for a sentence: "orders of one user".
func (n nouns) phrase() string {
	object := strings.Join(slices.Concat(n.object, n.suffix), " ")
	owner := strings.Join(n.owner, " ")
	if object == "" {
		return texts["resource"]
	}
	if owner != "" && !n.of {
		object = owner + " " + object
	}
	switch {
	case n.verb == "create" && n.action == "" && n.plural:
		object = fmt.Sprintf(texts["a"], object)
	case n.verb == "create" && n.action == "":
		object = fmt.Sprintf(texts["the"], object)
	case n.item:
		object = fmt.Sprintf(texts["one"], object)
	}
	if n.of {
		object = fmt.Sprintf(texts["of one"], object, owner)
	}
	return object
}

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
		add(nameWords(name)...)
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
	n := nounsOf(e)
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
	host := nameWords(strings.Split(e.key.host, ".")[0])
	for _, extra := range n.left {
		add(slices.Concat([]string{verb}, extra, base)...)
	}
	for i := 1; i < len(n.left); i++ {
		longer := slices.Clone(n.left[:i+1])
		slices.Reverse(longer)
		add(slices.Concat([]string{verb}, slices.Concat(longer...), base)...)
	}
	if e.hosts {
		add(slices.Concat([]string{verb}, host, base)...)
	}
	if n.item {
		add(append(append([]string{verb}, base...), "by", holeWord(e))...)
	}
	add(slices.Concat([]string{verb}, nameWords(e.key.host), base)...)
	add(slices.Concat([]string{verb}, base, []string{e.key.scheme, itoa(e.key.port)})...)
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
	n := nounsOf(e)
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
