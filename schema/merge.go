package schema

// Merge returns the shape of all the values of a and b and changes neither.
// It is commutative and associative; nil and the zero Shape are its unit. The
// result is never nil and shares nothing with its arguments.
func Merge(a, b *Shape) *Shape {
	m := &Shape{}
	m.Add(a)
	m.Add(b)
	return m
}

// Add makes s the Merge of s and o. It does not change o and keeps no part of
// it.
func (s *Shape) Add(o *Shape) {
	if o == nil {
		return
	}
	s.Nulls += o.Nulls
	s.Booleans += o.Booleans
	s.Numbers += o.Numbers
	s.Deep += o.Deep
	if o.Integers != nil {
		i := s.integers()
		i.Count += o.Integers.Count
		i.Negative += o.Integers.Negative
		i.Wide += o.Integers.Wide
		i.Unsafe += o.Integers.Unsafe
	}
	if o.Strings != nil {
		s.strings().add(o.Strings)
	}
	if o.Arrays != nil {
		a := s.arrays()
		a.Count += o.Arrays.Count
		a.Empty += o.Arrays.Empty
		if o.Arrays.Items != nil {
			a.items().Add(o.Arrays.Items)
		}
	}
	if o.Objects != nil {
		s.objects().add(o.Objects)
	}
}

func (s *Shape) integers() *Integers {
	if s.Integers == nil {
		s.Integers = &Integers{}
	}
	return s.Integers
}

func (s *Shape) strings() *Strings {
	if s.Strings == nil {
		s.Strings = &Strings{}
	}
	return s.Strings
}

func (s *Shape) arrays() *Arrays {
	if s.Arrays == nil {
		s.Arrays = &Arrays{}
	}
	return s.Arrays
}

func (s *Shape) objects() *Objects {
	if s.Objects == nil {
		s.Objects = &Objects{}
	}
	return s.Objects
}

func (a *Arrays) items() *Shape {
	if a.Items == nil {
		a.Items = &Shape{}
	}
	return a.Items
}

func (s *Strings) add(o *Strings) {
	s.Count += o.Count
	s.Classes.merge(o.Classes)
	if o.Open {
		s.open()
	}
	if s.Open {
		return
	}
	s.Values.merge(o.Values)
	if len(s.Values) > MaxValues {
		s.open()
	}
}

// open gives up the candidates of an enum.
func (s *Strings) open() {
	s.Open, s.Values = true, nil
}

func (o *Objects) add(p *Objects) {
	o.Count += p.Count
	o.Named += p.Named
	o.Keys.merge(p.Keys)
	if p.Entries != nil {
		o.entries().Add(p.Entries)
	}
	if p.Map {
		o.fold()
	}
	for name, shape := range p.Properties {
		o.property(name).Add(shape)
	}
	o.bound()
}

func (o *Objects) entries() *Shape {
	if o.Entries == nil {
		o.Entries = &Shape{}
	}
	return o.Entries
}

// property returns the shape that collects the values of a name. In a map it
// counts the name as a key, which is why fold must come before.
func (o *Objects) property(name string) *Shape {
	if s := o.Properties[name]; s != nil {
		return s
	}
	if o.Properties == nil {
		o.Properties = make(map[string]*Shape)
	}
	s := &Shape{}
	o.Properties[name] = s
	return s
}

// bound folds what has too many properties to be a record, and what is a map
// already.
func (o *Objects) bound() {
	if o.Map || len(o.Properties) > MaxProperties {
		o.fold()
	}
}

// fold makes o a map: its properties become entries.
func (o *Objects) fold() {
	o.Map = true
	for name, shape := range o.Properties {
		o.entries().Add(shape)
		o.Keys.add(Classify(name), shape.Total())
	}
	o.Properties = nil
}
