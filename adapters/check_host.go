package adapters

import (
	"net"
	"strings"
)

// hostFault says what is wrong with a host pattern; "" if nothing is.
func hostFault(pattern string) string {
	if strings.Contains(pattern, "/") {
		return "it is a URL; write the host only"
	}
	host, port := splitAuthority(pattern)
	if host == "" && strings.Count(pattern, ":") > 1 {
		return "write an IPv6 address in brackets"
	}
	if port != "" && (len(port) > 5 || strings.Trim(port, "0123456789") != "") {
		return "the port is not a number"
	}

	name := strings.TrimPrefix(host, "*.")
	switch {
	case name == "":
		return "it is empty"
	case strings.Contains(name, "*"):
		return "* may stand only at the front, as *.suffix"
	case strings.HasPrefix(name, "["):
		if net.ParseIP(strings.Trim(name, "[]")) == nil {
			return "it is not an IPv6 address in brackets"
		}
		return ""
	case host != name && !strings.Contains(name, "."):
		return "the suffix would cover a whole top-level domain"
	}

	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return "it is not a host name"
		}
	}
	return ""
}
