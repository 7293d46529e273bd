package adapters

import (
	"fmt"
	"strings"
)

// pattern matches one value: literal text, * for any characters, {var} for at least one character.
type pattern struct {
	parts   []part
	literal string // the whole pattern, if it is plain
	plain   bool   // it has no * and no variable
	fold    bool   // ignores case
}

// part is literal text or a wildcard.
type part struct {
	text     string // of a literal
	wild     bool
	variable int // that a wildcard binds; negative: *
	kind     valueKind
	filters  []func(string) string // change the variable in a template; nil in a pattern
}

// valueKind is what a variable may hold.
type valueKind uint8

const (
	anyText valueKind = iota
	digits            // a number without leading zeros
)

// allows reports whether a variable of the kind may have a value.
func (k valueKind) allows(value string) bool {
	if k == anyText {
		return true
	}
	isNumber := value != "" && strings.Trim(value, "0123456789") == ""
	return isNumber && (value[0] != '0' || len(value) == 1)
}

// variables are the names of the variables of one rule. Their indexes number them.
type variables []string

// bindings are the values of the variables of one rule. "" is a variable that is not bound.
type bindings [maxVariables]string

// maxVariables bounds the variables of one rule, so that bindings stay on the stack.
const maxVariables = 8

// number is the index of a variable, which is added if it is new.
func (v *variables) number(name string) int {
	for i, n := range *v {
		if n == name {
			return i
		}
	}
	*v = append(*v, name)
	return len(*v) - 1
}

// add adds a name and reports whether it is new.
func (v *variables) add(name string) bool {
	before := len(*v)
	return v.number(name) == before
}

// compilePattern parses a pattern. It adds the variables to vars.
func compilePattern(text string, vars *variables, fold bool) (pattern, error) {
	p := pattern{fold: fold}
	var seen variables // of this pattern
	for rest := text; rest != ""; {
		i := strings.IndexAny(rest, "*{}")
		if i < 0 {
			p.parts = append(p.parts, part{text: rest, variable: -1})
			break
		}
		if i > 0 {
			p.parts = append(p.parts, part{text: rest[:i], variable: -1})
		}
		if rest[i] == '}' {
			return p, fmt.Errorf("pattern %q has a } without {", text)
		}
		if n := len(p.parts); n > 0 && p.parts[n-1].wild {
			return p, fmt.Errorf("pattern %q has two wildcards side by side", text)
		}

		if rest[i] == '*' {
			p.parts = append(p.parts, part{wild: true, variable: -1})
			rest = rest[i+1:]
			continue
		}
		end := strings.IndexByte(rest, '}')
		name, kindName, typed := strings.Cut(rest[i+1:max(end, i+1)], ":")
		if end < 0 || !isVariableName(name) {
			return p, fmt.Errorf("pattern %q has a { without a variable name and }", text)
		}
		kind := anyText
		if typed {
			if kindName != "digits" {
				return p, fmt.Errorf("pattern %q: a variable may be of the kind digits, not %q", text, kindName)
			}
			kind = digits
		}
		if !seen.add(name) {
			return p, fmt.Errorf("pattern %q names {%s} twice; a value or a segment may name it once", text, name)
		}
		p.parts = append(p.parts, part{wild: true, variable: vars.number(name), kind: kind})
		rest = rest[end+1:]
	}

	p.plain = len(p.parts) == 0 || len(p.parts) == 1 && !p.parts[0].wild
	if p.plain {
		p.literal = text
	}
	return p, nil
}

func isVariableName(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789_") == ""
}

// match reports whether a value fits, and binds the variables. A variable that is already bound must have the same
// value again. If the value does not fit, b may have changed.
//
// The time is linear in the length of the value: most values are matched by a few comparisons, and one that takes more
// is matched by matchLinear.
func (p *pattern) match(value string, b *bindings) bool {
	if p.plain {
		return p.same(value, p.literal)
	}

	if p.endsOtherwise(value) {
		return false
	}
	steps := 4*len(value) + 64
	fits := p.matchParts(p.parts, value, b, &steps)
	if steps >= 0 {
		return fits
	}
	return p.matchLinear(value, b)
}

// endsOtherwise reports whether the text at the end of the pattern alone shows that a value does not fit.
func (p *pattern) endsOtherwise(value string) bool {
	if len(p.parts) == 0 {
		return false
	}
	last := &p.parts[len(p.parts)-1]
	return !last.wild && !p.fold && !strings.HasSuffix(value, last.text)
}

// isTrivial reports whether matching takes the same time for values of every length.
func (p *pattern) isTrivial() bool {
	return p.plain || len(p.parts) == 1 && p.parts[0].kind == anyText
}

// isAnything reports whether the pattern is *, which binds nothing.
func (p *pattern) isAnything() bool {
	return !p.plain && len(p.parts) == 1 && p.parts[0].kind == anyText && p.parts[0].variable < 0
}

// isBound reports whether every variable of the pattern has a value.
func (p *pattern) isBound(b *bindings) bool {
	for _, part := range p.parts {
		if part.variable >= 0 && b[part.variable] == "" {
			return false
		}
	}
	return true
}

func (p *pattern) same(a, b string) bool {
	if p.fold {
		return strings.EqualFold(a, b)
	}
	return a == b
}

// matchParts matches from the left. A wildcard takes as little as makes the next literal fit, and the last part takes
// the rest, so that only patterns with several variables ever go back. Going back can take time that grows with a power
// of the length, so every place that is tried costs a step, and so does every digit that is looked at. Once steps is negative the result
// means nothing, and b is as it was.
func (p *pattern) matchParts(parts []part, value string, b *bindings, steps *int) bool {
	for len(parts) > 0 && !parts[0].wild {
		literal := parts[0].text
		if len(value) < len(literal) || !p.same(value[:len(literal)], literal) {
			return false
		}
		value = value[len(literal):]
		parts = parts[1:]
	}
	if len(parts) == 0 {
		return value == ""
	}

	head, rest := parts[0], parts[1:]
	if len(rest) == 0 {
		return len(value) >= head.least() && head.bind(value, b)
	}

	literal := rest[0].text
	if len(rest) == 1 { // the literal must be the end
		cut := len(value) - len(literal)
		return cut >= head.least() && p.same(value[cut:], literal) && head.bind(value[:cut], b)
	}

	for cut := head.least(); cut+len(literal) <= len(value); cut++ {
		*steps--
		if head.kind == digits {
			*steps -= cut
		}
		if *steps < 0 {
			return false
		}
		if !p.same(value[cut:cut+len(literal)], literal) {
			continue
		}
		saved := *b
		if head.bind(value[:cut], b) && p.matchParts(rest, value[cut:], b, steps) {
			return true
		}
		*b = saved
		if head.variable < 0 && !hasVariable(rest) {
			return false // for * the first place where the literal fits is as good as any
		}
	}
	return false
}

// least is the number of bytes that a wildcard takes at least.
func (p *part) least() int {
	if p.variable >= 0 {
		return 1
	}
	return 0
}

func hasVariable(parts []part) bool {
	for _, p := range parts {
		if p.variable >= 0 {
			return true
		}
	}
	return false
}

// bind gives the variable of a wildcard its value. It is false if the variable cannot have the value.
func (p *part) bind(value string, b *bindings) bool {
	if p.variable < 0 {
		return true
	}
	value = withSlashes(value)
	if b[p.variable] != "" && b[p.variable] != value || !p.kind.allows(value) {
		return false
	}
	b[p.variable] = value
	return true
}
