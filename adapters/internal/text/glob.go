// Package text compares names as applications do, and judges text: names of header fields and parameters, patterns with
// *, characters that applications may drop, and words that were misspelt.
package text

// Glob reports whether name fits pattern, in which * is any characters. same maps bytes before they are compared; nil
// compares them as they are. It does not allocate.
func Glob(pattern, name string, same func(byte) byte) bool {
	star, mark := -1, 0
	p, n := 0, 0
	for n < len(name) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark, p = p, n, p+1
		case p < len(pattern) && (pattern[p] == name[n] || same != nil && same(pattern[p]) == same(name[n])):
			p, n = p+1, n+1
		case star >= 0:
			mark++
			p, n = star+1, mark
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

func GlobAny(patterns []string, name string, same func(byte) byte) bool {
	for _, p := range patterns {
		if Glob(p, name, same) {
			return true
		}
	}
	return false
}

// FoldParam reads names as the loosest applications do: without case, and with every mangled separator as _.
func FoldParam(c byte) byte {
	switch c = Fold(c); c {
	case '-', '.', ' ', '[':
		return '_'
	}
	return c
}
