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

const (
	// maxReusedBytes and maxReusedFields limit the memory that an idle connection
	// keeps for its next header block.
	maxReusedBytes  = h1.ReaderSize
	maxReusedFields = 64
)

// headerBlock is the header block that is being read.
type headerBlock struct {
	cfg     *wire.Config
	decoder *hpack.Decoder
	fields  []hpack.HeaderField
	size    int             // of fields, in bytes of HTTP/1.1
	tooMuch *wire.Malformed // the block exceeds a limit; fields is incomplete
}

// reset prepares for the next block.
func (b *headerBlock) reset() {
	b.fields, b.size = b.fields[:0], 0
	b.tooMuch = nil
	b.decoder.SetEmitEnabled(true)
}

// release drops the values of the fields, and the memory of a large block.
func (b *headerBlock) release() {
	clear(b.fields)
	if cap(b.fields) > maxReusedFields {
		b.fields = nil
	}
}

// addField is called by the decoder. When a limit is exceeded it drops the field and
// all later ones. The decoder continues to read the block, so that its table stays
// equal to the agent's.
func (b *headerBlock) addField(f hpack.HeaderField) {
	b.size += len(f.Name) + len(": ") + len(f.Value) + len("\r\n")
	switch {
	case b.size > b.cfg.MaxHeadBytes:
		b.tooMuch = wire.TooLarge(431, "the head is too large")
	case len(b.fields) >= b.cfg.MaxFields+maxPseudoFields:
		b.tooMuch = wire.TooLarge(431, "there are too many fields")
	default:
		b.fields = append(b.fields, f)
		return
	}
	b.decoder.SetEmitEnabled(false)
}

var (
	errNotContinued  = errors.New("wire: a header block is not continued")
	errPadding       = errors.New("wire: a frame has more padding than payload")
	errBlockTooLarge = errors.New("wire: a header block is too large")
	errBlockEncoding = errors.New("wire: a header block cannot be decoded")
)

// readHeaderBlock reads a header block to its end: f and the CONTINUATION frames
// after it. The library gets a substitute for it.
func (c *h2Conn) readHeaderBlock(f frameHead) error {
	c.block.reset()
	defer c.block.release()
	c.extendDeadline()

	priority, err := c.decodeHeaderBlock(f)
	switch {
	case err == nil:
		c.passHeaderBlock(f, priority)
	case netconn.IsTimeout(err):
		c.refuseLastHead(f, wire.TooSlow("the head did not arrive in time"))
	case err == errBlockTooLarge:
		c.refuseLastHead(f, wire.TooLarge(431, "the head is too large"))
	case err == errBlockEncoding:
		c.passSubstitute(appendUndecodableBlock(c.substitute[:0], f.stream))
	case err == errNotContinued || err == errPadding:
		c.passSubstitute(appendInvalidFrame(c.substitute[:0]))
	default:
		return err
	}
	return nil
}

// decodeHeaderBlock decodes the block into c.block. It returns the priority bytes of
// f, nil if it has none.
func (c *h2Conn) decodeHeaderBlock(f frameHead) (priority []byte, err error) {
	stream, size := f.stream, 0
	for {
		fragment, err := c.readFragment(f.length)
		if err != nil {
			return nil, err
		}
		if f.kind == http2.FrameHeaders {
			if fragment, priority, err = removePadding(fragment, f.flags); err != nil {
				return nil, err
			}
		}
		if size += len(fragment); size > headSlack*c.cfg.MaxHeadBytes {
			return nil, errBlockTooLarge
		}

		if _, err := c.block.decoder.Write(fragment); errors.Is(err, hpack.ErrStringLength) {
			return nil, errBlockTooLarge
		} else if err != nil {
			return nil, errBlockEncoding
		}
		if f.endsHeaders() {
			if c.block.decoder.Close() != nil {
				return nil, errBlockEncoding
			}
			return priority, nil
		}

		if _, err := io.ReadFull(c.Conn, c.head[:]); err != nil {
			return nil, err
		}
		f = parseFrameHead(c.head[:])
		if f.kind != http2.FrameContinuation || f.stream != stream || f.length > maxFrame {
			return nil, errNotContinued
		}
	}
}

// readFragment reads a payload of n bytes. The result is valid until the next call.
func (c *h2Conn) readFragment(n int) ([]byte, error) {
	if cap(c.payload) < n {
		c.payload = make([]byte, n)
	}
	b := c.payload[:n]
	if n > maxReusedBytes {
		c.payload = nil
	}
	_, err := io.ReadFull(c.Conn, b)
	return b, err
}

// removePadding returns what is in the payload of HEADERS besides padding: the bytes
// of the priority, if any, and the fragment of the block (RFC 9113 section 6.2).
func removePadding(payload []byte, flags http2.Flags) (fragment, priority []byte, err error) {
	padding := 0
	if flags.Has(http2.FlagHeadersPadded) {
		if len(payload) < 1 {
			return nil, nil, errPadding
		}
		padding, payload = int(payload[0]), payload[1:]
	}
	if flags.Has(http2.FlagHeadersPriority) {
		if len(payload) < prioritySize {
			return nil, nil, errPadding
		}
		priority = append([]byte(nil), payload[:prioritySize]...)
		payload = payload[prioritySize:]
	}
	if padding > len(payload) {
		return nil, nil, errPadding
	}
	return payload[:len(payload)-padding], priority, nil
}

