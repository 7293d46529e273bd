package agents

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/byline-proxy/byline/proxy/wire"
	"github.com/byline-proxy/byline/proxy/wire/internal/h1"
	"github.com/byline-proxy/byline/proxy/wire/internal/netconn"
)

// guarded is a connection whose Read gives another parser only bytes that were
// checked: whole heads as they came, bodies in framing of our own. After CONNECT
// or an upgrade it waits for the parser's answer: with 200 or 101 the bytes are
// nobody's HTTP any more and pass as they are; otherwise the next head is
// checked like the first.
//
// Reads are made by one goroutine at a time, beside Writes.
type guarded struct {
	net.Conn
	cfg *wire.Config
	why func(context.Context, *wire.Malformed) *wire.Response
	src h1.Reader
	raw atomic.Bool

	mu       sync.Mutex
	asked    bool          // a CONNECT or upgrade waits for its answer
	held     bool          // a Read waits for the parser to want a head
	wake     chan struct{} // closed when asked or deadline changes
	deadline time.Time

	msg  h1.RequestHead
	out  []byte // checked, not yet given
	body *h1.Body
	err  error // what Read gives from now on

	fault atomic.Pointer[wire.Malformed] // of a body: its reader answers
	bad   *wire.Malformed                // of a head: answered here, once the parser wants it
	said  atomic.Bool                    // and it was
}

// Guard is a strict reader of HTTP/1.1 in front of another parser; it takes the
// absolute and authority forms. The parser sets the deadlines between messages,
// Guard those within a head and a body, and of each write. A head that cannot be carried, or is not
// whole in time, is answered with what malformed says, as a Door does; the
// parser's own 400 is not sent.
func (s *Server) Guard(conn net.Conn, malformed func(context.Context, *wire.Malformed) *wire.Response) net.Conn {
	return &guarded{Conn: conn, cfg: &s.cfg, why: malformed, src: h1.Reader{Conn: conn}, wake: make(chan struct{})}
}

// GuardFault is why a guarded connection gives no further bytes, or nil. The parser
// takes any error of a read for the agent's end, and keeps no cause.
func GuardFault(conn net.Conn) *wire.Malformed {
	if g, ok := conn.(*guarded); ok {
		return g.fault.Load()
	}
	return nil
}

func (g *guarded) Read(p []byte) (int, error) {
	if g.raw.Load() {
		return g.readRaw(p)
	}
	if len(p) == 0 {
		return 0, nil
	}
	for len(g.out) == 0 {
		if g.err != nil {
			return 0, g.tell()
		}
		if err := g.step(); err != nil {
			if err == errNowRaw {
				return g.readRaw(p)
			}
			return 0, err
		}
	}
	n := copy(p, g.out)
	g.out = g.out[n:]
	return n, nil
}

func (g *guarded) readRaw(p []byte) (int, error) {
	if len(g.out) > 0 {
		n := copy(p, g.out)
		g.out = g.out[n:]
		return n, nil
	}
	return g.src.Read(p)
}

var errNowRaw = errors.New("wire: no longer HTTP")

// step makes the next checked bytes.
func (g *guarded) step() error {
	if g.body != nil {
		return g.nextBody()
	}
	if err := g.await(); err != nil {
		return err
	}
	n, err := g.wholeHead()
	if err != nil {
		return g.failHead(err)
	}
	text := string(g.src.Buffered()[:n])
	g.src.Discard(n)
	if bad := h1.ParseRequestHead(text, &g.msg, h1.AbsoluteForm|h1.AuthorityForm, g.cfg.MaxFields); bad != nil {
		return g.failHead(bad)
	}
	g.out = []byte(text)
	switch {
	case g.msg.Method == "CONNECT" || g.msg.Upgrade != "":
		g.mu.Lock()
		g.asked = true
		g.mu.Unlock()
	case g.msg.Length != 0:
		g.body = &h1.Body{Source: &g.src, Remaining: g.msg.Length}
		if g.msg.Chunked {
			msg := g.msg
			g.body.Framing, g.body.Remaining, g.body.AllowTrailer = h1.Chunked, 0, msg.Announces
			g.body.MaxTrailerBytes, g.body.MaxTrailerFields = g.cfg.MaxHeadBytes, g.cfg.MaxFields
		}
	}
	return nil
}

// wholeHead waits for a head to be in the buffer whole; it stays there, so that
// a deadline that passes meanwhile loses nothing.
func (g *guarded) wholeHead() (int, error) {
	var c h1.HeadScanner
	for bounded := false; ; {
		n, bad := c.ScanHead(g.src.Buffered(), g.cfg.MaxHeadBytes)
		if bad != nil {
			return 0, bad
		}
		if n > 0 {
			return n, nil
		}
		if !bounded && !g.src.Empty() {
			bounded = true
			g.boundHead()
		}
		if err := g.src.Fill(); err != nil {
			switch {
			case g.src.Empty():
			case err == io.EOF:
				err = io.ErrUnexpectedEOF
			case netconn.IsTimeout(err) && !g.interrupted():
				err = wire.TooSlow("the head did not arrive in time")
			}
			return 0, err
		}
	}
}

// boundHead bounds the rest of a head whose first bytes are there. A parser that
// waits for a head has set a deadline; one that has set none is in the middle of
// an exchange and only looks whether the agent is still there.
func (g *guarded) boundHead() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if until := time.Now().Add(g.cfg.HeadTimeout); !g.deadline.IsZero() && g.deadline.After(until) {
		_ = g.Conn.SetReadDeadline(until)
	}
}

// interrupted: the parser itself ended the read, with a deadline long past, and
// will go on reading later.
func (g *guarded) interrupted() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return !g.deadline.IsZero() && g.deadline.Unix() <= 1
}

