package compiler

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/tomallicino/caskmcp/capture"
	"github.com/tomallicino/caskmcp/surface"
)

func itoa(n int) string { return strconv.Itoa(n) }

// hole is what is known of one path parameter.
type hole struct {
	parent   []string // words of the nearest literal before it
	adjacent bool     // the literal is right before it
	text     string   // of its segment, with {} for it and its neighbours
	place    int      // which hole of its segment
	prefix   string   // the template up to it
	inner    bool     // another parameter is the next segment
	slash    bool     // successful calls had an escaped slash in it
	classes  map[string]int
	echoes   map[string]int
}

// identityKeys are JSON keys that hold the id of the object they are in.
var identityKeys = wordSet("id _id uuid guid uid oid pk objectid object_id")

// naturalKeys are JSON keys that identify an object by themselves.
var naturalKeys = map[string]string{
	"login": "username", "username": "username", "user_name": "username", "handle": "handle", "nickname": "username",
	"sha": "sha", "slug": "slug", "email": "email", "email_address": "email", "isbn": "isbn", "iban": "iban",
	"sku": "sku", "symbol": "symbol", "ticker": "ticker", "currency": "currency", "locale": "locale",
	"hostname": "hostname", "domain": "domain", "ip": "ip", "digest": "digest", "hash": "hash", "date": "date",
	"country_code": "country_code", "language": "language", "ref": "ref", "tag_name": "tag_name", "filename": "filename", "path": "path",
}

// relativeKeys need the noun: order_number, branch_name.
var relativeKeys = wordSet("name number code key title label type version index position")

// classNames name a parameter by what its values look like, where nothing
// better is known.
var classNames = map[string]string{"email": "email", "date": "date", "ipv4": "ip", "ipv6": "ip", "locale": "locale", "semver": "version"}

// wordClasses are classes of values that people chose.
var wordClasses = wordSet("word snake camel kebab upper dotted text mixed_words")

// pathHoles collects the evidence for each parameter of the template.
func pathHoles(template string, obs []capture.Observation) []hole {
	var out []hole
	var parent []string
	adjacent := false
	segs := segments(template)
	prefix := ""
	for i, s := range segs {
		prefix += "/" + s.text
		if s.literal() {
			if !s.nameless() {
				parent, adjacent = s.words, true
			}
			continue
		}
		p := parent
		if len(s.words) > 0 && !strings.HasPrefix(s.text, "{}") { // Customers('{}')
			p = s.words
		}
		for n := range s.holes {
			h := hole{
				parent: p, adjacent: adjacent, text: s.text, place: n, prefix: prefix + "#" + itoa(n), classes: map[string]int{}, echoes: map[string]int{},
				inner: i+1 < len(segs) && segs[i+1].pure(),
			}
			h.collect(i, obs)
			out = append(out, h)
		}
		adjacent = false
	}
	return out
}

// nameHoles names the path parameters of all endpoints. What stands at one
// place of an API is one thing: /repos/{owner} is the same owner below every
// path, so the evidence of all paths counts, and the name that an approved
// tool has for it is taken.
func nameHoles(eps []*endpoint, prior surface.Prior) {
	merged := map[string]*hole{}
	names := priorHoles(prior)
	for _, e := range eps {
		for _, h := range pathHoles(e.key.template, e.obs) {
			at := e.origin() + h.prefix
			if merged[at] == nil {
				merged[at] = &h
				continue
			}
			merged[at].add(&h)
		}
	}
	for at, h := range merged {
		if names[at] == "" {
			names[at] = h.name()
		}
	}
	for _, e := range eps {
		e.holes, e.places = nil, nil
		for _, h := range pathHoles(e.key.template, nil) {
			e.holes = append(e.holes, names[e.origin()+h.prefix])
			e.places = append(e.places, merged[e.origin()+h.prefix])
		}
	}
}

func (h *hole) add(o *hole) {
	h.inner = h.inner || o.inner
	for class, n := range o.classes {
		h.classes[class] += n
	}
	for key, n := range o.echoes {
		h.echoes[key] += n
	}
}

// priorHoles are the names that approved tools have for their parameters, by
// place; of several, that of the first tool.
func priorHoles(prior surface.Prior) map[string]string {
	names := map[string]string{}
	for _, p := range prior.Entries {
		if p.Tool == nil || p.Status != surface.Approved {
			continue
		}
		b := p.Tool.Binding
		at := surface.Origin(b.Scheme, b.Host, b.Port)
		known := holes(b.Path)
		for i, h := range pathHoles(surface.EraseNames(b.Path), nil) {
			if i < len(known) && names[at+h.prefix] == "" {
				names[at+h.prefix] = known[i]
			}
		}
	}
	return names
}

// origin is where the endpoint is, as in a URL.
func (e *endpoint) origin() string { return surface.Origin(e.key.scheme, e.key.host, e.key.port) }

