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

// Workload is one kind of load, and how its figure is presented.
type Workload struct {
	// Key names the workload on the command line.
	Key string `json:"key"`
	// Title is for readers. Unit is the unit of the figure, which is CPU time of
	// the proxy.
	Title string `json:"title"`
	Unit  string `json:"unit"`
	// Budget is the highest permitted cost of Byline, as a multiple of the
	// tunnel's; 0 means that there is no budget.
	Budget float64 `json:"budget,omitempty"`

	// Opens says that each unit of work opens a connection, H2 that agents speak
	// HTTP/2, and Body that a unit of work is one large body.
	Opens bool `json:"opens,omitempty"`
	H2    bool `json:"h2,omitempty"`
	Body  bool `json:"body,omitempty"`

	scale    float64 // seconds of CPU time times scale is the figure in Unit
	amount   float64 // of what the figure is per, done by one unit of work: a request, a connection, GiB
	agents   int
	warmUp   int           // units of work per agent before the measurement
	duration time.Duration // of one measurement
	maxUnits int64         // that end the measurement earlier; 0: no limit
	prepare  prepareFunc
	// configure changes what differs from an agent that speaks HTTP/1.1. It may
	// be nil.
	configure func(p *peer.Peer, a *load.Agent)
}

// prepareFunc brings an agent to the point where its first unit of work begins.
// It returns a function that does one unit, and one that ends the agent's work.
type prepareFunc func(ctx context.Context, a *load.Agent) (unit func() error, cleanUp func(), err error)

// Options say what a run measures.
type Options struct {
	Rounds        int           // how often everything is measured
	Duration      time.Duration // of one measurement
	BigBytes      int64         // of one large body, in each direction
	Agents        int           // that work at the same time
	Stream        int64         // bytes of one body in each direction while Byline's memory is watched; 0: left out
	Idle          []int         // numbers of idle tunnels; empty: left out
	MaxIdleOthers int           // the highest number of idle tunnels that is measured with peers other than Byline
	LightPeers    []string      // peers whose measurements are half as long and whose large bodies are an eighth
	NoIdlePeers   []string      // peers that are not measured with idle tunnels
	Latency       time.Duration // of one open loop; 0: left out
	Growth        time.Duration // of one measurement of a growth curve; 0: left out
	ShortenAfter  time.Time     // from when on each point of a growth curve is measured only once; zero: never
	Workloads     []string      // keys; empty: all
	Peers         []string      // names
}

