package segment

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// MaxLine is the greatest length of a line in bytes, without its newline. It
// bounds the buffers of readers and fits the 16-bit length of an entry in C2SP
// tlog-tiles.
const MaxLine = 1<<16 - 1

// MaxTornTail is the greatest length of a torn tail in bytes. A writer has at
// most one group of lines under way, which is shorter.
const MaxTornTail = 32 << 20

// ErrLongLine is returned for a line that is longer than MaxLine.
var ErrLongLine = fmt.Errorf("line is longer than %d bytes", MaxLine)

// TornTail is the error for the end of a segment that was never acknowledged: a
// last line without its newline, or lines with zeros where the disk had not
// written yet. Lines hold JSON, which has no zero bytes, so a torn tail cannot
// be mistaken for lines.
type TornTail struct {
	Offset int64 // where the tail begins in the segment
	Bytes  int64 // length up to the last byte that is not zero
}

// Error says where the tail begins and how long it is.
func (t *TornTail) Error() string {
	return fmt.Sprintf("unfinished: %d bytes at offset %d", t.Bytes, t.Offset)
}

// Reader reads the lines of a segment in bounded memory.
type Reader struct {
	Offset int64 // of the next line
	Lines  int   // lines read so far

	in         *bufio.Reader
	buf        []byte // 0x00 and the current line
	ignoreTail bool   // what follows the last whole line is io.EOF, unread
}

// NewReader returns a reader that examines what follows the last whole line, for
// readers that verify or repair a segment.
func NewReader(in io.Reader) *Reader {
	return &Reader{in: bufio.NewReaderSize(in, 256<<10), buf: make([]byte, 1, 4096)}
}

// NewLiveReader returns a reader that reports io.EOF after the last whole line
// and does not read what follows, for readers of a segment that a writer may
// still fill.
func NewLiveReader(in io.Reader) *Reader {
	r := NewReader(in)
	r.ignoreTail = true

	return r
}

// Next returns the next line with 0x00 in front of it and without its newline.
// The slice is valid until the next call.
//
// The error is io.EOF at the end, or where only zeros follow, a *TornTail, or
// ErrLongLine.
func (r *Reader) Next() ([]byte, error) {
	r.buf = r.buf[:1]

	for {
		part, err := r.in.ReadSlice('\n')
		r.buf = append(r.buf, part...)
		if err == nil {
			break
		}

		if errors.Is(err, io.EOF) {
			return nil, r.ScanTail()
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return nil, err
		}
		if len(r.buf) > MaxLine+1 {
			if bytes.IndexByte(r.buf[1:], 0) >= 0 {
				return nil, r.ScanTail()
			}
			return nil, ErrLongLine
		}
	}

	if bytes.IndexByte(r.buf[1:], 0) >= 0 {
		return nil, r.ScanTail()
	}

	r.Offset += int64(len(r.buf) - 1)
	r.Lines++

	return r.buf[:len(r.buf)-1], nil
}

// ScanTail reads the rest of the segment, beginning with the bytes that Next has
// buffered. It returns io.EOF if the rest holds only zeros, else a *TornTail.
func (r *Reader) ScanTail() error {
	if r.ignoreTail {
		return io.EOF
	}

	var length, last int64 // of the tail, and up to its last byte that is not zero
	part := r.buf[1:]
	block := make([]byte, 64<<10)
	for {
		if !isZero(part) {
			last = length + int64(len(bytes.TrimRight(part, "\x00")))
		}
		length += int64(len(part))

		n, err := r.in.Read(block)
		part = block[:n]
		if n == 0 && errors.Is(err, io.EOF) {
			break
		}
		if n == 0 && err != nil {
			return err
		}
	}

	switch {
	case last == 0:
		return io.EOF
	case last > MaxTornTail:
		return fmt.Errorf("%d bytes at offset %d are not records and too many for a torn group", last, r.Offset)
	}

	return &TornTail{r.Offset, last}
}

var zeros [64 << 10]byte

// isZero reports whether b holds only zero bytes.
func isZero(b []byte) bool {
	for len(b) > len(zeros) {
		if !bytes.Equal(b[:len(zeros)], zeros[:]) {
			return false
		}
		b = b[len(zeros):]
	}

	return bytes.Equal(b, zeros[:len(b)])
}
