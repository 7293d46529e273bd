// Package lease knows which task holds which account now, and keeps the
// upstream session that was made from it. The books are the truth about who
// holds an account across instances; the desk remembers its own leases, renews
// them, and lets exactly one caller at a time log in.
package lease

import (
	"context"
	"sync"
	"time"
)

// Store keep the leases of all instances. The desk holds no lock during a call.
// An error with Held() true means that another task has the account, one with
// Stale() true that this fence is no longer the account's.
type Store interface {
	AcquireLease(adapter, account, task string, until time.Time) (fence uint64, err error)
	RenewLease(adapter, account string, fence uint64, until time.Time) error
	ReleaseLease(adapter, account string, fence uint64) error
}

type pair struct{ a, b string } // task and adapter, or adapter and account

// account is what outlives a lease: how logins went and when it was last used.
type account struct {
	mu    sync.Mutex
	fails int
	until time.Time

	used uint64 // the desk's mu
	busy bool   // the desk's mu: held here, or being acquired
}

type checkout struct {
	done  chan struct{}
	err   error // before done is closed; nil when only the leading request gave up
	ended bool  // the desk's mu: the task was checked in meanwhile
}

// Manager hands accounts to tasks. All methods may be called concurrently.
type Manager[S comparable] struct {
	books Store
	cfg   Config
	stop  chan struct{}
	wg    sync.WaitGroup

	mu       sync.RWMutex // never held over the books
	closed   bool
	turns    uint64
	byTask   map[pair]*Lease[S]
	all      map[*Lease[S]]struct{}
	accounts map[pair]*account
	pending  map[pair]*checkout
	queues   map[string][]chan struct{}
}

// NewManager opens a desk over the books. Close it when done.
func NewManager[S comparable](books Store, cfg Config) *Manager[S] {
	cfg.SetDefaults()
	return &Manager[S]{books: books, cfg: cfg, stop: make(chan struct{}), byTask: map[pair]*Lease[S]{}, all: map[*Lease[S]]struct{}{},
		accounts: map[pair]*account{}, pending: map[pair]*checkout{}, queues: map[string][]chan struct{}{}}
}

// Checkout returns the task's lease on the adapter, at once when it has one.
// Otherwise it takes a free account or waits in line, and ends with
// *ErrNoneFree, ErrCheckedIn, ErrClosed, the cause of ctx, or the books' error.
func (d *Manager[S]) Checkout(ctx context.Context, task, adapter string, accounts []string) (*Lease[S], error) {
	key := pair{task, adapter}
	for {
		d.mu.RLock()
		l := d.byTask[key]
		d.mu.RUnlock()
		if l != nil && l.Valid() {
			return l, nil
		}
		if l != nil {
			l.end(ErrLapsed, true)
		}
		d.mu.Lock()
		if d.closed {
			d.mu.Unlock()
			return nil, ErrClosed
		}
		if d.byTask[key] != nil {
			d.mu.Unlock()
			continue
		}
		if other := d.pending[key]; other != nil {
			d.mu.Unlock()
			select {
			case <-other.done:
				if other.err != nil {
					return nil, other.err
				}
				continue
			case <-ctx.Done():
				return nil, context.Cause(ctx)
			}
		}
		mine := &checkout{done: make(chan struct{})}
		d.pending[key] = mine
		d.wg.Add(1)
		d.mu.Unlock()
		return d.lead(ctx, key, mine, accounts)
	}
}

// lead checks out for every request of the task that arrives meanwhile.
func (d *Manager[S]) lead(ctx context.Context, key pair, mine *checkout, accounts []string) (*Lease[S], error) {
	defer d.wg.Done()
	defer func() {
		d.mu.Lock()
		delete(d.pending, key)
		d.mu.Unlock()
		close(mine.done)
	}()
	l, err := d.waitInLine(ctx, key, mine, accounts)
	if ctx.Err() == nil {
		mine.err = err
	}
	return l, err
}

// CheckIn ends the task's leases: their contexts are cancelled and they give
// no session. The accounts stay taken until Release, so that the caller can
// log out first. A checkout under way for the task fails with ErrCheckedIn.
func (d *Manager[S]) CheckIn(task string) []*Lease[S] {
	d.mu.Lock()
	var out []*Lease[S]
	for k, l := range d.byTask {
		if k.a == task {
			out = append(out, l)
			delete(d.byTask, k)
		}
	}
	for k, c := range d.pending {
		if k.a == task {
			c.ended = true
			d.wake(k.b)
		}
	}
	d.mu.Unlock()
	for _, l := range out {
		l.end(ErrCheckedIn, false)
	}
	return out
}

// Leases lists what this desk holds, in no order, checked in ones included.
func (d *Manager[S]) Leases() []*Lease[S] {
	d.mu.RLock()
	defer d.mu.RUnlock()
	out := make([]*Lease[S], 0, len(d.all))
	for l := range d.all {
		out = append(out, l)
	}
	return out
}

// Close revokes every lease here and waits for renewals and checkouts to end.
// Waiters get ErrClosed. The books are left as they are: a living task, and a
// session at the SaaS that nobody has ended yet, keep their account for the
// desk that comes next, until it lapses.
func (d *Manager[S]) Close() {
	d.mu.Lock()
	if !d.closed {
		d.closed = true
		close(d.stop)
	}
	d.mu.Unlock()
	for _, l := range d.Leases() {
		l.end(ErrClosed, true)
	}
	d.wg.Wait()
}
