package agents

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/byline-proxy/byline/proxy/wire"
	"github.com/byline-proxy/byline/proxy/wire/internal/h1"
	"github.com/byline-proxy/byline/proxy/wire/internal/netconn"
)

// ServeRequest serves one request in absolute form that net/http has read from a
// connection under Guard. The response streams as it comes. If it breaks off,
// ServeRequest panics with http.ErrAbortHandler, as an http.Handler may, and the
// connection ends. A WebSocket takes the connection over. The context of r is the
// context of the exchange.
func (s *Server) ServeRequest(w http.ResponseWriter, r *http.Request, scheme string, callbacks wire.Callbacks) {
	x := &handlerExchange{server: s, callbacks: callbacks, w: w, r: r, scheme: scheme, method: r.Method}

	in, bad := s.requestWithinLimits(r)
	if bad == nil && in.Body != nil {
		in.ExpectContinue = strings.EqualFold(r.Header.Get("Expect"), "100-continue")
	}
	x.serve(in, bad)
}

// requestWithinLimits is newRequest with the limits of a head.
func (s *Server) requestWithinLimits(r *http.Request) (*wire.Request, *wire.Malformed) {
	fields, size := 0, len(r.Method)+len(r.RequestURI)+len(r.Host)
	for name, values := range r.Header {
		for _, v := range values {
			fields++
			size += len(name) + len(": ") + len(v) + len("\r\n")
		}
	}

	if fields > s.cfg.MaxFields {
		return nil, wire.TooLarge(431, "there are too many fields")
	}
	if size > s.cfg.MaxHeadBytes {
		return nil, wire.TooLarge(431, "the head is too large")
	}
	return newRequest(r)
}

// newRequest returns r in neutral form, under the checks of all HTTP/1.1 requests. r
// must not change while the result is used.
func newRequest(r *http.Request) (*wire.Request, *wire.Malformed) {
	in := &wire.Request{Head: wire.Head{Proto: "HTTP/1.1", Method: r.Method, Scheme: "http", Length: r.ContentLength}}
	if !h1.IsMethod(r.Method) {
		return nil, wire.Ambiguous("the method is not a token")
	}
	if bad := readAuthorityAndTarget(in, r); bad != nil {
		return nil, bad
	}
	if bad := readFields(in, r); bad != nil {
		return nil, bad
	}

	if r.Body != nil && r.Body != http.NoBody && in.Length != 0 {
		in.Body = &nethttpBody{Reader: r.Body, ctx: r.Context(), left: in.Length}
		in.Trailers = func() []wire.Field { return h1.TrailerFields(r.Trailer) }
	} else {
		in.Length = 0
	}
	for name := range r.Trailer {
		if bad := h1.CheckAnnouncedTrailers(name); bad != nil {
			return nil, bad
		}
		in.AnnouncedTrailers = h1.AppendListMember(in.AnnouncedTrailers, name)
	}
	return in, nil
}

// readAuthorityAndTarget reads Host and the request target into in.
func readAuthorityAndTarget(in *wire.Request, r *http.Request) (bad *wire.Malformed) {
	if in.Authority, bad = h1.CheckAuthority(r.Host); bad != nil {
		return bad
	}

	named, bad := h1.ParseTarget(r.RequestURI, &in.Head, h1.AbsoluteForm)
	if bad != nil {
		return bad
	}
	if named != "" {
		if !h1.SameAuthority(named, in.Authority, in.Scheme) {
			return wire.Ambiguous("the target names another host than Host does")
		}
		in.Authority = named
	}
	return nil
}

// readFields reads the header of r into in. net/http does not keep the order of
// names, so the fields are sorted by name.
func readFields(in *wire.Request, r *http.Request) *wire.Malformed {
	n := 0
	for _, values := range r.Header {
		n += len(values)
	}
	all := make([]wire.Field, 0, n)
	for name, values := range r.Header {
		for _, v := range values {
			all = append(all, wire.Field{Name: canonicalName(name), Value: v})
		}
	}
	h1.SortFields(all)

	in.Fields = all[:0]
	hasContentType := false
	for _, f := range all {
		if bad := h1.CheckField(f.Name, f.Value); bad != nil {
			return bad
		}
		if bad := h1.CheckSurroundingSpace(f.Name, f.Value); bad != nil {
			return bad
		}
		switch role := h1.RoleOf(f.Name); role {
		case h1.RoleEndToEnd:
			in.Fields = append(in.Fields, f)
		case h1.RoleContentType:
			if hasContentType {
				return wire.Ambiguous("there is more than one Content-Type")
			}
			hasContentType = true
			in.Fields = append(in.Fields, f)
		default:
			if bad := readHopField(in, r, role, f); bad != nil {
				return bad
			}
		}
	}

	if in.Upgrade != "" && (in.Method != http.MethodGet || in.Length != 0 || !r.ProtoAtLeast(1, 1) || !listsUpgrade(r.Header["Connection"])) {
		return wire.Ambiguous("an upgrade is a GET without a body in HTTP/1.1")
	}
	if listed := strings.Join(r.Header["Connection"], ","); listed != "" {
		in.Fields = h1.RemoveListed(in.Fields, listed)
	}
	return nil
}

