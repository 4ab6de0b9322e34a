package compiler

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tomallicino/caskmcp/internal/canonical"
	"github.com/tomallicino/caskmcp/surface"
)

// overrideOf finds what toolpack.yaml says about an endpoint: under its name,
// its request, or the name that an approved rename gave it.
func overrideOf(e *endpoint, opt Options) (surface.Override, string) {
	for _, key := range slices.Sorted(maps.Keys(opt.Tools)) {
		o := opt.Tools[key]
		approvedRename := e.prior != nil && renamed(e.prior) && o.Rename == e.prior.Name
		if key == e.base || approvedRename || isRequest(key, e.key) {
			return o, key
		}
	}
	return surface.Override{}, ""
}

// isRequest reports whether key is "METHOD /path/{template}" of k.
func isRequest(key string, k endpointKey) bool {
	method, route, ok := strings.Cut(key, " ")
	return ok && strings.EqualFold(method, k.method) && surface.EraseNames(strings.TrimSpace(route)) == k.template
}

// override applies what people set to t and records it in the evidence. The
// arguments must exist: a fixed or tightened argument that is not there would
// silently do nothing.
func override(t *surface.Tool, o surface.Override, opt Options) error {
	var fields []string
	set := func(field string, is bool, apply func()) {
		if is {
			apply()
			fields = append(fields, field)
		}
	}
	set("name", o.Rename != "", func() { t.Name = o.Rename })
	set("title", o.Title != nil, func() { t.Title = *o.Title })
	set("description", o.Description != nil, func() { t.Description = *o.Description })
	set("risk", o.Risk != "", func() { t.Risk = o.Risk })
	set("confirm", o.Confirm != "", func() { t.Confirm = o.Confirm })
	set("redact", len(o.Redact) > 0, func() { t.Redact = sortedSet(o.Redact) })
	set("expires", o.Expires != "", func() { t.Expires = o.Expires })
	if l := o.Limits; l != nil {
		set("limits.rate", l.Rate != 0, func() { t.Limits.Rate = l.Rate })
		set("limits.response_bytes", l.ResponseBytes != 0, func() { t.Limits.ResponseBytes = l.ResponseBytes })
		set("limits.timeout", l.Timeout != 0, func() { t.Limits.Timeout = l.Timeout })
	}
	if o.Risk != "" && len(o.Toolsets) == 0 {
		t.Toolsets = toolsetsOf(t)
	}
	set("toolsets", len(o.Toolsets) > 0, func() { t.Toolsets = sortedSet(o.Toolsets) })
	fixed, err := fixArguments(t, o.Fixed)
	if err != nil {
		return err
	}
	tightened, err := tighten(t, o.Arguments)
	if err != nil {
		return err
	}
	if err := checkOverride(t, o, opt); err != nil {
		return err
	}
	fields = slices.Concat(fields, fixed, tightened)
	slices.Sort(fields)
	if len(fields) > 0 {
		t.Evidence.Overrides = fields
	}
	return nil
}

// checkOverride refuses values that do not exist.
func checkOverride(t *surface.Tool, o surface.Override, opt Options) error {
	if o.Rename != "" && !legalName.MatchString(o.Rename) {
		return fmt.Errorf("%q is no tool name: want a lower-case letter, then up to 47 of a-z, 0-9 and _", o.Rename)
	}
	if o.Risk != "" && o.Risk.Rank() < 0 {
		return fmt.Errorf("risk is %q, want safe, low, medium, high or critical", o.Risk)
	}
	if o.Confirm != "" && o.Confirm != surface.Never && o.Confirm != surface.Always {
		return fmt.Errorf("confirm is %q, want never or always", o.Confirm)
	}
	if t.Limits.Rate < 0 || t.Limits.ResponseBytes < 0 || t.Limits.Timeout < 0 {
		return fmt.Errorf("limits must not be negative")
	}
	for _, name := range o.Toolsets {
		if _, ok := opt.Toolsets[name]; !ok && builtinToolsets[name] == "" {
			return fmt.Errorf("there is no toolset %q", name)
		}
	}
	return nil
}

