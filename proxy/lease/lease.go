package lease

import (
	"context"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Lease is one task's hold on one account. All methods may be called
// concurrently.
type Lease[S comparable] struct {
	manager *Manager[S]
	id      string
	key     taskKey
	account string
	fence   uint64
	acct    *account

	ctx    context.Context
	cancel context.CancelCauseFunc
	ended  atomic.Bool
	until  atomic.Int64 // Unix nanoseconds; it lapses then

	stopRenewal chan struct{} // closed by forget
	forgetOnce  sync.Once
	releaseOnce sync.Once
	releaseErr  error // set by releaseOnce

	session atomic.Pointer[S] // nil: none

	mu         sync.Mutex // guards what follows; not held over I/O
	login      *Login[S]  // in progress; nil: none
	lapseTimer *time.Timer
}

func newLease[S comparable](m *Manager[S], key taskKey, name string, acct *account, fence uint64, until time.Time) *Lease[S] {
	l := &Lease[S]{
		manager:     m,
		id:          "l_" + strconv.FormatUint(fence, 10),
		key:         key,
		account:     name,
		fence:       fence,
		acct:        acct,
		stopRenewal: make(chan struct{}),
	}
	l.ctx, l.cancel = context.WithCancelCause(context.Background())
	l.until.Store(until.UnixNano())
	return l
}

// ID names the lease in records.
func (l *Lease[S]) ID() string { return l.id }

// Task returns the id of the task that holds the account.
func (l *Lease[S]) Task() string { return l.key.task }

// Adapter returns the name of the account's adapter.
func (l *Lease[S]) Adapter() string { return l.key.adapter }

// Account returns the name of the account in the vault.
func (l *Lease[S]) Account() string { return l.account }

// Fence returns the number that goes with every write on behalf of the lease.
func (l *Lease[S]) Fence() uint64 { return l.fence }

// Context is cancelled when the lease ends; its cause is ErrCheckedIn, ErrStale,
// ErrLapsed or ErrClosed.
func (l *Lease[S]) Context() context.Context { return l.ctx }

// Valid reports whether the lease was neither checked in nor lost, and has not
// lapsed.
func (l *Lease[S]) Valid() bool {
	return !l.ended.Load() && time.Now().UnixNano() < l.until.Load()
}

// start begins renewals, for which the caller has added to the manager's wg.
func (l *Lease[S]) start() {
	l.mu.Lock()
	l.lapseTimer = time.AfterFunc(l.timeLeft(), l.checkLapse)
	l.mu.Unlock()
	go l.renewUntilStopped()
}

func (l *Lease[S]) timeLeft() time.Duration {
	return time.Until(time.Unix(0, l.until.Load()))
}

// checkLapse ends the lease if it was not renewed in time.
func (l *Lease[S]) checkLapse() {
	left := l.timeLeft()
	if left <= 0 {
		l.end(ErrLapsed, true)
		return
	}
	l.mu.Lock()
	l.lapseTimer.Reset(left)
	l.mu.Unlock()
}

// renewUntilStopped also renews after CheckIn, so that no other task takes the
// account while the caller logs out.
func (l *Lease[S]) renewUntilStopped() {
	defer l.manager.wg.Done()
	tick := time.NewTicker(l.manager.cfg.TTL / 3)
	defer tick.Stop()

	for {
		select {
		case <-l.stopRenewal:
			return
		case <-tick.C:
		}

		until := time.Now().Add(l.manager.cfg.TTL)
		err := l.manager.store.RenewLease(l.key.adapter, l.account, l.fence, until)
		switch {
		case err == nil:
			l.until.Store(until.UnixNano())
		case isStale(err):
			l.end(ErrStale, true)
		}
		// After another error the next tick tries again, until the lease lapses.
	}
}

// end cancels the lease's context with the cause. lost says that the account is
// no longer the task's, so that there is nothing to release.
func (l *Lease[S]) end(cause error, lost bool) {
	l.ended.Store(true)
	l.cancel(cause)
	l.session.Store(nil)

	m := l.manager
	m.mu.Lock()
	if m.byTask[l.key] == l {
		delete(m.byTask, l.key)
	}
	m.mu.Unlock()

	if lost {
		l.forget()
	}
}

// forget stops renewals and lets other tasks here ask the store for the account.
func (l *Lease[S]) forget() {
	l.forgetOnce.Do(func() {
		close(l.stopRenewal)
		l.mu.Lock()
		l.lapseTimer.Stop()
		l.mu.Unlock()

		m := l.manager
		m.mu.Lock()
		delete(m.all, l)
		l.acct.busy = false
		m.wakeFirst(l.key.adapter)
		m.mu.Unlock()
	})
}

// Release ends the lease and gives the account back. The first call counts;
// later ones return the same error. After an error the lease lapses. It is no
// error if the account was lost before.
func (l *Lease[S]) Release() error {
	l.releaseOnce.Do(func() {
		l.end(ErrCheckedIn, false)
		err := l.manager.store.ReleaseLease(l.key.adapter, l.account, l.fence)
		if err != nil && !isStale(err) {
			l.releaseErr = err
		}
		l.forget()
	})
	return l.releaseErr
}
