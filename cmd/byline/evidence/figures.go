// Package evidence turns a period of the record into a folder that an assessor can read
// without asking anybody: a report for people, OSCAL assessment results for tools, the
// records with their proofs, and a map from practices to figures that also says what is
// not covered.
package evidence

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/byline-proxy/byline/cmd/byline/reports"
	"github.com/byline-proxy/byline/proxy/audit"
)

// Figures are counts over the records of a period.
type Figures struct {
	Period  reports.Period `json:"period"`
	Records int            `json:"records"`
	First   uint64         `json:"first_seq"`
	Last    uint64         `json:"last_seq"`

	Requests int            `json:"requests"` // that were sent to an application
	Refusals int            `json:"refusals"` // that were not
	Refused  map[string]int `json:"refused"`  // by code
	// Refusals of what browsers ask for without being told to are among those above,
	// and apart in these.
	BrowserRefusals int            `json:"refusals_of_browser_calls"`
	BrowserCalls    map[string]int `json:"refused_browser_calls"` // by host or path
	RefusedOfAgents map[string]int `json:"refused_of_agents"`     // the others, by code

	Failed      int `json:"failed"`     // outcomes with an error of Byline or of the connection
	Privileged  int `json:"privileged"` // requests with a privileged action
	Open        int `json:"open"`       // intents without an outcome
	Tasks       int `json:"tasks"`      // created
	Ended       int `json:"ended"`
	Tunnels     int `json:"tunnels"` // passed through unread
	Logins      int `json:"logins"`
	LoginFailed int `json:"logins_failed"`
	Logouts     int `json:"logouts"`
	Leases      int `json:"leases"`
	Checkpoints int `json:"checkpoints"`
	Recoveries  int `json:"recoveries"`
	ClockBack   int `json:"clock_back"`
	Reloads     int `json:"reloads"`
	Reviews     int `json:"reviews"` // signed off
	Alerts      int `json:"alerts"`
	Borrowed    int `json:"borrowed"`        // people's sessions that were stripped; set by the caller
	Shared      int `json:"borrowed_shared"` // of these, seen with more than one agent; set by the caller

	Agents   []string `json:"agents"`
	Sponsors []string `json:"sponsors"`
	Adapters []string `json:"adapters"`
	Accounts []string `json:"accounts"` // ADAPTER/ACCOUNT
	Policies []string `json:"policy_digests"`

	Actions map[string]int `json:"actions"` // requests by ADAPTER:ACTION
	Days    []Day          `json:"days"`    // in order; days without records are missing
}

// Day has the counts of one day in UTC.
type Day struct {
	Day      string `json:"day"` // like 2026-11-02
	Requests int    `json:"requests"`
	Refusals int    `json:"refusals"`
	Browser  int    `json:"refusals_of_browser_calls,omitempty"` // among the refusals
}

// Count counts the records of a period.
func Count(records reports.Records, p reports.Period) (*Figures, error) {
	c := &counter{
		figures: &Figures{
			Period:          p,
			Refused:         map[string]int{},
			BrowserCalls:    map[string]int{},
			RefusedOfAgents: map[string]int{},
			Actions:         map[string]int{},
		},
		open: map[string]bool{},
		days: map[string]*Day{},
	}
	f := c.figures

	for r, err := range records {
		if err != nil {
			return nil, err
		}
		if p.IsOver(r.Time) {
			break
		}
		if !p.Contains(r.Time) {
			continue
		}

		if f.Records == 0 {
			f.First = r.Seq
		}
		f.Last = r.Seq
		f.Records++
		c.add(&r)
	}

	f.Open = len(c.open)
	for _, day := range slices.Sorted(maps.Keys(c.days)) {
		f.Days = append(f.Days, *c.days[day])
	}
	return f, nil
}

// counter counts records into figures.
type counter struct {
	figures *Figures
	open    map[string]bool // ids of intents without an outcome
	days    map[string]*Day
}

func (c *counter) add(r *audit.Record) {
	f := c.figures

	reports.AddToSet(&f.Agents, r.Agent)
	if r.Kind != "review" { // signing off is not sponsoring
		reports.AddToSet(&f.Sponsors, r.Sponsor)
	}
	reports.AddToSet(&f.Adapters, r.Adapter)
	if r.Account != "" {
		reports.AddToSet(&f.Accounts, r.Adapter+"/"+r.Account)
	}
	reports.AddToSet(&f.Policies, r.PolicyDigest)

	day := c.day(r.Time)
	switch r.Kind {
	case "intent":
		f.Requests++
		day.Requests++
		f.Actions[r.Adapter+":"+r.Action]++
		if r.Privileged {
			f.Privileged++
		}
		c.open[r.ID] = true

	case "refusal":
		f.Refusals++
		day.Refusals++
		f.Refused[r.Code]++
		if call := reports.BrowserCall(r); call != "" {
			f.BrowserRefusals++
			f.BrowserCalls[call]++
			day.Browser++
		} else {
			f.RefusedOfAgents[r.Code]++
		}

	case "outcome":
		delete(c.open, r.Intent)
		switch {
		case r.Code == "login_failed":
			f.LoginFailed++
		case r.Code != "":
			f.Failed++
		}

	default:
		f.addLifecycle(r)
	}
}

// day returns the counts of the day of t.
func (c *counter) day(t time.Time) *Day {
	name := t.UTC().Format(time.DateOnly)
	if c.days[name] == nil {
		c.days[name] = &Day{Day: name}
	}
	return c.days[name]
}

// addLifecycle counts a record that is not about a request.
func (f *Figures) addLifecycle(r *audit.Record) {
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
