package tune

import (
	"context"
	"time"

	"github.com/byline-proxy/byline/bench/compare"
	"github.com/byline-proxy/byline/bench/measure"
	"github.com/byline-proxy/byline/bench/peer"
)

// Trial is the measurement of one set of settings on a fresh server. The figures
// at the goal's rate are medians over several open loops.
type Trial struct {
	Setting   string  `json:"setting"` // what differs from the best so far
	Value     string  `json:"value"`
	CPU       float64 `json:"cpu_us"`           // of the proxy per small request at the goal's rate, normalized
	CPUSpread float64 `json:"cpu_by"`           // of CPU, see [measure.Series.Spread]
	P50       float64 `json:"p50_us"`           //
	P99       float64 `json:"p99_us"`           //
	P99Spread float64 `json:"p99_by"`           // of P99
	MaxRPS    float64 `json:"most"`             // requests per second that a closed loop reached
	Memory    float64 `json:"memory"`           // resident bytes under load
	Base      float64 `json:"base"`             // resident bytes before the first agent
	Reached   float64 `json:"reached"`          // requests per second that the open loops reached
	Group     float64 `json:"group"`            // records per group commit
	Kept      bool    `json:"kept"`             // this is the kept value of its setting
	Failed    string  `json:"failed,omitempty"` // why there are no figures
}

// openLoops is the number of open loops in a trial. The spread of a figure is
// that of their results.
const openLoops = 3

// measureTrial measures one value of a setting on top of what was kept.
func (s *search) measureTrial(ctx context.Context, setting setting, v value) Trial {
	t := Trial{Setting: setting.name, Value: v.text}
	tb := *s.testbed
	tb.Tuning = peer.Tuning{Config: map[string]any{}}
	for name, kept := range s.kept {
		if name != setting.name {
			kept.apply(&tb)
		}
	}
	v.apply(&tb)
	tb.Tasks = min(s.goal.Agents, 200)

	if err := s.measure(ctx, &tb, &t); err != nil {
		t.Failed = err.Error()
	}
	return t
}

func (s *search) measure(ctx context.Context, tb *peer.Testbed, t *Trial) error {
	ctx, cancel := context.WithTimeout(ctx, s.measuring+time.Minute) // the search may end earlier
	defer cancel()

	p, err := tb.Start(ctx, peer.Byline)
	if err != nil {
		return err
	}
	defer p.Stop()

	base, err := measure.Resident(p.PID())
	if err != nil {
		return err
	}

	duration := max(s.measuring/(openLoops+1), 300*time.Millisecond)
	closed, err := compare.RunClosedLoop(ctx, tb, p, s.goal.Agents, duration)
	if err != nil {
		return err
	}

	rate := min(s.goal.RPS, 0.8*closed.Rate)
	var cpu, p50, p99, reached, group measure.Series
	for range openLoops {
		reference, err := measure.RunReferenceJob(max(0, tb.Core), measure.ReferenceTurns)
		if err != nil {
			return err
		}

		open, err := compare.RunOpenLoop(ctx, tb, p, s.goal.Agents, rate, duration)
		if err != nil {
			return err
		}

		cpu = append(cpu, open.Busy/open.Reached*1e6*s.referenceTime.Seconds()/reference.Seconds())
		p50 = append(p50, open.P50)
		p99 = append(p99, open.P99)
		reached = append(reached, open.Reached)
		group = append(group, open.RecordsPerGroup)
	}
	resident, err := measure.Resident(p.PID())
	if err != nil {
		return err
	}

	t.CPU = cpu.Median()
	t.CPUSpread = cpu.Spread()
	t.P50 = p50.Median()
	t.P99 = p99.Median()
	t.P99Spread = p99.Spread()
	t.MaxRPS = closed.Rate
	t.Reached = reached.Median()
	t.Group = group.Median()
	t.Memory = float64(resident)
	t.Base = float64(base)
	return nil
}
