package compare

import (
	"fmt"
	"os"
	"time"

	"github.com/byline-proxy/byline/bench/measure"
	"github.com/byline-proxy/byline/bench/origin"
	"github.com/byline-proxy/byline/bench/peer"
)

// meter reads the clocks and counters around one measurement.
type meter struct {
	testbed *peer.Testbed
	peer    *peer.Peer

	before, after               reading
	recordsBefore, recordsAfter peer.RecordStats
}

// reading is the state of all clocks and counters at one moment.
type reading struct {
	proxy  time.Duration // CPU time of the proxy
	load   time.Duration // CPU time of generator and origin
	counts origin.Counts
}

// begin takes the first reading. It must be called when no request is in flight.
// The peer is asked for its record first, so that the CPU time of the answer is
// not part of the measurement.
func (m *meter) begin() error {
	var err error
	m.recordsBefore, err = m.peer.RecordStats()
	if err != nil {
		return err
	}
	m.before, err = m.read()
	return err
}

// end takes the second reading, in the reverse order.
func (m *meter) end() error {
	var err error
	m.after, err = m.read()
	if err != nil {
		return err
	}
	m.recordsAfter, err = m.peer.RecordStats()
	return err
}

func (m *meter) read() (reading, error) {
	var r reading
	var err error
	r.counts, err = m.testbed.Origin.Counts()
	if err != nil {
		return r, err
	}
	for _, pid := range []int{os.Getpid(), m.testbed.Origin.PID()} {
		used, err := measure.ProcessCPU(pid)
		if err != nil {
			return r, err
		}
		r.load += used
	}
	r.proxy, err = measure.ProcessCPU(m.peer.PID())
	return r, err
}

// proxyCPU and loadCPU return the CPU seconds that were used in between, and
// records what was recorded.
func (m *meter) proxyCPU() float64         { return (m.after.proxy - m.before.proxy).Seconds() }
func (m *meter) loadCPU() float64          { return (m.after.load - m.before.load).Seconds() }
func (m *meter) records() peer.RecordStats { return m.recordsAfter.Minus(m.recordsBefore) }

// checkSessions checks that the proxy did what it is measured for: the origin
// must have seen as many requests as agents made, with the session of an account
// if the proxy replaces sessions, and with that of the person otherwise.
func (m *meter) checkSessions(units int64) error {
	seen := m.after.counts.Minus(m.before.counts)
	switch {
	case m.peer.ReplacesSession && seen.ByPerson > 0:
		return fmt.Errorf("%d requests reached the origin with the person's session", seen.ByPerson)
	case m.peer.ReplacesSession && seen.ByAccount < units:
		return fmt.Errorf("only %d of %d requests reached the origin with an account's session", seen.ByAccount, units)
	case !m.peer.ReplacesSession && seen.ByPerson < units:
		return fmt.Errorf("only %d of %d requests reached the origin", seen.ByPerson, units)
	}
	return nil
}

func microseconds(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
