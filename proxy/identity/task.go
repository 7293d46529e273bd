package identity

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Task is one approved piece of work. It may be used concurrently.
type Task struct {
	principal Principal
	scope     []ScopeEntry
	created   time.Time
	expires   time.Time
	tokenHash tokenHash
	binding   Binding

	hasLifeline atomic.Bool

	ctx     context.Context
	cancel  context.CancelCauseFunc
	timer   *time.Timer // expires the task; nil: never
	endOnce sync.Once
	ending  atomic.Pointer[ending] // nil while the task lives
}

// ending says when and why a task ended.
type ending struct {
	at  time.Time
	why string
	err error // ErrEnded or ErrExpired
}

// ID returns the task's id: "t_" and 26 characters.
func (t *Task) ID() string { return t.principal.Task }

// Principal returns who acts in the task.
func (t *Task) Principal() Principal { return t.principal }

// Scope returns what was approved. The caller must not change it.
func (t *Task) Scope() []ScopeEntry { return t.scope }

// Binding returns which connections are the task's without its token.
func (t *Task) Binding() Binding { return t.binding }

// Created returns when the task was created.
func (t *Task) Created() time.Time { return t.created }

// Expires returns when the task ends automatically.
func (t *Task) Expires() time.Time { return t.expires }

// Ended returns when and why the task ended; ok is false while it lives.
func (t *Task) Ended() (at time.Time, why string, ok bool) {
	if e := t.ending.Load(); e != nil {
		return e.at, e.why, true
	}
	return time.Time{}, "", false
}

// Active returns nil while the task may act, else ErrEnded or ErrExpired. It is
// cheap enough for every request, and it reads the clock because a timer may
// fire late.
func (t *Task) Active() error {
	if e := t.ending.Load(); e != nil {
		return e.err
	}
	if !time.Now().Before(t.expires) {
		return ErrExpired
	}
	return nil
}

// RequireLifeline marks a task that must not outlive whoever holds its lifeline.
// The mark is part of [Task.Doc] and is never removed.
func (t *Task) RequireLifeline() { t.hasLifeline.Store(true) }

// HasLifeline reports whether RequireLifeline was called, in this process or
// before a restart.
func (t *Task) HasLifeline() bool { return t.hasLifeline.Load() }

// Context is cancelled when the task ends; [context.Cause] is then ErrEnded or
// ErrExpired.
func (t *Task) Context() context.Context { return t.ctx }

// end reports whether this call ended the task.
func (t *Task) end(at time.Time, why string, err error) (first bool) {
	t.endOnce.Do(func() {
		first = true
		t.ending.Store(&ending{at: at, why: why, err: err})
		if t.timer != nil {
			t.timer.Stop()
		}
		t.cancel(err)
	})
	return first
}

// taskDoc is a task as it is stored. It does not hold the token.
type taskDoc struct {
	ID        string       `json:"id"`
	Agent     string       `json:"agent"`
	Sponsor   string       `json:"sponsor"`
	Purpose   string       `json:"purpose"`
	Grant     string       `json:"grant"`
	Scope     []ScopeEntry `json:"scope"`
	Created   time.Time    `json:"created"`
	Expires   time.Time    `json:"expires"`
	TokenHash string       `json:"token_sha256"`
	Lifeline  bool         `json:"lifeline,omitempty"`
	Bind      Binding      `json:"bind,omitzero"`
	Ended     *time.Time   `json:"ended,omitempty"`
	Why       string       `json:"why,omitempty"`
}

// Doc returns the task as JSON, for a store: all that [Registry.Restore] needs.
// It holds only the SHA-256 of the token.
func (t *Task) Doc() []byte {
	p := t.principal
	d := taskDoc{
		ID:        p.Task,
		Agent:     p.Agent,
		Sponsor:   p.Sponsor,
		Purpose:   p.Purpose,
		Grant:     p.Grant,
		Scope:     t.scope,
		Created:   t.created,
		Expires:   t.expires,
		TokenHash: hex.EncodeToString(t.tokenHash[:]),
		Lifeline:  t.HasLifeline(),
		Bind:      t.binding,
	}
	if at, why, ok := t.Ended(); ok {
		d.Ended = &at
		d.Why = why
	}

	b, _ := json.Marshal(d) // strings and times always encode
	return b
}

func parseTaskDoc(doc []byte) (*Task, error) {
	var d taskDoc
	if err := json.Unmarshal(doc, &d); err != nil {
		return nil, fmt.Errorf("stored task: %w", err)
	}
	return d.task()
}

func (d taskDoc) task() (*Task, error) {
	t := &Task{
		principal: Principal{Agent: d.Agent, Sponsor: d.Sponsor, Task: d.ID, Purpose: d.Purpose, Grant: d.Grant},
		scope:     d.Scope,
		created:   d.Created,
		expires:   d.Expires,
		binding:   d.Bind,
	}
	hash, err := hex.DecodeString(d.TokenHash)
	if err != nil || len(hash) != len(t.tokenHash) || d.ID == "" {
		return nil, fmt.Errorf("stored task %q: its id or token hash is damaged", d.ID)
	}
	copy(t.tokenHash[:], hash)
	t.hasLifeline.Store(d.Lifeline)

	if d.Ended == nil {
		t.ctx, t.cancel = context.WithCancelCause(context.Background())
		return t, nil
	}

	// Only an expiry happens at the time that was set. Ended tasks share their contexts:
	// there may be a hundred thousand of them.
	cause := ErrExpired
	t.ctx = expiredContext
	if d.Ended.Before(d.Expires) {
		cause = ErrEnded
		t.ctx = endedContext
	}
	t.cancel = func(error) {}
	t.end(*d.Ended, d.Why, cause)
	return t, nil
}

// The contexts of tasks that had ended before they were restored.
var (
	endedContext   = newCancelledContext(ErrEnded)
	expiredContext = newCancelledContext(ErrExpired)
)

func newCancelledContext(cause error) context.Context {
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(cause)
	return ctx
}

// noToken is the stored hash of a task that no token names.
var noToken = hex.EncodeToString(make([]byte, len(tokenHash{})))

// Trial returns a task that belongs to no registry, for asking what a scope
// would allow. It has no token and lives for a minute. An empty agent is
// "trial".
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
	return taskDoc{
		ID:        "t_trial",
		Agent:     s.Agent,
		Sponsor:   s.Sponsor,
		Purpose:   s.Purpose,
		Grant:     s.Grant(),
		Scope:     scope,
		Created:   now,
		Expires:   now.Add(time.Minute),
		TokenHash: noToken,
	}.task()
}

// Orphan returns an ended task that stands for one whose id is all that is left.
func Orphan(id string) *Task {
	now := time.Now()
	t, _ := taskDoc{ // id and hash are well formed
		ID:        id,
		Created:   now,
		Expires:   now,
		Ended:     &now,
		Why:       "its record was lost",
		TokenHash: noToken,
	}.task()
	return t
}
