package proxy

import (
	"runtime/debug"
	goruntime "runtime/metrics"
	"time"
)

const (
	quietAfter = time.Second
	quietBelow = 4 << 20  // bytes allocated in that time: next to nothing is going on
	worthwhile = 16 << 20 // bytes that became garbage since memory was last given back
	aTunnel    = 24 << 10 // bytes that a tunnel leaves behind when it is closed
)

// returnMemory returns memory to the system in quiet moments. Go by itself keeps
// what a busy minute took for minutes more, and lets garbage lie as long as
// nobody allocates: thousands of tunnels that only wait, or that were closed,
// would hold twice what they need.
func (s *Server) returnMemory() {
	tick := time.NewTicker(quietAfter)
	defer tick.Stop()
	sample := []goruntime.Sample{{Name: "/gc/heap/allocs:bytes"}}
	last, given := uint64(0), uint64(0) // allocated; and with what closed tunnels left
	for {
		select {
		case <-s.stop:
			return
		case <-tick.C:
		}
		goruntime.Read(sample)
		now := sample[0].Value.Uint64()
		left := now + aTunnel*s.metrics.closed.Load()
		if now-last < quietBelow && left-given > worthwhile {
			debug.FreeOSMemory()
			given = left
		}
		last = now
	}
}

// watchExpiry ends tasks whose time is over, and forgets those that ended long
// ago.
func (s *Server) watchExpiry() {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		select {
		case <-s.stop:
			return
		case it := <-s.identities.Expired():
			if t := s.task(it.ID()); t != nil {
				s.ends.Go(func() { s.finishTask(t, "its time was over") })
			}
		case now := <-tick.C:
			s.forgetOld(now)
		}
	}
}

func (s *Server) forgetOld(now time.Time) {
	s.tasks.Range(func(id, v any) bool {
		t := v.(*task)
		if at, _, over := t.Ended(); over && now.Sub(at) > endedKept {
			s.identities.Forget(t.Task)
			s.tasks.Delete(id)
			_ = s.state.DropTask(t.ID())
		}
		return true
	})
}
