package lease

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestOneEndedSessionCausesOneTurn(t *testing.T) {
	d := open(t, newLedger(), Config{})
	l := take(t, d, "t_1", "a")
	_, turn, _ := l.Session(context.Background())
	old := &sess{1}
	turn.Done(old, nil)
	var turns atomic.Int32
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			l.Invalidate(old)
			s, turn, err := l.Session(context.Background())
			if turn != nil {
				turns.Add(1)
				time.Sleep(5 * time.Millisecond)
				s = &sess{2}
				turn.Done(s, nil)
			}
			if err != nil || s.n != 2 {
				t.Errorf("got %v, %v", s, err)
			}
		})
	}
	wg.Wait()
	if n := turns.Load(); n != 1 {
		t.Errorf("%d turns", n)
	}
}

func TestPanicInATurnDoesNotWedgeWaiters(t *testing.T) {
	boom := errors.New("the login did not finish")
	for name, end := range map[string]func(*Login[*sess]){
		"done":    func(t *Login[*sess]) { t.Done(nil, boom) },
		"abandon": func(t *Login[*sess]) { t.Abandon() },
	} {
		t.Run(name, func(t *testing.T) {
			d := open(t, newLedger(), Config{})
			l := take(t, d, "t_1", "a")
			_, turn, _ := l.Session(context.Background())
			waiter := make(chan error, 1)
			go func() {
				_, next, err := l.Session(context.Background())
				if next != nil {
					next.Done(&sess{}, nil)
				}
				waiter <- err
			}()
			time.Sleep(10 * time.Millisecond)
			func() {
				defer func() { _ = recover() }()
				defer end(turn)
				panic("in the recipe")
			}()
			select {
			case err := <-waiter:
				if want := map[string]error{"done": boom}[name]; !errors.Is(err, want) {
					t.Errorf("waiter got %v, want %v", err, want)
				}
			case <-time.After(5 * time.Second):
				t.Fatal("waiter wedged")
			}
		})
	}
}

func TestBackoffGrowsCapsLocksAndResets(t *testing.T) {
	cfg := Config{BackoffMin: time.Second, BackoffMax: 6 * time.Second, LoginAttempts: 5}
	a, now := &account{}, time.Unix(1000, 0)
	for i, want := range []struct{ low, high time.Duration }{
		{500 * time.Millisecond, time.Second}, {time.Second, 2 * time.Second}, {2 * time.Second, 4 * time.Second},
		{3 * time.Second, 6 * time.Second}, {6 * time.Second, 6 * time.Second}, {6 * time.Second, 6 * time.Second},
	} {
		a.failed(now, &cfg)
		if got := a.until.Sub(now); got < want.low || got > want.high {
			t.Errorf("failure %d: pause %s, want %s to %s", i+1, got, want.low, want.high)
		}
	}
	a.succeeded()
	if a.paused(now) {
		t.Error("paused after a success")
	}
	a.failed(now, &cfg)
	if got := a.until.Sub(now); got > time.Second {
		t.Errorf("pause %s after a reset", got)
	}
}

func TestBackoffSurvivesTheLease(t *testing.T) {
	d := open(t, newLedger(), Config{BackoffMin: time.Hour, BackoffMax: time.Hour})
	l := take(t, d, "t_1", "a")
	_, turn, _ := l.Session(context.Background())
	turn.Done(nil, errors.New("wrong password"))
	_ = l.Release()
	next := take(t, d, "t_2", "a")
	_, turn, err := next.Session(context.Background())
	var pause *ErrBackoff
	if turn != nil || !errors.As(err, &pause) || time.Until(pause.Until) < 29*time.Minute {
		t.Errorf("next task got %v, %v", turn, err)
	}
	next.Retry()
	if _, turn, err = next.Session(context.Background()); turn == nil {
		t.Fatalf("after the mending got %v", err)
	}
	turn.Done(nil, errors.New("still wrong"))
	if !next.acct.paused(time.Now().Add(29 * time.Minute)) {
		t.Error("no pause after the next failure")
	}
}

func TestConfigCheckListsEveryProblem(t *testing.T) {
	var c Config
	c.SetDefaults()
	if got := c.Check(); len(got) != 0 {
		t.Errorf("defaults: %v", got)
	}
	bad := Config{Wait: -1, TTL: 1, BackoffMin: -1, BackoffMax: -2, LoginAttempts: -1}
	if got := bad.Check(); len(got) != 5 {
		t.Errorf("%d problems: %v", len(got), got)
	}
}
