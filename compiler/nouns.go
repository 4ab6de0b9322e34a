package compiler

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tomallicino/caskmcp/capture"
	"github.com/tomallicino/caskmcp/schema"
)

// actionWords are last path words that are verbs: POST /orders/{id}/cancel.
var actionWords = wordSet(`accept acknowledge ack activate add apply approve archive assign attach authenticate authorize block bulk_create bulk_delete bulk_update
	cancel capture checkout clear clone close commit compare complete compress confirm convert copy create deactivate decline
	delete demote deploy deprecate destroy detach disable disconnect dismiss download duplicate edit enable encrypt execute expire explain export
	extend finalize find finish follow fork generate import install invalidate invite join kick kill launch leave lock login logout
	like lookup mark_read merge move mute notify open pause ping preview process promote prune publish purge push query reactivate read rebuild
	refresh refund regenerate reindex register reject release reload remove rename render reopen reorder replay replace reply
	report request rerun resend reset resolve restart restore resume retry revert revive revoke rollback rotate run save schedule scale search send
	set share ship shutdown signin signout signup skip snooze split star start stop submit subscribe suspend swap sync terminate test
	toggle track transfer trigger unarchive unassign unblock undelete undo unfollow unlike uninstall unlink unlock unmute unpublish unshare unstar
	unsubscribe unsuspend update upgrade upload validate verify void vote watch unwatch withdraw`)

// readActions are the verbs that a GET can end in.
var readActions = wordSet(`search query find lookup export download compare preview validate verify explain ping
	logout signout delete remove destroy unsubscribe cancel approve reject disable enable activate deactivate reset revoke restart shutdown`)

// imperatives begin literals that are verb and object: bulk words and nouns
// that are verbs too ("search templates") do not.
var imperatives = wordSet(`add approve cancel clean clear create delete disable enable generate get mark move reject remove rerun reset restart
	send set update validate verify`)

// readImperatives are those of a GET: query_range.
var readImperatives = wordSet("get list find query format search lookup export download fetch")

// nouns is how an endpoint is spoken of.
type nouns struct {
	verb   string
	action string     // a verb of the API's own: "cancel"
	owner  []string   // what it belongs to: user
	object []string   // orders
	suffix []string   // csv
	left   [][]string // further words of the path, from right to left
	stage  [][]string // those of them that are numbers, as last resort
	spelt  []string   // the owner as the path spells it
	item   bool       // what is meant is one thing: the path ends in a parameter
	of     bool       // the owner is one thing
	plural bool       // the path names a collection
}

// nouns are the words of e, found once.
func (e *endpoint) nouns() nouns {
	if e.said == nil {
		n := nounsOf(e)
		e.said = &n
	}
	return *e.said
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
	if len(named) == 0 { // /v3/services/{id}: no prefix, but what it is about
		named = slices.DeleteFunc(slices.Clone(all), func(w noun) bool { return len(w.words) != 1 || w.words[0] != "services" })
	}
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
			n.spelt = owner.words
			if owner.one {
				owner.words = singularLast(owner.words)
			}
			if words := compound(owner.words); !slices.Equal(singularLast(words), singularLast(n.object)) {
				n.owner, n.of = words, owner.one
			}
		}
	}
	n.inside(e)
	for i := len(all) - 1; i >= 0; i-- {
		words := singularLast(all[i].words)
		if strings.Trim(strings.Join(all[i].words, ""), "0123456789") == "" {
			n.stage = append(n.stage, words)
			continue
		}
		isAction := i == len(all)-1 && strings.Join(all[i].words, "_") == n.action
		if len(words) > 0 && !isAction && !slices.Equal(words, singularLast(n.object)) && !slices.Equal(words, n.owner) {
			n.left = append(n.left, words)
		}
	}
	n.verb = verbOf(e, n)
	if k := len(n.object); k > 0 {
		n.plural = n.plural || isPlural(n.object[k-1]) || n.object[k-1] == "series"
	}
	if n.verb == "create" && n.action == "" {
		n.object = singularLast(n.object)
	}
	return n
}

// inside speaks of what a thing holds, where the path alone would say that it is
// the thing: /queues/{queue}/{file}, or POST /classes/{class} that creates an
// object of the class.
func (n *nouns) inside(e *endpoint) {
	if n.action != "" || len(n.object) == 0 || !n.item || n.suffix != nil {
		return
	}
	word := "item"
	creates := e.holds && e.key.method == "POST" && !e.mirror && madeNew(e.obs)
	lists := e.holds && e.key.method == "GET" && wraps(successShape(e.obs))
	switch {
	case strings.Join(n.object, "_") == word:
		return
	case lists:
		word += "s"
	case !creates && !(e.held && !e.owned()):
		return
	}
	n.owner, n.spelt, n.of, n.object = n.object, n.object, true, []string{word}
	n.item, n.plural = !creates && !lists, creates || lists
}

