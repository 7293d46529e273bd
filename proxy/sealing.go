package proxy

import (
	"encoding/json"
	"fmt"

	"github.com/byline-proxy/byline/adapters"
)

// storedSession is a session as the state store keeps it, encrypted.
type storedSession struct {
	Task    string          `json:"task"`
	Home    string          `json:"home"` // the authority where it was logged in
	Scheme  string          `json:"scheme"`
	Session json.RawMessage `json:"session"`
}

const sealPurpose = "upstream session"

// sealSession stores a session for the next start, so that a restart neither
// logs in again nor leaves a session at the application that nobody can end. A
// session that cannot be stored is logged: the task goes on with it.
func (s *Server) sealSession(t *task, h *hold, at *site, session *adapters.Session) {
	sealed, err := s.seal(t, at, session)
	if err == nil {
		err = s.state.PutSession(h.lease.Adapter(), h.lease.Account(), h.lease.Fence(), sealed)
	}
	if err != nil {
		s.opt.Log.Warn().Str("lease", h.lease.ID()).Err(err).Msg("session not stored for a restart")
	}
}

func (s *Server) seal(t *task, at *site, session *adapters.Session) ([]byte, error) {
	b, err := session.Marshal()
	if err != nil {
		return nil, err
	}
	b, err = json.Marshal(storedSession{Task: t.ID(), Home: at.home.Authority, Scheme: at.scheme, Session: b})
	if err != nil {
		return nil, err
	}
	return s.opt.Sealer.Seal(sealPurpose, b)
}

// restoreSession returns the session that the same task left in the store before
// a restart, or nil.
func (s *Server) restoreSession(t *task, h *hold, at *site) *adapters.Session {
	if h.last.Load() != nil {
		return nil // this process has had a session, and it ended
	}

	stored, session, err := s.openStoredSession(at.adapter, h.lease.Account())
	if err != nil || stored.Task != t.ID() {
		return nil
	}
	return session
}

// openStoredSession reads the session of an account from the store. The error is
// state.ErrNotFound if there is none.
func (s *Server) openStoredSession(a *adapters.Adapter, account string) (storedSession, *adapters.Session, error) {
	var stored storedSession
	b, err := s.state.Session(a.Name(), account)
	if err != nil {
		return stored, nil, err
	}

	b, err = s.opt.Sealer.Open(sealPurpose, b)
	if err != nil {
		return stored, nil, fmt.Errorf("stored session: %w", err)
	}
	if err := json.Unmarshal(b, &stored); err != nil {
		return stored, nil, fmt.Errorf("stored session: %w", err)
	}

	session, err := a.Restore(stored.Session)
	return stored, session, err
}

// sealChangedSessions stores the sessions whose cookies have changed since they
// were last stored.
func (s *Server) sealChangedSessions() {
	s.tasks.Range(func(_, v any) bool {
		t := v.(*task)
		t.holds.Range(func(_, v any) bool {
			h := v.(*hold)
			session := h.last.Load()
			if session != nil && h.lease.Valid() && h.dirty.Swap(false) {
				s.sealSession(t, h, h.site.Load(), session)
			}
			return true
		})
		return true
	})
}
