package compiler

import (
	"cmp"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/tomallicino/caskmcp/surface"
)

// Scopes are the names of the built-in scopes, sorted.
var Scopes = []string{"agent_safe_readonly", "auth_surface", "first_party_only", "pii_surface", "state_changing"}

// defaultScope selects everything on the hosts of the captures.
const defaultScope = "first_party_only"

// personWords are path words of endpoints about persons.
var personWords = wordSet(`user users profile profiles account accounts customer customers member members person persons people
	contact contacts patient patients employee employees`)

// facts are what scopes decide by.
type facts struct {
	method, host, path, name string
	effect, risk             string
	auth, pii, admin         bool
}

func factsOf(t *surface.Tool) facts {
	ws := pathWords(t.Binding)
	return facts{
		method: t.Binding.Method, host: t.Binding.Host, path: t.Binding.Path, name: t.Name,
		effect: string(t.Effect), risk: string(t.Risk),
		auth:  has(ws, authWords),
		pii:   personalName(t.OutputSchema) != "" || personalName(t.InputSchema) != "",
		admin: has(ws, adminWords),
	}
}

// inScope reports whether a tool is in the scope that opt asks for, and why
// not.
func inScope(t *surface.Tool, opt Options) (bool, string) {
	scope := cmp.Or(opt.Scope, defaultScope)
	if opt.ScopeRules == nil && scope == defaultScope {
		return true, ""
	}
	f := factsOf(t)
	if opt.ScopeRules != nil {
		for i, r := range opt.ScopeRules {
			if r.matches(f) {
				return r.Action == "include", fmt.Sprintf("excluded by rule %d of the scope file", i+1)
			}
		}
		return false, "matched by no rule of the scope file"
	}
	ok := true
	switch scope {
	case "agent_safe_readonly":
		ok = f.effect == string(surface.Read) && !f.auth && !f.pii && !f.admin
	case "auth_surface":
		ok = f.auth
	case "state_changing":
		ok = f.effect != string(surface.Read)
	case "pii_surface":
		ok = f.pii || has(pathWords(t.Binding), personWords)
	}
	return ok, "not in scope " + scope
}

func (r ScopeRule) matches(f facts) bool {
	return !slices.ContainsFunc(r.Filters, func(x ScopeFilter) bool { return !x.matches(f) })
}

func (x ScopeFilter) matches(f facts) bool {
	got := f.field(x.Field)
	values := texted(x.Value)
	contains := slices.ContainsFunc(values, func(v string) bool { return strings.Contains(got, v) })
	equals := slices.Contains(values, got)
	switch x.Operator {
	case "equals", "in":
		return equals
	case "not_equals", "not_in":
		return !equals
	case "contains":
		return contains
	case "not_contains":
		return !contains
	case "matches":
		return slices.ContainsFunc(values, func(v string) bool {
			re, err := regexp.Compile(v)
			return err == nil && re.MatchString(got)
		})
	}
	return false
}

func (f facts) field(name string) string {
	switch name {
	case "method":
		return f.method
	case "host":
		return f.host
	case "path":
		return f.path
	case "effect":
		return f.effect
	case "risk":
		return f.risk
	case "name":
		return f.name
	case "auth":
		return fmt.Sprint(f.auth)
	case "pii":
		return fmt.Sprint(f.pii)
	}
	return ""
}

// texted is a filter's value, or values, as text.
func texted(v any) []string {
	list, ok := v.([]any)
	if !ok {
		return []string{fmt.Sprint(v)}
	}
	out := make([]string, 0, len(list))
	for _, item := range list {
		out = append(out, fmt.Sprint(item))
	}
	return out
}

// check refuses options whose meaning would be a guess.
func (opt Options) check() error {
	if opt.Scope != "" && !slices.Contains(Scopes, opt.Scope) {
		return fmt.Errorf("there is no scope %q; scopes are %s", opt.Scope, strings.Join(Scopes, ", "))
	}
	for i, r := range opt.ScopeRules {
		if err := r.check(); err != nil {
			return fmt.Errorf("rule %d of the scope file: %w", i+1, err)
		}
	}
	for _, p := range slices.Concat(opt.Include, opt.Exclude) {
		if err := checkPattern(p); err != nil {
			return err
		}
	}
	if opt.Policy != nil {
		return opt.Policy.Validate()
	}
	return nil
}

func (r ScopeRule) check() error {
	if r.Action != "include" && r.Action != "exclude" {
		return fmt.Errorf("action is %q, want include or exclude", r.Action)
	}
	for _, x := range r.Filters {
		if !slices.Contains([]string{"method", "host", "path", "effect", "risk", "auth", "pii", "name"}, x.Field) {
			return fmt.Errorf("unknown field %q", x.Field)
		}
		switch x.Operator {
		case "equals", "not_equals", "contains", "not_contains", "in", "not_in":
		case "matches":
			for _, v := range texted(x.Value) {
				if _, err := regexp.Compile(v); err != nil {
					return err
				}
			}
		default:
			return fmt.Errorf("unknown operator %q", x.Operator)
		}
	}
	return nil
}

func checkPattern(p string) error {
	if _, err := path.Match(strings.ReplaceAll(p, "**", "*"), ""); err != nil || strings.TrimSpace(p) == "" {
		return fmt.Errorf("%q is not a pattern: want a tool name or METHOD /path", p)
	}
	return nil
}

// selected reports whether include and exclude keep a tool, and why not.
func selected(name string, k endpointKey, opt Options) (bool, string) {
	for _, p := range opt.Exclude {
		if matchPattern(p, name, k) {
			return false, fmt.Sprintf("excluded by %q", p)
		}
	}
	if len(opt.Include) == 0 {
		return true, ""
	}
	for _, p := range opt.Include {
		if matchPattern(p, name, k) {
			return true, ""
		}
	}
	return false, "not included"
}

// matchPattern matches "get_*", "GET /users/*" and "* /admin/**".
func matchPattern(pattern, name string, k endpointKey) bool {
	method, route, isRoute := strings.Cut(strings.TrimSpace(pattern), " ")
	if !isRoute {
		ok, err := path.Match(pattern, name)
		return err == nil && ok
	}
	if method != "*" && !strings.EqualFold(method, k.method) {
		return false
	}
	return matchPath(strings.Split(strings.Trim(surface.EraseNames(strings.TrimSpace(route)), "/"), "/"), strings.Split(strings.Trim(k.template, "/"), "/"))
}

// matchPath matches segments; "**" stands for any number, "*" within one.
func matchPath(pattern, segs []string) bool {
	if len(pattern) == 0 {
		return len(segs) == 0
	}
	if pattern[0] == "**" {
		for i := range len(segs) + 1 {
			if matchPath(pattern[1:], segs[i:]) {
				return true
			}
		}
		return false
	}
	if len(segs) == 0 {
		return false
	}
	ok, err := path.Match(pattern[0], segs[0])
	return err == nil && ok && matchPath(pattern[1:], segs[1:])
}
