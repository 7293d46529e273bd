package wire

import (
	"errors"
	"io"
	"net"
	"net/http"
)

// MalformedCode is the stable code of a message that cannot be carried.
type MalformedCode string

// The codes of a [Malformed].
const (
	CodeAmbiguous MalformedCode = "ambiguous_request" // two parsers could read the message in two ways
	CodeTooLarge  MalformedCode = "too_large"         // the head or the trailer exceeds a bound
)

// Malformed says why a message cannot be carried in one unambiguous form.
type Malformed struct {
	// Code classifies the fault.
	Code MalformedCode
	// Status is the HTTP status with which the message is answered.
	Status int
	// Detail tells the agent what is wrong: a clause without a full stop. It
	// quotes no field value.
	Detail string
}

// Error returns the detail.
func (m *Malformed) Error() string { return "malformed request: " + m.Detail }

// Ambiguous returns a Malformed with status 400.
func Ambiguous(detail string) *Malformed {
	return &Malformed{Code: CodeAmbiguous, Status: http.StatusBadRequest, Detail: detail}
}

// TooSlow returns a Malformed with status 408.
func TooSlow(detail string) *Malformed {
	return &Malformed{Code: CodeAmbiguous, Status: http.StatusRequestTimeout, Detail: detail}
}

// TooLarge returns a Malformed with the given status.
func TooLarge(status int, detail string) *Malformed {
	return &Malformed{Code: CodeTooLarge, Status: status, Detail: detail}
}

// BodyFault returns what is wrong with a body that an agent sent, judged by the
// error of its Read. It returns nil if err says nothing about the body, for
// example because the agent disconnected.
func BodyFault(err error) *Malformed {
	var bad *Malformed
	if errors.As(err, &bad) {
		return bad
	}

	var late net.Error
	if errors.As(err, &late) && late.Timeout() {
		return TooSlow("the body did not arrive in time")
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return Ambiguous("the body ended before its length was reached")
	}
	return nil
}

// Stage is the part of an exchange with an application in which it failed.
type Stage string

// The stages of an [Error].
const (
	StageDial     Stage = "dial"     // the name was not resolved or no address accepted a connection
	StageAddress  Stage = "address"  // the name resolves only to addresses that must not be dialed
	StageProxy    Stage = "proxy"    // the upstream proxy did not open a tunnel
	StageTLS      Stage = "tls"      // the TLS handshake failed
	StageWrite    Stage = "write"    // the request could not be written
	StageHead     Stage = "head"     // no valid response head arrived
	StageBody     Stage = "body"     // a body broke off, the application's or the agent's
	StageTimeout  Stage = "timeout"  // a timeout of Config expired
	StageCanceled Stage = "canceled" // the exchange was canceled from this side
)

// Error is why an exchange with an application, or a dial, failed.
type Error struct {
	// Stage is where the exchange failed.
	Stage Stage
	// Sent reports whether any byte of the request may have reached the
	// application: it may have acted on the request, so sending it again is not
	// safe.
	Sent bool
	// Stale reports whether the exchange failed on a kept connection before any byte
	// of an answer came: most likely the application closed it while it was idle.
	Stale bool
	// Err is the cause.
	Err error
}

// Error returns the stage and the cause.
func (e *Error) Error() string { return "upstream " + string(e.Stage) + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }
