package adapters

import (
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"

	"github.com/byline-proxy/byline/adapters/internal/body"
	"github.com/byline-proxy/byline/adapters/internal/credential"
)

// form judges the fields of a form.
func (j *judge) form(fields []body.Pair) {
	hasState := false
	for i := range fields {
		hasState = hasState || strings.EqualFold(fields[i].Name, "state")
	}
	for i := range fields {
		f := &fields[i]
		before := len(j.out.Credentials)
		j.pair(f.Name, f.Value)
		j.document(f.Name, f.Value)

		isCode := hasState && strings.EqualFold(f.Name, "code") && credential.IsShortCode(f.Value)
		if isCode && len(j.out.Credentials) == before && !j.passes(f.Name) {
			j.found(f.Name, f.Value)
		}
	}
}

// document judges the arguments in a GraphQL document: agents may write values there rather than into variables.
func (j *judge) document(name, value string) {
	if !isDocumentName(name) || j.passes(name) {
		return
	}
	walkGraphQL(value, func(name, value string) {
		if variable, isVariable := strings.CutPrefix(value, "$"); isVariable {
			if _, isReplaced := j.adapter.spec.Login.JSON["variables."+variable]; isReplaced {
				return
			}
		}
		j.pair(name, value)
	})
}

// isDocumentName reports whether a field or a parameter may hold a GraphQL document.
func isDocumentName(name string) bool { return name == "query" || name == "mutation" }

// walkGraphQL calls yield for the arguments of a GraphQL document, at all depths. One that takes its value from a variable
// has the variable's name after $ for a value: agents choose the names of variables. A text that is not such a document
// has no arguments.
func walkGraphQL(document string, yield func(name, value string)) {
	if !strings.ContainsRune(document, '{') || !strings.ContainsRune(document, ':') {
		return
	}
	doc, err := parser.ParseQueryWithTokenLimit(&ast.Source{Input: document}, maxGraphQLTokens)
	if err != nil {
		return
	}

	for _, operation := range doc.Operations {
		for _, variable := range operation.VariableDefinitions {
			yieldGraphQL(variable.Variable, variable.DefaultValue, yield)
		}
		walkDirectives(operation.Directives, yield)
		walkSelection(operation.SelectionSet, 0, yield)
	}
	for _, fragment := range doc.Fragments {
		walkDirectives(fragment.Directives, yield)
		walkSelection(fragment.SelectionSet, 0, yield)
	}
}

// maxSelectionDepth bounds selections within one another that are walked.
const maxSelectionDepth = 64

func walkSelection(set ast.SelectionSet, depth int, yield func(name, value string)) {
	if depth > maxSelectionDepth {
		return
	}
	for _, selected := range set {
		switch selected := selected.(type) {
		case *ast.Field:
			walkArguments(selected.Arguments, yield)
			walkDirectives(selected.Directives, yield)
			walkSelection(selected.SelectionSet, depth+1, yield)
		case *ast.InlineFragment:
			walkDirectives(selected.Directives, yield)
			walkSelection(selected.SelectionSet, depth+1, yield)
		case *ast.FragmentSpread:
			walkDirectives(selected.Directives, yield)
		}
	}
}

func walkDirectives(directives ast.DirectiveList, yield func(name, value string)) {
	for _, d := range directives {
		walkArguments(d.Arguments, yield)
	}
}

func walkArguments(arguments ast.ArgumentList, yield func(name, value string)) {
	for _, a := range arguments {
		yieldGraphQL(a.Name, a.Value, yield)
	}
}

// yieldGraphQL calls yield for a value and what is in it.
func yieldGraphQL(name string, v *ast.Value, yield func(name, value string)) {
	if v == nil {
		return
	}
	switch v.Kind {
	case ast.NullValue, ast.BooleanValue:
	case ast.Variable:
		yield(name, "$"+v.Raw)
	case ast.ObjectValue, ast.ListValue:
		for _, child := range v.Children {
			inner := name
			if child.Name != "" {
				inner = child.Name
			}
			yieldGraphQL(inner, child.Value, yield)
		}
	default:
		yield(name, v.Raw)
	}
}
