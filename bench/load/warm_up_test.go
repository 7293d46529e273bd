package load

import (
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestAWarmUpDoubles(t *testing.T) {
	for n, want := range map[int][]int{1: {1}, 64: {64}, 65: {64, 65}, 200: {64, 128, 200}, 256: {64, 128, 256}} {
		if got := stepEnds(n); !slices.Equal(got, want) {
			t.Errorf("%d: %v, want %v", n, got, want)
		}
	}
}

// Nobody begins before everybody of the step before has had an answer, and
// those who began early are still asking when the last begin.
func TestAgentsBeginStepByStep(t *testing.T) {
	const agents = 700
	var answered atomic.Int32
	var early atomic.Int32
	ends := stepEnds(agents)
	units := make([]func() error, agents)
	done := make([]atomic.Int32, agents)
	for i := range units {
		step := slices.IndexFunc(ends, func(end int) bool { return i < end })
		units[i] = func() error {
			if done[i].Add(1) == 1 {
				if step > 0 && answered.Load() < int32(ends[step-1]) {
					early.Add(1)
				}
				time.Sleep(time.Millisecond)
				answered.Add(1)
			}
			time.Sleep(time.Millisecond)
			return nil
		}
	}
	s := Slice{Agents: units, Warm: 1, For: time.Millisecond}
	if err := s.warm(t.Context()); err != nil {
		t.Fatal(err)
	}
	if early.Load() > 0 || answered.Load() != agents {
		t.Errorf("%d began early, %d of %d had an answer", early.Load(), answered.Load(), agents)
	}
	if n := done[0].Load(); n < int32(len(ends)) {
		t.Errorf("the first agent had done %d units when the last of %d steps began", n, len(ends))
	}
}

func TestAWarmUpThatFailsSaysHowFarItCame(t *testing.T) {
	broken := errors.New("broken")
	units := make([]func() error, 500)
	for i := range units {
		units[i] = func() error {
			if i == 100 {
				return broken
			}
			return nil
		}
	}
	err := Slice{Agents: units, Warm: 2, For: time.Millisecond}.warm(t.Context())
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), " of 500 agents had begun") {
		t.Error(err)
	}
}