// prioritySize is the length of stream dependency and weight.
const prioritySize = 5

// passHeaderBlock gives the library the substitute for the block in c.block. f is its
// first frame.
func (c *h2Conn) passHeaderBlock(f frameHead, priority []byte) {
	if f.stream <= c.lastStream { // a trailer section, or a block on a closed stream
		c.passSubstitute(appendH2Trailers(c.substitute[:0], f, &c.block))
		return
	}

	open := !f.flags.Has(http2.FlagHeadersEndStream)
	head := &h2Head{open: open, malformed: c.block.tooMuch}
	if head.malformed == nil {
		head = newH2Head(c.block.fields, open)
	}
	head.stream = f.stream
	if head.malformed == nil && len(head.Fields) > c.cfg.MaxFields {
		head.malformed = wire.TooLarge(431, "there are too many fields")
	}
	c.passHead(f, head, priority)
}

// Field representations of HPACK.
const (
	indexInvalid     = 0x80 // index 0, which no decoder accepts (RFC 7541 section 6.1)
	indexMethodGet   = 0x82 // RFC 7541 appendix A
	indexSchemeHTTPS = 0x87
	literalNotStored = 0x00 // RFC 7541 section 6.2.2
	literalMaxPrefix = 127  // from this length on, more bytes follow (RFC 7541 section 5.1)
)

// maxPriorityValue is the length from which on a value of Priority is dropped.
const maxPriorityValue = 64

// appendSubstitute appends the block that the library reads instead of the one with
// head. It has just what the library needs in order to serve the stream. Its path is
// the number of the stream, by which takeHead finds head.
func appendSubstitute(b []byte, f frameHead, head *h2Head, priority []byte) []byte {
	var space [64]byte
	block := space[:0]
	if head.Method == http.MethodHead {
		block = appendLiteral(block, ":method", http.MethodHead)
	} else {
		block = append(block, indexMethodGet)
	}
	block = append(block, indexSchemeHTTPS)
	block = appendLiteral(block, ":path", "/"+strconv.FormatUint(uint64(f.stream), 10))
	if head.ExpectContinue {
		block = appendLiteral(block, "expect", "100-continue")
	}
	if head.AnnouncedTrailers != "" {
		block = appendLiteral(block, "trailer", head.AnnouncedTrailers)
	}
	if head.priority != "" && len(head.priority) < maxPriorityValue {
		block = appendLiteral(block, "priority", head.priority)
	}
	return appendHeaderFrames(b, f, block, priority)
}

// appendH2Trailers appends the trailer section that the library reads instead of the
// one in block. For a malformed one it has a pseudo-header field, for which the
// library resets the stream.
func appendH2Trailers(b []byte, f frameHead, block *headerBlock) []byte {
	if block.tooMuch != nil || checkH2Trailers(block.fields) != nil {
		return appendHeaderFrames(b, f, []byte{indexMethodGet}, nil)
	}

	var encoded []byte
	for i := range block.fields {
		encoded = appendLiteral(encoded, block.fields[i].Name, block.fields[i].Value)
	}
	return appendHeaderFrames(b, f, encoded, nil)
}

// appendUndecodableBlock appends a header block for which the library ends the
// connection with COMPRESSION_ERROR.
func appendUndecodableBlock(b []byte, stream uint32) []byte {
	f := frameHead{length: 1, kind: http2.FrameHeaders, flags: http2.FlagHeadersEndHeaders, stream: stream}
	return append(appendFrameHead(b, f), indexInvalid)
}

// appendInvalidFrame appends a frame for which the library ends the connection with
// PROTOCOL_ERROR: a CONTINUATION that continues nothing.
func appendInvalidFrame(b []byte) []byte {
	return appendFrameHead(b, frameHead{kind: http2.FrameContinuation, flags: http2.FlagContinuationEndHeaders, stream: 1})
}

// appendLiteral appends a field that leaves the decoder's table unchanged.
func appendLiteral(b []byte, name, value string) []byte {
	b = append(b, literalNotStored)
	return appendString(appendString(b, name), value)
}

// appendString appends a string without Huffman encoding (RFC 7541 section 5.2).
func appendString(b []byte, s string) []byte {
	if n := len(s); n < literalMaxPrefix {
		b = append(b, byte(n))
	} else {
		b = append(b, literalMaxPrefix)
		for n -= literalMaxPrefix; n >= 128; n >>= 7 {
			b = append(b, byte(n)|128)
		}
		b = append(b, byte(n))
	}
	return append(b, s...)
}

// appendHeaderFrames appends a header block in as many frames as it needs. f is the
// frame that it replaces.
func appendHeaderFrames(b []byte, f frameHead, block, priority []byte) []byte {
	next := frameHead{kind: http2.FrameHeaders, flags: f.flags & http2.FlagHeadersEndStream, stream: f.stream}
	if priority != nil {
		next.flags |= http2.FlagHeadersPriority
	}

	for {
		fragment := block[:min(len(block), maxFrame-len(priority))]
		block = block[len(fragment):]
		if len(block) == 0 {
			next.flags |= http2.FlagHeadersEndHeaders
		}
		next.length = len(priority) + len(fragment)
		b = appendFrameHead(b, next)
		b = append(b, priority...)
		b = append(b, fragment...)
		if len(block) == 0 {
			return b
		}

		next.kind, next.flags = http2.FrameContinuation, 0
		priority = nil
	}
}
