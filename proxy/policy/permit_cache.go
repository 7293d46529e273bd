package policy

import (
	"hash/maphash"
	"time"
)

// cachedPermits is how many permits a plan keeps. It is a power of two.
const cachedPermits = 64

// permitKey is everything about a request that the policies of a plan can read,
// unless the plan is volatile. Cedar decides equally for equal keys, because a
// plan's policies, scope and principal never change.
type permitKey struct {
	resource, method, host string
	privileged             bool
	hour                   int
	weekday                time.Weekday
}

// cachedPermit is a permit with the key it was decided for.
type cachedPermit struct {
	permitKey
	decision Decision
}

var cacheSeed = maphash.MakeSeed()

func permitKeyOf(q *Request) permitKey {
	now := q.Now.UTC()
	return permitKey{q.Resource, q.Method, q.Host, q.Privileged, now.Hour(), now.Weekday()}
}

func cacheSlot(key *permitKey) int {
	return int(maphash.String(cacheSeed, key.resource) & (cachedPermits - 1))
}

// findPermit returns the permit of an equal request. Denials are not cached.
func (p *plan) findPermit(key permitKey) (Decision, bool) {
	if c := p.permits[cacheSlot(&key)].Load(); c != nil && c.permitKey == key {
		return c.decision, true
	}
	return Decision{}, false
}

func (p *plan) cachePermit(key permitKey, d Decision) {
	p.permits[cacheSlot(&key)].Store(&cachedPermit{key, d})
}
