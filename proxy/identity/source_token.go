package identity

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"strings"
)

func init() {
	registerSource(sourceKind{name: ByToken, order: 100, open: func(_ Config, tasks *Registry) Source {
		return tokenSource{tasks}
	}})
}

// tokenSource identifies a task by the token that was shown when the task was
// created. The evidence is Proxy-Authorization: Basic with the task's id and
// token (RFC 7617), or Bearer with the token alone (RFC 6750).
type tokenSource struct{ tasks *Registry }

func (s tokenSource) Identify(_ context.Context, e Evidence) (*Task, error) {
	id, token, ok := parseTaskToken(e.ProxyAuthorization)
	if !ok {
		return nil, ErrNotMine
	}

	// The task is found by the hash of the token, so that no comparison depends
	// on how much of a guess was right.
	t := s.tasks.findByToken(hashToken(token))
	if t == nil {
		return nil, ErrUnknown
	}
	if id != "" && subtle.ConstantTimeCompare([]byte(id), []byte(t.ID())) != 1 {
		return nil, ErrUnknown
	}
	return t, nil
}

// parseTaskToken reads a Proxy-Authorization value; ok is false if it holds no
// task token. The id is "" under Bearer.
func parseTaskToken(credentials string) (id, token string, ok bool) {
	scheme, rest, _ := strings.Cut(strings.TrimSpace(credentials), " ")
	rest = strings.TrimSpace(rest)

	switch strings.ToLower(scheme) {
	case "bearer":
		return "", rest, strings.HasPrefix(rest, tokenPrefix)

	case "basic":
		text, err := base64.StdEncoding.DecodeString(rest)
		if err != nil {
			return "", "", false
		}
		id, token, ok = strings.Cut(string(text), ":")
		return id, token, ok && id != "" && strings.HasPrefix(token, tokenPrefix)
	}
	return "", "", false
}
