package agents

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/byline-proxy/byline/proxy/wire"
	"github.com/byline-proxy/byline/proxy/wire/internal/netconn"
)

// Bounds of one agent's connection.
const (
	frameHead    = 9           // RFC 9113 section 4.1
	maxFrame     = 16 << 10    // what we announce; a connection keeps room for its largest frame
	maxMalformed = 16          // requests and frames; then the connection ends, so that none can fill the record
	headTable    = 4 << 10     // bytes of HPACK's dynamic table (RFC 7541 section 4.2)
	lastAnswer   = time.Second // for the answer that the end of a connection waits for
	pseudos      = 5
)

// agent2 stands between an agent's HTTP/2 connection and the library that serves
// it. It reads every header block itself, as strictly as HTTP/1.1's are read, and
// gives the library one that says no more than where the head lies: so a head that
// is malformed is answered and put on record like any other. Frames of other kinds
// pass as they are; those by which the library refuses them are put on record as
// they go out. See docs/decisions/h2-heads.md.
//
// Read is for the library's one reading goroutine; the rest may be called by many.
type h2Conn struct {
	net.Conn
	cfg  *wire.Config
	ctx  context.Context
	door wire.Callbacks

	greeting int    // bytes of the preface that are to come
	out      []byte // what the library reads next
	left     int    // of the payload that passes as it is
	patient  bool   // that payload may come as slowly as it likes: it is a body's
	first    [frameHead]byte
	armed    time.Time // the read deadline that is set
	dec      *hpack.Decoder
	fields   []hpack.HeaderField // of the block that is being read
	size     int                 // of its fields, in bytes of HTTP/1.1
	plenty   *wire.Malformed     // there are more than may be
	room     []byte              // for a frame's payload
	standIn  []byte              // what the library gets instead of a block
	last     uint32              // the newest stream

	over     atomic.Bool // enough was malformed: nothing more is read
	mu       sync.Mutex
	heads    map[uint32]*h2Head // of streams that the library has not begun to serve
	bad      int                // what was malformed so far
	farewell bool               // GOAWAY went out: further streams are not served
	broken   map[uint32]bool    // streams whose head is malformed, not answered yet
	answered chan struct{}      // closed when the last of them is, once over; or with the connection

	wmu     sync.Mutex
	said    tracker
	between []byte           // to be sent before the next frame
	halves  map[uint32]*half // joined streams
}

func (s *Server) newAgent2(ctx context.Context, conn net.Conn, door wire.Callbacks) *h2Conn {
	c := &h2Conn{Conn: conn, cfg: &s.cfg, ctx: ctx, door: door, greeting: len(http2.ClientPreface),
		heads: map[uint32]*h2Head{}, answered: make(chan struct{})}
	c.dec = hpack.NewDecoder(headTable, c.field)
	c.dec.SetMaxStringLength(headSlack * s.cfg.MaxHeadBytes)
	return c
}

// secured2 lets the library see that there is TLS, and which.
type secured2 struct{ *h2Conn }

func (c secured2) ConnectionState() tls.ConnectionState { return c.Conn.(*tls.Conn).ConnectionState() }

// take is the head of the stream that the library begins to serve, nil if there
// is none any more.
func (c *h2Conn) take(path string) *h2Head {
	id, err := strconv.ParseUint(path[1:], 10, 31)
	if err != nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	h := c.heads[uint32(id)]
	delete(c.heads, uint32(id))
	return h
}

func (c *h2Conn) Read(p []byte) (int, error) {
	for {
		switch {
		case len(c.out) > 0:
			n := copy(p, c.out)
			c.out = c.out[n:]
			return n, nil
		case c.greeting > 0:
			n, err := c.Conn.Read(p[:min(len(p), c.greeting)])
			c.greeting -= n
			return n, err
		case c.left > 0:
			n, err := c.pass(p[:min(len(p), c.left)])
			c.left -= n
			return n, err
		case c.over.Load():
			c.end()
			continue
		}
		if err := c.frame(); err != nil {
			return 0, err
		}
	}
}

// Close lets nobody wait for an answer that cannot come.
func (c *h2Conn) Close() error {
	c.mu.Lock()
	c.settle()
	c.mu.Unlock()
	return c.Conn.Close()
}

// settle ends the wait for an answer; mu is held.
func (c *h2Conn) settle() {
	select {
	case <-c.answered:
	default:
		close(c.answered)
	}
}

// pass reads payload that is not looked at.
func (c *h2Conn) pass(p []byte) (int, error) {
	if !c.patient {
		c.arm()
	}
	for {
		n, err := c.Conn.Read(p)
		if n > 0 || err == nil || !netconn.IsTimeout(err) {
			return n, err
		}
		if !c.patient {
			return 0, c.late()
		}
		c.disarm()
	}
}

