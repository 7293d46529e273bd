package adapters

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"

	"github.com/byline-proxy/byline/adapters/internal/body"
	"github.com/byline-proxy/byline/adapters/internal/text"
)

// graphqlTest is a compiled GraphQLSpec.
type graphqlTest struct {
	types     []string
	fields    []pattern
	arguments []valueTest
	stored    []pattern // names of documents that the application has

	readsAnyQuery bool // only does not say which parameters may come
}

// The conditions of a graphqlTest: the index of an outcome inGraphQL.
const (
	graphqlType = iota
	graphqlField
	graphqlArguments // the first argument
)

// graphqlParams are where a GET request has the parts of a GraphQL request. In a POST request they are ambiguous.
var graphqlParams = []string{"query", "operationName", "variables", "extensions"}

// doubtParam is about a parameter next to a GraphQL document, by which some servers run another one.
const doubtParam = "is a parameter that no action names, next to a GraphQL document"

// graphQLType is the media type of a body that is a GraphQL document.
const graphQLType = "application/graphql"

// Bounds of a GraphQL request.
const (
	maxGraphQLTokens = 10_000
	maxGraphQLFields = 100 // at the top of one operation
	maxGraphQLDepth  = 16  // of fragments
)

// compileGraphQL returns nil for an action without graphql.
func compileGraphQL(spec *GraphQLSpec, arguments []valueTest) (*graphqlTest, error) {
	if len(spec.Type)+len(spec.Field)+len(spec.Argument)+len(spec.Stored) == 0 {
		return nil, nil
	}

	g := &graphqlTest{types: spec.Type, arguments: arguments}
	for _, t := range spec.Type {
		if !slices.Contains([]string{"query", "mutation", "subscription"}, t) {
			return nil, fmt.Errorf("graphql.type %q is none of query, mutation and subscription", t)
		}
	}
	if (len(spec.Type) == 0 || len(spec.Field) == 0) && (len(spec.Stored) == 0 || len(spec.Type)+len(spec.Field)+len(spec.Argument) > 0) {
		return nil, errors.New("graphql needs type and field: without them it would allow any operation")
	}
	for _, text := range spec.Field {
		p, err := compilePattern(text, &variables{}, false)
		if err != nil {
			return nil, err
		}
		g.fields = append(g.fields, p)
	}
	for _, text := range spec.Stored {
		p, err := compilePattern(text, &variables{}, false)
		if err != nil {
			return nil, err
		}
		if p.isTrivial() && !p.plain {
			return nil, fmt.Errorf("%q in graphql.stored would allow any document", text)
		}
		g.stored = append(g.stored, p)
	}
	return g, nil
}

// key names the condition at an index of an outcome.
func (g *graphqlTest) key(index int) string {
	switch index {
	case graphqlType:
		return "type"
	case graphqlField:
		return "field"
	}
	return "argument " + g.arguments[index-graphqlArguments].key
}

// match reports whether every call, and every field at the top of it, is what the test says.
func (g *graphqlTest) match(r *request, batch bool, b *bindings) outcome {
	if !r.readGraphQL() {
		return outcome{verdict: unsure, place: inBody}
	}
	if r.json.Root().Kind() == body.JSONArray && !batch {
		return outcome{verdict: differs, place: inGraphQL, index: graphqlType}
	}

	if g.readsAnyQuery {
		for i := range r.params[:r.queryPairs] {
			name := r.params[i].Name
			isKnown := r.rules.declared[name]
			if slices.Contains(storedNames, name) {
				isKnown = !r.hasBody() // then it was read
			}
			if !isKnown {
				r.doubt = doubt{why: doubtParam, name: name}
				return outcome{verdict: unsure, place: inBody}
			}
		}
	}

	for i := range r.graphql {
		call := &r.graphql[i]
		if call.operation == nil {
			var none bindings
			if !slices.ContainsFunc(g.stored, func(p pattern) bool { return p.match(call.stored, &none) }) {
				return outcome{verdict: differs, place: inGraphQL, index: graphqlType}
			}
			continue
		}
		if !slices.Contains(g.types, string(call.operation.Operation)) {
			return outcome{verdict: differs, place: inGraphQL, index: graphqlType}
		}
		for _, f := range call.fields {
			if o := g.matchField(r, call, f, b); o.verdict != matches {
				return o
			}
		}
	}
	return outcome{verdict: matches}
}

