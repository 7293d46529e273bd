package policy

import (
	"strings"
	"time"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
)

// Decide answers a request. It reads no clock, does no I/O, and may be called
// concurrently. If the scope does not permit the request, the code is
// OutOfScope; if a policy forbids it or fails, the code is PolicyDenied.
func (g *Grant) Decide(q Request) Decision {
	if g == nil || g.set == nil || !hasValidNames(&q) {
		return Decision{Code: OutOfScope}
	}
	p := g.planFor(q.Adapter, q.Action)
	if len(p.permitIDs) == 0 {
		return Decision{Code: OutOfScope}
	}
	if q.Now.IsZero() {
		return Decision{Code: PolicyDenied, Errors: []string{"the request names no time"}}
	}

	key := permitKeyOf(&q)
	if !p.volatile {
		if d, ok := p.findPermit(key); ok {
			return d
		}
	}
	d := g.evaluate(p, &q)
	if d.Effect == Permit && !p.volatile {
		p.cachePermit(key, d)
	}
	return d
}

// hasValidNames reports whether the request names an adapter and an action as
// an adapter can. A ':' in the adapter would make one name of two, and a '*'
// would name a group.
func hasValidNames(q *Request) bool {
	return q.Adapter != "" && q.Action != "" && !strings.ContainsAny(q.Adapter, ":*") && !strings.Contains(q.Action, "*")
}

// evaluate asks Cedar.
func (g *Grant) evaluate(p *plan, q *Request) Decision {
	entities := &entityStore{grant: g, plan: p, resource: p.resourceOf(q)}
	asked := cedar.Request{
		Principal: g.principal.UID,
		Action:    p.action.UID,
		Resource:  entities.resource.UID,
		Context:   p.contextOf(g, q),
	}

	effect, diagnostic := cedar.Authorize(p.policies, entities, asked)
	if effect != cedar.Allow || len(diagnostic.Errors) > 0 {
		permits := p.policies[:len(p.permitIDs)]
		if inScope, _ := cedar.Authorize(permits, entities, asked); inScope != cedar.Allow {
			return Decision{Code: OutOfScope}
		}
		return deny(effect, diagnostic)
	}

	if len(diagnostic.Reasons) == len(p.permitIDs) {
		return Decision{Effect: Permit, Policies: p.permitIDs}
	}
	d := Decision{Effect: Permit}
	for _, r := range diagnostic.Reasons {
		d.Policies = append(d.Policies, string(r.PolicyID))
	}
	return d
}

// deny returns a denial with the policies that forbid or fail. If Cedar allows
// although a policy failed, its reasons are permits, which are left out.
func deny(effect cedar.Decision, diagnostic cedar.Diagnostic) Decision {
	d := Decision{Code: PolicyDenied}
	if effect == cedar.Deny {
		for _, r := range diagnostic.Reasons {
			d.Policies = append(d.Policies, string(r.PolicyID))
		}
	}
	for _, e := range diagnostic.Errors {
		d.Policies = append(d.Policies, string(e.PolicyID))
		d.Errors = append(d.Errors, string(e.PolicyID)+": "+e.Message)
	}
	return d
}

// entityStore holds the entities that Cedar may look at in one decision.
type entityStore struct {
	grant    *Grant
	plan     *plan
	resource *types.Entity
}

// Get implements [types.EntityGetter].
func (s *entityStore) Get(id types.EntityUID) (types.Entity, bool) {
	switch id {
	case s.grant.principal.UID:
		return s.grant.principal, true
	case s.plan.action.UID:
		return s.plan.action, true
	case s.resource.UID:
		return *s.resource, true
	}
	return types.Entity{}, false
}

// resourceOf returns the resource as an entity. The plan keeps the last one,
// because the parts of a page have one name.
func (p *plan) resourceOf(q *Request) *types.Entity {
	last := p.lastResource.Load()
	if last != nil && len(last.UID.ID) == len(q.Adapter)+1+len(q.Resource) && strings.HasSuffix(string(last.UID.ID), q.Resource) {
		return last
	}

	e := &types.Entity{
		UID:     types.NewEntityUID(typeResource, types.String(q.Adapter+":"+q.Resource)),
		Parents: p.adapter,
		Attributes: types.NewRecord(types.RecordMap{
			"adapter": types.String(q.Adapter),
			"name":    types.String(q.Resource),
		}),
	}
	p.lastResource.Store(e)
	return e
}

// contextKeys are all attributes of the context.
var contextKeys = []string{"privileged", "method", "host", "path", "hour", "weekday", "now", "agent", "sponsor"}

// cachedContext is a context and the values that it was made from.
type cachedContext struct {
	privileged   bool
	hour         int
	weekday      time.Weekday
	method, host string
	context      types.Record
}

// contextOf returns the context that the plan's policies read. The plan keeps
// the last one while its values do not change.
func (p *plan) contextOf(g *Grant, q *Request) types.Record {
	if len(p.contextKeys) == 0 {
		return types.Record{}
	}

	now := q.Now.UTC()
	c := cachedContext{privileged: q.Privileged, hour: now.Hour(), weekday: now.Weekday(), method: q.Method, host: q.Host}
	last := p.lastContext.Load()
	if last != nil && last.privileged == c.privileged && last.hour == c.hour && last.weekday == c.weekday && last.method == c.method && last.host == c.host {
		return last.context
	}

	c.context = types.NewRecord(p.contextMap(g, q, now))
	if !p.volatile {
		kept := c
		p.lastContext.Store(&kept)
	}
	return c.context
}

func (p *plan) contextMap(g *Grant, q *Request, now time.Time) types.RecordMap {
	m := make(types.RecordMap, len(p.contextKeys))
	for _, key := range p.contextKeys {
		name := types.String(key)
		switch key {
		case "privileged":
			m[name] = types.Boolean(q.Privileged)
		case "method":
			m[name] = types.String(q.Method)
		case "host":
			m[name] = types.String(q.Host)
		case "path":
			m[name] = types.String(q.Path)
		case "hour":
			m[name] = types.Long(now.Hour())
		case "weekday":
			m[name] = types.String(now.Weekday().String()[:3])
		case "now":
			m[name] = types.NewDatetime(now)
		case "agent":
			m[name] = g.agent
		case "sponsor":
			m[name] = g.sponsor
		}
	}
	return m
}
