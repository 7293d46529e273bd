package certs

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// names is the set of names that an issuing authority may sign. The zero value
// permits nothing. All lists are sorted and without duplicates.
type names struct {
	exact    []string
	suffixes []string // "a.example" for "*.a.example"
	ips      []netip.Addr
}

// parseNames parses host names, "*.suffix" and IP addresses, each with or without
// a port, in any order and with repetitions.
func parseNames(hosts []string) (names, error) {
	var n names
	for _, text := range hosts {
		host := canonicalHost(text)
		if ip, err := netip.ParseAddr(host); err == nil {
			n.ips = append(n.ips, ip.Unmap())
			continue
		}
		suffix, isSuffix := strings.CutPrefix(host, "*.")
		switch {
		case !validName(suffix):
			return names{}, fmt.Errorf("certs: %q is not a host name, *.suffix or IP address", text)
		case isSuffix:
			n.suffixes = append(n.suffixes, suffix)
		default:
			n.exact = append(n.exact, host)
		}
	}

	slices.Sort(n.exact)
	slices.Sort(n.suffixes)
	slices.SortFunc(n.ips, netip.Addr.Compare)
	n.exact = slices.Compact(n.exact)
	n.suffixes = slices.Compact(n.suffixes)
	n.ips = slices.Compact(n.ips)
	return n, nil
}

// canonicalHost returns host in lower case and without port, brackets and final dot.
// An IPv4-mapped IPv6 address becomes the IPv4 address.
func canonicalHost(host string) string {
	if name, port, err := net.SplitHostPort(host); err == nil {
		if _, err := strconv.ParseUint(port, 10, 16); err == nil {
			host = name
		}
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.Unmap().String()
	}
	return host
}

// validName reports whether s is a host name in lower case (RFC 1123, Section
// 2.1). Underscores are accepted because names in intranets contain them.
func validName(s string) bool {
	if s == "" || len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, c := range []byte(label) {
			if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_') {
				return false
			}
		}
	}
	return true
}

// permits reports whether host, which must be canonical, may be signed.
func (n names) permits(host string) bool {
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.Zone() == "" && slices.Contains(n.ips, ip)
	}
	if !validName(host) {
		return false
	}
	if _, ok := slices.BinarySearch(n.exact, host); ok {
		return true
	}
	return slices.ContainsFunc(n.suffixes, func(suffix string) bool {
		return strings.HasSuffix(host, "."+suffix)
	})
}

// domains returns the permitted dNSName subtrees. RFC 5280, Section 4.2.1.10
// defines no leading dot for a dNSName constraint, so "*.suffix" becomes suffix.
func (n names) domains() []string {
	all := slices.Concat(n.exact, n.suffixes)
	slices.Sort(all)
	return slices.Compact(all)
}

// subnets returns the permitted iPAddress subtrees, one per address.
func (n names) subnets() []*net.IPNet {
	var subnets []*net.IPNet
	for _, ip := range n.ips {
		bits := ip.BitLen()
		subnets = append(subnets, &net.IPNet{IP: ip.AsSlice(), Mask: net.CIDRMask(bits, bits)})
	}
	return subnets
}
