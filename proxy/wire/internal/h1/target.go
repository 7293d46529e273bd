package h1

import (
	"strings"

	"github.com/byline-proxy/byline/proxy/wire"
)

// parseTarget reads a request target into h. named is the authority that an
// absolute or authority form names, or "".
func ParseTarget(t string, h *wire.Head, allowed TargetForms) (named string, bad *wire.Malformed) {
	if t == "" || len(t) > 1<<16 {
		return "", wire.Ambiguous("the target is empty or too long")
	}
	if !hasOnly(t, TargetByte) {
		return "", wire.Ambiguous("the target has a fragment, a backslash, or bytes that must be percent-encoded")
	}
	switch {
	case h.Method == "CONNECT":
		if allowed&AuthorityForm == 0 {
			return "", wire.Ambiguous("CONNECT is for the proxy, not for a host behind it")
		}
		if named, bad = CheckAuthority(t); bad != nil {
			return "", bad
		}
		if _, port := wire.SplitAuthority(named); port == "" {
			return "", wire.Ambiguous("the target of CONNECT has no port")
		}
		return named, nil
	case t == "*":
		if h.Method != "OPTIONS" {
			return "", wire.Ambiguous(`the target "*" is for OPTIONS alone`)
		}
		h.Path = "*"
		return "", nil
	case t[0] == '/':
		return "", setPath(t, h)
	case allowed&AbsoluteForm != 0:
		return parseAbsolute(t, h)
	}
	return "", wire.Ambiguous("the target is not a path")
}

func parseAbsolute(t string, h *wire.Head) (named string, bad *wire.Malformed) {
	const scheme = "http://"
	if len(t) < len(scheme) || !strings.EqualFold(t[:len(scheme)], scheme) {
		return "", wire.Ambiguous("the target is neither a path nor an http URL (use CONNECT for https)")
	}
	rest := t[len(scheme):]
	end := strings.IndexAny(rest, "/?")
	path := "/"
	if end < 0 {
		end = len(rest)
	} else if path = rest[end:]; path[0] == '?' {
		path = "/" + path
	}
	h.Scheme = "http"
	if named, bad = CheckAuthority(rest[:end]); bad != nil {
		return "", bad
	}
	return named, setPath(path, h)
}

// setPath splits path and query, and refuses escapes that decode to nothing:
// what a parser makes of "%zz" is its own affair.
func setPath(t string, h *wire.Head) *wire.Malformed {
	h.Path, h.Query, h.HasQuery = strings.Cut(t, "?")
	for rest := h.Path; ; {
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

// checkAuthority takes host or host:port, never userinfo, and returns it in
// lower case.
func CheckAuthority(s string) (string, *wire.Malformed) {
	host, port := s, ""
	if strings.HasPrefix(s, "[") {
		end := strings.IndexByte(s, ']')
		if end < 2 || !all6(s[1:end]) {
			return "", wire.Ambiguous("the host is not a name or an address")
		}
		host, port = s[:end+1], s[end+1:]
	} else {
		if i := strings.IndexByte(s, ':'); i >= 0 {
			host, port = s[:i], s[i:]
		}
		if host == "" || !hasOnly(host, hostByte) {
			return "", wire.Ambiguous("the host is not a name or an address (a user name is not taken here)")
		}
	}
	if len(host) > 255 || port != "" && !isPort(port) {
		return "", wire.Ambiguous("the host's port is not a number from 1 to 65535")
	}
	return strings.ToLower(s), nil
}

func all6(s string) bool {
	for i := 0; i < len(s); i++ {
		if !isHex(s[i]) && s[i] != ':' && s[i] != '.' {
			return false
		}
	}
	return strings.Count(s, ":") >= 2
}

func isPort(s string) bool { // with its colon
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

// sameAuthority compares what two places of one message name; a scheme's own
// port may be left out.
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
