package proxy

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/byline-proxy/byline/adapters"
)

// storedSession is a session as the store keeps it, encrypted: whose it was, and what
// the adapter needs to take it up again.
type storedSession struct {
	Task    string          `json:"task"`
	Home    string          `json:"home"` // the authority it was logged in at
	Scheme  string          `json:"scheme"`
	Session json.RawMessage `json:"session"`
}

const sealPurpose = "upstream session"

// sealSession keeps a session for the next start, so that a restart neither
// logs in again nor leaves a session at the SaaS that nobody can end.
func (c *Server) sealSession(t *task, h *hold, p *site, s *adapters.Session) {
	b, err := s.Marshal()
	if err == nil {
		b, err = json.Marshal(storedSession{Task: t.ID(), Home: p.home.Authority, Scheme: p.scheme, Session: b})
	}
	if err == nil {
		b, err = c.opt.Sealer.Seal(sealPurpose, b)
	}
	if err == nil {
		err = c.state.PutSession(h.lease.Adapter(), h.lease.Account(), h.lease.Fence(), b)
	}
	if err != nil {
		c.opt.Log.Warn().Str("lease", h.lease.ID()).Err(err).Msg("session not kept for a restart")
	}
}

// restoreSession takes up the session that the same task left in the store.
func (c *Server) restoreSession(t *task, h *hold, p *site) *adapters.Session {
	if h.last.Load() != nil {
		return nil // this process has had one: it ended
	}
	kept, s, err := c.openStoredSession(p.adapter, h.lease.Account())
	if err != nil || kept.Task != t.ID() {
		return nil
	}
	return s
}

func (c *Server) openStoredSession(a *adapters.Adapter, account string) (kept storedSession, s *adapters.Session, err error) {
	b, err := c.state.Session(a.Name(), account)
	if err != nil {
		return kept, nil, err
	}
	if b, err = c.opt.Sealer.Open(sealPurpose, b); err != nil {
		return kept, nil, fmt.Errorf("stored session: %w", err)
	}
	if err = json.Unmarshal(b, &kept); err != nil {
		return kept, nil, fmt.Errorf("stored session: %w", err)
	}
	s, err = a.Restore(kept.Session)
	return kept, s, err
}

// watchSessions keeps the stored sessions up with cookies that rotate.
func (s *Server) watchSessions() {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-tick.C:
			s.sealChangedSessions()
		}
	}
}

func (c *Server) sealChangedSessions() {
	c.tasks.Range(func(_, v any) bool {
		t := v.(*task)
		t.holds.Range(func(_, v any) bool {
			h := v.(*hold)
			if s := h.last.Load(); s != nil && h.lease.Valid() && h.dirty.Swap(false) {
				c.sealSession(t, h, h.at.Load(), s)
			}
			return true
		})
		return true
	})
}
