package lease

import (
	"math/rand/v2"
	"sync"
	"time"
)

// account is what this instance knows of an account beyond one lease.
type account struct {
	mu       sync.Mutex // guards failures and pause
	failures int        // logins that failed in a row
	pause    time.Time  // no login before

	// Guarded by Manager.mu.
	busy    bool   // leased here, or being acquired
	lastUse uint64 // Manager.uses when it was picked last
}

// pausedUntil returns the end of the back-off and whether it is in the future.
func (a *account) pausedUntil(now time.Time) (time.Time, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.pause, now.Before(a.pause)
}

// loginSucceeded ends the back-off.
func (a *account) loginSucceeded() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.failures = 0
	a.pause = time.Time{}
}

// liftPause allows a login now. The failures stay counted, so that the next one
// brings no shorter pause.
func (a *account) liftPause() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.pause = time.Time{}
}

// loginFailed doubles the pause with each failure up to BackoffMax, and shortens
// it by up to half at random, so that instances do not log in at the same time.
// After LoginAttempts failures the pause is BackoffMax.
func (a *account) loginFailed(now time.Time, cfg *Config) {
	a.mu.Lock()
	defer a.mu.Unlock()

	a.failures++
	if a.failures >= cfg.LoginAttempts {
		a.pause = now.Add(cfg.BackoffMax)
		return
	}

	pause := cfg.BackoffMin
	for i := 1; i < a.failures && pause < cfg.BackoffMax; i++ {
		pause *= 2
	}
	pause = min(pause, cfg.BackoffMax)
	a.pause = now.Add(pause - rand.N(pause/2+1))
}
