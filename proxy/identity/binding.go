package identity

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
)

// ErrBound means that another living task has the connections that a new one asks for.
var ErrBound = errors.New("another task has these connections")

// Binding names connections that are a task's without a token. The zero value names
// none.
type Binding struct {
	// UID is the user of this machine whose connections are the task's.
	UID *uint32 `json:"uid,omitempty"`
	// Subnet is where its connections come from, like 10.1.2.3/32. It lies within one
	// of [Config.TrustedSubnets].
	Subnet netip.Prefix `json:"subnet,omitzero"`
}

// IsZero reports whether the binding names nothing.
func (b Binding) IsZero() bool { return b.UID == nil && !b.Subnet.IsValid() }

// String returns what the binding names, for records and lists.
func (b Binding) String() string {
	switch {
	case b.UID != nil && b.Subnet.IsValid():
		return fmt.Sprintf("uid %d, subnet %s", *b.UID, b.Subnet)
	case b.UID != nil:
		return fmt.Sprintf("uid %d", *b.UID)
	case b.Subnet.IsValid():
		return "subnet " + b.Subnet.String()
	}
	return ""
}

// check returns what is wrong with the binding.
func (b Binding) check(c Config) (problems []error) {
	if !b.Subnet.IsValid() {
		return nil
	}
	if b.Subnet != b.Subnet.Masked() {
		problems = append(problems, fmt.Errorf("bind.subnet: %s names one address within a network; write %s", b.Subnet, b.Subnet.Masked()))
	}

	for _, trusted := range c.trustedSubnets() {
		if trusted.Bits() <= b.Subnet.Bits() && trusted.Contains(b.Subnet.Addr()) {
			return problems
		}
	}
	return append(problems, fmt.Errorf("bind.subnet: %s lies in no network that the configuration trusts (task.trusted_subnets)", b.Subnet))
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
	if b.Subnet.IsValid() && isAlive(x.subnets[b.Subnet]) {
		return fmt.Errorf("bind.subnet: %s: %w: %s; end it first", b.Subnet, ErrBound, x.subnets[b.Subnet].ID())
	}

	if b.UID != nil {
		if x.users == nil {
			x.users = map[uint32]*Task{}
		}
		x.users[*b.UID] = t
	}
	if b.Subnet.IsValid() {
		if x.subnets == nil {
			x.subnets = map[netip.Prefix]*Task{}
		}
		x.subnets[b.Subnet] = t
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
	if x.subnets[b.Subnet] == t {
		delete(x.subnets, b.Subnet)
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
