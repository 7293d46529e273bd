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
			if end < 0 || !variableName(rest[i+1:end]) {
				return p, fmt.Errorf("pattern %q has a { without a variable name and }", text)
			}
			p.parts, rest = append(p.parts, part{wild: true, slot: vars.number(rest[i+1 : end])}), rest[end+1:]
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
		return len(value) >= least && bind(head.slot, value, bound)
	}
	text := rest[0].text
	if len(rest) == 1 { // the tail must be the end
		cut := len(value) - len(text)
		return cut >= least && p.same(value[cut:], text) && bind(head.slot, value[:cut], bound)
	}
	for cut := least; cut+len(text) <= len(value); cut++ {
		if !p.same(value[cut:cut+len(text)], text) {
			continue
		}
		saved := *bound
		if bind(head.slot, value[:cut], bound) && p.matchParts(rest, value[cut:], bound) {
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

func bind(slot int, value string, bound *[maxSlots]string) bool {
	if slot < 0 {
		return true
	}
	if bound[slot] != "" && bound[slot] != value {
		return false
	}
	bound[slot] = value
	return true
}
