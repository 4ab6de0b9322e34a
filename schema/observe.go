package schema

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
)

// Observe adds one JSON value: what encoding/json decodes into an any, best
// with Decoder.UseNumber, because a float64 cannot tell 1 from 1.0.
func (s *Shape) Observe(v any) { s.observe(v, "", 0) }

// observe adds a value that was found under a key.
func (s *Shape) observe(v any, own string, depth int) {
	if depth > MaxDepth {
		s.Deep++
		return
	}
	switch v := v.(type) {
	case nil:
		s.Nulls++
	case bool:
		s.Booleans++
	case json.Number:
		s.number(string(v))
	case float64:
		s.number(formatFloat(v))
	case string:
		s.text(v)
	case []any:
		a := s.arrays()
		a.Count++
		if len(v) == 0 {
			a.Empty++
		}
		for _, item := range v {
			a.items().observe(item, own, depth+1)
		}
	case map[string]any:
		o := s.objects()
		o.Count++
		if isNamed(v, own) {
			o.Named++
		}
		for key, value := range v {
			o.at(key).observe(value, key, depth+1)
		}
		o.bound()
	default:
		// Not a JSON value; it is counted as one that nothing is known of.
		s.Deep++
	}
}

// identifying are the keys under which an object says what it is called.
var identifying = map[string]bool{"name": true, "id": true, "_id": true, "key": true}

// isNamed reports whether an object is called as the key it was found under.
func isNamed(v map[string]any, own string) bool {
	if own == "" {
		return false
	}
	for key := range identifying {
		if v[key] == own {
			return true
		}
	}
	return false
}

// formatFloat writes whole numbers as integers as long as they are exact.
func formatFloat(f float64) string {
	if f == math.Trunc(f) && math.Abs(f) <= maxSafe {
		return strconv.FormatInt(int64(f), 10)
	}
	return strconv.FormatFloat(f, 'e', -1, 64)
}

// at returns the shape that collects the values under a key of an object, and
// counts the key where it is data.
func (o *Objects) at(key string) *Shape {
	if o.Map {
		o.Keys.add(Classify(key), 1)
		return o.entries()
	}
	if s := o.Properties[key]; s != nil {
		return s
	}
	if class, data := keyClass(key); data {
		o.Keys.add(class, 1)
		return o.entries()
	}
	return o.property(strings.Clone(key))
}

// ObserveText adds the text of a parameter or form field. Text that spells an
// integer, a number or a boolean as JSON would is counted as such.
func (s *Shape) ObserveText(raw string) {
	switch {
	case raw == "true" || raw == "false":
		s.Booleans++
	case raw != "" && (raw[0] == '-' || isDigit(raw[0])) && isNumber(raw):
		s.number(raw)
	default:
		s.text(raw)
	}
}

// maxSafe is the largest integer that every JSON implementation keeps exact
// (RFC 7493 section 2.2).
const maxSafe = 1<<53 - 1

// number adds a number by its text, which has JSON's form.
func (s *Shape) number(text string) {
	if strings.ContainsAny(text, ".eE") {
		s.Numbers++
		return
	}
	i := s.integers()
	i.Count++
	if text[0] == '-' && text != "-0" {
		i.Negative++
	}
	if len(text) < 10 {
		return
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n > math.MaxInt32 || n < math.MinInt32 {
		i.Wide++
	}
	if err != nil || n > maxSafe || n < -maxSafe {
		i.Unsafe++
	}
}

// text adds a string.
func (s *Shape) text(v string) {
	t := s.strings()
	t.Count++
	candidate := isCandidate(v)
	if class := formClass(v, candidate); class != "" {
		t.Classes.add(class, 1)
		candidate = false
	}
	switch {
	case t.Open:
	case !candidate:
		t.open()
	default:
		t.candidate(v)
	}
}

func (s *Strings) candidate(v string) {
	s.Values.add(v, 1)
	if len(s.Values) > MaxValues {
		s.open()
	}
}

// isCandidate reports whether a string could be a value of an enum:
// [A-Za-z_-]{1,32}.
func isCandidate(v string) bool {
	if v == "" || len(v) > 32 {
		return false
	}
	for i := range len(v) {
		if !isLetter(v[i]) && v[i] != '_' && v[i] != '-' {
			return false
		}
	}
	return true
}

// ObserveFields adds an object of text fields, as a form has them; a field
// with several values is an array.
func (s *Shape) ObserveFields(fields map[string][]string) {
	o := s.objects()
	o.Count++
	for name, values := range fields {
		to := o.at(name)
		if len(values) != 1 {
			a := to.arrays()
			a.Count++
			if len(values) == 0 {
				a.Empty++
				continue
			}
			to = a.items()
		}
		for _, value := range values {
			to.ObserveText(value)
		}
	}
	o.bound()
}

// ObserveFile adds a file that is a part of a form.
func (s *Shape) ObserveFile(field string) {
	o := s.objects()
	file := o.at(field).strings()
	file.Count++
	file.open()
	file.Classes.add(ClassBinary, 1)
	o.bound()
}

// IsData reports whether a key or parameter name is data rather than a name:
// an id, an address, a number.
func IsData(name string) bool {
	_, data := keyClass(name)
	return data
}
