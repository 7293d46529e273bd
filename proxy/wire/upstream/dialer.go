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

// Dial dials exactly the addresses of addr (host:port) that Resolve gives, side by
// side with a small lead for each over the next (RFC 8305 section 5); the first
// connection wins. The error is an *Error: stage address means that none may be
// dialled.
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
		conn, err := connect(ctx, "tcp", net.JoinHostPort(found[0].String(), port))
		if err != nil {
			return nil, &wire.Error{Stage: stageOf(ctx, err, wire.StageDial), Err: err}
		}
		return conn, nil
	}
	r := &race{connect: connect, port: port, left: found, done: make(chan arrival, len(found))}
	return r.run(ctx)
}

// Resolve gives what may be dialled of addr (host:port), in the order in which to
// try: families take turns (RFC 8305 section 4). There is at least one address if
// err is nil.
func (d *Dialer) Resolve(ctx context.Context, network, addr string) (found []netip.Addr, port string, err error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, "", &wire.Error{Stage: wire.StageAddress, Err: err}
	}
	all, err := d.resolve(ctx, network, host)
	if err != nil {
		return nil, "", &wire.Error{Stage: stageOf(ctx, err, wire.StageDial), Err: err}
	}
	for _, a := range all {
		if d.may(a) {
			found = append(found, a)
		}
	}
	if len(found) == 0 {
		return nil, "", &wire.Error{Stage: wire.StageAddress, Err: fmt.Errorf("%s has no address that may be dialled", host)}
	}
	return inTurns(found), port, nil
}

// inTurns keeps the order within each family and begins with the first's.
func inTurns(all []netip.Addr) []netip.Addr {
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

// lead is how long one attempt may take before the next begins beside it: the
// Connection Attempt Delay of RFC 8305 section 8.
const lead = 250 * time.Millisecond

// race dials several addresses of one name.
type race struct {
	connect func(ctx context.Context, network, addr string) (net.Conn, error)
	port    string
	left    []netip.Addr
	running int
	done    chan arrival
}

type arrival struct {
	conn net.Conn
	err  error
}

func (r *race) run(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer func() {
		cancel()
		if n := r.running; n > 0 {
			go r.sendHome(n)
		}
	}()
	next := time.NewTimer(lead)
	defer next.Stop()
	r.start(ctx)
	var why error
	for {
		select {
		case a := <-r.done:
			r.running--
			if a.err == nil {
				return a.conn, nil
			}
			why = a.err
			if ctx.Err() != nil || len(r.left) == 0 && r.running == 0 {
				return nil, &wire.Error{Stage: stageOf(ctx, why, wire.StageDial), Err: why}
			}
		case <-next.C:
		}
		if r.start(ctx) {
			next.Reset(lead)
		}
	}
}

// start begins the next attempt, if there is one.
func (r *race) start(ctx context.Context) bool {
	if len(r.left) == 0 {
		return false
	}
	addr := net.JoinHostPort(r.left[0].String(), r.port)
	r.left = r.left[1:]
	r.running++
	go func() {
		conn, err := r.connect(ctx, "tcp", addr)
		r.done <- arrival{conn, err}
	}()
	return true
}

// sendHome closes what comes in behind the winner.
func (r *race) sendHome(n int) {
	for range n {
		if a := <-r.done; a.err == nil {
			_ = a.conn.Close()
		}
	}
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

// stageOf tells a timeout and a cancelled exchange from another failure.
func stageOf(ctx context.Context, err error, otherwise wire.Stage) wire.Stage {
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return wire.StageCanceled
	case errors.Is(err, context.DeadlineExceeded), errors.Is(ctx.Err(), context.DeadlineExceeded), netconn.IsTimeout(err):
		return wire.StageTimeout
	}
	return otherwise
}
