package proxy

import (
	"runtime/debug"
	goruntime "runtime/metrics"
	"slices"
	"time"
)

// watchSessions stores changed sessions every second until the server closes.
func (s *Server) watchSessions() {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-tick.C:
			s.sealChangedSessions()
		}
	}
}

// watchStorage logs, until the server closes, when the log or the state store can no
// longer be written and when they can again, and when the system clock went back.
func (s *Server) watchStorage() {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()

	last := map[string]bool{} // what was not available at the last tick
	steps := int64(0)
	for {
		select {
		case <-s.stop:
			return
		case <-tick.C:
		}

		for what, err := range map[string]error{"record": s.log.Ready(), "state": s.state.Err()} {
			switch failed := err != nil; {
			case failed && !last[what]:
				s.opt.Log.Error().Str("storage", what).Err(err).Msg("storage is not available; requests that need it are refused")
			case !failed && last[what]:
				s.opt.Log.Info().Str("storage", what).Msg("storage is available again")
			}
			last[what] = err != nil
		}

		stats := s.log.Stats()
		if stats.ClockSteps > steps {
			steps = stats.ClockSteps
			s.opt.Log.Warn().Dur("behind", stats.ClockBehind).Msg("the system clock went back; records have its time in the member wall until it has caught up")
		}
	}
}

// watchExpiry ends tasks whose time is over, finishes those whose holder was silent for
// too long, and forgets those that ended more
// than endedTaskTTL ago, until the server closes.
func (s *Server) watchExpiry() {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		select {
		case <-s.stop:
			return
		case it := <-s.identities.Expired():
			if t := s.task(it.ID()); t != nil {
				s.background.Go(func() { _ = s.finishTask(t) })
			}
		case t := <-s.lost:
			s.background.Go(func() { _ = s.finishTask(t) })
		case now := <-tick.C:
			s.forgetEndedTasks(now)
		}
	}
}

// dropAtOnce is how many tasks are dropped from the state store in one write.
const dropAtOnce = 500

// forgetEndedTasks forgets the tasks that ended long ago. One whose end is not
// stored yet is kept until it is.
func (s *Server) forgetEndedTasks(now time.Time) {
	var old []string
	s.tasks.Range(func(_, v any) bool {
		t := v.(*task)
		at, _, over := t.Ended()
		if over && now.Sub(at) > endedTaskTTL && t.end.isComplete() {
			s.identities.Forget(t.Task)
			s.tasks.Delete(t.ID())
			old = append(old, t.ID())
		}
		return true
	})

	for ids := range slices.Chunk(old, dropAtOnce) {
		_ = s.state.DropTask(ids...) // the next start forgets those that stay
	}
}

const (
	memoryInterval = time.Second
	idleBelow      = 4 << 20  // bytes allocated in one interval: almost nothing is going on
	returnAbove    = 16 << 20 // bytes that became garbage since memory was last returned
	tunnelGarbage  = 24 << 10 // bytes that a tunnel leaves when it is closed
)

// returnMemory returns memory to the operating system while the server is idle,
// until the server closes. The Go runtime keeps what a busy minute took for
// minutes more, and does not collect garbage while nobody allocates: thousands
// of tunnels that only wait, or that were closed, would hold twice what they
// need.
func (s *Server) returnMemory() {
	tick := time.NewTicker(memoryInterval)
	defer tick.Stop()

	sample := []goruntime.Sample{{Name: "/gc/heap/allocs:bytes"}}
	var allocated uint64 // at the last tick
	var returned uint64  // allocated bytes and tunnelGarbage when memory was last returned
	for {
		select {
		case <-s.stop:
			return
		case <-tick.C:
		}

		goruntime.Read(sample)
		now := sample[0].Value.Uint64()
		garbage := now + tunnelGarbage*s.metrics.closed.Load()
		if now-allocated < idleBelow && garbage-returned > returnAbove {
			debug.FreeOSMemory()
			returned = garbage
		}
		allocated = now
	}
}

// rollbackWarning is the time between two warnings that the record was rolled back.
const rollbackWarning = 10 * time.Minute

// warnOfRollback writes to the log, now and again, that the record was rolled back,
// until an operator accepts that on record.
func (s *Server) warnOfRollback() {
	for {
		err := s.log.RollbackErr()
		if err == nil {
			return
		}
		s.opt.Log.Error().Err(err).Msg("BROKEN: the record has lost records")

		select {
		case <-s.stop:
			return
		case <-time.After(rollbackWarning):
		}
	}
}
