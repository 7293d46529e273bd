package upstream

import (
	"context"
	"crypto/rand"
	"crypto/sha1"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2"

	"github.com/byline-proxy/byline/proxy/wire"
	"github.com/byline-proxy/byline/proxy/wire/internal/h1"
	"github.com/byline-proxy/byline/proxy/wire/internal/netconn"
)

const (
	keyField    = "Sec-WebSocket-Key"
	acceptField = "Sec-WebSocket-Accept"

	// No extension is offered, so none may be in the answer (RFC 6455 section 4.1):
	// messages that an extension changed could not be read.
	extensionsField = "Sec-WebSocket-Extensions"
)

var errExtensions = errors.New("the answer has a WebSocket extension, and none was offered")

// acceptFor returns the answer to a key (RFC 6455 section 4.2.2). The protocol
// demands SHA-1; nothing depends on its strength.
func acceptFor(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// withWebSocketKey returns out with a Sec-WebSocket-Key, which requests that came
// over HTTP/2 lack. added reports whether it was missing.
func withWebSocketKey(out *wire.Request) (keyed *wire.Request, added bool) {
	if out.Upgrade == "" || wire.Value(out.Fields, keyField) != "" {
		return out, false
	}

	var nonce [16]byte
	_, _ = rand.Read(nonce[:]) // never fails
	withKey := *out
	withKey.Fields = make([]wire.Field, 0, len(out.Fields)+1)
	withKey.Fields = append(withKey.Fields, out.Fields...)
	withKey.Fields = append(withKey.Fields, wire.Field{Name: keyField, Value: base64.StdEncoding.EncodeToString(nonce[:])})
	return &withKey, true
}

// switchProtocols hands the connection over (RFC 9110 section 7.8).
func (x *exchange) switchProtocols(m *h1.ResponseHead, resp *wire.Response) (*wire.Response, error) {
	switch {
	case x.out.Upgrade == "" || !strings.EqualFold(m.Upgrade, x.out.Upgrade) || m.Length > 0 || m.Chunked:
		return nil, x.fail(wire.StageHead, errors.New("the answer switches to a protocol that was not asked for"))
	case wire.Value(m.Fields, acceptField) != acceptFor(wire.Value(x.out.Fields, keyField)):
		return nil, x.fail(wire.StageHead, errors.New("the answer accepts another key than the one it was sent"))
	case wire.Value(m.Fields, extensionsField) != "":
		return nil, x.fail(wire.StageHead, errExtensions)
	}

	_ = x.conn.SetDeadline(time.Time{})
	x.conn.writeDeadline = time.Time{}
	resp.Switched, resp.Length = &upgradedStream{x: x}, 0
	return resp, nil
}

// upgradedStream is a connection after an upgrade. It stays with its exchange until
// it is closed, so that the end of ctx and Pool.Close cut it.
type upgradedStream struct{ x *exchange }

func (u *upgradedStream) Read(p []byte) (int, error) {
	n, err := u.x.conn.src.Read(p)
	return n, ofApplication(err)
}

func (u *upgradedStream) Write(p []byte) (int, error) {
	if err := u.x.write(p); err != nil {
		return 0, ofApplication(err)
	}
	return len(p), nil
}

func (u *upgradedStream) CloseWrite() error { return netconn.CloseWrite(u.x.conn.Conn) }

func (u *upgradedStream) Close() error {
	u.x.end(false)
	return nil
}

// ofApplication makes err an error of the application's side.
func ofApplication(err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	return &wire.Error{Stage: wire.StageBody, Sent: true, Err: err}
}

// overConnect opens a WebSocket over HTTP/2 (RFC 8441) on a connection that it dials
// for it and that ends with it.
func (h *host) overConnect(ctx context.Context, out *wire.Request) (*wire.Response, error) {
	c, err := h.connect(ctx, h.tls2)
	if err != nil {
		return nil, err
	}
	if secured, ok := c.(*tls.Conn); ok && secured.ConnectionState().NegotiatedProtocol != "h2" {
		netconn.Cut(c)
		return nil, &wire.Error{Stage: wire.StageTLS, Err: errNotH2}
	}

	body, up := io.Pipe()
	s := &connectStream{conn: c, up: up, stall: h.pool.cfg.BodyStall}
	s.stop = context.AfterFunc(ctx, s.cut)
	resp, err := s.open(ctx, h, out, body)
	if err != nil {
		s.cut()
		return nil, &wire.Error{Stage: stageOf(ctx, err, wire.StageHead), Sent: true, Err: err}
	}
	return resp, nil
}

// connectStream is the stream of an extended CONNECT with its connection.
type connectStream struct {
	conn  net.Conn
	up    *io.PipeWriter
	down  io.ReadCloser
	stall time.Duration
	stop  func() bool
	over  atomic.Bool
}

// open sends the request. Any status but 200 is an ordinary answer.
func (s *connectStream) open(ctx context.Context, h *host, out *wire.Request, body io.ReadCloser) (*wire.Response, error) {
	cfg := &h.pool.cfg
	t := &http2.Transport{DisableCompression: true, AllowHTTP: h.tls2 == nil, MaxHeaderListSize: uint32(cfg.MaxHeadBytes),
		WriteByteTimeout: cfg.BodyStall, ReadIdleTimeout: cfg.BodyStall, PingTimeout: cfg.BodyStall}
	cc, err := t.NewClientConn(s.conn)
	if err != nil {
		return nil, err
	}

	keyless := *out
	keyless.Fields = h1.RemoveListed(append([]wire.Field(nil), out.Fields...), keyField)
	x := &h2exchange{h: h, ctx: ctx}
	req, err := x.request(&keyless)
	if err != nil {
		return nil, err
	}
	req.Method = http.MethodConnect
	req.Body, req.ContentLength = body, -1
	req.Header[":protocol"] = []string{out.Upgrade}

	timeout := time.AfterFunc(cfg.ResponseHead, s.cut)
	got, err := cc.RoundTrip(req)
	if !timeout.Stop() || err != nil {
		return nil, errors.Join(err, ctx.Err())
	}
	s.down = got.Body

	resp := &wire.Response{Status: got.StatusCode, Length: got.ContentLength}
	if bad := setFields(resp, got.Header, cfg.MaxFields); bad != nil {
		return nil, errors.New(bad.Detail)
	}
	if got.StatusCode != http.StatusOK {
		resp.Body = s
		return resp, nil
	}

	if wire.Value(resp.Fields, extensionsField) != "" {
		return nil, errExtensions
	}

	resp.Status, resp.Length = http.StatusSwitchingProtocols, 0
	resp.Switched = s
	resp.Fields = h1.RemoveListed(resp.Fields, acceptField)
	if key := wire.Value(out.Fields, keyField); key != "" {
		resp.Fields = append(resp.Fields, wire.Field{Name: acceptField, Value: acceptFor(key)})
	}
	return resp, nil
}

func (s *connectStream) Read(p []byte) (int, error) {
	n, err := s.down.Read(p)
	return n, ofApplication(err)
}

func (s *connectStream) Write(p []byte) (int, error) {
	timeout := time.AfterFunc(s.stall, s.cut)
	n, err := s.up.Write(p)
	timeout.Stop()
	return n, ofApplication(err)
}

func (s *connectStream) CloseWrite() error { return s.up.Close() }

func (s *connectStream) Close() error {
	s.stop()
	s.cut()
	return nil
}

func (s *connectStream) cut() {
	if !s.over.Swap(true) {
		_ = s.up.CloseWithError(net.ErrClosed)
		netconn.Cut(s.conn)
	}
}
