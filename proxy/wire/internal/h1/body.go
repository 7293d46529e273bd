package h1

import (
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/byline-proxy/byline/proxy/wire"
	"github.com/byline-proxy/byline/proxy/wire/internal/buffers"
	"github.com/byline-proxy/byline/proxy/wire/internal/cork"
)

// Framing is how the end of a body is found (RFC 9112 section 6.3).
type Framing uint8

// The framings.
const (
	Counted    Framing = iota // by Content-Length
	Chunked                   // by the last chunk
	UntilClose                // by the end of the connection; only responses have it
)

// ErrBodyOver is returned by reads of a body whose exchange is over.
var ErrBodyOver = errors.New("wire: the exchange of this body is over")

// Body reads the body of one message from its connection, directly into the caller's
// buffer. Reads exclude each other. Finish and the methods that report may be called
// concurrently with Read. The exported fields are set before the first call.
type Body struct {
	// Source is the connection.
	Source *Reader
	// Framing says how the end is found.
	Framing Framing
	// Remaining is the number of bytes that are still to come: of the body if it is
	// Counted, of the current chunk if it is Chunked.
	Remaining int64
	// Stall is how long one read of the connection may wait. 0 means that somebody
	// else sets the deadline.
	Stall time.Duration
	// Continue is where the first Read writes 100 Continue. It may be nil.
	Continue net.Conn
	// SkipExtensions says that extensions of chunks are skipped, which a recipient must
	// (RFC 9112 section 7.1.1). Otherwise they are refused, because a sender that both ends
	// do not trust may hide in them what only one of the ends reads.
	SkipExtensions bool
	// AllowTrailer reports whether a trailer field was announced. Nil allows all.
	AllowTrailer func(name string) bool
	// MaxTrailerBytes and MaxTrailerFields limit the trailer section of a Chunked
	// body.
	MaxTrailerBytes, MaxTrailerFields int

	probe  cork.RecordProbe // of probed, for HasArrived
	probed net.Conn

	count  atomic.Int64
	ended  atomic.Bool // a Read returned io.EOF
	failed atomic.Bool // err is neither nil nor io.EOF
	over   atomic.Bool // Finish was called; only Finish itself may read

	mu            sync.Mutex // protects what follows; Read holds it
	err           error      // what the next Read returns
	needsCRLF     bool       // the CR LF after a chunk's data has not been read
	availableOnly bool       // return instead of waiting for the connection
	draining      bool       // Finish reads
	trailer       []wire.Field
}

// Read reads the body. At its end it returns io.EOF, together with the last bytes or
// after them. A body that is framed wrongly or cut off gives an error for which
// wire.BodyFault has an explanation.
func (b *Body) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()

	if b.over.Load() {
		return 0, ErrBodyOver
	}
	return b.read(p)
}

// ReadAvailable is Read without waiting for the connection. If nothing has arrived
// it returns 0 and nil.
func (b *Body) ReadAvailable(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()

	b.availableOnly = true
	defer func() { b.availableOnly = false }()
	return b.read(p)
}

// read is Read with mu held.
func (b *Body) read(p []byte) (n int, err error) {
	if b.err != nil {
		return 0, b.err
	}
	if len(p) == 0 {
		return 0, nil
	}
	if err := b.writeContinue(); err != nil {
		b.err = err
		return 0, err
	}

	if b.Framing == Chunked {
		n, err = b.readChunks(p)
	} else {
		n, err = b.readPlain(p)
	}
	b.count.Add(int64(n))

	if err != nil {
		b.err = err
		b.ended.Store(err == io.EOF)
		b.failed.Store(err != io.EOF)
		if n > 0 && err != io.EOF {
			err = nil // the next Read returns it
		}
	}
	return n, err
}

// writeContinue writes 100 Continue if the sender waits for it.
func (b *Body) writeContinue() error {
	if b.Continue == nil {
		return nil
	}
	conn := b.Continue
	b.Continue = nil
	_, err := io.WriteString(conn, "HTTP/1.1 100 Continue\r\n\r\n")
	return err
}

