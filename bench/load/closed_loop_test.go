package load

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"
)

func doNothing() error { return nil }

func TestAClosedLoopCountsItsUnits(t *testing.T) {
	var done, atBegin, atEnd atomic.Int64
	unit := func() error {
		done.Add(1)
		time.Sleep(time.Millisecond)
		return nil
	}
	loop := ClosedLoop{
		Agents:   []func() error{unit, unit, unit},
		WarmUp:   2,
		Duration: 10 * time.Second,
		MaxUnits: 50,
		Begin:    func() error { atBegin.Store(done.Load()); return nil },
		End:      func() error { atEnd.Store(done.Load()); return nil },
	}
	r, err := loop.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if atBegin.Load() != 6 || atEnd.Load() != 56 || r.Units != 50 {
		t.Errorf("%d units before, %d after and %d counted, want 6, 56 and 50", atBegin.Load(), atEnd.Load(), r.Units)
	}
	if median := r.Latency.Quantile(0.5); median < time.Millisecond*9/10 {
		t.Errorf("the median latency is %v, want about 1 ms", median)
	}

	loop.MaxUnits = 0
	loop.Duration = 30 * time.Millisecond
	r, err = loop.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if r.Elapsed < loop.Duration || r.Units < 3 {
		t.Errorf("%d units in %v, want at least one per agent in at least %v", r.Units, r.Elapsed, loop.Duration)
	}
}

func TestAClosedLoopFailsWithTheErrorOfAUnit(t *testing.T) {
	broken := errors.New("broken")
	var calls atomic.Int64
	unit := func() error {
		if calls.Add(1) > 3 {
			return broken
		}
		return nil
	}
	loop := ClosedLoop{Agents: []func() error{unit}, WarmUp: 1, Duration: time.Second, Begin: doNothing, End: doNothing}
	if _, err := loop.Run(t.Context()); !errors.Is(err, broken) {
		t.Errorf("Run returned %v, want the error of the unit", err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := loop.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Run returned %v after its context ended, want context.Canceled", err)
	}
}
