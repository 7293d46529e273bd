package h1

import (
	"strings"

	"github.com/byline-proxy/byline/proxy/wire"
)

// TargetForms is a set of forms of a request target that a reader accepts besides
// the origin form and "*" (RFC 9112 section 3.2).
type TargetForms uint8

// The forms, which only a proxy port accepts.
const (
	AbsoluteForm  TargetForms = 1 << iota // http://host/path
	AuthorityForm                         // host:port, for CONNECT
)

// maxTarget is the length of the longest request target, in bytes.
const maxTarget = 1 << 16

// ParseTarget reads a request target into h, whose Method is set. named is the
// authority that the absolute or the authority form names, "" for the other forms.
func ParseTarget(target string, h *wire.Head, allowed TargetForms) (named string, bad *wire.Malformed) {
	if target == "" || len(target) > maxTarget {
		return "", wire.Ambiguous("the target is empty or too long")
	}
	if !hasOnly(target, targetByte) {
		return "", wire.Ambiguous("the target has a fragment, a backslash, or bytes that must be percent-encoded")
	}

	switch {
	case h.Method == "CONNECT":
		return parseAuthorityForm(target, allowed)
	case target == "*":
		if h.Method != "OPTIONS" {
			return "", wire.Ambiguous(`the target "*" is for OPTIONS alone`)
		}
		h.Path = "*"
		return "", nil
	case target[0] == '/':
		return "", setPath(target, h)
	case allowed&AbsoluteForm != 0:
		return parseAbsoluteForm(target, h)
	}
	return "", wire.Ambiguous("the target is not a path")
}

// parseAuthorityForm reads the target of CONNECT, which always has a port (RFC 9110
// section 9.3.6).
func parseAuthorityForm(target string, allowed TargetForms) (named string, bad *wire.Malformed) {
	if allowed&AuthorityForm == 0 {
		return "", wire.Ambiguous("CONNECT is for the proxy, not for a host behind it")
	}

	named, bad = CheckAuthority(target)
	if bad != nil {
		return "", bad
	}
	if _, port := wire.SplitAuthority(named); port == "" {
		return "", wire.Ambiguous("the target of CONNECT has no port")
	}
	return named, nil
}

// parseAbsoluteForm reads an http URL. Requests for https come through CONNECT.
func parseAbsoluteForm(target string, h *wire.Head) (named string, bad *wire.Malformed) {
	scheme, rest, isURL := strings.Cut(target, "://")
	scheme = strings.ToLower(scheme)
	if !isURL || scheme != "http" && scheme != "https" {
		return "", wire.Ambiguous("the target is neither a path nor the URL of a web page")
	}
	authority, path := rest, "/"

	if end := strings.IndexAny(authority, "/?"); end >= 0 {
		authority, path = authority[:end], authority[end:]
		if path[0] == '?' {
			path = "/" + path
		}
	}

	if named, bad = CheckAuthority(authority); bad != nil {
		return "", bad
	}
	h.Scheme = scheme
	return named, setPath(path, h)
}

// setPath splits target into path and query. It refuses a percent sign in the path
// that encodes nothing, because parsers disagree about "%zz".
func setPath(target string, h *wire.Head) *wire.Malformed {
	h.Path, h.Query, h.HasQuery = strings.Cut(target, "?")

	rest := h.Path
	for {
		i := strings.IndexByte(rest, '%')
		if i < 0 {
			return nil
		}
		if i+2 >= len(rest) || !isHex(rest[i+1]) || !isHex(rest[i+2]) {
			return wire.Ambiguous("the path has a broken percent-encoding")
		}
		rest = rest[i+3:]
	}
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

// CheckAuthority accepts host or host:port and returns it in lower case. It refuses
// user information and an IPv6 address without brackets.
func CheckAuthority(authority string) (string, *wire.Malformed) {
	host, port := authority, "" // port includes its colon
	if strings.HasPrefix(authority, "[") {
		end := strings.IndexByte(authority, ']')
		if end < 2 || !isIPv6Text(authority[1:end]) {
			return "", wire.Ambiguous("the host is not a name or an address")
		}
		host, port = authority[:end+1], authority[end+1:]
	} else {
		if i := strings.IndexByte(authority, ':'); i >= 0 {
			host, port = authority[:i], authority[i:]
		}
		if host == "" || !hasOnly(host, hostByte) {
			return "", wire.Ambiguous("the host is not a name or an address (a user name is not accepted)")
		}
	}

	if len(host) > 255 || port != "" && !isPort(port) {
		return "", wire.Ambiguous("the host's port is not a number from 1 to 65535")
	}
	return strings.ToLower(authority), nil
}

// isIPv6Text reports whether s has only the bytes of an IPv6 address and at least
// two colons.
func isIPv6Text(s string) bool {
	for i := 0; i < len(s); i++ {
		if !isHex(s[i]) && s[i] != ':' && s[i] != '.' {
			return false
		}
	}
	return strings.Count(s, ":") >= 2
}

// isPort reports whether s is a colon and a number from 1 to 65535 without leading
// zeros.
func isPort(s string) bool {
	if len(s) < 2 || len(s) > 6 || s[0] != ':' || s[1] == '0' {
		return false
	}

	n := 0
	for _, c := range []byte(s[1:]) {
		if c < '0' || c > '9' {
			return false
		}
		n = n*10 + int(c-'0')
	}
	return n <= 65535
}

// SameAuthority reports whether a and b, which CheckAuthority has returned, name the
// same host and port. The scheme's default port may be missing.
func SameAuthority(a, b, scheme string) bool {
	if a == b {
		return true
	}

	port := ":443"
	if scheme == "http" {
		port = ":80"
	}
	return strings.TrimSuffix(a, port) == strings.TrimSuffix(b, port)
}
