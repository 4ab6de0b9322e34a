package plan

import (
	"slices"
	"strings"

	"github.com/tomallicino/caskmcp/surface"
)

// explainServer gives the reasons of a change of the server block.
func explainServer(before, after surface.Server, fields []Field) []Reason {
	r := &reasons{}
	text := func(f Field) {
		r.block("text.changed", "server %s changed from %s to %s", strings.TrimPrefix(f.Path, "/"), value(f.Before), value(f.After))
	}
	r.explainFields(fields, []rule{
		{prefix: "/name", explain: text},
		{prefix: "/instructions", explain: text},
		{prefix: "/credentials", once: true, explain: func(Field) { r.credentials(before.Credentials, after.Credentials) }},
		{prefix: "/allow_private", explain: func(Field) {
			r.network("reach private addresses", before.AllowPrivate, after.AllowPrivate)
		}},
		{prefix: "/allow_redirects", explain: func(Field) {
			r.network("follow redirects to", before.AllowRedirects, after.AllowRedirects)
		}},
	})
	if before.Instructions != after.Instructions {
		r.lint("server instructions", before.Instructions, after.Instructions)
	}
	return r.sorted()
}

// newServer gives the reasons of the first server block.
func newServer(s surface.Server) []Reason {
	r := &reasons{}
	r.review("server.added", "the server block is not approved yet: %s", quote(s.Name))
	if s.Instructions != "" {
		r.review("text.added", "its instructions are text that agents read: %s", quote(s.Instructions))
	}
	r.credentials(nil, s.Credentials)
	r.network("reach private addresses", nil, s.AllowPrivate)
	r.network("follow redirects to", nil, s.AllowRedirects)
	r.lint("server instructions", "", s.Instructions)
	return r.sorted()
}

func (r *reasons) credentials(before, after []surface.Credential) {
	for _, a := range after {
		i := slices.IndexFunc(before, func(b surface.Credential) bool { return b.Ref == a.Ref })
		if i < 0 {
			r.block("credential.added", "the credential %s is read from %s and sent to %s", quote(a.Ref), quote(a.Env), quoteAll(a.Hosts))
			continue
		}
		b := before[i]
		if b.Env != a.Env {
			r.block("credential.rebound", "the credential %s is read from %s; it was read from %s", quote(a.Ref), quote(a.Env), quote(b.Env))
		}
		if more := gained(b.Hosts, a.Hosts); len(more) > 0 {
			r.block("credential.rebound", "the credential %s may be sent to %s", quote(a.Ref), quoteAll(more))
		}
		if fewer := gained(a.Hosts, b.Hosts); len(fewer) > 0 {
			r.review("credential.narrowed", "the credential %s is no longer sent to %s", quote(a.Ref), quoteAll(fewer))
		}
	}
	for _, b := range before {
		if !slices.ContainsFunc(after, func(a surface.Credential) bool { return a.Ref == b.Ref }) {
			r.review("credential.removed", "the credential %s is gone", quote(b.Ref))
		}
	}
}

func (r *reasons) network(what string, before, after []string) {
	if more := gained(before, after); len(more) > 0 {
		r.block("network.widened", "calls may %s %s", what, quoteAll(more))
	}
	if fewer := gained(after, before); len(fewer) > 0 {
		r.review("network.narrowed", "calls may no longer %s %s", what, quoteAll(fewer))
	}
}

// explainToolset gives the reasons of a change of a toolset; before and after
// are nil where there is none.
func explainToolset(before, after *surface.Toolset, fields []Field) []Reason {
	r := &reasons{}
	switch {
	case before == nil:
		r.review("toolset.added", "new toolset: %s", quote(after.Description))
		if after.Default {
			r.block("toolset.widened", "agents that ask for no toolset get this one")
		}
		r.lint("toolset description", "", after.Description)
	case after == nil:
		r.review("toolset.removed", "the toolset is gone; it was %s", quote(before.Description))
		if before.Default {
			r.block("toolset.default_changed", "agents that ask for no toolset got this one")
		}
	default:
		r.explainFields(fields, []rule{
			{prefix: "/description", explain: func(f Field) {
				r.block("text.changed", "toolset description changed from %s to %s", value(f.Before), value(f.After))
				r.lint("toolset description", before.Description, after.Description)
			}},
			{prefix: "/default", explain: func(Field) {
				if after.Default {
					r.block("toolset.widened", "agents that ask for no toolset get this one now")
				} else {
					r.block("toolset.default_changed", "agents that ask for no toolset no longer get this one")
				}
			}},
		})
	}
	return r.sorted()
}