// nextBody gives body bytes, framed anew if they came in chunks.
func (g *guarded) nextBody() error {
	var buf [h1.ReaderSize]byte
	payload := h1.ChunkPayload(buf[:])
	_ = g.Conn.SetReadDeadline(time.Now().Add(g.cfg.BodyStall))
	n, err := g.body.Read(payload)
	out := payload[:n]
	if g.body.Framing == h1.Chunked && n > 0 {
		out = h1.FrameChunk(buf[:], n)
	}
	if err == io.EOF {
		if g.body.Framing == h1.Chunked {
			out, err = h1.AppendLastChunk(out, g.body.Trailers)
		} else {
			err = nil
		}
		g.body = nil
		_ = g.Conn.SetReadDeadline(time.Time{})
	}
	g.out = append([]byte(nil), out...)
	if err != nil {
		g.err = err
		g.fault.Store(wire.BodyFault(err))
		return err
	}
	return nil
}

// await holds back what follows a CONNECT or an upgrade until it is answered.
func (g *guarded) await() error {
	for {
		g.mu.Lock()
		asked, wake, deadline := g.asked, g.wake, g.deadline
		g.mu.Unlock()
		if g.raw.Load() {
			return errNowRaw
		}
		if !asked {
			return nil
		}
		if g.src.Empty() { // wait where the connection's own deadline ends it
			if err := g.src.Fill(); err != nil {
				return err
			}
			continue
		}
		var late <-chan time.Time
		if !deadline.IsZero() {
			left := time.Until(deadline)
			if left <= 0 {
				return os.ErrDeadlineExceeded
			}
			t := time.NewTimer(left)
			defer t.Stop()
			late = t.C
		}
		select {
		case <-wake:
		case <-late:
			return os.ErrDeadlineExceeded
		}
	}
}

// failHead keeps what cannot heal, for when the parser wants a head.
func (g *guarded) failHead(err error) error {
	if netconn.IsTimeout(err) {
		return err
	}
	g.err = err
	errors.As(err, &g.bad)
	return g.tell()
}

// tell answers a head that cannot be carried and gives its error. It waits until
// the parser wants a head: an exchange under way does not suffer for what was
// sent behind it, and the parser itself closes without a word.
func (g *guarded) tell() error {
	if g.bad == nil || g.said.Load() {
		return g.err
	}
	for {
		g.mu.Lock()
		deadline, wake := g.deadline, g.wake
		g.held = deadline.IsZero()
		g.mu.Unlock()
		switch {
		case deadline.IsZero():
			<-wake
			continue
		case deadline.Unix() <= 1: // interrupted
			return os.ErrDeadlineExceeded
		}
		g.said.Store(true)
		g.explain()
		return g.err
	}
}

// Write passes on what the parser answers, and watches for the answer to a
// CONNECT or an upgrade.
func (g *guarded) Write(p []byte) (int, error) {
	if g.said.Load() && strings.HasPrefix(string(p[:min(len(p), 24)]), "HTTP/1.1 400 Bad Request") {
		return len(p), nil // the parser's own words come after ours
	}
	if !g.raw.Load() {
		_ = g.Conn.SetWriteDeadline(time.Now().Add(g.cfg.BodyStall)) // an agent that does not read
		g.mu.Lock()
		if g.asked && len(p) >= 12 {
			status := string(p[9:12])
			if strings.HasPrefix(string(p[:9]), "HTTP/1.") && (status[0] == '2' || status == "101") {
				g.raw.Store(true)
			}
			if status[0] != '1' || status == "101" {
				g.asked = false
				g.rouse()
			}
		}
		g.mu.Unlock()
	}
	return g.Conn.Write(p)
}

// rouse wakes a Read that waits; mu is held.
func (g *guarded) rouse() {
	close(g.wake)
	g.wake = make(chan struct{})
}

func (g *guarded) SetReadDeadline(t time.Time) error {
	g.mu.Lock()
	g.deadline = t
	if g.asked || g.held {
		g.rouse()
	}
	g.mu.Unlock()
	return g.Conn.SetReadDeadline(t)
}

func (g *guarded) SetDeadline(t time.Time) error {
	if err := g.SetReadDeadline(t); err != nil {
		return err
	}
	return g.Conn.SetWriteDeadline(t)
}

func (g *guarded) Close() error {
	g.mu.Lock()
	g.deadline = time.Unix(1, 0)
	g.rouse()
	g.mu.Unlock()
	return g.Conn.Close()
}

// CloseWrite ends the writing side where the connection can.
func (g *guarded) CloseWrite() error {
	if c, ok := g.Conn.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return nil
}

// Unguard is the connection beneath a guard that passes raw bytes and holds none
// back; any other connection as it is. It is to be called by whoever reads.
func Unguard(conn net.Conn) net.Conn {
	if g, ok := conn.(*guarded); ok && g.raw.Load() && len(g.out) == 0 && g.src.Empty() {
		g.src.ReleaseBuffer()
		return g.Conn
	}
	return conn
}

// NetConn is the connection beneath.
func (g *guarded) NetConn() net.Conn { return g.Conn }

// explain writes the answer.
func (g *guarded) explain() {
	resp := g.why(context.Background(), g.bad)
	if resp == nil {
		return
	}
	var sent int64
	b, err := h1.AppendResponseHead(nil, resp, false, true)
	if err == nil && resp.Body != nil {
		var body []byte
		body, err = io.ReadAll(resp.Body)
		b = append(b, body...)
		sent = int64(len(body))
	}
	if err == nil {
		_ = g.Conn.SetWriteDeadline(time.Now().Add(g.cfg.BodyStall))
		_, err = g.Conn.Write(b)
	}
	closeAnswer(resp, sent, 0, err)
}
