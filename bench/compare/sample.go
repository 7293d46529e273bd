package compare

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/byline-proxy/byline/bench/load"
	"github.com/byline-proxy/byline/bench/measure"
	"github.com/byline-proxy/byline/bench/origin"
	"github.com/byline-proxy/byline/bench/peer"
)

// Sample is what one slice showed.
type Sample struct {
	Round     int     `json:"round"`      // from 0
	CPU       float64 `json:"cpu"`        // of the proxy, in the work's unit, as measured
	Yard      float64 `json:"yard"`       // CPU seconds of the fixed job just before
	Units     int64   `json:"units"`      // done in the slice
	Rate      float64 `json:"rate"`       // a second, of what the work's unit counts
	Busy      float64 `json:"busy"`       // part of its core that the proxy used
	LoadBusy  float64 `json:"load_busy"`  // part of their core that generator and origin used
	P50       float64 `json:"p50_us"`     // of a unit as its agent saw it, closed loop
	P99       float64 `json:"p99_us"`     //
	Resumed   float64 `json:"resumed"`    // part of the agents' handshakes that resumed; new connections only
	ByAccount int64   `json:"by_account"` // requests that reached the origin with an account's session
	ByPerson  int64   `json:"by_person"`  // requests that reached it with the person's

	// Records were made durable in the slice, in Groups with one wait for the
	// disk each, of SyncUS on average. Byline alone has a record.
	Records float64 `json:"records,omitempty"`
	Groups  float64 `json:"groups,omitempty"`
	SyncUS  float64 `json:"sync_us,omitempty"`
}

// slice does one work through one peer.
func slice(ctx context.Context, s *peer.Testbed, p *peer.Peer, w Work) (sample Sample, err error) {
	ctx, cancel := context.WithTimeout(ctx, 3*w.length+patience(w.agents))
	defer cancel()
	yard, err := measure.RunReferenceJob(s.Core, measure.ReferenceTurns)
	if err != nil {
		return sample, err
	}
	agents, units, leave, err := enter(ctx, s, p, w)
	if err != nil {
		return sample, err
	}
	defer leave()
	var from, to reading
	var before, after peer.Audit
	r, err := load.ClosedLoop{Agents: units, WarmUp: w.warm, Duration: w.length, MaxUnits: w.most,
		Begin: func() (err error) {
			for _, a := range agents { // no agent is at work now
				a.Opened, a.Resumed = 0, 0
			}
			if before, err = p.Audit(); err == nil { // asked outside of the slice: the answer costs the proxy time
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
		return sample, errors.Join(p.Err(), err)
	}
	seen := to.seen.Minus(from.seen)
	if err := controlled(p, r.Units, seen); err != nil {
		return sample, err
	}
	used, wall := (to.proxy - from.proxy).Seconds(), r.Elapsed.Seconds()
	recorded := after.Minus(before)
	return Sample{Records: recorded.Records, Groups: recorded.Groups, SyncUS: recorded.Sync * 1e6 / max(1, recorded.Groups),
		CPU: used / (float64(r.Units) * w.amount) * w.scale, Yard: yard.Seconds(), Units: r.Units, Rate: float64(r.Units) * w.amount / wall,
		Busy: used / wall, LoadBusy: (to.load - from.load).Seconds() / wall,
		P50: micro(r.Latency.Quantile(0.5)), P99: micro(r.Latency.Quantile(0.99)),
		Resumed: resumed(agents), ByAccount: seen.ByAccount, ByPerson: seen.ByPerson,
	}, nil
}

// patience is how long opening tunnels and warming up may take, on a machine
// that others use too.
func patience(agents int) time.Duration {
	return 30*time.Second + time.Duration(agents)*20*time.Millisecond
}

func resumed(agents []*load.Agent) float64 {
	opened, again := int64(0), int64(0)
	for _, a := range agents {
		opened, again = opened+a.Opened, again+a.Resumed
	}
	return float64(again) / float64(max(1, opened))
}

func micro(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// enter brings all agents of a work to the point where their first unit
// begins, sixteen at a time.
func enter(ctx context.Context, s *peer.Testbed, p *peer.Peer, w Work) (agents []*load.Agent, units []func() error, leave func(), err error) {
	agents, units = make([]*load.Agent, w.agents), make([]func() error, w.agents)
	leaves := make([]func(), w.agents)
	leave = func() {
		for _, l := range leaves {
			if l != nil {
				l()
			}
		}
	}
	errs := make([]error, 16)
	var all sync.WaitGroup
	var entered atomic.Int64
	for lane := range errs {
		all.Go(func() {
			for i := lane; i < w.agents && errs[lane] == nil; i += len(errs) {
				agents[i] = newAccess(s, p, i)
				if w.access != nil {
					w.access(p, agents[i])
				}
				var err error
				if units[i], leaves[i], err = w.enter(ctx, agents[i]); err != nil {
					errs[lane] = fmt.Errorf("agent %d: %w", i+1, err)
				} else {
					entered.Add(1)
				}
			}
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		leave()
		return nil, nil, nil, errors.Join(p.Err(), fmt.Errorf("opening tunnels, %d of %d agents had one: %w", entered.Load(), w.agents, err))
	}
	return agents, units, leave, nil
}

// reading is every clock at one moment.
type reading struct {
	proxy, load time.Duration
	seen        origin.Counts
}

func read(s *peer.Testbed, p *peer.Peer) (r reading, err error) {
	if r.seen, err = s.Origin.Counts(); err != nil {
		return r, err
	}
	for _, pid := range []int{os.Getpid(), s.Origin.PID()} {
		used, err := measure.ProcessCPU(pid)
		if err != nil {
			return r, err
		}
		r.load += used
	}
	r.proxy, err = measure.ProcessCPU(p.PID())
	return r, err
}

// controlled says whether the origin saw what it must behind this peer: an
// account's session, and never the person's, where the proxy replaces it.
func controlled(p *peer.Peer, units int64, seen origin.Counts) error {
	switch {
	case p.Replaces && seen.ByPerson > 0:
		return fmt.Errorf("%d requests reached the origin with the person's session", seen.ByPerson)
	case p.Replaces && seen.ByAccount < units:
		return fmt.Errorf("only %d of %d requests reached the origin with an account's session", seen.ByAccount, units)
	case !p.Replaces && seen.ByPerson < units:
		return fmt.Errorf("only %d of %d requests reached the origin", seen.ByPerson, units)
	}
	return nil
}
