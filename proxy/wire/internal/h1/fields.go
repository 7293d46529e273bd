// Package h1 reads and writes the grammar of HTTP/1.1 (RFC 9112): heads, targets,
// fields and bodies. It is stricter than the RFC wherever two parsers could disagree
// about a message. The rules for fields and targets also apply to HTTP/2, which is
// parsed elsewhere. The package makes no decision about connections.
package h1

import (
	"strings"

	"github.com/byline-proxy/byline/proxy/wire"
)

// Role is what a field's name means for the framing and routing of its message.
type Role uint8

// The roles. Only fields with RoleEndToEnd or RoleContentType are passed on.
const (
	RoleEndToEnd Role = iota
	RoleHost
	RoleConnection
	RoleContentLength
	RoleTransferEncoding
	RoleTrailer
	RoleTE
	RoleUpgrade
	RoleExpect
	RoleProxyAuthorization
	RoleContentType
	RoleHTTP2Settings
	RoleHopByHop // other fields that concern a single hop
)

// RoleOf returns the role of the field with the given name. It looks at the length
// first, so that most names cost at most one comparison.
func RoleOf(name string) Role {
	switch len(name) {
	case 2:
		return roleIf(name, "te", RoleTE)
	case 4:
		return roleIf(name, "host", RoleHost)
	case 6:
		return roleIf(name, "expect", RoleExpect)
	case 7:
		return roleIf(name, "upgrade", RoleUpgrade) | roleIf(name, "trailer", RoleTrailer)
	case 10:
		return roleIf(name, "connection", RoleConnection) | roleIf(name, "keep-alive", RoleHopByHop)
	case 12:
		return roleIf(name, "content-type", RoleContentType)
	case 14:
		return roleIf(name, "content-length", RoleContentLength) | roleIf(name, "http2-settings", RoleHTTP2Settings)
	case 16:
		return roleIf(name, "proxy-connection", RoleHopByHop)
	case 17:
		return roleIf(name, "transfer-encoding", RoleTransferEncoding)
	case 18:
		return roleIf(name, "proxy-authenticate", RoleHopByHop)
	case 19:
		return roleIf(name, "proxy-authorization", RoleProxyAuthorization)
	}
	return RoleEndToEnd
}

// roleIf returns role if name is lower in any case, otherwise RoleEndToEnd, which is
// zero.
func roleIf(name, lower string, role Role) Role {
	if strings.EqualFold(name, lower) {
		return role
	}
	return RoleEndToEnd
}

// Classes of bytes, as bits of byteClasses.
const (
	tokenByte  = 1 << iota // RFC 9110 section 5.6.2
	valueByte              // RFC 9110 section 5.5
	targetByte             // what may be in a request target (RFC 3986), and in its query by custom
	hostByte               // a registered name or an IPv4 address, without percent-encoding
	nameByte               // letters, digits and the hyphen, of which nearly all field names consist
)

const alphanumeric = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

// byteClasses holds the classes of each byte.
var byteClasses = func() (classes [256]uint8) {
	for c := 0x21; c < 0x7f; c++ {
		classes[c] |= valueByte
		if c != '#' && c != '\\' {
			classes[c] |= targetByte
		}
	}
	for c := 0x80; c < 0x100; c++ {
		classes[c] |= valueByte
	}
	classes[' '] |= valueByte
	classes['\t'] |= valueByte

	for _, c := range []byte("!#$%&'*+-.^_`|~" + alphanumeric) {
		classes[c] |= tokenByte
	}
	for _, c := range []byte("-._~" + alphanumeric) {
		classes[c] |= hostByte
	}
	for _, c := range []byte("-" + alphanumeric) {
		classes[c] |= nameByte
	}
	return classes
}()

// hasOnly reports whether every byte of s is in the given class.
func hasOnly(s string, class uint8) bool {
	for i := 0; i < len(s); i++ {
		if byteClasses[s[i]]&class == 0 {
			return false
		}
	}
	return true
}

// IsToken reports whether s is a token (RFC 9110 section 5.6.2).
func IsToken(s string) bool { return s != "" && hasOnly(s, tokenByte) }

// confusableNames are names with a hyphen that frame, route or authenticate a
// message. A gateway of the CGI kind reads content_length as content-length; others
// take any other byte that is not a letter for the hyphen.
var confusableNames = map[string]bool{
	"content-length":      true,
	"transfer-encoding":   true,
	"content-type":        true,
	"proxy-authorization": true,
	"proxy-connection":    true,
	"keep-alive":          true,
	"http2-settings":      true,
}

// isConfusable reports whether a gateway could read name as one of confusableNames
// although it is spelled differently.
func isConfusable(name string) bool {
	for i := 0; i < len(name); i++ {
		if byteClasses[name[i]]&nameByte == 0 {
			return confusableNames[strings.Map(hyphenUnlessName, strings.ToLower(name))]
		}
	}
	return false
}

