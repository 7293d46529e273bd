// Package tune looks for the settings with which Byline serves a goal at the
// least cost on this machine: it changes one setting at a time, keeps what
// helps by more than the measurement wavers, and says what each one bought.
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
	add(g.For < 30*time.Second, "--for must be at least 30s: each of some twenty trials starts a server, and few of them have a place in less")
	return errors.Join(errs...)
}

// Result is all that a search found.
type Result struct {
	Goal    Goal            `json:"goal"`
	Machine measure.Machine `json:"machine"`
	When    time.Time       `json:"when"`
	Trials  []Trial         `json:"trials"`
	First   Trial           `json:"first"`           // the defaults
	Again   *Trial          `json:"again,omitempty"` // the defaults at the end; nil when there was no time
	Best    Trial           `json:"best"`            // everything that was kept
	Env     []string        `json:"env"`             // of the process, beside Changed
	Changed map[string]any  `json:"changed"`
	Bought  []Gain          `json:"bought"`
	Left    []string        `json:"left"` // what there was no time to try
}

// Gain is what one kept setting bought.
type Gain struct {
	Setting, Value string
	CPU, P99       float64 // part of before, negative is less
	CPUBy, P99By   float64 // what the two trials waver by together, likewise
	Why            string
}

// Met tells whether the best settings serve the goal.
func (r *Result) Met() bool { return meets(r.Goal, r.Best) }

func meets(g Goal, t Trial) bool {
	return t.Failed == "" && t.Reached >= 0.97*g.RPS && t.P99 <= float64(g.P99.Microseconds())
}

// worth is the least gain that is kept: less is within what trials waver by.
const worth = 0.04

// Run searches within the goal's time: no trial begins that would not be over
// by then, and what is under way at the end is cut off. progress is told what is
// tried, and how many of all trials are done. What was found before ctx ends or
// a trial fails is in the result.
func Run(ctx context.Context, s *peer.Testbed, g Goal, progress func(done, all int, what string)) (*Result, error) {
	r := &Result{Goal: g, When: time.Now(), Changed: map[string]any{}}
	parent := ctx
	ctx, cancel := context.WithDeadline(ctx, r.When.Add(g.For))
	defer cancel()
	var err error
	if r.Machine, err = measure.ThisMachine(s.Dir); err != nil {
		return nil, err
	}
	knobs := knobsFor(r.Machine.Cores)
	all := 1 + closing // the defaults at the start
	for _, k := range knobs {
		all += len(k.values)
	}
	search := &search{site: s, goal: g, each: g.For / time.Duration(all), set: map[string]value{}}
	if search.yard, err = measure.RunReferenceJob(max(0, s.Core), measure.ReferenceTurns); err != nil {
		return nil, err
	}
	done := 0
	try := func(k knob, v value) Trial {
		progress(done, all, strings.TrimSpace(k.name+" "+v.text))
		began := time.Now()
		t := search.try(ctx, k, v)
		search.longest = max(search.longest, time.Since(began))
		done++
		return t
	}
	r.First = try(knob{name: defaults}, value{})
	// Starting a server, its accounts and its agents takes its part of each trial.
	if over := search.longest - search.each; over > 0 {
		search.each = max(search.each-over, time.Second)
	}
	if r.First.Failed != "" {
		return r, fmt.Errorf("with the defaults: %s", r.First.Failed)
	}
	search.longest = 0 // the first one had longer slices
	best := r.First
	for _, k := range knobs {
		before, at := best, -1
		for i, v := range k.values {
			if time.Now().Add((closing+1)*search.expected()).After(r.When.Add(g.For)) || ctx.Err() != nil {
				r.Left = append(r.Left, k.name+" "+v.text)
				continue
			}
			t := try(k, v)
			if ctx.Err() != nil {
				r.Left = append(r.Left, k.name+" "+v.text) // it was cut off
				continue
			}
			r.Trials = append(r.Trials, t)
			if better(g, t, best) {
				best, at = t, len(r.Trials)-1
				search.set[k.name] = k.values[i]
			}
		}
		if at >= 0 {
			r.Trials[at].Kept = true
			r.Bought = append(r.Bought, gain(k, r.Trials[at], before))
		}
	}
	all = done + closing // what is left out will not come
	r.Best, r.Env, r.Changed = best, nil, nil
	r.Env, r.Changed = search.chosen()
	if t := try(knob{name: "what was kept, once more"}, value{}); t.Failed == "" {
		r.Best = t
	}
	search.set = map[string]value{}
	if t := try(knob{name: "the defaults, once more"}, value{}); t.Failed == "" {
		r.Again = &t
	}
	progress(done, all, "done")
	return r, parent.Err()
}

// closing is how many trials come after the search: what was kept, and the
// defaults, once more, so that what the machine itself did meanwhile is seen.
const closing = 2

const defaults = "defaults"

// expected is how long the next trial will take.
func (s *search) expected() time.Duration {
	if s.longest > 0 {
		return s.longest
	}
	return s.each
}

func gain(k knob, t, before Trial) Gain {
	return Gain{Setting: k.name, Value: t.Value, Why: k.why, CPU: t.CPU/before.CPU - 1, CPUBy: t.CPUBy + before.CPUBy,
		P99: t.P99/before.P99 - 1, P99By: t.P99By + before.P99By}
}

// Wavered is by how much the defaults cost more or less at the end of the
// search than at its start: gains below it may be the machine's.
func (r *Result) Wavered() float64 {
	if r.Again == nil {
		return 0
	}
	return math.Abs(r.Again.CPU/r.First.CPU - 1)
}

// better: meeting the goal comes first, then the cost. Where nothing meets it,
// what is nearer in latency without costing more. A difference within what the
// slices of the two waver by together, which is the ± of a [Gain], is none.
func better(g Goal, t, best Trial) bool {
	least, late := max(worth, t.CPUBy+best.CPUBy), max(2*worth, t.P99By+best.P99By)
	switch {
	case t.Failed != "" || t.Reached < 0.97*min(g.RPS, best.Reached):
		return false
	case meets(g, t) != meets(g, best):
		return meets(g, t)
	case meets(g, t):
		return t.CPU < best.CPU*(1-least)
	}
	return t.P99 < best.P99*(1-late) && t.CPU < best.CPU*(1+worth)
}
