package lease

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"
)

// waitForQueue waits until n checkouts are in the adapter's queue.
func waitForQueue(t *testing.T, m *Manager[*testSession], adapter string, n int) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(100 * time.Microsecond) {
		m.mu.RLock()
		got := len(m.queues[adapter])
		m.mu.RUnlock()
		if got == n {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d checkouts are in the queue, want %d", got, n)
		}
	}
}

func TestWaitingTasksAreServedInOrder(t *testing.T) {
	m := newTestManager(t, newMemoryStore(), Config{})
	l := checkOut(t, m, "t_0", "a")

	order := make(chan int, 20)
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			l, err := m.Checkout(context.Background(), fmt.Sprint("w", i), "wiki", []string{"a"})
			if err != nil {
				t.Error(err)
				return
			}
			order <- i
			_ = l.Release()
		})
		waitForQueue(t, m, "wiki", i+1)
	}
	_ = l.Release()
	wg.Wait()

	for i := range 20 {
		if got := <-order; got != i {
			t.Fatalf("place %d went to task %d", i, got)
		}
	}
}

func TestCheckInEndsAWaitingCheckout(t *testing.T) {
	m := newTestManager(t, newMemoryStore(), Config{})
	l := checkOut(t, m, "t_0", "a")
	waiting := make(chan error, 1)
	go func() {
		_, err := m.Checkout(context.Background(), "t_1", "wiki", []string{"a"})
		waiting <- err
	}()
	waitForQueue(t, m, "wiki", 1)

	m.CheckIn("t_1")
	if err := <-waiting; !errors.Is(err, ErrCheckedIn) {
		t.Fatalf("the waiting Checkout returned %v, want ErrCheckedIn", err)
	}
	_ = l.Release()
	checkOut(t, m, "t_2", "a")
}

func TestFreeAccountsTakeTurns(t *testing.T) {
	m := newTestManager(t, newMemoryStore(), Config{})
	var order string
	for i := range 6 {
		l := checkOut(t, m, fmt.Sprint("t_", i), "a", "b", "c")
		order += l.Account()
		_ = l.Release()
	}
	if order != "abcabc" {
		t.Errorf("accounts were used in the order %q, want abcabc", order)
	}
}

func TestAnAccountInBackoffComesLast(t *testing.T) {
	m := newTestManager(t, newMemoryStore(), Config{BackoffMin: time.Hour, BackoffMax: time.Hour})
	l := checkOut(t, m, "t_bad", "a")
	beginLogin(t, l).Done(nil, errors.New("wrong password"))
	_ = l.Release()

	for i := range 4 {
		l := checkOut(t, m, fmt.Sprint("t_", i), "a", "b", "c")
		if l.Account() == "a" {
			t.Error("the account in back-off was used while others were free")
		}
		_ = l.Release()
	}
}
