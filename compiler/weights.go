package compiler

import "strings"

// weights is the evidence table: how much each fact about a value in its
// place speaks for a parameter (above 0) or for a literal. Facts are named
// "kind: detail"; a fact that is not listed weighs nothing.
var weights = map[string]float64{
	"form: id":             8,
	"form: address":        7,
	"form: number":         6,
	"form: date":           6,
	"form: random":         6,
	"form: prefixed id":    5,
	"form: short number":   4,
	"form: release":        4,
	"form: mixed":          3,
	"form: handle":         5,
	"form: punctuation":    2,
	"form: upper case":     2,
	"form: dotted":         1.5,
	"form: file":           0.5,
	"form: word and digit": 0.5,
	"form: slug":           1,
	"form: kebab":          0,
	"form: title":          0,
	"form: word":           -0.5,
	"form: snake":          -1,
	"form: camel":          -1,
	"form: version":        -6,
	"form: underscore":     -4,
	"form: symbol":         -6,

	"word: everywhere":         -4.5,
	"word: common":             -4,
	"word: known":              -3,
	"word: other number known": -3.5,
	"word: part of routes":     -2.5,
	"word: parts common":       -3.5,
	"word: parts known":        -2.5,
	"word: half known":         -2,
	"word: ambiguous":          -1.5,

	"parent: root":              -7,
	"parent: parameter":         -3.5,
	"parent: version":           -6,
	"parent: container":         -4,
	"parent: route symbol":      -4,
	"parent: scope":             0,
	"parent: collection":        2.5,
	"parent: often collection":  1,
	"parent: seldom collection": -0.5,
	"parent: never collection":  -2,
	"parent: plural":            2,
	"parent: unknown":           -0.5,
	"parent: any, before an id": -1,

	"plural: in a collection":   -2,
	"plural: under a parameter": -3.5,

	"routes: all shared":  3,
	"routes: half shared": 2,
	"routes: some shared": 1,
	"routes: none shared": -0.5,
	"routes: alike":       1,

	"response: same keys":      1.5,
	"response: similar keys":   0.5,
	"response: different keys": -1,

	"echo: own, id key":              4,
	"echo: own, other key":           3,
	"echo: own, route word":          0,
	"echo: id key":                   3,
	"echo: id key, route word":       0,
	"echo: other key":                0.5,
	"echo: never, under a parameter": -2,
	"echo: never, none possible":     -0.5,
	"echo: never":                    -0.5,
	"echo: siblings with its routes": 3,

	"company: ids":    -0.5,
	"company: echoed": 0.5,
	"company: names":  0.5,

	"method: changes it":                    0.5,
	"method: changes it, under a parameter": 0.5,
	"method: only posts":                    -0.5,

	"recurs: under other parameters": -1,

	"elsewhere: parameter":             2,
	"elsewhere: parameter, route word": 0.5,

	"constant: often":      -1.3,
	"constant: very often": -2,

	"status: not found": 0.5,
	"child: version":    -5,
	"root: locale":      8,
	"root: handle":      5,
	"prefix: number":    -6,

	"placeholder":      20,
	"hint: parameter":  20,
	"hint: literal":    -20,
	"known: parameter": 20,
	"known: literal":   -20,
}

// evidenceKind is the part of a fact's name that facts of one kind share.
func evidenceKind(fact string) string {
	kind, _, _ := strings.Cut(fact, ":")
	return kind
}
