package agents

import (
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/byline-proxy/byline/proxy/wire"
)

// patience bounds single reads or writes of a stream: what waits longer than d
// is ended by set. It keeps away from a stream whose exchange is over, for the
// library's writer is gone then.
type patience struct {
	d     time.Duration
	set   func(time.Time) error
	mu    sync.Mutex
	over  bool
	timer *time.Timer
}

// start begins one wait. It is called by one goroutine at a time.
func (t *patience) start() {
	if t.timer == nil {
		t.timer = time.AfterFunc(t.d, t.late)
	} else {
		t.timer.Reset(t.d)
	}
}

func (t *patience) stop() { t.timer.Stop() }

func (t *patience) late() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.over {
		_ = t.set(time.Unix(1, 0))
	}
}

// end is for the end of the exchange.
func (t *patience) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.over = true
}

// streamBody is a stream's body: each read is bounded, and counted.
type streamBody struct {
	r    io.Reader
	wait patience
	n    atomic.Int64
}

func newStreamBody(r io.Reader, ctl *http.ResponseController, stall time.Duration) *streamBody {
	return &streamBody{r: r, wait: patience{d: stall, set: ctl.SetReadDeadline}}
}

func (b *streamBody) Read(p []byte) (int, error) {
	b.wait.start()
	n, err := b.r.Read(p)
	b.wait.stop()
	b.n.Add(int64(n))
	return n, err
}

// exact is a body whose length was declared. Its last bytes are given once it is
// known that no more come: a body that is longer or shorter than it said is
// refused before it is whole anywhere else (RFC 9113 section 8.1.1).
type exact struct {
	body  io.Reader
	left  int64
	wrong func() // called if it is
}

func (e *exact) malformed(detail string) (int, error) {
	e.wrong()
	return 0, wire.Ambiguous(detail)
}

func (e *exact) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if int64(len(p)) > e.left {
		p = p[:e.left]
	}
	n, err := 0, error(nil)
	if len(p) > 0 {
		n, err = e.body.Read(p)
		e.left -= int64(n)
	}
	if err == nil && e.left == 0 {
		var one [1]byte
		var m int
		if m, err = e.body.Read(one[:]); m > 0 {
			return e.malformed("the body is longer than its Content-Length")
		}
	}
	switch {
	case err == io.EOF && e.left > 0:
		return e.malformed("the body is shorter than its Content-Length")
	case err != nil && err != io.EOF && e.left == 0:
		return 0, err
	}
	return n, err
}
