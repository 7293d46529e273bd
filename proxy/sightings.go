package proxy

import (
	"sync"

	"github.com/byline-proxy/byline/adapters"
	"github.com/byline-proxy/byline/proxy/audit"
)

// sightings remembers what a task knows of the borrowed credentials it saw: an
// agent sends the same cookie with every request, through every tunnel.
type sightings struct {
	mu   sync.Mutex
	seen map[string]audit.Stripped // by the credential's value
}

const (
	maxSightings = 64  // of one task; then it forgets and begins anew
	maxAlerts    = 100 // of one task: an agent can make up as many credentials as it likes
)

// sightings are the task's; a tunnel without one has nothing to remember.
func (t *tunnel) sightings() *sightings {
	if t.task == nil {
		return new(sightings)
	}
	return &t.task.sightings
}

// strippedRecord is a borrowed credential as the record names it: by keyed
// fingerprint, the same for the same value, from which nobody without the key
// can find the value. A session that this agent was not seen with before is put
// on record by itself, in front of the request that carried it.
func (x *exchange) strippedRecord(b adapters.Borrowed) audit.Stripped {
	s, value := x.tunnel.sightings(), b.Value.Reveal()
	s.mu.Lock()
	known, ok := s.seen[value]
	s.mu.Unlock()
	if ok {
		known.In, known.Name = b.In, b.Name
		return known
	}
	known = audit.Stripped{In: b.In, Name: b.Name, Fingerprint: audit.Fingerprint(x.server.printKey, value), Person: b.Person()}
	if b.Session && value != "" {
		x.alert(known)
	}
	s.mu.Lock()
	if s.seen == nil || len(s.seen) >= maxSightings {
		s.seen = map[string]audit.Stripped{}
	}
	s.seen[value] = known
	s.mu.Unlock()
	return known
}

// alert puts the first sight of a session, and the first with each further
// agent, on record. While the store cannot tell, it alerts once a task.
func (x *exchange) alert(s audit.Stripped) {
	if x.tunnel.task == nil {
		return // nobody who could be named carried it
	}
	agent := x.tunnel.task.Principal().Agent
	other, errAgent := x.server.state.FirstSight(s.Fingerprint + " " + audit.Fingerprint(x.server.printKey, agent))
	if errAgent == nil && !other {
		return
	}
	first, err := x.server.state.FirstSight(s.Fingerprint)
	if x.tunnel.task.alerts.Add(1) > maxAlerts {
		return
	}
	r := x.server.taskRecord("alert", x.tunnel.task)
	r.Host, r.Stripped, r.Code = x.tunnel.authority, []audit.Stripped{s}, "borrowed_seen"
	r.Detail = "a borrowed session was seen for the first time"
	if err == nil && !first {
		r.Code, r.Detail = "borrowed_shared", "a borrowed session that another agent had carried was seen with this one"
	}
	if x.adapter != nil {
		r.Adapter, r.AdapterDigest = x.adapter.Name(), x.adapter.Digest()
	}
	x.server.metrics.alerts.WithLabelValues(r.Adapter, r.Code).Inc()
	x.server.opt.Log.Warn().Str("task", r.Task).Str("agent", r.Agent).Str("host", r.Host).Str("name", s.Name).
		Str("fingerprint", s.Fingerprint).Str("code", r.Code).Msg("borrowed session")
	x.server.log.Append(r)
}
