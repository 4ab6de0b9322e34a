package compiler

import (
	"maps"
	"net/url"
	"slices"

	"github.com/tomallicino/caskmcp/capture"
	"github.com/tomallicino/caskmcp/schema"
	"github.com/tomallicino/caskmcp/surface"
)

// SealOptions is what sealing may know beyond the capture.
type SealOptions struct {
	// Prior has the templates that have been decided about: they hold.
	Prior surface.Prior
	// Hints are those of Options.
	Hints []string
}

// Seal returns c without what a capture may not keep when it is written: path
// values that inference takes for parameters become placeholders with their
// class and evidence, and shapes keep only what is no value. It does not
// change c. The decisions explain every inferred segment. A capture that is
// sealed already is returned as it is, with no decisions.
func Seal(c *capture.Capture, opt SealOptions) (*capture.Capture, []Decision) {
	if c == nil || c.Sealed {
		return c, nil
	}
	templates, decisions := inferTemplates(c.Observations, knownTemplates(c, opt.Prior, opt.Hints), opt.Hints)
	own := decisions
	if len(opt.Prior.Entries)+len(opt.Hints) > 0 {
		// What has been decided since does not change what a recording says.
		_, own = inferTemplates(c.Observations, knownTemplates(c, surface.Prior{}, nil), nil)
	}
	sealed := *c
	sealed.Sealed = true
	sealed.Observations = make([]capture.Observation, len(c.Observations))
	distinct := map[sealedPlace]map[string]bool{}
	for i, o := range c.Observations {
		sealed.Observations[i] = sealObservation(o, templates[i], distinct)
	}
	for i := range sealed.Observations {
		o := &sealed.Observations[i]
		for j := range o.Segments {
			s := &o.Segments[j]
			s.Distinct = max(s.Distinct, len(distinct[sealedPlace{o.Key, s.Index}]))
		}
	}
	// Observations that differed in a parameter only are one now. Shapes are
	// sealed after that: what is seen often enough to be an enum is so of all.
	merged := capture.Merge(&sealed)
	known := knowledge(merged, distinct)
	merged.Identifiers, merged.Inferred = nil, inferredOf(merged.Observations, own)
	for i := range merged.Observations {
		o := &merged.Observations[i]
		sent := known
		if !isJSON(o.RequestType) {
			sent.Keys = nil // the fields of a form have names, whatever they are elsewhere
		}
		o.Request, o.Response = o.Request.SealKnowing(sent), o.Response.SealKnowing(known)
		o.Query, o.Headers = sealParameters(o.Query, known), sealParameters(o.Headers, known)
	}
	settleApproved(decisions, opt.Prior)
	return merged, decisions
}

// knowledge is what the capture knows of names that people gave: they are the
// values of path parameters, or bodies hold them as the name or id of something.
func knowledge(c *capture.Capture, literals map[sealedPlace]map[string]bool) schema.Knowledge {
	values := map[string]bool{}
	for _, texts := range literals {
		for text := range texts {
			if value, err := url.PathUnescape(text); err == nil {
				values[value] = true
			}
		}
	}
	candidates := maps.Clone(values)
	for _, key := range c.Identifiers {
		candidates[key] = true
	}
	var shapes []*schema.Shape
	for _, o := range c.Observations {
		shapes = append(shapes, o.Request, o.Response)
	}
	return schema.Knowledge{
		Sensitive: capture.Sensitive,
		Keys:      schema.DataKeys(shapes, func(key string) bool { return candidates[key] }),
		Value:     func(text string) bool { return values[text] },
	}
}

// sealedPlace is a path segment of a group of exchanges.
type sealedPlace struct {
	key   capture.Key
	index int
}

// sealObservation seals one group and notes the literals that it replaces in
// distinct.
func sealObservation(o capture.Observation, template string, distinct map[sealedPlace]map[string]bool) capture.Observation {
	before := split(o.Path)
	o.Path = sealPath(o.Path, template)
	o.Segments = slices.Clone(o.Segments)
	for i, segment := range split(o.Path) {
		if i >= len(before) || segment == before[i] {
			continue
		}
		at := sealedPlace{o.Key, i}
		if distinct[at] == nil {
			distinct[at] = map[string]bool{}
		}
		distinct[at][before[i]] = true
		j := slices.IndexFunc(o.Segments, func(s capture.Segment) bool { return s.Index == i })
		if j < 0 {
			o.Segments = append(o.Segments, capture.Segment{Index: i})
			j = len(o.Segments) - 1
		}
		if len(o.Segments[j].Classes) == 0 {
			classes := map[string]int{}
			for _, class := range holes(segment) {
				classes[class] += o.Count
			}
			o.Segments[j].Classes = classes
		}
	}
	slices.SortFunc(o.Segments, func(a, b capture.Segment) int { return a.Index - b.Index })
	return o
}

func sealParameters(ps []capture.Parameter, known schema.Knowledge) []capture.Parameter {
	known.Keys = nil // its own name is none
	out := slices.Clone(ps)
	for i, p := range out {
		// A parameter is sealed as the property that its name says it is.
		s := &schema.Shape{Objects: &schema.Objects{Count: max(p.Count, p.Shape.Total()), Properties: map[string]*schema.Shape{p.Name: p.Shape}}}
		if sealed := s.SealKnowing(known); sealed.Objects != nil && sealed.Objects.Properties[p.Name] != nil {
			out[i].Shape = sealed.Objects.Properties[p.Name]
		}
	}
	return out
}
