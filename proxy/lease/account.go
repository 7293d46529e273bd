package lease

import (
	"math/rand/v2"
	"sync"
	"time"
)

// account is what this instance knows of an account beyond one lease.
type account struct {
	mu       sync.Mutex // guards what follows, up to busy
	failures int        // logins that failed in a row
	short    int        // sessions in a row that ended within Config.BackoffMax of their login
	useless  int        // sessions in a row of which not one answer was good
	loggedIn time.Time  // when a login last succeeded
	pause    time.Time  // no login before
	blocked  string     // why no login is tried until a person has acted; empty: none needed

	// Guarded by Manager.mu.
	busy    bool   // leased here, or being acquired
	lastUse uint64 // Manager.uses when it was picked last
}

// maxUselessSessions is after how many sessions in a row without one good answer
// the account is blocked: the login works, but nothing can be done with it.
const maxUselessSessions = 2

// loginRefused returns the error of a login that must not be tried now, or nil.
func (a *account) loginRefused(now time.Time) error {
	a.mu.Lock()
	defer a.mu.Unlock()

	switch {
	case a.blocked != "":
		return &BlockedError{Why: a.blocked}
	case now.Before(a.pause):
		return &BackoffError{Until: a.pause, LoginFailed: a.failures > 0}
	}
	return nil
}

// loginSucceeded ends the back-off of failed logins.
func (a *account) loginSucceeded(now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.failures = 0
	a.loggedIn = now
	a.pause = time.Time{}
}

// allowLogin allows a login now. The failures stay counted, so that the next one
// brings no shorter pause. A blocked account may make as many sessions as before
// until it is blocked again.
func (a *account) allowLogin() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.pause = time.Time{}
	a.blocked = ""
	a.useless = 0
}

// loginFailed doubles the pause with each failure up to BackoffMax. After
// LoginAttempts failures the pause is BackoffMax.
func (a *account) loginFailed(now time.Time, cfg *Config) {
	a.mu.Lock()
	defer a.mu.Unlock()

	a.failures++
	if a.failures >= cfg.LoginAttempts {
		a.pause = now.Add(cfg.BackoffMax)
		return
	}
	a.pause = now.Add(cfg.backoff(a.failures))
}

// sessionEnded counts a session that an answer called over. The pages of an
// application, and so whoever writes them, can say that of every session: one
// new login is free, each further one waits twice as long as the one before. A
// session that lived for BackoffMax begins the count again. useful says that the
// session had at least one good answer; after maxUselessSessions without one the
// account is blocked for the reason why.
func (a *account) sessionEnded(now time.Time, useful bool, why string, cfg *Config) {
	a.mu.Lock()
	defer a.mu.Unlock()

	a.short++
	if now.Sub(a.loggedIn) >= cfg.BackoffMax {
		a.short = 0
	}
	if a.short > 1 {
		a.pause = now.Add(cfg.backoff(a.short - 1))
	}

	a.useless++
	if useful {
		a.useless = 0
	}
	if a.useless >= maxUselessSessions {
		a.blocked = why
	}
}

// backoff returns the pause after the given number of failures: twice as long
// with each, up to BackoffMax, and shorter by up to half at random, so that
// instances do not log in at the same time.
func (c *Config) backoff(failures int) time.Duration {
	pause := c.BackoffMin
	for i := 1; i < failures && pause < c.BackoffMax; i++ {
		pause *= 2
	}
	pause = min(pause, c.BackoffMax)
	return pause - rand.N(pause/2+1)
}
