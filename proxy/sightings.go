package proxy

import (
	"sync"

	"github.com/byline-proxy/byline/adapters"
	"github.com/byline-proxy/byline/proxy/audit"
)

// sightings remembers the borrowed credentials that a task has sent: an agent
// sends the same cookie with every request, through every tunnel.
type sightings struct {
	mu   sync.Mutex
	seen map[string]audit.Stripped // by the credential's value
}

// forget forgets all of them.
func (s *sightings) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = nil
}

const (
	maxSightings = 64  // remembered of one task; beyond that all are forgotten
	maxAlerts    = 100 // recorded of one task: an agent can make up any number of credentials
)

// sightings returns those of the tunnel's task. A tunnel without a task remembers
// nothing.
func (t *tunnel) sightings() *sightings {
	if t.task == nil {
		return new(sightings)
	}
	return &t.task.sightings
}

// strippedRecord returns a borrowed credential as the record names it: by a keyed
// fingerprint, which is the same for the same value and from which nobody without
// the key can find the value. The first time that this task sends a session, an
// alert is recorded before the request that carried it.
func (x *exchange) strippedRecord(b adapters.Borrowed) audit.Stripped {
	s := x.tunnel.sightings()
	value := b.Value.Reveal()

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
	defer s.mu.Unlock()
	if s.seen == nil || len(s.seen) >= maxSightings {
		s.seen = map[string]audit.Stripped{}
	}
	s.seen[value] = known
	return known
}

// alert records the first sight of a borrowed session, and the first with each
// further agent. If the state store cannot tell whether it is the first, alert
// records one for the task.
func (x *exchange) alert(s audit.Stripped) {
	t := x.tunnel.task
	if t == nil {
		return // there is nobody to name
	}

	agent := t.Principal().Agent
	newWithAgent, agentErr := x.server.state.FirstSight(s.Fingerprint + " " + audit.Fingerprint(x.server.printKey, agent))
	if agentErr == nil && !newWithAgent {
		return
	}
	first, err := x.server.state.FirstSight(s.Fingerprint)
	if t.alerts.Add(1) > maxAlerts {
		return
	}

	r := x.server.taskRecord("alert", t)
	r.Host = x.tunnel.authority
	r.Stripped = []audit.Stripped{s}
	r.Code = string(BorrowedSeen)
	r.Detail = "a borrowed session was seen for the first time"
	if err == nil && !first {
		r.Code, r.Detail = string(BorrowedShared), "a borrowed session that another agent had carried was seen with this one"
	}
	if x.adapter != nil {
		r.Adapter, r.AdapterDigest = x.adapter.Name(), x.adapter.Digest()
	}

	x.server.metrics.alerts.WithLabelValues(r.Adapter, r.Code).Inc()
	x.server.opt.Log.Warn().Str("task", r.Task).Str("agent", r.Agent).Str("host", r.Host).Str("name", s.Name).
		Str("fingerprint", s.Fingerprint).Str("code", r.Code).Msg("borrowed session")
	x.server.log.Append(r)
}
