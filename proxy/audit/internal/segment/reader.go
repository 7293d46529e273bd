package segment

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
)

// MaxLine bounds a line, so that readers need a bounded buffer and a C2SP
// tlog-tiles entry, whose length has 16 bits, can hold it.
const MaxLine = 1<<16 - 1

// TornTail is the tail of a segment that was never acknowledged: a last line
// without its end, or lines with holes of zeros where the disk had not come to
// yet. A line of JSON holds no zero byte, so the two cannot be taken for each
// other.
type TornTail struct {
	Offset int64 // where it begins
	Bytes  int64 // up to its last byte that is not zero
}

func (t *TornTail) Error() string {
	return fmt.Sprintf("unfinished: %d bytes at offset %d", t.Bytes, t.Offset)
}

// MaxTorn bounds a torn tail, in bytes: it is one group.
const MaxTorn = 32 << 20

var ErrLongLine = fmt.Errorf("line is longer than %d bytes", MaxLine)

// Reader reads a segment's lines in bounded memory.
type Reader struct {
	r      *bufio.Reader
	buf    []byte // 0x00 and the line
	Offset int64  // of the next line
	Lines  int    // lines read

	whole bool // whole lines alone matter: what follows them is io.EOF, without a look at it
}

func NewReader(r io.Reader) *Reader {
	return &Reader{r: bufio.NewReaderSize(r, 256<<10), buf: make([]byte, 1, 4096)}
}

// NewLiveReader is NewReader for who reads a log that others write, and lets torn
// tails be: segments are filled with zeros far ahead.
func NewLiveReader(r io.Reader) *Reader {
	l := NewReader(r)
	l.whole = true
	return l
}

// next returns the next line without newline and with a 0x00 in front, valid
// until the next call; io.EOF at the end or where only zeros follow; *Torn.
func (l *Reader) Next() ([]byte, error) {
	l.buf = l.buf[:1]
	for {
		part, err := l.r.ReadSlice('\n')
		l.buf = append(l.buf, part...)
		if err == nil {
			break
		}
		if errors.Is(err, io.EOF) {
			return nil, l.ScanTail()
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return nil, err
		}
		if len(l.buf) > MaxLine+1 {
			if bytes.IndexByte(l.buf[1:], 0) >= 0 {
				return nil, l.ScanTail()
			}
			return nil, ErrLongLine
		}
	}
	if bytes.IndexByte(l.buf[1:], 0) >= 0 {
		return nil, l.ScanTail()
	}
	l.Offset += int64(len(l.buf) - 1)
	l.Lines++
	return l.buf[:len(l.buf)-1], nil
}

// tail says what the rest is, beginning with what is in buf.
func (l *Reader) ScanTail() error {
	if l.whole {
		return io.EOF
	}
	last, at := int64(0), int64(0)
	part := l.buf[1:]
	block := make([]byte, 64<<10)
	for {
		if !allZero(part) {
			if n := len(bytes.TrimRight(part, "\x00")); n > 0 {
				last = at + int64(n)
			}
		}
		at += int64(len(part))
		n, err := l.r.Read(block)
		part = block[:n]
		if n == 0 && errors.Is(err, io.EOF) {
			break
		}
		if n == 0 && err != nil {
			return err
		}
	}
	if last == 0 {
		return io.EOF
	}
	if last > MaxTorn {
		return fmt.Errorf("%d bytes at offset %d are no records and too many for a torn group", last, l.Offset)
	}
	return &TornTail{l.Offset, last}
}

var zeros [64 << 10]byte

func allZero(b []byte) bool {
	for len(b) > len(zeros) {
		if !bytes.Equal(b[:len(zeros)], zeros[:]) {
			return false
		}
		b = b[len(zeros):]
	}
	return bytes.Equal(b, zeros[:len(b)])
}

// CountLines counts the whole lines of the segment at path.
func CountLines(path string) (int, error) {
	n := 0
	err := EachLine(path, func([]byte) error { n++; return nil })
	return n, err
}

// ErrStop is what do returns to [EachLine] to end it; EachLine returns it.
var ErrStop = errors.New("enough")

// EachLine calls do with each whole line of the segment at path.
func EachLine(path string, do func(line []byte) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	in := NewLiveReader(f)
	for {
		line, err := in.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if err := do(line[1:]); err != nil {
			return fmt.Errorf("%s line %d: %w", path, in.Lines, err)
		}
	}
}
