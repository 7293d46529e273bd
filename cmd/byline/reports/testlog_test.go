package reports

import (
	"fmt"
	"time"

	"github.com/byline-proxy/byline/proxy/audit"
)

// day is when the logs of these tests begin.
var day = time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)

// testLog is a log with one record a minute from 09:00 on.
type testLog struct{ records []audit.Record }

// all returns the records as a reader of the log would.
func (l *testLog) all() Records {
	return func(yield func(audit.Record, error) bool) {
		for _, r := range l.records {
			if !yield(r, nil) {
				return
			}
		}
	}
}

// add appends a record and returns it.
func (l *testLog) add(r audit.Record) *audit.Record {
	r.Time = day.Add(time.Duration(len(l.records)) * time.Minute)
	r.ID = fmt.Sprintf("r_%d", len(l.records))
	l.records = append(l.records, r)
	return &l.records[len(l.records)-1]
}

func (l *testLog) task(id, agent, sponsor string, scope ...string) {
	l.add(audit.Record{Kind: "task", Task: id, Agent: agent, Sponsor: sponsor, Purpose: "INC-1", Scope: scope})
}

func (l *testLog) request(kind, task, agent, sponsor, action, resource, code string) *audit.Record {
	effect := "permit"
	if kind == "refusal" {
		effect = "deny"
	}
	return l.add(audit.Record{
		Kind:     kind,
		Task:     task,
		Agent:    agent,
		Sponsor:  sponsor,
		Adapter:  "wiki",
		Action:   action,
		Resource: resource,
		Method:   "GET",
		Host:     "wiki.acme.example:443",
		Path:     "/index.php",
		Code:     code,
		Decision: audit.Decision{Effect: effect},
	})
}

func (l *testLog) lease(task, agent, sponsor, account, id, detail string) {
	l.add(audit.Record{Kind: "lease", Task: task, Agent: agent, Sponsor: sponsor, Adapter: "wiki", Account: account, Lease: id, Detail: detail})
}
