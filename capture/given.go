package capture

import (
	"slices"
	"strings"
)

// Names that people gave are values whatever words they are: a repository may
// be called "recipes". Two things in bodies say so. Someone sent the name,
// under a key that names things, and the answer shows that something is called
// so now. And a body holds it as one text with the names that stand beside it
// in paths: "full_name": "alice/recipes" and /repos/alice/recipes.

// These keep hashes of names apart from those of all values. They are no part
// of any host.
const (
	sentNames   = " sent"
	joinedNames = " joined"
)

// namingWords are the last words of the keys by which people name what they
// create.
var namingWords = map[string]bool{
	"name": true, "slug": true, "key": true, "id": true, "identifier": true, "title": true, "code": true, "login": true, "username": true, "handle": true,
	"repository": true, "repositories": true, "repo": true, "repos": true,
}

// sentName is a name that a request sent.
type sentName struct {
	value    string
	answered bool // the answer holds it, too
}

// given are the names that a request to create or to set something sends.
type given []sentName

// maxGiven is how many names of one body are followed.
const maxGiven = 256

// send notes a value that the request sent.
func (c *collector) send(names given, key, value string) given {
	if len(names) < maxGiven && c.keys.of(key).names && echoable(value) {
		names = append(names, sentName{value: value})
	}
	return names
}

// answer notes a value of the answer.
func (names given) answer(value string) {
	for i := range names {
		if names[i].value == value {
			names[i].answered = true
		}
	}
}

// keep remembers the names that something is called by now: those that a
// success repeats, or all if something was created.
func (c *collector) keep(host string, names given, status int) {
	for _, n := range names {
		if n.answered || status == 201 {
			c.seen.add(echoHash(host+sentNames, n.value), 0)
		}
	}
}

// join remembers a text that is two or three names with slashes between. What
// starts with a slash or a scheme is a path, and those hold routes, too.
func (c *collector) join(host, key, value string) {
	if !c.keys.of(key).names || !joined(value) {
		return
	}
	c.seen.add(echoHash(host+joinedNames, value), 0)
}

// maxJoined is how many names a text may join.
const maxJoined = 3

func joined(value string) bool {
	n := 0
	for part := range strings.SplitSeq(value, "/") {
		if !echoable(part) || part == "." || part == ".." {
			return false
		}
		n++
	}
	return n >= 2 && n <= maxJoined
}

// joinedText is a text that segments of a path would be as one, from the
// segment first to the one before end.
type joinedText struct {
	first, end int
	hash       uint64
}

// joinedTexts are those of a path, of its literal segments.
func joinedTexts(host string, segments []segment, literals []uint64) []joinedText {
	var out []joinedText
	for first := range segments {
		text := segments[first].value
		for end := first + 1; end < min(len(segments), first+maxJoined) && literals[first] != 0 && literals[end] != 0; end++ {
			text += "/" + segments[end].value
			out = append(out, joinedText{first, end + 1, echoHash(host+joinedNames, text)})
		}
	}
	return out
}

// seeJoined notes the segments that a text of the response joins.
func (o *ownEcho) seeJoined(value string) {
	if !joined(value) {
		return
	}
	parts := strings.Split(value, "/")
	for first := 0; first+len(parts) <= len(o.segments); first++ {
		if !slices.EqualFunc(parts, o.segments[first:first+len(parts)], func(part string, s segment) bool { return part == s.value }) {
			continue
		}
		if o.joined == nil {
			o.joined = make(map[int]bool)
		}
		for i := range parts {
			o.joined[first+i] = true
		}
	}
}

// knowsNames says whether a capture has evidence of names that people gave.
func (c *Capture) knowsNames() bool {
	for _, o := range c.Observations {
		if slices.ContainsFunc(o.Segments, func(s Segment) bool { return s.Sent+s.JoinedHead+s.JoinedTail+s.JoinedOwn > 0 }) {
			return true
		}
	}
	return false
}
