package lease

import (
	"encoding/json"
	"sync"
	"time"
)

// account is what this instance knows of an account beyond one lease.
type account struct {
	key   accountKey
	store Store
	cfg   *Config

	writing sync.Mutex // held while the history is changed and stored, in this order
	mu      sync.Mutex // guards history; not held while the store is called
	history history

	// Guarded by Manager.mu.
	busy    bool   // leased here, or being acquired
	lastUse uint64 // Manager.uses when it was picked last
}

// update changes the history and stores it. The change holds in this process even
// if it cannot be stored.
func (a *account) update(change func(h *history, now time.Time)) error {
	a.writing.Lock()
	defer a.writing.Unlock()

	a.mu.Lock()
	before := a.history
	change(&a.history, time.Now())
	after := a.history
	a.mu.Unlock()

	if after == before {
		return nil
	}
	var doc []byte
	if after != (history{}) {
		var err error
		if doc, err = json.Marshal(after); err != nil {
			return err
		}
	}
	return a.store.PutLogins(a.key.adapter, a.key.name, doc)
}

// loginRefused returns the error of a login for the task that must not be tried
// now, or nil.
func (a *account) loginRefused(now time.Time, task string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.history.loginRefused(now, task)
}

// allowLogin allows a login now, as if none had ever failed.
func (a *account) allowLogin() error {
	return a.update(func(h *history, _ time.Time) {
		*h = history{LoggedIn: h.LoggedIn, With: h.With}
	})
}
