package compare

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/byline-proxy/byline/bench/load"
	"github.com/byline-proxy/byline/bench/measure"
	"github.com/byline-proxy/byline/bench/peer"
)

// Sample is the result of one measurement: one workload through one peer in one
// round.
type Sample struct {
	Round         int     `json:"round"`      // from 0
	CPU           float64 `json:"cpu"`        // of the proxy, in the workload's unit, not normalized
	ReferenceTime float64 `json:"yard"`       // CPU seconds of the reference job just before
	Units         int64   `json:"units"`      // of work
	Rate          float64 `json:"rate"`       // per second, of what the workload's figure is per
	Busy          float64 `json:"busy"`       // share of its core that the proxy used
	LoadBusy      float64 `json:"load_busy"`  // share of their core that generator and origin used
	P50           float64 `json:"p50_us"`     // of a unit as its agent saw it, in the closed loop
	P99           float64 `json:"p99_us"`     // likewise
	Resumed       float64 `json:"resumed"`    // share of the agents' handshakes that resumed a session; only if the workload opens connections
	ByAccount     int64   `json:"by_account"` // requests that reached the origin with an account's session
	ByPerson      int64   `json:"by_person"`  // requests that reached the origin with the person's session

	// What Byline recorded meanwhile; other peers record nothing.
	Records float64 `json:"records,omitempty"`
	Groups  float64 `json:"groups,omitempty"`  // group commits, each with one sync
	SyncUS  float64 `json:"sync_us,omitempty"` // mean time of a sync
}

// takeSample measures one workload through one peer.
func takeSample(ctx context.Context, tb *peer.Testbed, p *peer.Peer, w Workload) (Sample, error) {
	ctx, cancel := context.WithTimeout(ctx, 3*w.duration+preparationTime(w.agents))
	defer cancel()
	reference, err := measure.RunReferenceJob(tb.Core, measure.ReferenceTurns)
	if err != nil {
		return Sample{}, err
	}
	agents, err := prepareAgents(ctx, tb, p, w)
	if err != nil {
		return Sample{}, err
	}
	defer agents.cleanUp()

	m := &meter{testbed: tb, peer: p}
	loop := load.ClosedLoop{
		Agents:   agents.units,
		WarmUp:   w.warmUp,
		Duration: w.duration,
		MaxUnits: w.maxUnits,
		Begin: func() error {
			agents.resetHandshakes()
			return m.begin()
		},
		End: m.end,
	}
	result, err := loop.Run(ctx)
	if err != nil {
		return Sample{}, errors.Join(p.Err(), err)
	}
	if err := m.checkSessions(result.Units); err != nil {
		return Sample{}, err
	}

	seconds := result.Elapsed.Seconds()
	amount := float64(result.Units) * w.amount
	records := m.records()
	seen := m.after.counts.Minus(m.before.counts)
	return Sample{
		CPU:           m.proxyCPU() / amount * w.scale,
		ReferenceTime: reference.Seconds(),
		Units:         result.Units,
		Rate:          amount / seconds,
		Busy:          m.proxyCPU() / seconds,
		LoadBusy:      m.loadCPU() / seconds,
		P50:           microseconds(result.Latency.Quantile(0.5)),
		P99:           microseconds(result.Latency.Quantile(0.99)),
		Resumed:       agents.resumedShare(),
		ByAccount:     seen.ByAccount,
		ByPerson:      seen.ByPerson,
		Records:       records.Records,
		Groups:        records.Groups,
		SyncUS:        records.Sync * 1e6 / max(1, records.Groups),
	}, nil
}

// RunClosedLoop loads a running peer with as many small requests as it can serve.
func RunClosedLoop(ctx context.Context, tb *peer.Testbed, p *peer.Peer, agents int, duration time.Duration) (Sample, error) {
	return takeSample(ctx, tb, p, smallRequests(agents, duration))
}

// smallRequests returns a workload of small requests in tunnels that stay open.
func smallRequests(agents int, duration time.Duration) Workload {
	return Workload{
		scale:    1e6,
		amount:   1,
		agents:   agents,
		warmUp:   max(2, 640/agents),
		duration: duration,
		prepare:  reuseTunnel,
	}
}

// preparationTime bounds how long opening tunnels and warming up may take, on a
// machine that others may use too.
func preparationTime(agents int) time.Duration {
	return 30*time.Second + time.Duration(agents)*20*time.Millisecond
}

// preparedAgents are agents whose first unit of work is about to begin.
type preparedAgents struct {
	agents   []*load.Agent
	units    []func() error
	cleanUps []func()
}

// prepareAgents prepares all agents of a workload, 16 at a time. If one fails, it
// cleans up after the others.
func prepareAgents(ctx context.Context, tb *peer.Testbed, p *peer.Peer, w Workload) (*preparedAgents, error) {
	prepared := &preparedAgents{
		agents:   make([]*load.Agent, w.agents),
		units:    make([]func() error, w.agents),
		cleanUps: make([]func(), w.agents),
	}
	errs := make([]error, 16)
	var ready atomic.Int64
	var wg sync.WaitGroup
	for lane := range errs {
		wg.Go(func() {
			for i := lane; i < w.agents && errs[lane] == nil; i += len(errs) {
				agent := newAgent(tb, p, i)
				if w.configure != nil {
					w.configure(p, agent)
				}
				prepared.agents[i] = agent

				var err error
				prepared.units[i], prepared.cleanUps[i], err = w.prepare(ctx, agent)
				if err != nil {
					errs[lane] = fmt.Errorf("agent %d: %w", i+1, err)
				} else {
					ready.Add(1)
				}
			}
		})
	}
	wg.Wait()

	if err := errors.Join(errs...); err != nil {
		prepared.cleanUp()
		return nil, errors.Join(p.Err(), fmt.Errorf("opening tunnels, %d of %d agents had one: %w", ready.Load(), w.agents, err))
	}
	return prepared, nil
}

func (a *preparedAgents) cleanUp() {
	for _, cleanUp := range a.cleanUps {
		if cleanUp != nil {
			cleanUp()
		}
	}
}

// resetHandshakes sets the counts of handshakes to 0. No agent may be at work.
func (a *preparedAgents) resetHandshakes() {
	for _, agent := range a.agents {
		agent.Opened = 0
		agent.Resumed = 0
	}
}

// resumedShare returns the share of the handshakes that resumed a session.
func (a *preparedAgents) resumedShare() float64 {
	var opened, resumed int64
	for _, agent := range a.agents {
		opened += agent.Opened
		resumed += agent.Resumed
	}
	return float64(resumed) / float64(max(1, opened))
}
