package proxy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/byline-proxy/byline/adapters"
	"github.com/byline-proxy/byline/proxy/wire"
	"github.com/byline-proxy/byline/proxy/wire/upstream"
)

// channel is how the steps of a dialogue are sent.
type channel struct {
	pool  *upstream.Pool
	at    *site
	lease context.Context       // if not nil: nothing begins, and nothing waits, after its end
	begin func() error          // if not nil: called once, before a step that proves who the account is
	saw   func(*adapters.Reply) // if not nil: called with each answer

	// fresh opens connections for what a kept one must not carry; see roundTrip. Nil uses
	// pool.
	fresh func() *upstream.Pool
	sent  bool // a step was sent
}

// dialogueError is why a dialogue failed, and what is known about that.
type dialogueError struct {
	err    error
	proves bool            // what proves who the account is may have been sent
	last   *adapters.Reply // the last answer; nil if there was none
	judged bool            // the dialogue did not go on after last
}

// Error returns the text of the cause.
func (e *dialogueError) Error() string { return e.err.Error() }

// Unwrap returns the cause.
func (e *dialogueError) Unwrap() error { return e.err }

// isRefusal reports whether the application has seen the secret and has not accepted
// it. An answer that says that it cannot answer now (408, 425, 429, 5xx) says nothing
// about the secret, and nor does a connection that broke or a one-time code that
// cannot be made yet.
func (e *dialogueError) isRefusal() bool {
	_, codeUsed := errors.AsType[*adapters.CodeUsedError](e.err)
	_, notReserved := errors.AsType[*adapters.ReserveError](e.err)
	return e.proves && e.judged && !codeUsed && !notReserved && !isUnavailable(e.last.Status)
}

func isUnavailable(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	}
	return status >= 500
}

// notBefore returns when the dialogue can succeed at the earliest, as far as that is
// known: when the next one-time code is valid, or what the
// application says in Retry-After (RFC 9110 section 10.2.3).
func (e *dialogueError) notBefore(now time.Time) time.Time {
	if used, ok := errors.AsType[*adapters.CodeUsedError](e.err); ok {
		return used.Until
	}
	if !e.judged || !isUnavailable(e.last.Status) {
		return time.Time{}
	}

	value := wire.Value(e.last.Fields, "Retry-After")
	if seconds, err := strconv.ParseUint(value, 10, 32); err == nil {
		return now.Add(time.Duration(seconds) * time.Second)
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return time.Time{}
	}
	return at
}

// runDialogue sends the dialogue's steps, each with the reply to the one before,
// until the dialogue is complete or fails. The error is a *dialogueError.
func (s *Server) runDialogue(ctx context.Context, c *channel, d *adapters.Dialogue) error {
	failed := &dialogueError{}
	if c.lease != nil && c.lease.Err() != nil {
		failed.err = fmt.Errorf("nothing was sent: %w", context.Cause(c.lease))
		return failed
	}

	for {
		step, err := d.Next(failed.last)
		if err != nil {
			failed.err, failed.judged = err, failed.last != nil
			return failed
		}
		if step == nil {
			return nil
		}

		if step.Proves && !failed.proves && c.begin != nil {
			if err := c.begin(); err != nil {
				failed.err = fmt.Errorf("the state store cannot be written: %w", err)
				return failed
			}
		}
		failed.proves = step.Proves
		reply, err := sendStep(ctx, c, step)
		if err != nil {
			failed.err = err
			return failed
		}
		failed.last = reply
		if c.saw != nil {
			c.saw(reply)
		}
	}
}

// maxReply bounds the bytes that are read of the answer to a step.
const maxReply = 4 << 20

// sendStep sends one step of a dialogue and returns the application's answer.
func sendStep(ctx context.Context, c *channel, step *adapters.Step) (*adapters.Reply, error) {
	waiting := ctx
	if c.lease != nil {
		waiting = c.lease
	}
	if err := waitUntil(waiting, step.NotBefore); err != nil {
		return nil, err
	}

	target := *c.at.home
	if step.Authority != "" {
		target.Authority = step.Authority
	}
	if step.External {
		target.Scheme, target.Addr = step.Scheme, ""
	}
	resp, done, err := c.roundTrip(ctx, &target, step)
	if err != nil {
		return nil, err
	}
	defer done()
	if err := decode(resp); err != nil {
		return nil, err
	}

	reply := &adapters.Reply{Status: resp.Status, Fields: resp.Fields}
	if resp.Body == nil {
		return reply, nil
	}
	defer closeBody(resp)
	reply.Body, err = io.ReadAll(io.LimitReader(resp.Body, maxReply))
	if err != nil {
		return nil, fmt.Errorf("the answer broke off: %w", err)
	}
	return reply, nil
}

// roundTrip sends one step. The application may close a connection that it kept just
// when the step goes out. A step with a one-time code, which may have been waited for,
// therefore gets a fresh connection, unless it is the first. Any other step is
// sent again over a fresh one, as browsers do, if the kept one was closed without a
// byte of an answer. The caller calls done when it has read the answer.
func (c *channel) roundTrip(ctx context.Context, target *upstream.Target, step *adapters.Step) (resp *wire.Response, done func(), err error) {
	pool := c.pool
	done = func() {}
	if c.sent && c.fresh != nil && step.OneTime {
		pool = c.fresh()
		done = pool.Close
	}
	c.sent = true

	resp, err = pool.RoundTrip(ctx, target, stepRequest(step, target))
	if e, ok := errors.AsType[*wire.Error](err); ok && e.Stale && c.fresh != nil && !step.OneTime {
		pool = c.fresh()
		done = pool.Close
		resp, err = pool.RoundTrip(ctx, target, stepRequest(step, target))
	}
	if err != nil {
		done()
	}
	return resp, done, err
}

// stepRequest returns the request of one step.
func stepRequest(step *adapters.Step, target *upstream.Target) *wire.Request {
	path, query, has := cutQuery(step.Path)
	r := &wire.Request{Head: wire.Head{
		Proto: "HTTP/1.1", Method: step.Method, Scheme: target.Scheme, Authority: target.Authority,
		Path: path, Query: query, HasQuery: has,
		Fields: requestReadableText(step.Fields), Length: int64(len(step.Body)),
	}}
	if len(step.Body) > 0 {
		r.Body = bytes.NewReader(step.Body)
	}
	return r
}

// waitUntil waits until a one-time code can be used, or a login be tried. The
// zero time is past.
func waitUntil(ctx context.Context, at time.Time) error {
	wait := time.Until(at)
	if wait <= 0 {
		return nil
	}

	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting until %s: %w", at.UTC().Format(time.RFC3339), context.Cause(ctx))
	}
}
