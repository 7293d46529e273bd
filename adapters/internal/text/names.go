package text

import "strings"

func ContainsName(list []string, name string) bool {
	for _, n := range list {
		if SameName(n, name) {
			return true
		}
	}
	return false
}

// AppendFolded appends name in lower case with - for _, as CGI applications read it.
func AppendFolded(dst []byte, name string) []byte {
	for i := 0; i < len(name); i++ {
		dst = append(dst, Fold(name[i]))
	}
	return dst
}

func Fold(c byte) byte {
	switch {
	case 'A' <= c && c <= 'Z':
		return c + 'a' - 'A'
	case c == '_':
		return '-'
	}
	return c
}

// SameName compares header names without case, _ being -.
func SameName(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := 0; i < len(a); i++ {
		if Fold(a[i]) != Fold(b[i]) {
			return false
		}
	}
	return true
}

// IsToken reports whether s is a token (RFC 9110 section 5.6.2), as names of header fields and cookies are.
func IsToken(s string) bool {
	for i := 0; i < len(s); i++ {
		if !tokenByte(s[i]) {
			return false
		}
	}
	return s != ""
}

func tokenByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}
