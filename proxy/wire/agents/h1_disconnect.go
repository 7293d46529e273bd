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

// watchInterval is the time between two looks of a disconnectWatch. An exchange that
// sees two of them is watched, so that is after 100 to 200 ms.
const watchInterval = 100 * time.Millisecond

var errAgentGone = errors.New("wire: the agent closed its connection")

// disconnectWatch cancels a long exchange when the agent closes its connection. It
// reads ahead on the connection, which is the only way to notice. The timer keeps
// running from one exchange to the next, because starting and stopping it for each
// exchange would cost more than the rest of the watch.
type disconnectWatch struct {
	mu       sync.Mutex
	timer    *time.Timer
	running  bool          // timer will fire
	on       bool          // an exchange is in flight
	exchange uint32        // number of the exchange
	lastSeen uint32        // exchange at the last look
	reading  chan struct{} // closed when the read ahead has ended; nil if there is none
}

// start begins to watch an exchange.
func (w *disconnectWatch) start(c *h1Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()

	w.on = true
	w.exchange++
	switch {
	case w.timer == nil:
		w.timer = time.AfterFunc(watchInterval, func() { w.look(c) })
	case !w.running:
		w.timer.Reset(watchInterval)
	}
	w.running = true
}

// stop ends the watch. When it returns, the watch no longer reads.
func (w *disconnectWatch) stop(c *h1Conn) {
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
		c.reader.NoteDeadline(time.Unix(1, 0))
	}
}

// look is called by the timer.
func (w *disconnectWatch) look(c *h1Conn) {
	done, ok := w.beginReading(c)
	if !ok {
		return
	}
	defer close(done)

	err := c.reader.Fill()
	if err == io.EOF {
		err = waitForClose(c.conn)
	}
	if err != nil && !netconn.IsTimeout(err) {
		c.cancel(errAgentGone)
	}
}

// beginReading decides whether to read ahead now. Whoever gets true closes done
// after the read.
func (w *disconnectWatch) beginReading(c *h1Conn) (done chan struct{}, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()

	w.running = false
	if !w.on || w.reading != nil {
		return nil, false
	}
	if w.lastSeen != w.exchange { // the exchange is young
		w.lastSeen = w.exchange
		w.lookAgain()
		return nil, false
	}
	if c.body != nil && !c.body.Ended() { // whoever reads the body notices a disconnect
		w.lookAgain()
		return nil, false
	}
	if !c.reader.Empty() { // the next request has arrived
		return nil, false
	}

	done = make(chan struct{})
	w.reading = done
	c.reader.ClearDeadline()
	return done, true
}

// lookAgain restarts the timer; mu is held.
func (w *disconnectWatch) lookAgain() {
	w.running = true
	w.timer.Reset(watchInterval)
}

// waitForClose is called after the agent has ended its direction. It waits until the
// connection is closed too, and returns why. TLS tells the two apart (close_notify,
// RFC 8446 section 6.1): an agent may end its direction and wait for the response.
// Without TLS a FIN says only that the agent sends nothing more, and nearly all
// agents that send one are gone.
func waitForClose(conn net.Conn) error {
	secured, ok := conn.(*tls.Conn)
	if !ok {
		return io.EOF
	}

	var one [1]byte
	_, err := secured.NetConn().Read(one[:])
	if err == nil {
		err = errors.New("wire: bytes after the end of TLS")
	}
	return err
}
