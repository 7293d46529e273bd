package agents

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/byline-proxy/byline/proxy/wire/internal/netconn"
)

// watchAfter is how long an exchange may take before we look whether the agent
// is still there, or half of it: the timer is left running from one exchange to
// the next, for setting it twice in each costs more than all else here.
const watchAfter = 200 * time.Millisecond

var errAgentGone = errors.New("wire: the agent closed its connection")

// watch reads ahead on an agent's connection during a long exchange, so that
// the exchange is cancelled when the agent hangs up.
type watch struct {
	mu      sync.Mutex
	timer   *time.Timer
	on      bool
	armed   bool          // the timer runs
	turn    uint32        // counts exchanges
	looked  uint32        // the turn at the last look
	reading chan struct{} // closed when the read ahead has ended
}

func (w *watch) start(c *h1Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.on = true
	w.turn++
	switch {
	case w.timer == nil:
		w.timer = time.AfterFunc(watchAfter/2, func() { w.look(c) })
	case !w.armed:
		w.timer.Reset(watchAfter / 2)
	}
	w.armed = true
}

// stop returns once nobody reads ahead any more.
func (w *watch) stop(c *h1Conn) {
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
		c.src.NoteDeadline(time.Unix(1, 0))
	}
}

func (w *watch) look(c *h1Conn) {
	w.mu.Lock()
	w.armed = false
	if !w.on || w.reading != nil {
		w.mu.Unlock()
		return
	}
	if w.looked != w.turn { // this exchange has only begun
		w.looked = w.turn
		w.again()
		return
	}
	if c.body != nil && !c.body.Ended() { // the body is read by whoever forwards it, and tells as well
		w.again()
		return
	}
	if !c.src.Empty() { // the next request is here already
		w.mu.Unlock()
		return
	}
	done := make(chan struct{})
	w.reading = done
	c.src.ClearDeadline()
	w.mu.Unlock()
	defer close(done)
	err := c.src.Fill()
	if err == io.EOF {
		err = afterFarewell(c.conn)
	}
	if err != nil && !netconn.IsTimeout(err) {
		c.cancel(errAgentGone)
	}
}

// again has the timer run once more; mu is held, and is given up.
func (w *watch) again() {
	w.armed = true
	w.timer.Reset(watchAfter / 2)
	w.mu.Unlock()
}

// afterFarewell waits, once the agent has said that it will send no more, until
// its connection ends too. TLS tells the two apart (close_notify, RFC 8446 section
// 6.1): an agent may end its own direction and still wait for the answer. Without
// TLS a FIN says only that nothing more comes, and most who send it are gone.
func afterFarewell(conn net.Conn) error {
	secured, ok := conn.(*tls.Conn)
	if !ok {
		return io.EOF
	}
	var one [1]byte
	_, err := secured.NetConn().Read(one[:])
	if err == nil {
		err = errors.New("wire: bytes behind the end of TLS")
	}
	return err
}
