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
		{"done", func(t *Login[*testSession]) { _ = t.Done(nil, failed) }, failed},
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
