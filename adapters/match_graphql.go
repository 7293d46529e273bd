package adapters

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/byline-proxy/byline/adapters/internal/text"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"
)

// graphqlRule is a compiled GraphQLSpec.
type graphqlRule struct {
	types     []string
	fields    []pattern
	arguments []cond
}

// graphqlParams are where a GET holds a GraphQL request; in a POST they are ambiguous.
var graphqlParams = []string{"query", "operationName", "variables"}

// maxGraphQLTokens bounds a document.
const maxGraphQLTokens = 10_000

// compileGraphQL is nil when the action has no graphql.
func compileGraphQL(spec *GraphQLSpec, arguments []cond) (*graphqlRule, error) {
	if len(spec.Type)+len(spec.Field)+len(spec.Argument) == 0 {
		return nil, nil
	}
	g := &graphqlRule{types: spec.Type, arguments: arguments}
	for _, t := range spec.Type {
		if !slices.Contains([]string{"query", "mutation", "subscription"}, t) {
			return nil, fmt.Errorf("graphql.type %q is none of query, mutation and subscription", t)
		}
	}
	if len(spec.Type) == 0 || len(spec.Field) == 0 {
		return nil, fmt.Errorf("graphql needs type and field: without them it would allow any operation")
	}
	for _, text := range spec.Field {
		p, err := compilePattern(text, &slots{}, false)
		if err != nil {
			return nil, err
		}
		g.fields = append(g.fields, p)
	}
	return g, nil
}

// graphqlCall is one operation that would be run.
type graphqlCall struct {
	operation *ast.OperationDefinition
	fields    []*ast.Field // at the top, fragments resolved
	variables map[string]any
}

// match: every call, and every field at the top of it, is what the rule says.
func (g *graphqlRule) match(r *reading, batch bool, bound *[maxSlots]string) verdict {
	if !r.readGraphQL() {
		return unsure
	}
	if _, list := r.json.([]any); list && !batch {
		return differs
	}
	for i := range r.graphql {
		call := &r.graphql[i]
		if !slices.Contains(g.types, string(call.operation.Operation)) {
			return differs
		}
		for _, f := range call.fields {
			if v := g.matchField(call, f, bound); v != matches {
				return v
			}
		}
	}
	return matches
}

func (g *graphqlRule) matchField(call *graphqlCall, f *ast.Field, bound *[maxSlots]string) verdict {
	if f.Name == "__typename" {
		return matches
	}
	var none [maxSlots]string
	if !slices.ContainsFunc(g.fields, func(p pattern) bool { return p.match(f.Name, &none) }) {
		return differs
	}
	for i := range g.arguments {
		if v := g.arguments[i].fits(call.argument(f, g.arguments[i].key), bound); v != matches {
			return v
		}
	}
	return matches
}

// readGraphQL parses all calls of the request, once.
func (r *reading) readGraphQL() bool {
	if r.graphState == 0 {
		r.graphState = 2
		if r.parseGraphQL() {
			r.graphState = 1
		}
	}
	return r.graphState == 1
}

func (r *reading) parseGraphQL() bool {
	var inQuery bool
	for _, name := range graphqlParams {
		inQuery = inQuery || r.queryValue(name).state != absent
	}
	if len(r.q.Body) == 0 && !r.q.Truncated {
		return inQuery && r.graphqlInQuery()
	}
	if inQuery || r.q.Truncated || r.coded {
		return false
	}
	if media, ok := r.mediaType(); ok && media == "application/graphql" {
		return r.addGraphQL(string(r.q.Body), "", nil)
	}
	if !r.readJSON() {
		return false
	}
	for _, call := range r.calls(true) {
		if !r.addGraphQLCall(call) {
			return false
		}
	}
	return true
}

func (r *reading) graphqlInQuery() bool {
	document, name := r.queryValue("query"), r.queryValue("operationName")
	variables := map[string]any{}
	if v := r.queryValue("variables"); v.state == doubtful {
		return false
	} else if v.text != "" {
		dec := json.NewDecoder(bytes.NewReader([]byte(v.text)))
		dec.UseNumber()
		parsed, ok := strictJSON(dec, 0)
		if variables, _ = parsed.(map[string]any); !ok || variables == nil {
			return false
		}
	}
	return document.state == present && name.state != doubtful && r.addGraphQL(document.text, name.text, variables)
}

