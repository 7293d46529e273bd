package lease

import (
	"context"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Lease is one task's hold on one account. All methods may be called concurrently.
type Lease[S comparable] struct {
	desk                   *Manager[S]
	id                     string
	task, adapter, account string
	fence                  uint64
	acct                   *account
	ctx                    context.Context
	cancel                 context.CancelCauseFunc
	until                  atomic.Int64 // Unix nanoseconds
	gone                   atomic.Bool
	halt                   chan struct{} // closed: no more renewals
	halted                 sync.Once
	freed                  sync.Once
	released               error
	lapse                  *time.Timer
	cur                    atomic.Pointer[S]

	mu   sync.Mutex // never held over I/O
	turn *Login[S]
}

func newLease[S comparable](d *Manager[S], key pair, name string, acct *account, fence uint64, until time.Time) *Lease[S] {
	l := &Lease[S]{desk: d, id: "l_" + strconv.FormatUint(fence, 10), task: key.a, adapter: key.b, account: name, fence: fence, acct: acct, halt: make(chan struct{})}
	l.ctx, l.cancel = context.WithCancelCause(context.Background())
	l.until.Store(until.UnixNano())
	return l
}

// ID names the lease in records.
func (l *Lease[S]) ID() string { return l.id }

// Task is who holds it.
func (l *Lease[S]) Task() string { return l.task }

// Adapter is the SaaS the account is at.
func (l *Lease[S]) Adapter() string { return l.adapter }

// Account is the name of the account, as the vault knows it.
func (l *Lease[S]) Account() string { return l.account }

// Fence goes with every write on behalf of the lease.
func (l *Lease[S]) Fence() uint64 { return l.fence }

// Context is cancelled when the lease ends; its cause is ErrCheckedIn,
// ErrStale, ErrLapsed or ErrClosed.
func (l *Lease[S]) Context() context.Context { return l.ctx }

// Valid is false once the lease was checked in, revoked, or lapsed.
func (l *Lease[S]) Valid() bool {
	return !l.gone.Load() && time.Now().UnixNano() < l.until.Load()
}

// start renews until halt; the caller has added to the desk's wg.
func (l *Lease[S]) start() {
	l.mu.Lock()
	l.lapse = time.AfterFunc(time.Until(time.Unix(0, l.until.Load())), l.lapsed)
	l.mu.Unlock()
	go l.renew()
}

func (l *Lease[S]) lapsed() {
	left := time.Until(time.Unix(0, l.until.Load()))
	if left <= 0 {
		l.end(ErrLapsed, true)
		return
	}
	l.mu.Lock()
	l.lapse.Reset(left)
	l.mu.Unlock()
}

// renew goes on after CheckIn, so that the account is still ours during logout.
func (l *Lease[S]) renew() {
	defer l.desk.wg.Done()
	tick := time.NewTicker(l.desk.cfg.TTL / 3)
	defer tick.Stop()
	for {
		select {
		case <-l.halt:
			return
		case <-tick.C:
		}
		until := time.Now().Add(l.desk.cfg.TTL)
		err := l.desk.books.RenewLease(l.adapter, l.account, l.fence, until)
		switch {
		case err == nil:
			l.until.Store(until.UnixNano())
		case isStale(err):
			l.end(ErrStale, true)
		}
	}
}

// end cancels the lease. With lost, the account is no longer ours either.
func (l *Lease[S]) end(cause error, lost bool) {
	l.gone.Store(true)
	l.cancel(cause)
	l.cur.Store(nil)
	d := l.desk
	d.mu.Lock()
	key := pair{l.task, l.adapter}
	if d.byTask[key] == l {
		delete(d.byTask, key)
	}
	d.mu.Unlock()
	if lost {
		l.forget()
	}
}

// forget stops renewals and lets others here ask the books for the account.
func (l *Lease[S]) forget() {
	l.halted.Do(func() {
		close(l.halt)
		l.mu.Lock()
		l.lapse.Stop()
		l.mu.Unlock()
		l.desk.mu.Lock()
		delete(l.desk.all, l)
		l.acct.busy = false
		l.desk.wakeHead(l.adapter)
		l.desk.mu.Unlock()
	})
}

// Release gives the account back and wakes the first in line. It may be called
// again. After an error the account lapses by itself; a stale lease has nothing
// to give back and is no error.
func (l *Lease[S]) Release() error {
	l.freed.Do(func() {
		l.end(ErrCheckedIn, false)
		err := l.desk.books.ReleaseLease(l.adapter, l.account, l.fence)
		if err != nil && !isStale(err) {
			l.released = err
		}
		l.forget()
	})
	return l.released
}
