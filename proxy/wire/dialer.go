package wire

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
)

// Dialer dials the SaaS, and nothing that only this machine or its network can
// reach: an agent must not get there through us. The zero value is ready; it is
// safe for concurrent use.
type Dialer struct {
	// Allow are networks that may be dialled although they are not public.
	Allow []netip.Prefix
	// Resolver is net.DefaultResolver if nil.
	Resolver interface {
		LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
	}
	// Connect dials an address that was checked; a net.Dialer does if it is nil.
	Connect func(ctx context.Context, network, addr string) (net.Conn, error)
}

// Dial resolves addr (host:port), drops every address that is not public and
// not allowed, and dials exactly those that are left, one after the other. The
// error is an *Error: stage address means that none was left.
func (d *Dialer) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, &Error{Stage: "address", Err: err}
	}
	found, err := d.resolve(ctx, network, host)
	if err != nil {
		return nil, &Error{Stage: stageOf(ctx, err, "dial"), Err: err}
	}
	connect := d.Connect
	if connect == nil {
		connect = new(net.Dialer).DialContext
	}
	err = &Error{Stage: "address", Err: fmt.Errorf("%s has no address that may be dialled", host)}
	for _, a := range found {
		if !d.may(a) {
			continue
		}
		conn, derr := connect(ctx, "tcp", net.JoinHostPort(a.String(), port))
		if derr == nil {
			return conn, nil
		}
		err = &Error{Stage: stageOf(ctx, derr, "dial"), Err: derr}
		if ctx.Err() != nil {
			break
		}
	}
	return nil, err
}

func (d *Dialer) resolve(ctx context.Context, network, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a}, nil
	}
	family := "ip"
	switch network {
	case "tcp4":
		family = "ip4"
	case "tcp6":
		family = "ip6"
	}
	if d.Resolver != nil {
		return d.Resolver.LookupNetIP(ctx, family, host)
	}
	return net.DefaultResolver.LookupNetIP(ctx, family, host)
}

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

// stageOf tells a timeout and a cancelled exchange from another failure.
func stageOf(ctx context.Context, err error, otherwise string) string {
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return "canceled"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(ctx.Err(), context.DeadlineExceeded), isTimeout(err):
		return "timeout"
	}
	return otherwise
}
