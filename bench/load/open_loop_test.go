package load

import (
	"errors"
	"testing"
	"time"
)

// One unit of 200 ms delays those that are due meanwhile. The latency of each
// counts from when it was due.
func TestAnOpenLoopCountsTheDelayAfterASlowResponse(t *testing.T) {
	calls := 0
	unit := func() error {
		calls++
		if calls == 2 { // the first call is the warm-up
			time.Sleep(200 * time.Millisecond)
		}
		return nil
	}
	loop := OpenLoop{Agents: []func() error{unit}, Rate: 100, Duration: 400 * time.Millisecond, Begin: doNothing, End: doNothing}
	r, err := loop.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if r.Units != 40 {
		t.Errorf("%d units were done in 400 ms at 100 per second, want 40", r.Units)
	}
	// About 20 of the 40 units were delayed, by 190, 180, 170 … ms.
	if p90 := r.Latency.Quantile(0.9); p90 < 100*time.Millisecond {
		t.Errorf("p90 is %v, want at least 100 ms: the delay was not counted", p90)
	}
}

func TestAnOpenLoopFailsWithTheErrorOfAUnit(t *testing.T) {
	broken := errors.New("broken")
	loop := OpenLoop{
		Agents:   []func() error{func() error { return broken }},
		Rate:     100,
		Duration: 400 * time.Millisecond,
		Begin:    doNothing,
		End:      doNothing,
	}
	if _, err := loop.Run(t.Context()); !errors.Is(err, broken) {
		t.Errorf("Run returned %v, want the error of the unit", err)
	}
	if _, err := (OpenLoop{}).Run(t.Context()); err == nil {
		t.Error("Run succeeded without agents and without a rate")
	}
}
