package policy

import (
	"hash/maphash"
	"time"
)

// recalled is how many permits a plan keeps; a power of two.
const recalled = 64

// seen is everything about a request that a plan's policies can read, as long
// as the plan is not fleeting: Cedar decides the same about equal ones, for the
// policies, the scope and the principal of a plan never change.
type seen struct {
	resource, method, host string
	privileged             bool
	hour                   int
	weekday                time.Weekday
}

// permitted is one decision and what it was about.
type permitted struct {
	seen
	decision Decision
}

var seed = maphash.MakeSeed()

func (p *plan) circumstancesOf(q *Request) seen {
	now := q.Now.UTC()
	return seen{q.Resource, q.Method, q.Host, q.Privileged, now.Hour(), now.Weekday()}
}

func slotOf(s *seen) int { return int(maphash.String(seed, s.resource) & (recalled - 1)) }

// recall finds the permit of an equal request. Denials are always decided anew.
func (p *plan) recall(s seen) (Decision, bool) {
	if k := p.permits[slotOf(&s)].Load(); k != nil && k.seen == s {
		return k.decision, true
	}
	return Decision{}, false
}

func (p *plan) remember(s seen, d Decision) {
	p.permits[slotOf(&s)].Store(&permitted{s, d})
}
