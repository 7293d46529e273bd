package policy

import (
	"errors"
	"time"
)

// Config says where the operator's policies lie.
type Config struct {
	// Dir holds the operator's *.cedar files. Default policies.d beside the
	// configuration file. A file that is removed no longer forbids anything:
	// restrict who may write there.
	Dir string `yaml:"dir"`
}

// SetDefaults fills what was left out.
func (c *Config) SetDefaults() {
	if c.Dir == "" {
		c.Dir = "policies.d"
	}
}

// Check lists what is wrong, each beginning with its key.
func (c *Config) Check() []error {
	if c.Dir == "" {
		return []error{errors.New("dir: must name a folder, like policies.d")}
	}
	return nil
}

// Subject is who a grant is for. A subject without agent, sponsor or task is
// denied everything.
type Subject struct{ Agent, Sponsor, Task, Purpose, Grant string }

// ScopeEntry approves actions on resources of one adapter. * in an action or a
// resource stands for any characters; no resources means all of them. An
// action with a * never grants a privileged action.
type ScopeEntry struct {
	Adapter   string
	Actions   []string
	Resources []string
}

// Request is what somebody wants to do. Path is without its query.
type Request struct {
	Adapter, Action, Resource string
	Privileged                bool
	Method, Host, Path        string
	Now                       time.Time // the zero time is denied
}

// Effect is permit or deny. The zero value denies.
type Effect uint8

// The two effects.
const (
	Deny Effect = iota
	Permit
)

// String is "permit" or "deny".
func (e Effect) String() string {
	if e == Permit {
		return "permit"
	}
	return "deny"
}

// Codes of a denial: the scope does not reach that far, or it does and a
// policy forbids it.
const (
	OutOfScope   = "out_of_scope"
	PolicyDenied = "policy_denied"
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
