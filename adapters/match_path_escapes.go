package adapters

import (
	"net/url"
	"strings"

	"github.com/byline-proxy/byline/adapters/internal/text"
)

// pathEscapes are the bytes that may be escaped in a path as data: some of the structural ones.
type pathEscapes string

// structuralEscapes are the escapes that paths.encoded may name, with their bytes.
var structuralEscapes = map[string]byte{"%2F": '/', "%23": '#', "%25": '%', "%3B": ';', "%3F": '?'}

// encodedSlash stands for an escaped slash in a decoded path until a variable is bound. No other path has it.
const encodedSlash = '\x1f'

// pathEscapesOf returns the bytes of the escapes that an adapter names, and one that cannot be named.
func pathEscapesOf(spec *PathEscapes) (bytes pathEscapes, unknown string) {
	for _, escape := range spec.Escapes {
		c, ok := structuralEscapes[strings.ToUpper(escape)]
		if !ok {
			return "", escape
		}
		bytes += pathEscapes(c)
	}
	return bytes, ""
}

func (e pathEscapes) has(c byte) bool { return strings.IndexByte(string(e), c) >= 0 }

// PathEscapes returns the bytes that may be escaped in a path as data, which are refused by default.
func (a *Adapter) PathEscapes() string { return string(a.escapes()) }

func (a *Adapter) escapes() pathEscapes {
	if a.rules == nil {
		return ""
	}
	return a.rules.escapes
}

// decodeEscapedPath is decodePath for an adapter that takes some escapes as data.
func decodeEscapedPath(raw string, escapes pathEscapes) (string, bool) {
	if raw == "" || raw[0] != '/' || strings.ContainsAny(raw, ";\x1f") || strings.Contains(raw, "//") {
		return "", false
	}

	var b strings.Builder
	for i := 0; i < len(raw); i++ {
		if raw[i] != '%' {
			b.WriteByte(raw[i])
			continue
		}
		decoded, err := url.PathUnescape(raw[i:min(i+3, len(raw))])
		if err != nil || len(decoded) != 1 || strings.IndexByte("/\\;?#%", decoded[0]) >= 0 && !escapes.has(decoded[0]) {
			return "", false
		}
		i += 2
		switch {
		case decoded[0] == encodedSlash, decoded[0] == '%' && isEscape(raw[i+1:]):
			return "", false
		case decoded[0] == '/':
			b.WriteByte(encodedSlash)
		default:
			b.WriteString(decoded)
		}
	}

	path := b.String()
	plain := strings.ReplaceAll(path, string(rune(encodedSlash)), "/")
	if strings.IndexByte(path, '\\') >= 0 || !text.IsClear(plain) || hasDotSegment(plain) {
		return "", false
	}
	return path, true
}

// isEscape reports whether what follows a decoded percent sign makes it an escape again.
func isEscape(rest string) bool {
	return len(rest) >= 2 && consistsOfHex(rest[:2])
}

func consistsOfHex(s string) bool {
	return strings.Trim(s, "0123456789abcdefABCDEF") == ""
}

// withSlashes returns what a variable is bound to: a segment in which an escaped slash is a slash.
func withSlashes(segment string) string {
	if strings.IndexByte(segment, encodedSlash) < 0 {
		return segment
	}
	return strings.ReplaceAll(segment, string(rune(encodedSlash)), "/")
}
