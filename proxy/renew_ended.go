package proxy

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/byline-proxy/byline/adapters"
	"github.com/byline-proxy/byline/proxy/wire/upstream"
)

// ended says whether a session is over that an answer calls over.
type ended int

const (
	endedYes     ended = iota // or nothing says otherwise
	endedNo                   // the application shows that the session works
	endedUnknown              // the application does not answer the question now
)

// Agents can cause answers that look like the end of a session, and nobody can read in
// such an answer whether it is true. So Byline asks the application itself, at a page
// that the agent does not choose. docs/decisions/session-endings.md has the reasons.

// endJudge finds out whether sessions of one hold are over, one request at a time.
type endJudge struct {
	mu       sync.Mutex
	unknown  int       // questions in a row without an answer
	notAsked time.Time // nothing is asked before

	// landing is whether the page to which the login leads tells who is logged in from
	// who is not: nil if that is not known for the session.
	landing        *bool
	landingSession *adapters.Session
}

const (
	// maxUnanswered is how many times the application is asked about a session before
	// it counts as over all the same.
	maxUnanswered = 4
	askBackoff    = time.Second // after the first question without an answer; then twice as long
)

// judgeEnd finds out whether the session is over that an answer calls over. It asks
// about a session that another request has given up already as if it were over.
func (x *exchange) judgeEnd(ctx context.Context) (verdict ended, retry time.Time) {
	h := x.hold
	h.ends.mu.Lock()
	defer h.ends.mu.Unlock()

	switch {
	case ctx.Err() != nil || !h.lease.IsCurrent(x.session):
		return endedYes, retry
	case time.Now().Before(h.ends.notAsked):
		return endedUnknown, h.ends.notAsked
	}

	verdict = x.server.askWhetherEnded(h.lease.Context(), h.pool, h.site.Load(), x.session, &h.ends)
	switch {
	case verdict == endedNo:
		x.noteUseful()
	case verdict == endedUnknown && h.ends.unknown+1 < maxUnanswered:
		h.ends.notAsked = time.Now().Add(askBackoff << h.ends.unknown)
		h.ends.unknown++
		return endedUnknown, h.ends.notAsked
	}
	h.ends.unknown = 0
	h.ends.notAsked = time.Time{}
	if verdict == endedUnknown {
		verdict = endedYes
	}
	return verdict, retry
}

// askWhetherEnded asks for the pages that say whether a session works, until one
// answers: that of login.identity, that of login.logout.check, and the one to which
// the login led.
func (s *Server) askWhetherEnded(ctx context.Context, pool *upstream.Pool, at *site, session *adapters.Session, j *endJudge) ended {
	verdict := endedYes
	if p := at.adapter.Probe(session); p != nil {
		switch s.ask(ctx, pool, at, p) {
		case adapters.HolderAccount:
			p.Keep(session)
			return endedNo
		case adapters.HolderOther:
			return endedYes
		case adapters.HolderNobody:
			if p.OverByHead() {
				return endedYes
			}
		default:
			verdict = endedUnknown
		}
	}

	if p := at.adapter.CheckProbe(session); p != nil {
		switch s.ask(ctx, pool, at, p) {
		case adapters.HolderAccount:
			p.Keep(session)
			return endedNo
		case adapters.HolderNobody:
			return endedYes
		default:
			verdict = endedUnknown
		}
	}

	p := at.adapter.LandingProbe(session, false)
	if p == nil {
		return verdict
	}
	switch s.ask(ctx, pool, at, p) {
	case adapters.HolderNobody:
		return endedYes
	case adapters.HolderUnknown:
		return endedUnknown
	}
	if j.landing == nil || j.landingSession != session {
		stranger := at.adapter.LandingProbe(session, true)
		holder := s.ask(ctx, pool, at, stranger)
		if holder == adapters.HolderUnknown {
			return endedUnknown
		}
		tells := holder == adapters.HolderNobody
		j.landing, j.landingSession = &tells, session
	}
	if *j.landing {
		return endedNo
	}
	return verdict
}

// isOverAtOnce asks about a session that was made just now, after one of which not one
// answer was good. No agent has used it, so what the application says of it is the
// account's fault. It returns why the account needs a person, or "" if the session
// works or nothing says that it does not. Only heads of answers count, but for the
// page that the adapter names for the purpose: others may write what pages contain.
func (s *Server) isOverAtOnce(ctx context.Context, at *site, session *adapters.Session) (why string) {
	pool := s.newPool()
	defer pool.Close()

	check := at.adapter.CheckProbe(session)
	for _, p := range []*adapters.Probe{at.adapter.Probe(session), check, at.adapter.LandingProbe(session, false)} {
		if p == nil {
			continue
		}
		holder := s.ask(ctx, pool, at, p)
		if holder == adapters.HolderAccount {
			return ""
		}
		if holder == adapters.HolderNobody && (p == check || p.OverByHead()) {
			return needsPerson(http.MethodGet, p.Page(), p.Status())
		}
	}
	return ""
}

// noteUseful notes that the session has had a good answer.
func (x *exchange) noteUseful() {
	if x.hold.useful.Swap(x.session) != x.session {
		x.server.warnNotStored(x.hold, x.hold.lease.NoteUseful())
	}
}
