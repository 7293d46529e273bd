package websocket

import (
	"encoding/binary"
	"io"
	"sync"
	"unicode/utf8"

	"github.com/byline-proxy/byline/proxy/wire"
)

// Reader reads the messages of one direction. It is used by one goroutine.
type Reader struct {
	src        io.Reader
	fromClient bool // frames must be masked; otherwise they must not be
	max        int  // bytes of the largest message
	hold       Hold // may be nil

	buf        [2 << 10]byte // small, so that an idle WebSocket holds little memory
	start, end int           // what of buf has been read and not yet used

	kind    wire.MessageKind // of the message whose fragments are coming; 0 between messages
	message *[]byte          // its payload so far; nil if it has none yet
	done    bool             // message was returned, and the next call gives it back
	held    func()           // gives back what hold gave; nil if it was not asked
	control [maxControlPayload]byte
}

// Hold gives room for a message that may come to n bytes.
type Hold func(n int) (release func(), err error)

// NewReader returns a Reader of the frames that src returns. Frames of a client
// must be masked, those of a server must not be. A message of more than max bytes
// is an error. hold is asked for room for messages of more than
// [wire.HeldWithoutAsking] bytes; it may be nil. The caller must call Close.
func NewReader(src io.Reader, fromClient bool, max int, hold Hold) *Reader {
	return &Reader{src: src, fromClient: fromClient, max: max, hold: hold}
}

// Close gives back what the Reader holds. Next must not be called afterwards.
func (r *Reader) Close() { r.release() }

// payloads keeps the memory of messages.
var payloads = sync.Pool{New: func() any { b := make([]byte, 0, 4<<10); return &b }}

// maxKeptPayload is the capacity of the largest payload whose memory is kept.
const maxKeptPayload = 1 << 20

// frame is the head of a frame.
type frame struct {
	final  bool
	opcode byte
	length int
	key    [4]byte
}

// Next returns the next message or control frame. The payload is valid until Next
// is called again. A control frame between the fragments of a message is returned
// before the message. The payload of a close frame is its reason, and
// [wire.Message.Status] has its status.
//
// The error is io.EOF if the stream ends between two messages, io.ErrUnexpectedEOF
// if it ends within one, a [*wire.CloseError] if the stream breaks RFC 6455 or
// a message is too large, and otherwise that of the stream. After an error Next
// must not be called again.
func (r *Reader) Next() (m wire.Message, err error) {
	if r.done {
		r.release()
	}

	for {
		f, err := r.readHead()
		if err != nil {
			return wire.Message{}, err
		}

		if isControl(wire.MessageKind(f.opcode)) {
			return r.readControl(f)
		}
		if err := r.readFragment(f); err != nil {
			return wire.Message{}, err
		}
		if f.final {
			return r.finish()
		}
	}
}

// release forgets the message.
func (r *Reader) release() {
	r.kind, r.done = 0, false
	if r.held != nil {
		r.held()
		r.held = nil
	}
	if r.message == nil {
		return
	}

	if cap(*r.message) <= maxKeptPayload {
		*r.message = (*r.message)[:0]
		payloads.Put(r.message)
	}
	r.message = nil
}

// finish returns the message that is complete.
func (r *Reader) finish() (wire.Message, error) {
	m := wire.Message{Kind: r.kind}
	if r.message != nil {
		m.Payload = *r.message
	}
	r.done = true

	if m.Kind == wire.MessageText && !utf8.Valid(m.Payload) {
		return wire.Message{}, &wire.CloseError{Status: wire.CloseInvalidText, Reason: "a text message is not UTF-8"}
	}
	return m, nil
}

// readHead reads the head of the next frame. The stream may end before it if no
// message is incomplete.
func (r *Reader) readHead() (f frame, err error) {
	if r.start == r.end && r.kind == 0 {
		if err := r.fill(); err != nil {
			return f, err
		}
	}

	var head [maxFrameHead]byte
	if err := r.read(head[:2]); err != nil {
		return f, err
	}
	f.final = head[0]&finBit != 0
	f.opcode = head[0] & opcodeBits
	if err := r.checkHead(head[0], head[1]); err != nil {
		return f, err
	}

	f.length, err = r.readLength(head[1] & lengthBits)
	if err != nil {
		return f, err
	}
	if r.fromClient {
		err = r.read(f.key[:])
	}
	return f, err
}

// checkHead refuses the frames that RFC 6455 does not allow here (sections 5.1 to
// 5.5).
func (r *Reader) checkHead(first, second byte) error {
	opcode := wire.MessageKind(first & opcodeBits)
	switch {
	case first&reservedBits != 0:
		return protocolError("a frame has a bit of an extension, and none was negotiated")
	case r.fromClient && second&maskBit == 0:
		return protocolError("a frame of a client is not masked")
	case !r.fromClient && second&maskBit != 0:
		return protocolError("a frame of a server is masked")
	}

	switch opcode {
	case opcodeContinuation:
		if r.kind == 0 {
			return protocolError("a fragment continues no message")
		}
	case wire.MessageText, wire.MessageBinary:
		if r.kind != 0 {
			return protocolError("a message begins before the last one has ended")
		}
	case wire.MessageClose, wire.MessagePing, wire.MessagePong:
		if first&finBit == 0 || second&lengthBits > maxControlPayload {
			return protocolError("a control frame is in fragments or too long")
		}
	default:
		return protocolError("a frame has an unknown opcode")
	}
	return nil
}