// arm bounds what must come whole, from its beginning on. A deadline that is set
// already and lies far enough ahead is left: setting one costs more than the check.
func (c *h2Conn) arm() {
	d := c.cfg.HeadTimeout
	until := time.Now().Add(d)
	if early := until.Sub(c.armed); early < 0 || early > d/4 {
		c.armed = until
		_ = c.Conn.SetReadDeadline(until)
	}
}

func (c *h2Conn) disarm() {
	c.armed = time.Time{}
	_ = c.Conn.SetReadDeadline(time.Time{})
}

// late puts on record that a frame of no stream's body did not come whole in time.
func (c *h2Conn) late() error {
	c.note(wire.TooSlow("a frame did not arrive in time"))
	return io.ErrUnexpectedEOF
}

// frame reads the head of the next frame, and the whole of a header block.
func (c *h2Conn) frame() error {
	n, err := c.Conn.Read(c.first[:])
	for n == 0 && err != nil && netconn.IsTimeout(err) { // a deadline that was left, between two frames
		c.disarm()
		n, err = c.Conn.Read(c.first[:])
	}
	if n < frameHead && err == nil {
		c.arm()
		if _, err = io.ReadFull(c.Conn, c.first[n:]); netconn.IsTimeout(err) {
			return c.late()
		}
	}
	if err != nil {
		return err
	}
	h := headOfFrame(c.first[:])
	switch {
	case h.length > maxFrame: // the library ends the connection when it sees the head
	case h.kind == http2.FrameHeaders && h.stream != 0:
		return c.block(h)
	case h.kind == http2.FrameRSTStream:
		c.forget(h.stream)
	}
	c.out, c.left, c.patient = c.first[:], h.length, h.kind == http2.FrameData
	return nil
}

// forget drops the head of a stream that was reset before it was served.
func (c *h2Conn) forget(stream uint32) {
	c.mu.Lock()
	delete(c.heads, stream)
	delete(c.broken, stream)
	c.mu.Unlock()
}

// opened gives the library what stands for a block that was read.
func (c *h2Conn) opened(h h2Frame, priority []byte) {
	open := !h.flags.Has(http2.FlagHeadersEndStream)
	if h.stream <= c.last { // trailers, or a stream that is over
		c.give(appendTrailers2(c.standIn[:0], h, c.fields, c.plenty))
		return
	}
	head := &h2Head{open: open, bad: c.plenty}
	if head.bad == nil {
		head = headOf2(c.fields, open)
	}
	head.stream = h.stream
	if head.bad == nil && len(head.Fields) > c.cfg.MaxFields {
		head.bad = wire.TooLarge(431, "there are too many fields")
	}
	c.hand(h, head, priority)
}

// hand keeps a head for whoever serves its stream, and tells the library of it.
func (c *h2Conn) hand(h h2Frame, head *h2Head, priority []byte) {
	c.last = max(c.last, h.stream)
	c.mu.Lock()
	if !c.farewell && h.stream%2 == 1 {
		c.heads[h.stream] = head
	}
	if head.bad != nil {
		c.breaks(h.stream)
	}
	if c.bad >= maxMalformed {
		c.over.Store(true)
	}
	c.mu.Unlock()
	c.give(appendStandIn(c.standIn[:0], h, head, priority))
}

// breaks marks a stream as malformed: it is reset behind its answer. mu is held.
func (c *h2Conn) breaks(stream uint32) {
	if c.bad++; c.broken == nil {
		c.broken = map[uint32]bool{}
	}
	c.broken[stream] = true
}

// lastWords answers a stream whose head did not come whole: nothing behind it can
// be read.
func (c *h2Conn) lastWords(h h2Frame, bad *wire.Malformed) {
	c.over.Store(true)
	if h.stream <= c.last || h.stream%2 == 0 {
		c.note(bad)
		return
	}
	h.flags |= http2.FlagHeadersEndStream
	c.hand(h, &h2Head{bad: bad}, nil)
}

// end waits for the answers to what was malformed, and ends the connection. What the
// agent still sends is read and dropped until the library closes it: closing with
// unread bytes would reset the connection, and the agent might lose the answers.
func (c *h2Conn) end() {
	_ = c.Conn.SetReadDeadline(time.Now().Add(lastAnswer + 2*time.Second)) // the library closes a second after its GOAWAY
	go io.CopyN(io.Discard, c.Conn, int64(lingerFactor*c.cfg.DrainBytes))  //nolint:errcheck // until the end, the bound or the deadline
	late := time.NewTimer(lastAnswer)
	defer late.Stop()
	c.mu.Lock()
	waits := len(c.broken) > 0
	c.mu.Unlock()
	if waits {
		select {
		case <-c.answered:
		case <-late.C:
		case <-c.ctx.Done():
		}
	}
	c.give(fault(c.standIn[:0]))
}
