package proxy

import (
	"context"
	"time"

	"github.com/byline-proxy/byline/adapters"
)

// doubt is a session that an answer has changed, and of which the application has not
// said whose it is.
type doubt struct {
	session *adapters.Session // as requests use it
	changed *adapters.Session // as it is at the application
	masker  adapters.Masker   // of the answer that changed it
	fields  []adapters.Field  // of that answer
	cause   string            // the request that it answers, for the record

	asked    int // in how many rounds the application did not say
	notAsked time.Time
}

const (
	// quickQuestions is how many times the application is asked at once, after
	// quickPause each, before the request is refused.
	quickQuestions = 3
	quickPause     = 300 * time.Millisecond

	// maxDoubtRounds is after how many rounds without an answer a session is given up.
	maxDoubtRounds = 6
)

// ask asks the application whose the changed session is.
func (d *doubt) ask(ctx context.Context, s *Server, h *hold) (adapters.Holder, *adapters.Probe) {
	for n := range quickQuestions {
		if n > 0 && waitUntil(ctx, time.Now().Add(quickPause)) != nil {
			break
		}
		at := h.site.Load()
		p := at.adapter.Probe(d.changed)
		if p == nil {
			break // a reload has removed login.identity
		}
		if holder := s.ask(ctx, h.pool, at, p); holder != adapters.HolderUnknown {
			return holder, p
		}
	}
	return adapters.HolderUnknown, nil
}

// postpone sets when the application is asked again, after a round without an answer.
func (d *doubt) postpone() {
	d.notAsked = time.Now().Add(askBackoff << d.asked)
	d.asked++
}

// refuseDoubt returns the refusal for a request while a session is in doubt.
func (x *exchange) refuseDoubt(d *doubt) error {
	r := refuse(LoginFailed, "the answer to %s changed the session at %s, and the application does not say at the moment whether it is still that of the account %s. "+
		"Nothing is sent before it has. Check whether that request took effect.", d.cause, x.tunnel.host, x.hold.lease.Account())
	r.Retry = int(time.Until(d.notAsked)/time.Second) + 1
	return r
}

// endStranger gives up the session that a request turned into one that is not known to
// be the account's, and returns the refusal for that request. Both the session as
// requests used it and as it is now at the application are logged out.
func (x *exchange) endStranger(d *doubt, holder adapters.Holder) error {
	s, t, h, at := x.server, x.tunnel.task, x.hold, x.hold.site.Load()
	why := "the answer to " + d.cause + " changed the session, and the application does not say that it is still the account's"
	if holder == adapters.HolderOther {
		why = "the answer to " + d.cause + " made the session that of somebody else"
	}

	was, err := h.lease.GiveUp(d.session, true, why)
	if was {
		s.discard(t, h, at, d.session, why)
	}
	s.warnNotStored(h, err)
	s.discard(t, h, at, d.changed, why)
	if holder == adapters.HolderOther {
		s.alertAbout(t, h, at, alertOther, why)
		return refuse(LoginByAgent, "%s made the session at %s that of somebody else. Only Byline logs in; the session was ended.", d.cause, x.tunnel.host)
	}
	return refuse(LoginFailed, "%s changed the session at %s, and the application does not say that it is still that of the account %s. "+
		"The session was ended; check whether the request took effect.", d.cause, x.tunnel.host, h.lease.Account())
}

// gate keeps requests of a hold from leaving. Either somebody is asking whose the
// session is, and opened is closed afterwards, or doubt is set: then the next request
// asks.
type gate struct {
	opened chan struct{}
	doubt  *doubt
}

// closeGate keeps requests of the hold from leaving until openGate. One caller at a
// time has the gate closed.
func (h *hold) closeGate() *gate {
	h.gateMu.Lock()
	closed := &gate{opened: make(chan struct{})}
	h.gate.Store(closed)
	return closed
}

// openGate lets requests go on, the first of them with the question of d if d is not
// nil.
func (h *hold) openGate(closed *gate, d *doubt) {
	var next *gate
	if d != nil {
		next = &gate{doubt: d}
	}
	h.gate.Store(next)
	close(closed.opened)
	h.gateMu.Unlock()
}

// passGate waits while it is not known whose the session is. If the session was given
// up meanwhile, x.session is a new one afterwards.
func (x *exchange) passGate(ctx context.Context) error {
	waited := false
	for closed := x.hold.gate.Load(); closed != nil; closed = x.hold.gate.Load() {
		waited = true
		if closed.doubt != nil {
			if err := x.resolveDoubt(closed); err != nil {
				return err
			}
			continue
		}
		select {
		case <-closed.opened:
		case <-ctx.Done():
			if over := x.tunnel.task.Active(); over != nil {
				return refuseEnded(over)
			}
			return asRefusal(context.Cause(ctx))
		}
	}
	if !waited {
		return nil
	}
	return x.openSession(ctx)
}

// resolveDoubt asks again whose a session is. It returns an error if that is still not
// known, and nil if the caller is to look at the gate again.
func (x *exchange) resolveDoubt(seen *gate) error {
	h, d := x.hold, seen.doubt
	h.gateMu.Lock() // a holder asks for one round at most
	if h.gate.Load() != seen {
		h.gateMu.Unlock()
		return nil
	}
	if time.Now().Before(d.notAsked) {
		h.gateMu.Unlock()
		return x.refuseDoubt(d)
	}

	closed := &gate{opened: make(chan struct{})}
	h.gate.Store(closed)
	holder, p := d.ask(h.lease.Context(), x.server, h)
	switch {
	case holder == adapters.HolderAccount:
		x.adapter.Accept(d.masker, d.fields, p)
		h.openGate(closed, nil)
		return nil
	case holder == adapters.HolderUnknown && d.asked < maxDoubtRounds:
		d.postpone()
		h.openGate(closed, d)
		return x.refuseDoubt(d)
	}

	_ = x.endStranger(d, holder) // about another request than this one
	h.openGate(closed, nil)
	return nil
}

// takeDoubt returns the changed session that is in doubt when the hold is given back,
// or nil. It must be logged out as well.
func (h *hold) takeDoubt() *adapters.Session {
	closed := h.gate.Load()
	if closed == nil || closed.doubt == nil {
		return nil
	}
	return closed.doubt.changed
}
