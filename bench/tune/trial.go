package tune

import (
	"context"
	"time"

	"github.com/byline-proxy/byline/bench/compare"
	"github.com/byline-proxy/byline/bench/measure"
	"github.com/byline-proxy/byline/bench/peer"
)

// Trial is one set of settings, measured on a server of its own: medians over
// its slices.
type Trial struct {
	Setting string  `json:"setting"` // what differs from the best so far
	Value   string  `json:"value"`
	CPU     float64 `json:"cpu_us"`  // of the proxy for a small request at the goal's rate, normalised
	CPUBy   float64 `json:"cpu_by"`  // by how much it wavered, measure.Series.Spread
	P50     float64 `json:"p50_us"`  //
	P99     float64 `json:"p99_us"`  //
	P99By   float64 `json:"p99_by"`  // likewise
	Most    float64 `json:"most"`    // requests a second that a closed loop reached
	Memory  float64 `json:"memory"`  // bytes resident under load
	Base    float64 `json:"base"`    // bytes resident before the first agent
	Reached float64 `json:"reached"` // the rate that the open loop reached
	Group   float64 `json:"group"`   // records in one wait for the disk
	Kept    bool    `json:"kept"`    // it is the best of its setting
	Failed  string  `json:"failed,omitempty"`
}

// turns of the open loop in a trial: what they waver by is the figure's spread.
const turns = 3

// search is one run of Run.
type search struct {
	site    *peer.Testbed
	goal    Goal
	each    time.Duration // for one trial
	longest time.Duration // that one took
	yard    time.Duration
	set     map[string]value // by knob, what was kept so far
}

// try measures one value on top of what was kept.
func (s *search) try(ctx context.Context, k knob, v value) Trial {
	t := Trial{Setting: k.name, Value: v.text}
	site := *s.site
	site.Tuning = peer.Tuning{Config: map[string]any{}}
	for name, kept := range s.set {
		if name != k.name {
			kept.apply(&site)
		}
	}
	v.apply(&site)
	site.Tasks = min(s.goal.Agents, 200)
	if err := s.measure(ctx, &site, &t); err != nil {
		t.Failed = err.Error()
	}
	return t
}

func (s *search) measure(ctx context.Context, site *peer.Testbed, t *Trial) error {
	ctx, cancel := context.WithTimeout(ctx, s.each+time.Minute) // the search's own end may come first
	defer cancel()
	p, err := site.Start(ctx, peer.Byline)
	if err != nil {
		return err
	}
	defer p.Stop()
	base, err := measure.Resident(p.PID())
	if err != nil {
		return err
	}
	length := max(s.each/(turns+1), 300*time.Millisecond)
	closed, err := compare.Closed(ctx, site, p, s.goal.Agents, length)
	if err != nil {
		return err
	}
	rate := min(s.goal.RPS, 0.8*closed.Rate)
	var cpu, p50, p99, reached, group measure.Series
	for range turns {
		yard, err := measure.RunReferenceJob(max(0, site.Core), measure.ReferenceTurns)
		if err != nil {
			return err
		}
		open, err := compare.OpenLoop(ctx, site, p, s.goal.Agents, rate, length)
		if err != nil {
			return err
		}
		cpu = append(cpu, open.Busy/open.Done*1e6*s.yard.Seconds()/yard.Seconds())
		p50, p99, reached, group = append(p50, open.P50), append(p99, open.P99), append(reached, open.Done), append(group, open.Group)
	}
	resident, err := measure.Resident(p.PID())
	if err != nil {
		return err
	}
	t.Most, t.Reached, t.Group = closed.Rate, reached.Median(), group.Median()
	t.CPU, t.CPUBy, t.P50, t.P99, t.P99By = cpu.Median(), cpu.Spread(), p50.Median(), p99.Median(), p99.Spread()
	t.Memory, t.Base = float64(resident), float64(base)
	return nil
}