// addGraphQLCall takes the members of a request that servers agree on, and no others: some would run a stored document.
func (r *reading) addGraphQLCall(call any) bool {
	object, ok := call.(map[string]any)
	if !ok {
		return false
	}
	for key := range object {
		if key != "query" && key != "operationName" && key != "variables" && key != "extensions" {
			return false
		}
	}
	document, ok := object["query"].(string)
	name, named := object["operationName"].(string)
	variables, has := object["variables"].(map[string]any)
	if !ok || !named && object["operationName"] != nil || !has && object["variables"] != nil {
		return false
	}
	return r.addGraphQL(document, name, variables)
}

func (r *reading) addGraphQL(document, name string, variables map[string]any) bool {
	doc, err := parser.ParseQueryWithTokenLimit(&ast.Source{Input: document}, maxGraphQLTokens)
	if err != nil {
		return false
	}
	call := graphqlCall{variables: variables}
	for _, op := range doc.Operations {
		if name == "" && len(doc.Operations) > 1 || op.Name == name && name != "" && call.operation != nil {
			return false // which one is run cannot be told
		}
		if name == "" || op.Name == name {
			call.operation = op
		}
	}
	if call.operation == nil || !call.collect(doc, call.operation.SelectionSet, 0) {
		return false
	}
	r.graphql = append(r.graphql, call)
	return true
}

// collect gathers the fields at the top, through fragments.
func (c *graphqlCall) collect(doc *ast.QueryDocument, set ast.SelectionSet, depth int) bool {
	if depth > 16 {
		return false
	}
	for _, s := range set {
		switch s := s.(type) {
		case *ast.Field:
			c.fields = append(c.fields, s)
		case *ast.InlineFragment:
			if !c.collect(doc, s.SelectionSet, depth+1) {
				return false
			}
		case *ast.FragmentSpread:
			f := doc.Fragments.ForName(s.Name)
			if f == nil || !c.collect(doc, f.SelectionSet, depth+1) {
				return false
			}
		}
		if len(c.fields) > 100 {
			return false
		}
	}
	return len(c.fields) > 0
}

// argument is the value of one argument; a variable is its value, or its default.
func (c *graphqlCall) argument(f *ast.Field, pointer string) field {
	name, rest, deeper := strings.Cut(pointer, ".")
	var found *ast.Value
	for _, a := range f.Arguments {
		if a.Name == name {
			if found != nil {
				return field{state: doubtful}
			}
			found = a.Value
		}
	}
	return c.valueAt(found, rest, deeper)
}

func (c *graphqlCall) valueAt(v *ast.Value, pointer string, deeper bool) field {
	if v == nil || v.Kind == ast.NullValue {
		return field{}
	}
	if v.Kind == ast.Variable {
		if given, ok := c.variables[v.Raw]; ok {
			if !deeper {
				return jsonAt(map[string]any{"v": given}, "v")
			}
			return jsonAt(given, pointer)
		}
		for _, d := range c.operation.VariableDefinitions {
			if d.Variable == v.Raw && d.DefaultValue != nil && d.DefaultValue.Kind != ast.Variable {
				return c.valueAt(d.DefaultValue, pointer, deeper)
			}
		}
		return field{}
	}
	if !deeper {
		if v.Kind == ast.ListValue || v.Kind == ast.ObjectValue || !text.IsClear(v.Raw) {
			return field{state: doubtful}
		}
		return field{text: v.Raw, state: present}
	}
	if v.Kind != ast.ObjectValue {
		return field{state: doubtful}
	}
	name, rest, more := strings.Cut(pointer, ".")
	var found *ast.Value
	for _, kid := range v.Children {
		if kid.Name == name {
			if found != nil {
				return field{state: doubtful}
			}
			found = kid.Value
		}
	}
	return c.valueAt(found, rest, more)
}
