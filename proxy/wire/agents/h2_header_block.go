package agents

import (
	"errors"
	"io"
	"net/http"
	"strconv"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/byline-proxy/byline/proxy/wire"
	"github.com/byline-proxy/byline/proxy/wire/internal/h1"
	"github.com/byline-proxy/byline/proxy/wire/internal/netconn"
)

// field is called by HPACK's decoder. Beyond the bounds fields are dropped, and
// the decoder's table still follows the agent's.
func (c *h2Conn) field(f hpack.HeaderField) {
	c.size += len(f.Name) + len(f.Value) + len(": \r\n")
	switch {
	case c.size > c.cfg.MaxHeadBytes:
		c.plenty = wire.TooLarge(431, "the head is too large")
	case len(c.fields) >= c.cfg.MaxFields+pseudos:
		c.plenty = wire.TooLarge(431, "there are too many fields")
	default:
		c.fields = append(c.fields, f)
		return
	}
	c.dec.SetEmitEnabled(false)
}

var (
	errOrder   = errors.New("wire: a header block is not continued")
	errPadding = errors.New("wire: more padding than frame")
	errTooMuch = errors.New("wire: a header block is too large")
	errPacked  = errors.New("wire: a header block cannot be decoded")
)

// block reads a header block to its end: HEADERS and what continues it.
func (c *h2Conn) block(h h2Frame) error {
	c.fields, c.size, c.plenty = c.fields[:0], 0, nil
	c.dec.SetEmitEnabled(true)
	c.arm()
	priority, err := c.fragments(h)
	if cap(c.fields) > 64 {
		defer func() { c.fields = nil }()
	}
	defer clear(c.fields)
	switch {
	case err == nil:
		c.opened(h, priority)
	case netconn.IsTimeout(err):
		c.lastWords(h, wire.TooSlow("the head did not arrive in time"))
	case err == errTooMuch:
		c.lastWords(h, wire.TooLarge(431, "the head is too large"))
	case err == errPacked: // the library cannot decode index 0 either (RFC 7541 section 6.1)
		c.give(append(appendFrameHead(c.standIn[:0], h2Frame{1, http2.FrameHeaders, http2.FlagHeadersEndHeaders, h.stream}), 0x80))
	case err == errOrder || err == errPadding:
		c.give(fault(c.standIn[:0]))
	default:
		return err
	}
	return nil
}

// give is what the library reads next. A large buffer is not kept.
func (c *h2Conn) give(b []byte) {
	if c.out, c.standIn = b, b; cap(b) > h1.ReaderSize {
		c.standIn = nil
	}
}

// fault is a frame for which the library ends the connection with PROTOCOL_ERROR:
// it continues nothing.
func fault(b []byte) []byte {
	return appendFrameHead(b, h2Frame{0, http2.FrameContinuation, http2.FlagContinuationEndHeaders, 1})
}

// fragments decodes the block and gives the bytes of HEADERS's priority, if any.
func (c *h2Conn) fragments(h h2Frame) (priority []byte, err error) {
	all := 0
	for f := h; ; {
		payload, err := c.payload(f.length)
		if err != nil {
			return nil, err
		}
		if f.kind == http2.FrameHeaders {
			if payload, priority, err = unpadded(payload, f.flags); err != nil {
				return nil, err
			}
		}
		if all += len(payload); all > headSlack*c.cfg.MaxHeadBytes {
			return nil, errTooMuch
		}
		if _, err := c.dec.Write(payload); errors.Is(err, hpack.ErrStringLength) {
			return nil, errTooMuch
		} else if err != nil {
			return nil, errPacked
		}
		if f.flags.Has(http2.FlagHeadersEndHeaders) { // CONTINUATION has it at the same place
			if c.dec.Close() != nil {
				return nil, errPacked
			}
			return priority, nil
		}
		if _, err := io.ReadFull(c.Conn, c.first[:]); err != nil {
			return nil, err
		}
		if f = headOfFrame(c.first[:]); f.kind != http2.FrameContinuation || f.stream != h.stream || f.length > maxFrame {
			return nil, errOrder
		}
	}
}

