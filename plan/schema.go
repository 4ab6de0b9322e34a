package plan

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tomallicino/caskmcp/compiler"
	"github.com/tomallicino/caskmcp/schema"
	"github.com/tomallicino/caskmcp/surface"
)

// inputSchema explains what agents may send now. A wider input is new freedom,
// a narrower one can break calls.
func (j *toolJudge) inputSchema() {
	for _, d := range schema.Compare(j.before.InputSchema, j.after.InputSchema) {
		at := "input " + place(d.Path)
		switch d.Kind {
		case schema.Widened:
			j.add("input.widened", j.wideningBy(d), "%s accepts more: %s", at, keywordChange(d))
		case schema.Narrowed:
			j.review("input.narrowed", "%s accepts less: %s", at, keywordChange(d))
		case schema.TypeChanged:
			j.add("input.type_changed", j.widening(), "%s has another type: %s", at, keywordChange(d))
		case schema.PropertyAdded:
			j.add("input.widened", j.widening(), "agents may send %s: %s", at, value(d.After))
			j.addedText(at, d)
		case schema.PropertyRemoved:
			j.review("input.narrowed", "%s is gone; it was %s", at, value(d.Before))
		case schema.RequiredAdded:
			j.review("input.required_added", "%s must be sent now", placeIn("input", d))
		case schema.RequiredRemoved:
			j.add("input.widened", j.widening(), "%s may be left out now", placeIn("input", d))
		default:
			j.block("text.changed", "text of %s changed: %s", at, keywordChange(d))
		}
	}
}

// wideningBy is the class of one widened keyword. New values of an enum or
// constant are text that agents read and a power nobody approved.
func (j *toolJudge) wideningBy(d schema.Difference) Class {
	if strings.HasSuffix(d.Path, "/enum") || strings.HasSuffix(d.Path, "/const") {
		return Block
	}
	return j.widening()
}

// outputSchema explains what agents read now. A wider output is more data, a
// changed one can break whoever relies on it.
func (j *toolJudge) outputSchema() {
	switch {
	case len(j.before.OutputSchema) == 0:
		j.review("output.added", "the response is described now; it was not")
	case len(j.after.OutputSchema) == 0:
		j.review("output.removed", "the response is not described any more")
	default:
		all := schema.Compare(j.before.OutputSchema, j.after.OutputSchema)
		for _, d := range all {
			if !impliedBy(d, all) {
				j.outputDifference(d)
			}
		}
	}
	j.sensitiveOutput()
}

// impliedBy reports whether d says that a property is required, or is not any
// more, that comes or goes as a whole, or of which its description says so.
func impliedBy(d schema.Difference, all []schema.Difference) bool {
	implied := map[schema.DifferenceKind]schema.DifferenceKind{schema.RequiredAdded: schema.PropertyAdded, schema.RequiredRemoved: schema.PropertyRemoved}[d.Kind]
	if implied == "" {
		return false
	}
	at := strings.TrimSuffix(d.Path, "required") + "properties/" + escapePointer(d.Name)
	return slices.ContainsFunc(all, func(o schema.Difference) bool {
		return o.Kind == implied && o.Path == at || o.Path == at+"/description" && presenceChanged(o)
	})
}

func (j *toolJudge) outputDifference(d schema.Difference) {
	at := "response " + place(d.Path)
	switch d.Kind {
	case schema.Widened:
		j.review("output.widened", "%s may hold more: %s", at, keywordChange(d))
	case schema.Narrowed:
		j.review("output.narrowed", "%s holds less: %s", at, keywordChange(d))
	case schema.TypeChanged:
		j.review("output.type_changed", "%s has another type: %s", at, keywordChange(d))
	case schema.PropertyAdded:
		j.review("output.added", "%s is new: %s", at, value(d.After))
		j.addedText(at, d)
	case schema.PropertyRemoved:
		j.review("output.removed", "%s is gone; it was %s", at, value(d.Before))
	case schema.RequiredAdded:
		j.review("output.narrowed", "%s is always there now", placeIn("response", d))
	case schema.RequiredRemoved:
		j.review("output.required_removed", "%s may be missing now", placeIn("response", d))
	default:
		if !j.presence(at, d) {
			j.block("text.changed", "text of %s changed: %s", at, keywordChange(d))
		}
	}
}

// presence explains the words in a description by which the compiler says that
// some captures always have a field and another never has it. It reports
// whether they are all that changed.
func (j *toolJudge) presence(at string, d schema.Difference) bool {
	if !strings.HasSuffix(d.Path, "/description") {
		return false
	}
	before, was := cutNotAlways(d.Before)
	after, is := cutNotAlways(d.After)
	switch {
	case is && !was:
		j.review("output.sometimes_missing", "%s is not always there: a capture never has it", at)
	case was && !is:
		j.review("output.narrowed", "%s is always there now", at)
	}
	return was != is && before == after
}

