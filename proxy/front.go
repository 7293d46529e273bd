package proxy

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/elazarl/goproxy"

	"github.com/byline-proxy/byline/proxy/identity"
	"github.com/byline-proxy/byline/proxy/wire"
	"github.com/byline-proxy/byline/proxy/wire/agents"
)

// frontHandler returns step 0 of the walk, the handler of the proxy port. goproxy parses
// CONNECT; the handler authenticates, then refuses the request or takes the connection
// over. Requests in absolute form go straight to the walk, because goproxy would
// end an answer that breaks off as if it were complete.
func (s *Server) frontHandler() http.Handler {
	p := goproxy.NewProxyHttpServer()
	p.Logger = silentLogger{}
	p.NonproxyHandler = http.HandlerFunc(s.refuseNonProxyRequest)
	p.OnRequest().HandleConnectFunc(s.connect)
	p.Tr = &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		return nil, errors.New("the front never dials") // the walk answers every request
	}}

	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if front, ok := r.Context().Value(agentConn{}).(*frontConn); ok {
			front.endIdle()
		}
		switch {
		case r.Method == http.MethodConnect:
			s.openForConnect(w, r, p)
		case r.URL.IsAbs():
			s.absolute(w, r)
		case r.RequestURI == "*" && r.Header.Get("Upgrade") == wire.ConnectionUpgrade:
			s.takeConnection(w, r)
		case r.RequestURI == "*":
			s.refuseOptionsOfProxy(w, r)
		default:
			p.ServeHTTP(w, r)
		}
	})
}

// silentLogger discards what goproxy would log.
type silentLogger struct{}

func (silentLogger) Printf(string, ...any) {}

// openedTunnel is what openForConnect found out, as a value of the request's context.
type openedTunnel struct {
	tunnel *tunnel
	pass   bool
	err    error
}

type openedTunnelKey struct{}

// openForConnect decides about a CONNECT before the connection is taken over. An agent
// that named no task is asked on the same connection, which .NET and Java then use.
func (s *Server) openForConnect(w http.ResponseWriter, r *http.Request, p *goproxy.ProxyHttpServer) {
	o := &openedTunnel{}
	o.tunnel, o.pass, o.err = s.openTunnel(r, r.URL.Host, "https")
	if isRefusal(o.err, AuthRequired) {
		writeHTTP(w, s.refuseAtFront(r, o.tunnel, r.URL.Host, o.err))
		return
	}
	p.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), openedTunnelKey{}, o)))
}

// connect tells goproxy what becomes of a CONNECT.
func (s *Server) connect(host string, ctx *goproxy.ProxyCtx) (*goproxy.ConnectAction, string) {
	o := ctx.Req.Context().Value(openedTunnelKey{}).(*openedTunnel)
	t, pass := o.tunnel, o.pass
	if o.err != nil {
		ctx.Resp = s.refuseAtFront(ctx.Req, t, host, o.err)
		return goproxy.RejectConnect, host
	}

	ctx.Req.Header.Del("Proxy-Authorization")
	hijack := func(r *http.Request, client net.Conn, _ *goproxy.ProxyCtx) {
		// The goroutine of the front holds its buffers and a deep stack, which would
		// otherwise be held for as long as the tunnel is open.
		go t.serve(connectOpening{client, r}, pass)
	}
	return &goproxy.ConnectAction{Action: goproxy.ConnectHijack, Hijack: hijack}, host
}

// absolute answers a request in absolute form by the same walk as requests inside a
// tunnel. Some clients ask for https pages in this form, too, and leave TLS to the proxy.
func (s *Server) absolute(w http.ResponseWriter, r *http.Request) {
	scheme := strings.ToLower(r.URL.Scheme)
	t, pass, err := s.openTunnel(r, r.URL.Host, scheme)
	if err == nil && pass {
		err = refuse(AmbiguousRequest, "%s is passed through unread, which needs a tunnel: open one with CONNECT (in axios: an https-proxy-agent as httpsAgent, and proxy: false).", t.host)
	}
	if err == nil {
		if full := t.acquireSlot(); full != nil {
			err = full
		}
	}
	if err != nil {
		writeHTTP(w, s.refuseAtFront(r, t, r.URL.Host, err))
		return
	}
	defer t.releaseSlot()

	ctx, cancel := s.contextOfRequest(r, t.task)
	defer cancel()
	stop := cutAfterEnd(r, t.task)
	defer stop()
	s.wire.ServeRequest(w, r.WithContext(ctx), scheme, t.callbacks())
	if front, ok := r.Context().Value(agentConn{}).(*frontConn); ok {
		front.beginIdle(t.task)
	}
}

// endedGrace is how long an exchange in absolute form may go on after its task
// ended, so that the agent still reads the refusal that says so. It lies within
// the second that I6 allows.
const endedGrace = 300 * time.Millisecond

// cutAfterEnd closes the agent's connection endedGrace after the end of the task.
// The end of the exchange's context alone does not end a read of a body or a write
// of an answer that waits for the agent, and net/http reads the rest of a body even
// after the exchange. After stop, a later end of the task does not close the
// connection.
func cutAfterEnd(r *http.Request, t *task) (stop func() bool) {
	conn, ok := r.Context().Value(agentConn{}).(net.Conn)
	if !ok {
		return func() bool { return true }
	}
	return context.AfterFunc(t.Context(), func() {
		time.AfterFunc(endedGrace, func() { agents.Cut(conn) })
	})
}

// agentConn is the key of the agent's connection in a request's context.
type agentConn struct{}

