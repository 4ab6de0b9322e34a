package schema

import (
	"encoding/json"
	"math/big"
	"slices"
	"strconv"
)

// assertion compares a keyword that restricts by its presence and whose
// values have no order.
func (c *comparison) assertion(path string, before, after any) {
	switch {
	case isAbsent(before):
		c.add(path, Narrowed, before, after)
	case isAbsent(after):
		c.add(path, Widened, before, after)
	default:
		c.both(path, before, after)
	}
}

var allTypes = []string{"array", "boolean", "integer", "null", "number", "object", "string"}

func (c *comparison) types(path string, before, after any) {
	b, okB := typeSet(before)
	a, okA := typeSet(after)
	if !okB || !okA {
		c.add(path, TypeChanged, before, after)
		return
	}
	gains, loses := false, false
	for _, t := range allTypes {
		gains = gains || (a[t] && !b[t])
		loses = loses || (b[t] && !a[t])
	}
	switch {
	case gains && loses:
		c.add(path, TypeChanged, before, after)
	case gains:
		c.add(path, Widened, before, after)
	case loses:
		c.add(path, Narrowed, before, after)
	default: // "string" and ["string"]
		c.add(path, TextChanged, before, after)
	}
}

// typeSet reads the value of "type". Number includes integer.
func typeSet(v any) (map[string]bool, bool) {
	set := map[string]bool{}
	var names []any
	switch v := v.(type) {
	case absent:
		for _, t := range allTypes {
			set[t] = true
		}
		return set, true
	case string:
		names = []any{v}
	case []any:
		names = v
	default:
		return nil, false
	}
	for _, n := range names {
		s, ok := n.(string)
		if !ok || !slices.Contains(allTypes, s) {
			return nil, false
		}
		set[s] = true
		if s == "number" {
			set["integer"] = true
		}
	}
	return set, true
}

func (c *comparison) enum(path string, before, after any) {
	b, okB := before.([]any)
	a, okA := after.([]any)
	if !okB || !okA {
		c.assertion(path, before, after)
		return
	}
	added, removed := !subset(a, b), !subset(b, a)
	if added {
		c.add(path, Widened, before, after)
	}
	if removed {
		c.add(path, Narrowed, before, after)
	}
	if !added && !removed { // another order is another text
		c.add(path, TextChanged, before, after)
	}
}

// bound compares a limit; sign is 1 where a larger value accepts more.
func (c *comparison) bound(path string, before, after any, sign int) {
	b, okB := before.(json.Number)
	a, okA := after.(json.Number)
	if !okB || !okA {
		c.assertion(path, before, after)
		return
	}
	order, ok := compareNumbers(b, a)
	switch {
	case !ok:
		c.both(path, before, after)
	case order*sign < 0:
		c.add(path, Widened, before, after)
	default:
		c.add(path, Narrowed, before, after)
	}
}

func (c *comparison) multipleOf(path string, before, after any) {
	b, okB := integer(before)
	a, okA := integer(after)
	switch {
	case !okB || !okA || b.Sign() <= 0 || a.Sign() <= 0:
		c.assertion(path, before, after)
	case new(big.Int).Rem(b, a).Sign() == 0:
		c.add(path, Widened, before, after)
	case new(big.Int).Rem(a, b).Sign() == 0:
		c.add(path, Narrowed, before, after)
	default:
		c.both(path, before, after)
	}
}

func (c *comparison) uniqueItems(path string, before, after any) {
	switch {
	case after == true:
		c.add(path, Narrowed, before, after)
	case before == true:
		c.add(path, Widened, before, after)
	default: // false and absent mean the same
		c.add(path, TextChanged, before, after)
	}
}

