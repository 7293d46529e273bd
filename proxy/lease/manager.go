// Package lease knows which task holds which account now, and keeps the upstream
// session that was opened with the account.
//
// A [Store] decides who holds an account, across all instances. A [Manager]
// knows the leases of its instance: it renews them and gives accounts to waiting
// tasks in order. A [Lease] lets one caller at a time log in.
package lease

import (
	"context"
	"sync"
	"time"
)

// Store keeps the leases of all instances. Its methods may be called
// concurrently. An error with a method Held that returns true means that another
// task has the account; one with a method Stale that returns true means that the
// fence is no longer the account's.
type Store interface {
	// AcquireLease gives the account to the task until then, under a fence that is
	// higher than any before.
	AcquireLease(adapter, account, task string, until time.Time) (fence uint64, err error)
	// RenewLease sets a new end.
	RenewLease(adapter, account string, fence uint64, until time.Time) error
	// ReleaseLease frees the account.
	ReleaseLease(adapter, account string, fence uint64) error

	// PutLogins keeps a document about the logins with an account, durably.
	PutLogins(adapter, account string, doc []byte) error
	// Logins calls visit with each document that was put last.
	Logins(visit func(adapter, account string, doc []byte)) error
}

// taskKey names what a task can hold: one account of each adapter.
type taskKey struct{ task, adapter string }

// accountKey names an account.
type accountKey struct{ adapter, name string }

// Manager gives accounts to tasks. S is the session, usually a pointer. All
// methods may be called concurrently.
type Manager[S comparable] struct {
	store Store
	cfg   Config
	stop  chan struct{}  // closed by Close
	wg    sync.WaitGroup // renewals and checkouts in progress

	mu       sync.RWMutex // guards what follows; not held while the store is called
	closed   bool
	byTask   map[taskKey]*Lease[S]      // leases that are in use
	all      map[*Lease[S]]struct{}     // byTask, and leases that were checked in but not released
	accounts map[accountKey]*account    // every account that was ever asked for
	pending  map[taskKey]*checkout      // checkouts in progress
	queues   map[string][]chan struct{} // waiting checkouts by adapter, first come first
	uses     uint64                     // how often an account was picked
}

// checkout is a checkout in progress, which other requests of the task wait for.
type checkout struct {
	done chan struct{}
	// err is set before done is closed. It is nil if there is a lease, or if the
	// request that led the checkout gave up: then a waiting request leads.
	err error
	// checkedIn is set if the task was checked in meanwhile. Guarded by
	// Manager.mu.
	checkedIn bool
}

// NewManager returns a manager of the leases in the store. Close it when done.
func NewManager[S comparable](store Store, cfg Config) *Manager[S] {
	cfg.SetDefaults()
	return &Manager[S]{
		store:    store,
		cfg:      cfg,
		stop:     make(chan struct{}),
		byTask:   map[taskKey]*Lease[S]{},
		all:      map[*Lease[S]]struct{}{},
		accounts: map[accountKey]*account{},
		pending:  map[taskKey]*checkout{},
		queues:   map[string][]chan struct{}{},
	}
}

