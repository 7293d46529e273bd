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

const (
	// maxMalformed is how many malformed requests and frames a connection may bring.
	// Then it ends, so that no agent can fill the record.
	maxMalformed = 16

	// hpackTable is the size of the dynamic table of HPACK in bytes, which is the
	// initial value of SETTINGS_HEADER_TABLE_SIZE (RFC 9113 section 6.5.2).
	hpackTable = 4 << 10

	// lastResponses is how long a connection that ends waits for its responses to
	// malformed requests.
	lastResponses = time.Second

	// libraryGoAway is how long after its GOAWAY the library closes the connection, with
	// a margin.
	libraryGoAway = 2 * time.Second
)

// h2Conn is between an agent's HTTP/2 connection and the library that serves it. It
// reads every header block itself, as strictly as heads of HTTP/1.1 are read, and
// gives the library a substitute that tells only where the real head is. So a
// malformed head is answered and recorded like any other. Other frames pass
// unchanged; when the library refuses one of them, the refusal is recorded on its
// way out. docs/decisions/h2-heads.md gives the reasons.
//
// Read is called by the library's reading goroutine. All other methods may be called
// concurrently.
type h2Conn struct {
	net.Conn
	cfg       *wire.Config
	ctx       context.Context
	callbacks wire.Callbacks

	// What follows is owned by the goroutine that calls Read.
	prefaceLeft int    // bytes of the client preface that are still to come
	out         []byte // what Read returns next
	payloadLeft int    // bytes of a payload that pass unchanged after out
	mayStall    bool   // the payload is a body's, which has its own timeout
	head        [frameHeadSize]byte
	deadline    time.Time // the read deadline of Conn
	lastStream  uint32    // the newest stream of the agent
	block       headerBlock
	payload     []byte // reused for payloads
	substitute  []byte // reused for what the library reads instead of a block

	// ending is set when enough was malformed: nothing more is read.
	ending atomic.Bool

	mu        sync.Mutex
	heads     map[uint32]*h2Head // of streams that the library has not begun to serve
	malformed int                // requests and frames that were malformed
	goAway    bool               // GOAWAY was sent: new streams are not served
	refused   map[uint32]bool    // streams of malformed requests whose response is not complete
	responded chan struct{}      // closed when refused becomes empty after ending, or by Close
	windows   streamWindows

	writeMu    sync.Mutex
	hasWritten bool // the library's first frame
	written    frameTracker
	insert     []byte             // frames of ours, written at the next frame boundary
	halves     map[uint32]*h2Half // streams of WebSockets
}

func (s *Server) newH2Conn(ctx context.Context, conn net.Conn, callbacks wire.Callbacks) *h2Conn {
	c := &h2Conn{
		Conn:        conn,
		cfg:         &s.cfg,
		ctx:         ctx,
		callbacks:   callbacks,
		prefaceLeft: len(http2.ClientPreface),
		heads:       map[uint32]*h2Head{},
		responded:   make(chan struct{}),
	}
	c.block.cfg = c.cfg
	c.block.decoder = hpack.NewDecoder(hpackTable, c.block.addField)
	c.block.decoder.SetMaxStringLength(headSlack * s.cfg.MaxHeadBytes)
	return c
}

// h2TLSConn is an h2Conn over TLS. ConnectionState tells the library so.
type h2TLSConn struct{ *h2Conn }

func (c h2TLSConn) ConnectionState() tls.ConnectionState { return c.Conn.(*tls.Conn).ConnectionState() }

// takeHead removes and returns the head of the stream that the library begins to
// serve. path is the one of the substitute. takeHead returns nil if the stream was
// reset.
func (c *h2Conn) takeHead(path string) *h2Head {
	stream, err := strconv.ParseUint(path[1:], 10, 31)
	if err != nil {
		return nil
	}

	c.mu.Lock()
	defer c.mu.Unlock()
	head := c.heads[uint32(stream)]
	delete(c.heads, uint32(stream))
	return head
}

// Read gives the library the preface, substitutes for header blocks, and all other
// frames unchanged.
func (c *h2Conn) Read(p []byte) (int, error) {
	for {
		switch {
		case len(c.out) > 0:
			n := copy(p, c.out)
			c.out = c.out[n:]
			return n, nil
		case c.prefaceLeft > 0:
			n, err := c.Conn.Read(p[:min(len(p), c.prefaceLeft)])
			c.prefaceLeft -= n
			return n, err
		case c.payloadLeft > 0:
			n, err := c.readPayload(p[:min(len(p), c.payloadLeft)])
			c.payloadLeft -= n
			return n, err
		case c.ending.Load():
			c.endConnection()
		default:
			if err := c.readFrame(); err != nil {
				return 0, err
			}
		}
	}
}

// Close closes the connection and ends the wait of endConnection, because no
// response can be sent any more.
func (c *h2Conn) Close() error {
	c.mu.Lock()
	c.closeResponded()
	c.mu.Unlock()
	return c.Conn.Close()
}

// closeResponded closes responded unless it is closed; mu is held.
func (c *h2Conn) closeResponded() {
	select {
	case <-c.responded:
	default:
		close(c.responded)
	}
}

// readPayload reads bytes of a payload that passes unchanged.
func (c *h2Conn) readPayload(p []byte) (int, error) {
	if !c.mayStall {
		c.extendDeadline()
	}
	for {
		n, err := c.Conn.Read(p)
		if n > 0 || err == nil || !netconn.IsTimeout(err) {
			return n, err
		}
		if !c.mayStall {
			return 0, c.recordSlowFrame()
		}
		c.clearDeadline() // it was set for an earlier frame
	}
}

