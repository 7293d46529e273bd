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
)

// framing is how a body's end is found.
type Framing uint8

const (
	Counted    Framing = iota // Content-Length
	Chunked                   // Transfer-Encoding: chunked
	UntilClose                // an answer without either
)

var ErrBodyOver = errors.New("wire: the exchange of this body is over")

// body reads one message's body off its connection. Bytes go straight into the
// caller's buffer. Reads are serialized; finish may be called beside a Read.
type Body struct {
	mu           sync.Mutex
	Source       *Reader
	Framing      Framing
	Remaining    int64 // of the body, or of the chunk
	crlf         bool  // the CR LF behind a chunk is to come
	Stall        time.Duration
	Continue     net.Conn               // where 100 Continue is to be said before the first read
	AllowTrailer func(name string) bool // which trailer fields were announced; nil: all
	read         atomic.Int64
	ended        atomic.Bool // io.EOF was reached
	failed       atomic.Bool // err is set and not io.EOF
	over         atomic.Bool // nobody may read any more
	nowait       bool        // a Read that would wait gives what it has
	draining     bool        // but finish
	err          error

	MaxTrailerBytes, MaxTrailerFields int
	trailer                           []wire.Field
}

func (b *Body) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.over.Load() {
		return 0, ErrBodyOver
	}
	return b.readLocked(p)
}

func (b *Body) readLocked(p []byte) (n int, err error) {
	if b.err != nil {
		return 0, b.err
	}
	if len(p) == 0 {
		return 0, nil
	}
	if b.Continue != nil {
		conn := b.Continue
		b.Continue = nil
		if _, err := io.WriteString(conn, "HTTP/1.1 100 Continue\r\n\r\n"); err != nil {
			b.err = err
			return 0, err
		}
	}
	if b.Framing == Chunked {
		n, err = b.readChunks(p)
	} else {
		n, err = b.readCounted(p)
	}
	b.read.Add(int64(n))
	if err != nil {
		b.err = err
		b.ended.Store(err == io.EOF)
		b.failed.Store(err != io.EOF)
		if n > 0 && err != io.EOF {
			err = nil // the next Read tells
		}
	}
	return n, err
}

func (b *Body) readCounted(p []byte) (int, error) {
	if b.Framing == Counted && int64(len(p)) > b.Remaining {
		p = p[:b.Remaining]
	}
	if len(p) == 0 {
		return 0, io.EOF
	}
	n, err := b.take(p)
	if b.Framing == UntilClose {
		return n, err
	}
	if b.Remaining -= int64(n); b.Remaining == 0 {
		return n, io.EOF
	}
	return n, UnexpectedEOF(err)
}

// take reads once: what is buffered, or from the connection.
func (b *Body) take(p []byte) (int, error) {
	if b.Source.r == b.Source.w {
		if err := b.wait(); err != nil {
			return 0, err
		}
	}
	return b.Source.Read(p)
}

// wait sets the deadline of the next read. finish sets over before its own
// deadline, so one of the two is seen here or ends the read.
func (b *Body) wait() error {
	if b.Stall > 0 {
		b.Source.ExtendDeadline(b.Stall)
	}
	if b.over.Load() && !b.draining {
		return ErrBodyOver
	}
	return nil
}

// readChunks fills p from as many chunks as have arrived, and waits only for
// the first byte. RFC 9112 section 7.1, without chunk extensions.
func (b *Body) readChunks(p []byte) (n int, err error) {
	for n < len(p) {
		if b.Remaining > 0 && !b.crlf {
			if (n > 0 || b.nowait) && b.Source.r == b.Source.w {
				return n, nil
			}
			m, err := b.data(p[n:])
			n += m
			if b.Remaining -= int64(m); b.Remaining == 0 {
				b.crlf = true
			}
			if err != nil {
				return n, UnexpectedEOF(err)
			}
			continue
		}
		done, need, err := b.between()
		if err != nil {
			return n, err
		}
		if done {
			return n, io.EOF
		}
		if need {
			if n > 0 || b.nowait {
				return n, nil
			}
			if err := b.wait(); err != nil {
				return n, err
			}
			if err := b.Source.Fill(); err != nil {
				return n, UnexpectedEOF(err)
			}
		}
	}
	return n, nil
}

// data reads a chunk's bytes. A short rest goes through the buffer, so that the
// line behind it comes with the same read.
func (b *Body) data(p []byte) (int, error) {
	if int64(len(p)) > b.Remaining {
		p = p[:b.Remaining]
	}
	if b.Source.r == b.Source.w && len(p) < ReaderSize {
		if err := b.wait(); err != nil {
			return 0, err
		}
		if err := b.Source.Fill(); err != nil {
			return 0, err
		}
	}
	return b.take(p)
}

// readNow reads only what has arrived; 0 and nil mean that nothing has.
func (b *Body) ReadAvailable(p []byte) (n int, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.nowait = true
	defer func() { b.nowait = false }()
	return b.readLocked(p)
}