func (c *h2Conn) payload(n int) ([]byte, error) {
	if cap(c.room) < n {
		c.room = make([]byte, n)
	}
	b := c.room[:n]
	if n > h1.ReaderSize {
		c.room = nil // not for an idle connection
	}
	_, err := io.ReadFull(c.Conn, b)
	return b, err
}

// unpadded takes padding and priority off (RFC 9113 section 6.2).
func unpadded(b []byte, flags http2.Flags) (rest []byte, priority []byte, err error) {
	pad := 0
	if flags.Has(http2.FlagHeadersPadded) {
		if len(b) < 1 {
			return nil, nil, errPadding
		}
		pad, b = int(b[0]), b[1:]
	}
	if flags.Has(http2.FlagHeadersPriority) {
		if len(b) < 5 {
			return nil, nil, errPadding
		}
		priority, b = append([]byte(nil), b[:5]...), b[5:]
	}
	if pad > len(b) {
		return nil, nil, errPadding
	}
	return b[:len(b)-pad], priority, nil
}

// appendStandIn writes what the library gets for a head that we have read: enough
// to serve the stream, and where the head lies.
func appendStandIn(b []byte, h h2Frame, head *h2Head, priority []byte) []byte {
	var block [64]byte
	p := block[:0]
	if head.Method == http.MethodHead {
		p = appendLiteral(p, ":method", http.MethodHead)
	} else {
		p = append(p, 0x82) // GET, by the static table (RFC 7541 appendix A)
	}
	p = append(p, 0x87) // https
	p = appendLiteral(p, ":path", "/"+strconv.FormatUint(uint64(h.stream), 10))
	if head.ExpectContinue {
		p = appendLiteral(p, "expect", "100-continue")
	}
	if head.AnnouncedTrailers != "" {
		p = appendLiteral(p, "trailer", head.AnnouncedTrailers)
	}
	if head.priority != "" && len(head.priority) < 64 {
		p = appendLiteral(p, "priority", head.priority)
	}
	return appendBlock(b, h, p, priority)
}

// appendTrailers2 writes a block behind a body. One that is malformed gets a
// pseudo-header field, for which the library resets the stream.
func appendTrailers2(b []byte, h h2Frame, fields []hpack.HeaderField, plenty *wire.Malformed) []byte {
	if plenty != nil || trailers2(fields) != nil {
		return appendBlock(b, h, []byte{0x82}, nil)
	}
	var p []byte
	for i := range fields {
		p = appendLiteral(p, fields[i].Name, fields[i].Value)
	}
	return appendBlock(b, h, p, nil)
}

// appendLiteral writes a field that leaves the decoder's table as it is (RFC 7541
// section 6.2.2).
func appendLiteral(b []byte, name, value string) []byte {
	b = append(b, 0)
	return appendString(appendString(b, name), value)
}

// appendString is RFC 7541 section 5.2, without Huffman's code.
func appendString(b []byte, s string) []byte {
	if n := len(s); n < 127 {
		b = append(b, byte(n))
	} else {
		b = append(b, 127)
		for n -= 127; n >= 128; n >>= 7 {
			b = append(b, byte(n)|128)
		}
		b = append(b, byte(n))
	}
	return append(b, s...)
}

// appendBlock frames a header block as h was, in as many frames as it takes.
func appendBlock(b []byte, h h2Frame, block, priority []byte) []byte {
	f := h2Frame{kind: http2.FrameHeaders, flags: h.flags & http2.FlagHeadersEndStream, stream: h.stream}
	if priority != nil {
		f.flags |= http2.FlagHeadersPriority
	}
	for {
		part := block[:min(len(block), maxFrame-len(priority))]
		block = block[len(part):]
		if len(block) == 0 {
			f.flags |= http2.FlagHeadersEndHeaders
		}
		f.length = len(part) + len(priority)
		b = append(append(appendFrameHead(b, f), priority...), part...)
		if len(block) == 0 {
			return b
		}
		f.kind, f.flags, priority = http2.FrameContinuation, 0, nil
	}
}
