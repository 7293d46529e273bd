package adapters

import (
	"fmt"
	"strings"
)

// pattern matches one value: literal text, * for any characters, {var} for at least one character.
type pattern struct {
	parts   []part
	literal string // the whole pattern when it has no * and no variable
	plain   bool
	fold    bool
}

type part struct {
	text string // literal text; else a wildcard
	slot int    // ≥ 0: the variable it binds; -1: *
	wild bool
	kind valueKind
	// filters change a resource's variable; nil in patterns
	filters []func(string) string
}

// valueKind is what a variable may hold.
type valueKind uint8

const (
	anyText valueKind = iota
	digits            // a number without leading zeros
)

func (k valueKind) takes(value string) bool {
	return k == anyText || value != "" && strings.Trim(value, "0123456789") == "" && (value[0] != '0' || len(value) == 1)
}

// slots numbers the variables of one rule.
type slots []string

func (s *slots) number(name string) int {
	for i, n := range *s {
		if n == name {
			return i
		}
	}
	*s = append(*s, name)
	return len(*s) - 1
}

// maxSlots bounds the variables of one rule, so that a match keeps them on the stack.
const maxSlots = 8

// compilePattern parses text. {{ and }} are not special elsewhere; a brace without its partner is an error.
func compilePattern(text string, vars *slots, fold bool) (pattern, error) {
	p := pattern{fold: fold}
	rest := text
	for rest != "" {
		i := strings.IndexAny(rest, "*{}")
		if i < 0 {
			p.parts = append(p.parts, part{text: rest, slot: -1})
			break
		}
		if i > 0 {
			p.parts = append(p.parts, part{text: rest[:i], slot: -1})
		}
		if n := len(p.parts); n > 0 && p.parts[n-1].wild && i == 0 && rest[0] == '{' {
			return p, fmt.Errorf("pattern %q has two wildcards side by side", text)
		}
		switch rest[i] {
		case '*':
			if n := len(p.parts); n > 0 && p.parts[n-1].wild {
				return p, fmt.Errorf("pattern %q has two wildcards side by side", text)
			}
			p.parts, rest = append(p.parts, part{wild: true, slot: -1}), rest[i+1:]
		case '{':
			end := strings.IndexByte(rest, '}')
			name, kindName, typed := strings.Cut(rest[i+1:max(end, i+1)], ":")
			if end < 0 || !variableName(name) {
				return p, fmt.Errorf("pattern %q has a { without a variable name and }", text)
			}
			kind := anyText
			if typed {
				if kind = digits; kindName != "digits" {
					return p, fmt.Errorf("pattern %q: a variable may be of the kind digits, not %q", text, kindName)
				}
			}
			p.parts, rest = append(p.parts, part{wild: true, slot: vars.number(name), kind: kind}), rest[end+1:]
		default:
			return p, fmt.Errorf("pattern %q has a } without {", text)
		}
	}
	if p.plain = len(p.parts) == 0 || len(p.parts) == 1 && !p.parts[0].wild; p.plain {
		p.literal = text
	}
	return p, nil
}

func variableName(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789_") == ""
}

// match reports whether value fits, and binds variables into bound. A variable that is already bound must have the
// same value again.
func (p *pattern) match(value string, bound *[maxSlots]string) bool {
	if p.plain {
		return p.same(value, p.literal)
	}
	return p.matchParts(p.parts, value, bound)
}

// isBound reports whether every variable of the pattern has a value.
func (p *pattern) isBound(bound *[maxSlots]string) bool {
	for _, part := range p.parts {
		if part.slot >= 0 && bound[part.slot] == "" {
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

// matchParts is greedy-free: the first wildcard takes as little as lets the next literal fit, the last part takes
// the end. With at most one literal tail this needs no deep backtracking.
func (p *pattern) matchParts(parts []part, value string, bound *[maxSlots]string) bool {
	for len(parts) > 0 && !parts[0].wild {
		text := parts[0].text
		if len(value) < len(text) || !p.same(value[:len(text)], text) {
			return false
		}
		value, parts = value[len(text):], parts[1:]
	}
	if len(parts) == 0 {
		return value == ""
	}
	head, rest := parts[0], parts[1:]
	least := 0
	if head.slot >= 0 {
		least = 1
	}
	if len(rest) == 0 {
		return len(value) >= least && head.bind(value, bound)
	}
	text := rest[0].text
	if len(rest) == 1 { // the tail must be the end
		cut := len(value) - len(text)
		return cut >= least && p.same(value[cut:], text) && head.bind(value[:cut], bound)
	}
	for cut := least; cut+len(text) <= len(value); cut++ {
		if !p.same(value[cut:cut+len(text)], text) {
			continue
		}
		saved := *bound
		if head.bind(value[:cut], bound) && p.matchParts(rest, value[cut:], bound) {
			return true
		}
		*bound = saved
		if head.slot < 0 && !anySlot(rest) {
			return false // for plain wildcards the first fit is as good as any
		}
	}
	return false
}

func anySlot(parts []part) bool {
	for _, p := range parts {
		if p.slot >= 0 {
			return true
		}
	}
	return false
}

// bind gives the variable of a wildcard its value; false when it may not have it.
func (p *part) bind(value string, bound *[maxSlots]string) bool {
	if p.slot < 0 {
		return true
	}
	if bound[p.slot] != "" && bound[p.slot] != value || !p.kind.takes(value) {
		return false
	}
	bound[p.slot] = value
	return true
}
