package compiler

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tomallicino/caskmcp/schema"
)

// actionWords are last path words that are verbs: POST /orders/{id}/cancel.
var actionWords = wordSet(`accept acknowledge ack activate add apply approve archive assign attach authenticate authorize block bulk_create bulk_delete bulk_update
	cancel capture checkout clear clone close commit compare complete compress confirm convert copy create deactivate decline
	delete demote deploy deprecate destroy detach disable disconnect dismiss download duplicate edit enable encrypt execute expire explain export
	extend finalize find finish follow fork generate import install invalidate invite join kick launch leave lock login logout
	like lookup mark_read merge move mute notify open pause ping preview process promote publish purge push query reactivate read rebuild
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
		return many || declaredType(e.declared) == "array"
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