// contextOfRequest returns a context that ends with the task, with the agent's
// connection and with the server's drain time. If the connection ended because of what
// the agent sent, the cause says what was wrong with it. The caller calls cancel when
// the request is answered.
func (s *Server) contextOfRequest(r *http.Request, t *task) (ctx context.Context, cancel func()) {
	ctx, cancelCause := context.WithCancelCause(context.WithoutCancel(r.Context()))

	stopTask := context.AfterFunc(t.Context(), func() { cancelCause(context.Cause(t.Context())) })
	stopServer := context.AfterFunc(s.drained, func() { cancelCause(context.Cause(s.drained)) })
	stopConn := context.AfterFunc(r.Context(), func() {
		conn, _ := r.Context().Value(agentConn{}).(net.Conn)
		if bad := agents.GuardFault(conn); bad != nil {
			cancelCause(bad)
			return
		}
		cancelCause(context.Cause(r.Context()))
	})

	return ctx, func() {
		stopTask()
		stopServer()
		stopConn()
		cancelCause(nil)
	}
}

// openTunnel authenticates the agent and opens a tunnel for its request. If there is
// an error the tunnel is returned too, as far as it is known, so that the refusal is
// recorded under its task.
func (s *Server) openTunnel(r *http.Request, host, scheme string) (t *tunnel, pass bool, err error) {
	t = &tunnel{server: s}
	if err = s.authenticate(r.Context(), t, evidenceOf(r)); err != nil {
		t.setAuthority(host, scheme)
		return t, false, err
	}
	pass, err = t.open(host, scheme)
	return t, pass, err
}

// evidenceOf returns who is asking, as far as a request to the proxy port tells.
func evidenceOf(r *http.Request) identity.Evidence {
	credentials := r.Header.Get("Proxy-Authorization")
	front, ok := r.Context().Value(agentConn{}).(*frontConn)
	if !ok {
		return identity.Evidence{ProxyAuthorization: credentials, RemoteAddr: r.RemoteAddr}
	}
	return front.arrival.evidence(front, credentials)
}

// authenticate sets the task of the tunnel to the one that the evidence proves.
func (s *Server) authenticate(ctx context.Context, t *tunnel, e identity.Evidence) error {
	it, by, err := s.identities.Authenticate(ctx, e)
	switch {
	case err == nil:
		found := s.task(it.ID())
		if found == nil {
			return refuse(TaskEnded, "the task is over. Ask its sponsor or the operator for a new one.")
		}
		if err := found.waitForHolder(ctx); err != nil {
			return refuseEnded(err)
		}
		t.task, t.identified = found, by
		return nil
	case errors.Is(err, identity.ErrEnded):
		return refuse(TaskEnded, "the task is over. Ask its sponsor or the operator for a new one.").because(err)
	case errors.Is(err, identity.ErrNoCredentials):
		return refuse(AuthRequired, "name your task by proxy credentials: HTTPS_PROXY=http://TASK-ID:TASK-TOKEN@this-proxy, or start the agent with byline run.")
	}
	return refuse(AuthRequired, "no task goes with these proxy credentials. The operator makes one with byline task create.").because(err)
}

// refuseAtFront records a refusal that comes before there is a tunnel and returns
// it as the answer.
func (s *Server) refuseAtFront(r *http.Request, t *tunnel, host string, err error) *http.Response {
	if t.authority == "" {
		t.setAuthority(host, "https")
	}
	refused, id := s.recordRefusal(t, r.Method, r.URL.Path, err)
	return refused.http(r, id)
}

// recordRefusal records and logs a refusal that comes before there is an exchange.
func (s *Server) recordRefusal(t *tunnel, method, path string, err error) (refused *Refusal, record string) {
	x := &exchange{server: s, rules: s.rules.Load(), tunnel: t, started: time.Now(),
		in: &wire.Request{Head: wire.Head{Method: method, Path: path}}}
	refused = asRefusal(err)
	record = x.outcome(refused.status(), refused.Code, 0, 0)
	s.logRefusal(t, refused, record)
	return refused, record
}

// refuseNonProxyRequest answers a request that takes the proxy port for a web
// server.
func (s *Server) refuseNonProxyRequest(w http.ResponseWriter, r *http.Request) {
	writeHTTP(w, s.refuseAtFront(r, &tunnel{server: s}, r.Host, refuse(AmbiguousRequest,
		"this is a proxy. Name it in HTTPS_PROXY and HTTP_PROXY and ask for the whole URL; the control API listens elsewhere.")))
}

// refuseOptionsOfProxy answers OPTIONS *, which asks what the proxy itself can do
// (RFC 9110 section 9.3.7). Nobody without a task is told more than that one is
// needed.
func (s *Server) refuseOptionsOfProxy(w http.ResponseWriter, r *http.Request) {
	t := &tunnel{server: s}
	if err := s.authenticate(r.Context(), t, evidenceOf(r)); err != nil {
		writeHTTP(w, s.refuseAtFront(r, t, r.Host, err))
		return
	}
	writeHTTP(w, s.refuseAtFront(r, t, r.Host, refuse(AmbiguousRequest,
		"OPTIONS * asks about the proxy itself, which has no options to tell. Name the application: OPTIONS http://HOST, or OPTIONS * in a tunnel to it.")))
}

func writeHTTP(w http.ResponseWriter, resp *http.Response) {
	for k, v := range resp.Header {
		w.Header()[k] = v
	}
	w.WriteHeader(resp.StatusCode)
	_, _ = io.Copy(w, resp.Body)
}
