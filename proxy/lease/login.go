package lease

import (
	"context"
	"sync"
	"time"
)

// Login is the right to log in with a lease's account. One caller at a time has
// it. The caller must end it with Done or Abandon on every path, best deferred;
// the first call counts.
type Login[S comparable] struct {
	lease *Lease[S]
	once  sync.Once
	done  chan struct{}
	err   error // set before done is closed
}

// Session returns the live session. If there is none, one caller gets a Login
// and the others wait for it. Session fails with *BackoffError, *BlockedError, the
// cause of the lease's end, the cause of ctx, or the error of the login that it
// waited for.
func (l *Lease[S]) Session(ctx context.Context) (s S, login *Login[S], err error) {
	for {
		if !l.Valid() {
			return s, nil, l.endCause()
		}
		if p := l.session.Load(); p != nil {
			return *p, nil, nil
		}

		l.mu.Lock()
		if l.session.Load() != nil { // a login ended meanwhile
			l.mu.Unlock()
			continue
		}
		current := l.login
		if current == nil {
			if err := l.acct.loginRefused(time.Now()); err != nil {
				l.mu.Unlock()
				return s, nil, err
			}
			login = &Login[S]{lease: l, done: make(chan struct{})}
			l.login = login
			l.mu.Unlock()
			return s, login, nil
		}
		l.mu.Unlock()

		select {
		case <-current.done:
			if current.err != nil {
				return s, nil, current.err
			}
		case <-ctx.Done():
			return s, nil, context.Cause(ctx)
		case <-l.ctx.Done():
			return s, nil, l.endCause()
		}
	}
}

func (l *Lease[S]) endCause() error {
	if err := context.Cause(l.ctx); err != nil {
		return err
	}
	return ErrLapsed
}

// Invalidate removes s if it is the current session and reports whether it was.
// A session that was made since then stays.
func (l *Lease[S]) Invalidate(s S) bool {
	p := l.session.Load()
	return p != nil && *p == s && l.session.CompareAndSwap(p, nil)
}

// GiveUp is Invalidate for a session that an answer called over. It counts
// against the account, so that pages which say so again and again cause a
// back-off and not a login each time. useful says that the session had at least
// one good answer before. why is the reason of a *BlockedError, if the account
// needs a person from now on.
func (l *Lease[S]) GiveUp(s S, useful bool, why string) bool {
	if !l.Invalidate(s) {
		return false
	}
	l.acct.sessionEnded(time.Now(), useful, why, &l.manager.cfg)
	return true
}

// LoginRefused returns the *BackoffError or *BlockedError that a login would get
// now, or nil.
func (l *Lease[S]) LoginRefused() error { return l.acct.loginRefused(time.Now()) }

// AllowLogin ends the back-off and the need of a person, because what made the
// last login fail has changed. The failures stay counted.
func (l *Lease[S]) AllowLogin() { l.acct.allowLogin() }

// WaitForLogin waits until no login is in progress. It returns the cause of ctx if
// that is done first.
func (l *Lease[S]) WaitForLogin(ctx context.Context) error {
	for {
		l.mu.Lock()
		current := l.login
		l.mu.Unlock()
		if current == nil {
			return nil
		}

		select {
		case <-current.done:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Done ends the login. If err is nil, s becomes the lease's session and the
// account's back-off ends. Otherwise the login counts as failed, and the waiting
// callers get err. A zero s without error is ErrNoSession.
func (l *Login[S]) Done(s S, err error) {
	var zero S
	if err == nil && s == zero {
		err = ErrNoSession
	}

	l.once.Do(func() {
		lease := l.lease
		if err != nil {
			lease.acct.loginFailed(time.Now(), &lease.manager.cfg)
		} else {
			lease.acct.loginSucceeded(time.Now())
		}

		lease.mu.Lock()
		if err == nil {
			lease.session.Store(&s)
		}
		l.err = err
		lease.login = nil
		lease.mu.Unlock()
		close(l.done)
	})
}

// Abandon ends the login without a verdict: no failure is counted, and one of
// the waiting callers gets the next Login.
func (l *Login[S]) Abandon() {
	l.once.Do(func() {
		l.lease.mu.Lock()
		l.lease.login = nil
		l.lease.mu.Unlock()
		close(l.done)
	})
}
