package compiler

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/tomallicino/caskmcp/capture"
)

// inferTemplates finds the path template of each observation, and says why.
// Requests that a known template covers keep it; hints and known templates
// also settle the segments they reach in other paths. The result depends on
// the set of observations only, not on their order, and not on whether they
// have been sealed: inference is repeated on what sealing it would keep until
// nothing changes.
func inferTemplates(obs []capture.Observation, known []Template, hints []string) (assigned []string, decisions []Decision) {
	assigned = make([]string, len(obs))
	groups := map[origin][]int{}
	for i, o := range obs {
		at := origin{o.Scheme, o.Host, o.Port}
		groups[at] = append(groups[at], i)
	}
	rules := parseHints(hints)
	for at, indexes := range groups {
		in := newInference(at, known, rules)
		in.run(obs, indexes, assigned)
		for _, d := range in.ledger.decisions() {
			d.at = at
			decisions = append(decisions, d)
		}
	}
	slices.SortFunc(decisions, func(a, b Decision) int {
		return cmp.Or(cmp.Compare(a.Host, b.Host), cmp.Compare(a.Path, b.Path), compareEvidence(a.Evidence, b.Evidence))
	})
	return assigned, decisions
}

func compareEvidence(a, b []Evidence) int {
	return slices.CompareFunc(a, b, func(x, y Evidence) int {
		return cmp.Or(cmp.Compare(x.Kind, y.Kind), cmp.Compare(x.Weight, y.Weight))
	})
}

// inference is the work on the paths of one origin.
type inference struct {
	at     origin
	router router // known templates
	guide  *guide // known templates and hints, by position

	// settled counts, for values that are parameters somewhere by the last
	// round, the places, up to manyPlaces; settling does for the next.
	settled, settling map[string]int
	round             int

	assigned []string
	lexical  map[string]wordForm
	ledger   ledger
}

func newInference(at origin, known []Template, rules []hint) *inference {
	in := &inference{at: at, guide: &guide{}, ledger: newLedger(), lexical: map[string]wordForm{}}
	for _, t := range known {
		if t.at(at) {
			in.router.add(t.Method, t.Path)
			in.guide.know(split(t.Path))
		}
	}
	for _, h := range rules {
		in.guide.hint(h)
	}
	return in
}

// maxRounds bounds the search for a fixpoint of the settled values.
const maxRounds = 5

// run assigns templates to the observations with these indexes.
func (in *inference) run(obs []capture.Observation, indexes []int, assigned []string) {
	work := make([]capture.Observation, len(indexes))
	for k, i := range indexes {
		work[k] = obs[i]
	}
	// Each pass turns literals into placeholders and none back, so this ends.
	for {
		in.settle(work)
		changed := false
		for k := range work {
			sealed := sealPath(work[k].Path, in.assigned[k])
			if sealed != work[k].Path {
				changed = true
			}
			work[k].Path = sealed
		}
		in.ledger.close()
		if !changed {
			break
		}
	}
	slashes := in.slashes(obs, indexes)
	for k, i := range indexes {
		assigned[i] = in.assigned[k] + slashes[obs[i].Method+in.assigned[k]]
	}
	in.keepKnown(obs, indexes, assigned)
}

// keepKnown gives the observations that a known template covers to it. What
// is certainly a route of its own beside a known parameter, /users/me beside
// /users/{}, is added and not taken in, as long as that leaves the known
// template with any traffic.
func (in *inference) keepKnown(obs []capture.Observation, indexes []int, assigned []string) {
	literal := in.ledger.certainLiterals()
	apart := map[string][]int{}
	covered := map[string]bool{}
	for k, i := range indexes {
		t := in.router.match(obs[i].Method, obs[i].Path)
		switch {
		case t == "":
		case standsApart(in.assigned[k], t, literal):
			apart[obs[i].Method+t] = append(apart[obs[i].Method+t], i)
		default:
			assigned[i] = t
			covered[obs[i].Method+t] = true
		}
	}
	for known, own := range apart {
		if covered[known] {
			continue
		}
		for _, i := range own {
			assigned[i] = strings.TrimPrefix(known, obs[i].Method)
		}
	}
}

// standsApart says whether an inferred template has a certain literal where
// the known one has a parameter.
func standsApart(inferred, known string, literal map[string]bool) bool {
	path := ""
	want := split(known)
	for i, s := range split(inferred) {
		path += "/" + s
		if i < len(want) && want[i] == "{}" && literal[path] {
			return true
		}
	}
	return false
}

// slashes says which templates end in a slash: those that were always
// requested so.
func (in *inference) slashes(obs []capture.Observation, indexes []int) map[string]string {
	out := map[string]string{}
	for k, i := range indexes {
		key := obs[i].Method + in.assigned[k]
		slash, seen := out[key]
		switch {
		case !strings.HasSuffix(obs[i].Path, "/") || in.assigned[k] == "/":
			out[key] = ""
		case !seen || slash != "":
			out[key] = "/"
		}
	}
	return out
}

// settle decides every segment, again while the values that it takes for
// parameters change what it knows of other places.
func (in *inference) settle(work []capture.Observation) {
	all := make([]int, len(work))
	for i := range all {
		all[i] = i
	}
	in.assigned = make([]string, len(work))
	in.settled = nil
	for range maxRounds {
		in.round++
		in.settling = map[string]int{}
		in.ledger.open()
		in.decide(grow(work, all), nil, in.guide)
		if maps.Equal(in.settled, in.settling) {
			return
		}
		in.settled = in.settling
	}
}

// manyPlaces is how many places count where a value is a parameter.
const manyPlaces = 3

// settleValue counts a place where v is a parameter.
func (in *inference) settleValue(v string) { in.settling[v] = min(in.settling[v]+1, manyPlaces) }

// decide settles the segments below n, whose path is parents, and everything
// below them.
func (in *inference) decide(n *node, parents []string, g *guide) {
	path := "/" + strings.Join(parents, "/")
	for _, i := range n.ends {
		in.assigned[i] = path
	}
	if len(n.kids) == 0 {
		return
	}
	params, literals := in.sort(n, parents, g)
	for _, v := range literals {
		in.decide(n.kids[v], append(parents[:len(parents):len(parents)], v), g.literal(v))
	}
	for _, group := range compose(n, params) {
		in.decide(join(group.nodes, group.segment), append(parents[:len(parents):len(parents)], group.segment), g.parameter(group.segment))
	}
}

// sort tells the parameters below n from the literals.
func (in *inference) sort(n *node, parents []string, g *guide) (params, literals []string) {
	p := in.place(n, parents, g)
	judged := map[string]*Decision{}
	for _, v := range n.names() {
		d := in.judge(p, v)
		judged[v] = &d
		if d.Parameter {
			params = append(params, v)
		} else {
			literals = append(literals, v)
		}
	}
	params, literals = in.pull(p, params, literals, judged)
	for _, v := range n.names() {
		in.ledger.add(p.prefix, *judged[v])
	}
	for _, v := range params {
		if d := judged[v]; d.Score >= 2 && !pulled(d) && (!isInt(v) || len(v) > 3) && !isPlaceholder(v) {
			in.settleValue(v)
			if t := text(v); t != v { // scope%2Fname: its parts are names too
				for _, part := range split(t) {
					in.settleValue(part)
				}
			}
		}
	}
	return params, literals
}
