package schema

// Habits is what an API does under its keys, at whatever place: it tells what to
// expect where too little was seen to know. Neither the order nor the grouping
// of what is learned matters. The zero value knows of nothing.
type Habits struct {
	keys  map[string]habit
	nulls bool
}

// habit is about one key.
type habit struct {
	places, mixed int // places that have the key, and those with texts and numbers under it
	null          bool
}

// Learn adds the habits of s, one of the shapes that h is asked about.
func (h *Habits) Learn(s *Shape) {
	h.LearnKeys(s)
	s.eachObject(func(o *Objects) {
		for _, p := range o.Properties {
			h.nulls = h.nulls || p.Nulls > 0
		}
	})
}

// LearnKeys adds what s has under single keys; whether nulls are common where
// h is asked about is not learned from it.
func (h *Habits) LearnKeys(s *Shape) {
	if h.keys == nil {
		h.keys = make(map[string]habit)
	}
	s.eachObject(func(o *Objects) {
		for key, p := range o.Properties {
			k := h.keys[key]
			k.places++
			k.null = k.null || p.Nulls > 0
			if p.Strings != nil && (p.Integers != nil || p.Numbers > 0) {
				k.mixed++
			}
			h.keys[key] = k
		}
	})
}

// mayBeNull reports whether null has to be expected under a key where it was not
// seen: it is null elsewhere, or few values were seen and nulls are common.
func (h *Habits) mayBeNull(key string, few bool) bool {
	return h != nil && (h.keys[key].null || few && h.nulls)
}

// isMixed reports whether texts and numbers stand for each other under a key.
func (h *Habits) isMixed(key string) bool {
	return h != nil && h.keys[key].mixed*mixedPlaces >= max(1, h.keys[key].places)
}

// mixedPlaces is which part of the places that have a key must have texts and
// numbers under it.
const mixedPlaces = 3
