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

// Latency is how long agents wait for small pages in an open loop. Each series
// has one value per round.
type Latency struct {
	Peer            string         `json:"peer"` // name, and what differs from its defaults
	Rate            float64        `json:"rate"` // requests per second that were due
	Reached         measure.Series `json:"done"` // requests per second that were done
	P50             measure.Series `json:"p50_us"`
	P99             measure.Series `json:"p99_us"`
	P999            measure.Series `json:"p999_us"`
	CPU             measure.Series `json:"cpu_us"`            // of the proxy, per request
	Busy            measure.Series `json:"busy"`              // share of its core that the proxy used
	GroupsPerSecond measure.Series `json:"groups,omitempty"`  // group commits
	RecordsPerGroup measure.Series `json:"group,omitempty"`   //
	SyncUS          measure.Series `json:"sync_us,omitempty"` // mean time of a sync
	Failed          string         `json:"failed,omitempty"`  // why there are no figures
}

// InMemory names Byline with its records on a file system in memory. The
// difference to Byline is what waiting for the disk costs.
const InMemory = peer.Byline + ", records in memory"

const latencyRounds = 5

// LatencySteps is how many times MeasureLatency calls progress.
const LatencySteps = 3 * latencyRounds

// MeasureLatency measures the tunnel, Byline, and Byline with its records in
// memory, in turn in each round and at the same rate.
func MeasureLatency(ctx context.Context, tb *peer.Testbed, agents int, rate float64, duration time.Duration, progress func(string)) []Latency {
	all := []Latency{
		{Peer: peer.Tunnel, Rate: rate},
		{Peer: peer.Byline, Rate: rate},
		{Peer: InMemory, Rate: rate},
	}

	peers := make([]*peer.Peer, len(all))
	for i := range all {
		p, stop, err := startForLatency(ctx, tb, all[i].Peer)
		if err != nil {
			all[i].Failed = err.Error()
			continue
		}
		defer stop()
		peers[i] = p
	}

	for round := range latencyRounds {
		for k := range all {
			i := (k + round) % len(all) // another peer is the first in each round
			progress(fmt.Sprintf("latency at %.0f a second, %s", rate, all[i].Peer))
			if all[i].Failed == "" {
				all[i].measure(ctx, tb, peers[i], agents, duration)
			}
		}
	}
	return all
}

// startForLatency starts a peer by its name in the result.
func startForLatency(ctx context.Context, tb *peer.Testbed, name string) (p *peer.Peer, stop func(), err error) {
	if name != InMemory {
		p, err := tb.Start(ctx, name)
		if err != nil {
			return nil, nil, err
		}
		return p, p.Stop, nil
	}

	dir, err := os.MkdirTemp("/dev/shm", "byline-bench-")
	if err != nil {
		return nil, nil, err
	}
	inMemory := *tb
	inMemory.Tuning.Config = map[string]any{"audit": map[string]any{"dir": filepath.Join(dir, "audit")}}
	p, err = inMemory.Start(ctx, peer.Byline)
	if err != nil {
		os.RemoveAll(dir)
		return nil, nil, err
	}
	return p, func() {
		p.Stop()
		os.RemoveAll(dir)
	}, nil
}

// measure adds one round.
func (l *Latency) measure(ctx context.Context, tb *peer.Testbed, p *peer.Peer, agents int, duration time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, duration+time.Minute)
	defer cancel()
	r, err := RunOpenLoop(ctx, tb, p, agents, l.Rate, duration)
	if err != nil {
		l.Failed = err.Error()
		return
	}
	l.Reached = append(l.Reached, r.Reached)
	l.P50 = append(l.P50, r.P50)
	l.P99 = append(l.P99, r.P99)
	l.P999 = append(l.P999, r.P999)
	l.CPU = append(l.CPU, r.Busy/r.Reached*1e6)
	l.Busy = append(l.Busy, r.Busy)
	if r.GroupsPerSecond > 0 {
		l.GroupsPerSecond = append(l.GroupsPerSecond, r.GroupsPerSecond)
		l.RecordsPerGroup = append(l.RecordsPerGroup, r.RecordsPerGroup)
		l.SyncUS = append(l.SyncUS, r.SyncUS)
	}
}

// OpenLoopResult is the result of one open loop.
type OpenLoopResult struct {
	Reached         float64 // requests per second that were done
	P50, P99, P999  float64 // µs
	Busy            float64 // share of its core that the proxy used
	GroupsPerSecond float64 // group commits
	RecordsPerGroup float64
	SyncUS          float64 // mean time of a sync
}

// RunOpenLoop loads a running peer with small requests at a rate, in requests per
// second.
func RunOpenLoop(ctx context.Context, tb *peer.Testbed, p *peer.Peer, agents int, rate float64, duration time.Duration) (OpenLoopResult, error) {
	prepared, err := prepareAgents(ctx, tb, p, Workload{agents: agents, prepare: reuseTunnel})
	if err != nil {
		return OpenLoopResult{}, err
	}
	defer prepared.cleanUp()
	m := &meter{testbed: tb, peer: p}
	loop := load.OpenLoop{Agents: prepared.units, Rate: rate, Duration: duration, Begin: m.begin, End: m.end}
	result, err := loop.Run(ctx)
	if err != nil {
		return OpenLoopResult{}, errors.Join(p.Err(), err)
	}

	seconds := result.Elapsed.Seconds()
	records := m.records()
	return OpenLoopResult{
		Reached:         float64(result.Units) / seconds,
		P50:             microseconds(result.Latency.Quantile(0.5)),
		P99:             microseconds(result.Latency.Quantile(0.99)),
		P999:            microseconds(result.Latency.Quantile(0.999)),
		Busy:            m.proxyCPU() / seconds,
		GroupsPerSecond: records.Groups / seconds,
		RecordsPerGroup: records.Records / max(1, records.Groups),
		SyncUS:          records.Sync * 1e6 / max(1, records.Groups),
	}, nil
}
