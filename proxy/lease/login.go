package lease

import (
	"context"
	"sync"
	"time"
)

// Login is the right to log in with a lease's account. One caller at a time has
// it. The caller must end it with Done, Resume, Fail, Block or Abandon on every
// path, best deferred; the first call counts.
type Login[S comparable] struct {
	lease *Lease[S]
	once  sync.Once
	done  chan struct{}
	err   error  // set before done is closed
	with  string // see UseInputs
	begun bool   // see Begin
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
			if err := l.acct.loginRefused(time.Now(), l.key.task); err != nil {
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

// IsCurrent reports whether s is the lease's session.
func (l *Lease[S]) IsCurrent(s S) bool {
	p := l.session.Load()
	return p != nil && *p == s
}

// Invalidate removes s if it is the current session and reports whether it was.
// A session that was made since then stays.
func (l *Lease[S]) Invalidate(s S) bool {
	p := l.session.Load()
	return p != nil && *p == s && l.session.CompareAndSwap(p, nil)
}

// GiveUp is Invalidate for a session that an answer called over. It counts
// against the task, so that pages which say so again and again cause a back-off
// and not a login each time. useful says that the session had at least one good
// answer before. why is the reason of a *BlockedError, if no login is tried any
// more. The error says that the count could not be stored.
func (l *Lease[S]) GiveUp(s S, useful bool, why string) (was bool, err error) {
	if !l.Invalidate(s) {
		return false, nil
	}
	return true, l.acct.update(func(h *history, now time.Time) {
		h.sessionEnded(now, l.key.task, useful, why, l.acct.cfg)
	})
}

// NoteUseful notes that a session has had its first good answer.
func (l *Lease[S]) NoteUseful() error {
	return l.acct.update(func(h *history, _ time.Time) { h.sessionUseful(l.key.task) })
}

// IsSuspect reports whether the task's last session was given up without one good
// answer.
func (l *Lease[S]) IsSuspect() bool {
	l.acct.mu.Lock()
	defer l.acct.mu.Unlock()
	c := &l.acct.history.Claims
	return c.Task == l.key.task && c.Useless > 0
}

// LoginRefused returns the *BackoffError or *BlockedError that a login would get
// now, or nil.
func (l *Lease[S]) LoginRefused() error { return l.acct.loginRefused(time.Now(), l.key.task) }

// Inputs returns what the newest login with the account was made with, as
// [Login.UseInputs] was told, also before a restart. It is empty if nothing is
// known.
func (l *Lease[S]) Inputs() string {
	l.acct.mu.Lock()
	defer l.acct.mu.Unlock()
	return l.acct.history.With
}

// AllowLogin ends the back-off and the need of a person, because what made the
// last login fail has changed. The error says that this could not be stored.
func (l *Lease[S]) AllowLogin() error { return l.acct.allowLogin() }

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

// UseInputs says what the login is made with, for [Lease.Inputs]: a text that
// changes whenever the secret or the recipe does, and holds no secret. It is stored
// with what the login shows.
func (l *Login[S]) UseInputs(with string) { l.with = with }

// Begin stores that a secret is about to be sent. It must return nil first: if the
// process is killed before the verdict, the next one counts the login as failed.
func (l *Login[S]) Begin() error {
	l.begun = true
	return l.lease.acct.update(func(h *history, _ time.Time) {
		h.With = l.with
		h.Trying = true
	})
}

// Done ends the login. If err is nil, s becomes the lease's session and the
// account's back-off ends. Otherwise the application has refused the login: the
// waiting callers get err, and the next login waits for long. A zero s without
// error is ErrNoSession. The returned error says that this could not be stored; it
// holds in this process all the same, and so it is for Fail and Block.
func (l *Login[S]) Done(s S, err error) error {
	var zero S
	if err == nil && s == zero {
		err = ErrNoSession
	}
	return l.end(s, err, func(h *history, now time.Time) {
		h.With = l.with
		if err != nil {
			h.loginRefusedByApplication(now, l.lease.acct.cfg)
		} else {
			h.loginSucceeded(now)
		}
	})
}

// Resume ends the login with a session that was made before a restart.
func (l *Login[S]) Resume(s S) {
	_ = l.end(s, nil, func(*history, time.Time) {})
}

// Fail ends the login with an error that says nothing about the secret. The next
// login waits shortly, and until notBefore if that is not zero.
func (l *Login[S]) Fail(err error, notBefore time.Time) error {
	var none S
	return l.end(none, err, func(h *history, now time.Time) {
		h.With = l.with
		h.loginFailed(now, notBefore, l.lease.acct.cfg)
	})
}

// Block ends a login that succeeded and made a session which was over at once. No
// login is tried for any task until a person has acted. The waiting callers get the
// *BlockedError that Block returns.
func (l *Login[S]) Block(why string) (blocked *BlockedError, err error) {
	var none S
	blocked = &BlockedError{Why: why}
	return blocked, l.end(none, blocked, func(h *history, now time.Time) {
		h.With = l.with
		h.loginSucceeded(now)
		h.Blocked = why
	})
}

// Abandon ends the login without a verdict: no failure is counted, and one of
// the waiting callers gets the next Login.
func (l *Login[S]) Abandon() {
	var none S
	_ = l.end(none, nil, func(h *history, _ time.Time) {
		if l.begun {
			h.Trying = false
		}
	})
}

// end ends the login once: the change is stored, s becomes the session if it is not
// zero, and the waiting callers go on.
func (l *Login[S]) end(s S, err error, change func(*history, time.Time)) (notStored error) {
	l.once.Do(func() {
		notStored = l.lease.acct.update(change)

		var zero S
		lease := l.lease
		lease.mu.Lock()
		if s != zero && err == nil {
			lease.session.Store(&s)
		}
		l.err = err
		lease.login = nil
		lease.mu.Unlock()
		close(l.done)
	})
	return notStored
}
