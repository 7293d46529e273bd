package load

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"
)

// firstStep is how many agents begin to warm up at the same moment.
const firstStep = 64

// stepEnds lists after how many agents each step of a warm-up ends: twice as
// many each time. A thousand agents that begin at once would ask the proxy for a
// thousand new connections at once, and the last of them waits for all others:
// on a busy machine longer than a proxy may wait for a handshake.
func stepEnds(agents int) []int {
	all := []int{min(firstStep, agents)}
	for last := all[0]; last < agents; {
		last = min(2*last, agents)
		all = append(all, last)
	}
	return all
}

// warmUp lets the agents of each step begin once all of the step before have
// had an answer; those who have begun go on asking until everybody has, so that
// as many connections are in use as agents are at work.
type warmUp struct {
	ends    []int           // of the steps
	waiting []atomic.Int32  // by step, agents without an answer yet
	begin   []chan struct{} // by step, closed when it may begin; one more for after the last
	failed  atomic.Bool
	begun   atomic.Int64
}

func newWarmUp(agents int) *warmUp {
	w := &warmUp{ends: stepEnds(agents)}
	w.waiting, w.begin = make([]atomic.Int32, len(w.ends)), make([]chan struct{}, len(w.ends)+1)
	from := 0
	for i, end := range w.ends {
		w.begin[i] = make(chan struct{})
		w.waiting[i].Store(int32(end - from))
		from = end
	}
	w.begin[len(w.ends)] = make(chan struct{})
	close(w.begin[0])
	return w
}

// agent does agent i's part: least units or as many as it can in the time, and
// more while others have not begun. It stops when any agent's unit failed.
func (w *warmUp) agent(ctx context.Context, i int, unit func() error, least int, length time.Duration) error {
	step := 0
	for w.ends[step] <= i {
		step++
	}
	select {
	case <-w.begin[step]:
	case <-ctx.Done():
		return nil // each says so
	}
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
	until := time.Now().Add(length)
	for n := 1; err == nil && !w.failed.Load() && ctx.Err() == nil && (n < least && time.Now().Before(until) || !w.over()); n++ {
		if err = unit(); err != nil {
			w.failed.Store(true)
		}
	}
	return err
}

// over says that nobody is left who has to begin.
func (w *warmUp) over() bool {
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

// warm does all of it.
func (s Slice) warm(ctx context.Context) error {
	w := newWarmUp(len(s.Agents))
	err := s.each(ctx, func(i int, unit func() error) error {
		if s.Warm == 0 {
			return nil
		}
		return w.agent(ctx, i, unit, s.Warm, max(s.For, 500*time.Millisecond))
	})
	if err != nil {
		return fmt.Errorf("warming up, %d of %d agents had begun: %w", w.begun.Load(), len(s.Agents), err)
	}
	return nil
}