// readLength reads the extended length of a frame, if there is one. A length must
// be written in the shortest way (RFC 6455 section 5.2).
func (r *Reader) readLength(short byte) (int, error) {
	var b [8]byte
	switch short {
	case lengthIsNext2:
		if err := r.read(b[6:]); err != nil {
			return 0, err
		}
	case lengthIsNext8:
		if err := r.read(b[:]); err != nil {
			return 0, err
		}
	default:
		return int(short), nil
	}

	length := binary.BigEndian.Uint64(b[:])
	if short == lengthIsNext2 && length < lengthIsNext2 || short == lengthIsNext8 && length < 1<<16 || length >= 1<<63 {
		return 0, protocolError("a length is not written in the shortest way")
	}

	have := 0
	if r.message != nil {
		have = len(*r.message)
	}
	if length > uint64(r.max-have) {
		return 0, tooLarge()
	}
	return int(length), nil
}

func tooLarge() error {
	return &wire.CloseError{Status: wire.CloseTooLarge, Reason: "the message is larger than wire.max_message"}
}

// readControl reads the payload of a control frame.
func (r *Reader) readControl(f frame) (wire.Message, error) {
	payload := r.control[:f.length]
	if err := r.read(payload); err != nil {
		return wire.Message{}, err
	}
	if r.fromClient {
		mask(payload, f.key, 0)
	}

	m := wire.Message{Kind: wire.MessageKind(f.opcode), Payload: payload}
	var err error
	if m.Kind == wire.MessageClose {
		m.Status, m.Payload, err = parseClose(payload)
	}
	return m, err
}

// readFragment appends the payload of a data frame to the message.
func (r *Reader) readFragment(f frame) error {
	if f.opcode != opcodeContinuation {
		r.kind = wire.MessageKind(f.opcode)
	}
	if f.length == 0 {
		return nil
	}
	if r.message == nil {
		r.message = payloads.Get().(*[]byte)
	}
	if len(*r.message)+f.length > r.max {
		return tooLarge()
	}
	if err := r.askForRoom(f); err != nil {
		return err
	}

	start := len(*r.message)
	for left := f.length; left > 0; {
		n, err := r.readSome(left)
		if err != nil {
			return err
		}
		left -= n
	}
	if r.fromClient {
		mask((*r.message)[start:], f.key, 0)
	}
	return nil
}

// askForRoom asks once for each message that is large: for the length of its only
// frame, or for the most that all fragments may come to. Nobody who has room for a
// part of a message waits for more.
func (r *Reader) askForRoom(f frame) (err error) {
	have := len(*r.message)
	if r.hold == nil || r.held != nil || have+f.length <= wire.HeldWithoutAsking {
		return nil
	}

	n := r.max
	if f.final && have == 0 {
		n = f.length
	}
	r.held, err = r.hold(n)
	return err
}

// readSome appends at least one and at most n bytes to the message. Memory grows
// with the bytes that come, not with the length that a frame announces.
func (r *Reader) readSome(n int) (int, error) {
	if r.start == r.end && n < len(r.buf) {
		if err := r.fill(); err != nil {
			return 0, within(err)
		}
	}
	if r.start < r.end {
		n = min(n, r.end-r.start)
		*r.message = append(*r.message, r.buf[r.start:r.start+n]...)
		r.start += n
		return n, nil
	}

	payload := grow(*r.message, n)
	have := len(payload)
	n, err := r.src.Read(payload[have:min(have+n, cap(payload))])
	*r.message = payload[:have+n]
	if n > 0 {
		return n, nil // an error comes again
	}
	return 0, within(err)
}

// grow returns b with room for at least one of the n bytes that are to come: for all of
// them, or for as many as b has already.
func grow(b []byte, n int) []byte {
	if len(b) < cap(b) {
		return b
	}
	grown := make([]byte, len(b), len(b)+min(n, max(len(b), 32<<10)))
	copy(grown, b)
	return grown
}

// read fills p.
func (r *Reader) read(p []byte) error {
	for len(p) > 0 {
		if r.start == r.end {
			if err := r.fill(); err != nil {
				return within(err)
			}
		}
		n := copy(p, r.buf[r.start:r.end])
		r.start += n
		p = p[n:]
	}
	return nil
}

// fill reads into the empty buffer.
func (r *Reader) fill() error {
	for {
		n, err := r.src.Read(r.buf[:])
		r.start, r.end = 0, n
		if n > 0 {
			return nil // an error comes again
		}
		if err != nil {
			return err
		}
	}
}

// within is the error of a stream within a frame or a message.
func within(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
