package load

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Open is an open loop: units begin at a given rate, whether or not those
// before them are done. Each agent takes its turn in a fixed order; one that is
// still busy when its turn comes begins late, and its unit counts from when it
// should have begun, so that a slow answer is not left out of the figure
// (coordinated omission). An agent that is merely woken late by the timer
// counts from when it woke.
type Open struct {
	Agents []func() error
	Rate   float64 // units a second, of all agents together
	For    time.Duration
	// Begin and End are called just before the first and after the last unit.
	Begin, End func() error
}

// Run does the loop. It fails with the first error of any unit.
func (o Open) Run(ctx context.Context) (Result, error) {
	if len(o.Agents) == 0 || o.Rate <= 0 {
		return Result{}, errors.New("an open loop needs agents and a rate")
	}
	for i, unit := range o.Agents {
		if err := unit(); err != nil {
			return Result{}, fmt.Errorf("warming up: agent %d: %w", i+1, err)
		}
	}
	if err := o.Begin(); err != nil {
		return Result{}, err
	}
	parts, errs := make([]Histogram, len(o.Agents)), make([]error, len(o.Agents))
	between := time.Duration(float64(time.Second) * float64(len(o.Agents)) / o.Rate)
	start := time.Now()
	var all sync.WaitGroup
	for i, unit := range o.Agents {
		all.Go(func() {
			due := start.Add(between * time.Duration(i) / time.Duration(len(o.Agents)))
			for ; due.Sub(start) < o.For && ctx.Err() == nil; due = due.Add(between) {
				from := due
				if wait := time.Until(due); wait > 0 {
					time.Sleep(wait)
					from = time.Now()
				}
				if errs[i] = unit(); errs[i] != nil {
					return
				}
				parts[i].Add(time.Since(from))
			}
		})
	}
	all.Wait()
	r := Result{Elapsed: time.Since(start)}
	err := errors.Join(append(errs, ctx.Err(), o.End())...)
	for i := range parts {
		r.Latency.Join(&parts[i])
	}
	r.Units = r.Latency.Count()
	return r, err
}
