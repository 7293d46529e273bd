package adapters

import (
	"slices"
	"strings"

	"github.com/byline-proxy/byline/adapters/internal/text"
)

// This file tells which rule takes every request of another. It errs on the side of no: a rule of which that is said
// certainly takes them all, or is in doubt about them, which ends the classification as well.

// covers reports whether the rule takes every request of another rule that has one of its methods and one of its paths.
// "" is every method that no rule names.
func (rule *rule) covers(narrow *rule, method string, path *pathPattern) bool {
	if !rule.takesMethod(method) || len(rule.where) > 0 || rule.repeatsVariable() {
		return false
	}
	if !slices.ContainsFunc(rule.paths, func(p pathPattern) bool { return p.covers(path) }) {
		return false
	}
	return rule.coversHead(narrow) && rule.coversBody(narrow)
}

// takesMethod is methodFits, of which "" is every method.
func (rule *rule) takesMethod(method string) bool {
	return len(rule.methods) == 0 || method != "" && rule.methodFits(method)
}

func (rule *rule) coversHead(narrow *rule) bool {
	return coversPatterns(rule.contentTypes, narrow.contentTypes) && coversTests(rule.header, narrow.header, text.SameName) &&
		coversTests(rule.query, narrow.query, isSame)
}

func isSame(a, b string) bool { return a == b }

// coversBody compares the conditions on bodies. A condition on a parameter holds also where the query or the form has
// the value: if the other has another one, the parameter is in doubt.
func (rule *rule) coversBody(narrow *rule) bool {
	if !coversTests(rule.form, narrow.form, isSame) || !coversTests(rule.json, narrow.json, isSame) || !coversTests(rule.xml, narrow.xml, isSame) {
		return false
	}
	for i := range rule.param {
		t := &rule.param[i]
		isCovered := coversTest(t, narrow.param, isSame) ||
			!t.absent && (coversTest(t, narrow.query, isSame) || coversTest(t, narrow.form, isSame))
		if !isCovered {
			return false
		}
	}
	for i := range rule.keys {
		if !slices.ContainsFunc(narrow.keys, rule.keys[i].covers) {
			return false
		}
	}

	readsCalls := len(rule.json)+len(rule.keys) > 0 || rule.only != nil || rule.graphql != nil
	if readsCalls && narrow.batch && !rule.batch || rule.graphql != nil && (narrow.graphql == nil || !rule.graphql.covers(narrow.graphql)) {
		return false
	}
	return rule.only == nil || narrow.only != nil && rule.only.covers(narrow.only)
}

func (k *keysTest) covers(narrow keysTest) bool {
	return slices.Equal(k.path, narrow.path) && coversPatterns(k.allowed, narrow.allowed)
}

func (g *graphqlTest) covers(narrow *graphqlTest) bool {
	return containsAll(g.types, narrow.types) && coversPatterns(g.fields, narrow.fields) && coversTests(g.arguments, narrow.arguments, isSame)
}

// covers reports whether every name that narrow allows is allowed.
func (w *allowedNames) covers(narrow *allowedNames) bool {
	var none bindings
	for _, at := range []int{inOnlyQuery, inOnlyForm, inOnlyJSON} {
		for name := range narrow.in(at) {
			if !w.allows(at, name, &none) {
				return false
			}
		}
	}
	for i := range narrow.patterns {
		n := &narrow.patterns[i]
		isCovered := slices.ContainsFunc(w.patterns, func(p pattern) bool { return !hasVariable(p.parts) && !hasVariable(n.parts) && p.covers(n) })
		if !isCovered {
			return false
		}
	}
	return true
}

// coversTests reports whether each test of a rule holds where those of another hold.
func coversTests(wide, narrow []valueTest, isSameKey func(a, b string) bool) bool {
	for i := range wide {
		if !coversTest(&wide[i], narrow, isSameKey) {
			return false
		}
	}
	return true
}

func coversTest(wide *valueTest, narrow []valueTest, isSameKey func(a, b string) bool) bool {
	return slices.ContainsFunc(narrow, func(n valueTest) bool {
		if !isSameKey(wide.key, n.key) || n.absent && !wide.absent {
			return false
		}
		return len(n.patterns) == 0 || len(wide.patterns) > 0 && coversPatterns(wide.patterns, n.patterns)
	})
}

// coversPatterns reports whether each pattern of a list is covered by one of another. An empty list is every value.
func coversPatterns(wide, narrow []pattern) bool {
	if len(wide) == 0 {
		return true
	}
	for i := range narrow {
		if !slices.ContainsFunc(wide, func(p pattern) bool { return p.covers(&narrow[i]) }) {
			return false
		}
	}
	return len(narrow) > 0
}

