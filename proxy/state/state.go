// Package state keeps what instances share and what a restart must not lose:
// tasks, leases with their fences, and sealed sessions. It stores bytes and
// judges nothing but who holds an account.
package state

import "time"

// Task is a task as the identity room wrote it down.
type Task struct {
	ID      string
	Doc     []byte
	Expires time.Time
}

// Lease is one row of the books. It may have lapsed: compare Until.
type Lease struct {
	Adapter, Account, Task string
	Fence                  uint64
	Until                  time.Time
}

// Store is the table of verbs. Every write is durable when it returns (as far
// as the implementation is), all methods may be called concurrently, and the
// bytes passed in or out belong to the caller.
type Store interface {
	// PutTask writes or replaces a task.
	PutTask(Task) error
	// Tasks lists all tasks, expired ones included, by ID.
	Tasks() ([]Task, error)
	// DropTask removes a task; one that is not there is no error.
	DropTask(id string) error
	// AcquireLease gives the account to the task under a new fence, higher than
	// any before, also across restarts. ErrHeld: another task has it and has not
	// lapsed; try another account. The task's own older fence becomes stale.
	AcquireLease(adapter, account, task string, until time.Time) (fence uint64, err error)
	// RenewLease moves the end. ErrStale: the account is no longer the caller's.
	RenewLease(adapter, account string, fence uint64, until time.Time) error
	// ReleaseLease frees the account. ErrStale as in RenewLease.
	ReleaseLease(adapter, account string, fence uint64) error
	// Leases lists the accounts that are held, by adapter and account.
	Leases() ([]Lease, error)
	// PutSession keeps a sealed session. ErrStale as in RenewLease.
	PutSession(adapter, account string, fence uint64, sealed []byte) error
	// Session is the last one kept, whoever made it, or ErrNotFound.
	Session(adapter, account string) ([]byte, error)
	// DropSession forgets it; none there is no error. ErrStale as in RenewLease.
	DropSession(adapter, account string, fence uint64) error
	// FirstSight remembers a key of at most 256 bytes and says whether it was new.
	// Of many callers at once exactly one is told so.
	FirstSight(key string) (bool, error)
	// Close ends the store; calls after it fail.
	Close() error
}

// Recognised with errors.Is, or without an import by Held() and Stale().
var (
	ErrHeld     error = held{}
	ErrStale    error = stale{}
	ErrNotFound error = notFound{}
	ErrClosed   error = closed{}
)

type held struct{}

func (held) Error() string { return "state: another task holds the account" }
func (held) Held() bool    { return true }

type stale struct{}

func (stale) Error() string { return "state: the fence is no longer the account's" }
func (stale) Stale() bool   { return true }

type notFound struct{}

func (notFound) Error() string { return "state: not found" }

type closed struct{}

func (closed) Error() string { return "state: closed" }

// owns says whether the fence may still write. A lapsed holder may, until
// somebody else takes the account.
func (l Lease) owns(fence uint64) error {
	if l.Task == "" || l.Fence != fence {
		return ErrStale
	}
	return nil
}

// open says whether the task may take the account now.
func (l Lease) open(task string, now time.Time) error {
	if l.Task != "" && l.Task != task && now.Before(l.Until) {
		return ErrHeld
	}
	return nil
}
