// Package state keeps what instances share and what a restart must not lose:
// tasks, leases with their fences, sealed sessions, and the keys that were seen
// before. It stores bytes; the only thing it decides is which task holds an
// account.
//
// Each kind of store is one file of this package: it implements [Store] and
// registers itself with registerStore.
package state

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Task is a task as package identity wrote it.
type Task struct {
	ID      string
	Doc     []byte
	Expires time.Time
}

// Lease is one account that a task holds. It may have lapsed: compare Until.
type Lease struct {
	Adapter, Account, Task string
	Fence                  uint64
	Until                  time.Time
}

// Quarantine is an account that no task gets, and why.
type Quarantine struct{ Adapter, Account, Why string }

// keptSteps is how many numbers of a key [Store.ReserveStep] remembers.
const keptSteps = 256

// reserveStep is [Store.ReserveStep] on the numbers that were returned for one key,
// oldest first. It returns the numbers to remember.
func reserveStep(used []int64, first, last int64) (step int64, ok bool, next []int64) {
	for step = first; step <= last; step++ {
		if !slices.Contains(used, step) {
			next = append(slices.Clone(used), step)
			return step, true, next[max(0, len(next)-keptSteps):]
		}
	}
	return 0, false, used
}

// Store keeps tasks, leases, sessions, what logins have shown, and sights. Every write is durable when it
// returns nil, as far as the kind of store allows. All methods may be called
// concurrently, and byte slices that are passed in or returned belong to the
// caller. Each implementation passes testStore in contract_test.go.
type Store interface {
	// PutTask writes or replaces a task.
	PutTask(Task) error
	// Tasks returns all tasks, expired ones included, sorted by ID.
	Tasks() ([]Task, error)
	// DropTask removes tasks. It is not an error if there is none with an id.
	DropTask(ids ...string) error

	// AcquireLease gives the account to the task under a new fence, which is
	// higher than any before, also across restarts. It fails with ErrHeld if
	// another task holds the account and has not lapsed. If the task itself holds
	// the account, its older fence becomes stale.
	AcquireLease(adapter, account, task string, until time.Time) (fence uint64, err error)
	// RenewLease sets a new end. It fails with ErrStale if the fence is no longer
	// the account's. A lapsed holder may renew until another task acquires.
	RenewLease(adapter, account string, fence uint64, until time.Time) error
	// ReleaseLease frees the account. It fails with ErrStale as RenewLease does.
	ReleaseLease(adapter, account string, fence uint64) error
	// Leases returns the accounts that are held, sorted by adapter and account.
	Leases() ([]Lease, error)

	// PutSession keeps a sealed session of the account. It fails with ErrStale as
	// RenewLease does.
	PutSession(adapter, account string, fence uint64, sealed []byte) error
	// Session returns the session that was put last under any fence, or
	// ErrNotFound.
	Session(adapter, account string) ([]byte, error)
	// DropSession removes the session. It is not an error if there is none. It fails
	// with ErrStale as RenewLease does.
	DropSession(adapter, account string, fence uint64) error

	// Quarantine keeps an account from being given out, with the reason, until
	// LiftQuarantine. The first reason stays.
	Quarantine(adapter, account, why string) error
	// Quarantined returns the accounts in quarantine, sorted by adapter and account.
	Quarantined() ([]Quarantine, error)
	// LiftQuarantine ends the quarantine of an account. It is not an error if there is
	// none.
	LiftQuarantine(adapter, account string) error

	// PutLogins keeps a document about the logins with an account, in the place of
	// the one before. An empty document removes it.
	PutLogins(adapter, account string, doc []byte) error
	// Logins calls visit with the document of each account, sorted by adapter and
	// account. The document belongs to visit.
	Logins(visit func(adapter, account string, doc []byte)) error
	// ReserveStep returns the lowest number from first to last that it has not
	// returned for the key before, and remembers it. It returns ok false if there is
	// none. Of each key at least the keptSteps numbers that were returned last are
	// remembered.
	ReserveStep(key string, first, last int64) (step int64, ok bool, err error)

	// FirstSight remembers a key of at most 256 bytes and reports whether it was
	// new. Of concurrent callers with one key, exactly one gets true.
	FirstSight(key string) (bool, error)

	// Close closes the store after the writes in progress. Calls after it fail
	// with ErrClosed.
	Close() error
}

// Errors of a Store, to be tested with errors.Is. Packages that do not import
// this one recognise the first two by their methods Held and Stale, which return
// true.
var (
	ErrHeld     error = heldError{}
	ErrStale    error = staleError{}
	ErrNotFound error = notFoundError{}
	ErrClosed   error = closedError{}
)

type heldError struct{}

func (heldError) Error() string { return "state: another task holds the account" }
func (heldError) Held() bool    { return true }

type staleError struct{}

func (staleError) Error() string { return "state: the fence is no longer the account's" }
func (staleError) Stale() bool   { return true }

type notFoundError struct{}

func (notFoundError) Error() string { return "state: not found" }

type closedError struct{}

func (closedError) Error() string { return "state: closed" }

// checkFence returns ErrStale unless fence may write for the lease. A lapsed
// holder may write until another task acquires the account.
func (l Lease) checkFence(fence uint64) error {
	if l.Task == "" || l.Fence != fence {
		return ErrStale
	}
	return nil
}

// checkFree returns ErrHeld unless the task may acquire the account now. The
// zero Lease is free.
func (l Lease) checkFree(task string, now time.Time) error {
	if l.Task != "" && l.Task != task && now.Before(l.Until) {
		return ErrHeld
	}
	return nil
}

// compareLeases is the order of [Store.Leases].
func compareLeases(a, b Lease) int {
	return cmp.Or(cmp.Compare(a.Adapter, b.Adapter), cmp.Compare(a.Account, b.Account))
}

// compareQuarantines is the order of [Store.Quarantined].
func compareQuarantines(a, b Quarantine) int {
	return cmp.Or(cmp.Compare(a.Adapter, b.Adapter), cmp.Compare(a.Account, b.Account))
}

// openStore opens the store at the part of a URL after the scheme and its colon.
type openStore func(rest string, now func() time.Time) (Store, error)

var storeKinds = map[string]openStore{}

// registerStore adds a kind of store by the scheme of its URLs. It is called
// from init functions only.
func registerStore(scheme string, open openStore) {
	if storeKinds[scheme] != nil {
		panic("state: two kinds of store have the scheme " + scheme)
	}
	storeKinds[scheme] = open
}

// Open opens the store that url names by its scheme, like bolt:/var/lib/state.db.
// A nil now is time.Now.
func Open(url string, now func() time.Time) (Store, error) {
	scheme, rest, _ := strings.Cut(url, ":")
	open := storeKinds[scheme]
	if open == nil {
		return nil, fmt.Errorf("state: %q is not the URL of a store; the known schemes are %s", url, strings.Join(slices.Sorted(maps.Keys(storeKinds)), ", "))
	}
	if now == nil {
		now = time.Now
	}
	return open(rest, now)
}
