package proxy

import (
	"strings"

	"github.com/byline-proxy/byline/proxy/wire"
)

// ambiguousPath returns why two readers could take the raw path p for different
// resources, or "" if they could not. The application, its front server and
// Byline each decode and resolve paths in their own way, so a path on which
// they could disagree is refused (RFC 3986 sections 5.2.4 and 6.2.2). data are bytes whose
// escapes the adapter takes as data.
func ambiguousPath(p, data string) string {
	if p == "*" {
		return ""
	}
	if !strings.HasPrefix(p, "/") {
		return "does not begin with a slash"
	}

	for i := 0; i < len(p); i++ {
		switch c := p[i]; {
		case c <= ' ' || c == 0x7f:
			return "holds a control byte or a space"
		case c >= 0x80:
			return "holds bytes outside ASCII that are not percent-encoded"
		case c == '\\' || c == '#' || c == '?':
			return "holds a backslash, a fragment or a second question mark"
		case c == ';':
			return "holds a path parameter (;)"
		case c == '/':
			if why := ambiguousSegment(p[i+1:]); why != "" {
				return why
			}
		case c == '%':
			if why := ambiguousEscape(p[i:], data); why != "" {
				return why
			}
		}
	}
	return ""
}

// ambiguousSegment checks the segment at the start of rest, which follows a
// slash.
func ambiguousSegment(rest string) string {
	if strings.HasPrefix(rest, "/") {
		return "holds an empty segment (//)"
	}

	segment, _, _ := strings.Cut(rest, "/")
	if segment == "." || segment == ".." {
		return "holds a dot segment"
	}
	return ""
}

// ambiguousEscape checks the percent sign at the start of s. The byte it
// encodes must not be one that gives a path its structure, unless it is data, nor a
// percent sign that encodes another byte.
func ambiguousEscape(s, data string) string {
	if len(s) < 3 || !isHex(s[1]) || !isHex(s[2]) {
		return "holds a percent sign that encodes nothing"
	}

	c := unhex(s[1])<<4 | unhex(s[2])
	if strings.IndexByte(data, c) >= 0 {
		if c == '%' && len(s) >= 5 && isHex(s[3]) && isHex(s[4]) {
			return "is percent-encoded twice"
		}
		return ""
	}
	switch c {
	case '/', '\\':
		return "hides a slash or a backslash behind percent-encoding"
	case '.':
		return "hides a dot behind percent-encoding"
	case ';', '?', '#':
		return "hides a delimiter behind percent-encoding"
	case '%':
		return "is percent-encoded twice"
	}
	if c < 0x20 || c == 0x7f {
		return "hides a control byte behind percent-encoding"
	}
	if c >= 0xc0 && isOverlong(c, s[3:]) {
		return "hides a byte behind UTF-8 that is longer than it must be"
	}
	return ""
}

// isOverlong reports whether lead and the escape at the start of rest begin an
// encoding of a character that also has a shorter one (RFC 3629 section 10).
// Lenient decoders make a dot or a slash of it. A single byte of Latin-1 does
// not begin such an encoding.
func isOverlong(lead byte, rest string) bool {
	if len(rest) < 3 || rest[0] != '%' || !isHex(rest[1]) || !isHex(rest[2]) {
		return false
	}

	next := unhex(rest[1])<<4 | unhex(rest[2])
	switch lead {
	case 0xc0, 0xc1:
		return next >= 0x80 && next < 0xc0
	case 0xe0:
		return next >= 0x80 && next < 0xa0
	case 0xf0:
		return next >= 0x80 && next < 0x90
	}
	return false
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

func unhex(c byte) byte {
	switch {
	case c <= '9':
		return c - '0'
	case c >= 'a':
		return c - 'a' + 10
	}
	return c - 'A' + 10
}

// canonicalAuthority returns the one spelling that stands for an authority: host
// in lower case without a trailing dot, a colon, and the port, which is the
// scheme's if authority names none. It returns "" if there is no host.
func canonicalAuthority(authority, scheme string) string {
	host, port := wire.SplitAuthority(authority)
	if host == "" {
		return ""
	}
	if port == "" {
		port = "443"
		if scheme == "http" {
			port = "80"
		}
	}
	return host + ":" + port
}
