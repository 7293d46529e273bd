package load

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Slice is one closed loop: each agent does its unit of work again as soon as
// the last one is done. Every field but Warm and Most must be set.
type Slice struct {
	// Agents has one function per agent; a call does one unit of work.
	Agents []func() error
	// Warm is how many units each agent does before anything is measured, or as
	// many as it can in as long as the slice is then. Agents begin step by step.
	Warm int
	// For is when the loop ends; units under way are finished and counted.
	For time.Duration
	// Most ends the loop earlier, after so many units of all agents together; 0: no such bound.
	Most int64
	// Begin and End are called when no unit is under way, just before the first
	// and just after the last one that counts.
	Begin, End func() error
}

// Result is what a slice did.
type Result struct {
	Units   int64
	Elapsed time.Duration
	Latency Histogram
}

// Run does the slice. It fails with the first error of any unit: a refused
// exchange is no exchange, and a figure that has some in it says nothing.
func (s Slice) Run(ctx context.Context) (Result, error) {
	if err := s.warm(ctx); err != nil {
		return Result{}, err
	}
	if err := s.Begin(); err != nil {
		return Result{}, err
	}
	parts := make([]Histogram, len(s.Agents))
	var claimed atomic.Int64
	start := time.Now()
	until := start.Add(s.For)
	err := s.each(ctx, func(i int, unit func() error) error {
		now := time.Now()
		for now.Before(until) && ctx.Err() == nil && (s.Most == 0 || claimed.Add(1) <= s.Most) {
			if err := unit(); err != nil {
				return err
			}
			then := time.Now()
			parts[i].Add(then.Sub(now))
			now = then
		}
		return ctx.Err()
	})
	r := Result{Elapsed: time.Since(start)}
	err = errors.Join(err, s.End())
	for i := range parts {
		r.Latency.Join(&parts[i])
	}
	r.Units = r.Latency.Count()
	if err == nil && r.Units == 0 {
		err = errors.New("no unit was done")
	}
	return r, err
}

// each runs work for all agents at once and returns the first error.
func (s Slice) each(ctx context.Context, work func(int, func() error) error) error {
	errs := make([]error, len(s.Agents))
	var all sync.WaitGroup
	for i, unit := range s.Agents {
		all.Go(func() { errs[i] = work(i, unit) })
	}
	all.Wait()
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
