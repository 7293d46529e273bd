package identity

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
)

// ErrBound means that another living task has the connections that a new one asks for.
var ErrBound = errors.New("another task has these connections")

// Binding names connections that are a task's without a token. The zero value names
// none.
type Binding struct {
	// UID is the user of this machine whose connections are the task's.
	UID *uint32 `json:"uid,omitempty"`
	// Subnets are where its connections come from, like 10.1.2.3/32. Each lies within
	// one of [Config.TrustedSubnets].
	Subnets []netip.Prefix `json:"subnets,omitempty"`
}

// maxSubnets bounds the subnets of one task.
const maxSubnets = 16

// IsZero reports whether the binding names nothing.
func (b Binding) IsZero() bool { return b.UID == nil && len(b.Subnets) == 0 }

// String returns what the binding names, for records and lists.
func (b Binding) String() string {
	var parts []string
	if b.UID != nil {
		parts = append(parts, fmt.Sprintf("uid %d", *b.UID))
	}
	for _, s := range b.Subnets {
		parts = append(parts, "subnet "+s.String())
	}
	return strings.Join(parts, ", ")
}

// check returns what is wrong with the binding.
func (b Binding) check(c Config) (problems []error) {
	if len(b.Subnets) > maxSubnets {
		problems = append(problems, fmt.Errorf("bind.subnets: has %d entries; the maximum is %d", len(b.Subnets), maxSubnets))
	}
	for _, s := range b.Subnets {
		switch {
		case s != s.Masked():
			problems = append(problems, fmt.Errorf("bind.subnets: %s names one address within a network; write %s", s, s.Masked()))
		case !c.trusts(s):
			problems = append(problems, fmt.Errorf("bind.subnets: %s lies in no network that the configuration trusts (task.trusted_subnets)", s))
		}
	}
	return problems
}

// trusts reports whether the subnet lies within one of TrustedSubnets.
func (c *Config) trusts(subnet netip.Prefix) bool {
	for _, trusted := range c.trustedSubnets() {
		if trusted.Bits() <= subnet.Bits() && trusted.Contains(subnet.Addr()) {
			return true
		}
	}
	return false
}

// bindings finds the task that a connection is bound to. An ended task keeps its
// connections until another takes them, so that its agent learns that it has ended. The
// zero value has none. It may be used concurrently.
type bindings struct {
	mu      sync.RWMutex
	users   map[uint32]*Task
	subnets map[netip.Prefix]*Task
}

// add binds the connections that b names to the task. It returns ErrBound, and changes
// nothing, if a living task has them.
func (x *bindings) add(b Binding, t *Task) error {
	if b.IsZero() {
		return nil
	}
	x.mu.Lock()
	defer x.mu.Unlock()

	if b.UID != nil && isAlive(x.users[*b.UID]) {
		return fmt.Errorf("bind.uid: %d: %w: %s; end it first", *b.UID, ErrBound, x.users[*b.UID].ID())
	}
	for _, s := range b.Subnets {
		if isAlive(x.subnets[s]) {
			return fmt.Errorf("bind.subnets: %s: %w: %s; end it first", s, ErrBound, x.subnets[s].ID())
		}
	}

	if b.UID != nil {
		if x.users == nil {
			x.users = map[uint32]*Task{}
		}
		x.users[*b.UID] = t
	}
	for _, s := range b.Subnets {
		if x.subnets == nil {
			x.subnets = map[netip.Prefix]*Task{}
		}
		x.subnets[s] = t
	}
	return nil
}

func isAlive(t *Task) bool { return t != nil && t.Active() == nil }

// remove ends the binding of the task, unless another has replaced it.
func (x *bindings) remove(t *Task) {
	b := t.binding
	if b.IsZero() {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()

	if b.UID != nil && x.users[*b.UID] == t {
		delete(x.users, *b.UID)
	}
	for _, s := range b.Subnets {
		if x.subnets[s] == t {
			delete(x.subnets, s)
		}
	}
}

func (x *bindings) hasUsers() bool {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return len(x.users) > 0
}

func (x *bindings) byUser(uid uint32) *Task {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.users[uid]
}

// byAddress returns the task of the smallest network that holds the address, or nil.
func (x *bindings) byAddress(a netip.Addr) *Task {
	x.mu.RLock()
	defer x.mu.RUnlock()

	for bits := a.BitLen(); bits >= 0 && len(x.subnets) > 0; bits-- {
		p, err := a.Prefix(bits)
		if err != nil {
			return nil
		}
		if t := x.subnets[p]; t != nil {
			return t
		}
	}
	return nil
}