// Checkout returns the task's lease at the adapter. If the task has none, it
// takes a free one of the accounts, or waits in a queue for up to Config.Wait.
// It fails with *NoneFreeError, ErrCheckedIn, ErrClosed, the cause of ctx, or an
// error of the store. Concurrent calls for one task return one lease.
func (m *Manager[S]) Checkout(ctx context.Context, task, adapter string, accounts []string) (*Lease[S], error) {
	key := taskKey{task, adapter}
	for {
		m.mu.RLock()
		l := m.byTask[key]
		m.mu.RUnlock()
		if l != nil && l.Valid() {
			return l, nil
		}
		if l != nil {
			l.end(ErrLapsed, true)
		}

		m.mu.Lock()
		if m.closed {
			m.mu.Unlock()
			return nil, ErrClosed
		}
		if m.byTask[key] != nil {
			m.mu.Unlock()
			continue
		}
		leader := m.pending[key]
		if leader == nil {
			own := &checkout{done: make(chan struct{})}
			m.pending[key] = own
			m.wg.Add(1)
			m.mu.Unlock()
			return m.leadCheckout(ctx, key, own, accounts)
		}
		m.mu.Unlock()

		select {
		case <-leader.done:
			if leader.err != nil {
				return nil, leader.err
			}
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// leadCheckout checks out for all requests of the task that arrive meanwhile.
func (m *Manager[S]) leadCheckout(ctx context.Context, key taskKey, c *checkout, accounts []string) (*Lease[S], error) {
	defer m.wg.Done()
	defer func() {
		m.mu.Lock()
		delete(m.pending, key)
		m.mu.Unlock()
		close(c.done)
	}()

	l, err := m.waitForAccount(ctx, key, c, accounts)
	if ctx.Err() == nil {
		c.err = err
	}
	return l, err
}

// CheckIn ends the task's leases and returns them: their contexts are cancelled
// and they give no session. The accounts stay taken until the caller calls
// Release, so that it can log out first. A checkout in progress for the task
// fails with ErrCheckedIn.
func (m *Manager[S]) CheckIn(task string) []*Lease[S] {
	m.mu.Lock()
	var leases []*Lease[S]
	for key, l := range m.byTask {
		if key.task == task {
			leases = append(leases, l)
			delete(m.byTask, key)
		}
	}
	for key, c := range m.pending {
		if key.task == task {
			c.checkedIn = true
			m.wakeAll(key.adapter)
		}
	}
	m.mu.Unlock()

	for _, l := range leases {
		l.end(ErrCheckedIn, false)
	}
	return leases
}

// Leases returns the leases of this manager, in no order, also those that were
// checked in but not released.
func (m *Manager[S]) Leases() []*Lease[S] {
	m.mu.RLock()
	defer m.mu.RUnlock()
	leases := make([]*Lease[S], 0, len(m.all))
	for l := range m.all {
		leases = append(leases, l)
	}
	return leases
}

// Restore reads what earlier runs have learned about logins. It must be called
// before the first Checkout. A document that cannot be read blocks its account: a
// login could be one too many.
func (m *Manager[S]) Restore() error {
	now := time.Now()
	return m.store.Logins(func(adapter, name string, doc []byte) {
		m.mu.Lock()
		defer m.mu.Unlock()
		a := m.accountOf(accountKey{adapter, name})
		if err := a.history.restore(doc, now, &m.cfg); err != nil {
			a.history = history{Blocked: "what is stored about its logins cannot be read"}
		}
	})
}

// accountOf returns the account, which the first call creates. m.mu is held.
func (m *Manager[S]) accountOf(key accountKey) *account {
	a := m.accounts[key]
	if a == nil {
		a = &account{key: key, store: m.store, cfg: &m.cfg}
		m.accounts[key] = a
	}
	return a
}

// AllowLogin is [Lease.AllowLogin] for an account that no task may hold. It
// reports whether a login with the account would have been refused.
func (m *Manager[S]) AllowLogin(adapter, name string) (was bool, err error) {
	m.mu.RLock()
	a := m.accounts[accountKey{adapter, name}]
	m.mu.RUnlock()
	if a == nil {
		return false, nil
	}

	a.mu.Lock()
	task := a.history.Claims.Task
	was = a.history.loginRefused(time.Now(), task) != nil
	a.mu.Unlock()
	return was, a.allowLogin()
}

// Refused is an account with which no login is tried now.
type Refused struct {
	Adapter, Account string
	Inputs           string // see Lease.Inputs
	Err              error  // *BackoffError or *BlockedError
}

// Refused returns the accounts with which no login is tried now, in no order, for
// no task or for the one that holds them here.
func (m *Manager[S]) Refused() (refused []Refused) {
	m.mu.RLock()
	defer m.mu.RUnlock()

	holders := map[accountKey]string{}
	for l := range m.all {
		holders[accountKey{l.key.adapter, l.account}] = l.key.task
	}
	now := time.Now()
	for key, a := range m.accounts {
		a.mu.Lock()
		err := a.history.loginRefused(now, holders[key])
		with := a.history.With
		a.mu.Unlock()
		if err != nil {
			refused = append(refused, Refused{key.adapter, key.name, with, err})
		}
	}
	return refused
}

// Close ends every lease with ErrClosed and waits until renewals and checkouts
// have ended. It releases nothing in the store: a living task, and a session
// that was not logged out, keep their account for the next manager until the
// lease lapses.
func (m *Manager[S]) Close() {
	m.mu.Lock()
	if !m.closed {
		m.closed = true
		close(m.stop)
	}
	m.mu.Unlock()

	for _, l := range m.Leases() {
		l.end(ErrClosed, true)
	}
	m.wg.Wait()
}
