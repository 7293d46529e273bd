package agents

import (
	"context"
	"errors"
	"io"
	"os"
	"time"

	"github.com/byline-proxy/byline/proxy/wire"
	"github.com/byline-proxy/byline/proxy/wire/internal/h1"
	"github.com/byline-proxy/byline/proxy/wire/internal/netconn"
)

// errNotHTTP says that the connection has become raw.
var errNotHTTP = errors.New("wire: no longer HTTP")

// Read returns checked bytes, or raw ones after a switch of protocols.
func (g *guardedConn) Read(p []byte) (int, error) {
	if g.raw.Load() {
		return g.readRaw(p)
	}
	if len(p) == 0 {
		return 0, nil
	}

	for len(g.out) == 0 {
		if g.err != nil {
			return 0, g.answerBadHead()
		}
		err := g.readNext()
		if err == errNotHTTP {
			return g.readRaw(p)
		}
		if err != nil {
			return 0, err
		}
	}
	n := copy(p, g.out)
	g.out = g.out[n:]
	return n, nil
}

func (g *guardedConn) readRaw(p []byte) (int, error) {
	if len(g.out) > 0 {
		n := copy(p, g.out)
		g.out = g.out[n:]
		return n, nil
	}
	return g.reader.Read(p)
}

// readNext sets out to the next checked bytes: a head, or a piece of a body.
func (g *guardedConn) readNext() error {
	if g.body != nil {
		return g.readBody()
	}
	if err := g.waitForResponse(); err != nil {
		return err
	}

	n, err := g.waitForHead()
	if err != nil {
		return g.rejectHead(err)
	}
	text := string(g.reader.Buffered()[:n])
	g.reader.Discard(n)
	if bad := h1.ParseRequestHead(text, &g.head, h1.AbsoluteForm|h1.AuthorityForm, g.cfg.MaxFields); bad != nil {
		return g.rejectHead(bad)
	}
	g.out = []byte(text)

	switch {
	case g.head.Method == "CONNECT" || g.head.Upgrade != "":
		g.mu.Lock()
		g.awaiting = true
		g.mu.Unlock()
	case g.head.Length != 0:
		g.body = g.openBody()
	}
	return nil
}

// openBody returns the body that follows head.
func (g *guardedConn) openBody() *h1.Body {
	b := &h1.Body{Source: &g.reader, Remaining: g.head.Length}
	if g.head.Chunked {
		head := g.head
		b.Framing, b.Remaining = h1.Chunked, 0
		b.AllowTrailer = head.Announces
		b.MaxTrailerBytes, b.MaxTrailerFields = g.cfg.MaxHeadBytes, g.cfg.MaxFields
	}
	return b
}

// waitForHead waits until the buffer begins with a whole head and returns its length.
// The head stays in the buffer, so that a deadline that passes loses nothing.
func (g *guardedConn) waitForHead() (int, error) {
	var scanner h1.HeadScanner
	bounded := false
	for {
		n, bad := scanner.ScanHead(g.reader.Buffered(), g.cfg.MaxHeadBytes)
		if bad != nil {
			return 0, bad
		}
		if n > 0 {
			return n, nil
		}

		if !bounded && !g.reader.Empty() {
			bounded = true
			g.boundHead()
		}
		if err := g.reader.Fill(); err != nil {
			return 0, g.headError(err)
		}
	}
}

// headError returns the error of a head whose arrival ended with err.
func (g *guardedConn) headError(err error) error {
	switch {
	case g.reader.Empty():
		return err
	case err == io.EOF:
		return io.ErrUnexpectedEOF
	case netconn.IsTimeout(err) && !g.wasInterrupted():
		return wire.TooSlow("the head did not arrive in time")
	}
	return err
}

// boundHead gives the rest of a head HeadTimeout from now. It does so only if the
// parser has set a deadline, because then it waits for a head. A parser that has set
// none is in an exchange and only looks whether the agent is still there.
func (g *guardedConn) boundHead() {
	g.mu.Lock()
	defer g.mu.Unlock()

	until := time.Now().Add(g.cfg.HeadTimeout)
	if !g.deadline.IsZero() && g.deadline.After(until) {
		_ = g.Conn.SetReadDeadline(until)
	}
}

// readBody sets out to a piece of the body. A chunked body is framed again.
func (g *guardedConn) readBody() error {
	var buf [h1.ReaderSize]byte
	payload := h1.ChunkPayload(buf[:])
	chunked := g.body.Framing == h1.Chunked
	_ = g.Conn.SetReadDeadline(time.Now().Add(g.cfg.BodyStall))

	n, err := g.body.Read(payload)
	out := payload[:n]
	if chunked && n > 0 {
		out = h1.FrameChunk(buf[:], n)
	}
	if err == io.EOF {
		err = nil
		if chunked {
			out, err = h1.AppendLastChunk(out, g.body.Trailers)
		}
		g.body = nil
		_ = g.Conn.SetReadDeadline(time.Time{})
	}

	g.out = append([]byte(nil), out...)
	if err != nil {
		g.err = err
		g.badBody.Store(wire.BodyFault(err))
		return err
	}
	return nil
}

// waitForResponse holds back what follows a CONNECT or an upgrade until the parser
// has answered it. It returns errNotHTTP if the protocol was switched.
func (g *guardedConn) waitForResponse() error {
	for {
		g.mu.Lock()
		awaiting, changed, deadline := g.awaiting, g.changed, g.deadline
		g.mu.Unlock()

		if g.raw.Load() {
			return errNotHTTP
		}
		if !awaiting {
			return nil
		}
		if g.reader.Empty() { // a read ends by the connection's own deadline
			if err := g.reader.Fill(); err != nil {
				return err
			}
			continue
		}
		if err := waitUntil(changed, deadline); err != nil {
			return err
		}
	}
}

// waitUntil waits for changed, or for the deadline if it is not zero.
func waitUntil(changed <-chan struct{}, deadline time.Time) error {
	if deadline.IsZero() {
		<-changed
		return nil
	}
	left := time.Until(deadline)
	if left <= 0 {
		return os.ErrDeadlineExceeded
	}

	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-changed:
		return nil
	case <-timer.C:
		return os.ErrDeadlineExceeded
	}
}

// rejectHead keeps an error that later reads cannot overcome, and answers it if it is
// a malformed head.
func (g *guardedConn) rejectHead(err error) error {
	if netconn.IsTimeout(err) {
		return err
	}
	g.err = err
	errors.As(err, &g.badHead)
	return g.answerBadHead()
}

// answerBadHead answers a malformed head, once, and returns err. It waits until the
// parser wants a head: what the agent sent after a request must not disturb the
// exchange in flight, and the parser then closes the connection without a response.
func (g *guardedConn) answerBadHead() error {
	if g.badHead == nil || g.answered.Load() {
		return g.err
	}

	for {
		g.mu.Lock()
		deadline, changed := g.deadline, g.changed
		g.holding = deadline.IsZero()
		g.mu.Unlock()

		if deadline.IsZero() {
			<-changed
			continue
		}
		if isInterrupt(deadline) {
			return os.ErrDeadlineExceeded
		}
		g.answered.Store(true)
		g.writeResponse(g.respond(context.Background(), g.badHead))
		return g.err
	}
}

// writeResponse writes the response to a malformed head. resp may be nil.
func (g *guardedConn) writeResponse(resp *wire.Response) {
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
	finishResponse(resp, sent, 0, err)
}
