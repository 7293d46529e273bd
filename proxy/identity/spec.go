package identity

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/byline-proxy/byline/proxy/internal/names"
)

const (
	maxNameBytes    = 512 // of one name in a spec
	maxScopeEntries = 64
)

// Spec is what an operator asks for when a task is created.
type Spec struct {
	Agent   string
	Sponsor string
	Purpose string
	TTL     string // like 30m; empty: [Config.DefaultTTL]
	Scope   []ScopeEntry
	Bind    Binding // connections that are the task's without its token
}

// ScopeEntry approves actions on resources of one adapter. Actions and
// resources may hold * as a wildcard; no resources means all of them.
type ScopeEntry struct {
	Adapter   string   `json:"adapter"`
	Actions   []string `json:"actions"`
	Resources []string `json:"resources,omitempty"`
}

// Check returns every problem that keeps the spec from becoming a task, each
// with its remedy.
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

	if len(s.Scope) == 0 || len(s.Scope) > maxScopeEntries {
		problems = append(problems, fmt.Errorf("scope: has %d entries; approve 1 to %d, each with an adapter and its actions", len(s.Scope), maxScopeEntries))
	}
	for i, e := range s.Scope {
		problems = append(problems, e.check(i)...)
	}
	return append(problems, s.Bind.check(c)...)
}

// check returns the problems of the entry at index i.
func (e *ScopeEntry) check(i int) (problems []error) {
	if badName(e.Adapter) != "" {
		problems = append(problems, fmt.Errorf("scope[%d].adapter: is missing or malformed; byline adapter list shows the names", i))
	}
	if len(e.Actions) == 0 {
		problems = append(problems, fmt.Errorf("scope[%d].actions: is empty; name what is approved, like page.read", i))
	}
	for _, patterns := range [][]string{e.Actions, e.Resources} {
		for _, p := range patterns {
			if why := badName(p); why != "" {
				problems = append(problems, fmt.Errorf("scope[%d]: %q %s", i, p, why))
			}
		}
	}
	return problems
}

// badName returns why a record cannot hold the name, or "".
func badName(name string) string {
	switch {
	case strings.TrimSpace(name) == "":
		return "is missing"
	case len(name) > maxNameBytes:
		return fmt.Sprintf("is longer than %d bytes", maxNameBytes)
	}
	return names.Unreadable(name)
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

// Grant returns the digest of what was approved: "sha256:" and the hexadecimal
// SHA-256 of the JSON object {"agent","sponsor","purpose","scope"} with the keys
// in that order, no spaces, and no escaping beyond what JSON requires. It does
// not depend on the TTL or on when the approval was given.
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
