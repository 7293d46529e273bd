package identity

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"slices"
	"strings"
)

// Evidence is what a connection or a request carries about who is asking. The
// zero value proves nothing.
type Evidence struct {
	// ProxyAuthorization is the value of the field of that name (RFC 9110,
	// section 11.7.2), or "".
	ProxyAuthorization string
	// TLS is the state of the agent's connection to the proxy, with the
	// certificates that it showed, or nil without TLS.
	TLS *tls.ConnectionState
	// Listener is the task whose own listener accepted the connection, or nil.
	Listener *Task
	// Peer returns the user who owns the other end of the connection. known is
	// false if the kernel does not tell. It is nil if that cannot be asked.
	Peer func() (uid uint32, known bool)
	// RemoteAddr is the agent's address, with port.
	RemoteAddr string
}

// How a task was identified, as records say it.
const (
	ByListener = "listener" // by the listener that accepted the connection
	ByToken    = "token"    // by its token
	ByPeer     = "peer"     // by the user at the other end
	BySubnet   = "subnet"   // by the address it came from
)

// ErrNotMine means that the evidence is of no kind that the source knows. The
// next source is asked.
var ErrNotMine = errors.New("no evidence for this source")

// Source finds the task that some kind of evidence proves. Its method may be
// called concurrently.
type Source interface {
	// Identify returns the task that the evidence proves, which may have ended.
	// It returns ErrNotMine, possibly wrapped, if the evidence is not of its
	// kind. Any other error is final and refuses the request: ErrUnknown for
	// evidence of its kind that proves no task.
	Identify(ctx context.Context, e Evidence) (*Task, error)
}

// sourceKind is one kind of source that a configuration can name.
type sourceKind struct {
	name string
	// order places the source: lower ones are asked first.
	order int
	// open returns nil if the configuration does not name the source. It must
	// not call methods of tasks.
	open func(c Config, tasks *Registry) Source
}

var sourceKinds []sourceKind

// registerSource adds a kind of source. It is called from init functions only.
func registerSource(k sourceKind) {
	sourceKinds = append(sourceKinds, k)
	slices.SortFunc(sourceKinds, func(a, b sourceKind) int {
		return cmp.Or(cmp.Compare(a.order, b.order), strings.Compare(a.name, b.name))
	})
}

// namedSource is an open source with the name of its kind.
type namedSource struct {
	Source
	name string
}

// Authenticate returns the living task that the evidence proves, and the name of the
// source that decided: the first that recognises the evidence. The errors are
// ErrNoCredentials, ErrUnknown, ErrEnded, ErrExpired, and those of sources. Only a
// caller that proves a task learns that the task has ended.
func (r *Registry) Authenticate(ctx context.Context, e Evidence) (t *Task, by string, err error) {
	for _, s := range r.sources {
		t, err := s.Identify(ctx, e)
		if errors.Is(err, ErrNotMine) {
			continue
		}
		if err != nil {
			return nil, s.name, err
		}
		if err := t.Active(); err != nil {
			return nil, s.name, err
		}
		return t, s.name, nil
	}

	if strings.TrimSpace(e.ProxyAuthorization) == "" {
		return nil, "", ErrNoCredentials
	}
	return nil, "", ErrUnknown
}
