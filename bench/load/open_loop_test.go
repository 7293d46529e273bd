package load

import (
	"errors"
	"testing"
	"time"
)

// TestAnOpenLoopCountsWhatASlowAnswerKeepsWaiting: one unit of 200 ms holds
// back those that were due meanwhile, and each of them counts from when it was.
func TestAnOpenLoopCountsWhatASlowAnswerKeepsWaiting(t *testing.T) {
	n := 0
	o := Open{Rate: 100, For: 400 * time.Millisecond, Begin: func() error { return nil }, End: func() error { return nil },
		Agents: []func() error{func() error {
			if n++; n == 2 { // the first one warms up
				time.Sleep(200 * time.Millisecond)
			}
			return nil
		}}}
	r, err := o.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if r.Units != 40 {
		t.Errorf("%d units, not 100 a second for 400 ms", r.Units)
	}
	// of 40 units about 20 were held back, by 190, 180, 170 … ms
	if r.Latency.Quantile(0.9) < 100*time.Millisecond {
		t.Errorf("p90 is %v: what waited was left out", r.Latency.Quantile(0.9))
	}
	broken := errors.New("broken")
	o.Agents = []func() error{func() error { return broken }}
	if _, err := o.Run(t.Context()); !errors.Is(err, broken) {
		t.Error(err)
	}
	if _, err := (Open{}).Run(t.Context()); err == nil {
		t.Error("nobody at no rate is a loop")
	}
}
