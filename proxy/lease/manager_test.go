package lease

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type heldErr struct{}

func (heldErr) Error() string { return "held" }
func (heldErr) Held() bool    { return true }

type staleErr struct{}

func (staleErr) Error() string { return "stale" }
func (staleErr) Stale() bool   { return true }

// ledger are books in memory that can be told to fail.
type ledger struct {
	mu    sync.Mutex
	next  uint64
	rows  map[pair]ledgerRow
	fail  error
	renew int
}
type ledgerRow struct {
	task  string
	fence uint64
	until time.Time
}

func newLedger() *ledger { return &ledger{rows: map[pair]ledgerRow{}} }

func (b *ledger) AcquireLease(ad, ac, task string, until time.Time) (uint64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fail != nil {
		return 0, b.fail
	}
	r := b.rows[pair{ad, ac}]
	if r.task != "" && r.task != task && time.Now().Before(r.until) {
		return 0, heldErr{}
	}
	b.next++
	b.rows[pair{ad, ac}] = ledgerRow{task, b.next, until}
	return b.next, nil
}

func (b *ledger) RenewLease(ad, ac string, fence uint64, until time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fail != nil {
		return b.fail
	}
	b.renew++
	r := b.rows[pair{ad, ac}]
	if r.task == "" || r.fence != fence {
		return staleErr{}
	}
	r.until = until
	b.rows[pair{ad, ac}] = r
	return nil
}

func (b *ledger) ReleaseLease(ad, ac string, fence uint64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.rows[pair{ad, ac}]
	if r.task == "" || r.fence != fence {
		return staleErr{}
	}
	b.rows[pair{ad, ac}] = ledgerRow{fence: fence}
	return nil
}

// steal is another instance taking the account over.
func (b *ledger) steal(ad, ac string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.next++
	b.rows[pair{ad, ac}] = ledgerRow{"t_other", b.next, time.Now().Add(time.Hour)}
}

func (b *ledger) setFail(err error) { b.mu.Lock(); b.fail = err; b.mu.Unlock() }

type sess struct{ n int }

func open(t testing.TB, b Store, c Config) *Manager[*sess] {
	d := NewManager[*sess](b, c)
	t.Cleanup(d.Close)
	return d
}

