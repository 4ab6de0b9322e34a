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
	"form: random":       6,
	"form: prefixed id":  5.25,
	"form: short number": 3.75,
	"form: release":      4,
	"form: mixed":        1.75,
	"form: handle":       5, "form: composite": 4,
	"form: host":           3.25,
	"form: custom method":  2.75,
	"form: source file":    2,
	"form: punctuation":    2,
	"form: upper case":     3,
	"form: dotted":         2.5,
	"form: file":           0.75,
	"form: word and digit": 0.75,
	"form: slug":           1.25,
	"form: kebab":          0.5,
	"form: title":          0.25,
	"form: word":           -2.25,
	"form: snake":          -1.25,
	"form: camel":          -1.25,
	"form: version":        -5.75,
	"form: route mark":     -4,
	"form: symbol":         -6,

	"word: everywhere":         -3.5,
	"word: common":             -3,
	"word: known":              -3,
	"word: other number known": -3.25,
	"word: part of routes":     -2.5,
	"word: parts common":       -3.25,
	"word: parts known":        -2.75,
	"word: half known":         -2.25,
	"word: ambiguous":          -1.25,

	"parent: root":                   -6.75,
	"parent: parameter":              -2.25,
	"parent: version":                -6,
	"parent: container":              -3.25,
	"parent: route symbol":           -4,
	"parent: scope":                  0,
	"parent: collection":             2,
	"parent: often collection":       0,
	"parent: seldom collection":      -0.75,
	"parent: never collection":       -1.75,
	"parent: plural":                 1.5,
	"parent: unknown":                -0.5,
	"parent: route, before a number": -1,
	"parent: any, before an id":      -0.5,

	"plural: in a collection":   -2.25,
	"plural: under a parameter": -3.25,

	"routes: marks shared": 6,
	"routes: all shared":   4,
	"routes: half shared":  2.25,
	"routes: some shared":  1,
	"routes: none shared":  -0.75, "routes: parameters alike": 1,
	"routes: alike": 1.5,

	"response: same keys":      1.5,
	"response: similar keys":   1,
	"response: different keys": -1.25,

	"echo: own, id key":                             4.25,
	"echo: own, id key, no route word":              5,
	"echo: own, other key":                          2,
	"echo: own, other key, no route word":           2.75,
	"echo: own, route word":                         0,
	"echo: id key":                                  3.25,
	"echo: id key, route word":                      0.5,
	"echo: other key":                               1.75,
	"echo: never, under a parameter":                -1.5,
	"echo: never, none possible":                    -0.25,
	"echo: never, none possible, under a parameter": 0.25,
	"word: parts known, with digits":                -2.25,
	"echo: never":                                   -0.75,
	"echo: siblings with its routes":                3,

	"company: ids":    0.75,
	"company: echoed": 1.5,
	"company: names":  1, "method: changes it": -0.25,
	"method: deletes it":                    0.5,
	"method: changes it, in a collection":   0.75,
	"method: deletes it, in a collection":   3,
	"method: deletes it, under a parameter": 1.25,
	"method: changes it, under a parameter": 0.5,
	"method: only posts":                    -0.75,

	"recurs: under some parameters": -0.5,
	"recurs: under many parameters": -1,

	"elsewhere: parameter":             3.25,
	"elsewhere: parameter, route word": 1.5,

	"constant: often":      -1.5,
	"constant: very often": -2,

	"status: not found": 0.5,
	"child: route mark": 2.5,
	"child: version":    -5.25,
	"root: locale":      12,
	"root: handle":      5,
	"prefix: number":    -6,

	"group: routes of parameters": 8,

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
