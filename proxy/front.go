package proxy

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/byline-proxy/byline/proxy/identity"
	"github.com/byline-proxy/byline/proxy/wire"
	"github.com/byline-proxy/byline/proxy/wire/agents"
	"github.com/elazarl/goproxy"
)

// guardedListener puts the strict reader in front of net/http's parser, so that
// what the front is lenient about never reaches it.
type guardedListener struct {
	net.Listener
	server *Server
}

func (s *Server) guarded(ln net.Listener) net.Listener { return guardedListener{ln, s} }

// Accept returns the next connection behind a guard of its own.
func (g guardedListener) Accept() (net.Conn, error) {
	conn, err := g.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return g.server.wire.Guard(conn, (&tunnel{server: g.server}).malformed), nil
}

// front is step 0 of the walk: goproxy takes CONNECT, and we authenticate, refuse,
// or take the connection over. Requests in absolute form go straight to the walk:
// goproxy would end an answer that breaks off as if it were whole.
func (s *Server) front() http.Handler {
	p := goproxy.NewProxyHttpServer()
	p.Logger = silent{}
	p.Tr = &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		return nil, errors.New("the front never dials") // every request is answered by our own walk
	}}
	p.NonproxyHandler = http.HandlerFunc(s.notAProxyRequest)
	p.OnRequest().HandleConnectFunc(s.connect)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect && r.URL.IsAbs() {
			s.absolute(w, r)
			return
		}
		p.ServeHTTP(w, r)
	})
}

type silent struct{}

func (silent) Printf(string, ...any) {}

// connect decides about a CONNECT before anything is taken over.
func (s *Server) connect(host string, ctx *goproxy.ProxyCtx) (*goproxy.ConnectAction, string) {
	t, pass, err := s.openTunnel(ctx.Req, host, "https")
	if err != nil {
		ctx.Resp = s.refuseFront(ctx.Req, t, host, err)
		return goproxy.RejectConnect, host
	}
	ctx.Req.Header.Del("Proxy-Authorization")
	hijack := t.interceptInBackground
	if pass {
		hijack = t.passThrough
	}
	return &goproxy.ConnectAction{Action: goproxy.ConnectHijack, Hijack: hijack}, host
}

// openTunnel authenticates the agent and finds what the host is to us. The tunnel
// comes back, as far as it is known, with an error too: the refusal is on
// record under the task.
func (s *Server) openTunnel(r *http.Request, host, scheme string) (t *tunnel, pass bool, err error) {
	t = &tunnel{server: s, authority: canonicalAuthority(host, scheme)}
	t.host, _ = wire.SplitAuthority(t.authority)
	if t.task, err = s.authenticate(r.Header.Get("Proxy-Authorization")); err != nil {
		return t, false, err
	}
	if t.authority == "" {
		return t, false, refuse(AmbiguousRequest, "the target is not host:port.")
	}
	set := s.rules.Load()
	if set.adapters.ByHost(t.authority) != nil {
		return t, false, nil
	}
	if set.passThrough(t.authority) && scheme == "https" {
		return t, true, nil
	}
	return t, false, hostNotAdapted(t.authority)
}

func (s *Server) authenticate(credentials string) (*task, error) {
	it, err := s.identities.Authenticate(credentials)
	switch {
	case err == nil:
		if t := s.task(it.ID()); t != nil {
			return t, nil
		}
		return nil, refuse(TaskEnded, "the task is over. Ask its sponsor or the operator for a new one.")
	case errors.Is(err, identity.ErrEnded):
		return nil, refuse(TaskEnded, "the task is over. Ask its sponsor or the operator for a new one.").because(err)
	case errors.Is(err, identity.ErrNoCredentials):
		return nil, refuse(AuthRequired, "name your task by proxy credentials: HTTPS_PROXY=http://TASK-ID:TASK-TOKEN@this-proxy, or start the agent with byline run.")
	}
	return nil, refuse(AuthRequired, "no task goes with these proxy credentials. The operator makes one with byline task create.").because(err)
}

// absolute answers a plain-HTTP request in absolute form with the same walk.
func (s *Server) absolute(w http.ResponseWriter, r *http.Request) {
	t, _, err := s.openTunnel(r, r.URL.Host, "http")
	if err == nil {
		if refused := t.acquireSlot(); refused != nil {
			err = refused
		}
	}
	if err != nil {
		writeHTTP(w, s.refuseFront(r, t, r.URL.Host, err))
		return
	}
	defer t.task.tunnels.Add(-1)
	ctx, stop, cancel := frontContext(r, t.task)
	defer cancel(nil)
	defer stop()
	s.wire.Carry(w, r.WithContext(ctx), "http", t.door())
}

// agentConn is the key of an agent's connection in a request's context.
type agentConn struct{}

// frontContext ends with the task and with the connection, and then says what
// was wrong with what the agent sent, if that was it.
func frontContext(r *http.Request, t *task) (ctx context.Context, stop func(), cancel context.CancelCauseFunc) {
	ctx, cancel = context.WithCancelCause(context.WithoutCancel(r.Context()))
	task := context.AfterFunc(t.Context(), func() { cancel(context.Cause(t.Context())) })
	gone := context.AfterFunc(r.Context(), func() {
		conn, _ := r.Context().Value(agentConn{}).(net.Conn)
		if bad := agents.FaultOf(conn); bad != nil {
			cancel(bad)
			return
		}
		cancel(context.Cause(r.Context()))
	})
	return ctx, func() { task(); gone() }, cancel
}

// refuseFront refuses before there is a tunnel. The refusal is on record.
func (s *Server) refuseFront(r *http.Request, t *tunnel, host string, err error) *http.Response {
	x := &exchange{server: s, rules: s.rules.Load(), tunnel: t, started: time.Now(),
		in: &wire.Request{Head: wire.Head{Method: r.Method, Authority: host, Path: r.URL.Path}}}
	why := asRefusal(err)
	s.logRefusal(t, why)
	return why.http(r, x.outcome(why.status(), why.Code, 0, 0))
}

func (s *Server) notAProxyRequest(w http.ResponseWriter, r *http.Request) {
	t := &tunnel{server: s}
	resp := s.refuseFront(r, t, r.Host, refuse(AmbiguousRequest,
		"this is a proxy. Name it in HTTPS_PROXY and HTTP_PROXY and ask for the whole URL; the control API listens elsewhere."))
	writeHTTP(w, resp)
}

func writeHTTP(w http.ResponseWriter, resp *http.Response) {
	for k, v := range resp.Header {
		w.Header()[k] = v
	}
	w.WriteHeader(resp.StatusCode)
	_, _ = io.Copy(w, resp.Body)
}