func (h *hole) collect(index int, obs []capture.Observation) {
	for _, o := range obs {
		for _, s := range o.Segments {
			if s.Index != index {
				continue
			}
			for class, n := range s.Classes {
				h.classes[class] += n
			}
			// Where the segment holds more, it is not known which part had it.
			h.slash = h.slash || s.Slashes > 0 && succeeded(o) && h.text == "{}"
			for key, n := range s.EchoKeys {
				h.echoes[snake(key)] += n
			}
		}
		if len(o.Segments) == 0 {
			h.fromPlaceholder(index, o)
		}
	}
}

// fromPlaceholder takes the class from the path itself ("{uuid}").
func (h *hole) fromPlaceholder(index int, o capture.Observation) {
	parts := strings.Split(strings.Trim(o.Path, "/"), "/")
	if index >= len(parts) {
		return
	}
	if names := holes(parts[index]); h.place < len(names) {
		h.classes[names[h.place]] += o.Count
	}
}

// class is the class of all values, or "" when they differ.
func (h *hole) class() string {
	if len(h.classes) != 1 {
		return ""
	}
	for class := range h.classes {
		return class
	}
	return ""
}

// chosen reports whether most values look like words that people chose.
func (h *hole) chosen() bool {
	words, all := 0, 0
	for class, n := range h.classes {
		if all += n; wordClasses[class] {
			words += n
		}
	}
	return words*2 > all
}

// name says what the parameter identifies.
func (h *hole) name() string {
	noun := strings.Join(singularLast(h.parent), "_")
	if strings.HasPrefix(h.text, "@{}") {
		return "handle"
	}
	if h.text == "{}...{}" || h.text == "{}..{}" {
		return []string{"base", "head"}[h.place]
	}
	if name := h.echoName(noun); name != "" {
		return legalArgument(name)
	}
	class := h.class()
	if name := classNames[class]; name != "" && (!h.adjacent || class != "locale" && class != "semver") {
		return name
	}
	return legalArgument(h.defaultName(noun))
}

func (h *hole) defaultName(noun string) string {
	switch {
	case noun == "":
		return "id"
	case h.chosen() && noun == "user":
		return "username"
	case h.chosen():
		return noun + "_name"
	}
	return noun + "_id"
}

// echoName is the name that the JSON key suggests under which responses
// repeat the value. Keys that only sometimes hold it prove nothing.
func (h *hole) echoName(noun string) string {
	if len(h.echoes) == 0 {
		return ""
	}
	most := slices.Max(slices.Collect(maps.Values(h.echoes)))
	keys := slices.SortedFunc(maps.Keys(h.echoes), func(a, b string) int {
		return cmp.Or(cmp.Compare(h.keyRank(a, noun), h.keyRank(b, noun)), cmp.Compare(h.echoes[b], h.echoes[a]), cmp.Compare(a, b))
	})
	for _, key := range keys {
		if !mostly(h.echoes[key], most) {
			continue
		}
		switch h.keyRank(key, noun) {
		case 0: // id
			if noun == "" {
				return "id"
			}
			return noun + "_id"
		case 1: // order_id after orders
			return key
		case 2:
			return h.natural(naturalKeys[key], noun)
		case 3: // name
			if noun == "" {
				return key
			}
			if noun == "user" && key == "name" {
				return "username"
			}
			return noun + "_" + key
		}
		return ""
	}
	return ""
}

// mostly reports whether a key held the value as often as the one that held it
// most often, within a tenth: an id that is now and then the number, too, is not
// what the path wants.
func mostly(n, most int) bool { return n*10 >= most*9 }

// holders are nouns for what has a user name.
var holders = wordSet("user member account person people profile author collaborator assignee follower following owner contributor")

// natural is the name of a natural key. A login that identifies something else
// than a user is its owner's, or its own name.
func (h *hole) natural(name, noun string) string {
	switch {
	case name != "username" || noun == "" || holders[noun]:
		return name
	case h.inner:
		return "owner"
	}
	return noun + "_name"
}

func (h *hole) keyRank(key, noun string) int {
	switch {
	case identityKeys[key]:
		return 0
	case noun != "" && (key == noun+"_id" || key == noun+"_uuid" || key == noun+"_key" || key == noun+"_name" || key == noun+"_number" || key == noun+"_slug" || key == noun+"_code"):
		return 1
	case naturalKeys[key] != "":
		return 2
	case relativeKeys[key]:
		return 3
	}
	return 4
}

// legalArgument makes a name that every MCP client takes for a property key:
// [a-zA-Z_][a-zA-Z0-9_-]{0,47}. It keeps names that already are.
func legalArgument(name string) string {
	if isLegalArgument(name) {
		return name
	}
	name = strings.Join(nameWords(name), "_")
	if name == "" {
		return "value"
	}
	if name[0] >= '0' && name[0] <= '9' {
		name = "_" + name
	}
	if len(name) > 48 {
		name = strings.TrimRight(name[:48], "_")
	}
	return name
}

func isLegalArgument(name string) bool {
	if name == "" || len(name) > 48 || !isLower(name[0]) && !isUpper(name[0]) && name[0] != '_' {
		return false
	}
	for i := range len(name) {
		if c := name[i]; !isAlnum(c) && c != '_' && c != '-' {
			return false
		}
	}
	return true
}
