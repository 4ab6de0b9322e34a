package gate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"github.com/tomallicino/caskmcp/internal/canonical"
	"github.com/tomallicino/caskmcp/surface"
)

// Bounds on the arguments of one call.
const (
	maxArguments = 1 << 20 // bytes
	maxDepth     = 64
	maxProblems  = 8 // problems told at once
)

// contract is a tool's schemas, compiled. The output schema is compiled when it
// is first needed, which halves the time a large surface takes to start; it is
// needed before anything is sent.
type contract struct {
	input  *jsonschema.Schema
	output func() (*jsonschema.Schema, error) // nil without an outputSchema
}

// newContract compiles the inputSchema of t. Nothing outside the definition is
// ever loaded: a reference to another document is an error, and so is a
// keyword that cannot be enforced.
func newContract(t surface.Tool) (*contract, error) {
	c := &contract{}
	var err error
	if c.input, err = compile(t.InputSchema); err != nil {
		return nil, fmt.Errorf("compiling inputSchema: %w", err)
	}
	if c.input.Types == nil || !slices.Equal(c.input.Types.ToStrings(), []string{"object"}) {
		return nil, errors.New(`compiling inputSchema: its type is not "object"`)
	}
	if len(t.OutputSchema) > 0 {
		c.output = sync.OnceValues(func() (*jsonschema.Schema, error) { return compile(t.OutputSchema) })
	}
	return c, nil
}

type noLoader struct{}

func (noLoader) Load(url string) (any, error) {
	return nil, fmt.Errorf("%s is outside the definition", url)
}

const schemaURL = "schema:/"

func compile(doc json.RawMessage) (*jsonschema.Schema, error) {
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(doc))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.UseLoader(noLoader{})
	if err := c.AddResource(schemaURL, v); err != nil {
		return nil, err
	}
	return c.Compile(schemaURL)
}

// arguments reads, bounds and validates the arguments of a call. It returns
// them decoded, numbers as json.Number, with their RFC 8785 form. The decoded
// values are those of the canonical form, so what is digested is what is sent.
// No arguments at all, and null, which several clients send for them, are {}.
func (c *contract) arguments(raw json.RawMessage) (map[string]any, []byte, error) {
	if given := bytes.TrimSpace(raw); len(given) == 0 || string(given) == "null" {
		raw = json.RawMessage("{}")
	}
	if len(raw) > maxArguments {
		return nil, nil, fmt.Errorf("the arguments are larger than %d bytes", maxArguments)
	}
	if err := checkNesting(raw); err != nil {
		return nil, nil, err
	}
	doc, err := canonical.Transform(raw)
	switch {
	case errors.Is(err, canonical.ErrUnsafeNumber):
		return nil, nil, fmt.Errorf("a number is too large to be exact (beyond 2^53); give it as a string where the argument allows one: %w", err)
	case err != nil:
		return nil, nil, fmt.Errorf("the arguments are not unambiguous JSON: %w", err)
	}
	dec := json.NewDecoder(bytes.NewReader(doc))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, nil, fmt.Errorf("the arguments are not JSON: %w", err)
	}
	args, ok := v.(map[string]any)
	if !ok {
		return nil, nil, errors.New("the arguments are not an object")
	}
	if err := c.input.Validate(args); err != nil {
		return nil, nil, errors.New(problems("argument", err))
	}
	return args, doc, nil
}

// conformance is the check of structured content against the outputSchema, nil
// where there is none.
func (c *contract) conformance() (func(v any) error, error) {
	if c.output == nil {
		return nil, nil
	}
	output, err := c.output()
	if err != nil {
		return nil, fmt.Errorf("compiling outputSchema: %w", err)
	}
	return func(v any) error {
		if err := output.Validate(v); err != nil {
			return errors.New(problems("field", err))
		}
		return nil
	}, nil
}

// checkNesting bounds the depth before anything recursive reads the document.
func checkNesting(doc []byte) error {
	depth, quoted := 0, false
	for i := 0; i < len(doc); i++ {
		switch c := doc[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return fmt.Errorf("the arguments are nested deeper than %d levels", maxDepth)
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return nil
}

var english = message.NewPrinter(language.English)

// problems writes a validation error as one sentence for each leaf:
// `argument "filter.ids[2]": got string, want integer`.
func problems(noun string, err error) string {
	var v *jsonschema.ValidationError
	if !errors.As(err, &v) {
		return err.Error()
	}
	var all []string
	collect(v, func(leaf *jsonschema.ValidationError) { all = append(all, problem(noun, leaf)...) })
	slices.Sort(all)
	all = slices.Compact(all)
	if more := len(all) - maxProblems; more > 0 {
		all = append(all[:maxProblems], fmt.Sprintf("%d more problems", more))
	}
	return strings.Join(all, "; ")
}

func collect(v *jsonschema.ValidationError, yield func(*jsonschema.ValidationError)) {
	if len(v.Causes) == 0 {
		yield(v)
		return
	}
	for _, c := range v.Causes {
		collect(c, yield)
	}
}

func problem(noun string, v *jsonschema.ValidationError) []string {
	each := func(names []string, what string) []string {
		var out []string
		for _, n := range names {
			out = append(out, fmt.Sprintf("%s %q %s", noun, place(append(slices.Clone(v.InstanceLocation), n)), what))
		}
		return out
	}
	switch k := v.ErrorKind.(type) {
	case *kind.Required:
		return each(k.Missing, "is required")
	case *kind.AdditionalProperties:
		return each(k.Properties, "is not known")
	case *kind.FalseSchema:
		return []string{fmt.Sprintf("%s %q is not allowed", noun, place(v.InstanceLocation))}
	}
	text := shorten(v.ErrorKind.LocalizedString(english))
	if len(v.InstanceLocation) == 0 {
		return []string{text}
	}
	return []string{fmt.Sprintf("%s %q: %s", noun, place(v.InstanceLocation), text)}
}

// place writes an instance location as people write it: filter.ids[2].
func place(location []string) string {
	var b strings.Builder
	for i, part := range location {
		switch {
		case i > 0 && strings.Trim(part, "0123456789") == "":
			b.WriteString("[" + part + "]")
		case i > 0:
			b.WriteString("." + part)
		default:
			b.WriteString(part)
		}
	}
	return shorten(b.String())
}

func shorten(s string) string {
	const most = 200
	if rs := []rune(s); len(rs) > most {
		return string(rs[:most]) + "…"
	}
	return s
}
