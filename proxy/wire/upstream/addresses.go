package upstream

import "net/netip"

// may judges the address in the form in which the kernel will take it.
func (d *Dialer) may(a netip.Addr) bool {
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
	return !mapped && public(a)
}

// public is false for what the IANA special-purpose registries do not call
// globally reachable, and for transition addresses, which carry another address
// that a gateway would reach for us.
func public(a netip.Addr) bool {
	if !a.IsGlobalUnicast() || a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() {
		return false
	}
	for _, p := range special {
		if p.Contains(a) {
			return false
		}
	}
	return a.Is4() || globalUnicast.Contains(a)
}

var globalUnicast = netip.MustParsePrefix("2000::/3") // RFC 4291 section 2.4: all that is assigned

var special = func() (all []netip.Prefix) {
	for _, p := range []string{
		"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
		"192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16",
		"192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
		"168.63.129.16/32", // the host of an Azure machine, with its metadata
		"2001::/23",        // protocol assignments: Teredo (RFC 4380), ORCHID, benchmarks
		"2001:db8::/32", "2002::/16", "3fff::/20", "2620:4f:8000::/48",
	} {
		all = append(all, netip.MustParsePrefix(p))
	}
	return all
}()