// between reads what stands between two chunks' bytes. need: more must arrive.
func (b *Body) between() (done, need bool, err error) {
	in := b.Source.Buffered()
	if b.crlf {
		if len(in) > 0 && in[0] != '\r' || len(in) > 1 && in[1] != '\n' {
			return false, false, wire.Ambiguous("a chunk is not followed by CR LF")
		}
		if len(in) < 2 {
			return false, true, nil
		}
		b.crlf = false
		b.Source.r += 2
		in = in[2:]
	}
	if b.Remaining == 0 {
		size, n, bad := chunkSize(in)
		if bad != nil {
			return false, false, bad
		}
		if n == 0 {
			return false, true, nil
		}
		if size > 0 {
			b.Source.r += n
			b.Remaining = size
			return false, false, nil
		}
		return b.last(in, n)
	}
	return false, false, nil
}

// last reads the trailer section behind the chunk of size zero, whose line has
// n bytes and stays in the buffer until the section is complete.
func (b *Body) last(in []byte, n int) (done, need bool, err error) {
	var c HeadScanner
	end, bad := c.End(in[n:], true)
	switch {
	case bad != nil:
		return false, false, bad
	case end > b.MaxTrailerBytes || end == 0 && len(in) > b.MaxTrailerBytes:
		return false, false, wire.TooLarge(431, "the trailer is too large")
	case end == 0:
		return false, true, nil
	}
	b.Source.r += n + end
	if end == 2 {
		return true, false, nil
	}
	fields, bad := cutFields(string(in[n:n+end]), nil, b.MaxTrailerFields)
	if bad != nil {
		return false, false, bad
	}
	for _, f := range fields {
		if ForbiddenInTrailer(f.Name) {
			return false, false, wire.Ambiguous("a field may not come after the body (RFC 9110 section 6.5.1)")
		}
		if b.AllowTrailer != nil && !b.AllowTrailer(f.Name) {
			return false, false, wire.Ambiguous("a field after the body was not announced in Trailer")
		}
	}
	b.trailer = fields
	return true, false, nil
}

// chunkSize reads a chunk's first line: hexadecimal digits and CR LF, nothing
// else. n is the line's length, 0 if it has not arrived whole.
func chunkSize(in []byte) (size int64, n int, bad *wire.Malformed) {
	for i, c := range in {
		switch {
		case c >= '0' && c <= '9':
			size = size<<4 | int64(c-'0')
		case c >= 'a' && c <= 'f':
			size = size<<4 | int64(c-'a'+10)
		case c >= 'A' && c <= 'F':
			size = size<<4 | int64(c-'A'+10)
		case c == '\r' && i > 0:
			if i+1 == len(in) {
				return 0, 0, nil
			}
			if in[i+1] != '\n' {
				return 0, 0, wire.Ambiguous("a chunk's size does not end in CR LF")
			}
			return size, i + 2, nil
		case c == ';':
			return 0, 0, wire.Ambiguous("a chunk has an extension")
		default:
			return 0, 0, wire.Ambiguous("a chunk's size is not a hexadecimal number")
		}
		if i >= 15 {
			return 0, 0, wire.Ambiguous("a chunk's size is too large")
		}
	}
	return 0, 0, nil
}

// Trailers are the fields behind the last chunk.
func (b *Body) Trailers() []wire.Field {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.trailer
}

// finish ends the body's use and says whether the connection stands where the
// next message begins. It throws away up to drain bytes that nobody read. It
// interrupts a Read under way, and returns only when that has ended.
func (b *Body) Finish(drain int64) bool {
	if b.over.Swap(true) {
		return b.ended.Load()
	}
	if !b.mu.TryLock() {
		_ = b.Source.Conn.SetReadDeadline(time.Unix(1, 0))
		b.mu.Lock()
		b.Source.NoteDeadline(time.Time{})
		defer b.mu.Unlock()
		return b.ended.Load()
	}
	defer b.mu.Unlock()
	if b.ended.Load() {
		return true
	}
	if b.err != nil || b.Continue != nil || b.Framing == UntilClose || b.Framing == Counted && b.Remaining > drain {
		return false
	}
	b.draining = true
	buf := buffers.GetBuffer()
	defer buffers.PutBuffer(buf)
	for drain > 0 {
		n, err := b.readLocked(buf[:])
		if err == io.EOF {
			return true
		}
		if err != nil {
			return false
		}
		drain -= int64(n)
	}
	return false
}

// conn is the connection it is read from.
func (b *Body) Conn() net.Conn { return b.Source.Conn }

// received is how many bytes were read so far.
func (b *Body) Received() int64 { return b.read.Load() }

// hasEnded reports whether the body was read to its end.
func (b *Body) Ended() bool { return b.ended.Load() }

// hasFailed reports whether the body broke off; failure says why.
func (b *Body) Failed() bool { return b.failed.Load() }

// hasTrailer reports whether fields came behind the last chunk.
func (b *Body) HasTrailer() bool { return b.trailer != nil }

// cannotFinish foresees that finish will not reach the body's end.
func (b *Body) CannotFinish(drain int64) bool {
	if b.ended.Load() || !b.mu.TryLock() {
		return false
	}
	defer b.mu.Unlock()
	return b.Continue != nil || b.Framing == Counted && b.Remaining > drain
}

// failure is what broke the body, nil while nothing did.
func (b *Body) Failure() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err == io.EOF {
		return nil
	}
	return b.err
}
