package identity

import (
	"context"
	"net/netip"
)

func init() {
	registerSource(sourceKind{name: BySubnet, order: 300, open: func(c Config, tasks *Registry) Source {
		if len(c.TrustedSubnets) == 0 {
			return nil
		}
		return subnetSource{c.trustedSubnets(), tasks}
	}})
}

// subnetSource identifies a task by the address that a connection comes from, within the
// networks that the configuration trusts to keep addresses honest.
type subnetSource struct {
	trusted []netip.Prefix
	tasks   *Registry
}

func (s subnetSource) Identify(_ context.Context, e Evidence) (*Task, error) {
	from, err := netip.ParseAddrPort(e.RemoteAddr)
	if err != nil || !isWithin(s.trusted, from.Addr().Unmap()) {
		return nil, ErrNotMine
	}

	t := s.tasks.bindings.byAddress(from.Addr().Unmap())
	if t == nil {
		return nil, ErrNotMine
	}
	return t, nil
}

func isWithin(prefixes []netip.Prefix, a netip.Addr) bool {
	for _, p := range prefixes {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
