package text

import "strings"

// Fold folds a byte of the name of a header field as CGI applications do: to lower case, and to - for
// _.
func Fold(c byte) byte {
	switch {
	case 'A' <= c && c <= 'Z':
		return c + 'a' - 'A'
	case c == '_':
		return '-'
	}
	return c
}

// AppendFolded appends the folded bytes of name to dst.
func AppendFolded(dst []byte, name string) []byte {
	for i := 0; i < len(name); i++ {
		dst = append(dst, Fold(name[i]))
	}
	return dst
}

// SameName reports whether two names of header fields are the same once they are folded.
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

// ContainsName reports whether list has a name, as SameName compares names.
func ContainsName(list []string, name string) bool {
	for _, n := range list {
		if SameName(n, name) {
			return true
		}
	}
	return false
}

// IsToken reports whether s is a token (RFC 9110 section 5.6.2), as the names of header fields and
// cookies are.
func IsToken(s string) bool {
	for i := 0; i < len(s); i++ {
		if !isTokenByte(s[i]) {
			return false
		}
	}
	return s != ""
}

func isTokenByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}
