package schema

import "strings"

// dataShare is which part of an object's keys have to be data for all to be.
const dataShare = 0.8

// DataKeys tells for each of the candidates that is a key of objects in shapes
// whether it is data wherever it is one. Candidates are texts that identify
// something elsewhere; many are the names of properties, too: a key beside many
// that are no candidates, or beside values of other kinds, is a name. Neither
// the order nor the grouping of the shapes matters.
func DataKeys(shapes []*Shape, candidate func(key string) bool) map[string]bool {
	data := make(map[string]bool)
	var places []*Objects
	for _, s := range shapes {
		s.eachObject(func(o *Objects) {
			some := false
			for key := range o.Properties {
				if candidate(key) && !isProperty(key) {
					data[key], some = true, true
				}
			}
			if some {
				places = append(places, o)
			}
		})
	}
	for _, o := range places {
		if o.mayHaveDataKeys(data) {
			continue
		}
		for key := range o.Properties {
			if _, ok := data[key]; ok {
				data[key] = false
			}
		}
	}
	return data
}

// properties are keys that name a property in most APIs, whatever else is called
// so.
var properties = map[string]bool{
	"type": true, "kind": true, "state": true, "permission": true, "permissions": true, "role": true, "roles": true, "scope": true, "scopes": true, "enabled": true, "disabled": true, "active": true,
	"previous": true, "prev": true, "first": true, "last": true, "self": true, "data": true, "error": true, "errors": true, "result": true, "results": true, "items": true, "success": true, "ok": true,
	"name": true, "key": true, "value": true, "title": true, "label": true, "description": true, "message": true, "text": true, "url": true, "email": true, "user": true, "date": true, "time": true,
	"mode": true, "level": true, "format": true, "method": true, "event": true, "action": true, "source": true, "target": true, "category": true, "default": true, "min": true, "max": true, "start": true, "end": true,
}

// isProperty reports keys that are taken for a property whatever they are
// elsewhere.
func isProperty(key string) bool {
	key = strings.ToLower(key)
	return properties[key] || wholeKeys[key]
}

// mayHaveDataKeys reports whether most keys of o are candidates and their
// values alike.
func (o *Objects) mayHaveDataKeys(data map[string]bool) bool {
	kind, usual := o.usualKind()
	n, open := 0, 0
	for key := range o.Properties {
		if _, ok := data[key]; ok {
			n++
		} else if kind == "object" && isProperty(key) {
			open++ // a folder may be called "default"
		}
	}
	return n > 0 && n > open && float64(min(n+open, usual)) >= dataShare*float64(len(o.Properties))
}

// hasDataKeys reports whether most keys of o are candidates, and at least half of
// them data wherever they are keys; one is enough where there are many.
func (o *Objects) hasDataKeys(data map[string]bool) bool {
	n := 0
	for key := range o.Properties {
		if data[key] {
			n++
		}
	}
	return n > 0 && (n*2 >= len(o.Properties) || len(o.Properties) >= mapScalarKeys) && o.mayHaveDataKeys(data)
}

// namesItsEntries reports whether most of o's properties are objects that are
// called as the key they are found under.
func (o *Objects) namesItsEntries() bool {
	n := 0
	for _, p := range o.Properties {
		if p.Objects != nil && p.Objects.Named > 0 && p.Objects.Named*2 > p.Objects.Count {
			n++
		}
	}
	return n > 0 && n*2 > len(o.Properties)
}

// EachKey calls f for every property of s, at any depth.
func (s *Shape) EachKey(f func(key string)) {
	s.eachObject(func(o *Objects) {
		for key := range o.Properties {
			f(key)
		}
	})
}

// eachObject calls f for the objects at every place of s.
func (s *Shape) eachObject(f func(*Objects)) {
	if s == nil {
		return
	}
	if s.Arrays != nil {
		s.Arrays.Items.eachObject(f)
	}
	if s.Objects == nil {
		return
	}
	f(s.Objects)
	s.Objects.Entries.eachObject(f)
	for _, p := range s.Objects.Properties {
		p.eachObject(f)
	}
}
