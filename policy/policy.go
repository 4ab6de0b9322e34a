// Package policy decides whether a call may go ahead. Decide is pure: the same
// policy and call always give the same decision.
package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tomallicino/caskmcp/internal/canonical"
)

// Action is what a rule or a decision says. The zero Action denies.
type Action string

// The actions. Where several rules match, Deny wins over ConfirmFirst, and
// ConfirmFirst over Allow; the order of the rules does not matter.
const (
	Deny         Action = "deny"
	ConfirmFirst Action = "confirm"
	Allow        Action = "allow"
)

// Policy is the approved policy of one server.
type Policy struct {
	// Default is the action where no rule matches. The empty value denies.
	Default Action `json:"default" yaml:"default"`
	Rules   []Rule `json:"rules" yaml:"rules"`
}

// Rule matches a call when each of its non-empty predicates does. A predicate
// is a list of alternatives; in Tools, Hosts and Principals "*" stands for any
// run of characters.
type Rule struct {
	Name       string   `json:"name" yaml:"name"`
	Action     Action   `json:"action" yaml:"action"`
	Tools      []string `json:"tools,omitempty" yaml:"tools,omitempty"`
	Toolsets   []string `json:"toolsets,omitempty" yaml:"toolsets,omitempty"`
	Methods    []string `json:"methods,omitempty" yaml:"methods,omitempty"`
	Hosts      []string `json:"hosts,omitempty" yaml:"hosts,omitempty"`
	Effects    []string `json:"effects,omitempty" yaml:"effects,omitempty"`
	Risks      []string `json:"risks,omitempty" yaml:"risks,omitempty"`
	Principals []string `json:"principals,omitempty" yaml:"principals,omitempty"`
}

// Call is what a policy decides about.
type Call struct {
	Tool      string
	Toolsets  []string // the toolsets the tool is a member of
	Method    string
	Host      string
	Effect    string
	Risk      string
	Principal string
}

// Decision is the outcome. The zero Decision denies.
type Decision struct {
	Action Action
	// Rule is the name of the rule that decided, or "" for the default.
	Rule string
}

// Allowed reports whether the call may go ahead without more ado.
func (d Decision) Allowed() bool { return d.Action == Allow }

// Decide applies p to c.
func Decide(p Policy, c Call) Decision {
	best := Decision{Action: p.Default}
	matched := false
	for _, r := range p.Rules {
		if !r.matches(c) {
			continue
		}
		stricter := rank(r.Action) < rank(best.Action)
		sameByName := rank(r.Action) == rank(best.Action) && r.Name < best.Rule
		if !matched || stricter || sameByName {
			best, matched = Decision{Action: r.Action, Rule: r.Name}, true
		}
	}
	if rank(best.Action) == 0 {
		best.Action = Deny
	}
	return best
}

func rank(a Action) int {
	switch a {
	case Allow:
		return 2
	case ConfirmFirst:
		return 1
	}
	return 0
}

func (r Rule) matches(c Call) bool {
	return anyGlob(r.Tools, c.Tool) &&
		anyOverlap(r.Toolsets, c.Toolsets) &&
		anyEqual(r.Methods, c.Method) &&
		anyGlob(r.Hosts, c.Host) &&
		anyEqual(r.Effects, c.Effect) &&
		anyEqual(r.Risks, c.Risk) &&
		anyGlob(r.Principals, c.Principal)
}

func anyEqual(alternatives []string, v string) bool {
	return len(alternatives) == 0 || slices.Contains(alternatives, v)
}

func anyGlob(alternatives []string, v string) bool {
	return len(alternatives) == 0 || slices.ContainsFunc(alternatives, func(p string) bool { return glob(p, v) })
}

// glob reports whether v is pattern with each "*" replaced by some run of
// characters. It takes the earliest place for each literal, so its time is
// linear in v for every "*".
func glob(pattern, v string) bool {
	literals := strings.Split(pattern, "*")
	first, last := literals[0], literals[len(literals)-1]
	if len(literals) == 1 {
		return v == pattern
	}
	if len(v) < len(first)+len(last) || !strings.HasPrefix(v, first) || !strings.HasSuffix(v, last) {
		return false
	}
	v = v[len(first) : len(v)-len(last)]
	for _, l := range literals[1 : len(literals)-1] {
		i := strings.Index(v, l)
		if i < 0 {
			return false
		}
		v = v[i+len(l):]
	}
	return true
}

func anyOverlap(alternatives, vs []string) bool {
	return len(alternatives) == 0 || slices.ContainsFunc(alternatives, func(a string) bool { return slices.Contains(vs, a) })
}

// ErrInvalid is wrapped by every error of Validate.
var ErrInvalid = errors.New("invalid policy")

// Validate refuses a policy whose meaning would be a guess: unknown actions,
// effects, risks or methods, rules without a name, two rules of one name, and
// patterns that do not parse.
func (p Policy) Validate() error {
	if !slices.Contains([]Action{Deny, ConfirmFirst, Allow}, p.Default) {
		return fmt.Errorf("%w: default is %q, want deny, confirm or allow", ErrInvalid, p.Default)
	}
	seen := map[string]bool{}
	for i, r := range p.Rules {
		if r.Name == "" {
			return fmt.Errorf("%w: rule %d has no name", ErrInvalid, i+1)
		}
		if seen[r.Name] {
			return fmt.Errorf("%w: two rules are named %q", ErrInvalid, r.Name)
		}
		seen[r.Name] = true
		if err := r.validate(); err != nil {
			return fmt.Errorf("%w: rule %q: %w", ErrInvalid, r.Name, err)
		}
	}
	return nil
}

func (r Rule) validate() error {
	for _, c := range []struct {
		key    string
		values []string
		known  []string
	}{
		{"action", []string{string(r.Action)}, []string{"deny", "confirm", "allow"}},
		{"effects", r.Effects, []string{"read", "write", "destructive"}},
		{"risks", r.Risks, []string{"safe", "low", "medium", "high", "critical"}},
	} {
		for _, v := range c.values {
			if !slices.Contains(c.known, v) {
				return fmt.Errorf("%s: %q is none of %s", c.key, v, strings.Join(c.known, ", "))
			}
		}
	}
	for _, m := range r.Methods {
		if m == "" || m != strings.ToUpper(m) {
			return fmt.Errorf("methods: %q is not an upper-case HTTP method", m)
		}
	}
	for _, p := range slices.Concat(r.Tools, r.Hosts, r.Principals) {
		if p == "" || strings.ContainsAny(p, `?[]\`) {
			return fmt.Errorf("%q is not a pattern; \"*\" is the only special character", p)
		}
	}
	for _, h := range r.Hosts {
		if h != strings.ToLower(h) {
			return fmt.Errorf("hosts: %q never matches, because hosts are lower-case", h)
		}
	}
	if slices.Contains(r.Toolsets, "") {
		return errors.New("toolsets: a name is empty")
	}
	return nil
}

// Digest is the SHA-256 of p's RFC 8785 form, as "sha256:…".
func (p Policy) Digest() (string, error) { return canonical.Digest(p) }

// Default is the policy of a toolpack that names none: reads are allowed,
// everything that changes state is confirmed first, the rest is denied.
func Default() Policy {
	return Policy{Default: Deny, Rules: []Rule{
		{Name: "confirm_changes", Action: ConfirmFirst, Effects: []string{"write", "destructive"}},
		{Name: "allow_reads", Action: Allow, Effects: []string{"read"}},
	}}
}
