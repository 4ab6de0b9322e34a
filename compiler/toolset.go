package compiler

import (
	"maps"
	"slices"
	"strings"

	"github.com/tomallicino/caskmcp/policy"
	"github.com/tomallicino/caskmcp/surface"
)

// defaultToolset is served where nobody chose another.
const defaultToolset = "readonly"

// builtinToolsets are the toolsets of every toolpack with their descriptions.
var builtinToolsets = map[string]string{
	"readonly":  "Tools that read and change nothing.",
	"operator":  "All tools.",
	"write_ops": "Tools that change or delete data.",
	"high_risk": "Tools of high and critical risk.",
}

// toolsetsOf are the built-in toolsets that a tool is a member of, sorted.
func toolsetsOf(t *surface.Tool) []string {
	out := []string{"operator"}
	if t.Effect == surface.Read {
		out = append(out, "readonly")
	} else {
		out = append(out, "write_ops")
	}
	if t.Risk.Rank() >= surface.High.Rank() {
		out = append(out, "high_risk")
	}
	slices.Sort(out)
	return out
}

// toolsets are the built-in ones and those of toolpack.yaml, which may also
// describe a built-in one otherwise, sorted by name.
func toolsets(opt Options) []surface.Toolset {
	byName := map[string]surface.Toolset{}
	chosen := slices.ContainsFunc(slices.Collect(maps.Values(opt.Toolsets)), func(t surface.Toolset) bool { return t.Default })
	for name, text := range builtinToolsets {
		byName[name] = surface.Toolset{Name: name, Description: text, Default: name == defaultToolset && !chosen}
	}
	for name, t := range opt.Toolsets {
		t.Name = name
		if t.Description == "" {
			t.Description = builtinToolsets[name]
		}
		byName[name] = t
	}
	return slices.SortedFunc(maps.Values(byName), func(a, b surface.Toolset) int { return strings.Compare(a.Name, b.Name) })
}

// serverOf is the server block: what toolpack.yaml says, and the credentials
// that the tools need. Private addresses and redirects stay forbidden unless
// toolpack.yaml allows them.
func serverOf(tools []surface.Tool, opt Options) surface.Server {
	s := opt.Server
	if s.Name == "" {
		s.Name = opt.Name
	}
	s.Credentials = credentialsOf(tools, opt)
	s.AllowPrivate = sortedSet(s.AllowPrivate)
	s.AllowRedirects = sortedSet(s.AllowRedirects)
	return s
}

func policyOf(opt Options) policy.Policy {
	if opt.Policy != nil {
		return *opt.Policy
	}
	return policy.Default()
}
