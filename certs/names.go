package certs

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// names is what an issuing authority may sign. The zero value permits nothing.
type names struct {
	exact    []string     // sorted
	suffixes []string     // of "*.suffix", sorted
	ips      []netip.Addr // sorted
}

// parseNames takes host names, "*.suffix" and IP addresses, each with or
// without a port. Order and repetition do not matter.
func parseNames(hosts []string) (names, error) {
	var n names
	for _, h := range hosts {
		host := canonical(h)
		if ip, err := netip.ParseAddr(host); err == nil {
			n.ips = append(n.ips, ip.Unmap())
			continue
		}
		suffix, wild := strings.CutPrefix(host, "*.")
		switch {
		case !validName(suffix):
			return names{}, fmt.Errorf("certs: %q is not a host name, *.suffix or IP address", h)
		case wild:
			n.suffixes = append(n.suffixes, suffix)
		default:
			n.exact = append(n.exact, host)
		}
	}
	slices.Sort(n.exact)
	slices.Sort(n.suffixes)
	slices.SortFunc(n.ips, netip.Addr.Compare)
	n.exact, n.suffixes, n.ips = slices.Compact(n.exact), slices.Compact(n.suffixes), slices.Compact(n.ips)
	return n, nil
}

// canonical is a host without port, brackets or final dot, in lower case.
func canonical(host string) string {
	if h, port, err := net.SplitHostPort(host); err == nil {
		if _, err := strconv.ParseUint(port, 10, 16); err == nil {
			host = h
		}
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.Unmap().String()
	}
	return host
}

// validName takes what RFC 1123 section 2.1 allows, and underscores, which
// intranets have.
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

// permits takes a canonical host.
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
	return slices.ContainsFunc(n.suffixes, func(s string) bool { return strings.HasSuffix(host, "."+s) })
}

// domains are the dNSName subtrees. RFC 5280 section 4.2.1.10 knows no leading
// dot in a dNSName constraint, so "*.suffix" is written as its suffix.
func (n names) domains() []string {
	all := slices.Concat(n.exact, n.suffixes)
	slices.Sort(all)
	return slices.Compact(all)
}

func (n names) subnets() (out []*net.IPNet) {
	for _, ip := range n.ips {
		bits := ip.BitLen()
		out = append(out, &net.IPNet{IP: ip.AsSlice(), Mask: net.CIDRMask(bits, bits)})
	}
	return out
}
