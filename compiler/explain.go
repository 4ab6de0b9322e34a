package compiler

import (
	"math"
	"strings"
)

// ledger keeps why segments were decided, without the values of parameters.
type ledger struct {
	// round has the decisions of the current round by place, made those on
	// parameters of earlier passes: sealing turned their values into
	// placeholders, about which there is nothing more to say.
	round map[string][]Decision
	made  map[string]Decision
}

func newLedger() ledger { return ledger{made: map[string]Decision{}} }

// open starts a round and forgets the one before.
func (l *ledger) open() { l.round = map[string][]Decision{} }

func (l *ledger) add(place string, d Decision) { l.round[place] = append(l.round[place], d) }

// close ends a pass. Of the values of one parameter it keeps the one with the
// least evidence: if any is wrong, it is that one.
func (l *ledger) close() {
	for place, ds := range l.round {
		for _, d := range ds {
			if !d.Parameter {
				continue
			}
			d.Path = place + "{}"
			kept, ok := l.made[place]
			if !ok || isGiven(kept) && !isGiven(d) || isGiven(kept) == isGiven(d) && weaker(d, kept) {
				l.made[place] = d
			}
		}
	}
}

// isGiven says whether the decision was made before: by sealing, a hint or a
// known template.
func isGiven(d Decision) bool { return math.Abs(d.Score) >= 20 }

func weaker(a, b Decision) bool {
	return a.Score < b.Score || a.Score == b.Score && compareEvidence(a.Evidence, b.Evidence) < 0
}

// closeCall is the score below which a decision is listed for review.
const closeCall = 1

// decisions returns what holds after the last pass: the literals of the last
// round, and the parameters of the places it reached.
func (l *ledger) decisions() []Decision {
	var out []Decision
	for place, ds := range l.round {
		for _, d := range ds {
			if !d.Parameter {
				out = append(out, review(d, place))
			}
		}
		if d, ok := l.made[place]; ok {
			out = append(out, review(d, place))
		}
	}
	return out
}

// certainLiterals are the paths whose last segment is a literal beyond doubt.
func (l *ledger) certainLiterals() map[string]bool {
	out := map[string]bool{}
	for place, ds := range l.round {
		for _, d := range ds {
			if !d.Parameter && !isGiven(d) && (d.Score <= -4*closeCall || reserved[strings.TrimPrefix(d.Path, place)]) {
				out[d.Path] = true
			}
		}
	}
	return out
}

// review marks a close call, with the hint that makes it a parameter for good.
func review(d Decision, place string) Decision {
	if math.Abs(d.Score) < closeCall {
		d.Review = true
		d.Hint = strings.TrimSuffix(place, "/") + "/{id}"
	}
	return d
}