// readPlain reads a body that is not Chunked.
func (b *Body) readPlain(p []byte) (int, error) {
	if b.Framing == Counted && int64(len(p)) > b.Remaining {
		p = p[:b.Remaining]
	}
	if len(p) == 0 {
		return 0, io.EOF
	}

	n, err := b.readSource(p)
	if b.Framing == UntilClose {
		return n, err
	}
	if b.Remaining -= int64(n); b.Remaining == 0 {
		return n, io.EOF
	}
	return n, UnexpectedEOF(err)
}

// readSource reads once: what is buffered, or from the connection.
func (b *Body) readSource(p []byte) (int, error) {
	if b.Source.Empty() {
		if err := b.prepareWait(); err != nil {
			return 0, err
		}
	}
	return b.Source.Read(p)
}

// prepareWait sets the deadline of the next read of the connection. Finish sets over
// before it sets its own deadline. So either prepareWait sees over, or the deadline
// of Finish replaces this one and ends the read.
func (b *Body) prepareWait() error {
	if b.Stall > 0 {
		b.Source.ExtendDeadline(b.Stall)
	}
	if b.over.Load() && !b.draining {
		return ErrBodyOver
	}
	return nil
}

// Finish ends the use of the body and reports whether the connection is at the
// beginning of the next message. It discards at most drain bytes that were not read.
// A Read in progress is interrupted, and Finish returns after it.
func (b *Body) Finish(drain int64) bool {
	if b.over.Swap(true) {
		return b.ended.Load()
	}
	if !b.mu.TryLock() {
		_ = b.Source.Conn.SetReadDeadline(time.Unix(1, 0))
		b.mu.Lock()
		defer b.mu.Unlock()
		b.Source.NoteDeadline(time.Time{})
		return b.ended.Load()
	}
	defer b.mu.Unlock()

	if b.ended.Load() {
		return true
	}
	if b.err != nil || b.Framing == UntilClose || b.exceeds(drain) {
		return false
	}
	return b.drain(drain)
}

// drain reads to the end of the body, at most n bytes. It reports whether it got
// there; mu is held.
func (b *Body) drain(n int64) bool {
	b.draining = true
	buf := buffers.GetBuffer()
	defer buffers.PutBuffer(buf)

	for n > 0 {
		m, err := b.read(buf[:])
		if err == io.EOF {
			return true
		}
		if err != nil {
			return false
		}
		n -= int64(m)
	}
	return false
}

// exceeds reports whether it is known that draining n bytes does not reach the end:
// the sender has not been asked for the body yet, or more than n bytes are to come.
// mu is held.
func (b *Body) exceeds(n int64) bool {
	return b.Continue != nil || b.Framing == Counted && b.Remaining > n
}

// CannotFinish reports whether Finish(drain) is certain to return false.
func (b *Body) CannotFinish(drain int64) bool {
	if b.ended.Load() || !b.mu.TryLock() {
		return false
	}
	defer b.mu.Unlock()
	return b.exceeds(drain)
}

// HasArrived reports whether a whole TLS record has arrived. It is called by the
// goroutine that reads.
func (b *Body) HasArrived() bool {
	if b.probed != b.Source.Conn {
		b.probe, b.probed = cork.NewRecordProbe(b.Source.Conn), b.Source.Conn
	}
	return b.probe.HasRecord()
}

// Received returns the number of bytes that were read.
func (b *Body) Received() int64 { return b.count.Load() }

// Ended reports whether the body was read to its end.
func (b *Body) Ended() bool { return b.ended.Load() }

// Failure returns the error that ended the body before its end, nil if none did.
func (b *Body) Failure() error {
	if !b.failed.Load() {
		return nil // without waiting for a Read in progress
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err
}

// Trailers returns the fields of the trailer section, after Read returned io.EOF.
func (b *Body) Trailers() []wire.Field {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.trailer
}
