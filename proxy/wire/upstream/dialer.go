package upstream

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/byline-proxy/byline/proxy/wire"
	"github.com/byline-proxy/byline/proxy/wire/internal/netconn"
)

// Dialer dials applications. It refuses addresses that only this machine or its
// network can reach, so that an agent does not get there through Byline. The zero
// value is ready for use. A Dialer is safe for concurrent use.
type Dialer struct {
	// Allow lists networks that may be dialed although they are not public.
	Allow []netip.Prefix
	// Resolver looks names up. Nil stands for net.DefaultResolver.
	Resolver interface {
		LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
	}
	// Connect dials an address that was checked. Nil stands for a net.Dialer.
	Connect func(ctx context.Context, network, addr string) (net.Conn, error)
}

// Dial connects to one of the addresses that Resolve returns for addr
// (host:port), and to no other. Attempts run concurrently, each with a small lead
// over the next (RFC 8305 section 5). The first connection wins. The error is a
// *wire.Error; its stage is wire.StageAddress if no address may be dialed.
func (d *Dialer) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	found, port, err := d.Resolve(ctx, network, addr)
	if err != nil {
		return nil, err
	}

	connect := d.Connect
	if connect == nil {
		connect = new(net.Dialer).DialContext
	}
	if len(found) == 1 {
		c, err := connect(ctx, "tcp", net.JoinHostPort(found[0].String(), port))
		if err != nil {
			return nil, &wire.Error{Stage: stageOf(ctx, err, wire.StageDial), Err: err}
		}
		return c, nil
	}
	r := &race{connect: connect, port: port, left: found, results: make(chan dialResult, len(found))}
	return r.run(ctx)
}

// Resolve returns the addresses of addr (host:port) that may be dialed, at least
// one, in the order in which to try them: address families alternate (RFC 8305
// section 4).
func (d *Dialer) Resolve(ctx context.Context, network, addr string) (found []netip.Addr, port string, err error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, "", &wire.Error{Stage: wire.StageAddress, Err: err}
	}
	all, err := d.lookUp(ctx, network, host)
	if err != nil {
		return nil, "", &wire.Error{Stage: stageOf(ctx, err, wire.StageDial), Err: err}
	}

	for _, a := range all {
		if d.allows(a) {
			found = append(found, a)
		}
	}
	if len(found) == 0 {
		return nil, "", &wire.Error{Stage: wire.StageAddress, Err: fmt.Errorf("%s has no address that may be dialled", host)}
	}
	return alternateFamilies(found), port, nil
}

func (d *Dialer) lookUp(ctx context.Context, network, host string) ([]netip.Addr, error) {
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

// alternateFamilies keeps the order within each family and begins with the family
// of the first address.
func alternateFamilies(all []netip.Addr) []netip.Addr {
	var first, second []netip.Addr
	for _, a := range all {
		if a.Unmap().Is4() == all[0].Unmap().Is4() {
			first = append(first, a)
		} else {
			second = append(second, a)
		}
	}

	out := make([]netip.Addr, 0, len(all))
	for i := range max(len(first), len(second)) {
		if i < len(first) {
			out = append(out, first[i])
		}
		if i < len(second) {
			out = append(out, second[i])
		}
	}
	return out
}

// attemptDelay is how long one attempt may take before the next begins next to
// it: the Connection Attempt Delay of RFC 8305 section 8.
const attemptDelay = 250 * time.Millisecond

// race dials the addresses of one name concurrently.
type race struct {
	connect func(ctx context.Context, network, addr string) (net.Conn, error)
	port    string
	left    []netip.Addr // not tried yet
	running int
	results chan dialResult
}

type dialResult struct {
	conn net.Conn
	err  error
}

func (r *race) run(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer func() {
		cancel()
		if n := r.running; n > 0 {
			go r.closeLate(n)
		}
	}()

	next := time.NewTimer(attemptDelay)
	defer next.Stop()
	r.startNext(ctx)
	for {
		select {
		case result := <-r.results:
			r.running--
			if result.err == nil {
				return result.conn, nil
			}
			if ctx.Err() != nil || len(r.left) == 0 && r.running == 0 {
				return nil, &wire.Error{Stage: stageOf(ctx, result.err, wire.StageDial), Err: result.err}
			}
		case <-next.C:
		}
		if r.startNext(ctx) {
			next.Reset(attemptDelay)
		}
	}
}

// startNext begins the next attempt and reports whether there was one.
func (r *race) startNext(ctx context.Context) bool {
	if len(r.left) == 0 {
		return false
	}

	addr := net.JoinHostPort(r.left[0].String(), r.port)
	r.left = r.left[1:]
	r.running++
	go func() {
		c, err := r.connect(ctx, "tcp", addr)
		r.results <- dialResult{c, err}
	}()
	return true
}

// closeLate closes the connections of n attempts that are still running when the
// race is over.
func (r *race) closeLate(n int) {
	for range n {
		if result := <-r.results; result.err == nil {
			_ = result.conn.Close()
		}
	}
}

// stageOf returns the stage of a timeout or of a cancelled exchange, and otherwise
// the given one.
func stageOf(ctx context.Context, err error, otherwise wire.Stage) wire.Stage {
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return wire.StageCanceled
	case errors.Is(err, context.DeadlineExceeded), errors.Is(ctx.Err(), context.DeadlineExceeded), netconn.IsTimeout(err):
		return wire.StageTimeout
	}
	return otherwise
}
