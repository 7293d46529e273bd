package lease

import (
	"errors"
	"fmt"
	"time"
)

var (
	// ErrCheckedIn is the cause of a lease's end if its task was checked in.
	ErrCheckedIn = errors.New("lease: checked in")
	// ErrStale is the cause if another task took the account.
	ErrStale = errors.New("lease: another task took the account")
	// ErrLapsed is the cause if the lease could not be renewed in time.
	ErrLapsed = errors.New("lease: not renewed in time")
	// ErrClosed is the cause if the manager was closed.
	ErrClosed = errors.New("lease: manager closed")
	// ErrNoSession is the error of a login that returned neither session nor
	// error.
	ErrNoSession = errors.New("lease: the login made no session")
)

// NoneFreeError means that no account became free in time. A later checkout may
// succeed.
type NoneFreeError struct {
	Accounts int           // how many the task may use
	Waited   time.Duration // how long it waited
}

// Error says how many accounts there are and how long the task waited.
func (e *NoneFreeError) Error() string {
	return fmt.Sprintf("lease: all %d accounts stayed taken for %s", e.Accounts, e.Waited.Round(time.Millisecond))
}

// Reason is why no login is tried for a while.
type Reason int

const (
	LoginRefused  Reason = iota + 1 // the application refused the last login
	LoginFailed                     // the last login failed and says nothing about the secret
	SessionsEnded                   // sessions were over soon after their login
)

// BackoffError means that no login is tried for a while, and says until when.
type BackoffError struct {
	Until  time.Time
	Reason Reason
}

// Error says when the next login is allowed.
func (e *BackoffError) Error() string {
	return "lease: no login before " + e.Until.UTC().Format(time.RFC3339)
}

// BlockedError means that logins with the account succeed but the application
// then calls every session over, and that no login is tried until a person has
// acted.
type BlockedError struct {
	Why      string
	TaskOnly bool // only the task's own answers say so; other tasks may log in
}

// Error says why a person must act.
func (e *BlockedError) Error() string { return "lease: needs a person: " + e.Why }

func isHeld(err error) bool {
	var h interface{ Held() bool }
	return errors.As(err, &h) && h.Held()
}

func isStale(err error) bool {
	var s interface{ Stale() bool }
	return errors.As(err, &s) && s.Stale()
}
