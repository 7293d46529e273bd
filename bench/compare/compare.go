// Package compare measures the proxies. In every round, each workload is measured
// through each proxy in turn, so that whatever disturbs the machine disturbs all
// of them.
package compare

import (
	"context"
	"fmt"
	"slices"

	"github.com/byline-proxy/byline/bench/peer"
)

// Run starts the peers and measures every workload through each of them in every
// round. Then it measures what the options ask for in addition. A workload that
// fails through a peer has its error in the result and is not measured again
// through that peer. Run fails only if the run cannot continue; the outcome then
// contains what was measured until then.
//
// progress is called before each step with a description of it: [Steps] times,
// unless a peer is missing or the run ends early.
func Run(ctx context.Context, tb *peer.Testbed, o Options, progress func(what string)) (*Outcome, error) {
	workloads, err := Workloads(o)
	if err != nil {
		return nil, err
	}
	out := &Outcome{Workloads: workloads, Peers: o.Peers}
	for _, w := range workloads {
		for _, name := range o.Peers {
			out.Rows = append(out.Rows, &Row{Workload: w.Key, Peer: name})
		}
	}
	if err := out.runRounds(ctx, tb, o, progress); err != nil {
		return out, err
	}

	if o.Stream > 0 && slices.Contains(out.Peers, peer.Byline) {
		for _, direction := range []string{"down", "up"} {
			progress("one large body " + direction)
			out.LargeBodies = append(out.LargeBodies, transferLargeBody(ctx, tb, direction, o))
		}
	}
	out.Idle = idleMeasurements(o, out.Peers)
	if len(out.Idle) > 0 {
		progress("idle tunnels")
		measureIdle(ctx, tb, out.Idle)
	}
	if err := out.runByline(ctx, tb, o, progress); err != nil {
		return out, err
	}
	return out, ctx.Err()
}

// idleMeasurements returns the measurements of idle tunnels that are to be made.
// Large numbers are left to Byline: with other peers it takes minutes to open
// thousands of tunnels.
func idleMeasurements(o Options, peers []string) []Idle {
	var all []Idle
	for _, n := range o.Idle {
		for _, name := range peers {
			wanted := n <= o.MaxIdleOthers && !slices.Contains(o.NoIdlePeers, name)
			if name == peer.Byline || wanted {
				all = append(all, Idle{Peer: name, Tunnels: n})
			}
		}
	}
	return all
}

// runByline measures Byline's latency at a given rate, and how its cost grows.
// Both build on the small requests, and are left out if there are none.
func (out *Outcome) runByline(ctx context.Context, tb *peer.Testbed, o Options, progress func(string)) error {
	row := out.Row("small", peer.Byline)
	if row == nil || len(row.Samples) == 0 {
		return nil
	}
	if o.Latency > 0 {
		capacity := row.Series(func(s Sample) float64 { return s.Rate }).Median()
		out.Latency = MeasureLatency(ctx, tb, o.Agents, capacity/2, o.Latency, progress)
	}
	if o.Growth > 0 {
		var err error
		out.Growth, err = MeasureGrowth(ctx, tb, o.Growth, out.ReferenceTime(), o.ShortenAfter, progress)
		return err
	}
	return nil
}

// Steps returns how many times Run calls progress.
func Steps(o Options) int {
	workloads, err := Workloads(o)
	if err != nil {
		return 0
	}
	const profileStep = 1
	n := o.Rounds*len(workloads)*len(o.Peers) + profileStep + min(1, len(o.Idle))
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

// runRounds measures all workloads through all peers, and profiles Byline.
func (out *Outcome) runRounds(ctx context.Context, tb *peer.Testbed, o Options, progress func(string)) error {
	running, err := out.startPeers(ctx, tb, o, progress)
	defer func() {
		for _, p := range running {
			p.Stop()
		}
	}()
	if err != nil {
		return err
	}
	lighter := o
	lighter.Duration = o.Duration / 2
	lighter.BigBytes = max(1, o.BigBytes/8)
	lightWorkloads, err := Workloads(lighter)
	if err != nil {
		return err
	}

	for round := range o.Rounds {
		for k, full := range out.Workloads {
			for i := range running {
				p := running[(i+round)%len(running)] // another peer is the first in each round
				w := full
				if slices.Contains(o.LightPeers, p.Name) {
					w = lightWorkloads[k]
				}
				progress(fmt.Sprintf("round %d, %s, %s", round+1, w.Key, p.Name))
				out.Row(w.Key, p.Name).measure(ctx, tb, p, w, round)
				if err := ctx.Err(); err != nil {
					return err
				}
			}
		}
	}
	progress("profile")
	out.profileByline(ctx, tb, running)

	for _, p := range slices.Backward(running) {
		note, err := p.Finish()
		if err != nil {
			return fmt.Errorf("%s: %w", p.Name, err)
		}
		if note != "" {
			out.Notes = append(out.Notes, note)
		}
	}
	return nil
}

// startPeers starts all peers and returns those that run, also if it fails. It
// fails if Byline or the tunnel does not start; without another peer the run goes
// on.
func (out *Outcome) startPeers(ctx context.Context, tb *peer.Testbed, o Options, progress func(string)) ([]*peer.Peer, error) {
	var running []*peer.Peer
	for _, name := range o.Peers {
		p, err := tb.Start(ctx, name)
		if err == nil {
			running = append(running, p)
			continue
		}
		if name == peer.Byline || name == peer.Tunnel || ctx.Err() != nil {
			return running, fmt.Errorf("%s: %w", name, err)
		}
		out.removePeer(name, err)
		progress(name + " is left out: " + err.Error())
	}
	return running, nil
}

// measure adds the sample of one round, unless the workload failed through this
// peer before or is not measured with it.
func (r *Row) measure(ctx context.Context, tb *peer.Testbed, p *peer.Peer, w Workload, round int) {
	if w.H2 && !p.SpeaksH2 {
		r.Skipped = "is not asked for HTTP/2 towards agents"
	}
	if r.Failed != "" || r.Skipped != "" {
		return
	}
	sample, err := takeSample(ctx, tb, p, w)
	if err != nil {
		r.Failed = err.Error()
		return
	}
	sample.Round = round
	r.Samples = append(r.Samples, sample)
}
