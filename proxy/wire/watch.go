package wire

import (
	"errors"
	"sync"
	"time"
)

// watchAfter is how long an exchange may take before we look whether the agent
// is still there. Most exchanges end sooner and pay for a timer alone.
const watchAfter = 200 * time.Millisecond

var errAgentGone = errors.New("wire: the agent closed its connection")

// watch reads ahead on an agent's connection during a long exchange, so that
// the exchange is cancelled when the agent hangs up.
type watch struct {
	mu      sync.Mutex
	timer   *time.Timer
	on      bool
	reading chan struct{} // closed when the read ahead has ended
}

func (w *watch) start(c *h1) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.on = true
	if w.timer == nil {
		w.timer = time.AfterFunc(watchAfter, func() { w.look(c) })
	} else {
		w.timer.Reset(watchAfter)
	}
}

// stop returns once nobody reads ahead any more.
func (w *watch) stop(c *h1) {
	w.timer.Stop()
	w.mu.Lock()
	w.on = false
	reading := w.reading
	w.reading = nil
	if reading != nil {
		_ = c.conn.SetReadDeadline(time.Unix(1, 0))
	}
	w.mu.Unlock()
	if reading != nil {
		<-reading
		c.src.armed = time.Unix(1, 0)
	}
}

func (w *watch) look(c *h1) {
	w.mu.Lock()
	if !w.on || w.reading != nil {
		w.mu.Unlock()
		return
	}
	if c.body != nil && !c.body.ended.Load() { // the body is read by whoever forwards it, and tells as well
		w.timer.Reset(watchAfter)
		w.mu.Unlock()
		return
	}
	if c.src.r < c.src.w { // the next request is here already
		w.mu.Unlock()
		return
	}
	done := make(chan struct{})
	w.reading = done
	c.src.disarm()
	w.mu.Unlock()
	defer close(done)
	if err := c.src.fill(); err != nil && !isTimeout(err) {
		c.cancel(errAgentGone)
	}
}