func (g *graphqlTest) matchField(r *request, call *graphqlCall, f *ast.Field, b *bindings) outcome {
	if f.Name == "__typename" {
		return outcome{verdict: matches}
	}

	var none bindings
	if !slices.ContainsFunc(g.fields, func(p pattern) bool { return p.match(f.Name, &none) }) {
		return outcome{verdict: differs, place: inGraphQL, index: graphqlField}
	}
	for i := range g.arguments {
		t := &g.arguments[i]
		if v := t.fits(call.argument(f, t.key), b, &r.effort); v != matches {
			return outcome{verdict: v, place: inGraphQL, index: graphqlArguments + i}
		}
	}
	return outcome{verdict: matches}
}

// graphqlCall is one operation that would be run.
type graphqlCall struct {
	operation *ast.OperationDefinition // nil for a stored document
	stored    string                   // by what the application is to look the document up
	fields    []*ast.Field             // at the top, fragments resolved
	variables body.Value
}

// readGraphQL parses all calls of the request, once.
func (r *request) readGraphQL() bool {
	return r.graphState.parse(func() bool {
		if !r.parseGraphQL() {
			if r.doubt.why == "" {
				r.doubtBody(doubtSyntax)
			}
			return false
		}
		return true
	})
}

// parseGraphQL is false for a request that has a document in the query and in the body.
func (r *request) parseGraphQL() bool {
	var inQuery bool
	for _, name := range graphqlParams {
		inQuery = inQuery || r.queryValue(name).state != absent
	}
	if !r.hasBody() {
		return r.parseGraphQLQuery()
	}
	if inQuery || !r.bodyReadable() {
		return false
	}

	if media, ok := r.mediaType(); ok && media == graphQLType {
		return r.parseGraphQLText()
	}
	if !r.readJSON() || !r.rewriteGraphQL() {
		return false
	}
	for _, call := range r.calls(true) {
		call, clear := r.graphQLCallIn(call)
		if !clear || !r.addGraphQLCall(call) {
			return false
		}
	}
	return true
}

// parseGraphQLText reads a body that is one document.
func (r *request) parseGraphQLText() bool {
	document := strings.TrimPrefix(string(r.q.Body), "\ufeff")
	if !utf8.ValidString(document) {
		return false
	}
	if !isClearDocument(document) {
		return r.doubtBody(doubtDocument)
	}
	var ok bool
	r.document, ok = canonicalDocument(document)
	return ok && r.addGraphQL(r.document, "", body.Value{})
}

// parseGraphQLQuery reads the request that the query of a GET request has, as a call in JSON, and gives the document its
// canonical spelling.
func (r *request) parseGraphQLQuery() bool {
	var text []byte
	for _, name := range slices.Concat(graphqlParams, storedNames) {
		value, ok := onlyParam(r.params, name)
		if !ok {
			return false
		}
		if value == "" {
			continue
		}
		text = append(text, ',')
		text = append(body.AppendJSONString(text, name), ':')
		if name != "variables" && name != "extensions" {
			text = body.AppendJSONString(text, value)
			continue
		}
		var encoded body.JSON
		if err := encoded.Parse([]byte(value), body.JSONOptions{MaxValues: maxJSONValues}); err != nil {
			return r.doubtError(err)
		}
		text = append(text, encoded.Bytes()...)
	}
	if len(text) == 0 {
		return false
	}
	text[0] = '{'
	text = append(text, '}')

	if err := r.json.Parse(text, body.JSONOptions{MaxValues: maxJSONValues}); err != nil {
		return r.doubtError(err)
	}
	if !r.rewriteGraphQL() {
		return false
	}
	call := r.json.Root()
	for i := range r.params {
		p := &r.params[i]
		switch {
		case p.Value == "":
		case p.Name == "query":
			p.Value = call.Get("query").Text()
		case p.Name == "variables" || p.Name == "extensions":
			p.Value = string(call.Get(p.Name).Raw())
		}
	}
	return r.addGraphQLCall(call)
}

// onlyParam is the value of a parameter, which may have lines. It is not ok if it comes twice, or is not UTF-8.
func onlyParam(params []body.Pair, name string) (text string, ok bool) {
	found := false
	for i := range params {
		if params[i].Name != name {
			continue
		}
		if found || !utf8.ValidString(params[i].Value) {
			return "", false
		}
		text, found = params[i].Value, true
	}
	return text, true
}

