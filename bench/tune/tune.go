// Package tune searches for the settings with which Byline serves a goal at the
// lowest cost on this machine. It changes one setting at a time, keeps a value if
// it gains more than the measurements vary by, and reports what each kept setting
// gained.
package tune

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/byline-proxy/byline/bench/measure"
	"github.com/byline-proxy/byline/bench/peer"
)

// Goal is what an operator wants to serve.
type Goal struct {
	RPS    float64       `json:"rps"`    // requests per second, of all agents together
	Agents int           `json:"agents"` // at work at the same time
	P99    time.Duration `json:"p99"`    // highest p99 latency, against an application that answers at once
	For    time.Duration `json:"for"`    // how long the search may take
}

// Check returns everything that is wrong with the goal.
func (g Goal) Check() error {
	var errs []error
	report := func(bad bool, what string) {
		if bad {
			errs = append(errs, errors.New(what))
		}
	}
	report(g.RPS <= 0, "--target-rps must be positive")
	report(g.Agents < 1 || g.Agents > 10000, "--agents must be from 1 to 10000")
	report(g.P99 <= 0, "--p99 must be positive")
	report(g.For < 30*time.Second, "--for must be at least 30s: each of some twenty trials starts a server")
	return errors.Join(errs...)
}

// Result is everything that a search found.
type Result struct {
	Goal          Goal            `json:"goal"`
	Machine       measure.Machine `json:"machine"`
	When          time.Time       `json:"when"`
	Trials        []Trial         `json:"trials"`
	Defaults      Trial           `json:"first"`           // at the start
	DefaultsAgain *Trial          `json:"again,omitempty"` // at the end; nil if the trial failed
	Best          Trial           `json:"best"`            // with everything that was kept
	Env           []string        `json:"env"`             // environment variables that were kept
	Config        map[string]any  `json:"changed"`         // sections of byline.yaml that were kept
	Gains         []Gain          `json:"bought"`
	NotTried      []string        `json:"left"` // for lack of time
}

// Gain is what one kept setting gained.
type Gain struct {
	Setting, Value       string
	CPU, P99             float64 // change relative to before; negative is less
	CPUSpread, P99Spread float64 // by how much the two trials vary together, in the same unit
	Why                  string  // what the setting does
}

// Met reports whether the best settings serve the goal.
func (r *Result) Met() bool { return meets(r.Goal, r.Best) }

func meets(g Goal, t Trial) bool {
	return t.Failed == "" && t.Reached >= 0.97*g.RPS && t.P99 <= float64(g.P99.Microseconds())
}

// Drift returns by how much the cost of the defaults at the end of the search
// differs from that at its start. Gains below it may come from changes of the
// machine. It is 0 if the defaults were not measured again.
func (r *Result) Drift() float64 {
	if r.DefaultsAgain == nil {
		return 0
	}
	return math.Abs(r.DefaultsAgain.CPU/r.Defaults.CPU - 1)
}

// minGain is the smallest gain for which a setting is kept. Less is within what
// trials vary by.
const minGain = 0.04

// closingTrials is the number of trials after the search: what was kept and the
// defaults, both once more, to show what changed on the machine meanwhile.
const closingTrials = 2

const defaultsName = "defaults"

