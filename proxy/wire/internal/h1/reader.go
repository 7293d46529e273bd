package h1

import (
	"bytes"
	"cmp"
	"io"
	"net"
	"runtime"
	"time"

	"github.com/byline-proxy/byline/proxy/wire"
	"github.com/byline-proxy/byline/proxy/wire/internal/buffers"
	"github.com/byline-proxy/byline/proxy/wire/internal/netconn"
)

const ReaderSize = 4 << 10

// restAfter is how long a connection waits for a message with its buffer held.
const restAfter = time.Second

// source is the reading side of one connection with a small buffer. It is used
// by one goroutine at a time.
type Reader struct {
	Conn  net.Conn
	buf   []byte
	own   *buffers.Page // what buf began as; nil: the connection is at rest
	r, w  int
	one   [1]byte
	armed time.Time // the read deadline now set, zero if none
}

func (s *Reader) Buffered() []byte { return s.buf[s.r:s.w] }

// empty reports whether nothing is buffered.
func (s *Reader) Empty() bool { return s.r == s.w }

// received reports whether bytes came since the buffer was last given back.
func (s *Reader) Received() bool { return s.w > 0 }

// discard takes n buffered bytes away.
func (s *Reader) Discard(n int) { s.r += n }

// noteDeadline records a read deadline that somebody else has set on conn.
func (s *Reader) NoteDeadline(t time.Time) { s.armed = t }

// arm sets a read deadline d from now. One that is set already and lies at
// least three quarters of d ahead is left: setting costs more than the check.
func (s *Reader) ExtendDeadline(d time.Duration) {
	until := time.Now().Add(d)
	if early := until.Sub(s.armed); early < 0 || early > d/4 {
		s.armed = until
		_ = s.Conn.SetReadDeadline(until)
	}
}

func (s *Reader) ClearDeadline() {
	s.armed = time.Time{}
	_ = s.Conn.SetReadDeadline(time.Time{})
}

// fill reads once, behind what is buffered. It makes room by moving or growing.
func (s *Reader) Fill() error {
	switch {
	case s.r == s.w:
		s.r, s.w = 0, 0
		if s.own == nil {
			s.own = buffers.GetPage()
		}
		s.buf = s.own[:] // it may have grown for a large head
	case s.r > 0 && s.w == len(s.buf):
		s.w = copy(s.buf, s.buf[s.r:s.w])
		s.r = 0
	}
	if s.w == len(s.buf) {
		s.buf = append(s.buf, make([]byte, len(s.buf))...)
	}
	n, err := s.Conn.Read(s.buf[s.w:])
	s.w += n
	if n > 0 {
		return nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

// rest gives the buffer back while nothing is in it.
func (s *Reader) ReleaseBuffer() {
	if s.r == s.w && s.own != nil {
		buffers.PutPage(s.own)
		s.own, s.buf, s.r, s.w = nil, nil, 0, 0
	}
}

// begin waits for the first bytes of a message, for d at most. A connection
// that stays quiet gives its buffer back and waits for a single byte.
func (s *Reader) begin(d time.Duration) error {
	if d <= restAfter {
		s.ExtendDeadline(d)
		return s.Fill()
	}
	s.ExtendDeadline(restAfter)
	if err := s.Fill(); !netconn.IsTimeout(err) {
		return err
	}
	s.ReleaseBuffer()
	s.armed = time.Now().Add(d - restAfter)
	_ = s.Conn.SetReadDeadline(s.armed)
	n, err := s.Conn.Read(s.one[:])
	if n == 0 {
		return cmp.Or(err, io.ErrNoProgress)
	}
	s.own = buffers.GetPage()
	s.buf = s.own[:]
	s.buf[0], s.w = s.one[0], 1
	return nil
}

// Read gives what is buffered first. It is for the raw bytes after a switch.
func (s *Reader) Read(p []byte) (int, error) {
	if s.r < s.w {
		n := copy(p, s.Buffered())
		s.r += n
		return n, nil
	}
	return s.Conn.Read(p)
}

// scan finds the end of a block of lines that closes with an empty one, and
// refuses a line that ends in LF alone. It goes on where it stopped.
type HeadScanner struct{ seen, line int }

// end is the length of the block at the start of b, or 0 if more is needed.
func (c *HeadScanner) End(b []byte, emptyFirst bool) (int, *wire.Malformed) {
	for {
		i := bytes.IndexByte(b[c.seen:], '\n')
		if i < 0 {
			c.seen = len(b)
			return 0, nil
		}
		i += c.seen
		if i == c.line || b[i-1] != '\r' {
			return 0, wire.Ambiguous("a line does not end in CR LF")
		}
		if i-1 == c.line {
			if i == 1 && !emptyFirst {
				return 0, wire.Ambiguous("there is an empty line before the request line")
			}
			return i + 1, nil
		}
		c.seen, c.line = i+1, i+1
	}
}

// head waits for one whole head and takes it from the buffer; it is valid until
// the next read. first bounds the wait for its first byte (0: as set already), whole the rest.
// io.EOF means that the connection ended before a first byte.
func (s *Reader) ReadHead(max int, first, whole time.Duration) ([]byte, error) {
	if s.r == s.w {
		// Under load others have work to do meanwhile, and the bytes are here
		// afterwards: that saves a read in vain and a sleep.
		runtime.Gosched()
		err := error(nil)
		if first > 0 {
			err = s.begin(first)
		} else {
			err = s.Fill()
		}
		if err != nil {
			return nil, err
		}
	}
	var c HeadScanner
	for waiting := false; ; waiting = true {
		n, bad := c.End(s.Buffered(), false)
		switch {
		case bad != nil:
			return nil, bad
		case n > max || n == 0 && s.w-s.r >= max:
			return nil, wire.TooLarge(431, "the head is too large")
		case n > 0:
			b := s.buf[s.r : s.r+n]
			s.r += n
			return b, nil
		}
		if !waiting { // one deadline from the first byte on, however slowly they drip
			s.armed = time.Now().Add(whole)
			_ = s.Conn.SetReadDeadline(s.armed)
		}
		if err := s.Fill(); err != nil {
			return nil, UnexpectedEOF(err)
		}
	}
}

func UnexpectedEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
