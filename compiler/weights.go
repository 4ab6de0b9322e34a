package compiler

import "strings"

// weights is the evidence table: how much each fact about a value in its
// place speaks for a parameter (above 0) or for a literal. Facts are named
// "kind: detail"; a fact that is not listed weighs nothing.
var weights = map[string]float64{
	"form: id":           8,
	"form: address":      7,
	"form: number":       6.3,
	"form: date":         6,
	"form: random":       6.1,
	"form: prefixed id":  5.2,
	"form: short number": 3.8,
	"form: release":      4.1,
	"form: mixed":        1.7,
	"form: handle":       5, "form: composite": 4.1,
	"form: host":           3.3,
	"form: custom method":  2.9,
	"form: source file":    2,
	"form: punctuation":    2,
	"form: upper case":     3.2,
	"form: dotted":         2.5,
	"form: file":           0.8,
	"form: word and digit": 0,
	"form: slug":           1.2,
	"form: kebab":          0.4,
	"form: title":          0.5,
	"form: word":           -2.2,
	"form: letter":         -4.2,
	"form: snake":          -1.2,
	"form: camel":          -1.2,
	"form: version":        -5.7,
	"form: route mark":     -4,
	"form: symbol":         -6,

	"word: everywhere":         -3.6,
	"word: common":             -3,
	"word: known":              -3.1,
	"word: other number known": -3.2,
	"word: part of routes":     -2.5,
	"word: parts common":       -3.5,
	"word: parts known":        -2.6,
	"word: half known":         -2.1,
	"word: ambiguous":          -1.3,

	"parent: root":                   -6.8,
	"parent: parameter":              -2,
	"parent: version":                -6,
	"parent: container":              -3.4,
	"parent: route symbol":           -4,
	"parent: scope":                  0,
	"parent: collection":             2.2,
	"parent: often collection":       0.4,
	"parent: seldom collection":      -0.7,
	"parent: never collection":       -1.8,
	"parent: plural":                 1.5,
	"parent: unknown":                -0.5,
	"parent: route, before a number": -1,
	"parent: any, before an id":      -0.4,

	"plural: in a collection":   -2.2,
	"plural: under a parameter": -3.2,

	"routes: marks shared": 6,
	"routes: all shared":   4,
	"routes: half shared":  2.2,
	"routes: some shared":  0.9,
	"routes: none shared":  -0.7, "routes: parameters alike": 0.9,
	"routes: alike": 1.5,

	"response: same keys":      1.6,
	"response: similar keys":   1.1,
	"response: different keys": -1.4,

	"echo: own, id key":                             4.1,
	"echo: own, id key, no route word":              5,
	"echo: own, other key":                          2,
	"echo: own, other key, no route word":           2.7,
	"echo: own, route word":                         -0,
	"echo: id key":                                  3.7,
	"echo: id key, never own":                       2,
	"echo: id key, no collection":                   1.8,
	"echo: id key, at the top":                      0.6,
	"echo: id key, route word":                      0.6,
	"echo: other key":                               1.8,
	"echo: never, under a parameter":                -1.6,
	"echo: never, none possible":                    -0.4,
	"echo: never, none possible, under a parameter": 0.1,
	"word: parts known, with digits":                -2.4,
	"echo: never":                                   -0.7,
	"echo: never, often possible":                   -1.7,
	"echo: siblings with its routes":                3,

	"echo: own, as its siblings":          4.25,
	"echo: own, as its siblings, several": 6,

	"listed: above":                     2,
	"listed: above, route word":         1,
	"listed: above, id key":             3,
	"listed: above, id key, route word": 3,
	"listed: far above":                 1.8,
	"listed: far above, route word":     0.4,
	"echo: own, seldom":                 0.5,
	"listed: siblings only":             -2,

	"company: ids":                  0.5,
	"company: routes, unknown word": -1.5,
	"company: routes":               -3,
	"company: ids, route word":      -1.5,
	"company: echoed":               1.8,
	"company: names":                0.9, "method: changes it": -0.2,
	"method: deletes it":                    0.5,
	"method: changes it, in a collection":   0.8,
	"method: deletes it, in a collection":   2.9,
	"method: deletes it, under a parameter": 1.2,
	"method: changes it, under a parameter": 0.9,
	"method: only posts, a command":         -3,
	"method: only posts":                    -0.6,

	"recurs: under some parameters": -0.5,
	"recurs: under many parameters": -1,

	"elsewhere: parameter":             3,
	"elsewhere: parameter, route word": 1.6,

	"elsewhere: parameter, never echoed":              0.5,
	"elsewhere: parameter in many places":             4,
	"elsewhere: parameter in many places, route word": 3,

	"given: sent":              3,
	"given: joined":            6,
	"given: joined, own":       8,
	"given: joins others":      9.5,
	"given: joins others, own": 12,
	"given: beside joined":     8,

	"constant: often":      -1.5,
	"constant: very often": -1.9,

	"status: not found": 0.5,
	"child: route mark": 2.5,
	"child: version":    -5.2,
	"root: locale":      12,
	"root: handle":      5,
	"prefix: number":    -6,

	"group: routes of parameters": 8,

	"placeholder":      20,
	"hint: parameter":  20,
	"hint: literal":    -20,
	"known: parameter": 2,
	"known: literal":   -20,
}

// evidenceKind is the part of a fact's name that facts of one kind share.
func evidenceKind(fact string) string {
	kind, _, _ := strings.Cut(fact, ":")
	return kind
}
