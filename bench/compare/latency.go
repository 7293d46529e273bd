package compare

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/byline-proxy/byline/bench/load"
	"github.com/byline-proxy/byline/bench/measure"
	"github.com/byline-proxy/byline/bench/peer"
)

// Latency is what agents wait for small pages in an open loop at one rate: a
// figure for each round, so that medians can be shown with their spread.
type Latency struct {
	Peer   string         `json:"peer"` // with what differs from its defaults
	Rate   float64        `json:"rate"` // asked for, a second
	Done   measure.Series `json:"done"` // the rate that was reached
	P50    measure.Series `json:"p50_us"`
	P99    measure.Series `json:"p99_us"`
	P999   measure.Series `json:"p999_us"`
	CPU    measure.Series `json:"cpu_us"`            // of the proxy for a request
	Busy   measure.Series `json:"busy"`              // part of its core that the proxy used
	Groups measure.Series `json:"groups,omitempty"`  // waits for the disk, a second
	Group  measure.Series `json:"group,omitempty"`   // records that one of them made durable
	SyncUS measure.Series `json:"sync_us,omitempty"` // how long one of them took
	Failed string         `json:"failed,omitempty"`
}

// InMemory is Byline with its records where no disk is waited for: what the
// wait for the disk costs is the difference.
const InMemory = peer.Byline + ", records in memory"

const latencyRounds = 5

// LatencySteps is how often Latencies calls progress.
const LatencySteps = 3 * latencyRounds

// Latencies measures the tunnel, Byline, and Byline without a disk under its
// records, one after the other in each round, at the same rate.
func Latencies(ctx context.Context, s *peer.Testbed, agents int, rate float64, length time.Duration, progress func(string)) []Latency {
	out := []Latency{{Peer: peer.Tunnel, Rate: rate}, {Peer: peer.Byline, Rate: rate}, {Peer: InMemory, Rate: rate}}
	peers := make([]*peer.Peer, len(out))
	for i := range out {
		p, stop, err := startFor(ctx, s, out[i].Peer)
		if err != nil {
			out[i].Failed = err.Error()
			continue
		}
		defer stop()
		peers[i] = p
	}
	for round := range latencyRounds {
		for k := range out {
			i := (k + round) % len(out) // nobody is always first
			progress(fmt.Sprintf("latency at %.0f a second, %s", rate, out[i].Peer))
			if out[i].Failed == "" {
				out[i].add(ctx, s, peers[i], agents, length)
			}
		}
	}
	return out
}

// startFor starts one of the peers whose latency is measured.
func startFor(ctx context.Context, s *peer.Testbed, name string) (*peer.Peer, func(), error) {
	if name != InMemory {
		p, err := s.Start(ctx, name)
		if err != nil {
			return nil, nil, err
		}
		return p, p.Stop, nil
	}
	dir, err := os.MkdirTemp("/dev/shm", "byline-bench-")
	if err != nil {
		return nil, nil, err
	}
	site := *s
	site.Tuning.Config = map[string]any{"audit": map[string]any{"dir": filepath.Join(dir, "audit")}}
	p, err := site.Start(ctx, peer.Byline)
	if err != nil {
		os.RemoveAll(dir)
		return nil, nil, err
	}
	return p, func() {
		p.Stop()
		os.RemoveAll(dir)
	}, nil
}

func (l *Latency) add(ctx context.Context, s *peer.Testbed, p *peer.Peer, agents int, length time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, length+time.Minute)
	defer cancel()
	at, err := OpenLoop(ctx, s, p, agents, l.Rate, length)
	if err != nil {
		l.Failed = err.Error()
		return
	}
	l.Done, l.P50, l.P99, l.P999 = append(l.Done, at.Done), append(l.P50, at.P50), append(l.P99, at.P99), append(l.P999, at.P999)
	l.CPU, l.Busy = append(l.CPU, at.Busy/at.Done*1e6), append(l.Busy, at.Busy)
	if at.Groups > 0 {
		l.Groups, l.Group, l.SyncUS = append(l.Groups, at.Groups), append(l.Group, at.Group), append(l.SyncUS, at.SyncUS)
	}
}

// Closed loads one running peer with as many small requests as it takes.
func Closed(ctx context.Context, s *peer.Testbed, p *peer.Peer, agents int, length time.Duration) (Sample, error) {
	return slice(ctx, s, p, Work{scale: 1e6, amount: 1, agents: agents, warm: max(2, 640/agents), length: length, enter: kept})
}

// Waited is what one open loop showed.
type Waited struct {
	Done           float64 // the rate that was reached, a second
	P50, P99, P999 float64 // microseconds
	Busy           float64 // part of its core that the proxy used
	Groups         float64 // waits for the disk, a second
	Group          float64 // records that one of them made durable
	SyncUS         float64 // how long one of them took
}

// OpenLoop loads one running peer with small requests at a rate.
func OpenLoop(ctx context.Context, s *peer.Testbed, p *peer.Peer, agents int, rate float64, length time.Duration) (l Waited, err error) {
	w := Work{agents: agents, enter: kept}
	_, units, leave, err := enter(ctx, s, p, w)
	if err != nil {
		return l, err
	}
	defer leave()
	var from, to reading
	var before, after peer.Audit
	r, err := load.OpenLoop{Agents: units, Rate: rate, Duration: length,
		Begin: func() (err error) {
			if before, err = p.Audit(); err == nil {
				from, err = read(s, p)
			}
			return err
		},
		End: func() (err error) {
			if to, err = read(s, p); err == nil {
				after, err = p.Audit()
			}
			return err
		}}.Run(ctx)
	if err != nil {
		return l, errors.Join(p.Err(), err)
	}
	recorded := after.Minus(before)
	wall := r.Elapsed.Seconds()
	return Waited{Done: float64(r.Units) / wall,
		P50: micro(r.Latency.Quantile(0.5)), P99: micro(r.Latency.Quantile(0.99)), P999: micro(r.Latency.Quantile(0.999)),
		Busy:   (to.proxy - from.proxy).Seconds() / wall,
		Groups: recorded.Groups / wall, Group: recorded.Records / max(1, recorded.Groups), SyncUS: recorded.Sync * 1e6 / max(1, recorded.Groups)}, nil
}
