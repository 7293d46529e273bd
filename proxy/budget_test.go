package proxy

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// takeAll takes n bytes at a time until a call waits, and returns how many it got.
// The call that waits is cancelled.
func takeAll(b *budget, t *taskBudget, n int64) (got int64) {
	for {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		err := b.take(ctx, t, n)
		cancel()
		if err != nil {
			return got
		}
		got += n
	}
}

// TestI10ATaskHoldsNoMoreThanItsShare lets tasks take what they get, one after the
// other.
func TestI10ATaskHoldsNoMoreThanItsShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(1000, 400)
		var first, second, third, last taskBudget

		if got := takeAll(b, &first, 100); got != 400 {
			t.Errorf("a task that takes all holds %d, want its 400", got)
		}
		if got := takeAll(b, &second, 100); got != 400 {
			t.Errorf("the second task holds %d, want its 400", got)
		}
		if got := takeAll(b, &third, 100); got != 200 {
			t.Errorf("the third task holds %d, want the 200 that are left", got)
		}
		if got := takeAll(b, &last, 100); got != 100 {
			t.Errorf("a task that holds nothing gets %d of a budget without rest, want its first 100", got)
		}
	})
}

// TestBudgetWaits lets calls wait for what another call gives back, for their
// context, and for nothing.
func TestBudgetWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(100, 100)
		var task taskBudget
		if err := b.take(t.Context(), &task, 100); err != nil {
			t.Fatal(err)
		}

		started := time.Now()
		if err := b.take(t.Context(), &task, 1); !errors.Is(err, errBudgetWait) || time.Since(started) != budgetWait {
			t.Errorf("got %v after %v, want errBudgetWait after %v", err, time.Since(started), budgetWait)
		}

		gone := errors.New("the agent has gone")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(gone) })
		if err := b.take(ctx, &task, 1); !errors.Is(err, gone) {
			t.Errorf("got %v after the context ended, want its cause", err)
		}

		time.AfterFunc(time.Second, func() { b.giveBack(&task, 100) })
		if err := b.take(t.Context(), &task, 60); err != nil {
			t.Errorf("got %v although bytes were given back", err)
		}
		b.giveBack(&task, 60)
		if b.held != 0 || task.held != 0 || len(b.waiting) != 0 || len(task.queue) != 0 {
			t.Errorf("at the end %d bytes are held and %d tasks wait, want none", b.held, len(b.waiting))
		}
	})
}

// TestBudgetOrder shows who goes first: the first that came within a task, and tasks
// in turn.
func TestBudgetOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(10, 10)
		var full, one, two taskBudget
		if err := b.take(t.Context(), &full, 10); err != nil {
			t.Fatal(err)
		}
		one.held, two.held = 1, 1 // so that none is given its first bytes for nothing

		var mu sync.Mutex
		var order []string
		var wait sync.WaitGroup
		for _, c := range []struct {
			name string
			task *taskBudget
		}{
			{"one, first", &one},
			{"one, second", &one},
			{"one, third", &one},
			{"two, first", &two},
		} {
			wait.Go(func() {
				if err := b.take(t.Context(), c.task, 5); err != nil {
					t.Errorf("%s: %v", c.name, err)
				}
				mu.Lock()
				order = append(order, c.name)
				mu.Unlock()
				time.Sleep(time.Millisecond)
				b.giveBack(c.task, 5)
			})
			synctest.Wait()
		}

		b.giveBack(&full, 5)
		wait.Wait()
		want := []string{"one, first", "two, first", "one, second", "one, third"}
		if !slices.Equal(order, want) {
			t.Fatalf("the order is %q, want %q", order, want)
		}
	})
}

// TestBudgetBoundsItsWaiters fills the queue of one task.
func TestBudgetBoundsItsWaiters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(10, 10)
		var task, other taskBudget
		if err := b.take(t.Context(), &task, 10); err != nil {
			t.Fatal(err)
		}
		for range maxBudgetWaiters {
			go func() { _ = b.take(t.Context(), &task, 1) }()
		}
		synctest.Wait()

		if err := b.take(t.Context(), &task, 1); !errors.Is(err, errBudgetWaiters) {
			t.Errorf("one more waiter got %v, want errBudgetWaiters", err)
		}
		if err := b.take(t.Context(), &other, 1); err != nil {
			t.Errorf("a task that holds nothing got %v while another fills its queue", err)
		}
		time.Sleep(budgetWait)
	})
}

// TestBudgetUnderLoad has many tasks take and give back at random. No bound is
// exceeded, everybody gets on, and nothing is left at the end.
func TestBudgetUnderLoad(t *testing.T) {
	const total, perTask = 1000, 300
	b := newBudget(total, perTask)
	tasks := make([]taskBudget, 8)

	var wait sync.WaitGroup
	for i := range 64 {
		wait.Go(func() {
			task := &tasks[i%len(tasks)]
			for range 300 {
				n := rand.Int64N(100) + 1
				if err := b.take(context.Background(), task, n); err != nil {
					t.Errorf("take: %v", err)
					return
				}
				b.mu.Lock()
				held, own := b.held, task.held
				b.mu.Unlock()
				if own > perTask || held > total+int64(len(tasks))*100 {
					t.Errorf("a task holds %d of %d, all hold %d of %d", own, perTask, held, total)
				}
				b.giveBack(task, n/2)
				b.giveBack(task, n-n/2)
			}
		})
	}
	wait.Wait()

	if b.held != 0 || len(b.waiting) != 0 {
		t.Errorf("at the end %d bytes are held and %d tasks wait, want none", b.held, len(b.waiting))
	}
}

// TestI10LargeFirstRequestsWaitForAll has more tasks take much at once than all may
// hold. The bound of all holds, and a task with a small request still gets on.
func TestI10LargeFirstRequestsWaitForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(100<<20, 30<<20)
		tasks := make([]taskBudget, 50)
		var given, refused atomic.Int32
		for i := range tasks {
			go func() {
				if b.take(t.Context(), &tasks[i], 20<<20) == nil {
					given.Add(1)
				} else {
					refused.Add(1)
				}
			}()
		}
		synctest.Wait()

		if use := b.use(); use.held != 100<<20 || use.waiting != 45 || given.Load() != 5 {
			t.Errorf("%d tasks got their bytes, %d bytes are held, %d wait; want 5, 100 MiB and 45", given.Load(), use.held, use.waiting)
		}
		var small taskBudget
		if err := b.take(t.Context(), &small, assuredBytes); err != nil {
			t.Errorf("a task with a small request got %v", err)
		}

		time.Sleep(budgetWait)
		synctest.Wait()
		if use := b.use(); use.waiting != 0 || use.refused != 45 || refused.Load() != 45 {
			t.Errorf("%d were refused, the metrics say %d, %d wait; want 45, 45 and none", refused.Load(), use.refused, use.waiting)
		}
	})
}
