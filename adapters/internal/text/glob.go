// Package text compares names and patterns as loosely or as strictly as applications do: names of
// header fields, cookies and parameters, patterns with *, characters that applications may drop, and
// misspelt words.
package text

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Glob reports whether name matches pattern, in which * stands for any characters, or for none. fold
// maps bytes before they are compared; nil compares them as they are. Glob does not allocate.
func Glob(pattern, name string, fold func(byte) byte) bool {
	// star is the index of the last * that was passed, and retry is where the rest of the pattern is
	// tried next if the * has to stand for one more byte.
	star, retry := -1, 0
	p, n := 0, 0
	for n < len(name) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, retry = p, n
			p++
		case p < len(pattern) && (pattern[p] == name[n] || fold != nil && fold(pattern[p]) == fold(name[n])):
			p++
			n++
		case star >= 0:
			retry++
			p, n = star+1, retry
		default:
			return false
		}
	}

	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

// GlobAny reports whether name matches one of the patterns, as Glob does.
func GlobAny(patterns []string, name string, fold func(byte) byte) bool {
	for _, p := range patterns {
		if Glob(p, name, fold) {
			return true
		}
	}
	return false
}

// FoldToASCII replaces the characters beyond ASCII that readers without regard to case take for letters of
// ASCII: the long s and the Kelvin sign.
func FoldToASCII(name string) string {
	i := 0
	for i < len(name) && name[i] < utf8.RuneSelf {
		i++
	}
	if i == len(name) {
		return name
	}
	return strings.Map(func(c rune) rune {
		for f := unicode.SimpleFold(c); c >= utf8.RuneSelf && f != c; f = unicode.SimpleFold(f) {
			if f < utf8.RuneSelf {
				return f
			}
		}
		return c
	}, name)
}

// FoldParam folds a byte of the name of a parameter or a cookie as the loosest applications do: to
// lower case, and to _ for every byte that PHP replaces by it.
func FoldParam(c byte) byte {
	c = Fold(c)
	switch c {
	case '-', '.', ' ', '[':
		return '_'
	}
	return c
}
