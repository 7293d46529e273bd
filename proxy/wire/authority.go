package wire

import "strings"

// SplitAuthority splits an authority without user information (RFC 3986 section
// 3.2), host or host:port, into its host and its port. The host is returned in
// lower case and without a trailing dot, so that one host has one spelling. An
// IPv6 address keeps its brackets. The port is "" if authority names none.
//
// SplitAuthority returns two empty strings for an IPv6 address without brackets,
// whose last group cannot be told from a port. It does not check further that the
// host is a valid name or the port a number.
func SplitAuthority(authority string) (host, port string) {
	host = authority
	if i := strings.LastIndexByte(authority, ':'); i >= 0 && !strings.HasSuffix(authority, "]") {
		host, port = authority[:i], authority[i+1:]
	}

	if strings.Contains(host, ":") && !strings.HasPrefix(host, "[") {
		return "", ""
	}
	return strings.ToLower(strings.TrimSuffix(host, ".")), port
}
