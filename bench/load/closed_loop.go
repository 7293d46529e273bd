package load

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// ClosedLoop is a load in which each agent begins its next unit of work as soon
// as the last one is done. Every field must be set, except WarmUp and MaxUnits.
type ClosedLoop struct {
	// Agents holds one function per agent. A call does one unit of work.
	Agents []func() error
	// WarmUp is the number of units that each agent does before the measurement.
	// An agent that is slower stops warming up after Duration. Agents begin in
	// steps, see [warmUp].
	WarmUp int
	// Duration is the length of the measurement. Units that are in flight at its
	// end are finished and counted.
	Duration time.Duration
	// MaxUnits ends the measurement after this many units of all agents together.
	// 0 means no limit.
	MaxUnits int64
	// Begin and End are called just before and just after the measurement, when
	// no unit is in flight.
	Begin, End func() error
}

// Result is what a loop did.
type Result struct {
	Units   int64
	Elapsed time.Duration
	Latency Histogram // of the units
}

// Run runs the loop. It fails with the first error of any unit: a figure that
// contains refused requests would be meaningless.
func (l ClosedLoop) Run(ctx context.Context) (Result, error) {
	if err := l.warmUp(ctx); err != nil {
		return Result{}, err
	}
	if err := l.Begin(); err != nil {
		return Result{}, err
	}

	latencies := make([]Histogram, len(l.Agents))
	var claimed atomic.Int64
	start := time.Now()
	end := start.Add(l.Duration)
	err := forEachAgent(ctx, l.Agents, func(i int, unit func() error) error {
		began := time.Now()
		for began.Before(end) && ctx.Err() == nil && (l.MaxUnits == 0 || claimed.Add(1) <= l.MaxUnits) {
			if err := unit(); err != nil {
				return err
			}
			ended := time.Now()
			latencies[i].Add(ended.Sub(began))
			began = ended
		}
		return ctx.Err()
	})
	result := Result{Elapsed: time.Since(start)}
	err = errors.Join(err, l.End())

	for i := range latencies {
		result.Latency.Merge(&latencies[i])
	}
	result.Units = result.Latency.Count()
	if err == nil && result.Units == 0 {
		err = errors.New("no unit was done")
	}
	return result, err
}

// forEachAgent calls work for all agents concurrently and waits for all calls. It
// returns the error of ctx, or otherwise the first error of an agent: if the proxy
// fails, every agent has one.
func forEachAgent(ctx context.Context, agents []func() error, work func(i int, unit func() error) error) error {
	errs := make([]error, len(agents))
	var wg sync.WaitGroup
	for i, unit := range agents {
		wg.Go(func() { errs[i] = work(i, unit) })
	}
	wg.Wait()

	if err := ctx.Err(); err != nil {
		return err
	}
	for i, err := range errs {
		if err != nil {
			return fmt.Errorf("agent %d: %w", i+1, err)
		}
	}
	return nil
}