func take(t testing.TB, d *Manager[*sess], task string, accounts ...string) *Lease[*sess] {
	t.Helper()
	l, err := d.Checkout(context.Background(), task, "wiki", accounts)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestI5ThousandTasksThreeAccounts(t *testing.T) {
	b := newLedger()
	desks := []*Manager[*sess]{open(t, b, Config{Wait: 20 * time.Second}), open(t, b, Config{Wait: 20 * time.Second})}
	holders := map[string]*atomic.Int32{"a": {}, "b": {}, "c": {}}
	var wg sync.WaitGroup
	for i := range 1000 {
		wg.Go(func() {
			// The second instance gets few: it can only poll for the first one's releases.
			d := desks[0]
			if i%100 == 0 {
				d = desks[1]
			}
			task := fmt.Sprint("t_", i)
			l, err := d.Checkout(context.Background(), task, "wiki", []string{"a", "b", "c"})
			if err != nil {
				t.Error(err)
				return
			}
			if n := holders[l.Account()].Add(1); n != 1 {
				t.Errorf("%d holders of %s", n, l.Account())
			}
			time.Sleep(100 * time.Microsecond)
			for _, l := range d.CheckIn(task) {
				holders[l.Account()].Add(-1)
				if err := l.Release(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for _, d := range desks {
		if n := len(d.Leases()); n != 0 {
			t.Errorf("%d leases left", n)
		}
	}
}

func TestI5StaleAndLapsedHoldersAreRevoked(t *testing.T) {
	for _, c := range []struct {
		name   string
		happen func(b *ledger)
		cause  error
	}{
		{"taken over", func(b *ledger) { b.steal("wiki", "a") }, ErrStale},
		{"books unreachable", func(b *ledger) { b.setFail(errors.New("disk gone")) }, ErrLapsed},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newLedger()
			d := open(t, b, Config{TTL: 60 * time.Millisecond})
			l := take(t, d, "t_1", "a")
			c.happen(b)
			select {
			case <-l.Context().Done():
			case <-time.After(5 * time.Second):
				t.Fatal("never revoked")
			}
			if got := context.Cause(l.Context()); !errors.Is(got, c.cause) {
				t.Errorf("cause %v, want %v", got, c.cause)
			}
			if _, turn, err := l.Session(context.Background()); turn != nil || !errors.Is(err, c.cause) {
				t.Errorf("session of a lost lease: %v, %v", turn, err)
			}
			if err := l.Release(); err != nil {
				t.Errorf("release of a lost lease: %v", err)
			}
		})
	}
}

func TestHeartbeatKeepsTheLeaseUntilRelease(t *testing.T) {
	b := newLedger()
	d := open(t, b, Config{TTL: 300 * time.Millisecond, Wait: time.Millisecond})
	l := take(t, d, "t_1", "a")
	d.CheckIn("t_1")
	time.Sleep(700 * time.Millisecond) // two lifetimes, logging out
	_, err := d.Checkout(context.Background(), "t_2", "wiki", []string{"a"})
	var none *ErrNoneFree
	if !errors.As(err, &none) || none.Accounts != 1 {
		t.Fatalf("account was not kept during logout: %v", err)
	}
	if err := l.Release(); err != nil {
		t.Fatal(err)
	}
	take(t, d, "t_2", "a")
}

func TestWaitersAreServedInOrder(t *testing.T) {
	d := open(t, newLedger(), Config{})
	l := take(t, d, "t_0", "a")
	order := make(chan int, 20)
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			l, err := d.Checkout(context.Background(), fmt.Sprint("w", i), "wiki", []string{"a"})
			if err != nil {
				t.Error(err)
				return
			}
			order <- i
			_ = l.Release()
		})
		for d.waiting("wiki") != i+1 {
			time.Sleep(100 * time.Microsecond)
		}
	}
	_ = l.Release()
	wg.Wait()
	for i := range 20 {
		if got := <-order; got != i {
			t.Fatalf("place %d went to %d", i, got)
		}
	}
}

func (d *Manager[S]) waiting(adapter string) int {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return len(d.queues[adapter])
}

func TestCloseLeavesTheStoreToTheNextManager(t *testing.T) {
	b := newLedger()
	d := NewManager[*sess](b, Config{Wait: time.Millisecond, TTL: time.Hour})
	l, err := d.Checkout(context.Background(), "t_1", "wiki", []string{"a"})
	if err != nil {
		t.Fatal(err)
	}
	d.Close()
	if l.Valid() || !errors.Is(context.Cause(l.Context()), ErrClosed) {
		t.Errorf("the lease goes on: %v", context.Cause(l.Context()))
	}
	d = NewManager[*sess](b, Config{Wait: time.Millisecond, TTL: time.Hour})
	defer d.Close()
	if _, err := d.Checkout(context.Background(), "t_2", "wiki", []string{"a"}); err == nil {
		t.Error("another task has the account")
	}
	if _, err := d.Checkout(context.Background(), "t_1", "wiki", []string{"a"}); err != nil {
		t.Errorf("the task does not get its account back: %v", err)
	}
}

func TestCheckInMeetsCheckout(t *testing.T) {
	d := open(t, newLedger(), Config{})
	l := take(t, d, "t_0", "a")
	got := make(chan error, 1)
	go func() {
		_, err := d.Checkout(context.Background(), "t_1", "wiki", []string{"a"})
		got <- err
	}()
	for d.waiting("wiki") != 1 {
		time.Sleep(100 * time.Microsecond)
	}
	d.CheckIn("t_1")
	if err := <-got; !errors.Is(err, ErrCheckedIn) {
		t.Fatal(err)
	}
	_ = l.Release()
	take(t, d, "t_2", "a")
}

func TestOneTaskTakesOneAccount(t *testing.T) {
	d := open(t, newLedger(), Config{})
	got := make([]*Lease[*sess], 32)
	var wg sync.WaitGroup
	for i := range got {
		wg.Go(func() { got[i], _ = d.Checkout(context.Background(), "t_1", "wiki", []string{"a", "b"}) })
	}
	wg.Wait()
	for _, l := range got {
		if l == nil || l != got[0] {
			t.Fatal("one task, two leases")
		}
	}
}

func TestFreeAccountsRotateAndBackoffComesLast(t *testing.T) {
	d := open(t, newLedger(), Config{BackoffMin: time.Hour, BackoffMax: time.Hour})
	var seen string
	for i := range 6 {
		l := take(t, d, fmt.Sprint("t_", i), "a", "b", "c")
		seen += l.Account()
		_ = l.Release()
	}
	if seen != "abcabc" {
		t.Errorf("rotation %q", seen)
	}
	l := take(t, d, "t_bad", "a")
	_, turn, _ := l.Session(context.Background())
	turn.Done(nil, errors.New("wrong password"))
	_ = l.Release()
	for i := range 4 {
		l := take(t, d, fmt.Sprint("u_", i), "a", "b", "c")
		if l.Account() == "a" {
			t.Error("took the account in back-off though others were free")
		}
		_ = l.Release()
	}
}

func TestI5Machine(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		b := newLedger()
		d := NewManager[*sess](b, Config{Wait: time.Millisecond, TTL: time.Hour})
		defer d.Close()
		held := map[string]*Lease[*sess]{} // by account
		tasks := rapid.SampledFrom([]string{"t_1", "t_2", "t_3", "t_4"})
		var top uint64
		rt.Repeat(map[string]func(*rapid.T){
			"checkout": func(rt *rapid.T) {
				task := tasks.Draw(rt, "task")
				l, err := d.Checkout(context.Background(), task, "wiki", []string{"a", "b"})
				var none *ErrNoneFree
				if errors.As(err, &none) && len(held) == 2 {
					return
				}
				if err != nil {
					rt.Fatalf("with %d held: %v", len(held), err)
				}
				old := held[l.Account()]
				if old != nil && old != l {
					rt.Fatalf("%s has two holders", l.Account())
				}
				if old == nil && l.Fence() <= top {
					rt.Fatalf("fence %d after %d", l.Fence(), top)
				}
				top = max(top, l.Fence())
				held[l.Account()] = l
			},
			"check in": func(rt *rapid.T) {
				for _, l := range d.CheckIn(tasks.Draw(rt, "task")) {
					if l.Valid() || l.Context().Err() == nil {
						rt.Fatal("valid after check in")
					}
					for range 2 { // the second time finds nothing to do
						if err := l.Release(); err != nil {
							rt.Fatal("release: ", err)
						}
					}
					delete(held, l.Account())
				}
			},
			"": func(rt *rapid.T) {
				if n := len(d.Leases()); n != len(held) {
					rt.Fatalf("%d leases, want %d", n, len(held))
				}
			},
		})
	})
}

func TestHotPathDoesNotAllocate(t *testing.T) {
	d := open(t, newLedger(), Config{})
	l := take(t, d, "t_1", "a")
	_, turn, _ := l.Session(context.Background())
	turn.Done(&sess{}, nil)
	accounts, ctx := []string{"a"}, context.Background()
	if n := testing.AllocsPerRun(1000, func() {
		l, _ := d.Checkout(ctx, "t_1", "wiki", accounts)
		_, _, _ = l.Session(ctx)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkHeldCheckoutAndSession(b *testing.B) {
	d := open(b, newLedger(), Config{})
	l := take(b, d, "t_1", "a")
	_, turn, _ := l.Session(context.Background())
	turn.Done(&sess{}, nil)
	accounts, ctx := []string{"a"}, context.Background()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			l, _ := d.Checkout(ctx, "t_1", "wiki", accounts)
			_, _, _ = l.Session(ctx)
		}
	})
}
