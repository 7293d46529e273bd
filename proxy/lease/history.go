package lease

import (
	"encoding/json"
	"math/rand/v2"
	"time"
)

// history is what logins with an account have shown. It is stored after each
// change, because a restart must forget neither a refused password nor that a
// person is needed. It holds no secret.
type history struct {
	Refused     int       `json:"refused,omitempty"`     // logins in a row that the application refused
	Failed      int       `json:"failed,omitempty"`      // logins in a row that failed for another reason
	Interrupted int       `json:"interrupted,omitempty"` // logins in a row of which a crash left no verdict
	Trying      bool      `json:"trying,omitempty"`      // a secret was sent, or is about to be; no verdict yet
	Until       time.Time `json:"until,omitzero"`        // no login before
	Blocked     string    `json:"blocked,omitempty"`     // why no login is tried until a person has acted

	LoggedIn time.Time `json:"logged_in,omitzero"` // when a login last succeeded
	With     string    `json:"with,omitempty"`     // what the newest login was made with, as Login.UseInputs was told

	Claims claims `json:"claims,omitzero"`
}

// claims counts the sessions that answers to one task called over. Agents can cause
// such answers, so they count against their task and not against the account.
type claims struct {
	Task    string    `json:"task"`
	Short   int       `json:"short,omitempty"`   // sessions in a row that ended within Config.BackoffMax of their login
	Useless int       `json:"useless,omitempty"` // sessions in a row of which not one answer was good
	Until   time.Time `json:"until,omitzero"`    // no login for the task before
	Blocked string    `json:"blocked,omitempty"` // why no login is tried for the task

	// Second is set if the task before was blocked in the same way, and no session
	// has had a good answer since.
	Second bool `json:"second,omitempty"`
}

const (
	// maxUselessSessions is after how many sessions in a row without one good answer
	// no login is tried: the login works, but nothing can be done with it.
	maxUselessSessions = 2
	// longPause is how many times Config.BackoffMax is waited after
	// Config.LoginAttempts refused logins.
	longPause = 12
	// maxInterrupted is after how many logins without a verdict the pause is as long
	// as after a refused one.
	maxInterrupted = 2
)

// loginRefused returns the error of a login for the task that must not be tried
// now, or nil.
func (h *history) loginRefused(now time.Time, task string) error {
	c := &h.Claims
	switch {
	case h.Blocked != "":
		return &BlockedError{Why: h.Blocked}
	case now.Before(h.Until) && h.Refused > 0:
		return &BackoffError{Until: h.Until, Reason: LoginRefused}
	case now.Before(h.Until):
		return &BackoffError{Until: h.Until, Reason: LoginFailed}
	case c.Task != task:
		return nil
	case c.Blocked != "":
		return &BlockedError{Why: c.Blocked, TaskOnly: true}
	case now.Before(c.Until):
		return &BackoffError{Until: c.Until, Reason: SessionsEnded}
	}
	return nil
}

// restore reads a stored history. A login that a crash interrupted counts as failed.
// No pause is longer than one that could begin now, in case the clock was wrong.
func (h *history) restore(doc []byte, now time.Time, cfg *Config) error {
	if err := json.Unmarshal(doc, h); err != nil {
		return err
	}

	if h.Trying {
		h.Trying = false
		h.Interrupted++
		pause := cfg.backoff(h.Interrupted, cfg.OutageBackoffMax)
		if h.Interrupted >= maxInterrupted {
			pause = cfg.BackoffMax
		}
		h.Until = now.Add(pause)
	}

	if longest := now.Add(longPause * cfg.BackoffMax); h.Until.After(longest) {
		h.Until = longest
	}
	if longest := now.Add(cfg.BackoffMax); h.Claims.Until.After(longest) {
		h.Claims.Until = longest
	}
	return nil
}

// loginSucceeded ends the pauses of failed logins.
func (h *history) loginSucceeded(now time.Time) {
	h.Refused = 0
	h.Failed = 0
	h.Interrupted = 0
	h.Trying = false
	h.Until = time.Time{}
	h.LoggedIn = now
}

// loginRefusedByApplication pauses for as long as the application may count refused
// passwords: another try with the same secret brings an account nearer to its
// lock-out and nothing else.
func (h *history) loginRefusedByApplication(now time.Time, cfg *Config) {
	h.Refused++
	h.Interrupted = 0
	h.Trying = false
	pause := cfg.BackoffMax
	if h.Refused >= cfg.LoginAttempts {
		pause *= longPause
	}
	h.Until = now.Add(pause)
}

// loginFailed pauses shortly: twice as long with each failure, up to
// OutageBackoffMax, but not before notBefore, which may be zero, as far as that is
// within BackoffMax.
func (h *history) loginFailed(now, notBefore time.Time, cfg *Config) {
	h.Failed++
	h.Interrupted = 0
	h.Trying = false

	until := now.Add(cfg.backoff(h.Failed, cfg.OutageBackoffMax))
	if longest := now.Add(cfg.BackoffMax); notBefore.After(longest) {
		notBefore = longest
	}
	if notBefore.After(until) {
		until = notBefore
	}
	if until.After(h.Until) {
		h.Until = until
	}
}

// sessionEnded counts a session that an answer to the task called over. The pages of
// an application, and so the people who write them, can say that of every session: one new
// login is free, each further one waits twice as long as the one before. A session
// that lived for BackoffMax begins the count again. useful says that the session had
// at least one good answer; after maxUselessSessions without one no login is tried
// for the task, for the reason why. If that happens to two tasks in a row, none is
// tried for any task.
func (h *history) sessionEnded(now time.Time, task string, useful bool, why string, cfg *Config) {
	c := &h.Claims
	if c.Task != task {
		*c = claims{Task: task, Second: c.Blocked != ""}
	}

	c.Short++
	if now.Sub(h.LoggedIn) >= cfg.BackoffMax {
		c.Short = 0
	}
	if c.Short > 1 {
		c.Until = now.Add(cfg.backoff(c.Short-1, cfg.BackoffMax))
	}

	c.Useless++
	if useful {
		c.Useless = 0
		c.Second = false
	}
	if c.Useless >= maxUselessSessions {
		c.Blocked = why
		if c.Second {
			h.Blocked = why
		}
	}
}

// sessionUseful notes that a session of the task has had a good answer, so that what
// happened to another task before was not the account's fault.
func (h *history) sessionUseful(task string) {
	if h.Claims.Task != task {
		h.Claims = claims{}
	}
	h.Claims.Second = false
}

// backoff returns the pause after the given number of failures: twice as long with
// each, up to longest, and shorter by up to half at random, so that instances do not
// log in at the same time.
func (c *Config) backoff(failures int, longest time.Duration) time.Duration {
	pause := c.BackoffMin
	for i := 1; i < failures && pause < longest; i++ {
		pause *= 2
	}
	pause = min(pause, longest)
	return pause - rand.N(pause/2+1)
}
