// Package tune looks for the settings with which Byline serves a goal at the
// least cost on this machine: it changes one setting at a time, keeps what
// helps by more than the measurement wavers, and says what each one bought.
package tune

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/byline-proxy/byline/bench/measure"
	"github.com/byline-proxy/byline/bench/peer"
	"github.com/byline-proxy/byline/bench/rounds"
)

// Goal is what an operator wants to serve.
type Goal struct {
	RPS    float64       `json:"rps"`    // requests a second, of all agents together
	Agents int           `json:"agents"` // at work at the same time
	P99    time.Duration `json:"p99"`    // what the proxy may take, against an application that answers at once
	For    time.Duration `json:"for"`    // how long the search may take
}

// Check lists what is wrong.
func (g Goal) Check() error {
	var errs []error
	add := func(bad bool, what string) {
		if bad {
			errs = append(errs, errors.New(what))
		}
	}
	add(g.RPS <= 0, "--target-rps must be positive")
	add(g.Agents < 1 || g.Agents > 10000, "--agents must be from 1 to 10000")
	add(g.P99 <= 0, "--p99 must be positive")
	add(g.For < 30*time.Second, "--for must be at least 30s: each of some twenty trials starts a server")
	return errors.Join(errs...)
}

// Trial is one set of settings, measured.
type Trial struct {
	Setting string  `json:"setting"` // what differs from the best so far
	Value   string  `json:"value"`
	CPU     float64 `json:"cpu_us"` // of the proxy for a small request at the goal's rate, normalised
	P50     float64 `json:"p50_us"`
	P99     float64 `json:"p99_us"`
	Most    float64 `json:"most"`    // requests a second that a closed loop reached
	Memory  float64 `json:"memory"`  // bytes resident under load
	Base    float64 `json:"base"`    // bytes resident before the first agent
	Reached float64 `json:"reached"` // the rate that the open loop reached
	Group   float64 `json:"group"`   // records in one wait for the disk
	Kept    bool    `json:"kept"`    // it is the best of its setting
	Default bool    `json:"default"` // the value that Byline has by itself
	Failed  string  `json:"failed,omitempty"`
}

// Result is all that a search found.
type Result struct {
	Goal    Goal            `json:"goal"`
	Machine measure.Machine `json:"machine"`
	When    time.Time       `json:"when"`
	Trials  []Trial         `json:"trials"`
	First   Trial           `json:"first"` // the defaults
	Best    Trial           `json:"best"`  // everything that was kept
	Env     []string        `json:"env"`   // of the process, beside Changed
	Changed map[string]any  `json:"changed"`
	Bought  []Gain          `json:"bought"`
	Left    []string        `json:"left"` // what there was no time to try
}

// Gain is what one kept setting bought.
type Gain struct {
	Setting, Value string
	CPU, P99       float64 // part of before, negative is less
	Why            string
}

// Met tells whether the best settings serve the goal.
func (r *Result) Met() bool { return meets(r.Goal, r.Best) }

func meets(g Goal, t Trial) bool {
	return t.Failed == "" && t.Reached >= 0.97*g.RPS && t.P99 <= float64(g.P99.Microseconds())
}

// worth is the least gain that is kept: less is within what trials waver by.
const worth = 0.04

// Run searches within the goal's time. progress is told what is tried, and
// which part of all trials is done. What was found before ctx ends or a trial
// fails is in the result.
func Run(ctx context.Context, s *peer.Site, g Goal, progress func(done, all int, what string)) (*Result, error) {
	r := &Result{Goal: g, When: time.Now(), Changed: map[string]any{}}
	var err error
	if r.Machine, err = measure.ThisMachine(s.Dir); err != nil {
		return nil, err
	}
	knobs := knobsFor(r.Machine.Cores)
	all := 2 // the defaults at the start, and the best once more
	for _, k := range knobs {
		all += len(k.values)
	}
	search := &search{site: s, goal: g, each: g.For / time.Duration(all), set: map[string]value{}}
	if search.yard, err = measure.Yardstick(max(0, s.Core), yardTurns); err != nil {
		return nil, err
	}
	done := 0
	try := func(k knob, v value) Trial {
		progress(done, all, k.name+" "+v.text)
		t := search.try(ctx, k, v)
		done++
		return t
	}
	r.First = try(knob{name: "defaults"}, value{})
	// Starting a server, its accounts and its agents takes its part of each trial.
	if over := time.Since(r.When) - search.each; over > 0 {
		search.each = max(search.each-over, time.Second)
	}
	if r.First.Failed != "" {
		return r, fmt.Errorf("with the defaults: %s", r.First.Failed)
	}
	best := r.First
	for _, k := range knobs {
		before, at := best, -1
		for i, v := range k.values {
			if ctx.Err() != nil || time.Since(r.When) > g.For*9/10 {
				r.Left = append(r.Left, k.name+" "+v.text)
				done++
				continue
			}
			t := try(k, v)
			r.Trials = append(r.Trials, t)
			if better(g, t, best) {
				best, at = t, len(r.Trials)-1
				search.set[k.name] = k.values[i]
			}
		}
		if at >= 0 {
			r.Trials[at].Kept = true
			r.Bought = append(r.Bought, Gain{k.name, r.Trials[at].Value, best.CPU/before.CPU - 1, best.P99/before.P99 - 1, k.why})
		}
	}
	if ctx.Err() == nil {
		progress(done, all, "the best once more")
		if t := search.try(ctx, knob{name: "the best"}, value{}); t.Failed == "" {
			best = t
		}
	}
	r.Best = best
	r.Env, r.Changed = search.chosen()
	progress(all, all, "done")
	return r, ctx.Err()
}

// better: meeting the goal comes first, then the cost. Where nothing meets it,
// what is nearer in latency without costing more.
func better(g Goal, t, best Trial) bool {
	switch {
	case t.Failed != "" || t.Reached < 0.97*min(g.RPS, best.Reached):
		return false
	case meets(g, t) != meets(g, best):
		return meets(g, t)
	case meets(g, t):
		return t.CPU < best.CPU*(1-worth)
	}
	return t.P99 < best.P99*(1-2*worth) && t.CPU < best.CPU*(1+worth)
}

const yardTurns = 10_000

// search is one run of Run.
type search struct {
	site *peer.Site
	goal Goal
	each time.Duration
	yard time.Duration
	set  map[string]value // by knob, what was kept so far
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

func (s *search) measure(ctx context.Context, site *peer.Site, t *Trial) error {
	ctx, cancel := context.WithTimeout(ctx, s.each+time.Minute)
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
	length := max(s.each*2/5, 500*time.Millisecond)
	closed, err := rounds.Closed(ctx, site, p, s.goal.Agents, length)
	if err != nil {
		return err
	}
	yard, err := measure.Yardstick(max(0, site.Core), yardTurns)
	if err != nil {
		return err
	}
	open, err := rounds.OpenLoop(ctx, site, p, s.goal.Agents, min(s.goal.RPS, 0.8*closed.Rate), length)
	if err != nil {
		return err
	}
	resident, err := measure.Resident(p.PID())
	if err != nil {
		return err
	}
	t.Most, t.P50, t.P99, t.Reached, t.Group = closed.Rate, open.P50, open.P99, open.Done, open.Group
	t.CPU = open.Busy / open.Done * 1e6 * s.yard.Seconds() / yard.Seconds()
	t.Memory, t.Base = float64(resident), float64(base)
	return nil
}