// extendDeadline gives what must arrive completely HeadTimeout from now. It keeps a
// deadline that is at least three quarters of that ahead, because setting one costs
// more than the check.
func (c *h2Conn) extendDeadline() {
	d := c.cfg.HeadTimeout
	until := time.Now().Add(d)
	if later := until.Sub(c.deadline); later < 0 || later > d/4 {
		c.deadline = until
		_ = c.Conn.SetReadDeadline(until)
	}
}

func (c *h2Conn) clearDeadline() {
	c.deadline = time.Time{}
	_ = c.Conn.SetReadDeadline(time.Time{})
}

// recordSlowFrame records that a frame did not arrive in time and returns the error
// of the read.
func (c *h2Conn) recordSlowFrame() error {
	c.record(wire.TooSlow("a frame did not arrive in time"))
	return io.ErrUnexpectedEOF
}

// readFrame reads the head of the next frame, and all of a header block.
func (c *h2Conn) readFrame() error {
	n, err := c.Conn.Read(c.head[:])
	for n == 0 && err != nil && netconn.IsTimeout(err) { // an old deadline has passed between two frames
		c.clearDeadline()
		n, err = c.Conn.Read(c.head[:])
	}
	if n < frameHeadSize && err == nil {
		c.extendDeadline()
		if _, err = io.ReadFull(c.Conn, c.head[n:]); netconn.IsTimeout(err) {
			return c.recordSlowFrame()
		}
	}
	if err != nil {
		return err
	}

	f := parseFrameHead(c.head[:])
	switch {
	case f.length > maxFrame: // the library ends the connection when it sees the head
	case f.kind == http2.FrameHeaders && f.stream != 0:
		return c.readHeaderBlock(f)
	case f.kind == http2.FrameRSTStream:
		c.dropStream(f.stream)
	case f.kind == http2.FrameData:
		c.takeWindow(f)
		if c.ending.Load() {
			return nil
		}
	}

	c.out = c.head[:]
	c.payloadLeft = f.length
	c.mayStall = f.kind == http2.FrameData
	return nil
}

// dropStream forgets a stream that the agent has reset.
func (c *h2Conn) dropStream(stream uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.heads, stream)
	delete(c.refused, stream)
	delete(c.windows.left, stream)
}

// passHead keeps head for the goroutine that will serve its stream, and gives the
// library the substitute. f is the frame that opened the stream.
func (c *h2Conn) passHead(f frameHead, head *h2Head, priority []byte) {
	c.lastStream = max(c.lastStream, f.stream)

	c.mu.Lock()
	if !c.goAway && isAgentStream(f.stream) {
		c.heads[f.stream] = head
		if !f.endsStream() {
			c.windows.open(f.stream)
		}
	}
	if head.malformed != nil {
		c.markRefused(f.stream)
	}
	if c.malformed >= maxMalformed {
		c.ending.Store(true)
	}
	c.mu.Unlock()

	c.passSubstitute(appendSubstitute(c.substitute[:0], f, head, priority))
}

// isAgentStream reports whether an agent may open the stream (RFC 9113 section 5.1.1).
func isAgentStream(stream uint32) bool { return stream%2 == 1 }

// passSubstitute makes b what the library reads next. A large b is not reused.
func (c *h2Conn) passSubstitute(b []byte) {
	c.out, c.substitute = b, b
	if cap(b) > maxReusedBytes {
		c.substitute = nil
	}
}

// markRefused notes that the request of stream is malformed: the stream is reset
// after its response. mu is held.
func (c *h2Conn) markRefused(stream uint32) {
	c.malformed++
	if c.refused == nil {
		c.refused = map[uint32]bool{}
	}
	c.refused[stream] = true
}

// noteMalformedBody is markRefused for a request whose body turned out malformed.
func (c *h2Conn) noteMalformedBody(stream uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.markRefused(stream)
}

// refuseLastHead answers a head that did not arrive completely. Nothing after it can
// be read, so the connection ends.
func (c *h2Conn) refuseLastHead(f frameHead, bad *wire.Malformed) {
	c.ending.Store(true)
	if f.stream <= c.lastStream || !isAgentStream(f.stream) { // not the head of a request
		c.record(bad)
		return
	}
	f.flags |= http2.FlagHeadersEndStream
	c.passHead(f, &h2Head{malformed: bad}, nil)
}

// endConnection waits for the responses to malformed requests and makes the library
// end the connection. Until then it discards what the agent still sends, up to a
// bound: closing a connection with unread bytes resets it, and the agent could lose
// the responses.
func (c *h2Conn) endConnection() {
	_ = c.Conn.SetReadDeadline(time.Now().Add(lastResponses + libraryGoAway))
	go io.CopyN(io.Discard, c.Conn, int64(lingerFactor*c.cfg.DrainBytes)) //nolint:errcheck // ends with the connection, at the bound, or at the deadline

	c.mu.Lock()
	pending := len(c.refused) > 0
	c.mu.Unlock()
	if pending {
		late := time.NewTimer(lastResponses)
		defer late.Stop()
		select {
		case <-c.responded:
		case <-late.C:
		case <-c.ctx.Done():
		}
	}
	c.passSubstitute(appendInvalidFrame(c.substitute[:0]))
}
