package proxy

import (
	"context"
	"sync/atomic"

	"github.com/byline-proxy/byline/adapters"
	"github.com/byline-proxy/byline/proxy/lease"
	"github.com/byline-proxy/byline/proxy/vault"
	"github.com/byline-proxy/byline/proxy/wire"
)

// hold is what a task keeps at one SaaS: the lease on an account, and the
// connections that carry that account's session and no other.
type hold struct {
	lease *lease.Lease[*adapters.Session]
	pool  *wire.Pool
	last  atomic.Pointer[adapters.Session] // the newest session, also one that has ended: a logout may still need it
	dirty atomic.Bool                      // the jar changed since it was last sealed into the store
	at    atomic.Pointer[place]
	count atomic.Int64 // requests that were given a number, see adapters.Adapter.Count
}

// place is where and how a lease's sessions are made and ended, under one set
// of rules.
type place struct {
	rules   *rules
	adapter *adapters.Adapter
	home    *wire.Target // where the login and the logout happen
	scheme  string       // by which the agent first named the SaaS, or better; see publicScheme
}

func newHold(p *place) *hold {
	h := &hold{}
	h.at.Store(p)
	return h
}

// under is the hold's place under the rules in force: a recipe that an operator
// has mended is used by the tasks that there are. An adapter that is gone, or
// cannot be used, leaves it as it was.
func (h *hold) under(r *rules) *place {
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
	next := &place{rules: r, adapter: a, home: home, scheme: p.scheme}
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

// attempt is what the last failed login of an account was made of.
type attempt struct {
	digest string // the adapter's
	secret vault.Secret
}

// mended reports whether the account's secret or the adapter is another one
// than when its login last failed: then waiting is for nothing.
func (c *Corridor) mended(ctx context.Context, h *hold) bool {
	p := h.under(c.rules.Load())
	v, ok := c.failed.Load(accountKey(p, h))
	if !ok {
		return false
	}
	failed := v.(attempt)
	if failed.digest != p.adapter.Digest() {
		return true
	}
	s, err := c.vault.Secret(ctx, p.adapter.Name(), h.lease.Account())
	return err == nil && !s.Equal(failed.secret)
}

func accountKey(p *place, h *hold) string { return p.adapter.Name() + "/" + h.lease.Account() }
