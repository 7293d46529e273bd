package identity

import "context"

func init() {
	registerSource(sourceKind{name: ByPeer, order: 200, open: func(_ Config, tasks *Registry) Source {
		return peerSource{tasks}
	}})
}

// peerSource identifies a task by the user who owns the other end of the connection, as
// the kernel tells it for a Unix socket and for a connection within this machine.
type peerSource struct{ tasks *Registry }

func (s peerSource) Identify(_ context.Context, e Evidence) (*Task, error) {
	if e.Peer == nil || !s.tasks.bindings.hasUsers() {
		return nil, ErrNotMine
	}
	uid, known := e.Peer()
	if !known {
		return nil, ErrNotMine
	}

	t := s.tasks.bindings.byUser(uid)
	if t == nil {
		return nil, ErrNotMine
	}
	return t, nil
}
