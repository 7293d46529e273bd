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

// Row is one work through one peer, over all rounds.
type Row struct {
	Work    string   `json:"work"`
	Peer    string   `json:"peer"`
	Samples []Sample `json:"samples"`
	// Failed says why there are no figures; the work was not tried again.
	Failed string `json:"failed,omitempty"`
	// Skipped says that the peer does not claim to do this work.
	Skipped string `json:"skipped,omitempty"`
}

// Outcome is all that a run found.
type Outcome struct {
	Works   []Work    `json:"works"`
	Peers   []string  `json:"peers"`
	Rows    []*Row    `json:"rows"`
	Streams []Stream  `json:"streams,omitempty"`
	Idle    []Idle    `json:"idle,omitempty"`
	Latency []Latency `json:"latency,omitempty"`
	Growth  []Curve   `json:"growth,omitempty"`
	Notes   []string  `json:"notes,omitempty"` // what peers left to be said at their end
	// Profile is where Byline's time goes with the first work; without one
	// NoProfile says why.
	Profile   *profile.Profile `json:"profile,omitempty"`
	NoProfile string           `json:"no_profile,omitempty"`
}

// Row finds one; nil when the work was not done through the peer.
func (o *Outcome) Row(work, name string) *Row {
	for _, r := range o.Rows {
		if r.Work == work && r.Peer == name {
			return r
		}
	}
	return nil
}

// Yard is the fixed job's median over the run, in CPU seconds.
func (o *Outcome) Yard() float64 { return o.Yards().Median() }

// Yards is the fixed job before each slice.
func (o *Outcome) Yards() measure.Series {
	var all measure.Series
	for _, r := range o.Rows {
		for _, s := range r.Samples {
			all = append(all, s.Yard)
		}
	}
	return all
}

// Series takes one figure of each sample.
func (r *Row) Series(of func(Sample) float64) measure.Series {
	var out measure.Series
	for _, s := range r.Samples {
		out = append(out, of(s))
	}
	return out
}

// CPU is the row's figure, normalised by the fixed job.
func (r *Row) CPU(yard float64) measure.Series {
	return r.Series(func(s Sample) float64 { return s.CPU * yard / s.Yard })
}

// Run starts the peers, does every work through each of them in every round,
// and then measures idle tunnels. A work that fails through one peer is noted
// there and left out from then on; the error is for what ends the run.
func Run(ctx context.Context, s *peer.Testbed, o Options, progress func(what string)) (*Outcome, error) {
	works, err := Works(o)
	if err != nil {
		return nil, err
	}
	out := &Outcome{Works: works, Peers: o.Peers}
	for _, w := range works {
		for _, name := range o.Peers {
			out.Rows = append(out.Rows, &Row{Work: w.Key, Peer: name})
		}
	}
	if err := out.rounds(ctx, s, o, progress); err != nil {
		return out, err
	}
	if o.Stream > 0 && slices.Contains(out.Peers, peer.Byline) {
		for _, way := range []string{"down", "up"} {
			progress("one large body " + way)
			out.Streams = append(out.Streams, stream(ctx, s, way, o))
		}
	}
	for _, n := range o.Idle {
		for _, name := range out.Peers {
			if name == peer.Byline || n <= o.IdleOthers && o.holds(name) { // thousands of tunnels take other peers minutes to open
				out.Idle = append(out.Idle, Idle{Peer: name, Tunnels: n})
			}
		}
	}
	if len(out.Idle) > 0 {
		progress("idle tunnels")
		idle(ctx, s, out.Idle)
	}
	if err := out.further(ctx, s, o, progress); err != nil {
		return out, err
	}
	return out, ctx.Err()
}

// further is what Byline does alone: latency at a rate, and how its cost grows.
func (out *Outcome) further(ctx context.Context, s *peer.Testbed, o Options, progress func(string)) error {
	row := out.Row("small", peer.Byline)
	if row == nil || len(row.Samples) == 0 {
		return nil
	}
	if o.Latency > 0 {
		capacity := row.Series(func(s Sample) float64 { return s.Rate }).Median()
		out.Latency = Latencies(ctx, s, o.Agents, capacity/2, o.Latency, progress)
	}
	if o.Growth > 0 {
		var err error
		if out.Growth, err = Growth(ctx, s, o.Growth, out.Yard(), o.Hurry, progress); err != nil {
			return err
		}
	}
	return nil
}

