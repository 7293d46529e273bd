package lease

import (
	"context"
	"slices"
	"time"
)

// recheck is how often the first in line looks at the books again: a release
// by another instance wakes nobody here.
const recheck = 250 * time.Millisecond

// waitInLine is first come, first served per adapter: only the head of the
// line asks the books.
func (d *Manager[S]) waitInLine(ctx context.Context, key pair, mine *checkout, accounts []string) (*Lease[S], error) {
	began := time.Now()
	late := time.NewTimer(d.cfg.Wait)
	defer late.Stop()
	again := time.NewTicker(recheck)
	defer again.Stop()
	me := make(chan struct{}, 1)
	d.mu.Lock()
	d.queues[key.b] = append(d.queues[key.b], me)
	d.mu.Unlock()
	defer d.leaveLine(key.b, me)
	for {
		d.mu.RLock()
		ended, closed, head := mine.ended, d.closed, d.queues[key.b][0] == me
		d.mu.RUnlock()
		switch {
		case closed:
			return nil, ErrClosed
		case ended:
			return nil, ErrCheckedIn
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case head:
			if l, err := d.tryAll(key, mine, accounts); l != nil || err != nil {
				return l, err
			}
		}
		select {
		case <-me:
		case <-again.C:
		case <-d.stop:
		case <-ctx.Done():
		case <-late.C:
			return nil, &ErrNoneFree{Accounts: len(accounts), Waited: time.Since(began)}
		}
	}
}

func (d *Manager[S]) leaveLine(adapter string, me chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	q := d.queues[adapter]
	i := slices.Index(q, me)
	q = slices.Delete(q, i, i+1)
	d.queues[adapter] = q
	if len(q) == 0 {
		delete(d.queues, adapter)
	} else {
		d.nudge(q[0])
	}
}

// wake asks everyone in the adapter's line to look; d.mu is held.
func (d *Manager[S]) wake(adapter string) {
	for _, c := range d.queues[adapter] {
		d.nudge(c)
	}
}

// wakeHead asks the first in line to look; d.mu is held.
func (d *Manager[S]) wakeHead(adapter string) {
	if q := d.queues[adapter]; len(q) > 0 {
		d.nudge(q[0])
	}
}

func (d *Manager[S]) nudge(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// tryAll asks the books for each account that is free here, best first.
func (d *Manager[S]) tryAll(key pair, mine *checkout, accounts []string) (*Lease[S], error) {
	asked := make(map[string]bool, len(accounts))
	for {
		name, acct := d.pick(key.b, accounts, asked)
		if acct == nil {
			return nil, nil
		}
		asked[name] = true
		until := time.Now().Add(d.cfg.TTL)
		fence, err := d.books.AcquireLease(key.b, name, key.a, until)
		if err == nil {
			return d.admit(key, mine, name, acct, fence, until)
		}
		d.mu.Lock()
		acct.busy = false
		d.mu.Unlock()
		if !isHeld(err) {
			return nil, err
		}
	}
}

// pick marks the best account busy: one without back-off, then the one that
// has rested longest.
func (d *Manager[S]) pick(adapter string, names []string, asked map[string]bool) (string, *account) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	var best *account
	var bestName string
	var bestPaused bool
	for _, n := range names {
		k := pair{adapter, n}
		a := d.accounts[k]
		if a == nil {
			a = &account{}
			d.accounts[k] = a
		}
		if a.busy || asked[n] {
			continue
		}
		paused := a.paused(now)
		if best == nil || (bestPaused && !paused) || (bestPaused == paused && a.used < best.used) {
			best, bestName, bestPaused = a, n, paused
		}
	}
	if best != nil {
		d.turns++
		best.busy, best.used = true, d.turns
	}
	return bestName, best
}

// admit enters the lease, unless its task or the desk ended while the books
// were asked: then the account goes back.
func (d *Manager[S]) admit(key pair, mine *checkout, name string, acct *account, fence uint64, until time.Time) (*Lease[S], error) {
	l := newLease(d, key, name, acct, fence, until)
	d.mu.Lock()
	d.all[l] = struct{}{}
	refused := error(nil)
	if mine.ended {
		refused = ErrCheckedIn
	} else if d.closed {
		refused = ErrClosed
	} else {
		d.byTask[key] = l
	}
	d.wg.Add(1)
	d.mu.Unlock()
	l.start()
	if refused != nil {
		l.end(refused, false)
		_ = l.Release() // what the books cannot be told lapses by itself
		return nil, refused
	}
	return l, nil
}
