package policy

import (
	"iter"
	"strings"
	"time"

	"github.com/cedar-policy/cedar-go"
	publicast "github.com/cedar-policy/cedar-go/ast"
	"github.com/cedar-policy/cedar-go/types"
)

type cedarTree = publicast.Policy

// Decide answers a request. It may be called concurrently, reads no clock and
// does no I/O. First the scope must permit, else the code is OutOfScope; then
// no policy may forbid or fail, else it is PolicyDenied.
func (g *Grant) Decide(q Request) Decision {
	if g == nil || g.set == nil || !named(&q) {
		return Decision{Code: OutOfScope}
	}
	p := g.plan(q.Adapter, q.Action)
	if len(p.permitIDs) == 0 {
		return Decision{Code: OutOfScope}
	}
	if q.Now.IsZero() {
		return Decision{Code: PolicyDenied, Errors: []string{"the request names no time"}}
	}
	seen := p.circumstancesOf(&q)
	if !p.fleeting {
		if d, ok := p.recall(seen); ok {
			return d
		}
	}
	d := g.ask(p, &q)
	if d.Effect == Permit && !p.fleeting {
		p.remember(seen, d)
	}
	return d
}

// ask puts the request to Cedar.
func (g *Grant) ask(p *plan, q *Request) Decision {
	w := &world{grant: g, plan: p, request: q, place: p.placeOf(q)}
	asked := cedar.Request{Principal: g.principal.UID, Action: p.action.UID, Resource: w.place.UID, Context: p.context(g, q)}
	permit, why := cedar.Authorize(p.all, w, asked)
	if permit != cedar.Allow || len(why.Errors) > 0 {
		if inScope, _ := cedar.Authorize(p.all[:len(p.permitIDs)], w, asked); inScope != cedar.Allow {
			return Decision{Code: OutOfScope}
		}
		return denied(permit, why)
	}
	if len(why.Reasons) == len(p.permitIDs) {
		return Decision{Effect: Permit, Policies: p.permitIDs}
	}
	d := Decision{Effect: Permit}
	for _, r := range why.Reasons {
		d.Policies = append(d.Policies, string(r.PolicyID))
	}
	return d
}

// named tells whether the request names an adapter and an action as an adapter
// could: a ':' or a '*' in them would make one name of two, or of a group.
func named(q *Request) bool {
	return q.Adapter != "" && q.Action != "" && !strings.ContainsAny(q.Adapter, ":*") && !strings.Contains(q.Action, "*")
}

// denied names what forbids. Where nothing but a failure does, Cedar's reasons
// are those of the permits, and are left out.
func denied(permit cedar.Decision, against cedar.Diagnostic) Decision {
	d := Decision{Code: PolicyDenied}
	if permit == cedar.Deny {
		for _, r := range against.Reasons {
			d.Policies = append(d.Policies, string(r.PolicyID))
		}
	}
	for _, e := range against.Errors {
		d.Policies = append(d.Policies, string(e.PolicyID))
		d.Errors = append(d.Errors, string(e.PolicyID)+": "+e.Message)
	}
	return d
}

// entries are policies in the order in which they are asked.
type entries []entry

type entry struct {
	id     cedar.PolicyID
	policy *cedar.Policy
}

func (e *entries) add(id string, p *cedar.Policy) { *e = append(*e, entry{cedar.PolicyID(id), p}) }

// All is for Cedar.
func (e entries) All() iter.Seq2[cedar.PolicyID, *cedar.Policy] {
	return func(yield func(cedar.PolicyID, *cedar.Policy) bool) {
		for i := range e {
			if !yield(e[i].id, e[i].policy) {
				return
			}
		}
	}
}

// world is what Cedar may look at during one decision.
type world struct {
	grant   *Grant
	plan    *plan
	request *Request
	place   *types.Entity
}

// Get is for Cedar.
func (w *world) Get(id types.EntityUID) (types.Entity, bool) {
	switch id {
	case w.grant.principal.UID:
		return w.grant.principal, true
	case w.plan.action.UID:
		return w.plan.action, true
	case w.place.UID:
		return *w.place, true
	}
	return types.Entity{}, false
}

// placeOf is the resource as an entity. The last one is kept: pages load their
// parts under one name.
func (p *plan) placeOf(q *Request) *types.Entity {
	if e := p.place.Load(); e != nil && len(e.UID.ID) == len(q.Adapter)+1+len(q.Resource) && strings.HasSuffix(string(e.UID.ID), q.Resource) {
		return e
	}
	e := &types.Entity{
		UID:        types.NewEntityUID(typeResource, types.String(q.Adapter+":"+q.Resource)),
		Parents:    p.adapter,
		Attributes: types.NewRecord(types.RecordMap{"adapter": types.String(q.Adapter), "name": types.String(q.Resource)}),
	}
	p.place.Store(e)
	return e
}

// contextKeys are all attributes of the context.
var contextKeys = []string{"privileged", "method", "host", "path", "hour", "weekday", "now", "agent", "sponsor"}

// moment is a context and what it was made from.
type moment struct {
	privileged   bool
	hour         int
	weekday      time.Weekday
	method, host string
	context      types.Record
}

// context holds what the plan's policies read. The last one is kept while
// nothing of it changes.
func (p *plan) context(g *Grant, q *Request) types.Record {
	if len(p.keys) == 0 {
		return types.Record{}
	}
	now := q.Now.UTC()
	m := moment{privileged: q.Privileged, hour: now.Hour(), weekday: now.Weekday(), method: q.Method, host: q.Host}
	if l := p.moment.Load(); l != nil && l.privileged == m.privileged && l.hour == m.hour && l.weekday == m.weekday && l.method == m.method && l.host == m.host {
		return l.context
	}
	m.context = types.NewRecord(p.circumstances(g, q, now))
	if !p.fleeting {
		kept := m
		p.moment.Store(&kept)
	}
	return m.context
}

func (p *plan) circumstances(g *Grant, q *Request, now time.Time) types.RecordMap {
	r := make(types.RecordMap, len(p.keys))
	for _, k := range p.keys {
		switch k {
		case "privileged":
			r[types.String(k)] = types.Boolean(q.Privileged)
		case "method":
			r[types.String(k)] = types.String(q.Method)
		case "host":
			r[types.String(k)] = types.String(q.Host)
		case "path":
			r[types.String(k)] = types.String(q.Path)
		case "hour":
			r[types.String(k)] = types.Long(now.Hour())
		case "weekday":
			r[types.String(k)] = types.String(now.Weekday().String()[:3])
		case "now":
			r[types.String(k)] = types.NewDatetime(now)
		case "agent":
			r[types.String(k)] = g.agent
		case "sponsor":
			r[types.String(k)] = g.sponsor
		}
	}
	return r
}
