package capture

import (
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"
)

// Variable is a variable that a GraphQL operation defines (GraphQL October 2021
// section 2.10).
type Variable struct {
	Name string
	Type VariableType
	// Default says that the operation has a value for it.
	Default bool
}

// VariableType is a GraphQL type reference: a named type, or a list of another.
type VariableType struct {
	Name    string
	List    *VariableType
	NonNull bool
}

// String writes the type as GraphQL does: "[ID!]!".
func (t VariableType) String() string {
	text := t.Name
	if t.List != nil {
		text = "[" + t.List.String() + "]"
	}
	if t.NonNull {
		text += "!"
	}
	return text
}

// Variables returns what the operation of a document defines, in its order; name
// is empty for the first one. It reports whether there is such an operation.
func Variables(document, name string) ([]Variable, bool) {
	if len(document) > maxDocument {
		return nil, false
	}
	doc, err := parser.ParseQueryWithTokenLimit(&ast.Source{Input: document}, maxTokens)
	if err != nil || len(doc.Operations) == 0 {
		return nil, false
	}
	op := doc.Operations[0]
	if name != "" {
		if op = doc.Operations.ForName(name); op == nil {
			return nil, false
		}
	}
	var out []Variable
	for _, d := range op.VariableDefinitions {
		out = append(out, Variable{Name: d.Variable, Type: variableType(d.Type), Default: d.DefaultValue != nil})
	}
	return out, true
}

func variableType(t *ast.Type) VariableType {
	out := VariableType{Name: t.NamedType, NonNull: t.NonNull}
	if t.Elem != nil {
		elem := variableType(t.Elem)
		out.List = &elem
	}
	return out
}
