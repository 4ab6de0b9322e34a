// Package schema infers, merges and compares JSON Schema (2020-12). A Shape
// is what was seen of a set of JSON values; it holds counts, never values.
package schema

const (
	// MaxDepth is how deep a Shape looks into a value; the value itself has
	// depth 0.
	MaxDepth = 20
	// MaxProperties is how many different keys make a record. Where there are
	// more, all keys are data and their values are merged in Objects.Entries.
	MaxProperties = 500
	// MaxValues is how many different strings are followed as candidates of
	// an enum.
	MaxValues = 32
)

// Shape summarises a multiset of JSON values. Shapes form a commutative
// monoid under Merge whose unit is the zero Shape: neither the order nor the
// grouping of observations can be told from the result.
type Shape struct {
	Nulls    int       `json:"null,omitempty"`
	Booleans int       `json:"boolean,omitempty"`
	Integers *Integers `json:"integer,omitempty"`
	// Numbers counts numbers with a fraction or exponent.
	Numbers int      `json:"number,omitempty"`
	Strings *Strings `json:"string,omitempty"`
	Arrays  *Arrays  `json:"array,omitempty"`
	Objects *Objects `json:"object,omitempty"`
	// Deep counts values that were nested deeper than MaxDepth and not looked
	// into.
	Deep int `json:"deep,omitempty"`
}

// Integers counts whole numbers by the width they need; bounds would be values.
type Integers struct {
	Count    int `json:"count"`
	Negative int `json:"negative,omitempty"`
	Wide     int `json:"wide,omitempty"`   // beyond 32 bits
	Unsafe   int `json:"unsafe,omitempty"` // beyond ±(2^53-1)
}

// Strings counts strings by the class of their form.
type Strings struct {
	Count int `json:"count"`
	// Classes counts the strings of each Class that a schema can tell; names
	// and plain text are not counted.
	Classes Counts `json:"classes,omitempty"`
	// Values are the candidates of an enum with their counts; nil once Open.
	Values Counts `json:"values,omitempty"`
	// Open says that the values are no enum, or are not known any more.
	Open bool `json:"open,omitempty"`
}

// Arrays counts arrays and merges all their items.
type Arrays struct {
	Count int    `json:"count"`
	Empty int    `json:"empty,omitempty"`
	Items *Shape `json:"items,omitempty"`
}

// Objects counts objects and merges the values of each key.
type Objects struct {
	Count int `json:"count"`
	// Properties merges the values of each name; a property's Total is the
	// number of objects that had it.
	Properties map[string]*Shape `json:"properties,omitempty"`
	// Entries merges the values under keys that are data rather than names:
	// ids, or too many to be a record. Keys counts those keys by class.
	Entries *Shape `json:"entries,omitempty"`
	Keys    Counts `json:"keys,omitempty"`
	// Named counts those of the objects that hold the key they are found under
	// as their own name or id.
	Named int `json:"named,omitempty"`
	// Map says that the objects are maps: all their keys are data.
	Map bool `json:"map,omitempty"`
}

// Total is the number of values that s summarises.
func (s *Shape) Total() int {
	if s == nil {
		return 0
	}
	n := s.Nulls + s.Booleans + s.Numbers + s.Deep
	if s.Integers != nil {
		n += s.Integers.Count
	}
	if s.Strings != nil {
		n += s.Strings.Count
	}
	if s.Arrays != nil {
		n += s.Arrays.Count
	}
	if s.Objects != nil {
		n += s.Objects.Count
	}
	return n
}