// Steps is how often Run calls progress.
func Steps(o Options) int {
	works, err := Works(o)
	if err != nil {
		return 0
	}
	n := 1 + o.Rounds*len(works)*len(o.Peers) + min(1, len(o.Idle))
	if o.Stream > 0 && slices.Contains(o.Peers, peer.Byline) {
		n += 2
	}
	if o.Latency > 0 {
		n += LatencySteps
	}
	if o.Growth > 0 {
		n += GrowthSteps()
	}
	return n
}

// guest: its slices are half as long, its bodies an eighth.
func (o *Options) guest(name string) bool { return slices.Contains(o.Guests, name) }

// holds: it is asked to hold idle tunnels.
func (o *Options) holds(name string) bool { return !slices.Contains(o.NotIdle, name) }

func (out *Outcome) rounds(ctx context.Context, s *peer.Testbed, o Options, progress func(string)) error {
	var running []*peer.Peer
	defer func() {
		for _, p := range running {
			p.Stop()
		}
	}()
	for _, name := range o.Peers {
		p, err := s.Start(ctx, name)
		if err != nil && name != peer.Byline && name != peer.Tunnel && ctx.Err() == nil {
			out.skip(name, err)
			progress(name + " is left out: " + err.Error())
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		running = append(running, p)
	}
	lighter := o
	lighter.Length, lighter.BigBytes = o.Length/2, max(1, o.BigBytes/8)
	forGuests, err := Works(lighter)
	if err != nil {
		return err
	}
	for round := range o.Rounds {
		for k, w := range out.Works {
			for i := range running {
				p := running[(i+round)%len(running)] // nobody is always first
				w := w
				if o.guest(p.Name) {
					w = forGuests[k]
				}
				progress(fmt.Sprintf("round %d, %s, %s", round+1, w.Key, p.Name))
				out.Row(w.Key, p.Name).add(ctx, s, p, w, round)
				if err := ctx.Err(); err != nil {
					return err
				}
			}
		}
	}
	progress("profile")
	out.profile(ctx, s, running)
	for _, p := range slices.Backward(running) {
		note, err := p.Finish(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", p.Name, err)
		}
		if note != "" {
			out.Notes = append(out.Notes, note)
		}
	}
	return nil
}

// skip leaves a peer out that could not be started.
func (out *Outcome) skip(name string, err error) {
	out.Peers = slices.DeleteFunc(slices.Clone(out.Peers), func(p string) bool { return p == name })
	out.Rows = slices.DeleteFunc(out.Rows, func(r *Row) bool { return r.Peer == name })
	out.Notes = append(out.Notes, fmt.Sprintf("`%s` was left out: %v", name, err))
}

// profile does the first work through Byline once more, under perf, which
// costs time: the slice counts for nothing else.
func (out *Outcome) profile(ctx context.Context, s *peer.Testbed, running []*peer.Peer) {
	i := slices.IndexFunc(running, func(p *peer.Peer) bool { return p.Name == peer.Byline })
	if i < 0 {
		out.NoProfile = "byline was not among the peers"
		return
	}
	work := out.Works[0]
	length := min(work.length, 3*time.Second)
	work.length = length + 2*time.Second // perf takes a moment to begin
	type sampled struct {
		p   *profile.Profile
		err error
	}
	found := make(chan sampled, 1)
	go func() {
		p, err := profile.Record(ctx, running[i].PID(), length, s.Dir)
		found <- sampled{p, err}
	}()
	_, err := slice(ctx, s, running[i], work)
	got := <-found
	if err = errors.Join(err, got.err); err != nil {
		out.NoProfile = err.Error()
		return
	}
	out.Profile = got.p
}

func (r *Row) add(ctx context.Context, s *peer.Testbed, p *peer.Peer, w Work, round int) {
	if w.H2 && !p.SpeaksH2 {
		r.Skipped = "is not asked for HTTP/2 towards agents"
	}
	if r.Failed != "" || r.Skipped != "" {
		return
	}
	sample, err := slice(ctx, s, p, w)
	if err != nil {
		r.Failed = err.Error()
		return
	}
	sample.Round = round
	r.Samples = append(r.Samples, sample)
}
