package compiler

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/tomallicino/caskmcp/internal/canonical"
	"github.com/tomallicino/caskmcp/schema"
	"github.com/tomallicino/caskmcp/surface"
)

// builder holds what tools of one surface share.
type builder struct {
	opt         Options
	credentials map[string]bool            // names of credential parameters
	auth        map[*endpoint][]authScheme // the main credential first
	refs        map[authScheme]string
	compiled    map[*endpoint]surface.Tool
	// returned and sent are the habits of successful responses and of requests.
	returned, sent schema.Habits
}

// compile compiles every endpoint from its evidence, and again those whose
// texts can say which tool of the surface returns their ids.
func (b *builder) compile(eps []*endpoint) error {
	b.compiled = make(map[*endpoint]surface.Tool, len(eps))
	if err := b.compileAll(eps); err != nil {
		return err
	}
	return b.compileAll(trace(eps, b.listed))
}

// listed reports whether an endpoint is in the surface, and its name there.
func (b *builder) listed(e *endpoint) (string, bool) {
	t := b.compiled[e]
	if o, _ := overrideOf(e, b.opt); o.Rename != "" {
		t.Name = o.Rename
	}
	chosen, _ := selected(t.Name, e.key, b.opt)
	within, _ := inScope(&t, b.opt)
	return t.Name, chosen && within
}

// compileAll compiles endpoints on all processors.
func (b *builder) compileAll(eps []*endpoint) error {
	tools := make([]surface.Tool, len(eps))
	errs := make([]error, len(eps))
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(eps)) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(eps); i = int(next.Add(1)) - 1 {
				tools[i], errs[i] = b.fresh(eps[i])
			}
		})
	}
	wg.Wait()
	for i, e := range eps {
		b.compiled[e] = tools[i]
	}
	return errors.Join(errs...)
}

// fresh compiles an endpoint from its evidence alone; only names are those
// that have been approved.
func (b *builder) fresh(e *endpoint) (surface.Tool, error) {
	var named *surface.Tool
	if e.prior != nil {
		named = e.prior.Tool
	}
	in := inputsOf(e, named, b.credentials, &b.sent)
	out, err := outputOf(e, &b.returned)
	if err != nil {
		return surface.Tool{}, fmt.Errorf("compiling the output of %s: %w", e.key.request(), err)
	}
	input, err := in.schemaDocument()
	if err != nil {
		return surface.Tool{}, fmt.Errorf("compiling the input of %s: %w", e.key.request(), err)
	}
	t := surface.Tool{
		Name: e.name, Title: titleOf(e.base), InputSchema: input, OutputSchema: out.doc,
		Effect: effectOf(e), Limits: surface.DefaultLimits, Auth: b.authBlock(e),
		Binding:  e.key.binding(),
		Evidence: &surface.Evidence{Captures: e.captures, Observations: e.exchanges()},
	}
	t.Binding.Path = in.path
	t.Binding.Arguments, t.Binding.Encoding, t.Binding.Fixed = in.bindings(), in.encoding, in.fixed
	t.Binding.Accept, t.Binding.Result = out.accept, out.result
	t.Annotations = annotationsOf(e.key.method, t.Effect)
	t.Redact = redactOf(t.OutputSchema)
	t.Description = descriptionOf(e, &t, &in, out)
	t.Risk, _ = AssessRisk(t)
	t.Confirm = confirmOf(t.Effect, t.Risk)
	t.Toolsets = toolsetsOf(&t)
	return t, nil
}

func (b *builder) authBlock(e *endpoint) *surface.Auth {
	sent := b.auth[e]
	if len(sent) == 0 {
		return nil
	}
	main := b.credential(e, sent[0])
	block := &surface.Auth{Ref: main.Ref, Kind: main.Kind, In: main.In, Name: main.Name, Scopes: main.Scopes, Optional: authOptional(e)}
	for _, s := range sent[1:] {
		block.Also = append(block.Also, b.credential(e, s))
	}
	slices.SortFunc(block.Also, func(a, b surface.Sent) int { return strings.Compare(a.Ref, b.Ref) })
	return block
}

func (b *builder) credential(e *endpoint, s authScheme) surface.Sent {
	return surface.Sent{Ref: b.refs[s], Kind: s.kind, In: s.in, Name: s.name, Scopes: declaredScopes(e, s.kind)}
}

// clone copies a tool so far that changing the copy leaves t alone.
func clone(t surface.Tool) surface.Tool {
	t.InputSchema = slices.Clone(t.InputSchema)
	t.OutputSchema = slices.Clone(t.OutputSchema)
	t.Binding.Arguments = slices.Clone(t.Binding.Arguments)
	t.Binding.Fixed = slices.Clone(t.Binding.Fixed)
	t.Redact = slices.Clone(t.Redact)
	t.Toolsets = slices.Clone(t.Toolsets)
	if t.Auth != nil {
		a := *t.Auth
		a.Also = slices.Clone(a.Also)
		t.Auth = &a
	}
	if t.Evidence != nil {
		ev := *t.Evidence
		t.Evidence = &ev
	}
	return t
}

// differing lists the top-level fields, by their JSON names, in which two
// definitions differ, sorted. Evidence is none.
func differing(a, b surface.Tool) ([]string, error) {
	var out []string
	left, right := reflect.ValueOf(a), reflect.ValueOf(b)
	for i := range left.NumField() {
		name, _, _ := strings.Cut(left.Type().Field(i).Tag.Get("json"), ",")
		x, y := left.Field(i).Interface(), right.Field(i).Interface()
		none := left.Field(i).Kind() == reflect.Slice && left.Field(i).Len() == 0 && right.Field(i).Len() == 0
		if name == "evidence" || none || reflect.DeepEqual(x, y) {
			continue
		}
		same, err := sameJSON(x, y)
		if err != nil {
			return nil, fmt.Errorf("comparing %s of tool %q: %w", name, a.Name, err)
		}
		if !same {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out, nil
}

// sameJSON reports whether two values have one RFC 8785 form.
func sameJSON(x, y any) (bool, error) {
	a, err := canonical.JSON(x)
	if err != nil {
		return false, err
	}
	b, err := canonical.JSON(y)
	return bytes.Equal(a, b), err
}
