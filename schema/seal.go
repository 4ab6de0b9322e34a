package schema

import (
	"maps"
	"slices"
	"strings"
)

const (
	enumTotal   = 8  // observations that an enum needs at least
	enumValues  = 10 // values that an enum has at most
	enumRepeats = 2  // how often each of them was seen at least
)

// Seal returns the shape without what a sealed capture may not keep: strings
// stay only where they are the values of an enum, seen at least 8 times, at
// most 10 different ones, each at least twice, under a key by which APIs sort
// things, and below none that sensitive reports or that names something. Objects
// that turn out to be maps keep no keys. Sealing a sealed shape changes
// nothing, and s itself is never changed. A nil sensitive means no key is.
func (s *Shape) Seal(sensitive func(key string) bool) *Shape {
	return s.SealKnowing(Knowledge{Sensitive: sensitive})
}

// Knowledge is what is known beyond one shape when it is sealed. A nil function
// knows of nothing.
type Knowledge struct {
	// Sensitive reports keys under which no value may be kept.
	Sensitive func(key string) bool
	// Keys are what DataKeys returned for everything that is sealed together.
	Keys map[string]bool
	// Value reports texts that identify something, and so are no values of an
	// enum.
	Value func(text string) bool
}

// SealKnowing is Seal with what is known beyond s.
func (s *Shape) SealKnowing(k Knowledge) *Shape {
	if s == nil {
		return nil
	}
	unknown := func(string) bool { return false }
	for _, f := range []*func(string) bool{&k.Sensitive, &k.Value} {
		if *f == nil {
			*f = unknown
		}
	}
	sealed := Merge(s, nil)
	// Sealing the properties of an object may make them alike enough for the
	// object to be a map, so it is repeated until no object is folded.
	for sealed.seal(k, false, false) {
	}
	return sealed
}

// seal seals s in place and reports whether it folded an object. No string of a
// secret is kept: one under a sensitive key, or one of which the key was data.
// Of others, only those are kept that sort what they are in.
func (s *Shape) seal(k Knowledge, secret, sorting bool) bool {
	folded := false
	if s.Strings != nil && (secret || !sorting || !s.Strings.isEnum() || slices.ContainsFunc(s.Strings.Values.names(), k.Value)) {
		s.Strings.open()
	}
	if s.Arrays != nil && s.Arrays.Items != nil {
		folded = s.Arrays.Items.seal(k, secret, sorting)
	}
	if s.Objects == nil {
		return folded
	}
	if !s.Objects.Map && (s.Objects.isMap() || s.Objects.namesItsEntries() || s.Objects.hasDataKeys(k.Keys)) {
		s.Objects.fold()
		folded = true
	}
	if e := s.Objects.Entries; e != nil {
		// What is directly in a map is as much its user's as the keys are.
		folded = e.seal(k, secret, false) || folded
	}
	for key, property := range s.Objects.Properties {
		folded = property.seal(k, secret || k.Sensitive(key) || names(key), sorts(key)) || folded
	}
	return folded
}

// isEnum reports whether the candidates have the support of an enum.
func (s *Strings) isEnum() bool {
	if s.Open || s.Count < enumTotal || len(s.Values) == 0 || len(s.Values) > enumValues {
		return false
	}
	for _, value := range s.Values {
		if value.N < enumRepeats {
			return false
		}
	}
	return true
}

// naming are the last words of keys whose values name, describe or locate one
// thing: they are no enum, however few of them were seen.
var naming = map[string]bool{
	"id": true, "ids": true, "uid": true, "uuid": true, "guid": true, "key": true, "keys": true, "sha": true, "hash": true, "digest": true, "etag": true, "cursor": true, "nonce": true,
	"name": true, "names": true, "title": true, "label": true, "labels": true, "slug": true, "login": true, "username": true, "user": true, "nickname": true, "handle": true,
	"owner": true, "author": true, "creator": true, "assignee": true, "reviewer": true, "actor": true, "sender": true, "recipient": true, "from": true, "to": true, "cc": true,
	"email": true, "mail": true, "phone": true, "address": true, "street": true, "city": true, "company": true, "organization": true, "org": true, "team": true, "customer": true, "contact": true, "person": true, "gender": true, "birthday": true, "nationality": true, "religion": true,
	"description": true, "comment": true, "message": true, "note": true, "notes": true, "text": true, "body": true, "content": true, "summary": true, "bio": true, "subject": true, "reason": true,
	"url": true, "uri": true, "href": true, "link": true, "path": true, "file": true, "filename": true, "host": true, "hostname": true, "domain": true, "repo": true, "repository": true, "project": true, "branch": true, "ref": true, "tag": true, "tags": true,
	"date": true, "time": true, "answer": true, "value": true, "query": true, "search": true, "q": true,
}

