package admin

import (
	"encoding/json"
	"errors"
	"net/http"
	"time"
)

// Lifeline is a task in the hands of the program that it must not outlive. Its
// methods may be called concurrently.
type Lifeline interface {
	// Timeout is after how much silence the task ends.
	Timeout() time.Duration
	// Beat notes a sign of life.
	Beat()
	// Ended is closed when the task has ended.
	Ended() <-chan struct{}
	// Why says why the task ended.
	Why() string
}

// LifelineEvent is one line of the answer to POST /v1/tasks/{id}/lifeline. The
// first has Timeout and Every, the last one has Ended; the empty ones between
// them answer one sign of life each.
type LifelineEvent struct {
	Timeout string `json:"timeout,omitempty"` // silence after which the task ends, like 700ms
	Every   string `json:"every,omitempty"`   // how often to give a sign of life
	Ended   string `json:"ended,omitempty"`   // why the task has ended
}

// beatsPerTimeout is how many signs of life a holder is asked to give within the
// timeout, so that a few may come late.
const beatsPerTimeout = 4

// lifelineWrite bounds a write to a holder that does not read.
const lifelineWrite = time.Second

// serveLifeline serves a request whose body is the holder's signs of life: every
// byte is one. The request lasts until the holder closes it, its connection breaks
// or the task ends. The task goes on if the holder comes back in time.
func (a *api) serveLifeline(w http.ResponseWriter, r *http.Request) {
	if a.verbs.HoldTask == nil {
		a.answer(w, 0, nil, errNoVerb)
		return
	}

	// The answer streams while the body does. A refusal, too, must not wait for the end of
	// the body, for which net/http waits otherwise.
	ctl := http.NewResponseController(w)
	if err := ctl.EnableFullDuplex(); err != nil {
		a.answer(w, 0, nil, err)
		return
	}
	line, err := a.verbs.HoldTask(r.Context(), r.PathValue("id"))
	if err == nil {
		err = ctl.SetReadDeadline(time.Time{}) // the body has no end in time
	}
	if err != nil {
		a.answer(w, 0, nil, err)
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no") // nginx would collect the lines
	send := func(e LifelineEvent) error {
		_ = ctl.SetWriteDeadline(time.Now().Add(lifelineWrite))
		return errors.Join(json.NewEncoder(w).Encode(e), ctl.Flush())
	}

	timeout := line.Timeout()
	err = send(LifelineEvent{Timeout: timeout.String(), Every: (timeout / beatsPerTimeout).String()})
	if err == nil {
		a.readBeats(line, r, ctl, func() error { return send(LifelineEvent{}) })
	}

	select {
	case <-line.Ended():
		_ = send(LifelineEvent{Ended: line.Why()})
	default:
	}
}

// readBeats notes the holder's signs of life and acknowledges each read of them,
// until the task or the connection ends.
func (a *api) readBeats(line Lifeline, r *http.Request, ctl *http.ResponseController, acknowledge func() error) {
	done := make(chan struct{})
	defer close(done)
	go func() {
		select {
		case <-line.Ended():
			_ = ctl.SetReadDeadline(time.Unix(1, 0))
		case <-done:
		}
	}()

	var beats [64]byte
	for {
		n, err := r.Body.Read(beats[:])
		if n > 0 {
			line.Beat()
			if acknowledge() != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