func sortedSet(list []string) []string {
	out := slices.Clone(list)
	slices.Sort(out)
	return slices.Compact(out)
}

// fixArguments takes arguments away from the agent and gives them a value.
func fixArguments(t *surface.Tool, values map[string]any) ([]string, error) {
	var fields []string
	for _, name := range slices.Sorted(maps.Keys(values)) {
		a, i := argumentOf(t, name)
		if i < 0 {
			return nil, noArgument(t, name, "fixes")
		}
		doc, err := canonical.JSON(values[name])
		if err != nil {
			return nil, fmt.Errorf("fixing argument %q of tool %q: %w", name, t.Name, err)
		}
		t.Binding.Fixed = append(t.Binding.Fixed, surface.Fixed{In: a.In, Key: a.Key, Value: doc})
		t.Binding.Arguments = slices.Delete(slices.Clone(t.Binding.Arguments), i, i+1)
		if err := editInput(t, func(in map[string]any) { removeArgument(in, name) }); err != nil {
			return nil, err
		}
		fields = append(fields, "fixed/"+name)
	}
	slices.SortFunc(t.Binding.Fixed, func(a, b surface.Fixed) int { return strings.Compare(a.In+"\x00"+a.Key, b.In+"\x00"+b.Key) })
	return fields, nil
}

func removeArgument(in map[string]any, name string) {
	delete(in["properties"].(map[string]any), name)
	required, _ := in["required"].([]any)
	required = slices.DeleteFunc(required, func(v any) bool { return v == name })
	if len(required) == 0 {
		delete(in, "required")
		return
	}
	in["required"] = required
}

// tighten sets JSON Schema keywords of single arguments.
func tighten(t *surface.Tool, keywords map[string]map[string]any) ([]string, error) {
	var fields []string
	for _, name := range slices.Sorted(maps.Keys(keywords)) {
		if _, i := argumentOf(t, name); i < 0 {
			return nil, noArgument(t, name, "tightens")
		}
		for _, keyword := range slices.Sorted(maps.Keys(keywords[name])) {
			value := keywords[name][keyword]
			err := editInput(t, func(in map[string]any) {
				if p, ok := in["properties"].(map[string]any)[name].(map[string]any); ok {
					p[keyword] = value
				}
			})
			if err != nil {
				return nil, fmt.Errorf("setting %s of argument %q of tool %q: %w", keyword, name, t.Name, err)
			}
			fields = append(fields, "arguments/"+name+"/"+keyword)
		}
	}
	return fields, nil
}

func argumentOf(t *surface.Tool, name string) (surface.Argument, int) {
	i := slices.IndexFunc(t.Binding.Arguments, func(a surface.Argument) bool { return a.Name == name })
	if i < 0 {
		return surface.Argument{}, -1
	}
	return t.Binding.Arguments[i], i
}

func noArgument(t *surface.Tool, name, verb string) error {
	var names []string
	for _, a := range t.Binding.Arguments {
		names = append(names, a.Name)
	}
	return fmt.Errorf("toolpack.yaml %s argument %q of tool %q, which has %s", verb, name, t.Name, listOr(names, "no arguments"))
}

func listOr(names []string, none string) string {
	if len(names) == 0 {
		return none
	}
	return strings.Join(names, ", ")
}

// editInput decodes, changes and encodes the input schema, keeping numbers as
// they are written.
func editInput(t *surface.Tool, edit func(map[string]any)) error {
	doc, err := decodeObject(t.InputSchema)
	if err != nil {
		return err
	}
	if _, ok := doc["properties"].(map[string]any); !ok {
		doc["properties"] = map[string]any{}
	}
	edit(doc)
	t.InputSchema, err = canonical.JSON(doc)
	return err
}

func decodeObject(doc json.RawMessage) (map[string]any, error) {
	dec := json.NewDecoder(strings.NewReader(string(doc)))
	dec.UseNumber()
	m := map[string]any{}
	if err := dec.Decode(&m); err != nil {
		return nil, fmt.Errorf("reading an input schema: %w", err)
	}
	return m, nil
}
