package identity

import (
	"cmp"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// Registry holds the tasks of this instance. It is safe for concurrent use.
type Registry struct {
	config  Config
	expired chan *Task
	done    chan struct{}
	close   sync.Once

	mu   sync.RWMutex
	byID map[string]*Task            // by mu
	hash map[[sha256.Size]byte]*Task // by mu; keyed by the token's hash
}

// NewRegistry makes an empty one. Close releases its timers.
func NewRegistry(c Config) *Registry {
	c.SetDefaults()
	return &Registry{
		config: c, expired: make(chan *Task), done: make(chan struct{}),
		byID: map[string]*Task{}, hash: map[[sha256.Size]byte]*Task{},
	}
}

// Create makes a task that lives from now on. The error joins every problem of
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
	now = now.Round(0) // wall clock alone: a host that sleeps must not stretch a task
	d := doc{ID: newID(), Agent: s.Agent, Sponsor: s.Sponsor, Purpose: s.Purpose, Grant: s.Grant(), Scope: s.Scope,
		Created: now.UTC(), Expires: now.Add(ttl).UTC(), Hash: fmt.Sprintf("%x", sha256.Sum256([]byte(token.text)))}
	t, err := d.task()
	if err != nil {
		return nil, Token{}, err
	}
	r.keep(t)
	return t, token, nil
}

// Restore takes back a task from its Doc, after a restart. A task whose time
// has passed meanwhile comes back expired and is sent to [Registry.Expired].
func (r *Registry) Restore(b []byte) (*Task, error) {
	t, err := taskOf(b)
	if err != nil {
		return nil, err
	}
	r.keep(t)
	return t, nil
}

func (r *Registry) keep(t *Task) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.byID[t.ID()], r.hash[t.hash] = t, t
	if _, _, over := t.Ended(); over {
		return
	}
	t.timer = time.AfterFunc(time.Hour, func() { r.expire(t) }) // armed only once it is in its place
	t.timer.Reset(time.Until(t.expires))
}

func (r *Registry) expire(t *Task) {
	if !t.end(t.expires, "its time was over", ErrExpired) {
		return
	}
	select {
	case r.expired <- t:
	case <-r.done:
	}
}

// Expired delivers each task once, after its context was cancelled because its
// time was over. Somebody must receive for as long as the registry is open.
func (r *Registry) Expired() <-chan *Task { return r.expired }

// Close stops all timers. Tasks stay as they are.
func (r *Registry) Close() {
	r.close.Do(func() { close(r.done) })
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, t := range r.byID {
		if t.timer != nil {
			t.timer.Stop()
		}
	}
}

// Find is the task of that id, ended ones included, or nil.
func (r *Registry) Find(id string) *Task {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.byID[id]
}

// List is every task, newest first.
func (r *Registry) List() []*Task {
	r.mu.RLock()
	all := make([]*Task, 0, len(r.byID))
	for _, t := range r.byID {
		all = append(all, t)
	}
	r.mu.RUnlock()
	slices.SortFunc(all, func(a, b *Task) int {
		return cmp.Or(b.created.Compare(a.created), strings.Compare(a.ID(), b.ID()))
	})
	return all
}

// End ends a task. first is true for the one call that did it; the task is nil
// when there is none of that id.
func (r *Registry) End(id, why string) (t *Task, first bool) {
	if t = r.Find(id); t == nil {
		return nil, false
	}
	return t, t.end(time.Now().UTC(), why, ErrEnded)
}

// Forget drops an ended task from the lists.
func (r *Registry) Forget(t *Task) {
	if _, _, over := t.Ended(); !over {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.byID, t.ID())
	delete(r.hash, t.hash)
}

// Authenticate reads a Proxy-Authorization value: Basic with the task's id and
// token (RFC 7617), or Bearer with the token alone (RFC 6750). The errors are
// ErrNoCredentials, ErrUnknown, ErrEnded and ErrExpired; only who shows the
// right token learns that a task has ended.
func (r *Registry) Authenticate(credentials string) (*Task, error) {
	scheme, rest, _ := strings.Cut(strings.TrimSpace(credentials), " ")
	if scheme == "" {
		return nil, ErrNoCredentials
	}
	rest = strings.TrimSpace(rest)
	id, token := "", rest
	switch strings.ToLower(scheme) {
	case "bearer":
	case "basic":
		b, err := base64.StdEncoding.DecodeString(rest)
		if err != nil {
			return nil, ErrUnknown
		}
		var named bool
		if id, token, named = strings.Cut(string(b), ":"); !named || id == "" {
			return nil, ErrUnknown
		}
	default:
		return nil, ErrUnknown
	}
	return r.check(id, token)
}

// check finds the task by the hash of its token, so that no comparison depends
// on how much of a guess was right.
func (r *Registry) check(id, token string) (*Task, error) {
	hash := sha256.Sum256([]byte(token))
	r.mu.RLock()
	t := r.hash[hash]
	r.mu.RUnlock()
	if t == nil || token == "" || id != "" && subtle.ConstantTimeCompare([]byte(id), []byte(t.ID())) != 1 {
		return nil, ErrUnknown
	}
	if err := t.Active(); err != nil {
		return nil, err
	}
	return t, nil
}
