package proxy

import (
	"sync/atomic"

	"github.com/byline-proxy/byline/adapters"
	"github.com/byline-proxy/byline/proxy/lease"
	"github.com/byline-proxy/byline/proxy/wire/upstream"
)

// hold is what a task holds at one application: the lease on an account, and
// the connections that carry the session of this account and of no other.
type hold struct {
	lease *lease.Lease[*adapters.Session]
	pool  *upstream.Pool
	site  atomic.Pointer[site]

	// last is the newest session, also after it has ended: a logout may still
	// need it.
	last atomic.Pointer[adapters.Session]

	dirty atomic.Bool  // the session changed since it was last stored
	count atomic.Int64 // requests that were given a number
}

// site is where and how a lease's sessions are made and ended, under one set of
// rules. It does not change.
type site struct {
	rules   *rules
	adapter *adapters.Adapter
	home    *upstream.Target // where the login and the logout go
	scheme  string           // as publicScheme returned it for the first request, or https
}

func newHold(at *site) *hold {
	h := &hold{}
	h.site.Store(at)
	return h
}

// siteUnder returns the hold's site under the rules in force, so that tasks that
// run use a recipe that an operator has just fixed. If the adapter is gone or
// cannot be used, the site stays as it was.
func (h *hold) siteUnder(r *rules) *site {
	at := h.site.Load()
	if at.rules == r {
		return at
	}

	a := r.adapters.ByName(at.adapter.Name())
	if a == nil {
		return at
	}
	home, err := r.targetOf(a, canonicalAuthority(at.home.Authority, "https"))
	if err != nil {
		return at
	}

	next := &site{rules: r, adapter: a, home: home, scheme: at.scheme}
	if home.Scheme == "https" {
		next.scheme = "https"
	}
	h.site.CompareAndSwap(at, next) // if another request was first, it stored the same
	return next
}

// noteChange marks the hold if the application has changed its session, so that
// the change is stored for the next start.
func (h *hold) noteChange(session *adapters.Session) {
	if session.Changed() {
		h.dirty.Store(true)
	}
}
