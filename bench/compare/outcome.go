package compare

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/byline-proxy/byline/bench/measure"
	"github.com/byline-proxy/byline/bench/peer"
	"github.com/byline-proxy/byline/bench/profile"
)

// Outcome is everything that a run measured.
type Outcome struct {
	Workloads   []Workload  `json:"works"`
	Peers       []string    `json:"peers"`
	Rows        []*Row      `json:"rows"`
	LargeBodies []LargeBody `json:"streams,omitempty"`
	Idle        []Idle      `json:"idle,omitempty"`
	Latency     []Latency   `json:"latency,omitempty"`
	Growth      []Curve     `json:"growth,omitempty"`
	Notes       []string    `json:"notes,omitempty"` // of peers about their runs
	// Profile shows where Byline's CPU time goes in the first workload. If there
	// is none, NoProfile says why.
	Profile   *profile.Profile `json:"profile,omitempty"`
	NoProfile string           `json:"no_profile,omitempty"`
}

// Row is one workload through one peer, in all rounds.
type Row struct {
	Workload string   `json:"work"`
	Peer     string   `json:"peer"`
	Samples  []Sample `json:"samples"`
	// Failed says why samples are missing. The workload was not measured again.
	Failed string `json:"failed,omitempty"`
	// Skipped says why the workload is not measured with this peer.
	Skipped string `json:"skipped,omitempty"`
}

// Row returns the row of a workload and a peer, or nil if there is none.
func (out *Outcome) Row(workload, name string) *Row {
	for _, r := range out.Rows {
		if r.Workload == workload && r.Peer == name {
			return r
		}
	}
	return nil
}

// ReferenceTime returns the median time of the reference job in the run, in CPU
// seconds.
func (out *Outcome) ReferenceTime() float64 { return out.ReferenceTimes().Median() }

// ReferenceTimes returns the time of the reference job before each measurement.
func (out *Outcome) ReferenceTimes() measure.Series {
	var all measure.Series
	for _, r := range out.Rows {
		for _, s := range r.Samples {
			all = append(all, s.ReferenceTime)
		}
	}
	return all
}

// Series returns one figure of each sample.
func (r *Row) Series(figure func(Sample) float64) measure.Series {
	var all measure.Series
	for _, s := range r.Samples {
		all = append(all, figure(s))
	}
	return all
}

// NormalizedCPU returns the CPU times of the row, normalized to a run in which
// the reference job takes referenceTime.
func (r *Row) NormalizedCPU(referenceTime float64) measure.Series {
	return r.Series(func(s Sample) float64 { return s.CPU * referenceTime / s.ReferenceTime })
}

// removePeer removes a peer that could not be started, and adds a note about it.
func (out *Outcome) removePeer(name string, err error) {
	out.Peers = slices.DeleteFunc(slices.Clone(out.Peers), func(p string) bool { return p == name })
	out.Rows = slices.DeleteFunc(out.Rows, func(r *Row) bool { return r.Peer == name })
	out.Notes = append(out.Notes, fmt.Sprintf("`%s` was left out: %v", name, err))
}

// profileByline runs the first workload through Byline once more, under perf.
// Profiling costs CPU time, so this measurement is used for nothing else.
func (out *Outcome) profileByline(ctx context.Context, tb *peer.Testbed, running []*peer.Peer) {
	i := slices.IndexFunc(running, func(p *peer.Peer) bool { return p.Name == peer.Byline })
	if i < 0 {
		out.NoProfile = "byline was not among the peers"
		return
	}
	byline := running[i]
	workload := out.Workloads[0]
	duration := min(workload.duration, 3*time.Second)
	workload.duration = duration + 2*time.Second // perf takes a moment to begin

	type result struct {
		profile *profile.Profile
		err     error
	}
	recorded := make(chan result, 1)
	go func() {
		p, err := profile.Record(ctx, byline.PID(), duration, tb.Dir)
		recorded <- result{p, err}
	}()
	_, err := takeSample(ctx, tb, byline, workload)
	r := <-recorded
	if err := errors.Join(err, r.err); err != nil {
		out.NoProfile = err.Error()
		return
	}
	out.Profile = r.profile
}
