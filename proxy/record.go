package proxy

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/byline-proxy/byline/adapters"
	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/audit/journal"
	"github.com/byline-proxy/byline/proxy/policy"
)

// records pools the records of exchanges. Two are filled for every exchange, and
// the log keeps nothing of them.
var records = sync.Pool{New: func() any { return new(audit.Record) }}

// append appends r, which came from records, to the log and returns r to the
// pool. The caller must not use r afterwards.
func (s *Server) append(r *audit.Record) journal.Ticket {
	t := s.log.Append(r)
	clear(r.Stripped)
	*r = audit.Record{Stripped: r.Stripped[:0]}
	records.Put(r)
	return t
}

// record returns a record, for append, of what is known of the exchange so far.
// Values of query parameters and of fields are never part of it.
func (x *exchange) record(kind string) *audit.Record {
	r := records.Get().(*audit.Record)
	setPrincipal(r, kind, x.tunnel.task)
	r.Identified = x.tunnel.identified
	r.PolicyDigest = x.rules.policy.Digest()
	r.Method, r.Host = x.recordedMethod(), x.tunnel.authority
	if x.adapter != nil {
		r.Adapter, r.AdapterDigest = x.adapter.Name(), x.adapter.Digest()
	}
	r.Action, r.Privileged = x.action.Name, x.action.Privileged
	r.Path, r.Resource = x.maskedNames()
	r.Decision = audit.Decision{Effect: effect(x.decision), Policies: x.decision.Policies}

	r.Stripped = x.appendStripped(r.Stripped, x.borrowed)
	if x.hold != nil {
		r.Account, r.Lease = x.hold.lease.Account(), x.hold.lease.ID()
	}
	return r
}

// maskedNames returns the path and the resource as records show them (I1): a request
// may hold a secret of the account, see refuseOwnSecrets. They are masked once for each
// session that the request is sent with. A request that is refused before it has one is
// masked by the newest session of its task.
func (x *exchange) maskedNames() (path, resource string) {
	session := x.newestSession()
	if session == nil {
		return x.in.Path, x.action.Resource
	}

	if x.maskedBy != session {
		m := session.Mask()
		x.maskedPath, x.maskedResource = m.Text(x.in.Path), x.action.Resource
		isRest := x.maskedPath == x.in.Path && strings.HasSuffix(x.in.Path, x.action.Resource)
		if !isRest { // of a path in which there is nothing
			x.maskedResource = m.Text(x.action.Resource)
		}
		x.maskedBy = session
	}
	return x.maskedPath, x.maskedResource
}

// newestSession returns the session with which the request is sent, or else the newest
// one of its task. It is nil if the task has none.
func (x *exchange) newestSession() *adapters.Session {
	if x.session != nil || x.adapter == nil || x.tunnel.task == nil {
		return x.session
	}
	if h, ok := x.tunnel.task.holds.Load(x.adapter.Name()); ok {
		return h.(*hold).last.Load()
	}
	return nil
}

// maskName returns a name that the agent chose, such as that of a header field, as
// records and the log may show it: without a secret of the account, a token or a key.
func (x *exchange) maskName(name string) string {
	if len(name) < minMaskedName {
		return name
	}
	name = adapters.NameForRecord(name)
	if session := x.newestSession(); session != nil {
		return session.Mask().Text(name)
	}
	return name
}

// minMaskedName is the length of the shortest name that may hold a secret. Secrets of
// fewer bytes are not masked anywhere.
const minMaskedName = 6

// recordedMethod returns the method as records show it.
func (x *exchange) recordedMethod() string {
	if isUsualMethod(x.in.Method) {
		return x.in.Method
	}
	return x.maskName(x.in.Method)
}

// isUsualMethod reports whether an agent did not make the method up.
func isUsualMethod(method string) bool {
	switch method {
	case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "PROPPATCH", "REPORT", "SEARCH", "MKCOL", "MOVE", "COPY", "LOCK", "UNLOCK":
		return true
	}
	return false
}

func effect(d policy.Decision) string {
	if d.Effect == policy.Permit {
		return "permit"
	}
	return "deny"
}

// taskRecord returns a record of the given kind that names who acts. A nil t
// leaves the names empty.
func (s *Server) taskRecord(kind string, t *task) *audit.Record {
	r := new(audit.Record)
	setPrincipal(r, kind, t)
	return r
}

// leaseRecord returns a record about an account rather than about a request.
func (s *Server) leaseRecord(kind string, t *task, h *hold, at *site) *audit.Record {
	r := s.taskRecord(kind, t)
	r.Adapter, r.AdapterDigest = at.adapter.Name(), at.adapter.Digest()
	r.Host = at.home.Authority
	r.Account, r.Lease = h.lease.Account(), h.lease.ID()
	return r
}

// setPrincipal sets the record's kind, agent, sponsor, task and grant.
func setPrincipal(r *audit.Record, kind string, t *task) {
	r.Kind = kind
	if t == nil {
		return
	}
	p := t.Principal()
	r.Agent, r.Sponsor, r.Task, r.Grant = p.Agent, p.Sponsor, p.Task, p.Grant
}

// appendDurably appends a record of a lifecycle (task, lease, login, logout,
// reload) and returns once it is durable.
func (s *Server) appendDurably(ctx context.Context, r *audit.Record) error {
	return s.log.Append(r).Wait(ctx)
}

// recordRetry is the pause between attempts at an operation that could not be
// recorded.
const recordRetry = time.Second

// retryUntilRecorded performs an operation that must happen even if it cannot be
// recorded just now. It calls do once before it returns. While do fails with
// journal.ErrNotRecorded, do is called again in the background, until it succeeds
// or the server closes. The next start resumes from the state store whatever is
// left then.
func (s *Server) retryUntilRecorded(do func(context.Context) error) {
	try := func() (done bool) {
		ctx, cancel := context.WithTimeout(context.Background(), loginTimeout)
		defer cancel()
		return !errors.Is(do(ctx), journal.ErrNotRecorded)
	}
	if try() {
		return
	}

	go func() {
		tick := time.NewTicker(recordRetry)
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