// addGraphQLCall reads a request in a JSON body. It takes the members that all servers agree on, and no others: with
// another one some servers would run a stored document.
func (r *request) addGraphQLCall(call body.Value) bool {
	if call.Kind() != body.JSONObject {
		return false
	}
	document := call.Get("query")
	isStored := r.rules.storedGraphQL && (isNothing(document) || document.Text() == "" && document.Kind() == body.JSONString)
	for key := range call.Members() {
		if !slices.Contains(graphqlParams, key) && !(isStored && slices.Contains(storedNames, key)) {
			return false
		}
	}

	name := call.Get("operationName")
	variables := call.Get("variables")
	if name.Kind() != body.JSONString && !isNothing(name) {
		return false
	}
	if variables.Kind() != body.JSONObject && !isNothing(variables) || !r.checkExtensions(call.Get("extensions")) {
		return false
	}
	if isStored {
		id, ok := storedDocument(call)
		r.graphql = append(r.graphql, graphqlCall{stored: id})
		return ok
	}

	if document.Kind() != body.JSONString {
		return false
	}
	nameText := ""
	if !isNothing(name) {
		nameText = name.Text()
	}
	return r.addGraphQL(document.Text(), nameText, variables)
}

// addGraphQL adds the operation of a document that would be run: the named one, or the only one.
func (r *request) addGraphQL(document, name string, variables body.Value) bool {
	if !isClearDocument(document) {
		return r.doubtBody(doubtDocument)
	}
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
	if call.operation == nil || !call.collectFields(doc, call.operation.SelectionSet, 0) {
		return false
	}
	r.graphql = append(r.graphql, call)
	return true
}

// doubtDocument is about a GraphQL document in which servers may find the end of a comment at different characters.
const doubtDocument = "the GraphQL document has invisible characters or line ends other than LF and CR: send such texts as variables"

func isClearDocument(document string) bool {
	for _, c := range document {
		switch {
		case c == '\n' || c == '\r' || c == '\t':
		case unicode.IsControl(c) || unicode.In(c, unicode.Cf, unicode.Zl, unicode.Zp):
			return false
		}
	}
	return true
}

// collectFields adds the fields at the top of a selection, through fragments.
func (c *graphqlCall) collectFields(doc *ast.QueryDocument, set ast.SelectionSet, depth int) bool {
	if depth > maxGraphQLDepth {
		return false
	}

	for _, s := range set {
		switch s := s.(type) {
		case *ast.Field:
			c.fields = append(c.fields, s)
		case *ast.InlineFragment:
			if !c.collectFields(doc, s.SelectionSet, depth+1) {
				return false
			}
		case *ast.FragmentSpread:
			f := doc.Fragments.ForName(s.Name)
			if f == nil || !c.collectFields(doc, f.SelectionSet, depth+1) {
				return false
			}
		}
		if len(c.fields) > maxGraphQLFields {
			return false
		}
	}
	return len(c.fields) > 0
}

// argument is the value at a dotted pointer into the arguments of a field. A variable is its value, or its default.
func (c *graphqlCall) argument(f *ast.Field, pointer string) value {
	name, rest, deeper := strings.Cut(pointer, ".")
	var found *ast.Value
	for _, a := range f.Arguments {
		if a.Name != name {
			continue
		}
		if found != nil {
			return value{state: doubtful}
		}
		found = a.Value
	}
	return c.valueAt(found, rest, deeper)
}

// valueAt is the value at a pointer below v, or v itself if deeper is false.
func (c *graphqlCall) valueAt(v *ast.Value, pointer string, deeper bool) value {
	if v == nil || v.Kind == ast.NullValue {
		return value{}
	}
	if v.Kind == ast.Variable {
		return c.variableAt(v.Raw, pointer, deeper)
	}
	if !deeper {
		if v.Kind == ast.ListValue || v.Kind == ast.ObjectValue || !text.IsClear(v.Raw) {
			return value{state: doubtful}
		}
		return value{text: v.Raw, state: present}
	}
	if v.Kind != ast.ObjectValue {
		return value{state: doubtful}
	}

	name, rest, more := strings.Cut(pointer, ".")
	var found *ast.Value
	for _, child := range v.Children {
		if child.Name != name {
			continue
		}
		if found != nil {
			return value{state: doubtful}
		}
		found = child.Value
	}
	return c.valueAt(found, rest, more)
}

// variableAt is valueAt for a variable. One that is neither given nor has a default is absent.
func (c *graphqlCall) variableAt(name, pointer string, deeper bool) value {
	given, clear := c.variables.Lookup(name)
	switch {
	case !clear:
		return value{state: doubtful}
	case given.Kind() != body.JSONAbsent && !deeper:
		return scalarAt(given)
	case given.Kind() != body.JSONAbsent:
		return jsonAt(given, pointer)
	}
	for _, d := range c.operation.VariableDefinitions {
		if d.Variable == name && d.DefaultValue != nil && d.DefaultValue.Kind != ast.Variable {
			return c.valueAt(d.DefaultValue, pointer, deeper)
		}
	}
	return value{}
}
