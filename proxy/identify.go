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
// meanwhile. A session that turns out to be another's is ended. If the application
// does not say whose it is, the request is refused and the changed session stays in
// doubt: nothing is sent before the application has said.
func (x *exchange) identify(resp *wire.Response) error {
	changed := x.adapter.Changed(x.masker, resp.Fields, x.action.Name)
	if changed == nil {
		return nil
	}

	h := x.hold
	d := &doubt{session: x.session, changed: changed, masker: x.masker, fields: resp.Fields, cause: x.in.Method + " " + x.session.Mask().Text(x.in.Path)}
	closed := h.closeGate()
	holder, p := d.ask(h.lease.Context(), x.server, h)
	switch holder {
	case adapters.HolderAccount:
		resp.Fields = x.adapter.Accept(x.masker, resp.Fields, p)
		h.openGate(closed, nil)
		return nil
	case adapters.HolderUnknown:
		closeBody(resp)
		d.postpone()
		h.openGate(closed, d)
		return x.refuseDoubt(d)
	}

	closeBody(resp)
	err := x.endStranger(d, holder)
	h.openGate(closed, nil)
	return err
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
