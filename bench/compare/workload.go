// Package compare runs the comparison: in every round each work is done through
// each proxy in turn, so that what disturbs the machine disturbs all of them.
package compare

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/byline-proxy/byline/bench/load"
	"github.com/byline-proxy/byline/bench/origin"
	"github.com/byline-proxy/byline/bench/peer"
)

// Work is one kind of load and how its figure reads.
type Work struct {
	// Key names it on the command line.
	Key string `json:"key"`
	// Title and Unit are for readers; the figure is CPU time of the proxy in Unit.
	Title string `json:"title"`
	Unit  string `json:"unit"`
	// Budget is how many times the tunnel Byline may cost; 0: none is set.
	Budget float64 `json:"budget,omitempty"`

	// Opens says that each unit opens a connection, H2 that agents speak HTTP/2,
	// Body that a slice is one large body.
	Opens bool `json:"opens,omitempty"`
	H2    bool `json:"h2,omitempty"`
	Body  bool `json:"body,omitempty"`

	scale  float64 // from seconds to Unit
	amount float64 // how many of what Unit counts are done by one call
	agents int
	warm   int
	length time.Duration
	most   int64
	enter  func(ctx context.Context, a *load.Agent) (unit func() error, leave func(), err error)
	access func(p *peer.Peer, a *load.Agent) // what differs from an HTTP/1.1 agent; nil nothing
}

// Options bound a run.
type Options struct {
	Rounds     int           // how often everything is measured
	Length     time.Duration // of one slice
	BigBytes   int64         // of one body down or up
	Agents     int           // that work at the same time
	Stream     int64         // bytes of one body down and one up through Byline, with its memory watched; 0: none
	Idle       []int         // how many tunnels are held open without work; empty: that part is left out
	IdleOthers int           // the most that peers other than Byline are asked to hold
	Guests     []string      // peers whose slices are half as long and whose bodies an eighth
	NotIdle    []string      // peers that are asked to hold no idle tunnels
	Latency    time.Duration // of one open loop; 0: that part is left out
	Growth     time.Duration // of one slice of a growth curve; 0: likewise
	Hurry      time.Time     // after it the curves' points are measured once each; zero: never
	Works      []string      // keys; empty: all
	Peers      []string      // names
}

// Works lists the works in the order in which they are done.
func Works(o Options) ([]Work, error) {
	small := Work{Unit: "µs a request", scale: 1e6, amount: 1, agents: o.Agents, warm: 40, length: o.Length, enter: kept}
	fresh := Work{Unit: "µs a connection", Opens: true, scale: 1e6, amount: 1, agents: o.Agents, warm: 3, length: o.Length, enter: anew}
	big := Work{Unit: "s a GiB", Body: true, scale: 1, amount: float64(o.BigBytes) / (1 << 30), agents: 1, length: time.Minute, most: 1}
	all := []Work{
		small.as("small", 1.5, "Small request: kept-alive HTTP/1.1, 1 KiB of HTML back"),
		fresh.as("fresh", 1.7, "New connection: CONNECT, full handshake, one small request"),
		fresh.as("resumed", 1.4, "New connection, agents resuming TLS where the proxy lets them"),
		big.as("down", 1.5, "One GiB down"),
		big.as("up", 1.9, "One GiB up"),
		small.as("h2", 1.6, "Small request: HTTP/2 from the agent, HTTP/1.1 upstream where the proxy intercepts"),
		small.as("h2-h2", 0, "Small request: HTTP/2 on both sides where the proxy intercepts"),
	}
	all[2].access = func(_ *peer.Peer, a *load.Agent) { a.Tickets = tls.NewLRUClientSessionCache(1) }
	all[3].enter = body(o.BigBytes, (*load.Tunnel).Download)
	all[4].enter = body(o.BigBytes, (*load.Tunnel).Upload)
	all[5].H2, all[6].H2 = true, true
	all[5].access = func(p *peer.Peer, a *load.Agent) {
		a.Protocol = "h2"
		if !p.Intercepts {
			a.Host = origin.HostH2
		}
	}
	all[6].access = func(_ *peer.Peer, a *load.Agent) { a.Protocol, a.Host = "h2", origin.HostH2 }
	if len(o.Works) == 0 {
		return all, nil
	}
	var chosen []Work
	for _, key := range o.Works {
		i := slices.IndexFunc(all, func(w Work) bool { return w.Key == key })
		if i < 0 {
			return nil, fmt.Errorf("there is no work %q", key)
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}

func (w Work) as(key string, budget float64, title string) Work {
	w.Key, w.Budget, w.Title = key, budget, title
	return w
}

// kept opens one tunnel and asks for a page in it again and again.
func kept(ctx context.Context, a *load.Agent) (func() error, func(), error) {
	t, leave, err := open(ctx, a)
	if err != nil {
		return nil, nil, err
	}
	return t.GetPage, leave, nil
}

// anew opens a tunnel for every page.
func anew(ctx context.Context, a *load.Agent) (func() error, func(), error) {
	return func() error {
		t, leave, err := open(ctx, a)
		if err != nil {
			return err
		}
		defer leave()
		return t.GetPage()
	}, func() {}, nil
}

// body moves n bytes a unit; a small page and 1 MiB before it warm the tunnel.
func body(n int64, move func(*load.Tunnel, int64) error) func(context.Context, *load.Agent) (func() error, func(), error) {
	return func(ctx context.Context, a *load.Agent) (func() error, func(), error) {
		t, leave, err := open(ctx, a)
		if err != nil {
			return nil, nil, err
		}
		for _, warm := range []func() error{t.GetPage, func() error { return move(t, 1<<20) }} {
			if err := warm(); err != nil {
				leave()
				return nil, nil, err
			}
		}
		return func() error { return move(t, n) }, leave, nil
	}
}

// open opens a tunnel that is cut when ctx ends.
func open(ctx context.Context, a *load.Agent) (*load.Tunnel, func(), error) {
	t, err := a.OpenTunnel(ctx)
	if err != nil {
		return nil, nil, err
	}
	stop := context.AfterFunc(ctx, t.Abort)
	return t, func() {
		stop()
		t.Close()
	}, nil
}

// newAccess is how agent i gets through a peer.
func newAccess(s *peer.Testbed, p *peer.Peer, i int) *load.Agent {
	port := ""
	if p.RealPorts {
		_, port, _ = net.SplitHostPort(s.Origin.Ready.Addr) // the works that name the other host are not for such a peer
	}
	return &load.Agent{Port: port, Proxy: p.Addr, Authorization: p.Authorization(i), Host: origin.HostH1, Roots: p.Roots,
		Protocol: "http/1.1", Cookies: "theme=dark; " + origin.CookieName + "=" + s.Origin.Ready.Borrowed}
}
