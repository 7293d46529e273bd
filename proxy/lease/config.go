package lease

import (
	"errors"
	"time"
)

// Config says how long tasks wait for an account, how long a lease lives without
// a renewal, and how soon a failed login is tried again.
type Config struct {
	// Wait is how long a task waits for a free account before it is refused.
	// Default 10s. If it is too long, agents time out before they get an answer.
	Wait time.Duration `yaml:"wait"`
	// TTL is how long a lease lives after its last renewal. It is renewed after a
	// third of that. Default 60s. If it is too long, the accounts of a killed
	// instance stay taken; if it is too short, tasks lose their accounts when the
	// disk is slow.
	TTL time.Duration `yaml:"ttl"`
	// BackoffMin is the pause after the first login that failed without being refused, and after the second
	// session in a row that was over soon after its login. Default 1s.
	BackoffMin time.Duration `yaml:"backoff_min"`
	// BackoffMax is the pause after a login that the application refused, unless the account's secret or
	// the adapter changes before, and how long a session must have lived for its end to be nothing unusual.
	// Default 5m. If it is shorter than the time in which the SaaS counts failures, the SaaS may lock the
	// account.
	BackoffMax time.Duration `yaml:"backoff_max"`
	// OutageBackoffMax is the longest pause after logins that failed before the secret was sent, by a
	// connection that broke, or with a status that says nothing about the secret (408, 425, 429, 5xx).
	// Default 10s, or backoff_max if that is shorter. It is how long requests may be refused after the SaaS
	// has come back.
	OutageBackoffMax time.Duration `yaml:"outage_backoff_max"`
	// LoginAttempts is after how many logins in a row that the application refused the pause is twelve
	// times backoff_max. Default 5. It must be below the limit of the SaaS, which locks the account
	// otherwise.
	LoginAttempts int `yaml:"login_attempts"`
}

// SetDefaults fills the fields that are zero.
func (c *Config) SetDefaults() {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&c.Wait, 10 * time.Second},
		{&c.TTL, time.Minute},
		{&c.BackoffMin, time.Second},
		{&c.BackoffMax, 5 * time.Minute},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	if c.OutageBackoffMax == 0 {
		c.OutageBackoffMax = max(c.BackoffMin, min(10*time.Second, c.BackoffMax))
	}
	if c.LoginAttempts == 0 {
		c.LoginAttempts = 5
	}
}

// Check returns every problem, each beginning with its key. Call it after
// SetDefaults.
func (c *Config) Check() (problems []error) {
	if c.Wait < 0 {
		problems = append(problems, errors.New("wait: must not be negative"))
	}
	if c.TTL < time.Second {
		problems = append(problems, errors.New("ttl: must be at least 1s"))
	}
	if c.BackoffMin <= 0 {
		problems = append(problems, errors.New("backoff_min: must be positive"))
	}
	if c.BackoffMax < c.BackoffMin {
		problems = append(problems, errors.New("backoff_max: must be at least backoff_min"))
	}
	if c.OutageBackoffMax < c.BackoffMin {
		problems = append(problems, errors.New("outage_backoff_max: must be at least backoff_min"))
	}
	if c.LoginAttempts < 1 {
		problems = append(problems, errors.New("login_attempts: must be at least 1"))
	}
	return problems
}
