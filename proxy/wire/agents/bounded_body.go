package agents

import (
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/byline-proxy/byline/proxy/wire"
)

// stallTimer bounds single reads or single writes of a handlerExchange. A call that
// takes longer than limit is ended through setDeadline. After disable it does not
// touch the exchange, whose writer the library has taken back.
type stallTimer struct {
	limit       time.Duration
	setDeadline func(time.Time) error
	timer       *time.Timer // nil before the first start

	mu       sync.Mutex
	disabled bool
}

// start begins a read or write. It is called by one goroutine at a time.
func (t *stallTimer) start() {
	if t.timer == nil {
		t.timer = time.AfterFunc(t.limit, t.expire)
	} else {
		t.timer.Reset(t.limit)
	}
}

// stop ends the read or write that start began.
func (t *stallTimer) stop() { t.timer.Stop() }

// expire ends the read or write in progress, and later ones. It is called by the
// timer, or to cut the stream.
func (t *stallTimer) expire() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.disabled {
		_ = t.setDeadline(time.Unix(1, 0))
	}
}

// disable is called at the end of the exchange.
func (t *stallTimer) disable() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.disabled = true
}

// boundedBody is the body of a handlerExchange. It bounds each read and counts the
// bytes.
type boundedBody struct {
	r     io.Reader
	timer stallTimer
	count atomic.Int64
	begin func() // called before the first read; nil: no call
}

func newBoundedBody(r io.Reader, ctl *http.ResponseController, limit time.Duration) *boundedBody {
	return &boundedBody{r: r, timer: stallTimer{limit: limit, setDeadline: ctl.SetReadDeadline}}
}

func (b *boundedBody) Read(p []byte) (int, error) {
	if b.begin != nil {
		b.begin()
		b.begin = nil
	}
	b.timer.start()
	n, err := b.r.Read(p)
	b.timer.stop()
	b.count.Add(int64(n))
	return n, err
}

// exactBody is a body of HTTP/2 whose length was declared. It returns the last bytes
// only when it is known that no more follow: a body of another length is refused
// before anybody has all of it (RFC 9113 section 8.1.1).
type exactBody struct {
	body        io.Reader
	left        int64
	wrongLength func() // called if the length is another
}

func (b *exactBody) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}

	n, err := 0, error(nil)
	if len(p) > 0 {
		n, err = b.body.Read(p)
		b.left -= int64(n)
	}
	if err == nil && b.left == 0 {
		var next [1]byte
		var m int
		if m, err = b.body.Read(next[:]); m > 0 {
			return b.refuse("the body is longer than its Content-Length")
		}
	}

	switch {
	case err == io.EOF && b.left > 0:
		return b.refuse("the body is shorter than its Content-Length")
	case err != nil && err != io.EOF && b.left == 0:
		return 0, err // the last bytes are not known to be the last
	}
	return n, err
}

func (b *exactBody) refuse(detail string) (int, error) {
	b.wrongLength()
	return 0, wire.Ambiguous(detail)
}
