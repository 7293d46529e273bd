package identity

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Task is one approved piece of work. It is safe for concurrent use.
type Task struct {
	principal Principal
	scope     []ScopeEntry
	created   time.Time
	expires   time.Time
	hash      [sha256.Size]byte // of the token

	over   atomic.Pointer[ending] // nil while the task lives
	ctx    context.Context
	cancel context.CancelCauseFunc
	once   sync.Once
	timer  *time.Timer
}

type ending struct {
	at  time.Time
	why string
	err error // ErrEnded or ErrExpired
}

// ID is the task's id, "t_" and 26 characters.
func (t *Task) ID() string { return t.principal.Task }

// Principal is who acts in this task.
func (t *Task) Principal() Principal { return t.principal }

// Scope is what was approved. The caller must not change it.
func (t *Task) Scope() []ScopeEntry { return t.scope }

// Created is when the task was made.
func (t *Task) Created() time.Time { return t.created }

// Expires is when the task ends by itself.
func (t *Task) Expires() time.Time { return t.expires }

// Ended says when and why the task ended; ok is false while it lives.
func (t *Task) Ended() (at time.Time, why string, ok bool) {
	if e := t.over.Load(); e != nil {
		return e.at, e.why, true
	}
	return time.Time{}, "", false
}

// Active is nil while the task may act, else ErrEnded or ErrExpired. It is
// meant to be asked per request: one atomic load and a clock reading, since a
// timer may fire late.
func (t *Task) Active() error {
	if e := t.over.Load(); e != nil {
		return e.err
	}
	if !time.Now().Before(t.expires) {
		return ErrExpired
	}
	return nil
}

// Context is cancelled when the task ends; context.Cause is then ErrEnded or
// ErrExpired.
func (t *Task) Context() context.Context { return t.ctx }

// end reports whether this call was the one that ended the task.
func (t *Task) end(at time.Time, why string, err error) (first bool) {
	t.once.Do(func() {
		first = true
		t.over.Store(&ending{at: at, why: why, err: err})
		if t.timer != nil {
			t.timer.Stop()
		}
		t.cancel(err)
	})
	return first
}

// doc is a task as it is stored. The token itself is nowhere in it.
type doc struct {
	ID      string       `json:"id"`
	Agent   string       `json:"agent"`
	Sponsor string       `json:"sponsor"`
	Purpose string       `json:"purpose"`
	Grant   string       `json:"grant"`
	Scope   []ScopeEntry `json:"scope"`
	Created time.Time    `json:"created"`
	Expires time.Time    `json:"expires"`
	Hash    string       `json:"token_sha256"`
	Ended   *time.Time   `json:"ended,omitempty"`
	Why     string       `json:"why,omitempty"`
}

// Doc is the task as JSON for a store: all that [Registry.Restore] needs. Of
// the token it holds the SHA-256 alone, which for 256 random bits cannot be
// searched.
func (t *Task) Doc() []byte {
	p := t.principal
	d := doc{p.Task, p.Agent, p.Sponsor, p.Purpose, p.Grant, t.scope, t.created, t.expires, hex.EncodeToString(t.hash[:]), nil, ""}
	if at, why, ok := t.Ended(); ok {
		d.Ended, d.Why = &at, why
	}
	b, _ := json.Marshal(d) // strings and times always encode
	return b
}

// endedBy tells an ending from an expiry, which happens at the set time.
func endedBy(at, expires time.Time) error {
	if at.Before(expires) {
		return ErrEnded
	}
	return ErrExpired
}

func taskOf(b []byte) (*Task, error) {
	var d doc
	if err := json.Unmarshal(b, &d); err != nil {
		return nil, fmt.Errorf("stored task: %w", err)
	}
	return d.task()
}

func (d doc) task() (*Task, error) {
	t := &Task{
		principal: Principal{Agent: d.Agent, Sponsor: d.Sponsor, Task: d.ID, Purpose: d.Purpose, Grant: d.Grant},
		scope:     d.Scope, created: d.Created, expires: d.Expires,
	}
	if n, err := hex.Decode(t.hash[:], []byte(d.Hash)); err != nil || n != len(t.hash) || d.ID == "" {
		return nil, fmt.Errorf("stored task %q: its id or token hash is damaged", d.ID)
	}
	t.ctx, t.cancel = context.WithCancelCause(context.Background())
	if d.Ended != nil {
		t.end(*d.Ended, d.Why, endedBy(*d.Ended, d.Expires))
	}
	return t, nil
}

// Trial is a task that no registry knows, for asking what a scope would allow.
// It has no token and lives for a minute.
func Trial(agent string, scope []ScopeEntry) (*Task, error) {
	s := Spec{Agent: agent, Sponsor: "trial", Purpose: "trial", Scope: scope}
	if s.Agent == "" {
		s.Agent = "trial"
	}
	var c Config
	c.SetDefaults()
	if problems := s.Check(c); len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	now := time.Now()
	return doc{ID: "t_trial", Agent: s.Agent, Sponsor: s.Sponsor, Purpose: s.Purpose, Grant: s.Grant(), Scope: scope,
		Created: now, Expires: now.Add(time.Minute), Hash: hex.EncodeToString(make([]byte, sha256.Size))}.task()
}

// Orphan stands for a task whose id is all that is left of it. It is over.
func Orphan(id string) *Task {
	now := time.Now()
	t, _ := doc{ID: id, Created: now, Expires: now, Ended: &now, Why: "its record was lost",
		Hash: hex.EncodeToString(make([]byte, sha256.Size))}.task() // id and hash are well formed
	return t
}
