package lease

import (
	"context"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type heldError struct{}

func (heldError) Error() string { return "held" }
func (heldError) Held() bool    { return true }

type staleError struct{}

func (staleError) Error() string { return "stale" }
func (staleError) Stale() bool   { return true }

// memoryStore is a Store that can be told to fail.
type memoryStore struct {
	mu        sync.Mutex
	lastFence uint64
	rows      map[accountKey]storeRow
	logins    map[accountKey][]byte
	failure   error
}

type storeRow struct {
	task  string
	fence uint64
	until time.Time
}

func newMemoryStore() *memoryStore {
	return &memoryStore{rows: map[accountKey]storeRow{}, logins: map[accountKey][]byte{}}
}

func (s *memoryStore) AcquireLease(adapter, account, task string, until time.Time) (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failure != nil {
		return 0, s.failure
	}
	row := s.rows[accountKey{adapter, account}]
	if row.task != "" && row.task != task && time.Now().Before(row.until) {
		return 0, heldError{}
	}
	s.lastFence++
	s.rows[accountKey{adapter, account}] = storeRow{task, s.lastFence, until}
	return s.lastFence, nil
}

func (s *memoryStore) RenewLease(adapter, account string, fence uint64, until time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failure != nil {
		return s.failure
	}
	row := s.rows[accountKey{adapter, account}]
	if row.task == "" || row.fence != fence {
		return staleError{}
	}
	row.until = until
	s.rows[accountKey{adapter, account}] = row
	return nil
}

func (s *memoryStore) ReleaseLease(adapter, account string, fence uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	row := s.rows[accountKey{adapter, account}]
	if row.task == "" || row.fence != fence {
		return staleError{}
	}
	s.rows[accountKey{adapter, account}] = storeRow{fence: fence}
	return nil
}

func (s *memoryStore) PutLogins(adapter, account string, doc []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failure != nil {
		return s.failure
	}
	s.logins[accountKey{adapter, account}] = doc
	return nil
}

func (s *memoryStore) Logins(visit func(adapter, account string, doc []byte)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, doc := range s.logins {
		if doc != nil {
			visit(key.adapter, key.name, doc)
		}
	}
	return nil
}

// takeOver gives the account to a task of another instance.
func (s *memoryStore) takeOver(adapter, account string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lastFence++
	s.rows[accountKey{adapter, account}] = storeRow{"t_other", s.lastFence, time.Now().Add(time.Hour)}
}

func (s *memoryStore) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failure = err
}

type testSession struct{ n int }

func newTestManager(t testing.TB, s Store, c Config) *Manager[*testSession] {
	m := NewManager[*testSession](s, c)
	if err := m.Restore(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}

// checkOut checks out one of the accounts at the adapter wiki.
func checkOut(t testing.TB, m *Manager[*testSession], task string, accounts ...string) *Lease[*testSession] {
	t.Helper()
	l, err := m.Checkout(context.Background(), task, "wiki", accounts)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// beginLogin gets the Login of a lease without a session.
func beginLogin(t testing.TB, l *Lease[*testSession]) *Login[*testSession] {
	t.Helper()
	_, login, err := l.Session(context.Background())
	if err != nil || login == nil {
		t.Fatalf("Session returned login %v, %v; want a login", login, err)
	}
	return login
}