// repeatsVariable reports whether a variable must have one value in two places.
func (rule *rule) repeatsVariable() bool {
	var counts [maxVariables]int
	for i := range rule.paths {
		var inPath [maxVariables]int
		for _, s := range rule.paths[i].segments {
			countVariables(s.parts, &inPath)
		}
		if v := rule.paths[i].restVariable; rule.paths[i].rest && v >= 0 {
			inPath[v]++
		}
		for v := range inPath {
			counts[v] = max(counts[v], inPath[v])
		}
	}

	for _, tests := range [][]valueTest{rule.header, rule.query, rule.form, rule.param, rule.json, rule.xml, rule.graphqlArguments()} {
		for i := range tests {
			var inTest [maxVariables]int
			for j := range tests[i].patterns {
				countVariables(tests[i].patterns[j].parts, &inTest)
			}
			for v := range inTest {
				counts[v] += min(inTest[v], 1)
			}
		}
	}
	return slices.Max(counts[:]) > 1
}

func (rule *rule) graphqlArguments() []valueTest {
	if rule.graphql == nil {
		return nil
	}
	return rule.graphql.arguments
}

func countVariables(parts []part, counts *[maxVariables]int) {
	for i := range parts {
		if parts[i].wild && parts[i].variable >= 0 {
			counts[parts[i].variable]++
		}
	}
}

// binds reports whether the pattern binds a variable.
func (p *pathPattern) binds(variable int) bool {
	if p.rest && p.restVariable == variable {
		return true
	}
	return slices.ContainsFunc(p.segments, func(s pattern) bool {
		return slices.ContainsFunc(s.parts, func(t part) bool { return t.wild && t.variable == variable })
	})
}

// covers reports whether the pattern takes every path that another takes.
func (p *pathPattern) covers(narrow *pathPattern) bool {
	if len(narrow.segments) < len(p.segments) || narrow.fold && !p.fold {
		return false
	}
	for i := range p.segments {
		if !p.segments[i].covers(&narrow.segments[i]) {
			return false
		}
	}

	left := narrow.segments[len(p.segments):]
	switch {
	case !p.rest:
		return !narrow.rest && len(left) == 0
	case !narrow.rest && len(left) == 0:
		return len(p.segments) == 0 && p.restVariable < 0
	case p.restVariable < 0:
		return true
	}

	// A rest that is bound is not empty.
	switch {
	case len(left) > 1 || len(left) == 1 && narrow.rest:
		return true
	case len(left) == 1:
		return left[0].isNeverEmpty()
	}
	return narrow.restVariable >= 0
}

// isNeverEmpty reports whether every value that fits has a character.
func (p *pattern) isNeverEmpty() bool {
	return slices.ContainsFunc(p.parts, func(t part) bool { return !t.wild && t.text != "" || t.wild && t.variable >= 0 })
}

// covers reports whether the pattern takes every value that another takes. It tries how the wildcards of the one may
// take the characters and the wildcards of the other.
func (p *pattern) covers(narrow *pattern) bool {
	if narrow.fold && !p.fold && hasLetter(narrow.parts) && hasLetter(p.parts) {
		return false
	}
	wide, few := unitsOf(p.parts), unitsOf(narrow.parts)
	if len(wide)*len(few) > maxUnits {
		return false
	}
	memory := map[[2]int]bool{}

	var fits func(i, j int) bool
	fits = func(i, j int) (ok bool) {
		key := [2]int{i, j}
		if known, isKnown := memory[key]; isKnown {
			return known
		}
		defer func() { memory[key] = ok }()

		switch {
		case i == len(wide):
			return j == len(few)
		case wide[i].wild && wide[i].variable < 0:
			return fits(i+1, j) || j < len(few) && fits(i, j+1)
		case wide[i].wild && wide[i].kind == digits:
			return fitsDigits(few, j, func(end int) bool { return fits(i+1, end) })
		case wide[i].wild:
			// At least one character, which * need not have.
			for end, isSome := j, false; end < len(few); {
				isSome = isSome || !few[end].wild || few[end].variable >= 0
				end++
				if isSome && fits(i+1, end) {
					return true
				}
			}
			return false
		}
		return j < len(few) && !few[j].wild && p.same(wide[i].text, few[j].text) && fits(i+1, j+1)
	}
	return fits(0, 0)
}

// maxUnits bounds the work of comparing two patterns.
const maxUnits = 1 << 16

// fitsDigits reports whether a number ends somewhere after j so that rest holds there: a variable for one, or plain
// digits.
func fitsDigits(few []part, j int, rest func(end int) bool) bool {
	if j < len(few) && few[j].wild && few[j].kind == digits {
		return rest(j + 1)
	}
	number := ""
	for end := j; end < len(few) && !few[end].wild; end++ {
		number += few[end].text
		if !digits.allows(number) {
			return false
		}
		if rest(end + 1) {
			return true
		}
	}
	return false
}

// unitsOf splits the literals of a pattern into single bytes.
func unitsOf(parts []part) (units []part) {
	for i := range parts {
		if parts[i].wild {
			units = append(units, parts[i])
			continue
		}
		for k := range len(parts[i].text) {
			units = append(units, part{text: parts[i].text[k : k+1], variable: -1})
		}
	}
	return units
}

func hasLetter(parts []part) bool {
	return slices.ContainsFunc(parts, func(t part) bool { return strings.ToLower(t.text) != strings.ToUpper(t.text) })
}
