package proxy

import (
	"context"
	"encoding/base64"
	"errors"

	"github.com/byline-proxy/byline/proxy/wire/agents"
)

// serveSOCKS answers a SOCKS5 client: step 0 of the walk for it. What is inside the
// tunnel is intercepted as after CONNECT.
func (s *Server) serveSOCKS(in *agents.Incoming, a arrival) {
	ctx, cancel := context.WithTimeout(s.accepting, s.opt.Wire.HeadTimeout)
	defer cancel()

	t := &tunnel{server: s}
	o := socksOpening{in}
	known := s.authenticate(ctx, t, a.evidence(in, "")) == nil
	q, err := in.ReadSOCKS(s.opt.Wire.HeadTimeout, known)
	if err != nil {
		if errors.Is(err, agents.ErrNotSOCKS) {
			s.recordRefusal(t, o.method(), "", refuse(AuthRequired, "the SOCKS client offers no user and password, or does not follow RFC 1928."))
		}
		agents.Cut(in)
		return
	}

	pass := false
	t.setAuthority(q.Authority, "https")
	if q.User != "" || !known {
		err = s.authenticate(ctx, t, a.evidence(in, basicCredentials(q.User, q.Password)))
	}
	switch {
	case err != nil:
	case !q.Supported:
		_ = in.AnswerSOCKS(agents.SOCKSCommandUnsupported)
		_ = in.Close()
		return
	default:
		pass, err = t.open(q.Authority, "https")
	}

	// Whoever resolves names itself says in the TLS handshake which host it means.
	if q.Address.IsValid() && isRefusal(err, HostNotAdapted) {
		s.serveUnnamed(in, q, t)
		return
	}
	if err != nil {
		t.refuseOpening(o, err)
		return
	}
	t.serve(o, pass)
}

// serveUnnamed serves a client that named an address instead of a host.
func (s *Server) serveUnnamed(in *agents.Incoming, q *agents.SOCKSRequest, t *tunnel) {
	if err := in.AnswerSOCKS(agents.SOCKSSucceeded); err != nil {
		_ = in.Close()
		return
	}

	s.serveConn(in, arrival{listener: t.task.Task, identified: t.identified, transparent: true, destination: q.Address})
}

// basicCredentials returns user and password as Proxy-Authorization has them.
func basicCredentials(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

func isRefusal(err error, code Code) bool {
	r, ok := errors.AsType[*Refusal](err)
	return ok && r.Code == code
}
