package websocket

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"io"
	"sync"
	"unicode/utf8"

	"github.com/byline-proxy/byline/proxy/wire"
	"github.com/byline-proxy/byline/proxy/wire/internal/buffers"
)

// ErrClosed is the error of a write after a close frame, or after End.
var ErrClosed = errors.New("websocket: the direction has ended")

// Writer writes the messages of one direction. It is safe for concurrent use:
// messages are not mixed.
type Writer struct {
	dst      io.Writer
	asClient bool // frames are masked

	mu     sync.Mutex
	closed bool
	sent   int64 // bytes, frames included
}

// NewWriter returns a Writer to dst. Frames of a client are masked.
func NewWriter(dst io.Writer, asClient bool) *Writer { return &Writer{dst: dst, asClient: asClient} }

// Write writes a message as one frame. The payload is not changed and not kept.
// After a close frame nothing else is written, and the error is [ErrClosed].
func (w *Writer) Write(m wire.Message) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return ErrClosed
	}

	payload := m.Payload
	if m.Kind == wire.MessageClose {
		w.closed = true
		payload = closePayload(m.Status, payload)
	}
	return w.writeFrame(m.Kind, payload)
}

// End ends the direction by calling closeWrite. Nothing is written afterwards.
func (w *Writer) End(closeWrite func() error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	return closeWrite()
}

// Sent returns the number of bytes that were written, with the heads of frames.
func (w *Writer) Sent() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.sent
}

// closePayload is the payload of a close frame. A reason that is too long is cut
// between two characters.
func closePayload(status int, reason []byte) []byte {
	if status == 0 {
		return nil
	}
	if most := maxControlPayload - 2; len(reason) > most {
		reason = reason[:most]
		for len(reason) > 0 && !utf8.Valid(reason) {
			reason = reason[:len(reason)-1]
		}
	}
	return append(binary.BigEndian.AppendUint16(nil, uint16(status)), reason...)
}

// writeFrame writes one frame: in one write if it is short, otherwise in pieces of
// the size of a buffer.
func (w *Writer) writeFrame(kind wire.MessageKind, payload []byte) error {
	buf := buffers.GetBuffer()
	defer buffers.PutBuffer(buf)

	var key [4]byte
	var b []byte
	if w.asClient {
		_, _ = rand.Read(key[:]) // never fails
		b = appendHead(buf[:0], kind, len(payload), key[:])
	} else {
		b = appendHead(buf[:0], kind, len(payload), nil)
	}

	at := 0
	for {
		n := min(len(payload)-at, cap(b)-len(b))
		head := len(b)
		b = append(b, payload[at:at+n]...)
		if w.asClient {
			mask(b[head:], key, at)
		}
		at += n

		written, err := w.dst.Write(b)
		w.sent += int64(written)
		if err != nil || at == len(payload) {
			return err
		}
		b = buf[:0]
	}
}
