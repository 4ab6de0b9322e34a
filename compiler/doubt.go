package compiler

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"github.com/tomallicino/caskmcp/capture"
	"github.com/tomallicino/caskmcp/surface"
)

// Advice is what to do about a close call: the lines of hints: in toolpack.yaml
// that settle it one way or the other. The word behind a parameter is gone
// once the capture is sealed, so that such a line can only hold from the
// recording on.
func (d Decision) Advice() string {
	end := strings.LastIndexByte(d.Path, '/') + 1
	if d.Parameter {
		return d.Hint + " if it stands for different values; if it is part of the route, " + d.Path[:end] +
			"^WORD with its word, then delete the capture and import the recording again"
	}
	return d.Hint + " if it stands for different values; " + d.Path[:end] + "^" + d.Path[end:] + " if it is part of the route"
}

// stepAt is a path up to and including a parameter, of one origin.
type stepAt struct {
	at   origin
	path string
}

func originOf(o capture.Observation) origin { return origin{o.Scheme, o.Host, o.Port} }

// inferredOf is what a sealed capture keeps of decisions: the evidence for the
// parameters that sealing turned into placeholders. The decisions are those of
// the recording alone, so that importing it again gives the same file.
func inferredOf(sealed []capture.Observation, decisions []Decision) []capture.Inferred {
	kept := map[stepAt]bool{}
	for _, o := range sealed {
		erased := split(surface.EraseNames(o.Path))
		for i, s := range erased {
			if isPlaceholder(s) {
				kept[stepAt{originOf(o), step(erased, i)}] = true
			}
		}
	}
	var out []capture.Inferred
	for _, d := range decisions {
		if !d.Parameter || isPlaceholderOnly(d) || !kept[stepAt{d.at, d.Path}] {
			continue
		}
		addends := map[string]float64{}
		for _, e := range d.Evidence {
			addends[e.Kind] += e.Weight
		}
		out = append(out, capture.Inferred{Scheme: d.at.scheme, Host: d.at.host, Port: d.at.port, Path: d.Path, Score: d.Score, Evidence: addends})
	}
	return out
}

// step is the path to a parameter: of "/a/{}/{}.csv" and 2 it is "/a/{}/{}".
func step(segments []string, i int) string {
	return "/" + strings.Join(append(slices.Clone(segments[:i]), "{}"), "/")
}

// isPlaceholderOnly says that a segment was decided before: nothing is left to
// infer it from.
func isPlaceholderOnly(d Decision) bool {
	return len(d.Evidence) == 1 && d.Evidence[0].Kind == "placeholder"
}

// recallEvidence gives decisions about placeholders the evidence that there
// was when they were sealed. Places that are one by now have the surest.
func recallEvidence(c *capture.Capture, templates []string, decisions []Decision) {
	sealed := make(map[stepAt]capture.Inferred, len(c.Inferred))
	for _, i := range c.Inferred {
		sealed[stepAt{origin{i.Scheme, i.Host, i.Port}, i.Path}] = i
	}
	now := map[stepAt]capture.Inferred{}
	for n, o := range c.Observations {
		before, after := split(surface.EraseNames(o.Path)), split(templates[n])
		for i := range min(len(before), len(after)) {
			if !isPlaceholder(before[i]) {
				continue
			}
			found, ok := sealed[stepAt{originOf(o), step(before, i)}]
			to := stepAt{originOf(o), step(after, i)}
			if ok && found.Score > now[to].Score {
				now[to] = found
			}
		}
	}
	for n := range decisions {
		d := &decisions[n]
		if found, ok := now[stepAt{d.at, d.Path}]; ok && isPlaceholderOnly(*d) {
			d.Score, d.Evidence, d.Sealed = found.Score, addendsOf(found.Evidence), true
			*d = review(*d, strings.TrimSuffix(d.Path, "{}"))
		}
	}
}

// addendsOf lists evidence, what weighs most first.
func addendsOf(byKind map[string]float64) []Evidence {
	out := make([]Evidence, 0, len(byKind))
	for kind, weight := range byKind {
		out = append(out, Evidence{kind, weight})
	}
	slices.SortFunc(out, func(a, b Evidence) int {
		return cmp.Or(cmp.Compare(math.Abs(b.Weight), math.Abs(a.Weight)), strings.Compare(a.Kind, b.Kind))
	})
	return out
}

// settleApproved takes close calls from the list for review that somebody has
// approved a tool with.
func settleApproved(decisions []Decision, prior surface.Prior) {
	var approved []Template
	for _, p := range prior.Entries {
		if t, ok := parseIdentity(p); ok && p.Status == surface.Approved {
			approved = append(approved, t)
		}
	}
	for n := range decisions {
		d := &decisions[n]
		if d.Review && slices.ContainsFunc(approved, d.heldBy) {
			d.Review, d.Hint = false, ""
		}
	}
}

// heldBy says whether a template decides as d does.
func (d *Decision) heldBy(t Template) bool {
	path, template := split(d.Path), split(t.Path)
	last := len(path) - 1
	if !t.at(d.at) || last < 0 || len(template) <= last || !slices.Equal(path[:last], template[:last]) {
		return false
	}
	if d.Parameter {
		return isPlaceholder(template[last])
	}
	return template[last] == path[last]
}