// Run searches until the time of the goal is over. It begins no trial that would
// take longer than that, and aborts a trial that does. progress is called before
// each trial with the number of trials that are done, the number of all trials,
// and what is tried next.
//
// Run fails if ctx ends or if the defaults do not work. The result then contains
// what was found until then; it is nil if the search could not begin.
func Run(ctx context.Context, tb *peer.Testbed, g Goal, progress func(done, all int, what string)) (*Result, error) {
	r := &Result{Goal: g, When: time.Now(), Config: map[string]any{}}
	parent := ctx
	deadline := r.When.Add(g.For)
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()

	var err error
	r.Machine, err = measure.ThisMachine(tb.Dir)
	if err != nil {
		return nil, err
	}
	settings := settingsFor(r.Machine.Cores)
	s, err := newSearch(tb, g, settings, progress)
	if err != nil {
		return nil, err
	}

	r.Defaults = s.try(ctx, setting{name: defaultsName}, value{})
	if err := parent.Err(); err != nil {
		return r, err // rather than how the trial failed that this aborted
	}
	if r.Defaults.Failed != "" {
		return r, fmt.Errorf("with the defaults: %s", r.Defaults.Failed)
	}
	s.shortenTrials()

	best := r.Defaults
	for _, setting := range settings {
		before := best
		kept := -1 // index in r.Trials

		for _, v := range setting.values {
			tooLate := time.Now().Add((closingTrials + 1) * s.expectedTrial()).After(deadline)
			if tooLate || ctx.Err() != nil {
				r.NotTried = append(r.NotTried, setting.name+" "+v.text)
				continue
			}
			t := s.try(ctx, setting, v)
			if ctx.Err() != nil { // the trial was aborted
				r.NotTried = append(r.NotTried, setting.name+" "+v.text)
				continue
			}

			r.Trials = append(r.Trials, t)
			if better(g, t, best) {
				best = t
				kept = len(r.Trials) - 1
				s.kept[setting.name] = v
			}
		}

		if kept >= 0 {
			r.Trials[kept].Kept = true
			r.Gains = append(r.Gains, gainOf(setting, r.Trials[kept], before))
		}
	}

	s.all = s.done + closingTrials
	r.Best = best
	r.Env, r.Config = s.keptSettings()
	t := s.try(ctx, setting{name: "what was kept, once more"}, value{})
	if t.Failed == "" {
		r.Best = t
	}

	s.kept = map[string]value{}
	t = s.try(ctx, setting{name: "the defaults, once more"}, value{})
	if t.Failed == "" {
		r.DefaultsAgain = &t
	}
	progress(s.done, s.all, "done")
	return r, parent.Err()
}

// search is the state of Run.
type search struct {
	testbed       *peer.Testbed
	goal          Goal
	referenceTime time.Duration
	progress      func(done, all int, what string)

	measuring time.Duration    // that a trial spends on measuring
	longest   time.Duration    // that a trial took altogether; 0 before the first
	done, all int              // trials
	kept      map[string]value // by name of the setting
}

func newSearch(tb *peer.Testbed, g Goal, settings []setting, progress func(done, all int, what string)) (*search, error) {
	s := &search{testbed: tb, goal: g, progress: progress, kept: map[string]value{}}
	s.all = 1 + closingTrials // 1 for the defaults at the start
	for _, setting := range settings {
		s.all += len(setting.values)
	}
	s.measuring = g.For / time.Duration(s.all)
	var err error
	s.referenceTime, err = measure.RunReferenceJob(max(0, tb.Core), measure.ReferenceTurns)
	return s, err
}

// shortenTrials makes later trials shorter than the first by the time that it
// took to start the server, its accounts and its agents, so that all trials fit
// into the time of the goal.
func (s *search) shortenTrials() {
	if startup := s.longest - s.measuring; startup > 0 {
		s.measuring = max(s.measuring-startup, time.Second)
	}
	s.longest = 0 // the first trial was longer than the next ones will be
}

// expectedTrial returns how long the next trial will take.
func (s *search) expectedTrial() time.Duration {
	if s.longest > 0 {
		return s.longest
	}
	return s.measuring
}

// try measures one value of a setting on top of what was kept.
func (s *search) try(ctx context.Context, setting setting, v value) Trial {
	s.progress(s.done, s.all, strings.TrimSpace(setting.name+" "+v.text))
	began := time.Now()
	t := s.measureTrial(ctx, setting, v)
	s.longest = max(s.longest, time.Since(began))
	s.done++
	return t
}

func gainOf(setting setting, t, before Trial) Gain {
	return Gain{
		Setting:   setting.name,
		Value:     t.Value,
		Why:       setting.why,
		CPU:       t.CPU/before.CPU - 1,
		CPUSpread: t.CPUSpread + before.CPUSpread,
		P99:       t.P99/before.P99 - 1,
		P99Spread: t.P99Spread + before.P99Spread,
	}
}

// better reports whether t is better than best. Meeting the goal comes first,
// then the cost. If neither meets the goal, lower latency is better unless it
// costs more. A difference that is not larger than what the two trials vary by
// together, which is the ± of a [Gain], does not count.
func better(g Goal, t, best Trial) bool {
	minCPU := max(minGain, t.CPUSpread+best.CPUSpread)
	minP99 := max(2*minGain, t.P99Spread+best.P99Spread)
	switch {
	case t.Failed != "" || t.Reached < 0.97*min(g.RPS, best.Reached):
		return false
	case meets(g, t) != meets(g, best):
		return meets(g, t)
	case meets(g, t):
		return t.CPU < best.CPU*(1-minCPU)
	}
	return t.P99 < best.P99*(1-minP99) && t.CPU < best.CPU*(1+minGain)
}