// owned reports whether the last parameter is found by its owner's name and its
// own: /repos/{owner}/{repo}.
func (e *endpoint) owned() bool { return len(e.holes) > 1 && e.holes[len(e.holes)-2] == "owner" }

// hold finds the things that hold others, and those that are held by them: GET
// of a path answers with one object that says what it is called, and the path
// goes on with one more parameter. What GET of a path merely lists is none.
func hold(eps []*endpoint) {
	things := map[string]bool{}
	for _, e := range eps {
		if path := e.origin() + e.key.template; e.key.method == "GET" && strings.HasSuffix(path, "/{}") && isThing(successShape(e.obs)) {
			things[path] = true
		}
	}
	holders := map[string]bool{}
	for _, e := range eps {
		outer, ok := strings.CutSuffix(e.origin()+e.key.template, "/{}")
		e.held = ok && things[outer]
		holders[outer] = holders[outer] || e.held
	}
	for _, e := range eps {
		e.holds = holders[e.origin()+e.key.template]
	}
}

// isThing reports whether values are objects that say what they are called.
func isThing(s *schema.Shape) bool {
	if s == nil || s.Objects == nil || s.Arrays != nil || isMap(s) {
		return false
	}
	for name, p := range s.Objects.Properties {
		if key := snake(name); p.Total() == s.Objects.Count && (identityKeys[key] || key == "name" || naturalKeys[key] != "") {
			return true
		}
	}
	return false
}

// madeNew reports whether calls were answered with 201: they made something.
func madeNew(obs []capture.Observation) bool {
	return slices.ContainsFunc(obs, func(o capture.Observation) bool { return o.Status == 201 })
}

// envelopes are keys under which responses list what they hold, whatever their
// path is called.
var envelopes = wordSet("entries items results records rows hits edges nodes objects list")

// wraps reports whether an object holds a list in an envelope.
func wraps(s *schema.Shape) bool {
	if s == nil || s.Objects == nil || isMap(s) {
		return false
	}
	for name, p := range s.Objects.Properties {
		if envelopes[snake(name)] && p.Arrays != nil {
			return true
		}
	}
	return false
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
	case whole == "create" && e.key.method == "POST" && len(named) > 1:
		return named[:len(named)-1] // as POST says
	case verbs[whole], isPhrasal(last.words, verbs), isReversed(whole, verbs):
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

// isPhrasal reports whether words are a verb with its preposition: login_as.
func isPhrasal(words []string, verbs map[string]bool) bool {
	return len(words) == 2 && verbs[words[0]] && particles[words[1]]
}

var particles = wordSet("as to for from with into")

// isReversed reports whether a word is a verb with a prefix: unverify.
func isReversed(word string, verbs map[string]bool) bool {
	for _, prefix := range []string{"un", "de", "dis", "re"} {
		if stem, ok := strings.CutPrefix(word, prefix); ok && len(stem) > 3 && verbs[stem] {
			return true
		}
	}
	return false
}

// switches are last path words that turn something on or off.
var switches = map[string]string{"on": "turn_on", "off": "turn_off"}

func verbOf(e *endpoint, n nouns) string {
	switch e.key.method {
	case "POST":
		if e.mirror {
			return readVerb(e, n)
		}
		if n.item && !madeNew(e.obs) {
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
		return many || declaredType(e.declared) == "array"
	}
	if shape.Arrays != nil && shape.Objects == nil {
		return true
	}
	return many && (holdsArray(shape, 2) || counted(shape)) || wraps(shape)
}

// counted reports whether an object says how many there are: an empty list may
// be left out.
func counted(s *schema.Shape) bool {
	if s.Objects == nil {
		return false
	}
	for name, p := range s.Objects.Properties {
		if p.Integers != nil && totals[snake(name)] {
			return true
		}
	}
	return false
}

var totals = wordSet("total total_size total_count total_items total_results")

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
	n := e.nouns()
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
	case n.item:
		object = fmt.Sprintf(texts["one"], object)
	case n.verb == "create" && n.action == "" && n.plural:
		object = fmt.Sprintf(texts["a"], object)
	case n.verb == "create" && n.action == "":
		object = fmt.Sprintf(texts["the"], object)
	}
	if n.of {
		object = fmt.Sprintf(texts["of one"], object, owner)
	}
	return object
}
