package proxy

import (
	"sync/atomic"

	"github.com/byline-proxy/byline/adapters"
	"github.com/byline-proxy/byline/proxy/lease"
	"github.com/byline-proxy/byline/proxy/wire"
)

// hold is what a task keeps at one SaaS: the lease on an account, and the
// connections that carry that account's session and no other.
type hold struct {
	lease *lease.Lease[*adapters.Session]
	pool  *wire.Pool
	last  atomic.Pointer[adapters.Session] // the newest session, also one that has ended: a logout may still need it
	dirty atomic.Bool                      // the jar changed since it was last sealed into the store
	at    atomic.Pointer[site]
	count atomic.Int64 // requests that were given a number, see adapters.Adapter.Count
}

// site is where and how a lease's sessions are made and ended, under one set
// of rules.
type site struct {
	rules   *rules
	adapter *adapters.Adapter
	home    *wire.Target // where the login and the logout happen
	scheme  string       // by which the agent first named the SaaS, or better; see publicScheme
}

func newHold(p *site) *hold {
	h := &hold{}
	h.at.Store(p)
	return h
}

// siteUnder is the hold's place siteUnder the rules in force: a recipe that an operator
// has mended is used by the tasks that there are. An adapter that is gone, or
// cannot be used, leaves it as it was.
func (h *hold) siteUnder(r *rules) *site {
	p := h.at.Load()
	if p.rules == r {
		return p
	}
	a := r.adapters.ByName(p.adapter.Name())
	if a == nil {
		return p
	}
	home, err := r.targetOf(a, canonicalAuthority(p.home.Authority, "https"))
	if err != nil {
		return p
	}
	next := &site{rules: r, adapter: a, home: home, scheme: p.scheme}
	if home.Scheme == "https" {
		next.scheme = "https"
	}
	h.at.CompareAndSwap(p, next) // whoever was first has the same
	return next
}

func (h *hold) noteChange(s *adapters.Session) {
	if s.Changed() {
		h.dirty.Store(true)
	}
}
