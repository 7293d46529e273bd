package identity

import "context"

func init() {
	registerSource(sourceKind{name: ByListener, order: 10, open: func(_ Config, tasks *Registry) Source {
		return listenerSource{tokenSource{tasks}}
	}})
}

// listenerSource identifies a task by the listener that accepted the connection: byline
// run opens one for its task alone. Credentials that come over the connection as well
// must be those of the same task.
type listenerSource struct{ tokens tokenSource }

func (s listenerSource) Identify(ctx context.Context, e Evidence) (*Task, error) {
	if e.Listener == nil {
		return nil, ErrNotMine
	}

	if _, _, isToken := parseTaskToken(e.ProxyAuthorization); isToken {
		t, err := s.tokens.Identify(ctx, e)
		if err != nil {
			return nil, err
		}
		if t != e.Listener {
			return nil, ErrUnknown
		}
	}
	return e.Listener, nil
}
