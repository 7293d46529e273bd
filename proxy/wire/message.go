package wire

import (
	"context"
	"fmt"
	"sync/atomic"
)

// MessageKind is what a message of a WebSocket is: the opcode of its first frame
// (RFC 6455 section 11.8).
type MessageKind byte

// The kinds of messages. The last three are control frames.
const (
	MessageText   MessageKind = 0x1
	MessageBinary MessageKind = 0x2
	MessageClose  MessageKind = 0x8
	MessagePing   MessageKind = 0x9
	MessagePong   MessageKind = 0xa
)

// Message is one whole message of a WebSocket, or a control frame.
type Message struct {
	Kind MessageKind
	// Payload is the reason in a close frame. Whoever gets the message may change
	// it, or replace it by another slice.
	Payload []byte
	// Status is that of a close frame, 0 if it has none.
	Status int
	// Done, if not nil, is called once, after the message was written or could not
	// be written.
	Done func(error)
}

// Messages says what happens to the messages of a WebSocket, and counts them. Each
// function is called by one goroutine at a time, in the order of the messages, and
// the two at the same time. An error that is, or wraps, a [*CloseError] closes the
// WebSocket on both sides; any other error cuts it. A nil function carries
// everything.
type Messages struct {
	// FromAgent and ToAgent count text and binary messages that were carried.
	FromAgent, ToAgent atomic.Int64

	// Hold is called before a message of more than HeldWithoutAsking bytes is read into
	// memory. n is the most that it may come to. It may wait, and returns the function
	// that is called once the message was written or dropped.
	Hold func(ctx context.Context, n int, fromAgent bool) (release func(), err error)
	// Decide is called with each message of the agent before it is written to the
	// application. ctx ends with the exchange.
	Decide func(ctx context.Context, m *Message) error
	// Shield is called with each message of the application before it is written to
	// the agent.
	Shield func(m *Message) error
}

// HeldWithoutAsking is the size of the largest message for which Messages.Hold is not
// called. A WebSocket always has room for one in each direction.
const HeldWithoutAsking = 8 << 10

// Statuses of close frames (RFC 6455 section 7.4.1).
const (
	CloseGoingAway     = 1001
	CloseProtocolError = 1002
	CloseInvalidText   = 1007
	ClosePolicy        = 1008
	CloseTooLarge      = 1009
	CloseInternal      = 1011
	CloseTryAgain      = 1013 // registered with IANA
)

// CloseError ends a WebSocket with a close frame.
type CloseError struct {
	// Status goes to the agent.
	Status int
	// Reason goes to the agent: plain text of at most 123 bytes that quotes nothing
	// of a message.
	Reason string
	// Err is why; it may be nil.
	Err error
}

// Error returns the reason with the status.
func (e *CloseError) Error() string {
	return fmt.Sprintf("websocket: closed with %d: %s", e.Status, e.Reason)
}

// Unwrap returns Err.
func (e *CloseError) Unwrap() error { return e.Err }
