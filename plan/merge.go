package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// merges lists the general tools that would absorb approved ones.
func (b *builder) merges() {
	for _, m := range b.Result.Merges {
		name := cmp.Or(m.Tool, m.Request)
		b.plan.Proposals = append(b.plan.Proposals, Proposal{
			Name: name, Fields: []Field{}, Absorbs: m.Absorbs, Hints: m.Hints, Keep: m.Keep,
			Text: fmt.Sprintf("%s would absorb %s today; what is approved stays as it is", quote(name), quoteAll(m.Absorbs)),
		})
	}
}

// Rewrites are the proposals to write one tool differently.
func (p *Plan) Rewrites() []Proposal {
	return slices.DeleteFunc(slices.Clone(p.Proposals), func(x Proposal) bool { return len(x.Absorbs) > 0 })
}

// shownMerges is how many tools a merge names; JSON has them all.
const shownMerges = 3

// Merges sums up the proposals to merge approved tools: one note for each step
// of the paths, however many tools have it.
func (p *Plan) Merges() []Note {
	var notes []Note
	bySteps := map[string][]Proposal{}
	for _, x := range p.Proposals {
		if len(x.Absorbs) > 0 {
			steps := strings.Join(x.Hints, "\n")
			bySteps[steps] = append(bySteps[steps], x)
		}
	}
	for _, list := range bySteps {
		var pairs []string
		absorbed := 0
		for i, x := range list {
			absorbed += len(x.Absorbs)
			if i < shownMerges {
				pairs = append(pairs, quote(x.Name)+" absorbs "+quoteAll(x.Absorbs))
			}
		}
		if more := len(list) - len(pairs); more > 0 {
			pairs = append(pairs, fmt.Sprintf("and %d more (--json lists them)", more))
		}
		notes = append(notes, Note{
			Code: "tool.merge",
			Text: fmt.Sprintf("%s would absorb %s: %s", plural(len(list), "general tool"), plural(absorbed, "approved tool"), strings.Join(pairs, ", ")),
			Hint: fmt.Sprintf("hints: [%s] in toolpack.yaml plans the merge; [%s] keeps them apart", quoteLines(list[0].Hints), quoteLines(keepOf(list))),
		})
	}
	SortNotes(notes)
	return notes
}

// quoteLines quotes lines to be copied: all of them, whole.
func quoteLines(lines []string) string {
	var out []string
	for _, l := range lines {
		out = append(out, strconv.Quote(l))
	}
	return strings.Join(out, ", ")
}

func keepOf(list []Proposal) []string {
	var keep []string
	for _, x := range list {
		keep = append(keep, x.Keep...)
	}
	slices.Sort(keep)
	return slices.Compact(keep)
}
