// Package evidence turns a period of the record into a folder that an assessor
// reads without asking us anything: a report for people, OSCAL
// assessment results for tools, the records with what proves them, and a map
// from practices to figures that says plainly what is not covered.
package evidence

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/byline-proxy/byline/cmd/byline/reports"
	"github.com/byline-proxy/byline/proxy/audit"
)

// Figures are what a period's records add up to.
type Figures struct {
	Period  reports.Period `json:"period"`
	Records int            `json:"records"`
	First   uint64         `json:"first_seq"`
	Last    uint64         `json:"last_seq"`

	Requests    int            `json:"requests"`   // that left for an application
	Refusals    int            `json:"refusals"`   // that did not
	Refused     map[string]int `json:"refused"`    // by code
	Failed      int            `json:"failed"`     // outcomes with an error of ours or of the way there
	Privileged  int            `json:"privileged"` // requests with a privileged action
	Open        int            `json:"open"`       // intents without an outcome
	Tasks       int            `json:"tasks"`      // created
	Ended       int            `json:"ended"`
	Tunnels     int            `json:"tunnels"` // passed through unread
	Logins      int            `json:"logins"`
	LoginFailed int            `json:"logins_failed"`
	Logouts     int            `json:"logouts"`
	Leases      int            `json:"leases"`
	Checkpoints int            `json:"checkpoints"`
	Recoveries  int            `json:"recoveries"`
	ClockBack   int            `json:"clock_back"`
	Reloads     int            `json:"reloads"`
	Reviews     int            `json:"reviews"` // signed off
	Alerts      int            `json:"alerts"`
	Borrowed    int            `json:"borrowed"`        // sessions of persons that were taken off
	Shared      int            `json:"borrowed_shared"` // of these, seen with more than one agent

	Agents   []string `json:"agents"`
	Sponsors []string `json:"sponsors"`
	Adapters []string `json:"adapters"`
	Accounts []string `json:"accounts"`
	Policies []string `json:"policy_digests"`

	Actions map[string]int `json:"actions"` // ADAPTER:ACTION → requests
	Days    []Day          `json:"days"`

	open map[string]bool
}

// Day is one day, UTC.
type Day struct {
	Day      string `json:"day"`
	Requests int    `json:"requests"`
	Refusals int    `json:"refusals"`
}

// Count reads the record.
func Count(records reports.Records, p reports.Period) (*Figures, error) {
	f := &Figures{Period: p, Refused: map[string]int{}, Actions: map[string]int{}, open: map[string]bool{}}
	days := map[string]*Day{}
	for r, err := range records {
		if err != nil {
			return nil, err
		}
		if !p.To.IsZero() && !r.Time.Before(p.To) {
			break
		}
		if !p.Holds(r.Time) {
			continue
		}
		if f.Records == 0 {
			f.First = r.Seq
		}
		f.Records++
		f.Last = r.Seq
		f.take(&r, days)
	}
	f.Open = len(f.open)
	for _, day := range slices.Sorted(maps.Keys(days)) {
		f.Days = append(f.Days, *days[day])
	}
	return f, nil
}

func (f *Figures) take(r *audit.Record, days map[string]*Day) {
	note(&f.Agents, r.Agent)
	if r.Kind != "review" {
		note(&f.Sponsors, r.Sponsor)
	}
	note(&f.Adapters, r.Adapter)
	if r.Account != "" {
		note(&f.Accounts, r.Adapter+"/"+r.Account)
	}
	note(&f.Policies, r.PolicyDigest)
	day := days[r.Time.UTC().Format(time.DateOnly)]
	if day == nil {
		day = &Day{Day: r.Time.UTC().Format(time.DateOnly)}
		days[day.Day] = day
	}
	switch r.Kind {
	case "intent":
		f.Requests++
		day.Requests++
		f.Actions[r.Adapter+":"+r.Action]++
		f.open[r.ID] = true
		if r.Privileged {
			f.Privileged++
		}
	case "refusal":
		f.Refusals++
		day.Refusals++
		f.Refused[r.Code]++
	case "outcome":
		f.outcome(r)
	default:
		f.lifecycle(r)
	}
}

func (f *Figures) outcome(r *audit.Record) {
	delete(f.open, r.Intent)
	switch {
	case r.Code == "login_failed":
		f.LoginFailed++
	case r.Code != "":
		f.Failed++
	}
}

func (f *Figures) lifecycle(r *audit.Record) {
	switch r.Kind {
	case "task":
		switch {
		case len(r.Scope) > 0:
			f.Tasks++
		case strings.HasPrefix(r.Detail, "ended"):
			f.Ended++
		}
	case "lease":
		if r.Detail == "checked out" {
			f.Leases++
		}
	case "login":
		f.Logins++
	case "logout":
		f.Logouts++
	case "tunnel":
		f.Tunnels++
	case "alert":
		f.Alerts++
	case "review":
		f.Reviews++
	case "reload":
		f.Reloads++
	case audit.KindCheckpoint:
		f.Checkpoints++
	case audit.KindRecovery:
		f.Recoveries++
	case audit.KindClock:
		f.ClockBack++
	}
}

// note keeps set sorted and without repetition.
func note(set *[]string, s string) {
	if s == "" {
		return
	}
	if i, known := slices.BinarySearch(*set, s); !known {
		*set = slices.Insert(*set, i, s)
	}
}
