// Package identity knows who is asking: which agent, in which task, on behalf
// of which sponsor.
//
// A [Registry] holds the tasks. A [Source] finds the task that a connection or
// a request proves; each kind of source is one file of this package.
package identity

import (
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// Errors of [Registry.Authenticate] and [Task.Active]. An unknown task and a
// wrong token are the same error: the difference would tell an outsider which
// tasks exist.
var (
	ErrNoCredentials = errors.New("no task is named")
	ErrUnknown       = errors.New("no task goes with these credentials")
	ErrEnded         = errors.New("the task was ended")
	ErrExpired       = fmt.Errorf("the task has expired: %w", ErrEnded)
)

// Principal is who acts in a request. The zero value is nobody.
type Principal struct {
	Agent   string // the program, best as a SPIFFE ID
	Sponsor string // the human on whose behalf it acts
	Task    string // the task's id
	Purpose string // the reason, as the sponsor's ticket names it
	Grant   string // digest of the approved scope, see [Spec.Grant]
}

// minLifelineTimeout keeps a busy machine from ending tasks by being late.
const minLifelineTimeout = 200 * time.Millisecond

// Config bounds how long tasks live.
type Config struct {
	// DefaultTTL is how long a task lives if its creator names no time. Default 30m.
	DefaultTTL time.Duration `yaml:"default_ttl"`
	// MaxTTL is the longest time that a task may live. Default 24h. A long-lived
	// task is a standing privilege: prefer many short ones.
	MaxTTL time.Duration `yaml:"max_ttl"`
	// LifelineTimeout is after how much silence of byline run the server ends the
	// task. Default 700ms, so that a task whose byline run was killed is over within
	// a second. Raise it if the network between the two pauses for longer.
	LifelineTimeout time.Duration `yaml:"lifeline_timeout"`
	// LifelineResume is how long after its own start the server waits for a
	// byline run that was connected before. Default 10s. Until then the requests
	// of its task wait; after it the task ends.
	LifelineResume time.Duration `yaml:"lifeline_resume"`
	// TrustedSubnets lists networks, like 10.1.0.0/16, in which an address tells who
	// sends: nobody there can take another's. Only within them a task can be bound
	// to a subnet. Default none.
	TrustedSubnets []string `yaml:"trusted_subnets"`
}

// SetDefaults fills the fields that are zero.
func (c *Config) SetDefaults() {
	if c.DefaultTTL == 0 {
		c.DefaultTTL = 30 * time.Minute
	}
	if c.MaxTTL == 0 {
		c.MaxTTL = 24 * time.Hour
	}
	if c.LifelineTimeout == 0 {
		c.LifelineTimeout = 700 * time.Millisecond
	}
	if c.LifelineResume == 0 {
		c.LifelineResume = 10 * time.Second
	}
}

// Check returns every problem, each beginning with its key. Call it after
// SetDefaults.
func (c *Config) Check() (problems []error) {
	if c.DefaultTTL < 0 || c.DefaultTTL > c.MaxTTL {
		problems = append(problems, errors.New("default_ttl: must be positive and at most max_ttl"))
	}
	if c.MaxTTL < 0 {
		problems = append(problems, errors.New("max_ttl: must be positive"))
	}
	if c.LifelineTimeout < minLifelineTimeout {
		problems = append(problems, fmt.Errorf("lifeline_timeout: is too short, the minimum is %s", minLifelineTimeout))
	}
	if c.LifelineResume < 0 {
		problems = append(problems, errors.New("lifeline_resume: must be positive"))
	}
	for i, text := range c.TrustedSubnets {
		if _, err := netip.ParsePrefix(text); err != nil {
			problems = append(problems, fmt.Errorf("trusted_subnets[%d]: %q is not a CIDR prefix; write it like 10.1.0.0/16", i, text))
		}
	}
	return problems
}

// trustedSubnets returns TrustedSubnets parsed, without those that Check reports.
func (c *Config) trustedSubnets() (prefixes []netip.Prefix) {
	for _, text := range c.TrustedSubnets {
		if p, err := netip.ParsePrefix(text); err == nil {
			prefixes = append(prefixes, p.Masked())
		}
	}
	return prefixes
}
