package state

import (
	"bytes"
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"
)

func init() {
	registerStore("memory", func(_ string, now func() time.Time) (Store, error) { return NewMemory(now), nil })
}

// Memory is a [Store] that a restart empties, for tests and demonstrations. Its
// URL is memory:.
type Memory struct {
	now func() time.Time

	mu       sync.Mutex // guards everything below
	closed   bool
	fence    uint64 // the highest so far
	tasks    map[string]Task
	leases   map[accountName]Lease
	sessions map[accountName][]byte
	sights   map[string]bool

	quarantine map[accountName]Quarantine
	logins     map[accountName][]byte
	steps      map[string][]int64 // by key, oldest first
}

type accountName struct{ adapter, account string }

// NewMemory returns an empty store. A nil now is time.Now.
func NewMemory(now func() time.Time) *Memory {
	if now == nil {
		now = time.Now
	}
	return &Memory{
		now:      now,
		tasks:    map[string]Task{},
		leases:   map[accountName]Lease{},
		sessions: map[accountName][]byte{},
		sights:   map[string]bool{},

		quarantine: map[accountName]Quarantine{},
		logins:     map[accountName][]byte{},
		steps:      map[string][]int64{},
	}
}

// locked runs fn under the lock, unless the store is closed.
func (m *Memory) locked(fn func() error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return ErrClosed
	}
	return fn()
}

// fenced runs fn under the lock if the fence is the account's.
func (m *Memory) fenced(name accountName, fence uint64, fn func(Lease)) error {
	return m.locked(func() error {
		l := m.leases[name]
		if err := l.checkFence(fence); err != nil {
			return err
		}
		fn(l)
		return nil
	})
}

// PutTask implements [Store].
func (m *Memory) PutTask(t Task) error {
	return m.locked(func() error {
		t.Doc = bytes.Clone(t.Doc)
		m.tasks[t.ID] = t
		return nil
	})
}

// Tasks implements [Store].
func (m *Memory) Tasks() (tasks []Task, err error) {
	err = m.locked(func() error {
		for _, id := range slices.Sorted(maps.Keys(m.tasks)) {
			t := m.tasks[id]
			t.Doc = bytes.Clone(t.Doc)
			tasks = append(tasks, t)
		}
		return nil
	})
	return tasks, err
}

// DropTask implements [Store].
func (m *Memory) DropTask(ids ...string) error {
	return m.locked(func() error {
		for _, id := range ids {
			delete(m.tasks, id)
		}
		return nil
	})
}

// AcquireLease implements [Store].
func (m *Memory) AcquireLease(adapter, account, task string, until time.Time) (fence uint64, err error) {
	name := accountName{adapter, account}
	err = m.locked(func() error {
		if err := m.leases[name].checkFree(task, m.now()); err != nil {
			return err
		}
		m.fence++
		fence = m.fence
		m.leases[name] = Lease{adapter, account, task, fence, until}
		return nil
	})
	return fence, err
}

// RenewLease implements [Store].
func (m *Memory) RenewLease(adapter, account string, fence uint64, until time.Time) error {
	name := accountName{adapter, account}
	return m.fenced(name, fence, func(l Lease) {
		l.Until = until
		m.leases[name] = l
	})
}

// ReleaseLease implements [Store].
func (m *Memory) ReleaseLease(adapter, account string, fence uint64) error {
	name := accountName{adapter, account}
	return m.fenced(name, fence, func(Lease) { delete(m.leases, name) })
}

// Leases implements [Store].
func (m *Memory) Leases() (leases []Lease, err error) {
	err = m.locked(func() error {
		leases = slices.SortedFunc(maps.Values(m.leases), compareLeases)
		return nil
	})
	return leases, err
}

// PutSession implements [Store].
func (m *Memory) PutSession(adapter, account string, fence uint64, sealed []byte) error {
	name := accountName{adapter, account}
	return m.fenced(name, fence, func(Lease) { m.sessions[name] = bytes.Clone(sealed) })
}

// Session implements [Store].
func (m *Memory) Session(adapter, account string) (sealed []byte, err error) {
	err = m.locked(func() error {
		s, ok := m.sessions[accountName{adapter, account}]
		if !ok {
			return ErrNotFound
		}
		sealed = bytes.Clone(s)
		return nil
	})
	return sealed, err
}

// DropSession implements [Store].
func (m *Memory) DropSession(adapter, account string, fence uint64) error {
	name := accountName{adapter, account}
	return m.fenced(name, fence, func(Lease) { delete(m.sessions, name) })
}

// Quarantine implements [Store].
func (m *Memory) Quarantine(adapter, account, why string) error {
	return m.locked(func() error {
		name := accountName{adapter, account}
		if _, ok := m.quarantine[name]; !ok {
			m.quarantine[name] = Quarantine{adapter, account, why}
		}
		return nil
	})
}

// Quarantined implements [Store].
func (m *Memory) Quarantined() (all []Quarantine, err error) {
	err = m.locked(func() error {
		all = slices.SortedFunc(maps.Values(m.quarantine), compareQuarantines)
		return nil
	})
	return all, err
}

// LiftQuarantine implements [Store].
func (m *Memory) LiftQuarantine(adapter, account string) error {
	return m.locked(func() error {
		delete(m.quarantine, accountName{adapter, account})
		return nil
	})
}

// PutLogins implements [Store].
func (m *Memory) PutLogins(adapter, account string, doc []byte) error {
	name := accountName{adapter, account}
	return m.locked(func() error {
		delete(m.logins, name)
		if len(doc) > 0 {
			m.logins[name] = bytes.Clone(doc)
		}
		return nil
	})
}

// Logins implements [Store].
func (m *Memory) Logins(visit func(adapter, account string, doc []byte)) error {
	var logins map[accountName][]byte
	err := m.locked(func() error {
		logins = maps.Clone(m.logins)
		return nil
	})
	names := slices.SortedFunc(maps.Keys(logins), func(a, b accountName) int {
		return cmp.Or(cmp.Compare(a.adapter, b.adapter), cmp.Compare(a.account, b.account))
	})
	for _, name := range names {
		visit(name.adapter, name.account, bytes.Clone(logins[name]))
	}
	return err
}

// ReserveStep implements [Store].
func (m *Memory) ReserveStep(key string, first, last int64) (step int64, ok bool, err error) {
	err = m.locked(func() error {
		step, ok, m.steps[key] = reserveStep(m.steps[key], first, last)
		return nil
	})
	return step, ok, err
}

// FirstSight implements [Store].
func (m *Memory) FirstSight(key string) (first bool, err error) {
	err = m.locked(func() error {
		first = !m.sights[key]
		m.sights[key] = true
		return nil
	})
	return first, err
}

// Close implements [Store].
func (m *Memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	return nil
}
