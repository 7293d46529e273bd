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

// ReaderSize is the size of a Reader's buffer, in bytes. It grows for a larger head.
const ReaderSize = len(buffers.Page{})

// releaseAfter is how long a connection that waits for a message keeps its buffer.
const releaseAfter = time.Second

// Reader reads from a connection through a small buffer, which it gives back while
// the connection is idle. It must be used by one goroutine at a time. The zero value
// with Conn set is ready for use.
type Reader struct {
	// Conn is the connection. It does not change.
	Conn net.Conn

	buf      []byte
	page     *buffers.Page // the memory of buf before it grew; nil while it is given back
	r, w     int           // buf[r:w] was read and not taken yet
	one      [1]byte
	deadline time.Time // the read deadline of Conn, zero if there is none
}

// Buffered returns the bytes that were read and not taken yet. They are valid until
// the next read.
func (s *Reader) Buffered() []byte { return s.buf[s.r:s.w] }

// Empty reports whether nothing is buffered.
func (s *Reader) Empty() bool { return s.r == s.w }

// Received reports whether bytes were read since the buffer was last empty before a
// Fill or given back.
func (s *Reader) Received() bool { return s.w > 0 }

// Discard takes n buffered bytes.
func (s *Reader) Discard(n int) { s.r += n }

// ExtendDeadline sets the read deadline to d from now. It keeps a deadline that is
// at least three quarters of d ahead, because setting one costs more than the check.
func (s *Reader) ExtendDeadline(d time.Duration) {
	until := time.Now().Add(d)
	if later := until.Sub(s.deadline); later < 0 || later > d/4 {
		s.setDeadline(until)
	}
}

// ClearDeadline removes the read deadline.
func (s *Reader) ClearDeadline() { s.setDeadline(time.Time{}) }

// NoteDeadline tells the Reader that another goroutine has set the read deadline of
// Conn to t.
func (s *Reader) NoteDeadline(t time.Time) { s.deadline = t }

func (s *Reader) setDeadline(t time.Time) {
	s.deadline = t
	_ = s.Conn.SetReadDeadline(t)
}

// Fill reads once and appends to what is buffered. It moves the buffered bytes or
// enlarges the buffer if there is no space.
func (s *Reader) Fill() error {
	switch {
	case s.r == s.w:
		s.r, s.w = 0, 0
		if s.page == nil {
			s.page = buffers.GetPage()
		}
		s.buf = s.page[:] // releases what a large head needed
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
	return cmp.Or(err, io.ErrNoProgress)
}

// ReleaseBuffer gives the buffer back if nothing is in it.
func (s *Reader) ReleaseBuffer() {
	if s.r == s.w && s.page != nil {
		buffers.PutPage(s.page)
		s.page, s.buf, s.r, s.w = nil, nil, 0, 0
	}
}

// WaitForMessage waits for the first bytes of a message, at most for d. After
// releaseAfter it gives the buffer back and waits for a single byte.
func (s *Reader) WaitForMessage(d time.Duration) error {
	if d <= releaseAfter {
		s.ExtendDeadline(d)
		return s.Fill()
	}

	s.ExtendDeadline(releaseAfter)
	if err := s.Fill(); !netconn.IsTimeout(err) {
		return err
	}

	s.ReleaseBuffer()
	s.setDeadline(time.Now().Add(d - releaseAfter))
	n, err := s.Conn.Read(s.one[:])
	if n == 0 {
		return cmp.Or(err, io.ErrNoProgress)
	}
	s.page = buffers.GetPage()
	s.buf = s.page[:]
	s.buf[0], s.w = s.one[0], 1
	return nil
}

// Read returns what is buffered, or reads from the connection if that is nothing. It
// carries the bytes of a connection that has switched protocols.
func (s *Reader) Read(p []byte) (int, error) {
	if s.r < s.w {
		n := copy(p, s.Buffered())
		s.r += n
		return n, nil
	}
	return s.Conn.Read(p)
}

// ReadHead waits for a whole head of at most max bytes and takes it. The head is
// valid until the next read. first bounds the wait for the first byte, 0 leaves the
// deadline as it is; whole bounds the time from the first byte to the last. The
// error is io.EOF if the connection ended before the first byte, a *wire.Malformed
// if the head cannot be accepted, and io.ErrUnexpectedEOF if it is incomplete.
func (s *Reader) ReadHead(max int, first, whole time.Duration) ([]byte, error) {
	if s.Empty() {
		// Under load, other goroutines have work to do, and the bytes have arrived
		// when this one runs again. That saves a read that finds nothing.
		runtime.Gosched()

		var err error
		if first > 0 {
			err = s.WaitForMessage(first)
		} else {
			err = s.Fill()
		}
		if err != nil {
			return nil, err
		}
	}

	var scanner HeadScanner
	for waited := false; ; waited = true {
		n, bad := scanner.ScanHead(s.Buffered(), max)
		if bad != nil {
			return nil, bad
		}
		if n > 0 {
			head := s.buf[s.r : s.r+n]
			s.r += n
			return head, nil
		}

		// One deadline for the whole head: a sender that drips bytes gains nothing.
		if !waited {
			s.setDeadline(time.Now().Add(whole))
		}
		if err := s.Fill(); err != nil {
			return nil, UnexpectedEOF(err)
		}
	}
}

// HeadScanner finds the end of a section of lines that ends with an empty line. Each
// call continues where the last one stopped, so its argument must begin with the
// same bytes. The zero value is ready for use.
type HeadScanner struct {
	seen int // bytes that were searched
	line int // where the current line begins
}

// ScanHead returns the length of the head at the beginning of b, or 0 if b does not
// hold all of it. It refuses a head of more than max bytes, an empty line before the
// head, and a line that ends in LF alone.
func (c *HeadScanner) ScanHead(b []byte, max int) (int, *wire.Malformed) {
	n, bad := c.scan(b, false)
	if bad != nil {
		return 0, bad
	}
	if n > max || n == 0 && len(b) >= max {
		return 0, wire.TooLarge(431, "the head is too large")
	}
	return n, nil
}

// scan returns the length of the section at the beginning of b, or 0 if b does not
// hold all of it. mayBeEmpty says that the section may consist of its empty line.
func (c *HeadScanner) scan(b []byte, mayBeEmpty bool) (int, *wire.Malformed) {
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
			if i == 1 && !mayBeEmpty {
				return 0, wire.Ambiguous("there is an empty line before the request line")
			}
			return i + 1, nil
		}
		c.seen, c.line = i+1, i+1
	}
}

// UnexpectedEOF returns io.ErrUnexpectedEOF for io.EOF and any other error as it is.
func UnexpectedEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