// hyphenUnlessName replaces whatever is not a letter, a digit or a hyphen.
func hyphenUnlessName(r rune) rune {
	if r > 0x7f || byteClasses[r]&nameByte == 0 {
		return '-'
	}
	return r
}

// CheckField refuses a field that two parsers could read in two ways, in any
// version of HTTP.
func CheckField(name, value string) *wire.Malformed {
	if !IsToken(name) {
		return wire.Ambiguous("a field's name is not a token (RFC 9110 section 5.6.2)")
	}
	if !hasOnly(value, valueByte) {
		return wire.Ambiguous("a field's value has control characters in it (RFC 9110 section 5.5)")
	}
	if isConfusable(name) {
		return wire.Ambiguous("a field's name differs from a framing field's name only in the hyphen")
	}
	return nil
}

// CheckSurroundingSpace refuses white space around a value (RFC 9113 section 8.2.1).
// A parser of HTTP/1.1 removes it instead (RFC 9110 section 5.5). name has passed
// CheckField. The detail names the field unless its name is long, because that is
// how an agent finds the cookie that it built with a superfluous "; ".
func CheckSurroundingSpace(name, value string) *wire.Malformed {
	if value == trimSpace(value) {
		return nil
	}
	if len(name) > 40 {
		name = "a field"
	}
	return wire.Ambiguous("the value of " + name + " begins or ends with white space (RFC 9113 section 8.2.1)")
}

// ForbiddenInTrailer reports whether a field with the given name frames, routes,
// authenticates or describes a message, for which a trailer is too late (RFC 9110
// section 6.5.1).
func ForbiddenInTrailer(name string) bool {
	if RoleOf(name) != RoleEndToEnd {
		return true
	}

	lower := strings.ToLower(name)
	switch lower {
	case "authorization", "cookie", "set-cookie", "www-authenticate", "authentication-info", "proxy-authentication-info",
		"cache-control", "pragma", "range", "if-match", "if-none-match", "if-modified-since", "if-unmodified-since",
		"if-range", "max-forwards", "age", "date", "expires", "location", "retry-after", "vary", "warning",
		"origin", "referer", "forwarded", "x-http-method-override", "x-http-method", "x-method-override":
		return true
	case "content-digest", "content-md5": // which are known when the body is over (RFC 9530 section 2)
		return false
	}
	return strings.HasPrefix(lower, "content-") || strings.HasPrefix(lower, "x-forwarded-") ||
		strings.HasPrefix(lower, "access-control-") || strings.HasPrefix(lower, "sec-")
}

// parseFields appends the fields in the lines of s to fields. s ends with an empty
// line. A message may have at most max fields.
func parseFields(s string, fields []wire.Field, max int) ([]wire.Field, *wire.Malformed) {
	for {
		end := strings.IndexByte(s, '\r')
		if end < 0 || end+1 >= len(s) || s[end+1] != '\n' {
			return fields, wire.Ambiguous("a line does not end in CR LF")
		}
		line := s[:end]
		s = s[end+2:]

		if line == "" {
			if s != "" {
				return fields, wire.Ambiguous("there are bytes after the head's empty line")
			}
			return fields, nil
		}
		if line[0] == ' ' || line[0] == '\t' {
			return fields, wire.Ambiguous("a field continues on the next line (obs-fold, RFC 9112 section 5.2)")
		}

		colon := strings.IndexByte(line, ':')
		if colon <= 0 {
			return fields, wire.Ambiguous("a line of the head is not a field")
		}
		f := wire.Field{Name: line[:colon], Value: trimSpace(line[colon+1:])}
		if bad := CheckField(f.Name, f.Value); bad != nil {
			return fields, bad
		}
		if len(fields) == max {
			return fields, wire.TooLarge(431, "there are too many fields")
		}
		fields = append(fields, f)
	}
}

// trimSpace removes optional white space, which is only SP and HTAB (RFC 9110
// section 5.6.3), from both ends of s.
func trimSpace(s string) string {
	for s != "" && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	for s != "" && (s[len(s)-1] == ' ' || s[len(s)-1] == '\t') {
		s = s[:len(s)-1]
	}
	return s
}

// EachListMember calls yield with every member of a comma-separated list that is not
// empty, until yield returns false (RFC 9110 section 5.6.1).
func EachListMember(list string, yield func(member string) bool) {
	for list != "" {
		var member string
		member, list, _ = strings.Cut(list, ",")
		if member = trimSpace(member); member != "" && !yield(member) {
			return
		}
	}
}

// AppendListMember returns the comma-separated list with member at its end.
func AppendListMember(list, member string) string {
	if list == "" {
		return member
	}
	return list + ", " + member
}

// RemoveListed removes from fields, in place, every field whose name is a member of
// list.
func RemoveListed(fields []wire.Field, list string) []wire.Field {
	kept := fields[:0]
	for _, f := range fields {
		listed := false
		EachListMember(list, func(member string) bool {
			listed = strings.EqualFold(member, f.Name)
			return !listed
		})
		if !listed {
			kept = append(kept, f)
		}
	}
	clear(fields[len(kept):])
	return kept
}
