package lease

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestI5AThousandTasksShareThreeAccounts(t *testing.T) {
	store := newMemoryStore()
	managers := []*Manager[*testSession]{
		newTestManager(t, store, Config{Wait: 20 * time.Second}),
		newTestManager(t, store, Config{Wait: 20 * time.Second}),
	}
	holders := map[string]*atomic.Int32{"a": {}, "b": {}, "c": {}}

	var wg sync.WaitGroup
	for i := range 1000 {
		wg.Go(func() {
			// The second instance gets few tasks: it must poll for releases of the
			// first.
			m := managers[0]
			if i%100 == 0 {
				m = managers[1]
			}
			task := fmt.Sprint("t_", i)
			l, err := m.Checkout(context.Background(), task, "wiki", []string{"a", "b", "c"})
			if err != nil {
				t.Error(err)
				return
			}
			if n := holders[l.Account()].Add(1); n != 1 {
				t.Errorf("account %s has %d holders", l.Account(), n)
			}
			time.Sleep(100 * time.Microsecond)
			for _, l := range m.CheckIn(task) {
				holders[l.Account()].Add(-1)
				if err := l.Release(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()

	for i, m := range managers {
		if n := len(m.Leases()); n != 0 {
			t.Errorf("manager %d has %d leases after all were released", i, n)
		}
	}
}

func TestI5ALostLeaseEnds(t *testing.T) {
	for _, c := range []struct {
		name string
		lose func(s *memoryStore)
		want error
	}{
		{"another task took the account", func(s *memoryStore) { s.takeOver("wiki", "a") }, ErrStale},
		{"the store is unreachable", func(s *memoryStore) { s.fail(errors.New("disk gone")) }, ErrLapsed},
	} {
		t.Run(c.name, func(t *testing.T) {
			store := newMemoryStore()
			m := newTestManager(t, store, Config{TTL: 60 * time.Millisecond})
			l := checkOut(t, m, "t_1", "a")
			c.lose(store)

			select {
			case <-l.Context().Done():
			case <-time.After(5 * time.Second):
				t.Fatal("the lease did not end within 5s")
			}
			if got := context.Cause(l.Context()); !errors.Is(got, c.want) {
				t.Errorf("cause of the context is %v, want %v", got, c.want)
			}
			if _, login, err := l.Session(t.Context()); login != nil || !errors.Is(err, c.want) {
				t.Errorf("Session returned login %v, %v; want %v", login, err, c.want)
			}
			if err := l.Release(); err != nil {
				t.Errorf("Release returned %v, want nil", err)
			}
		})
	}
}

func TestTheLeaseIsRenewedUntilItsRelease(t *testing.T) {
	m := newTestManager(t, newMemoryStore(), Config{TTL: 300 * time.Millisecond, Wait: time.Millisecond})
	l := checkOut(t, m, "t_1", "a")
	m.CheckIn("t_1")
	time.Sleep(700 * time.Millisecond) // two TTLs, as if the logout took so long

	_, err := m.Checkout(t.Context(), "t_2", "wiki", []string{"a"})
	var none *NoneFreeError
	if !errors.As(err, &none) || none.Accounts != 1 {
		t.Fatalf("Checkout during the logout returned %v, want *NoneFreeError for 1 account", err)
	}

	if err := l.Release(); err != nil {
		t.Fatal(err)
	}
	checkOut(t, m, "t_2", "a")
}

func TestCloseLeavesTheAccountsToTheNextManager(t *testing.T) {
	store := newMemoryStore()
	config := Config{Wait: time.Millisecond, TTL: time.Hour}
	first := NewManager[*testSession](store, config)
	l := checkOut(t, first, "t_1", "a")

	first.Close()
	if cause := context.Cause(l.Context()); l.Valid() || !errors.Is(cause, ErrClosed) {
		t.Errorf("after Close the lease is valid %v with cause %v, want false and ErrClosed", l.Valid(), cause)
	}

	next := newTestManager(t, store, config)
	if _, err := next.Checkout(t.Context(), "t_2", "wiki", []string{"a"}); err == nil {
		t.Error("another task got the account")
	}
	if _, err := next.Checkout(t.Context(), "t_1", "wiki", []string{"a"}); err != nil {
		t.Errorf("Checkout of the same task returned %v, want its account", err)
	}
}

func TestOneTaskGetsOneAccount(t *testing.T) {
	m := newTestManager(t, newMemoryStore(), Config{})
	leases := make([]*Lease[*testSession], 32)
	var wg sync.WaitGroup
	for i := range leases {
		wg.Go(func() { leases[i], _ = m.Checkout(context.Background(), "t_1", "wiki", []string{"a", "b"}) })
	}
	wg.Wait()
	for i, l := range leases {
		if l == nil || l != leases[0] {
			t.Fatalf("Checkout %d returned another lease than Checkout 0", i)
		}
	}
}

// TestI5RandomCheckoutsAndCheckIns compares the manager with a model.
func TestI5RandomCheckoutsAndCheckIns(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := NewManager[*testSession](newMemoryStore(), Config{Wait: time.Millisecond, TTL: time.Hour})
		defer m.Close()
		held := map[string]*Lease[*testSession]{} // by account
		tasks := rapid.SampledFrom([]string{"t_1", "t_2", "t_3", "t_4"})
		var highestFence uint64

		rt.Repeat(map[string]func(*rapid.T){
			"check out": func(rt *rapid.T) {
				l, err := m.Checkout(context.Background(), tasks.Draw(rt, "task"), "wiki", []string{"a", "b"})
				var none *NoneFreeError
				if errors.As(err, &none) && len(held) == 2 {
					return
				}
				if err != nil {
					rt.Fatalf("with %d accounts held Checkout returned %v", len(held), err)
				}
				old := held[l.Account()]
				if old != nil && old != l {
					rt.Fatalf("account %s has two holders", l.Account())
				}
				if old == nil && l.Fence() <= highestFence {
					rt.Fatalf("fence %d after %d", l.Fence(), highestFence)
				}
				highestFence = max(highestFence, l.Fence())
				held[l.Account()] = l
			},
			"check in": func(rt *rapid.T) {
				for _, l := range m.CheckIn(tasks.Draw(rt, "task")) {
					if l.Valid() || l.Context().Err() == nil {
						rt.Fatal("the lease is valid after CheckIn")
					}
					for range 2 { // the second call does nothing
						if err := l.Release(); err != nil {
							rt.Fatalf("Release returned %v", err)
						}
					}
					delete(held, l.Account())
				}
			},
			"": func(rt *rapid.T) {
				if n := len(m.Leases()); n != len(held) {
					rt.Fatalf("the manager has %d leases, want %d", n, len(held))
				}
			},
		})
	})
}

func TestAHeldSessionCostsNoAllocation(t *testing.T) {
	m := newTestManager(t, newMemoryStore(), Config{})
	beginLogin(t, checkOut(t, m, "t_1", "a")).Done(&testSession{}, nil)

	accounts, ctx := []string{"a"}, context.Background()
	n := testing.AllocsPerRun(1000, func() {
		l, _ := m.Checkout(ctx, "t_1", "wiki", accounts)
		_, _, _ = l.Session(ctx)
	})
	if n != 0 {
		t.Errorf("Checkout and Session made %v allocations, want 0", n)
	}
}

func BenchmarkHeldCheckoutAndSession(b *testing.B) {
	m := newTestManager(b, newMemoryStore(), Config{})
	beginLogin(b, checkOut(b, m, "t_1", "a")).Done(&testSession{}, nil)

	accounts, ctx := []string{"a"}, context.Background()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			l, _ := m.Checkout(ctx, "t_1", "wiki", accounts)
			_, _, _ = l.Session(ctx)
		}
	})
}
