package audit

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// torn is the tail of a segment that was never acknowledged: a last line
// without its end, or lines with holes of zeros where the disk had not come to
// yet. A line of JSON holds no zero byte, so the two cannot be taken for each
// other.
type torn struct {
	off   int64 // where it begins
	bytes int64 // up to its last byte that is not zero
}

func (t *torn) Error() string {
	return fmt.Sprintf("unfinished: %d bytes at offset %d", t.bytes, t.off)
}

const maxTorn = 2 * maxPending // a torn tail is one group

var errLongLine = fmt.Errorf("line is longer than %d bytes", maxLine)

// lines reads a segment's lines in bounded memory.
type lines struct {
	r   *bufio.Reader
	buf []byte // 0x00 and the line
	off int64  // of the next line
	n   int    // lines read

	whole bool // whole lines alone matter: what follows them is io.EOF, without a look at it
}

func newLines(r io.Reader) *lines {
	return &lines{r: bufio.NewReaderSize(r, 256<<10), buf: make([]byte, 1, 4096)}
}

// wholeLines is newLines for who reads a log that others write, and lets torn
// tails be: segments are filled with zeros far ahead.
func wholeLines(r io.Reader) *lines {
	l := newLines(r)
	l.whole = true
	return l
}

// next returns the next line without newline and with a 0x00 in front, valid
// until the next call; io.EOF at the end or where only zeros follow; *torn.
func (l *lines) next() ([]byte, error) {
	l.buf = l.buf[:1]
	for {
		part, err := l.r.ReadSlice('\n')
		l.buf = append(l.buf, part...)
		if err == nil {
			break
		}
		if errors.Is(err, io.EOF) {
			return nil, l.tail()
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return nil, err
		}
		if len(l.buf) > maxLine+1 {
			if bytes.IndexByte(l.buf[1:], 0) >= 0 {
				return nil, l.tail()
			}
			return nil, errLongLine
		}
	}
	if bytes.IndexByte(l.buf[1:], 0) >= 0 {
		return nil, l.tail()
	}
	l.off += int64(len(l.buf) - 1)
	l.n++
	return l.buf[:len(l.buf)-1], nil
}

// tail says what the rest is, beginning with what is in buf.
func (l *lines) tail() error {
	if l.whole {
		return io.EOF
	}
	last, at := int64(0), int64(0)
	part := l.buf[1:]
	block := make([]byte, 64<<10)
	for {
		if !bytes.Equal(part, zeros[:min(len(part), len(zeros))]) {
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
	if last > maxTorn {
		return fmt.Errorf("%d bytes at offset %d are no records and too many for a torn group", last, l.off)
	}
	return &torn{l.off, last}
}

type segment struct {
	path  string
	first uint64
	size  int64
}

// segments lists the folder's segments in order. Other files are none of its
// business, but a name that only looks like a segment is an error.
func segments(dir string) ([]segment, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var out []segment
	for _, e := range entries {
		digits, ok := strings.CutPrefix(e.Name(), "seg-")
		if !ok {
			continue
		}
		first, err := strconv.ParseUint(strings.TrimSuffix(digits, ".jsonl"), 10, 64)
		if err != nil || segmentName(first) != e.Name() {
			return nil, fmt.Errorf("%s: not a segment's name", e.Name())
		}
		fi, err := e.Info()
		if err != nil {
			return nil, err
		}
		out = append(out, segment{filepath.Join(dir, e.Name()), first, fi.Size()})
	}
	slices.SortFunc(out, func(a, b segment) int { return strings.Compare(a.path, b.path) })
	return out, nil
}

func parseHead(s string) (h hash, err error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(h) {
		return h, errors.New("not a SHA-256 in hex")
	}
	return hash(b), nil
}
