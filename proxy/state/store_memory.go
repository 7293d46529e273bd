package state

import (
	"bytes"
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"
)

type place struct{ adapter, account string }

// Memory is a Store that a restart empties: for tests and demonstrations.
type Memory struct {
	now      func() time.Time
	mu       sync.Mutex
	closed   bool
	fence    uint64
	tasks    map[string]Task
	leases   map[place]Lease
	sessions map[place][]byte
	sights   map[string]bool
}

// NewMemory opens an empty store. A nil now is time.Now.
func NewMemory(now func() time.Time) *Memory {
	if now == nil {
		now = time.Now
	}
	return &Memory{now: now, tasks: map[string]Task{}, leases: map[place]Lease{}, sessions: map[place][]byte{}, sights: map[string]bool{}}
}

// locked runs fn alone, unless the store is closed.
func (m *Memory) locked(fn func() error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return ErrClosed
	}
	return fn()
}

// owned runs fn for the holder of the fence.
func (m *Memory) owned(p place, fence uint64, fn func(Lease)) error {
	return m.locked(func() error {
		l := m.leases[p]
		if err := l.owns(fence); err != nil {
			return err
		}
		fn(l)
		return nil
	})
}

func (m *Memory) PutTask(t Task) error {
	return m.locked(func() error {
		t.Doc = bytes.Clone(t.Doc)
		m.tasks[t.ID] = t
		return nil
	})
}

func (m *Memory) Tasks() (out []Task, err error) {
	err = m.locked(func() error {
		for _, id := range slices.Sorted(maps.Keys(m.tasks)) {
			t := m.tasks[id]
			t.Doc = bytes.Clone(t.Doc)
			out = append(out, t)
		}
		return nil
	})
	return out, err
}

func (m *Memory) DropTask(id string) error {
	return m.locked(func() error { delete(m.tasks, id); return nil })
}

func (m *Memory) AcquireLease(adapter, account, task string, until time.Time) (fence uint64, err error) {
	p := place{adapter, account}
	err = m.locked(func() error {
		if err := m.leases[p].open(task, m.now()); err != nil {
			return err
		}
		m.fence++
		fence = m.fence
		m.leases[p] = Lease{adapter, account, task, fence, until}
		return nil
	})
	return fence, err
}

func (m *Memory) RenewLease(adapter, account string, fence uint64, until time.Time) error {
	p := place{adapter, account}
	return m.owned(p, fence, func(l Lease) { l.Until = until; m.leases[p] = l })
}

func (m *Memory) ReleaseLease(adapter, account string, fence uint64) error {
	p := place{adapter, account}
	return m.owned(p, fence, func(Lease) { delete(m.leases, p) })
}

func (m *Memory) Leases() (out []Lease, err error) {
	err = m.locked(func() error {
		out = slices.SortedFunc(maps.Values(m.leases), func(a, b Lease) int {
			return cmp.Or(cmp.Compare(a.Adapter, b.Adapter), cmp.Compare(a.Account, b.Account))
		})
		return nil
	})
	return out, err
}

func (m *Memory) PutSession(adapter, account string, fence uint64, sealed []byte) error {
	p := place{adapter, account}
	return m.owned(p, fence, func(Lease) { m.sessions[p] = bytes.Clone(sealed) })
}

func (m *Memory) Session(adapter, account string) (out []byte, err error) {
	err = m.locked(func() error {
		s, ok := m.sessions[place{adapter, account}]
		if !ok {
			return ErrNotFound
		}
		out = bytes.Clone(s)
		return nil
	})
	return out, err
}

func (m *Memory) DropSession(adapter, account string, fence uint64) error {
	p := place{adapter, account}
	return m.owned(p, fence, func(Lease) { delete(m.sessions, p) })
}

func (m *Memory) Close() error {
	m.mu.Lock()
	m.closed = true
	m.mu.Unlock()
	return nil
}

// FirstSight implements Store.
func (m *Memory) FirstSight(key string) (first bool, err error) {
	err = m.locked(func() error {
		first = !m.sights[key]
		m.sights[key] = true
		return nil
	})
	return first, err
}
