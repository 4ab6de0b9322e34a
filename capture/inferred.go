package capture

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// inferredVersion is the version of files that say why segments became
// placeholders, or what they know of the values of headers or of names that
// people gave. A file is written in the oldest version that can hold it.
const inferredVersion = "1.2"

// Inferred is why the values of a path segment were taken for a parameter when
// the capture was sealed: afterwards there is nothing left to infer it from.
// It is about the value with the least evidence and names none.
type Inferred struct {
	Scheme string `json:"scheme"`
	Host   string `json:"host"`
	Port   int    `json:"port"`
	// Path goes up to and including the segment, parameters as {}.
	Path string `json:"path"`
	// Score is above 0, and close to it where the evidence was weak. Evidence
	// is its addends by kind, such as "form: word".
	Score    float64            `json:"score"`
	Evidence map[string]float64 `json:"evidence"`
}

// inferredPlace is what an Inferred is about.
type inferredPlace struct {
	scheme, host, path string
	port               int
}

func (i Inferred) place() inferredPlace { return inferredPlace{i.Scheme, i.Host, i.Path, i.Port} }

// compareInferred orders by place; of one place the surest comes first.
func compareInferred(a, b Inferred) int {
	return cmp.Or(strings.Compare(a.Host, b.Host), strings.Compare(a.Path, b.Path), strings.Compare(a.Scheme, b.Scheme), cmp.Compare(a.Port, b.Port),
		cmp.Compare(b.Score, a.Score), compareAddends(a.Evidence, b.Evidence))
}

func compareAddends(a, b map[string]float64) int {
	kinds := slices.Sorted(maps.Keys(a))
	if o := slices.Compare(kinds, slices.Sorted(maps.Keys(b))); o != 0 {
		return o
	}
	for _, kind := range kinds {
		if o := cmp.Compare(a[kind], b[kind]); o != 0 {
			return o
		}
	}
	return 0
}

// surest sorts list and keeps one of each place: evidence that one capture had
// settles what another was in doubt about.
func surest(list []Inferred) []Inferred {
	slices.SortFunc(list, compareInferred)
	return slices.CompactFunc(list, func(a, b Inferred) bool { return a.place() == b.place() })
}

func (c *Capture) checkInferred() error {
	seen := make(map[inferredPlace]bool, len(c.Inferred))
	for n, i := range c.Inferred {
		if err := i.check(); err != nil {
			return fmt.Errorf("inferred %d (%s): %w", n, i.Path, err)
		}
		if seen[i.place()] {
			return fmt.Errorf("inferred %d (%s) is there twice", n, i.Path)
		}
		seen[i.place()] = true
	}
	return nil
}

// maxScore bounds what can be said for a parameter, by far.
const maxScore = 1000

func (i Inferred) check() error {
	if err := checkTarget("GET", i.Scheme, i.Host, i.Port, i.Path); err != nil {
		return err
	}
	if !strings.HasSuffix(i.Path, "/{}") || strings.Count(i.Path, "/") > maxSegments {
		return errors.New("the path does not end in a parameter")
	}
	if !(i.Score > 0 && i.Score <= maxScore) || len(i.Evidence) > maxSegments {
		return errors.New("the score is out of range")
	}
	for kind, weight := range i.Evidence {
		if kind == "" || len(kind) > 100 || strings.Trim(kind, "abcdefghijklmnopqrstuvwxyz :,-") != "" || !(math.Abs(weight) <= maxScore) {
			return fmt.Errorf("%q with %v is no evidence", kind, weight)
		}
	}
	return nil
}
