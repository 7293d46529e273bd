package proxy

import (
	"context"
	"errors"
	"time"

	"github.com/byline-proxy/byline/adapters"
	"github.com/byline-proxy/byline/proxy/wire"
	"github.com/byline-proxy/byline/proxy/wire/upstream"
)

// probeTimeout bounds a request that asks whose a session is.
const probeTimeout = 10 * time.Second

// ask sends a probe and returns whose session its answer shows. An answer that
// does not come is HolderUnknown.
func (s *Server) ask(ctx context.Context, pool *upstream.Pool, at *site, p *adapters.Probe) adapters.Holder {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()

	step, err := p.Step()
	if err != nil {
		s.opt.Log.Warn().Str("adapter", at.adapter.Name()).Err(err).Msg("identity probe cannot be built")
		return adapters.HolderUnknown
	}
	reply, err := sendStep(ctx, &channel{pool: pool, at: at}, step)
	if err != nil {
		return adapters.HolderUnknown
	}
	return p.Judge(reply)
}

// identify makes sure that an answer which changes the session leaves it the
// account's: the application is asked before the changed session is used, and
// before the agent gets the answer. Requests that are about to leave wait
// meanwhile. A session that turns out to be another's is ended.
func (x *exchange) identify(resp *wire.Response) error {
	changed := x.adapter.Changed(x.masker, resp.Fields, x.action.Name)
	if changed == nil {
		return nil
	}

	open := x.hold.closeGate()
	defer open()
	p := x.adapter.Probe(changed)
	holder := x.server.ask(x.hold.lease.Context(), x.hold.pool, x.hold.site.Load(), p)
	if holder == adapters.HolderAccount {
		resp.Fields = x.adapter.Accept(x.masker, resp.Fields, p)
		return nil
	}

	closeBody(resp)
	return x.endStranger(changed, holder)
}

// endStranger gives up the session that a request turned into one that is not
// known to be the account's, and returns the refusal for that request. changed is
// the session as it is now at the application; both are logged out.
func (x *exchange) endStranger(changed *adapters.Session, holder adapters.Holder) error {
	s, t, h, at := x.server, x.tunnel.task, x.hold, x.hold.site.Load()
	why := "the answer to " + x.in.Method + " " + x.in.Path + " changed the session, and the application does not say that it is still the account's"
	if holder == adapters.HolderOther {
		why = "the answer to " + x.in.Method + " " + x.in.Path + " made the session that of somebody else"
	}

	if h.lease.GiveUp(x.session, true, why) {
		s.discard(t, h, at, x.session, why)
	}
	if changed != nil {
		s.discard(t, h, at, changed, why)
	}
	if holder == adapters.HolderOther {
		s.alertAbout(t, h, at, alertOther, why)
		return refuse(LoginByAgent, "this request made the session at %s that of somebody else. Only Byline logs in; the session was ended.", x.tunnel.host)
	}
	return refuse(LoginFailed, "this request changed the session at %s, and the application does not say that it is still that of the account %s. "+
		"The session was ended; check whether the request took effect.", x.tunnel.host, h.lease.Account())
}

// stillOurs reports whether the application says that the session is the
// account's, although an answer says that it is over: pages can be made to say
// that. It reports false without login.identity.
func (x *exchange) stillOurs() bool {
	p := x.adapter.Probe(x.session)
	if p == nil || x.server.ask(x.hold.lease.Context(), x.hold.pool, x.hold.site.Load(), p) != adapters.HolderAccount {
		return false
	}
	p.Keep(x.session)
	x.hold.useful.Store(x.session)
	return true
}

// closeGate keeps requests of the hold from leaving until the returned function is
// called. One caller at a time has the gate closed.
func (h *hold) closeGate() (open func()) {
	h.gateMu.Lock()
	closed := make(chan struct{})
	h.gate.Store(&closed)
	return func() {
		h.gate.Store(nil)
		close(closed)
		h.gateMu.Unlock()
	}
}

// passGate waits while somebody finds out whose the session is. If the session was
// given up meanwhile, x.session is a new one afterwards.
func (x *exchange) passGate(ctx context.Context) error {
	waited := false
	for gate := x.hold.gate.Load(); gate != nil; gate = x.hold.gate.Load() {
		waited = true
		select {
		case <-*gate:
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

// checkLogin asks the application whether the session that a login has made is the
// account's. doubt says why the application does not name the account, and is for
// the record: the page may be closed to the account. An error is returned only if
// the page names somebody else.
func (s *Server) checkLogin(ctx context.Context, pool *upstream.Pool, at *site, session *adapters.Session) (doubt string, err error) {
	p := at.adapter.Probe(session)
	if p == nil {
		return "", nil
	}

	switch holder := s.ask(ctx, pool, at, p); holder {
	case adapters.HolderAccount:
		p.Keep(session)
		return "", nil
	case adapters.HolderOther:
		return "", holder.Err()
	default:
		return holder.Err().Error(), nil
	}
}

// errStillWorks is why a logout failed after which the session still works.
var errStillWorks = errors.New("the session still works after its logout")

// checkLogout tries the session that was logged out. copied is a copy from before
// the logout. checked is false if the adapter names no page for it, or if the
// answer does not say.
func (s *Server) checkLogout(ctx context.Context, pool *upstream.Pool, at *site, copied *adapters.Session) (checked, works bool) {
	p := at.adapter.LogoutProbe(copied)
	if p == nil {
		return false, false
	}
	holder := s.ask(ctx, pool, at, p)
	return holder != adapters.HolderUnknown, holder == adapters.HolderAccount
}
