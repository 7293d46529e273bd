package load

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"
)

// firstStep is the number of agents that begin to warm up at the same time.
const firstStep = 64

// warmUp lets agents begin in steps. The agents of a step begin when all agents
// of the step before have had a response. Each step doubles the number of agents
// that have begun: if a thousand agents began at once, they would ask the proxy
// for a thousand new connections at once, and on a busy machine the last of them
// would wait longer than a proxy allows for a handshake.
//
// Agents that have begun continue until the last ones begin, so that at the end
// of the warm-up as many connections are in use as there are agents.
type warmUp struct {
	ends    []int           // per step, the number of agents up to its end
	waiting []atomic.Int32  // per step, the number of agents without a response yet
	begin   []chan struct{} // per step, closed when the step may begin; the last one is closed when all have begun
	failed  atomic.Bool
	begun   atomic.Int64 // agents that have done their first unit
}

func newWarmUp(agents int) *warmUp {
	w := &warmUp{ends: stepEnds(agents)}
	w.waiting = make([]atomic.Int32, len(w.ends))
	w.begin = make([]chan struct{}, len(w.ends)+1)
	first := 0
	for i, end := range w.ends {
		w.begin[i] = make(chan struct{})
		w.waiting[i].Store(int32(end - first))
		first = end
	}
	w.begin[len(w.ends)] = make(chan struct{})
	close(w.begin[0])
	return w
}

// stepEnds returns, per step, the number of agents that have begun at its end.
func stepEnds(agents int) []int {
	last := min(firstStep, agents)
	ends := []int{last}
	for last < agents {
		last = min(2*last, agents)
		ends = append(ends, last)
	}
	return ends
}

// run does the warm-up of agent i: minUnits units, or as many as it can do in
// maxTime, and more until all agents have begun. It stops early if a unit of any
// agent fails or ctx ends.
func (w *warmUp) run(ctx context.Context, i int, unit func() error, minUnits int, maxTime time.Duration) error {
	step := 0
	for w.ends[step] <= i {
		step++
	}
	select {
	case <-w.begin[step]:
	case <-ctx.Done():
		return nil // the caller reports the end of ctx
	}

	// The first unit. The next step may begin even if it fails: its agents then
	// do nothing, and return.
	var err error
	if !w.failed.Load() {
		err = unit()
		w.begun.Add(1)
	}
	if err != nil {
		w.failed.Store(true)
	}
	if w.waiting[step].Add(-1) == 0 {
		close(w.begin[step+1])
	}

	end := time.Now().Add(maxTime)
	for n := 1; err == nil && !w.failed.Load() && ctx.Err() == nil; n++ {
		if w.allHaveBegun() && (n >= minUnits || !time.Now().Before(end)) {
			break
		}
		err = unit()
		if err != nil {
			w.failed.Store(true)
		}
	}
	return err
}

// allHaveBegun reports whether no agent has to begin any more. A single step
// begins at once.
func (w *warmUp) allHaveBegun() bool {
	if len(w.ends) == 1 {
		return true
	}
	select {
	case <-w.begin[len(w.ends)]:
		return true
	default:
		return false
	}
}

// warmUp runs the warm-up of all agents.
func (l ClosedLoop) warmUp(ctx context.Context) error {
	w := newWarmUp(len(l.Agents))
	maxTime := max(l.Duration, 500*time.Millisecond)
	err := forEachAgent(ctx, l.Agents, func(i int, unit func() error) error {
		if l.WarmUp == 0 {
			return nil
		}
		return w.run(ctx, i, unit, l.WarmUp, maxTime)
	})
	if err != nil {
		return fmt.Errorf("warming up, %d of %d agents had begun: %w", w.begun.Load(), len(l.Agents), err)
	}
	return nil
}
