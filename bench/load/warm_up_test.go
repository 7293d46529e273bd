package load

import (
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestEachStepOfAWarmUpDoublesTheAgents(t *testing.T) {
	for agents, want := range map[int][]int{
		1:   {1},
		64:  {64},
		65:  {64, 65},
		200: {64, 128, 200},
		256: {64, 128, 256},
	} {
		if got := stepEnds(agents); !slices.Equal(got, want) {
			t.Errorf("the steps of %d agents end at %v, want %v", agents, got, want)
		}
	}
}

// No agent begins before all agents of the step before have had a response, and
// agents that began early are still at work when the last ones begin.
func TestAgentsBeginInSteps(t *testing.T) {
	const agents = 700
	ends := stepEnds(agents)
	var answered, tooEarly atomic.Int32
	calls := make([]atomic.Int32, agents)
	units := make([]func() error, agents)
	for i := range units {
		step := slices.IndexFunc(ends, func(end int) bool { return i < end })
		units[i] = func() error {
			if calls[i].Add(1) == 1 {
				if step > 0 && answered.Load() < int32(ends[step-1]) {
					tooEarly.Add(1)
				}
				time.Sleep(time.Millisecond)
				answered.Add(1)
			}
			time.Sleep(time.Millisecond)
			return nil
		}
	}
	loop := ClosedLoop{Agents: units, WarmUp: 1, Duration: time.Millisecond}
	if err := loop.warmUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	if tooEarly.Load() > 0 || answered.Load() != agents {
		t.Errorf("%d agents began too early and %d had a response, want 0 and %d", tooEarly.Load(), answered.Load(), agents)
	}
	if n := calls[0].Load(); n < int32(len(ends)) {
		t.Errorf("the first agent did %d units, want one in each of %d steps", n, len(ends))
	}
}

func TestAWarmUpThatFailsSaysHowManyAgentsHadBegun(t *testing.T) {
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
	err := ClosedLoop{Agents: units, WarmUp: 2, Duration: time.Millisecond}.warmUp(t.Context())
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), " of 500 agents had begun") {
		t.Errorf("the warm-up returned %v, want the error of agent 101 and how many had begun", err)
	}
}
