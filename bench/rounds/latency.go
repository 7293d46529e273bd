package rounds

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

// Latency is what agents wait for small pages in an open loop at one rate.
type Latency struct {
	Peer string  `json:"peer"` // with what differs from its defaults
	Rate float64 `json:"rate"` // asked for, a second
	// Done is the rate that was reached.
	Done float64 `json:"done"`
	// Medians over the rounds, in microseconds.
	P50  float64 `json:"p50_us"`
	P99  float64 `json:"p99_us"`
	P999 float64 `json:"p999_us"`
	Busy float64 `json:"busy"` // part of its core that the proxy used
	// Group is how many records one wait for the disk made durable, SyncUS how
	// long it took.
	Group  float64 `json:"group,omitempty"`
	SyncUS float64 `json:"sync_us,omitempty"`
	Failed string  `json:"failed,omitempty"`
}

// InMemory is Byline with its records where no disk is waited for: what the
// wait for the disk costs is the difference.
const InMemory = peer.Byline + ", records in memory"

// Latencies measures the tunnel, Byline, and Byline without a disk under its
// records, one after the other in each of two rounds, at the same rate.
func Latencies(ctx context.Context, s *peer.Site, agents int, rate float64, length time.Duration, progress func(string)) []Latency {
	const rounds = 2
	names := []string{peer.Tunnel, peer.Byline, InMemory}
	var out []Latency
	var series = make([]struct{ p50, p99, p999, busy, done, group, sync measure.Series }, len(names))
	failed := make([]error, len(names))
	for range rounds {
		for i, name := range names {
			progress(fmt.Sprintf("latency at %.0f a second, %s", rate, name))
			l, err := latency(ctx, s, name, agents, rate, length)
			if err != nil {
				failed[i] = err
				continue
			}
			of := &series[i]
			of.p50, of.p99, of.p999 = append(of.p50, l.P50), append(of.p99, l.P99), append(of.p999, l.P999)
			of.busy, of.done, of.group, of.sync = append(of.busy, l.Busy), append(of.done, l.Done), append(of.group, l.Group), append(of.sync, l.SyncUS)
		}
	}
	for i, name := range names {
		of := &series[i]
		l := Latency{Peer: name, Rate: rate}
		if len(of.p50) > 0 {
			l.P50, l.P99, l.P999 = of.p50.Median(), of.p99.Median(), of.p999.Median()
			l.Busy, l.Done, l.Group, l.SyncUS = of.busy.Median(), of.done.Median(), of.group.Median(), of.sync.Median()
		} else if failed[i] != nil {
			l.Failed = failed[i].Error()
		}
		out = append(out, l)
	}
	return out
}

func latency(ctx context.Context, s *peer.Site, name string, agents int, rate float64, length time.Duration) (l Latency, err error) {
	ctx, cancel := context.WithTimeout(ctx, length+time.Minute)
	defer cancel()
	site := *s
	start := name
	if name == InMemory {
		start = peer.Byline
		dir, err := os.MkdirTemp("/dev/shm", "byline-bench-")
		if err != nil {
			return l, err
		}
		defer os.RemoveAll(dir)
		site.Tuning.Config = map[string]any{"audit": map[string]any{"dir": filepath.Join(dir, "audit")}}
	}
	p, err := site.Start(ctx, start)
	if err != nil {
		return l, err
	}
	defer p.Stop()
	return OpenLoop(ctx, &site, p, agents, rate, length)
}

// Closed loads one running peer with as many small requests as it takes.
func Closed(ctx context.Context, s *peer.Site, p *peer.Peer, agents int, length time.Duration) (Sample, error) {
	return slice(ctx, s, p, Work{scale: 1e6, amount: 1, agents: agents, warm: max(2, 640/agents), length: length, enter: kept})
}

// OpenLoop loads one running peer with small requests at a rate.
func OpenLoop(ctx context.Context, s *peer.Site, p *peer.Peer, agents int, rate float64, length time.Duration) (l Latency, err error) {
	w := Work{agents: agents, enter: kept}
	_, units, leave, err := enter(ctx, s, p, w)
	if err != nil {
		return l, err
	}
	defer leave()
	var from, to reading
	var before, after peer.Audit
	r, err := load.Open{Agents: units, Rate: rate, For: length,
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
	return Latency{Peer: p.Name, Rate: rate, Done: float64(r.Units) / r.Elapsed.Seconds(),
		P50: micro(r.Latency.Quantile(0.5)), P99: micro(r.Latency.Quantile(0.99)), P999: micro(r.Latency.Quantile(0.999)),
		Busy:  (to.proxy - from.proxy).Seconds() / r.Elapsed.Seconds(),
		Group: recorded.Records / max(1, recorded.Groups), SyncUS: recorded.Sync * 1e6 / max(1, recorded.Groups)}, nil
}
