// Package isolate runs a program whose only way out is the process that started it.
//
// The program has its own user, network, mount, IPC and process namespaces. Every
// address is local in its network, so a connection to any address on a port that was
// asked for reaches a listener, and one to any other port is refused by the kernel. The
// listeners are passed to the process that called [Start], outside of the namespaces,
// which thereby knows whose every connection is.
//
// Four processes take part, of which three are this binary again:
//
//	caller     outside; accepts connections, answers DNS
//	launcher   outside; creates the namespaces. It holds no secrets, because the kernel lets
//	           only a process whose memory others may read write the map of users
//	init       process 1 inside; has the capabilities of the namespaces, opens sockets
//	program    inside; without capabilities and under a filter of system calls
//
// The caller's end ends all of them. docs/decisions/isolation.md has the reasons.
package isolate

import (
	"errors"
	"fmt"
	"os"
	"slices"
)

// Mode says how a program is kept from going around.
type Mode string

// The modes. The zero value is not valid.
const (
	Off     Mode = "off"     // not at all
	Best    Mode = "best"    // as far as the machine allows
	Require Mode = "require" // completely, or it does not run
)

// Modes are all modes.
var Modes = []Mode{Require, Best, Off}

// ParseMode returns the mode that text names.
func ParseMode(text string) (Mode, error) {
	if m := Mode(text); slices.Contains(Modes, m) {
		return m, nil
	}
	return "", fmt.Errorf("%q is not require, best or off", text)
}

// DeniedError says that this machine does not let this user isolate a program.
type DeniedError struct {
	What string // what was tried
	Err  error
}

// Error says what was denied and why.
func (e *DeniedError) Error() string { return fmt.Sprintf("%s: %v", e.What, e.Err) }

// Unwrap returns the cause.
func (e *DeniedError) Unwrap() error { return e.Err }

// Remedy says how the machine's administrator allows it.
func (e *DeniedError) Remedy() string {
	for _, setting := range []struct{ file, denies, remedy string }{
		{"/proc/sys/kernel/unprivileged_userns_clone", "0", "sysctl -w kernel.unprivileged_userns_clone=1"},
		{"/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1", "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, or an AppArmor profile for byline with the rule userns"},
		{"/proc/sys/user/max_user_namespaces", "0", "sysctl -w user.max_user_namespaces=15000"},
	} {
		value, err := os.ReadFile(setting.file)
		if err == nil && string(value) == setting.denies+"\n" {
			return "this machine denies user namespaces; its administrator allows them: " + setting.remedy
		}
	}
	return "user namespaces are denied here. In a container, start it with --security-opt seccomp=unconfined --security-opt systempaths=unconfined (Docker) or hostUsers: false and procMount: Unmasked (Kubernetes); or isolate the container itself and use --isolate=off"
}

// errProtocol says that a process of this package sent what it never sends.
var errProtocol = errors.New("isolate: unexpected message")
