// Package identity knows who is asking: which agent, in which task, on behalf
// of which sponsor. A task is named by a token of 256 random bits that is shown
// once and kept only as a hash.
package identity

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
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
	Sponsor string // the human on whose behalf
	Task    string // the task's id
	Purpose string // why, as the sponsor's ticket names it
	Grant   string // digest of the approved scope, see [Spec.Grant]
}

// ScopeEntry approves actions on resources of one adapter. Actions and
// resources may hold * as a wildcard; no resources means all of them.
type ScopeEntry struct {
	Adapter   string   `json:"adapter"`
	Actions   []string `json:"actions"`
	Resources []string `json:"resources,omitempty"`
}

// Spec is what an operator asks for when a task is made.
type Spec struct {
	Agent   string
	Sponsor string
	Purpose string
	TTL     string // like 30m; empty: the default
	Scope   []ScopeEntry
}

// Config bounds how long tasks live.
type Config struct {
	// DefaultTTL is how long a task lives that names no time. Default 30m.
	DefaultTTL time.Duration `yaml:"default_ttl"`
	// MaxTTL is the longest a task may live. Default 24h. A long-lived task is
	// a standing privilege: prefer many short ones.
	MaxTTL time.Duration `yaml:"max_ttl"`
}

// SetDefaults fills what was left out.
func (c *Config) SetDefaults() {
	if c.DefaultTTL == 0 {
		c.DefaultTTL = 30 * time.Minute
	}
	if c.MaxTTL == 0 {
		c.MaxTTL = 24 * time.Hour
	}
}

// Check lists what is wrong, each beginning with its key.
func (c *Config) Check() (problems []error) {
	if c.DefaultTTL < 0 || c.DefaultTTL > c.MaxTTL {
		problems = append(problems, errors.New("default_ttl: must be positive and at most max_ttl"))
	}
	if c.MaxTTL < 0 {
		problems = append(problems, errors.New("max_ttl: must be positive"))
	}
	return problems
}

// Most that a name in a spec may be long, in bytes, and a scope in entries.
const (
	maxName  = 512
	maxScope = 64
)

// Check lists what keeps the spec from becoming a task, each with its remedy.
func (s *Spec) Check(c Config) (problems []error) {
	for _, f := range []struct{ name, value, example string }{
		{"agent", s.Agent, "spiffe://acme.example/agent/triage"},
		{"sponsor", s.Sponsor, "alice@acme.example"},
		{"purpose", s.Purpose, "INC-1234"},
	} {
		if why := badName(f.value); why != "" {
			problems = append(problems, fmt.Errorf("%s: %s; give one like %q", f.name, why, f.example))
		}
	}
	if _, err := s.ttl(c); err != nil {
		problems = append(problems, err)
	}
	if len(s.Scope) == 0 || len(s.Scope) > maxScope {
		problems = append(problems, fmt.Errorf("scope: has %d entries; approve 1 to %d, each with an adapter and its actions", len(s.Scope), maxScope))
	}
	for i, e := range s.Scope {
		problems = append(problems, e.check(i)...)
	}
	return problems
}

func (e *ScopeEntry) check(i int) (problems []error) {
	if badName(e.Adapter) != "" {
		problems = append(problems, fmt.Errorf("scope[%d].adapter: is missing or malformed; byline adapter list shows the names", i))
	}
	if len(e.Actions) == 0 {
		problems = append(problems, fmt.Errorf("scope[%d].actions: is empty; name what is approved, like page.read", i))
	}
	for _, list := range [][]string{e.Actions, e.Resources} {
		for _, v := range list {
			if why := badName(v); why != "" {
				problems = append(problems, fmt.Errorf("scope[%d]: %q %s", i, v, why))
			}
		}
	}
	return problems
}

// badName tells why a name cannot stand in a record, or "".
func badName(s string) string {
	switch {
	case strings.TrimSpace(s) == "":
		return "is missing"
	case len(s) > maxName:
		return fmt.Sprintf("is longer than %d bytes", maxName)
	case strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\ufffd' }):
		return "holds a control character"
	}
	return ""
}

func (s *Spec) ttl(c Config) (time.Duration, error) {
	if s.TTL == "" {
		return c.DefaultTTL, nil
	}
	d, err := time.ParseDuration(s.TTL)
	if err != nil || d <= 0 || d > c.MaxTTL {
		return 0, fmt.Errorf("ttl: %q is not a time above zero and at most %s; write it like 30m", s.TTL, c.MaxTTL)
	}
	return d, nil
}

// Grant is the digest of what was approved: "sha256:" and the hexadecimal
// SHA-256 of the JSON object {"agent","sponsor","purpose","scope"} with keys in
// that order, no spaces, and no escaping beyond what JSON demands. The same
// approval has the same digest whenever it is given.
func (s *Spec) Grant() string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(struct { // strings and slices of strings always encode
		Agent   string       `json:"agent"`
		Sponsor string       `json:"sponsor"`
		Purpose string       `json:"purpose"`
		Scope   []ScopeEntry `json:"scope"`
	}{s.Agent, s.Sponsor, s.Purpose, s.Scope})
	sum := sha256.Sum256([]byte(strings.TrimSuffix(b.String(), "\n")))
	return "sha256:" + hex.EncodeToString(sum[:])
}
