package adapters

import (
	"slices"
	"time"
)

// HistoryEntry is one entry of an application's own history, in the terms of the record.
type HistoryEntry struct {
	ID       string    `json:"id"`
	Time     time.Time `json:"time"`    // by the application's clock, in UTC
	User     string    `json:"user"`    // the name in Written, as log.entry.user_is says
	Written  string    `json:"written"` // what the log has for the user
	Actions  []string  `json:"actions"` // one of them must have caused the entry
	Resource string    `json:"resource"`
	Many     bool      `json:"many,omitempty"`    // one request may cause several such entries
	AtMost   int       `json:"at_most,omitempty"` // if not 0: how many, and Many is true

	// Also lists other names that the actions may have for the resource.
	Also []string `json:"also,omitempty"`

	// Kind is the index of the entry's kind in log.kinds.
	Kind int `json:"kind"`

	// Precision is the unit of Time: the entry was made between Time and the next unit.
	Precision time.Duration `json:"precision_ns,omitempty"`
}

// The actions of Byline itself in log.kinds.
const (
	ActionLogin  = "byline.login"  // a login, also one that failed
	ActionLogout = "byline.logout" // a logout
	ActionProbe  = "byline.probe"  // a page that Byline asks for, during a login, a logout or a request
)

// HasHistory reports whether the adapter says how to read the application's history.
func (a *Adapter) HasHistory() bool { return a.spec.Log.Entry.Time != "" }

// History returns how the application's history is read. It is zero if HasHistory returns false.
func (a *Adapter) History() HistorySpec { return a.spec.Log }

// Writes reports whether requests of an action with a method count as changes: those of an action that says
// so in writes, and those with another method than GET, HEAD and OPTIONS, unless the action is safe. Of
// several actions of one name, one that may write is enough.
func (a *Adapter) Writes(action, method string) bool {
	isSafe := method == "GET" || method == "HEAD" || method == "OPTIONS"
	found := false
	for i := range a.spec.Actions {
		s := &a.spec.Actions[i]
		if s.Name != action || len(s.Match.Method) > 0 && !slices.Contains(s.Match.Method, method) {
			continue
		}
		if s.Writes || !s.Safe && !isSafe {
			return true
		}
		found = true
	}
	return !found && !isSafe
}
