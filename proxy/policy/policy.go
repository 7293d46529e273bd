package policy

import "time"

// Subject is who a grant is for. A subject without agent, sponsor or task is
// denied everything.
type Subject struct{ Agent, Sponsor, Task, Purpose, Grant string }

// Request is what a task wants to do.
type Request struct {
	Adapter, Action, Resource string
	Privileged                bool
	Method, Host              string
	Path                      string    // without the query
	Now                       time.Time // the zero time is denied
}

// Effect is permit or deny. The zero value denies.
type Effect uint8

// The two effects.
const (
	Deny Effect = iota
	Permit
)

// String returns "permit" or "deny".
func (e Effect) String() string {
	if e == Permit {
		return "permit"
	}
	return "deny"
}

// Codes of a denial.
const (
	OutOfScope   = "out_of_scope"  // the scope does not permit it
	PolicyDenied = "policy_denied" // the scope permits it and a policy forbids it
)

// Decision is the answer to a request. The zero value denies.
type Decision struct {
	Effect Effect
	Code   string // OutOfScope or PolicyDenied; "" on a permit
	// Policies are the ids that decided: the permitting scope entries, as
	// scope[0], or the forbidding policies, as night.cedar#no-deletes. The
	// caller must not change them.
	Policies []string
	Errors   []string // of policies that could not be evaluated, and so deny
}
