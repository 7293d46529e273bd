package lease

import (
	"context"
	"slices"
	"time"
)

// pollInterval is how often the first checkout of a queue asks the store again:
// a release by another instance wakes no checkout here.
const pollInterval = 250 * time.Millisecond

// waitForAccount queues for an account of the adapter, first come first served:
// only the first checkout of the queue asks the store.
func (m *Manager[S]) waitForAccount(ctx context.Context, key taskKey, c *checkout, accounts []string) (*Lease[S], error) {
	began := time.Now()
	timeout := time.NewTimer(m.cfg.Wait)
	defer timeout.Stop()
	poll := time.NewTicker(pollInterval)
	defer poll.Stop()

	wake := make(chan struct{}, 1)
	m.mu.Lock()
	m.queues[key.adapter] = append(m.queues[key.adapter], wake)
	m.mu.Unlock()
	defer m.leaveQueue(key.adapter, wake)

	for {
		m.mu.RLock()
		checkedIn := c.checkedIn
		closed := m.closed
		isFirst := m.queues[key.adapter][0] == wake
		m.mu.RUnlock()

		switch {
		case closed:
			return nil, ErrClosed
		case checkedIn:
			return nil, ErrCheckedIn
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case isFirst:
			l, err := m.acquireAny(key, c, accounts)
			if l != nil || err != nil {
				return l, err
			}
		}

		select {
		case <-wake:
		case <-poll.C:
		case <-m.stop:
		case <-ctx.Done():
		case <-timeout.C:
			return nil, &NoneFreeError{Accounts: len(accounts), Waited: time.Since(began)}
		}
	}
}

func (m *Manager[S]) leaveQueue(adapter string, wake chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()

	q := m.queues[adapter]
	i := slices.Index(q, wake)
	q = slices.Delete(q, i, i+1)
	m.queues[adapter] = q
	if len(q) == 0 {
		delete(m.queues, adapter)
		return
	}
	send(q[0])
}

// wakeAll wakes every checkout in the adapter's queue. m.mu is held.
func (m *Manager[S]) wakeAll(adapter string) {
	for _, wake := range m.queues[adapter] {
		send(wake)
	}
}

// wakeFirst wakes the first checkout in the adapter's queue. m.mu is held.
func (m *Manager[S]) wakeFirst(adapter string) {
	if q := m.queues[adapter]; len(q) > 0 {
		send(q[0])
	}
}

// send wakes a checkout, which may have been woken already.
func send(wake chan struct{}) {
	select {
	case wake <- struct{}{}:
	default:
	}
}

// acquireAny asks the store for each account that is free in this instance, the
// best first. It returns nil, nil if other tasks have all of them.
func (m *Manager[S]) acquireAny(key taskKey, c *checkout, accounts []string) (*Lease[S], error) {
	asked := make(map[string]bool, len(accounts))
	for {
		name, acct := m.pickAccount(key, accounts, asked)
		if acct == nil {
			return nil, nil
		}
		asked[name] = true

		until := time.Now().Add(m.cfg.TTL)
		fence, err := m.store.AcquireLease(key.adapter, name, key.task, until)
		if err == nil {
			return m.addLease(key, c, name, acct, fence, until)
		}
		m.mu.Lock()
		acct.busy = false
		m.mu.Unlock()
		if !isHeld(err) {
			return nil, err
		}
	}
}

// pickAccount returns the best account that is free in this instance and was not
// asked for, and marks it busy. An account without back-off comes before one
// with it; of equals, the one that was used least recently. It returns nil if
// there is none.
func (m *Manager[S]) pickAccount(key taskKey, names []string, asked map[string]bool) (string, *account) {
	m.mu.Lock()
	defer m.mu.Unlock()

	now := time.Now()
	var best *account
	var bestName string
	var bestPaused bool
	for _, name := range names {
		a := m.accountOf(accountKey{key.adapter, name})
		if a.busy || asked[name] {
			continue
		}
		paused := a.loginRefused(now, key.task) != nil
		if best == nil || bestPaused && !paused || bestPaused == paused && a.lastUse < best.lastUse {
			best, bestName, bestPaused = a, name, paused
		}
	}

	if best != nil {
		m.uses++
		best.lastUse = m.uses
		best.busy = true
	}
	return bestName, best
}

// addLease adds a lease that the store has granted. If the task was checked in
// or the manager closed meanwhile, the account goes back.
func (m *Manager[S]) addLease(key taskKey, c *checkout, name string, acct *account, fence uint64, until time.Time) (*Lease[S], error) {
	l := newLease(m, key, name, acct, fence, until)

	var refused error
	m.mu.Lock()
	m.all[l] = struct{}{}
	switch {
	case c.checkedIn:
		refused = ErrCheckedIn
	case m.closed:
		refused = ErrClosed
	default:
		m.byTask[key] = l
	}
	m.wg.Add(1)
	m.mu.Unlock()

	l.start()
	if refused != nil {
		l.end(refused, false)
		_ = l.Release() // on error the lease lapses
		return nil, refused
	}
	return l, nil
}
