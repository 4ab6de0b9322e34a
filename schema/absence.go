package schema

import (
	"maps"
	"slices"
	"strings"
)

// Absence is a property that one recording always has and another never.
type Absence struct {
	// Path is the JSON Pointer (RFC 6901) of the property in the schema that
	// Output writes.
	Path string
	Name string
	// Had counts the objects of the recordings that have the property, which
	// all had it; Lacked, those of the recordings that do not.
	Had, Lacked int
}

// Absences compares recordings of the same values and returns the properties
// that are in every one of at least 10 objects of those that have them at all,
// and in none of at least 3 objects of one of seen. Others are recordings that
// only tell what there was. The fewer have it, the more have to lack it, or a
// property that is merely optional would do: 10 and 6, or 20 and 3. The order of
// neither list matters, and the result is sorted by path.
func Absences(seen, others []*Shape) []Absence {
	var a absences
	a.compare("", seen, others)
	slices.SortFunc(a.found, func(x, y Absence) int { return strings.Compare(x.Path, y.Path) })
	return a.found
}

// chance is how many pairs of an object that has a property and one that lacks it
// are needed, because a large API has thousands of places to be unlucky in.
const chance = 60

type absences struct{ found []Absence }

func (a *absences) compare(path string, seen, others []*Shape) {
	if len(seen) == 0 || len(seen)+len(others) < 2 {
		return
	}
	a.compare(path+"/items", pick(seen, itemsOf), pick(others, itemsOf))
	a.compare(path+"/additionalProperties", pick(seen, entriesOf), pick(others, entriesOf))
	names := make(map[string]bool)
	for _, s := range slices.Concat(seen, others) {
		if s.isRecord() {
			for name := range s.Objects.Properties {
				names[name] = true
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		at := pointer(path+"/properties", name)
		found := Absence{Path: at, Name: name}
		if found.count(seen, true) && found.count(others, false) && found.Had >= support && found.Had*found.Lacked >= chance {
			a.found = append(a.found, found)
		}
		property := func(s *Shape) *Shape {
			if !s.isRecord() {
				return nil
			}
			return s.Objects.Properties[name]
		}
		a.compare(at, pick(seen, property), pick(others, property))
	}
}

// count adds recordings. It reports false if one has the property only
// sometimes.
func (a *Absence) count(recordings []*Shape, lacking bool) bool {
	for _, s := range recordings {
		if !s.isRecord() {
			continue
		}
		o := s.Objects
		switch p := o.Properties[a.Name]; {
		case p != nil && p.Total() < o.Count:
			return false
		case p != nil:
			a.Had += o.Count
		case lacking && o.Count >= removedObjects:
			a.Lacked += o.Count
		}
	}
	return true
}

// isRecord reports whether it is known which of the objects had which
// property.
func (s *Shape) isRecord() bool {
	return s.Objects != nil && !s.Objects.Map && s.Objects.Entries == nil
}

func itemsOf(s *Shape) *Shape {
	if s.Arrays == nil {
		return nil
	}
	return s.Arrays.Items
}

func entriesOf(s *Shape) *Shape {
	if s.Objects == nil {
		return nil
	}
	return s.Objects.Entries
}

// pick returns what at finds in the shapes that have it.
func pick(shapes []*Shape, at func(*Shape) *Shape) []*Shape {
	var out []*Shape
	for _, s := range shapes {
		if found := at(s); found != nil {
			out = append(out, found)
		}
	}
	return out
}
