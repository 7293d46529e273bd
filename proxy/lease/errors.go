package lease

import (
	"errors"
	"fmt"
	"time"
)

var (
	// ErrCheckedIn is the cause of a lease's context once its task ended.
	ErrCheckedIn = errors.New("lease: checked in")
	// ErrStale is the cause once another holder has the account.
	ErrStale = errors.New("lease: another holder took the account")
	// ErrLapsed is the cause once a lease could not be renewed in time.
	ErrLapsed = errors.New("lease: not renewed in time")
	// ErrClosed says that the desk was closed.
	ErrClosed = errors.New("lease: desk closed")
	// ErrNoSession is what waiters get when a turn ended well but brought nothing.
	ErrNoSession = errors.New("lease: the turn brought no session")
)

// ErrNoneFree says that no account became free in time; try again later.
type ErrNoneFree struct {
	Accounts int           // how many the task may use
	Waited   time.Duration // how long it waited
}

func (e *ErrNoneFree) Error() string {
	return fmt.Sprintf("lease: none of %d accounts became free in %s", e.Accounts, e.Waited.Round(time.Millisecond))
}

// ErrBackoff says that logins failed and when the next may be tried.
type ErrBackoff struct{ Until time.Time }

func (e *ErrBackoff) Error() string {
	return "lease: no login before " + e.Until.UTC().Format(time.RFC3339)
}

func isHeld(err error) bool {
	var h interface{ Held() bool }
	return errors.As(err, &h) && h.Held()
}

func isStale(err error) bool {
	var s interface{ Stale() bool }
	return errors.As(err, &s) && s.Stale()
}
