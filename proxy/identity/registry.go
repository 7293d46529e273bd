package identity

import (
	"encoding/hex"
	"errors"
	"sync"
	"time"
)

// Registry holds the tasks of this instance. It may be used concurrently.
type Registry struct {
	config  Config
	sources []namedSource // in the order in which they are asked; never changes

	bindings bindings

	expired   chan *Task
	closed    chan struct{}
	closeOnce sync.Once

	mu      sync.RWMutex // guards what follows
	byID    map[string]*Task
	byToken map[tokenHash]*Task
	changes uint64  // of byID
	sorted  []*Task // byID, newest first, as the last List left it; nil if byID changed since then
}

// NewRegistry returns an empty registry with the sources that c names. Close
// releases its timers.
func NewRegistry(c Config) *Registry {
	c.SetDefaults()
	r := &Registry{
		config:  c,
		expired: make(chan *Task),
		closed:  make(chan struct{}),
		byID:    map[string]*Task{},
		byToken: map[tokenHash]*Task{},
	}
	for _, k := range sourceKinds {
		if s := k.open(c, r); s != nil {
			r.sources = append(r.sources, namedSource{s, k.name})
		}
	}
	return r
}

// Create adds a task that lives from now on. The error joins every problem of
// the spec.
func (r *Registry) Create(s Spec, now time.Time) (*Task, Token, error) {
	if problems := s.Check(r.config); len(problems) > 0 {
		return nil, Token{}, errors.Join(problems...)
	}
	ttl, err := s.ttl(r.config)
	if err != nil {
		return nil, Token{}, err
	}

	token := newToken()
	hash := hashToken(token.Reveal())
	now = now.Round(0) // wall clock alone: a host that sleeps must not stretch a task
	t, err := taskDoc{
		ID:        newID(),
		Agent:     s.Agent,
		Sponsor:   s.Sponsor,
		Purpose:   s.Purpose,
		Grant:     s.Grant(),
		Scope:     s.Scope,
		Created:   now.UTC(),
		Expires:   now.Add(ttl).UTC(),
		TokenHash: hex.EncodeToString(hash[:]),
		Bind:      s.Bind,
	}.task()
	if err != nil {
		return nil, Token{}, err
	}
	if err := r.bindings.add(s.Bind, t); err != nil {
		return nil, Token{}, err
	}

	r.add(t)
	return t, token, nil
}

// Restore adds a task from its [Task.Doc], after a restart. A task whose time
// passed meanwhile comes back expired and is sent to [Registry.Expired].
func (r *Registry) Restore(doc []byte) (*Task, error) {
	t, err := parseTaskDoc(doc)
	if err != nil {
		return nil, err
	}
	if t.Active() == nil {
		_ = r.bindings.add(t.binding, t) // of two living tasks the first keeps it
	}
	r.add(t)
	return t, nil
}

func (r *Registry) add(t *Task) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.byID[t.ID()] = t
	r.changes++
	r.sorted = nil
	r.byToken[t.tokenHash] = t
	if _, _, over := t.Ended(); over {
		return
	}

	// The timer is set after it is stored, since expire stops it.
	t.timer = time.AfterFunc(time.Hour, func() { r.expire(t) })
	t.timer.Reset(time.Until(t.expires))
}

func (r *Registry) expire(t *Task) {
	if !t.end(t.expires, "its time was over", ErrExpired) {
		return
	}
	select {
	case r.expired <- t:
	case <-r.closed:
	}
}

// Expired delivers each task once, after its context was cancelled because its
// time was over. A goroutine must receive from it until the registry is closed.
func (r *Registry) Expired() <-chan *Task { return r.expired }

// Close stops all timers. Tasks stay as they are.
func (r *Registry) Close() {
	r.closeOnce.Do(func() { close(r.closed) })

	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, t := range r.byID {
		if t.timer != nil {
			t.timer.Stop()
		}
	}
}

// Find returns the task with the id, which may have ended, or nil.
func (r *Registry) Find(id string) *Task {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.byID[id]
}

func (r *Registry) findByToken(hash tokenHash) *Task {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.byToken[hash]
}

// End ends a task. first is true for the one call that ended it. The task is
// nil if there is none with the id.
func (r *Registry) End(id, why string) (t *Task, first bool) {
	t = r.Find(id)
	if t == nil {
		return nil, false
	}
	return t, t.end(time.Now().UTC(), why, ErrEnded)
}

// Forget removes an ended task. It ignores a living one.
func (r *Registry) Forget(t *Task) {
	if _, _, over := t.Ended(); !over {
		return
	}
	r.bindings.remove(t)

	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.byID, t.ID())
	r.changes++
	r.sorted = nil
	delete(r.byToken, t.tokenHash)
}
