package wire

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
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
	cfg  *Config
	src  source
	head atomic.Pointer[Head]
	raw  atomic.Bool

	mu       sync.Mutex
	asked    bool          // a CONNECT or upgrade waits for its answer
	wake     chan struct{} // closed when asked or deadline changes
	deadline time.Time

	msg  message
	out  []byte // checked, not yet given
	body *body
	bad  atomic.Pointer[Malformed]
	err  error
}

// Guard is a strict reader of HTTP/1.1 in front of another parser; it takes the
// absolute and authority forms. The parser sets the deadlines between messages,
// Guard those within a body. Once Read has failed with a *Malformed, the 400 that
// net/http writes for any such error is replaced by an answer that says why.
func (s *Server) Guard(conn net.Conn) net.Conn {
	return &guarded{Conn: conn, cfg: &s.cfg, src: source{conn: conn}, wake: make(chan struct{})}
}

// HeadOf is the head that a guarded connection gave last. It is false before
// the first one, and for other connections.
func HeadOf(conn net.Conn) (*Head, bool) {
	for {
		if g, ok := conn.(*guarded); ok {
			h := g.head.Load()
			return h, h != nil
		}
		inner, ok := conn.(interface{ NetConn() net.Conn })
		if !ok {
			return nil, false
		}
		conn = inner.NetConn()
	}
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
			return 0, g.err
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
		return g.fail(err)
	}
	text := string(g.src.buf[g.src.r : g.src.r+n])
	g.src.r += n
	g.msg.Fields = nil // the last head is lent to whoever asked HeadOf
	if bad := parseHead(text, &g.msg, absoluteForm|authorityForm, g.cfg.MaxFields); bad != nil {
		return g.fail(bad)
	}
	h := g.msg.Head
	g.head.Store(&h)
	g.out = []byte(text)
	switch {
	case g.msg.Method == "CONNECT" || g.msg.Upgrade != "":
		g.mu.Lock()
		g.asked = true
		g.mu.Unlock()
	case g.msg.Length != 0:
		g.body = &body{src: &g.src, left: g.msg.Length}
		if g.msg.chunked {
			msg := g.msg
			g.body.framing, g.body.left, g.body.allow = chunks, 0, msg.announced
			g.body.limits.headBytes, g.body.limits.fields = g.cfg.MaxHeadBytes, g.cfg.MaxFields
		}
	}
	return nil
}

// wholeHead waits for a head to be in the buffer whole; it stays there, so that
// a deadline that passes meanwhile loses nothing.
func (g *guarded) wholeHead() (int, error) {
	var c scan
	for {
		n, bad := c.end(g.src.buffered(), false)
		switch {
		case bad != nil:
			return 0, bad
		case n > g.cfg.MaxHeadBytes || n == 0 && g.src.w-g.src.r >= g.cfg.MaxHeadBytes:
			return 0, tooLarge(431, "the head is too large")
		case n > 0:
			return n, nil
		}
		if err := g.src.fill(); err != nil {
			if err == io.EOF && g.src.w > g.src.r {
				err = io.ErrUnexpectedEOF
			}
			return 0, err
		}
	}
}

// nextBody gives body bytes, framed anew if they came in chunks.
func (g *guarded) nextBody() error {
	const front = 6
	var buf [sourceSize]byte
	_ = g.Conn.SetReadDeadline(time.Now().Add(g.cfg.BodyStall))
	n, err := g.body.Read(buf[front : len(buf)-2-len(lastChunk)])
	out := buf[front : front+n]
	if g.body.framing == chunks && n > 0 {
		out = asChunk(buf[:], front, n)
	}
	if err == io.EOF {
		if g.body.framing == chunks {
			out, err = appendLast(out, g.body.Trailers)
		} else {
			err = nil
		}
		g.body = nil
		_ = g.Conn.SetReadDeadline(time.Time{})
	}
	g.out = append([]byte(nil), out...)
	if err != nil {
		g.err = err
		return g.fail(err)
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
		if len(g.src.buffered()) == 0 { // wait where the connection's own deadline ends it
			if err := g.src.fill(); err != nil {
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

// fail remembers what cannot heal.
func (g *guarded) fail(err error) error {
	if isTimeout(err) {
		return err
	}
	g.err = err
	var bad *Malformed
	if errors.As(err, &bad) {
		g.bad.Store(bad)
	}
	return err
}

// Write passes on what the parser answers, and watches for the answer to a
// CONNECT or an upgrade.
func (g *guarded) Write(p []byte) (int, error) {
	if bad := g.bad.Load(); bad != nil && strings.HasPrefix(string(p[:min(len(p), 24)]), "HTTP/1.1 400 Bad Request") {
		if _, err := g.Conn.Write(bad.explain()); err != nil {
			return 0, err
		}
		return len(p), nil
	}
	if !g.raw.Load() {
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
	if g.asked {
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

// NetConn is the connection beneath.
func (g *guarded) NetConn() net.Conn { return g.Conn }

// explain is m as a whole answer, for where no door can give one.
func (m *Malformed) explain() []byte {
	body, _ := json.Marshal(map[string]any{"type": "about:blank", "title": http.StatusText(m.Status),
		"status": m.Status, "code": m.Code, "detail": m.Detail})
	return fmt.Appendf(nil, "HTTP/1.1 %d %s\r\nContent-Type: application/problem+json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s",
		m.Status, http.StatusText(m.Status), len(body), body)
}
