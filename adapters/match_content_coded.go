package adapters

import (
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"io"
	"strings"

	"github.com/byline-proxy/byline/adapters/internal/body"
)

// contentCodings are the codings of a body, without those that leave its bytes as they are: identity, and the chunks with
// signatures in which S3 clients send.
func contentCodings(fields []Field) (codings []string) {
	for i := range fields {
		if !strings.EqualFold(fields[i].Name, "Content-Encoding") {
			continue
		}
		for coding := range strings.SplitSeq(fields[i].Value, ",") {
			coding = strings.ToLower(strings.TrimSpace(coding))
			if coding != "" && coding != "identity" && coding != "aws-chunked" {
				codings = append(codings, coding)
			}
		}
	}
	return codings
}

func isJudgedCoding(coding string) bool {
	return coding == "gzip" || coding == "x-gzip" || coding == "deflate"
}

// Bounds of what a coded body may become.
const (
	maxDecodedFree  = 16 << 20 // whatever the length of the body
	maxDecodedRatio = 64       // times its length
)

var errBomb = &body.Error{Kind: body.TooLarge, Text: "the body becomes far longer when its content coding is undone: send it without Content-Encoding"}

// codedReader gives out a coded body once what it decodes to was judged. It reads no byte of the body before the decoder
// asks for it.
type codedReader struct {
	raw     codedSource
	inner   textReader
	coding  string
	decoder io.Reader // nil before the first Read
	isOver  bool      // no more is decoded: at the end, or after what is not of the coding
	pending []byte    // decoded and judged, to be given out
	given   int       // of pending
	buffer  []byte
	ahead   []byte // of buffer, judged as it came and not decoded yet
	text    []byte
	err     error

	rawBytes, textBytes int64
}

// codedSource gives out a coded body.
type codedSource interface {
	io.Reader
	lastError() error // of the body; nil before its end
}

// textReader looks at the text to which a coded body decodes.
type textReader interface {
	check(piece []byte, isEnd bool) error // an error ends the body
	pending() int                         // how much of what was checked may be the beginning of what is looked for
	refuse(why *body.Error) error
}

func newCodedReader(raw codedSource, inner textReader, coding string) *codedReader {
	return &codedReader{raw: raw, inner: inner, coding: coding}
}

// Read implements io.Reader.
func (c *codedReader) Read(p []byte) (int, error) {
	if c.given == len(c.pending) {
		c.pending, c.given = c.pending[:0], 0
	}
	for c.given == 0 && c.isInDoubt() && !c.isOver && c.err == nil {
		c.decode()
		if c.isOver {
			c.pending = append(c.pending, c.ahead...)
			c.ahead = nil
		}
	}
	switch {
	case c.err != nil:
		return 0, c.err
	case c.given < len(c.pending):
		n := copy(p, c.pending[c.given:])
		c.given += n
		return n, nil
	}
	return c.raw.Read(p)
}

// isInDoubt reports whether more has to be decoded before pending can be given out.
func (c *codedReader) isInDoubt() bool {
	return len(c.pending) == 0 || len(c.pending) < maxCodedHeld && c.inner.pending() > 0
}

// maxCodedHeld bounds what is held of a coded body until a value in it has ended.
const maxCodedHeld = 256 << 10

// decode decodes and judges the next piece of text.
func (c *codedReader) decode() {
	if c.decoder == nil {
		decoder, err := c.open()
		if err != nil {
			c.isOver = true // an application fails as well
			c.noteFault()
			return
		}
		c.decoder, c.text = decoder, make([]byte, 16<<10)
	}

	n, err := c.decoder.Read(c.text)
	c.textBytes += int64(n)
	if c.textBytes > maxDecodedFree && c.textBytes > c.rawBytes*maxDecodedRatio {
		c.err = c.inner.refuse(errBomb)
		return
	}
	if c.err = c.inner.check(c.text[:n], err != nil); c.err != nil {
		return
	}
	c.isOver = err != nil
	if c.isOver {
		c.noteFault()
	}
}

// noteFault keeps an error of the body other than its end.
func (c *codedReader) noteFault() {
	if err := c.raw.lastError(); err != io.EOF {
		c.err = err
	}
}

// open opens the decoder. What is called deflate is zlib as in RFC 9110 section 8.4.1.2, or the bare stream that some
// clients send.
func (c *codedReader) open() (io.Reader, error) {
	src := (*byteSource)(c)
	if c.coding != "deflate" {
		return gzip.NewReader(src)
	}
	first := make([]byte, 2)
	if _, err := io.ReadFull(src, first); err != nil {
		return nil, err
	}
	again := &startedSource{first: first, src: src}
	if first[0]&0x0f == 8 && (uint(first[0])<<8|uint(first[1]))%31 == 0 {
		return zlib.NewReader(again)
	}
	return flate.NewReader(again), nil
}

// byteSource is what a decoder reads: byte by byte, so that it takes none before it needs it.
type byteSource codedReader

// Read implements io.Reader.
func (s *byteSource) Read(p []byte) (int, error) {
	if len(s.ahead) == 0 {
		if s.buffer == nil {
			s.buffer = make([]byte, 4<<10)
		}
		n, err := s.raw.Read(s.buffer)
		s.ahead = s.buffer[:n]
		if n == 0 {
			return 0, err
		}
	}
	n := copy(p, s.ahead)
	s.take(n)
	return n, nil
}

// ReadByte implements io.ByteReader.
func (s *byteSource) ReadByte() (byte, error) {
	if len(s.ahead) == 0 {
		var one [1]byte
		_, err := io.ReadFull(s, one[:])
		return one[0], err
	}
	c := s.ahead[0]
	s.take(1)
	return c, nil
}

// take counts bytes that the decoder has.
func (s *byteSource) take(n int) {
	s.pending = append(s.pending, s.ahead[:n]...)
	s.ahead = s.ahead[n:]
	s.rawBytes += int64(n)
}

// startedSource is a byteSource of which the first bytes were read.
type startedSource struct {
	first []byte
	src   *byteSource
}

var _ flate.Reader = (*startedSource)(nil)

// Read implements io.Reader.
func (s *startedSource) Read(p []byte) (int, error) {
	if len(s.first) == 0 {
		return s.src.Read(p)
	}
	n := copy(p, s.first)
	s.first = s.first[n:]
	return n, nil
}

// ReadByte implements io.ByteReader.
func (s *startedSource) ReadByte() (byte, error) {
	if len(s.first) == 0 {
		return s.src.ReadByte()
	}
	c := s.first[0]
	s.first = s.first[1:]
	return c, nil
}
