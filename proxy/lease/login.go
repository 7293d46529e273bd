package lease

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// Turn is the right to log in, held by one caller at a time. End it with Done
// or Abandon, deferred, on every path; the first call counts.
type Login[S comparable] struct {
	lease *Lease[S]
	once  sync.Once
	done  chan struct{}
	err   error // before done is closed
}

// Session returns the live session, or the turn to make one, or an error:
// *ErrBackoff, the cause why the lease ended, the cause of ctx, or the error of
// the turn it waited for.
func (l *Lease[S]) Session(ctx context.Context) (s S, turn *Login[S], err error) {
	for {
		if !l.Valid() {
			return s, nil, l.why()
		}
		if p := l.cur.Load(); p != nil {
			return *p, nil, nil
		}
		l.mu.Lock()
		if l.cur.Load() != nil {
			l.mu.Unlock()
			continue
		}
		t := l.turn
		if t == nil {
			if until, paused := l.acct.pause(time.Now()); paused {
				l.mu.Unlock()
				return s, nil, &ErrBackoff{Until: until}
			}
			t = &Login[S]{lease: l, done: make(chan struct{})}
			l.turn = t
			l.mu.Unlock()
			return s, t, nil
		}
		l.mu.Unlock()
		select {
		case <-t.done:
			if t.err != nil {
				return s, nil, t.err
			}
		case <-ctx.Done():
			return s, nil, context.Cause(ctx)
		case <-l.ctx.Done():
			return s, nil, l.why()
		}
	}
}

func (l *Lease[S]) why() error {
	if err := context.Cause(l.ctx); err != nil {
		return err
	}
	return ErrLapsed
}

// Invalidate drops s if it is still the current session; a session made since
// then stays.
func (l *Lease[S]) Invalidate(s S) {
	if p := l.cur.Load(); p != nil && *p == s {
		l.cur.CompareAndSwap(p, nil)
	}
}

// Done ends the turn. With a nil err, s is the session from now on and the
// account's back-off is reset; otherwise the login counts as failed, and the
// waiters get err.
func (t *Login[S]) Done(s S, err error) {
	var zero S
	if err == nil && s == zero {
		err = ErrNoSession
	}
	t.once.Do(func() {
		l := t.lease
		if err != nil {
			l.acct.failed(time.Now(), &l.desk.cfg)
		} else {
			l.acct.succeeded()
		}
		l.mu.Lock()
		if err == nil {
			l.cur.Store(&s)
		}
		t.err, l.turn = err, nil
		l.mu.Unlock()
		close(t.done)
	})
}

// Abandon ends the turn without a login having been tried: nothing is counted,
// and a waiter takes the next turn.
func (t *Login[S]) Abandon() {
	t.once.Do(func() {
		t.lease.mu.Lock()
		t.lease.turn = nil
		t.lease.mu.Unlock()
		close(t.done)
	})
}

// Retry lifts the account's pause: what made its login fail was mended. The
// failures stay counted, so that the next one brings no shorter pause.
func (l *Lease[S]) Retry() {
	l.acct.mu.Lock()
	l.acct.until = time.Time{}
	l.acct.mu.Unlock()
}

func (a *account) paused(now time.Time) bool {
	_, p := a.pause(now)
	return p
}

func (a *account) pause(now time.Time) (time.Time, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.until, now.Before(a.until)
}

func (a *account) succeeded() {
	a.mu.Lock()
	a.fails, a.until = 0, time.Time{}
	a.mu.Unlock()
}

// failed doubles the pause up to the cap, less up to half of it by chance; from
// the last allowed attempt on, it is the whole cap.
func (a *account) failed(now time.Time, cfg *Config) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.fails++
	if a.fails >= cfg.LoginAttempts {
		a.until = now.Add(cfg.BackoffMax)
		return
	}
	pause := cfg.BackoffMin
	for i := 1; i < a.fails && pause < cfg.BackoffMax; i++ {
		pause *= 2
	}
	pause = min(pause, cfg.BackoffMax)
	a.until = now.Add(pause - rand.N(pause/2+1))
}
