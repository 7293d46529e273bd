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
	// RemoteAddr is the agent's address, with port.
	RemoteAddr string
}

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

// Authenticate returns the living task that the evidence proves: the first
// source that recognises the evidence decides. The errors are ErrNoCredentials,
// ErrUnknown, ErrEnded, ErrExpired, and those of sources. Only a caller that
// proves a task learns that the task has ended.
func (r *Registry) Authenticate(ctx context.Context, e Evidence) (*Task, error) {
	for _, s := range r.sources {
		t, err := s.Identify(ctx, e)
		if errors.Is(err, ErrNotMine) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if err := t.Active(); err != nil {
			return nil, err
		}
		return t, nil
	}

	if strings.TrimSpace(e.ProxyAuthorization) == "" {
		return nil, ErrNoCredentials
	}
	return nil, ErrUnknown
}