// Workloads returns the chosen workloads, or all of them, in the order in which
// they are measured. It fails if a key is unknown.
func Workloads(o Options) ([]Workload, error) {
	small := Workload{Unit: "µs a request", scale: 1e6, amount: 1,
		agents: o.Agents, warmUp: 40, duration: o.Duration, prepare: reuseTunnel}
	fresh := Workload{Unit: "µs a connection", Opens: true, scale: 1e6, amount: 1,
		agents: o.Agents, warmUp: 3, duration: o.Duration, prepare: openTunnelPerPage}
	large := Workload{Unit: "s a GiB", Body: true, scale: 1, amount: float64(o.BigBytes) / (1 << 30),
		agents: 1, duration: time.Minute, maxUnits: 1}

	resumed := fresh
	resumed.configure = func(_ *peer.Peer, a *load.Agent) {
		a.Tickets = tls.NewLRUClientSessionCache(1)
	}
	down := large
	down.prepare = transferBodies(o.BigBytes, (*load.Tunnel).Download)
	up := large
	up.prepare = transferBodies(o.BigBytes, (*load.Tunnel).Upload)
	h2 := small
	h2.H2 = true
	h2.configure = func(p *peer.Peer, a *load.Agent) {
		a.Protocol = "h2"
		if !p.Intercepts { // then the origin itself must speak HTTP/2
			a.Host = origin.HostH2
		}
	}
	h2h2 := small
	h2h2.H2 = true
	h2h2.configure = func(_ *peer.Peer, a *load.Agent) {
		a.Protocol = "h2"
		a.Host = origin.HostH2
	}

	all := []Workload{
		small.named("small", 1.5, "Small request: kept-alive HTTP/1.1, 1 KiB of HTML back"),
		fresh.named("fresh", 1.7, "New connection: CONNECT, full handshake, one small request"),
		resumed.named("resumed", 1.4, "New connection, agents resuming TLS where the proxy lets them"),
		down.named("down", 1.5, "One GiB down"),
		up.named("up", 1.9, "One GiB up"),
		h2.named("h2", 1.6, "Small request: HTTP/2 from the agent, HTTP/1.1 upstream where the proxy intercepts"),
		h2h2.named("h2-h2", 0, "Small request: HTTP/2 on both sides where the proxy intercepts"),
	}
	if len(o.Workloads) == 0 {
		return all, nil
	}
	var chosen []Workload
	for _, key := range o.Workloads {
		i := slices.IndexFunc(all, func(w Workload) bool { return w.Key == key })
		if i < 0 {
			return nil, fmt.Errorf("there is no work %q", key)
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}

func (w Workload) named(key string, budget float64, title string) Workload {
	w.Key = key
	w.Budget = budget
	w.Title = title
	return w
}

// reuseTunnel opens one tunnel; a unit of work gets a small page in it.
func reuseTunnel(ctx context.Context, a *load.Agent) (unit func() error, cleanUp func(), err error) {
	tunnel, closeTunnel, err := openTunnel(ctx, a)
	if err != nil {
		return nil, nil, err
	}
	return tunnel.GetPage, closeTunnel, nil
}

// openTunnelPerPage opens a tunnel, gets a small page and closes the tunnel in
// each unit of work.
func openTunnelPerPage(ctx context.Context, a *load.Agent) (unit func() error, cleanUp func(), err error) {
	unit = func() error {
		tunnel, closeTunnel, err := openTunnel(ctx, a)
		if err != nil {
			return err
		}
		defer closeTunnel()
		return tunnel.GetPage()
	}
	return unit, func() {}, nil
}

// transferBodies opens one tunnel and warms it up with a small page and 1 MiB; a
// unit of work transfers n bytes.
func transferBodies(n int64, transfer func(*load.Tunnel, int64) error) prepareFunc {
	return func(ctx context.Context, a *load.Agent) (unit func() error, cleanUp func(), err error) {
		tunnel, closeTunnel, err := openTunnel(ctx, a)
		if err != nil {
			return nil, nil, err
		}
		err = tunnel.GetPage()
		if err == nil {
			err = transfer(tunnel, 1<<20)
		}
		if err != nil {
			closeTunnel()
			return nil, nil, err
		}
		return func() error { return transfer(tunnel, n) }, closeTunnel, nil
	}
}

// openTunnel opens a tunnel that is aborted when ctx ends.
func openTunnel(ctx context.Context, a *load.Agent) (tunnel *load.Tunnel, closeTunnel func(), err error) {
	tunnel, err = a.OpenTunnel(ctx)
	if err != nil {
		return nil, nil, err
	}
	stop := context.AfterFunc(ctx, tunnel.Abort)
	return tunnel, func() {
		stop()
		tunnel.Close()
	}, nil
}

// newAgent returns agent i of a peer. It speaks HTTP/1.1.
func newAgent(tb *peer.Testbed, p *peer.Peer, i int) *load.Agent {
	port := ""
	if p.NeedsOriginPort {
		// Workloads with the other host are not measured with such peers.
		_, port, _ = net.SplitHostPort(tb.Origin.Ready.Addr)
	}
	return &load.Agent{
		Proxy:         p.Addr,
		Authorization: p.Authorization(i),
		Host:          origin.HostH1,
		Port:          port,
		Roots:         p.Roots,
		Protocol:      "http/1.1",
		Cookies:       "theme=dark; " + origin.CookieName + "=" + tb.Origin.Ready.Borrowed,
	}
}
