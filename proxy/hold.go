package proxy

import (
	"sync"
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

	mu        sync.Mutex // guards what follows
	triedPool bool       // a login has used pool
	loggingIn bool       // a login is using pool
	closing   bool       // pool is to be closed once the login is over

	// last is the newest session, also after it has ended: a logout may still
	// need it.
	last atomic.Pointer[adapters.Session]

	useful  atomic.Pointer[adapters.Session] // the newest session that had a good answer
	endings endings
	ends    endJudge

	// gate is not nil while it is not known whose the session is.
	gate   atomic.Pointer[gate]
	gateMu sync.Mutex // held while somebody asks whose it is

	known adapters.KnownFields // header fields that hold no secret of the account

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

// loginPool returns the connections for one login and a function that must be
// called after it. The first login uses those of the hold, where none is open
// yet. Later ones get their own: a kept connection may be stale, and what a login
// posts is not sent a second time.
func (h *hold) loginPool(newPool func() *upstream.Pool) (pool *upstream.Pool, done func()) {
	h.mu.Lock()
	defer h.mu.Unlock()

	if h.triedPool || h.closing {
		pool = newPool()
		return pool, pool.Close
	}
	h.triedPool = true
	h.loggingIn = true
	return h.pool, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.loggingIn = false
		if h.closing {
			h.pool.Close()
		}
	}
}

// closePool cuts the hold's connections, those of a login once it is over.
// Requests, streams and sockets are cut by their contexts.
func (h *hold) closePool() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closing = true
	if !h.loggingIn {
		h.pool.Close()
	}
}

// noteChange marks the hold if the application has changed its session, so that
// the change is stored for the next start.
func (h *hold) noteChange(session *adapters.Session) {
	if session.Changed() {
		h.dirty.Store(true)
	}
}
