// Package websocket reads and writes the messages of a WebSocket (RFC 6455).
//
// A [Reader] joins the fragments of a message and accepts only frames that
// every reader of RFC 6455 takes for the same message. A [Writer] writes each
// message as one frame. Extensions are not supported: a frame with one of their
// bits is a protocol error.
package websocket

import (
	"encoding/binary"
	"unicode/utf8"

	"github.com/byline-proxy/byline/proxy/wire"
)

// Bits of the first two bytes of a frame (RFC 6455 section 5.2).
const (
	finBit        = 0x80 // in the first byte: the last frame of a message
	reservedBits  = 0x70 // in the first byte: used by extensions
	opcodeBits    = 0x0f // in the first byte
	maskBit       = 0x80 // in the second byte: a masking key follows
	lengthBits    = 0x7f // in the second byte
	lengthIsNext2 = 126
	lengthIsNext8 = 127
)

// opcodeContinuation is the opcode of a fragment that is not the first. The other
// opcodes are the values of [wire.MessageKind].
const opcodeContinuation = 0

// maxFrameHead is the length of the longest head: 2 bytes, an extended length of 8,
// and a masking key of 4.
const maxFrameHead = 14

// maxControlPayload is the length of the longest payload of a control frame (RFC
// 6455 section 5.5).
const maxControlPayload = 125

// isControl reports whether a message of that kind is a control frame.
func isControl(kind wire.MessageKind) bool { return kind >= wire.MessageClose }

// appendHead appends the head of a frame that is a whole message. key is nil in
// frames of a server.
func appendHead(b []byte, kind wire.MessageKind, length int, key []byte) []byte {
	masked := byte(0)
	if key != nil {
		masked = maskBit
	}

	b = append(b, finBit|byte(kind))
	switch {
	case length < lengthIsNext2:
		b = append(b, masked|byte(length))
	case length < 1<<16:
		b = append(b, masked|lengthIsNext2)
		b = binary.BigEndian.AppendUint16(b, uint16(length))
	default:
		b = append(b, masked|lengthIsNext8)
		b = binary.BigEndian.AppendUint64(b, uint64(length))
	}
	return append(b, key...)
}

// mask masks or unmasks b, whose first byte is at offset at of the payload (RFC
// 6455 section 5.3).
func mask(b []byte, key [4]byte, at int) {
	var turned [8]byte
	for i := range turned {
		turned[i] = key[(at+i)&3]
	}

	word := binary.LittleEndian.Uint64(turned[:])
	for len(b) >= 8 {
		binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)^word)
		b = b[8:]
	}
	for i := range b {
		b[i] ^= turned[i]
	}
}

// parseClose splits the payload of a close frame into status and reason. The
// status of an empty payload is 0.
func parseClose(payload []byte) (status int, reason []byte, err error) {
	if len(payload) == 0 {
		return 0, nil, nil
	}
	if len(payload) == 1 {
		return 0, nil, protocolError("a close frame has half a status")
	}

	status, reason = int(binary.BigEndian.Uint16(payload)), payload[2:]
	if !isCloseStatus(status) {
		return 0, nil, protocolError("a close frame has a status that must not be sent")
	}
	if !utf8.Valid(reason) {
		return 0, nil, &wire.CloseError{Status: wire.CloseInvalidText, Reason: "the reason in a close frame is not UTF-8"}
	}
	return status, reason, nil
}

// isCloseStatus reports whether an endpoint may send the status (RFC 6455 section
// 7.4, and the registry that it makes).
func isCloseStatus(status int) bool {
	switch {
	case status == 1004 || status == 1005 || status == 1006:
		return false
	case status >= 1000 && status <= 1014:
		return true
	}
	return status >= 3000 && status <= 4999
}

func protocolError(reason string) error {
	return &wire.CloseError{Status: wire.CloseProtocolError, Reason: reason}
}
