package state

import (
	"errors"
	"sync"
	"syscall"
	"testing"
	"time"
)

// slowStore is a store whose writes of tasks fail or wait.
type slowStore struct {
	*Memory
	mu   sync.Mutex
	err  error
	gate chan struct{} // writes wait until it is closed; nil if they do not wait
}

func (s *slowStore) DropTask(ids ...string) error {
	s.mu.Lock()
	err, gate := s.err, s.gate
	s.mu.Unlock()
	if gate != nil {
		<-gate
	}
	if err != nil {
		return err
	}
	return s.Memory.DropTask(ids...)
}

func (s *slowStore) set(err error, gate chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err, s.gate = err, gate
}

func TestWatchedPassesTheContract(t *testing.T) {
	testStore(t, func(t *testing.T, now func() time.Time) Store { return Watch(NewMemory(now)) })
}

// TestWatchedKnowsWhetherTheStoreCanBeWritten lets writes fail and work again. Nobody
// but the watch itself writes in between.
func TestWatchedKnowsWhetherTheStoreCanBeWritten(t *testing.T) {
	s := &slowStore{Memory: NewMemory(nil)}
	w := Watch(s)
	defer w.Close()
	if err := w.Check(); err != nil {
		t.Fatalf("Check of a store that works: %v", err)
	}

	s.set(syscall.EROFS, nil)
	if err := w.DropTask("t_1"); !errors.Is(err, ErrUnavailable) || !errors.Is(err, syscall.EROFS) {
		t.Errorf("a write to a read-only store: %v, want ErrUnavailable and the cause", err)
	}
	if err := w.Err(); !errors.Is(err, syscall.EROFS) {
		t.Errorf("Err after a failed write: %v, want the cause", err)
	}

	s.set(nil, nil)
	for range 100 {
		if w.Err() == nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Error("the watch does not notice that the store works again")
}

// TestWatchedBoundsAHangingStore lets writes hang: the first caller waits for the
// bound, further ones not at all, and the store works again when it answers.
func TestWatchedBoundsAHangingStore(t *testing.T) {
	s := &slowStore{Memory: NewMemory(nil)}
	w := Watch(s)
	w.bound = 20 * time.Millisecond
	gate := make(chan struct{})
	s.set(nil, gate)

	for range 50 {
		if err := w.DropTask("t_1"); !errors.Is(err, ErrUnavailable) {
			t.Fatalf("a write to a store that hangs: %v, want ErrUnavailable", err)
		}
	}
	w.mu.Lock()
	out := len(w.out)
	w.mu.Unlock()
	if out > 2 {
		t.Errorf("%d writes wait in a store that hangs, want few", out)
	}

	close(gate)
	for range 100 {
		if w.DropTask("t_1") == nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if err := errors.Join(w.DropTask("t_1"), w.Err(), w.Close()); err != nil {
		t.Errorf("when the store answers again: %v", err)
	}
}
