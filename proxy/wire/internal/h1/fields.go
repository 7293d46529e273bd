package h1

import (
	"strings"

	"github.com/byline-proxy/byline/proxy/wire"
)

// meaning is what a field's name means to whoever frames a message.
type Role uint8

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
	RoleHopByHop // other fields of one hop: dropped
)

// meaningOf looks at the length first: most fields cost one comparison or none.
func RoleOf(name string) Role {
	switch len(name) {
	case 2:
		return when(name, "te", RoleTE)
	case 4:
		return when(name, "host", RoleHost)
	case 6:
		return when(name, "expect", RoleExpect)
	case 7:
		return when(name, "upgrade", RoleUpgrade) | when(name, "trailer", RoleTrailer)
	case 10:
		return when(name, "connection", RoleConnection) | when(name, "keep-alive", RoleHopByHop)
	case 12:
		return when(name, "content-type", RoleContentType)
	case 14:
		return when(name, "content-length", RoleContentLength) | when(name, "http2-settings", RoleHTTP2Settings)
	case 16:
		return when(name, "proxy-connection", RoleHopByHop)
	case 17:
		return when(name, "transfer-encoding", RoleTransferEncoding)
	case 18:
		return when(name, "proxy-authenticate", RoleHopByHop)
	case 19:
		return when(name, "proxy-authorization", RoleProxyAuthorization)
	}
	return RoleEndToEnd
}

func when(name, lower string, m Role) Role {
	if strings.EqualFold(name, lower) {
		return m
	}
	return RoleEndToEnd
}

// Classes of bytes (RFC 9110 sections 5.5 and 5.6.2, RFC 3986).
const (
	tokenByte = 1 << iota
	valueByte
	TargetByte
	hostByte
	plainByte // letters, digits and the hyphen: what nearly every name is made of
)

var class = func() (t [256]uint8) {
	for c := 0x21; c < 0x7f; c++ {
		t[c] |= valueByte
		if !strings.ContainsRune("#\\", rune(c)) {
			t[c] |= TargetByte
		}
	}
	for c := 0x80; c < 0x100; c++ {
		t[c] |= valueByte
	}
	t[' '] |= valueByte
	t['\t'] |= valueByte
	for _, c := range []byte("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") {
		t[c] |= tokenByte
	}
	for _, c := range []byte("-._~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") {
		t[c] |= hostByte
	}
	for _, c := range []byte("-0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") {
		t[c] |= plainByte
	}
	return t
}()

func hasOnly(s string, is uint8) bool {
	for i := 0; i < len(s); i++ {
		if class[s[i]]&is == 0 {
			return false
		}
	}
	return true
}

func IsToken(s string) bool { return s != "" && hasOnly(s, tokenByte) }

// masked are names that a gateway takes for the ones with a hyphen (the CGI kind
// folds an underscore, others whatever is no letter), and that would frame,
// route or authenticate a message there.
var masked = map[string]bool{
	"content-length": true, "transfer-encoding": true, "content-type": true, "proxy-authorization": true,
	"proxy-connection": true, "keep-alive": true, "http2-settings": true,
}

// isMasked: name is not one of them and folds to one.
func isMasked(name string) bool {
	for i := 0; i < len(name); i++ {
		if class[name[i]]&plainByte == 0 {
			return masked[strings.Map(func(r rune) rune {
				if r > 0x7f || class[r]&plainByte == 0 {
					return '-'
				}
				return r
			}, strings.ToLower(name))]
		}
	}
	return false
}

// checkField refuses what two parsers could read in two ways. It is the same
// for every protocol.
func CheckField(name, value string) *wire.Malformed {
	if !IsToken(name) {
		return wire.Ambiguous("a field's name is not a token (RFC 9110 section 5.6.2)")
	}
	if !hasOnly(value, valueByte) {
		return wire.Ambiguous("a field's value has control characters in it (RFC 9110 section 5.5)")
	}
	if isMasked(name) {
		return wire.Ambiguous("a field's name is a framing field's name, spelled with another mark for the hyphen")
	}
	return nil
}

// checkAround refuses white space around a value (RFC 9113 section 8.2.1; RFC 9110
// section 5.5 has a parser of HTTP/1.1 take it off). name passed checkField; it is
// told when it is short, for a cookie that was put together with one "; " too many
// is found sooner so.
func CheckSurroundingSpace(name, value string) *wire.Malformed {
	if value == trimSpace(value) {
		return nil
	}
	if len(name) > 40 {
		name = "a field"
	}
	return wire.Ambiguous("the value of " + name + " begins or ends with white space (RFC 9113 section 8.2.1)")
}

// forbiddenInTrailer are names that frame, route, authenticate or describe a
// message: too late in its trailer (RFC 9110 section 6.5.1).
func ForbiddenInTrailer(name string) bool {
	if RoleOf(name) != RoleEndToEnd {
		return true
	}
	switch lower := strings.ToLower(name); lower {
	case "authorization", "cookie", "set-cookie", "www-authenticate", "authentication-info", "proxy-authentication-info",
		"cache-control", "pragma", "range", "if-match", "if-none-match", "if-modified-since", "if-unmodified-since",
		"if-range", "max-forwards", "age", "date", "expires", "location", "retry-after", "vary", "warning",
		"origin", "referer", "forwarded", "x-http-method-override", "x-http-method", "x-method-override":
		return true
	default:
		return strings.HasPrefix(lower, "content-") || strings.HasPrefix(lower, "x-forwarded-") ||
			strings.HasPrefix(lower, "access-control-") || strings.HasPrefix(lower, "sec-")
	}
}

// cutFields reads the lines of s up to its empty line, which must be its end.
func cutFields(s string, fields []wire.Field, max int) ([]wire.Field, *wire.Malformed) {
	for {
		i := strings.IndexByte(s, '\r')
		if i < 0 || i+1 >= len(s) || s[i+1] != '\n' {
			return fields, wire.Ambiguous("a line does not end in CR LF")
		}
		line := s[:i]
		s = s[i+2:]
		if line == "" {
			if s != "" {
				return fields, wire.Ambiguous("there are bytes after the head's empty line")
			}
			return fields, nil
		}
		if line[0] == ' ' || line[0] == '\t' {
			return fields, wire.Ambiguous("a field goes on in the next line (obs-fold, RFC 9112 section 5.2)")
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

// trimSpace removes optional white space: SP and HTAB alone (RFC 9110 5.6.3).
func trimSpace(s string) string {
	for s != "" && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	for s != "" && (s[len(s)-1] == ' ' || s[len(s)-1] == '\t') {
		s = s[:len(s)-1]
	}
	return s
}

// eachListed calls yield with every member of a comma-separated list.
func EachListMember(value string, yield func(member string) bool) {
	for value != "" {
		var member string
		member, value, _ = strings.Cut(value, ",")
		if member = trimSpace(member); member != "" && !yield(member) {
			return
		}
	}
}
