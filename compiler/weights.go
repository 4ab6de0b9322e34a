package compiler

import "strings"

// weights is the evidence table: how much each fact about a value in its
// place speaks for a parameter (above 0) or for a literal. Facts are named
// "kind: detail"; a fact that is not listed weighs nothing.
var weights = map[string]float64{
	"form: id":           8,
	"form: address":      7,
	"form: number":       6.25,
	"form: date":         6,
	"form: random":       6.25,
	"form: prefixed id":  5.25,
	"form: short number": 4,
	"form: release":      4,
	"form: mixed":        2.25,
	"form: handle":       5, "form: composite": 4.25,
	"form: host":           3.5,
	"form: custom method":  3,
	"form: source file":    2,
	"form: punctuation":    2,
	"form: upper case":     3,
	"form: dotted":         2,
	"form: file":           0.75,
	"form: word and digit": 0.5,
	"form: slug":           1.5,
	"form: kebab":          0.75,
	"form: title":          0.25,
	"form: word":           -1.5,
	"form: snake":          -1.25,
	"form: camel":          -1.25,
	"form: version":        -5.75,
	"form: underscore":     -4,
	"form: symbol":         -6,

	"word: everywhere":         -3.75,
	"word: common":             -3,
	"word: known":              -3.25,
	"word: other number known": -3.25,
	"word: part of routes":     -2.5,
	"word: parts common":       -3.5,
	"word: parts known":        -2.75,
	"word: half known":         -2,
	"word: ambiguous":          -1.25,

	"parent: root":              -6.75,
	"parent: parameter":         -2,
	"parent: version":           -6,
	"parent: container":         -2.75,
	"parent: route symbol":      -3.25,
	"parent: scope":             0.75,
	"parent: collection":        1.75,
	"parent: often collection":  0.25,
	"parent: seldom collection": -1,
	"parent: never collection":  -2,
	"parent: plural":            1,
	"parent: unknown":           -0.5,
	"parent: any, before an id": -0.25,

	"plural: in a collection":   -2.5,
	"plural: under a parameter": -3.5,

	"routes: all shared":  3.75,
	"routes: half shared": 2.25,
	"routes: some shared": 1,
	"routes: none shared": -0.5, "routes: parameters alike": 0.75,
	"routes: alike": 1.25,

	"response: same keys":      1.75,
	"response: similar keys":   1,
	"response: different keys": -1.25,

	"echo: own, id key":              4.25,
	"echo: own, other key":           2.5,
	"echo: own, route word":          0,
	"echo: id key":                   3.75,
	"echo: id key, route word":       0.5,
	"echo: other key":                1.5,
	"echo: never, under a parameter": -1,
	"echo: never, none possible":     -0.25,
	"echo: never":                    -0.75,
	"echo: siblings with its routes": 3,

	"company: ids":    1,
	"company: echoed": 1.5,
	"company: names":  1, "method: changes it": 0,
	"method: deletes it":                    0.5,
	"method: changes it, in a collection":   1,
	"method: deletes it, in a collection":   2.75,
	"method: deletes it, under a parameter": 1,
	"method: changes it, under a parameter": 0.75,
	"method: only posts":                    -1.25,

	"recurs: under other parameters": -0.25,

	"elsewhere: parameter":             2.75,
	"elsewhere: parameter, route word": 1.25,

	"constant: often":      -1.5,
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
