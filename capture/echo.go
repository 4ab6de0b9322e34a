package capture

import (
	"strings"

	"github.com/tomallicino/caskmcp/schema"
)

// maxEchoes is how many different values an echoes follows. Beyond it, it
// samples them by their hashes, which is the same sample in any order.
const maxEchoes = 1 << 20

// echoes is a set of values seen in bodies, by 62-bit hash. It never holds a
// value, and is gone when the capture is made.
type echoes struct {
	table []uint64 // hash with the flags in the lowest bits; 0 is free
	count int
	limit uint64 // hashes above are not followed
	max   int
}

const (
	echoID    = 1 // found under a key that looks like an id's
	echoFlags = 3
)

func newEchoes(max int) *echoes {
	return &echoes{table: make([]uint64, 1<<10), limit: ^uint64(0), max: max}
}

// echoHash hashes a value together with the host whose body held it: FNV-1a
// with a final mix. The lowest bits make room for flags.
func echoHash(host, value string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(host) {
		h = (h ^ uint64(host[i])) * 1099511628211
	}
	h = (h ^ 0xff) * 1099511628211
	for i := range len(value) {
		h = (h ^ uint64(value[i])) * 1099511628211
	}
	h ^= h >> 32
	h *= 0xd6e8feb86659fd93
	h ^= h >> 32
	return (h|1<<63)&^echoFlags | 2 // never 0
}

func (e *echoes) slot(hash uint64) int {
	mask := len(e.table) - 1
	for i := int(hash>>16) & mask; ; i = (i + 1) & mask {
		if e.table[i] == 0 || e.table[i]&^1 == hash {
			return i
		}
	}
}

// add puts a hash into the set.
func (e *echoes) add(hash uint64, flags uint64) {
	if hash > e.limit {
		return
	}
	i := e.slot(hash)
	if e.table[i] != 0 {
		e.table[i] |= flags
		return
	}
	e.table[i] = hash | flags
	if e.count++; e.count > e.max {
		e.shrink()
	} else if e.count*2 > len(e.table) {
		e.rebuild(len(e.table) * 2)
	}
}

// shrink lowers the limit until the set is small enough again. Where it ends
// depends on the values alone, not on their order.
func (e *echoes) shrink() {
	for e.count > e.max {
		// All hashes have the highest bit set.
		e.limit = 1<<63 | (e.limit&^(1<<63))>>1
		e.rebuild(len(e.table))
	}
}

func (e *echoes) rebuild(size int) {
	old := e.table
	e.table, e.count = make([]uint64, size), 0
	for _, entry := range old {
		if entry == 0 || entry&^1 > e.limit {
			continue
		}
		e.table[e.slot(entry&^1)] = entry
		e.count++
	}
}

// merge adds all of o.
func (e *echoes) merge(o *echoes) {
	if o.limit < e.limit {
		e.limit = o.limit
		e.rebuild(len(e.table))
	}
	for _, entry := range o.table {
		if entry != 0 {
			e.add(entry&^1, entry&echoID)
		}
	}
}

// has reports whether a value was seen, and whether under an id-like key.
func (e *echoes) has(hash uint64) (any, id bool) {
	if hash > e.limit {
		return false, false
	}
	entry := e.table[e.slot(hash)]
	return entry != 0, entry&echoID != 0
}

// echoable reports whether a value could be a path segment whose form does
// not already say that it is an id.
func echoable(v string) bool {
	if v == "" || len(v) > 64 {
		return false
	}
	// Times and ids that start with a digit, and links, are most of what
	// bodies hold.
	if len(v) >= 16 && (v[0] >= '0' && v[0] <= '9' || strings.HasPrefix(v, "http")) {
		return false
	}
	for i := range len(v) {
		if v[i] <= ' ' {
			return false
		}
	}
	return true
}

// idWords are the last words of keys whose values identify something.
var idWords = map[string]bool{
	"id": true, "uuid": true, "guid": true, "key": true, "slug": true, "login": true, "name": true, "username": true, "user": true, "number": true, "sha": true, "code": true, "sku": true, "ref": true,
	"handle": true, "ws": true, "tag": true, "token": true, "email": true, "domain": true, "host": true, "branch": true, "namespace": true, "owner": true, "repo": true, "team": true, "tenant": true,
	"org": true, "account": true, "label": true, "symbol": true, "workspace": true, "project": true, "group": true, "package": true, "repository": true, "organization": true, "instance": true, "job": true, "version": true,
}

// keyUse is what the values under a key are used for.
type keyUse struct {
	id    bool // to identify something
	names bool // to name what people create
}

// keyUses remembers what keys are used for.
type keyUses map[string]keyUse

func (k keyUses) of(key string) keyUse {
	use, known := k[key]
	if known {
		return use
	}
	if words := schema.Words(key); len(words) > 0 {
		last := words[len(words)-1]
		use = keyUse{id: idWords[last] || idWords[strings.TrimSuffix(last, "s")], names: namingWords[last] || isFullName(key)}
	}
	if len(k) < 4096 && len(key) <= 64 {
		k[strings.Clone(key)] = use
	}
	return use
}

// sortingWords are the last words of keys whose values sort things, and often
// are routes too: the orders at /orders/open have the status "open".
var sortingWords = map[string]bool{
	"status": true, "state": true, "type": true, "kind": true, "mode": true, "event": true, "action": true, "category": true, "level": true, "method": true, "role": true, "rel": true,
	"scope": true, "filter": true, "format": true, "phase": true, "class": true, "severity": true, "priority": true, "period": true, "unit": true,
}

// sorts reports whether a key's values sort things.
func sorts(key string) bool {
	words := schema.Words(key)
	return len(words) > 0 && sortingWords[words[len(words)-1]]
}

// isFullName reports keys whose values are two names with a slash between.
func isFullName(key string) bool {
	switch key {
	case "full_name", "fullName", "nameWithOwner", "name_with_owner", "path_with_namespace", "full_path", "fullPath":
		return true
	}
	return false
}
