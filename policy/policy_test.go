package policy

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var order = Call{
	Tool: "create_order", Toolsets: []string{"operator", "write_ops"}, Method: "POST", Host: "api.example.com",
	Effect: "write", Risk: "medium", Principal: "https://issuer.example/alice",
}

func TestDecideDefault(t *testing.T) {
	require.Equal(t, Decision{Action: Deny}, Decide(Policy{}, order))
	require.Equal(t, Decision{Action: Deny}, Decide(Policy{Default: "maybe"}, order))
	require.Equal(t, Decision{Action: Allow}, Decide(Policy{Default: Allow}, order))
	require.False(t, Decision{}.Allowed())
	require.Equal(t, Decision{Action: ConfirmFirst, Rule: "confirm_changes"}, Decide(Default(), order))
	read := order
	read.Effect = "read"
	require.Equal(t, Decision{Action: Allow, Rule: "allow_reads"}, Decide(Default(), read))
	read.Effect = "unheard of"
	require.Equal(t, Decision{Action: Deny}, Decide(Default(), read))
	require.NoError(t, Default().Validate())
}

func TestDecideStrictestWinsInAnyOrder(t *testing.T) {
	rules := []Rule{
		{Name: "a", Action: Allow},
		{Name: "c", Action: ConfirmFirst},
		{Name: "d2", Action: Deny},
		{Name: "d1", Action: Deny},
	}
	for i := range rules {
		for j := range rules {
			p := Policy{Default: Allow, Rules: append([]Rule(nil), rules...)}
			p.Rules[i], p.Rules[j] = p.Rules[j], p.Rules[i]
			require.Equal(t, Decision{Action: Deny, Rule: "d1"}, Decide(p, order))
		}
	}
	require.Equal(t, Decision{Action: ConfirmFirst, Rule: "c"}, Decide(Policy{Default: Deny, Rules: rules[:2]}, order))
	require.Equal(t, Decision{Action: Deny, Rule: "x"}, Decide(Policy{Default: Allow, Rules: []Rule{{Name: "x", Action: "unheard of"}}}, order),
		"an action that is not known denies")
}

func TestPredicates(t *testing.T) {
	tests := []struct {
		name string
		rule Rule
		want bool
	}{
		{"empty", Rule{}, true},
		{"tool", Rule{Tools: []string{"create_order"}}, true},
		{"tool is no prefix", Rule{Tools: []string{"create"}}, false},
		{"tool glob", Rule{Tools: []string{"x", "*_order"}}, true},
		{"tool glob in the middle", Rule{Tools: []string{"c*e*o*r"}}, true},
		{"tool glob overlaps", Rule{Tools: []string{"create_order*r"}}, false},
		{"tool case", Rule{Tools: []string{"Create_order"}}, false},
		{"toolset", Rule{Toolsets: []string{"readonly", "operator"}}, true},
		{"other toolset", Rule{Toolsets: []string{"readonly"}}, false},
		{"toolset is no glob", Rule{Toolsets: []string{"*"}}, false},
		{"method", Rule{Methods: []string{"POST"}}, true},
		{"other method", Rule{Methods: []string{"GET"}}, false},
		{"host", Rule{Hosts: []string{"*.example.com"}}, true},
		{"other host", Rule{Hosts: []string{"*.example.org"}}, false},
		{"effect", Rule{Effects: []string{"write", "destructive"}}, true},
		{"risk", Rule{Risks: []string{"low"}}, false},
		{"principal crosses slashes", Rule{Principals: []string{"https://issuer.example*"}}, true},
		{"any principal", Rule{Principals: []string{"*"}}, true},
		{"all must match", Rule{Tools: []string{"*"}, Methods: []string{"GET"}}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.rule.Name, tt.rule.Action = "r", Deny
			got := Decide(Policy{Default: Allow, Rules: []Rule{tt.rule}}, order)
			require.Equal(t, tt.want, got.Action == Deny)
		})
	}
}

func TestValidate(t *testing.T) {
	tests := []struct {
		name   string
		policy Policy
		want   string
	}{
		{"empty", Policy{}, `default is ""`},
		{"default", Policy{Default: "maybe"}, `default is "maybe"`},
		{"no name", Policy{Default: Deny, Rules: []Rule{{Action: Allow}}}, "rule 1 has no name"},
		{"name twice", Policy{Default: Deny, Rules: []Rule{{Name: "a", Action: Allow}, {Name: "a", Action: Deny}}}, `two rules are named "a"`},
		{"no action", Policy{Default: Deny, Rules: []Rule{{Name: "a"}}}, `action: ""`},
		{"action", Policy{Default: Deny, Rules: []Rule{{Name: "a", Action: "ALLOW"}}}, `action: "ALLOW"`},
		{"effect", Policy{Default: Deny, Rules: []Rule{{Name: "a", Action: Allow, Effects: []string{"reads"}}}}, `effects: "reads"`},
		{"risk", Policy{Default: Deny, Rules: []Rule{{Name: "a", Action: Allow, Risks: []string{"none"}}}}, `risks: "none"`},
		{"method", Policy{Default: Deny, Rules: []Rule{{Name: "a", Action: Allow, Methods: []string{"get"}}}}, `methods: "get"`},
		{"pattern", Policy{Default: Deny, Rules: []Rule{{Name: "a", Action: Deny, Tools: []string{"[ab]*"}}}}, `"[ab]*" is not a pattern`},
		{"empty pattern", Policy{Default: Deny, Rules: []Rule{{Name: "a", Action: Deny, Principals: []string{""}}}}, `"" is not a pattern`},
		{"host", Policy{Default: Deny, Rules: []Rule{{Name: "a", Action: Deny, Hosts: []string{"API.example.com"}}}}, "lower-case"},
		{"toolset", Policy{Default: Deny, Rules: []Rule{{Name: "a", Action: Deny, Toolsets: []string{""}}}}, "toolsets"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.policy.Validate()
			require.ErrorIs(t, err, ErrInvalid)
			require.ErrorContains(t, err, tt.want)
		})
	}
}

// A pattern of many stars on a long value is answered at once, and glob agrees
// with the definition by recursion.
func FuzzGlob(f *testing.F) {
	f.Add("a*b", "acb")
	f.Add("**", "")
	f.Add("*a*a*a*b", strings.Repeat("a", 40))
	f.Fuzz(func(t *testing.T, pattern, v string) {
		if len(pattern) > 12 || len(v) > 24 {
			glob(pattern, v)
			return
		}
		require.Equal(t, slowGlob(pattern, v), glob(pattern, v), "%q %q", pattern, v)
	})
}

func slowGlob(pattern, v string) bool {
	switch {
	case pattern == "":
		return v == ""
	case pattern[0] == '*':
		return slowGlob(pattern[1:], v) || v != "" && slowGlob(pattern, v[1:])
	}
	return v != "" && pattern[0] == v[0] && slowGlob(pattern[1:], v[1:])
}

func BenchmarkDecide(b *testing.B) {
	p := Default()
	p.Rules = append(p.Rules, Rule{Name: "no_admin", Action: Deny, Tools: []string{"*admin*"}, Hosts: []string{"*.example.com"}})
	for b.Loop() {
		Decide(p, order)
	}
}
