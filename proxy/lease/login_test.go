package lease

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestAnEndedSessionCausesOneLogin(t *testing.T) {
	m := newTestManager(t, newMemoryStore(), Config{})
	l := checkOut(t, m, "t_1", "a")
	ended := &testSession{1}
	beginLogin(t, l).Done(ended, nil)

	var logins atomic.Int32
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			l.Invalidate(ended)
			s, login, err := l.Session(context.Background())
			if login != nil {
				logins.Add(1)
				time.Sleep(5 * time.Millisecond)
				s = &testSession{2}
				login.Done(s, nil)
			}
			if err != nil || s.n != 2 {
				t.Errorf("Session returned %v, %v; want session 2", s, err)
			}
		})
	}
	wg.Wait()
	if n := logins.Load(); n != 1 {
		t.Errorf("%d logins for 32 requests, want 1", n)
	}
}

func TestAPanicInALoginFreesTheWaiters(t *testing.T) {
	failed := errors.New("the login did not finish")
	for _, c := range []struct {
		name string
		end  func(*Login[*testSession])
		want error // of the waiting caller
	}{
		{"done", func(t *Login[*testSession]) { t.Done(nil, failed) }, failed},
		{"abandon", func(t *Login[*testSession]) { t.Abandon() }, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newTestManager(t, newMemoryStore(), Config{})
			l := checkOut(t, m, "t_1", "a")
			login := beginLogin(t, l)

			waiter := make(chan error, 1)
			go func() {
				_, next, err := l.Session(context.Background())
				if next != nil {
					next.Done(&testSession{}, nil)
				}
				waiter <- err
			}()
			time.Sleep(10 * time.Millisecond)
			func() {
				defer func() { _ = recover() }()
				defer c.end(login)
				panic("in the login")
			}()

			select {
			case err := <-waiter:
				if !errors.Is(err, c.want) {
					t.Errorf("the waiting Session returned %v, want %v", err, c.want)
				}
			case <-time.After(5 * time.Second):
				t.Fatal("the waiting Session did not return within 5s")
			}
		})
	}
}

func TestALoginWithoutSessionIsAnError(t *testing.T) {
	m := newTestManager(t, newMemoryStore(), Config{BackoffMin: time.Hour, BackoffMax: time.Hour})
	l := checkOut(t, m, "t_1", "a")
	login := beginLogin(t, l)
	waiter := make(chan error, 1)
	go func() {
		_, _, err := l.Session(context.Background())
		waiter <- err
	}()
	time.Sleep(10 * time.Millisecond)

	login.Done(nil, nil)
	err := <-waiter
	var backoff *BackoffError
	if !errors.Is(err, ErrNoSession) && !errors.As(err, &backoff) { // the waiter may come late
		t.Errorf("the waiting Session returned %v, want ErrNoSession", err)
	}
}

func TestBackoffGrowsToItsLimitAndEnds(t *testing.T) {
	cfg := Config{BackoffMin: time.Second, BackoffMax: 6 * time.Second, LoginAttempts: 5}
	a, now := &account{}, time.Unix(1000, 0)
	for i, want := range []struct{ min, max time.Duration }{
		{500 * time.Millisecond, time.Second},
		{time.Second, 2 * time.Second},
		{2 * time.Second, 4 * time.Second},
		{3 * time.Second, 6 * time.Second},
		{6 * time.Second, 6 * time.Second},
		{6 * time.Second, 6 * time.Second},
	} {
		a.loginFailed(now, &cfg)
		if got := a.pause.Sub(now); got < want.min || got > want.max {
			t.Errorf("failure %d: pause %s, want %s to %s", i+1, got, want.min, want.max)
		}
	}

	a.loginSucceeded(now)
	if err := a.loginRefused(now); err != nil {
		t.Errorf("after a success: %v, want no pause", err)
	}
	a.loginFailed(now, &cfg)
	if got := a.pause.Sub(now); got > time.Second {
		t.Errorf("first failure after a success: pause %s, want at most 1s", got)
	}
}

func TestBackoffOutlivesTheLease(t *testing.T) {
	m := newTestManager(t, newMemoryStore(), Config{BackoffMin: time.Hour, BackoffMax: time.Hour})
	l := checkOut(t, m, "t_1", "a")
	beginLogin(t, l).Done(nil, errors.New("wrong password"))
	_ = l.Release()

	next := checkOut(t, m, "t_2", "a")
	_, login, err := next.Session(t.Context())
	var backoff *BackoffError
	if login != nil || !errors.As(err, &backoff) || time.Until(backoff.Until) < 29*time.Minute {
		t.Errorf("Session of the next task returned login %v, %v; want *BackoffError of 30m or more", login, err)
	}

	next.AllowLogin()
	beginLogin(t, next).Done(nil, errors.New("still wrong"))
	if next.acct.loginRefused(time.Now().Add(29*time.Minute)) == nil {
		t.Error("after another failure a login is allowed within 29m, want 30m or more")
	}
}

func TestSessionsThatEndSoonCostOneLoginThenBackoff(t *testing.T) {
	cfg := Config{BackoffMin: time.Second, BackoffMax: time.Minute}
	a, now := &account{}, time.Unix(1000, 0)

	a.loginSucceeded(now)
	a.sessionEnded(now, true, "", &cfg)
	if err := a.loginRefused(now); err != nil {
		t.Errorf("after the first session that ended: %v, want one new login", err)
	}
	for i, want := range []struct{ min, max time.Duration }{
		{500 * time.Millisecond, time.Second},
		{time.Second, 2 * time.Second},
		{2 * time.Second, 4 * time.Second},
		{4 * time.Second, 8 * time.Second},
		{8 * time.Second, 16 * time.Second},
		{16 * time.Second, 32 * time.Second},
		{30 * time.Second, time.Minute},
		{30 * time.Second, time.Minute},
	} {
		a.loginSucceeded(now)
		a.sessionEnded(now, true, "", &cfg)
		if got := a.pause.Sub(now); got < want.min || got > want.max {
			t.Errorf("session %d ended at once: pause %s, want %s to %s", i+2, got, want.min, want.max)
		}
	}

	a.loginSucceeded(now)
	now = now.Add(time.Minute)
	a.sessionEnded(now, true, "", &cfg)
	if err := a.loginRefused(now); err != nil {
		t.Errorf("after a session that lived a minute: %v, want a login at once", err)
	}
}

func TestTwoUselessSessionsNeedAPerson(t *testing.T) {
	m := newTestManager(t, newMemoryStore(), Config{})
	l := checkOut(t, m, "t_1", "a")
	for n := range 2 {
		s := &testSession{n}
		beginLogin(t, l).Done(s, nil)
		if !l.GiveUp(s, false, "the password has expired") {
			t.Fatal("the current session was not given up")
		}
		if l.GiveUp(s, false, "again") {
			t.Error("one session was given up twice")
		}
	}

	_, login, err := l.Session(t.Context())
	var blocked *BlockedError
	if login != nil || !errors.As(err, &blocked) || blocked.Why != "the password has expired" {
		t.Errorf("Session returned login %v, %v; want a BlockedError with the reason", login, err)
	}
	if r := m.Refused(); len(r) != 1 || r[0].Account != "a" {
		t.Errorf("Refused returned %v, want account a", r)
	}

	if !m.AllowLogin("wiki", "a") {
		t.Error("AllowLogin did not find the blocked account")
	}
	beginLogin(t, l)
}
