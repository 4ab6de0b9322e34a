package schema

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// Counts counts names. It is sorted by name and small, which is why it is no
// map: a Shape has many. In JSON it is an object.
type Counts []Count

// Count is how often a name was seen.
type Count struct {
	Name string
	N    int
}

// Of returns the count of a name.
func (c Counts) Of(name string) int {
	if i, found := c.find(name); found {
		return c[i].N
	}
	return 0
}

// names are the names in order.
func (c Counts) names() []string {
	names := make([]string, len(c))
	for i, e := range c {
		names[i] = e.Name
	}
	return names
}

func (c Counts) find(name string) (int, bool) {
	return slices.BinarySearchFunc(c, name, func(e Count, name string) int { return strings.Compare(e.Name, name) })
}

// add counts n more of a name. It keeps a copy of the name.
func (c *Counts) add(name string, n int) {
	i, found := c.find(name)
	if found {
		(*c)[i].N += n
		return
	}
	*c = slices.Insert(*c, i, Count{strings.Clone(name), n})
}

// merge adds all of o.
func (c *Counts) merge(o Counts) {
	if len(*c) == 0 {
		*c = slices.Clone(o)
		return
	}
	for _, e := range o {
		if i, found := c.find(e.Name); found {
			(*c)[i].N += e.N
		} else {
			*c = slices.Insert(*c, i, e)
		}
	}
}

// MarshalJSON writes an object with sorted keys.
func (c Counts) MarshalJSON() ([]byte, error) {
	var buf bytes.Buffer
	buf.WriteByte('{')
	for i, e := range c {
		if i > 0 {
			buf.WriteByte(',')
		}
		name, err := json.Marshal(e.Name)
		if err != nil {
			return nil, err
		}
		n, err := json.Marshal(e.N)
		if err != nil {
			return nil, err
		}
		buf.Write(name)
		buf.WriteByte(':')
		buf.Write(n)
	}
	buf.WriteByte('}')
	return buf.Bytes(), nil
}

// UnmarshalJSON reads an object of whole numbers.
func (c *Counts) UnmarshalJSON(data []byte) error {
	var m map[string]int
	if err := json.Unmarshal(data, &m); err != nil {
		return err
	}
	*c = nil
	for name, n := range m {
		c.add(name, n)
	}
	return nil
}