// listsUpgrade reports whether Connection lists upgrade.
func listsUpgrade(connection []string) bool {
	for _, value := range connection {
		for member := range strings.SplitSeq(value, ",") {
			if strings.EqualFold(strings.TrimSpace(member), "upgrade") {
				return true
			}
		}
	}
	return false
}

// readHopField reads a field that is not passed on.
func readHopField(in *wire.Request, r *http.Request, role h1.Role, f wire.Field) *wire.Malformed {
	switch role {
	case h1.RoleHost:
		if !h1.SameAuthority(strings.ToLower(f.Value), in.Authority, in.Scheme) {
			return wire.Ambiguous("the target names another host than Host does")
		}

	case h1.RoleTE:
		in.AcceptsTrailers = in.AcceptsTrailers || strings.EqualFold(f.Value, "trailers")

	case h1.RoleContentLength:
		var n int64
		if !h1.ParseLength(f.Value, &n) || len(r.Header["Content-Length"]) > 1 || n != r.ContentLength && r.ContentLength >= 0 {
			return wire.Ambiguous("Content-Length is not one number")
		}

	case h1.RoleExpect:
		if !strings.EqualFold(f.Value, "100-continue") {
			return h1.ExpectationFailed()
		}

	case h1.RoleProxyAuthorization:
		in.ProxyAuthorization = f.Value

	case h1.RoleHTTP2Settings: // of an offer that is not taken

	case h1.RoleUpgrade:
		if strings.EqualFold(f.Value, "h2c") {
			return nil
		}
		if !strings.EqualFold(f.Value, "websocket") {
			return wire.Ambiguous("only an upgrade to websocket is carried")
		}
		in.Upgrade = "websocket"
	}
	return nil
}

// canonicalName returns the usual spelling of a field name in HTTP/1.1. Some
// applications look for it although names are case-insensitive.
func canonicalName(name string) string {
	name = http.CanonicalHeaderKey(name)
	if rest, ok := strings.CutPrefix(name, "Sec-Websocket-"); ok {
		return "Sec-WebSocket-" + rest // RFC 6455 section 11.3
	}
	return name
}

// nethttpBody is the body of a request that net/http has read. net/http ends a body
// of the wrong length with an error that has no type; nethttpBody adds one. A body
// that the agent cut off ends with ctx instead.
type nethttpBody struct {
	io.Reader
	ctx  context.Context
	left int64 // bytes that are still to come; negative if the length is unknown
}

func (b *nethttpBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if b.left >= 0 {
		b.left -= int64(n)
	}

	wrongLength := err != nil && err != io.EOF && b.left > 0
	if wrongLength && !netconn.IsTimeout(err) && b.ctx.Err() == nil && wire.BodyFault(err) == nil {
		err = errors.Join(io.ErrUnexpectedEOF, err)
	}
	return n, err
}

// hijackForWebSocket takes the connection over from net/http and joins it with
// resp.Switched. The connection is under Guard, which holds back what the agent sent
// after its handshake until it sees the 101, so net/http has read none of it.
func (x *handlerExchange) hijackForWebSocket(resp *wire.Response) {
	conn, buf, err := http.NewResponseController(x.w).Hijack()
	if err == nil && buf.Reader.Buffered() > 0 {
		err = errors.New("wire: bytes before the switch")
		_ = conn.Close()
	}
	tracked := &trackedConn{conn: conn}
	if err == nil && !x.server.track(tracked) {
		err = ErrServerClosed
		_ = conn.Close()
	}
	if err != nil {
		_ = resp.Switched.Close()
		finishResponse(resp, 0, 0, err)
		return
	}
	defer x.server.untrack(tracked)
	defer conn.Close()

	ctx, cancel := context.WithCancelCause(x.r.Context())
	defer cancel(nil)
	stop := context.AfterFunc(ctx, func() { netconn.Cut(conn) })
	defer stop()
	_ = conn.SetDeadline(time.Time{}) // removes those of net/http
	_ = newH1Conn(ctx, cancel, x.server, conn, x.scheme, x.callbacks).joinStreams(resp)
}
