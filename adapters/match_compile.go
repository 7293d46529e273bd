package adapters

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// compile turns the actions into rules and reports what is wrong with them. It returns nil if the file has problems.
func (d *draft) compile() *ruleSet {
	escapes, unknown := pathEscapesOf(&d.spec.Paths.Encoded)
	if unknown != "" || d.spec.Paths.Encoded.Because != "" && escapes == "" {
		d.at("paths.encoded.escapes", "some of %2F, %23, %25, %3B and %3F", "%q is not an escape that can be data in a path", unknown)
	}

	var own []*rule
	for i := range d.spec.Actions {
		key := fmt.Sprintf("actions[%d]", i)
		rule, errs := compileRule(d.spec.Actions[i], d.spec.Paths.Fold)
		for _, e := range errs {
			d.at(key+e.key, "", "%s", e.err)
		}
		if param := d.spec.MethodOverride.Param; rule.only != nil && param != "" {
			rule.only.allow(param) // it has been read as the method
		}
		own = append(own, rule)
	}

	actions := d.ruleSetOf(own)
	if len(d.found) > 0 {
		return nil
	}
	login := d.loginRules(actions)
	d.checkHiddenByLogin(login)
	return d.ruleSetOf(append(login, own...))
}

// ruleSetOf indexes rules and adds what the adapter says about paths, queries and methods.
func (d *draft) ruleSetOf(all []*rule) *ruleSet {
	x := newRuleSet(all)
	x.semicolon = d.spec.Query.Semicolon
	x.foldPaths = d.spec.Paths.Fold
	x.escapes, _ = pathEscapesOf(&d.spec.Paths.Encoded)
	x.override = d.spec.MethodOverride
	if x.override.Param != "" {
		x.declare(x.override.Param)
	}
	x.rewrites = d.compileRewrites(x)
	x.findRivals()
	return x
}

// keyedError is what is wrong with a key of an action; the key begins with a dot.
type keyedError struct {
	key string
	err error
}

// ruleCompiler collects the errors of one action.
type ruleCompiler struct {
	rule *rule
	errs []keyedError
}

func (c *ruleCompiler) report(key string, err error) {
	if err != nil {
		c.errs = append(c.errs, keyedError{key, err})
	}
}

// compileRule compiles one action and returns all errors.
func compileRule(spec ActionSpec, foldPaths bool) (*rule, []keyedError) {
	r, errs := compileRuleWith(nil, spec, foldPaths)
	if len(errs) > 0 || !spec.WebSocket {
		return r, errs
	}
	r.socket, errs = compileSocket(&spec, r.variables)
	return r, errs
}

// compileRuleWith compiles a rule whose first variables are bound before it is tried.
func compileRuleWith(bound variables, spec ActionSpec, foldPaths bool) (*rule, []keyedError) {
	m := &spec.Match
	r := &rule{
		variables: slices.Clone(bound),
		names:     Action{Name: spec.Name, Privileged: spec.Privileged, Safe: spec.Safe, Writes: spec.Writes, Login: spec.Login},
		methods:   m.Method,
		batch:     m.Batch,

		verbatim: spec.Verbatim,
	}
	c := ruleCompiler{rule: r}

	c.compilePaths(m.Path, foldPaths)
	r.query = c.compileTests("query", m.Query, m.Fold)
	r.form = c.compileTests("form", m.Form, m.Fold)
	r.param = c.compileTests("param", m.Param, m.Fold)
	r.json = c.compileTests("json", m.JSON, m.Fold)
	r.header = c.compileTests("header", m.Header, m.Fold)
	r.xml = c.compileTests("xml", m.XML, m.Fold)
	arguments := c.compileTests("graphql.argument", m.GraphQL.Argument, m.Fold)

	var err error
	r.graphql, err = compileGraphQL(&m.GraphQL, arguments)
	c.report(".match.graphql", err)
	if r.graphql != nil {
		r.graphql.readsAnyQuery = m.Only == nil
	}
	r.only, err = compileOnly(m, r.variables)
	c.report(".match.only", err)
	r.contentTypes = c.compilePatterns(".match.content_type", m.ContentType, true)
	c.compileKeys(m.Keys)
	c.compileWhere(m.Where)
	if len(r.variables) > maxVariables {
		c.report(".match", fmt.Errorf("match binds %d variables; at most %d", len(r.variables), maxVariables))
	}
	c.compileResource(spec.Resource)

	return r, c.errs
}

func (c *ruleCompiler) compilePaths(paths []string, fold bool) {
	for _, text := range paths {
		if fold {
			text = strings.ToLower(text)
		}
		p, err := compilePath(text, &c.rule.variables, false)
		c.report(".match.path", err)
		c.rule.paths = append(c.rule.paths, p)
	}
}

// compileTests compiles the conditions on the values of one place, sorted by key.
func (c *ruleCompiler) compileTests(place string, conditions map[string]Strings, fold bool) (all []valueTest) {
	for _, key := range slices.Sorted(maps.Keys(conditions)) {
		t := valueTest{key: key}
		for _, text := range conditions[key] {
			if text == "" {
				t.absent = true
				continue
			}
			p, err := compilePattern(text, &c.rule.variables, fold)
			c.report(".match."+place+"."+key, err)
			t.patterns = append(t.patterns, p)
		}
		all = append(all, t)
	}
	return all
}

// compilePatterns compiles patterns whose variables bind nothing.
func (c *ruleCompiler) compilePatterns(key string, texts []string, fold bool) (all []pattern) {
	for _, text := range texts {
		p, err := compilePattern(text, &variables{}, fold)
		c.report(key, err)
		all = append(all, p)
	}
	return all
}

func (c *ruleCompiler) compileKeys(keys map[string]Strings) {
	for _, pointer := range slices.Sorted(maps.Keys(keys)) {
		k := keysTest{allowed: c.compilePatterns(".match.keys."+pointer, keys[pointer], false)}
		if pointer != "" {
			k.path = strings.Split(pointer, ".")
		}
		c.rule.keys = append(c.rule.keys, k)
	}
}

func (c *ruleCompiler) compileWhere(where map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(where)) {
		w := variableTest{variable: slices.Index(c.rule.variables, name)}

		var err error
		w.expression, err = regexp.Compile(`\A(?:` + where[name] + `)\z`)
		if err != nil {
			err = fmt.Errorf("where: %q is not an RE2 expression: %w", where[name], err)
		} else if w.variable < 0 {
			err = fmt.Errorf("where names {%s}, which nothing else in match binds", name)
		}
		c.report(".match.where."+name, err)
		c.rule.where = append(c.rule.where, w)
	}
}

func (c *ruleCompiler) compileResource(template string) {
	parts, err := compileTemplate(template, c.rule.variables)
	c.report(".resource", err)
	c.rule.plainResource = template
	if slices.ContainsFunc(parts, func(p part) bool { return p.wild }) {
		c.rule.resource = parts
	}
}