// presenceChanged reports whether only one side of a description says that the
// field is not always there.
func presenceChanged(d schema.Difference) bool {
	_, was := cutNotAlways(d.Before)
	_, is := cutNotAlways(d.After)
	return was != is
}

// cutNotAlways divides a description into the words about the field and
// whether it says that the field is not always there.
func cutNotAlways(description json.RawMessage) (words string, found bool) {
	var text string
	if description != nil && json.Unmarshal(description, &text) != nil {
		return string(description), false
	}
	words, found = strings.CutSuffix(text, compiler.NotAlwaysThere)
	return strings.TrimSpace(words), found
}

// addedText says that a new property brings words of its own.
func (j *toolJudge) addedText(at string, d schema.Difference) {
	words := slices.DeleteFunc(schemaTexts(d.After), func(s string) bool { return s == compiler.NotAlwaysThere })
	if len(words) > 0 {
		j.review("text.added", "%s brings text that agents read: %s", at, quoteAll(words))
	}
}

// keywordChange names the keyword of d and its values.
func keywordChange(d schema.Difference) string {
	tokens := splitPointer(d.Path)
	keyword := "schema"
	if len(tokens) > 0 {
		keyword = tokens[len(tokens)-1]
	}
	return fmt.Sprintf("%s was %s, is now %s", quoteWord(keyword), value(d.Before), value(d.After))
}

// quoteWord leaves plain words as they are.
func quoteWord(s string) string {
	if strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ$_") == "" && s != "" {
		return s
	}
	return quote(s)
}

// placeIn names the property that a required keyword is about.
func placeIn(side string, d schema.Difference) string {
	return side + " " + place(strings.TrimSuffix(d.Path, "required")+"properties/"+escapePointer(d.Name))
}

// place turns a JSON Pointer into a schema into the values it describes:
// /properties/items/items/properties/id/type is "items[].id".
func place(path string) string {
	var b strings.Builder
	tokens := splitPointer(path)
	for i := 0; i < len(tokens); i++ {
		switch t := tokens[i]; t {
		case "properties", "patternProperties", "dependentSchemas", "$defs", "definitions":
			if i+1 < len(tokens) {
				i++
				if b.Len() > 0 {
					b.WriteByte('.')
				}
				b.WriteString(tokens[i])
			}
		case "items", "contains":
			b.WriteString("[]")
		case "prefixItems":
			if i+1 < len(tokens) {
				i++
				b.WriteString("[" + tokens[i] + "]")
			}
		case "additionalProperties":
			if i+1 < len(tokens) {
				b.WriteString(".*")
			}
		}
	}
	if b.Len() == 0 {
		return "as a whole"
	}
	return quote(b.String())
}

// sensitiveOutput reports response fields that look like personal data or
// secrets and that were not there before. A field that is masked counts too:
// somebody who knows the data has to say that masking is enough.
func (j *toolJudge) sensitiveOutput() {
	before, after := sensitiveFields(j.before), sensitiveFields(j.after)
	found := map[sensitiveField][]string{}
	for _, path := range slices.Sorted(maps.Keys(after)) {
		if _, known := before[path]; !known {
			found[after[path]] = append(found[after[path]], path)
		}
	}
	for f, paths := range found {
		masked := ""
		if f.masked {
			masked = ", masked"
		}
		if f.kind == secretField {
			j.block("output.secret_shape_added", "the response holds what looks like a secret%s: %s", masked, quoteAll(paths))
		} else {
			j.block("output.pii_added", "the response holds personal data%s: %s", masked, quoteAll(paths))
		}
	}
}

// sensitiveField is what a sensitive field holds, and whether agents get its
// value.
type sensitiveField struct {
	kind   fieldKind
	masked bool
}

// sensitiveFields finds the sensitive fields of t's response, by path.
func sensitiveFields(t surface.Tool) map[string]sensitiveField {
	found := map[string]sensitiveField{}
	doc, err := decode(t.OutputSchema)
	if err != nil {
		return found
	}
	walkProperties("", doc, 0, func(path, name string) {
		if kind := classifyField(name); kind != plainField {
			found[path] = sensitiveField{kind, slices.ContainsFunc(t.Redact, func(r string) bool { return strings.EqualFold(r, name) })}
		}
	})
	return found
}

// maxSchemaDepth bounds walks over schemas, whose nesting the decoder bounds
// only at 10,000.
const maxSchemaDepth = 200

// walkProperties calls visit for each declared object property under v.
func walkProperties(path string, v any, depth int, visit func(path, name string)) {
	if depth > maxSchemaDepth {
		return
	}
	switch v := v.(type) {
	case []any:
		for _, x := range v {
			walkProperties(path, x, depth+1, visit)
		}
	case map[string]any:
		for k, x := range v {
			props, ok := x.(map[string]any)
			if k != "properties" || !ok {
				walkProperties(path, x, depth+1, visit)
				continue
			}
			for name, sub := range props {
				at := strings.TrimPrefix(path+"."+name, ".")
				visit(at, name)
				walkProperties(at, sub, depth+1, visit)
			}
		}
	}
}
