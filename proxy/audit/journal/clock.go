package journal

import (
	"sync/atomic"
	"time"
)

// clockTolerance is by how much the system clock must go back for that to be on
// record and in the log's counters. The wall times of records say it in any case.
const clockTolerance = time.Second

// clock gives records their times. They never go back: after the system clock was
// set back they advance half as fast as time passes, until the system clock has
// caught up. The wall time says what the system clock said meanwhile. Log.mu
// guards it, except for the counters.
type clock struct {
	lastUS int64         // time of the newest record, microseconds since 1970
	wallUS int64         // what the system clock said then
	read   time.Time     // when that was, with the monotonic clock; zero before the first
	step   time.Duration // by which the system clock went back, not taken yet

	steps  atomic.Int64 // how often it went back by more than clockTolerance
	behind atomic.Int64 // microseconds between its time and the later time of the newest record
}

// next returns the time of the next record, and what the system clock says if that
// is earlier, otherwise 0. Both are microseconds since 1970.
func (c *clock) next(now time.Time) (us, wall int64) {
	nowUS := now.UnixMicro()
	elapsed := now.Sub(c.read)
	known := !c.read.IsZero()
	before := c.wallUS
	c.read, c.wallUS = now, nowUS

	if nowUS >= c.lastUS {
		c.lastUS = nowUS
		c.behind.Store(0)
		return nowUS, 0
	}

	// Before the first record of this process the newest record of the last one
	// says how late it was.
	if !known {
		before = c.lastUS
	}
	if back := time.Duration(before-nowUS) * time.Microsecond; back > clockTolerance {
		c.step += back
		c.steps.Add(1)
	}
	if known && elapsed > 0 {
		c.lastUS += elapsed.Microseconds() / 2
	}
	c.behind.Store(c.lastUS - nowUS)
	return c.lastUS, nowUS
}

// takeStep returns by how much the system clock went back since the last call.
func (c *clock) takeStep() time.Duration {
	step := c.step
	c.step = 0
	return step
}
