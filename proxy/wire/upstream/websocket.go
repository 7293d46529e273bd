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
	wsKey    = "Sec-WebSocket-Key"
	wsAccept = "Sec-WebSocket-Accept"
)

// acceptOf is the answer to a key (RFC 6455 section 4.2.2). SHA-1 is what the
// protocol says; nothing rests on its strength.
func acceptOf(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// keyed is out with a key, which an agent that opened its WebSocket over HTTP/2
// has none of.
func keyed(out *wire.Request) (*wire.Request, bool) {
	if out.Upgrade == "" || wire.Value(out.Fields, wsKey) != "" {
		return out, false
	}
	var nonce [16]byte
	_, _ = rand.Read(nonce[:]) // never fails
	own := *out
	own.Fields = append(append(make([]wire.Field, 0, len(out.Fields)+1), out.Fields...),
		wire.Field{Name: wsKey, Value: base64.StdEncoding.EncodeToString(nonce[:])})
	return &own, true
}

// switched hands the connection over (RFC 9110 section 7.8).
func (x *exchange) switched(m *h1.ResponseHead, resp *wire.Response) (*wire.Response, error) {
	switch {
	case x.out.Upgrade == "" || !strings.EqualFold(m.Upgrade, x.out.Upgrade) || m.Length > 0 || m.Chunked:
		return nil, x.fail(wire.StageHead, errors.New("the answer switches to what was not asked for"))
	case wire.Value(m.Fields, wsAccept) != acceptOf(wire.Value(x.out.Fields, wsKey)):
		return nil, x.fail(wire.StageHead, errors.New("the answer accepts another key than the one it was sent"))
	}
	_ = x.u.SetDeadline(time.Time{})
	x.u.sends = time.Time{}
	resp.Switched, resp.Length = &joint{x: x}, 0
	return resp, nil
}

// joint is a switched connection. It stays the exchange's until it is closed, so
// that ctx and Pool.Close cut it.
type joint struct{ x *exchange }

func (j *joint) Read(p []byte) (int, error) {
	n, err := j.x.u.src.Read(p)
	return n, brokenOff(err)
}

func (j *joint) Write(p []byte) (int, error) {
	if err := j.x.write(p); err != nil {
		return 0, brokenOff(err)
	}
	return len(p), nil
}

func (j *joint) CloseWrite() error { return netconn.CloseWrite(j.x.u.Conn) }
func (j *joint) Close() error      { j.x.end(false); return nil }

// brokenOff says that it was the SaaS's side that failed.
func brokenOff(err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	return &wire.Error{Stage: wire.StageBody, Sent: true, Err: err}
}

// overConnect opens a WebSocket over HTTP/2 (RFC 8441) on a connection of its
// own, which ends with it.
func (h *host) overConnect(ctx context.Context, out *wire.Request) (*wire.Response, error) {
	conn, err := h.connect(ctx, h.tls2)
	if err != nil {
		return nil, err
	}
	if secured, ok := conn.(*tls.Conn); ok && secured.ConnectionState().NegotiatedProtocol != "h2" {
		netconn.Cut(conn)
		return nil, &wire.Error{Stage: wire.StageTLS, Err: errNotH2}
	}
	body, up := io.Pipe()
	w := &webStream{conn: conn, up: up, stall: h.pool.cfg.BodyStall}
	w.stop = context.AfterFunc(ctx, w.cut)
	resp, err := w.open(ctx, h, out, body)
	if err != nil {
		w.cut()
		stage := stageOf(ctx, err, wire.StageHead)
		return nil, &wire.Error{Stage: stage, Sent: true, Err: err}
	}
	return resp, nil
}

// open sends the request. Anything but 200 is an ordinary answer.
func (w *webStream) open(ctx context.Context, h *host, out *wire.Request, body io.ReadCloser) (*wire.Response, error) {
	cfg := &h.pool.cfg
	t := &http2.Transport{DisableCompression: true, AllowHTTP: h.tls2 == nil, MaxHeaderListSize: uint32(cfg.MaxHeadBytes),
		WriteByteTimeout: cfg.BodyStall, ReadIdleTimeout: cfg.BodyStall, PingTimeout: cfg.BodyStall}
	cc, err := t.NewClientConn(w.conn)
	if err != nil {
		return nil, err
	}
	x := &h2exchange{h: h, ctx: ctx}
	plain := *out
	plain.Fields = h1.RemoveListed(append([]wire.Field(nil), out.Fields...), wsKey)
	req, err := x.request(&plain)
	if err != nil {
		return nil, err
	}
	req.Method, req.Body, req.ContentLength = http.MethodConnect, body, -1
	req.Header[":protocol"] = []string{out.Upgrade}
	late := time.AfterFunc(cfg.ResponseHead, w.cut)
	got, err := cc.RoundTrip(req)
	if !late.Stop() || err != nil {
		return nil, errors.Join(err, ctx.Err())
	}
	w.down = got.Body
	resp := &wire.Response{Status: got.StatusCode, Length: got.ContentLength}
	if bad := fromHeader(resp, got.Header, cfg.MaxFields); bad != nil {
		return nil, errors.New(bad.Detail)
	}
	if got.StatusCode != http.StatusOK {
		resp.Body = w
		return resp, nil
	}
	resp.Status, resp.Length, resp.Switched = http.StatusSwitchingProtocols, 0, w
	resp.Fields = h1.RemoveListed(resp.Fields, wsAccept)
	if key := wire.Value(out.Fields, wsKey); key != "" {
		resp.Fields = append(resp.Fields, wire.Field{Name: wsAccept, Value: acceptOf(key)})
	}
	return resp, nil
}

// webStream is the stream of an extended CONNECT with its connection.
type webStream struct {
	conn  net.Conn
	up    *io.PipeWriter
	down  io.ReadCloser
	stall time.Duration
	stop  func() bool
	over  atomic.Bool
}

func (w *webStream) Read(p []byte) (int, error) {
	n, err := w.down.Read(p)
	return n, brokenOff(err)
}

func (w *webStream) Write(p []byte) (int, error) {
	late := time.AfterFunc(w.stall, w.cut)
	n, err := w.up.Write(p)
	late.Stop()
	return n, brokenOff(err)
}

func (w *webStream) CloseWrite() error { return w.up.Close() }

func (w *webStream) cut() {
	if !w.over.Swap(true) {
		_ = w.up.CloseWithError(net.ErrClosed)
		netconn.Cut(w.conn)
	}
}

func (w *webStream) Close() error {
	w.stop()
	w.cut()
	return nil
}
