package upstream

import "net/netip"

// allows reports whether an address may be dialed. It judges the address in the
// form in which the kernel will take it.
func (d *Dialer) allows(a netip.Addr) bool {
	if !a.IsValid() || a.Zone() != "" {
		return false
	}

	mapped := a.Is4In6()
	a = a.Unmap()
	for _, p := range d.Allow {
		if p.Contains(a) {
			return true
		}
	}
	return !mapped && isPublic(a)
}

// isPublic reports whether the IANA special-purpose registries call an address
// globally reachable. It is false for transition addresses too: they carry
// another address, which a gateway would reach on Byline's behalf.
func isPublic(a netip.Addr) bool {
	if !a.IsGlobalUnicast() || a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() {
		return false
	}
	for _, p := range specialPurpose {
		if p.Contains(a) {
			return false
		}
	}
	return a.Is4() || globalUnicast.Contains(a)
}

// globalUnicast is all that is assigned of IPv6 (RFC 4291 section 2.4).
var globalUnicast = netip.MustParsePrefix("2000::/3")

var specialPurpose = parsePrefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
	"192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16",
	"192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
	"168.63.129.16/32", // the host of a virtual machine at Azure, with its metadata
	"2001::/23",        // protocol assignments: Teredo (RFC 4380), ORCHID, benchmarking
	"2001:db8::/32", "2002::/16", "3fff::/20", "2620:4f:8000::/48",
)

func parsePrefixes(texts ...string) []netip.Prefix {
	all := make([]netip.Prefix, 0, len(texts))
	for _, text := range texts {
		all = append(all, netip.MustParsePrefix(text))
	}
	return all
}
