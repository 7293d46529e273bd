package proxy

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/policy"
)

// records are used again: two are filled for every exchange, and the log keeps
// nothing of them.
var records = sync.Pool{New: func() any { return new(audit.Record) }}

// append hands r over and forgets it.
func (s *Server) append(r *audit.Record) audit.Ticket {
	t := s.log.Append(r)
	clear(r.Stripped)
	*r = audit.Record{Stripped: r.Stripped[:0]}
	records.Put(r)
	return t
}

// record is what is known of the exchange so far, in the words of the record.
// Query values and field values are never part of it. It is for append.
func (x *exchange) record(kind string) *audit.Record {
	r := records.Get().(*audit.Record)
	x.server.setPrincipal(r, kind, x.tunnel.task)
	r.PolicyDigest = x.rules.policy.Digest()
	r.Method, r.Host, r.Path = x.in.Method, x.tunnel.authority, x.in.Path
	if x.adapter != nil {
		r.Adapter, r.AdapterDigest = x.adapter.Name(), x.adapter.Digest()
	}
	r.Action, r.Resource, r.Privileged = x.action.Name, x.action.Resource, x.action.Privileged
	r.Decision = audit.Decision{Effect: effect(x.decision), Policies: x.decision.Policies}
	for _, b := range x.borrowed {
		r.Stripped = append(r.Stripped, x.strippedRecord(b))
	}
	if x.hold != nil {
		r.Account, r.Lease = x.hold.lease.Account(), x.hold.lease.ID()
	}
	return r
}

func effect(d policy.Decision) string {
	if d.Effect == policy.Permit {
		return "permit"
	}
	return "deny"
}

// taskRecord is a record that carries who acts: agent, sponsor, task, grant.
func (s *Server) taskRecord(kind string, t *task) *audit.Record {
	r := new(audit.Record)
	s.setPrincipal(r, kind, t)
	return r
}

func (s *Server) setPrincipal(r *audit.Record, kind string, t *task) {
	r.Kind = kind
	if t != nil {
		p := t.Principal()
		r.Agent, r.Sponsor, r.Task, r.Grant = p.Agent, p.Sponsor, p.Task, p.Grant
	}
}

// appendDurably puts a lifecycle record (task, lease, login, logout, reload) on record
// and waits until it is durable.
func (s *Server) appendDurably(ctx context.Context, r *audit.Record) error {
	return s.log.Append(r).Wait(ctx)
}

// recordAgain is how soon something that could not be recorded is tried anew.
const recordAgain = time.Second

// retryUntilRecorded does what must happen whether or not it can be put on record
// just now. It does it once before it returns; while that fails because of the
// record, it goes on in the background until it is done or the corridor closes:
// what is left then, the next start takes up from the store.
func (s *Server) retryUntilRecorded(do func(context.Context) error) {
	try := func() (done bool) {
		ctx, cancel := context.WithTimeout(context.Background(), loginTimeout)
		defer cancel()
		return !errors.Is(do(ctx), audit.ErrNotRecorded)
	}
	if try() {
		return
	}
	go func() {
		tick := time.NewTicker(recordAgain)
		defer tick.Stop()
		for {
			select {
			case <-s.stop:
				return
			case <-tick.C:
			}
			if s.log.Err() == nil && try() {
				return
			}
		}
	}()
}

// leaseRecord is a record about an account rather than a request.
func (s *Server) leaseRecord(kind string, t *task, h *hold, p *site) *auditRecord {
	r := s.taskRecord(kind, t)
	r.Adapter, r.AdapterDigest, r.Host = p.adapter.Name(), p.adapter.Digest(), p.home.Authority
	r.Account, r.Lease = h.lease.Account(), h.lease.ID()
	return r
}