func (c *comparison) required(path string, before, after any) {
	b, okB := stringList(before)
	a, okA := stringList(after)
	if !okB || !okA {
		c.assertion(path, before, after)
		return
	}
	n := len(c.found)
	for _, name := range a {
		if !slices.Contains(b, name) {
			c.addNamed(path, RequiredAdded, name, before, after)
		}
	}
	for _, name := range b {
		if !slices.Contains(a, name) {
			c.addNamed(path, RequiredRemoved, name, before, after)
		}
	}
	if len(c.found) == n {
		c.add(path, TextChanged, before, after)
	}
}

func (c *comparison) properties(path string, before, after any) {
	b, okB := dictionaryOf(before)
	a, okA := dictionaryOf(after)
	if !okB || !okA {
		c.assertion(path, before, after)
		return
	}
	n := len(c.found)
	for name, v := range a {
		if old, ok := b[name]; ok {
			c.schemas(pointer(path, name), old, v)
		} else {
			c.addNamed(pointer(path, name), PropertyAdded, name, absent{}, v)
		}
	}
	for name, v := range b {
		if _, ok := a[name]; !ok {
			c.addNamed(pointer(path, name), PropertyRemoved, name, v, absent{})
		}
	}
	if len(c.found) == n {
		c.add(path, TextChanged, before, after)
	}
}

// dictionary compares named subschemas that are not properties. An added
// dependency narrows; a definition by itself does nothing until it is referred
// to, and the reference is reported where it is.
func (c *comparison) dictionary(path, key string, before, after any) {
	b, okB := dictionaryOf(before)
	a, okA := dictionaryOf(after)
	if !okB || !okA {
		c.assertion(path, before, after)
		return
	}
	added, removed := Narrowed, Widened
	if key == "$defs" || key == "definitions" {
		added, removed = TextChanged, TextChanged
	}
	n := len(c.found)
	for name, v := range a {
		old, ok := b[name]
		_, isList := v.([]any)
		switch {
		case !ok:
			c.add(pointer(path, name), added, absent{}, v)
		case isList && !sameJSON(old, v):
			c.required(pointer(path, name), old, v)
		default:
			c.schemas(pointer(path, name), old, v)
		}
	}
	for name, v := range b {
		if _, ok := a[name]; !ok {
			c.add(pointer(path, name), removed, v, absent{})
		}
	}
	if len(c.found) == n {
		c.add(path, TextChanged, before, after)
	}
}

func (c *comparison) not(path string, before, after any) {
	if isAbsent(before) || isAbsent(after) {
		c.assertion(path, before, after)
		return
	}
	c.negated++
	c.schemas(path, before, after)
	c.negated--
}

// list compares an array of subschemas: what is equal pairs off, and what is
// left is compared in order where the numbers agree, else added and removed.
func (c *comparison) list(path string, before, after any, added, removed DifferenceKind) {
	b, okB := before.([]any)
	a, okA := after.([]any)
	if !okB || !okA {
		c.assertion(path, before, after)
		return
	}
	restB, restA := unpaired(b, a), unpaired(a, b)
	n := len(c.found)
	if len(restB) == len(restA) {
		for i := range restA {
			c.schemas(pointer(path, strconv.Itoa(restA[i])), b[restB[i]], a[restA[i]])
		}
	} else {
		for _, i := range restA {
			c.add(pointer(path, strconv.Itoa(i)), added, absent{}, a[i])
		}
		for _, i := range restB {
			c.add(pointer(path, strconv.Itoa(i)), removed, b[i], absent{})
		}
	}
	if len(c.found) == n {
		c.add(path, TextChanged, before, after)
	}
}

// unpaired returns the indexes of xs that no element of ys equals, each
// element of ys pairing with one of xs.
func unpaired(xs, ys []any) []int {
	free := slices.Clone(ys)
	var rest []int
	for i, x := range xs {
		j := slices.IndexFunc(free, func(y any) bool { return sameJSON(x, y) })
		if j < 0 {
			rest = append(rest, i)
			continue
		}
		free = slices.Delete(free, j, j+1)
	}
	return rest
}