// sortingKeys are the last words of keys by which an API sorts things. Their values
// are its own words; those of other keys, however few, may be its users'.
var sortingKeys = map[string]bool{
	"status": true, "state": true, "type": true, "types": true, "kind": true, "mode": true, "level": true, "health": true, "severity": true, "visibility": true, "phase": true, "stage": true,
	"result": true, "outcome": true, "conclusion": true, "operator": true, "method": true, "format": true, "unit": true, "direction": true, "order": true, "sort": true, "view": true, "effect": true,
	"permission": true, "permissions": true, "access": true, "protocol": true, "encoding": true, "algorithm": true, "interval": true, "frequency": true, "period": true, "strategy": true,
	"event": true, "events": true, "action": true, "actions": true, "subtype": true, "class": true, "currency": true,
}

// sorts reports whether the values under a key sort what they are in.
func sorts(key string) bool {
	words := Words(key)
	return len(words) > 0 && sortingKeys[words[len(words)-1]]
}

// names reports whether the values under a key name one thing each.
func names(key string) bool {
	words := Words(key)
	return len(words) > 0 && naming[words[len(words)-1]]
}

// Words splits a name at everything that is no letter or digit and at changes
// of case, and lower-cases the parts: "userID2" is user, id2; "HTTPServer" is
// http, server.
func Words(name string) []string {
	var words []string
	start := 0
	flush := func(end int) {
		if end > start {
			words = append(words, strings.ToLower(name[start:end]))
		}
	}
	for i := range len(name) {
		c := name[i]
		switch {
		case !isLetter(c) && !isDigit(c) && c < 0x80:
			flush(i)
			start = i + 1
		case i > start && isUpper(c) && (!isUpper(name[i-1]) || i+1 < len(name) && isLower(name[i+1])):
			flush(i)
			start = i
		}
	}
	flush(len(name))
	return words
}

const (
	mapObjects    = 3   // objects that are needed to tell a map from a record
	mapKeys       = 5   // different keys, if their values are objects or arrays
	mapScalarKeys = 8   // different keys, if not
	mapOverlap    = 0.3 // expected share of keys that two objects have in common
	mapAlike      = 0.8 // share of values that have the usual form
)

// isMap reports whether the names of o's properties are data: few of them are
// shared by any two objects, and their values are alike.
func (o *Objects) isMap() bool {
	if o.Count < mapObjects || len(o.Properties) < mapKeys {
		return false
	}
	return o.overlap() < mapOverlap && o.alike()
}

// overlap is the expected Jaccard similarity of the key sets of two of the
// objects, from the number of objects that have each key.
func (o *Objects) overlap() float64 {
	n := o.Count
	pairs := float64(n) * float64(n-1)
	var both, either float64
	for _, p := range o.Properties {
		has := min(p.Total(), n)
		both += float64(has) * float64(has-1) / pairs
		either += 1 - float64(n-has)*float64(n-has-1)/pairs
	}
	if either == 0 {
		return 1
	}
	return both / either
}

// alike reports whether most properties have values of one kind and, where
// those are objects, objects with mostly the same keys.
func (o *Objects) alike() bool {
	kind, usual := o.usualKind()
	if float64(usual) < mapAlike*float64(len(o.Properties)) {
		return false
	}
	if kind != "object" {
		return kind == "array" || len(o.Properties) >= mapScalarKeys
	}
	keys := make(map[string]int)
	objects := 0
	for _, p := range o.Properties {
		if p.Objects != nil {
			objects++
			for key := range p.Objects.Properties {
				keys[key]++
			}
		}
	}
	shared, total := 0, 0
	for _, n := range keys {
		total += n
		if n*2 > objects {
			shared += n
		}
	}
	return float64(shared) >= mapAlike*float64(total)
}

// usualKind is the kind that most properties have, and how many do; the first by
// name of equals.
func (o *Objects) usualKind() (kind string, n int) {
	kinds := make(map[string]int)
	for _, p := range o.Properties {
		kinds[p.kind()]++
	}
	for _, k := range slices.Sorted(maps.Keys(kinds)) {
		if kinds[k] > n {
			kind, n = k, kinds[k]
		}
	}
	return kind, n
}

// kind names the one JSON type of a shape apart from null, or "mixed".
func (s *Shape) kind() string {
	kind := ""
	for _, k := range []struct {
		name string
		seen bool
	}{
		{"boolean", s.Booleans > 0},
		{"number", s.Integers != nil || s.Numbers > 0},
		{"string", s.Strings != nil},
		{"array", s.Arrays != nil},
		{"object", s.Objects != nil},
	} {
		switch {
		case !k.seen:
		case kind != "":
			return "mixed"
		default:
			kind = k.name
		}
	}
	return kind
}
