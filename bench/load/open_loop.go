package load

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// OpenLoop is a load in which units of work begin at a given rate, whether or not
// earlier ones are done. Agents take turns in a fixed order. If an agent is still
// busy when its turn comes, its next unit begins late, but its latency counts
// from when it was due: otherwise a slow response would hide the delay of those
// after it (coordinated omission). If only the timer wakes an agent late, the
// latency counts from when it woke.
type OpenLoop struct {
	Agents   []func() error
	Rate     float64 // units per second, of all agents together
	Duration time.Duration
	// Begin and End are called just before the first unit and after the last one.
	Begin, End func() error
}

// Run does one unit per agent as a warm-up and then runs the loop. It fails with
// the first error of any unit.
func (l OpenLoop) Run(ctx context.Context) (Result, error) {
	if len(l.Agents) == 0 || l.Rate <= 0 {
		return Result{}, errors.New("an open loop needs agents and a rate")
	}
	for i, unit := range l.Agents {
		if err := unit(); err != nil {
			return Result{}, fmt.Errorf("warming up: agent %d: %w", i+1, err)
		}
	}
	if err := l.Begin(); err != nil {
		return Result{}, err
	}

	latencies := make([]Histogram, len(l.Agents))
	interval := time.Duration(float64(time.Second) * float64(len(l.Agents)) / l.Rate) // between two units of one agent
	start := time.Now()
	err := forEachAgent(ctx, l.Agents, func(i int, unit func() error) error {
		due := start.Add(interval * time.Duration(i) / time.Duration(len(l.Agents)))
		for ; due.Sub(start) < l.Duration && ctx.Err() == nil; due = due.Add(interval) {
			began := due
			if wait := time.Until(due); wait > 0 {
				time.Sleep(wait)
				began = time.Now()
			}

			if err := unit(); err != nil {
				return err
			}
			latencies[i].Add(time.Since(began))
		}
		return nil
	})
	result := Result{Elapsed: time.Since(start)}
	err = errors.Join(err, l.End())

	for i := range latencies {
		result.Latency.Merge(&latencies[i])
	}
	result.Units = result.Latency.Count()
	return result, err
}
