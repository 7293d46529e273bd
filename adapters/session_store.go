package adapters

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/byline-proxy/byline/adapters/internal/cookie"
	"github.com/byline-proxy/byline/adapters/internal/digest"
)

// sessionDoc is a session in JSON. It is secret from end to end: the caller seals it.
type sessionDoc struct {
	Version   int               `json:"v"`
	Scheme    string            `json:"scheme"`
	Authority string            `json:"authority"`
	Headers   []Field           `json:"headers,omitempty"`
	Query     []Field           `json:"query,omitempty"`
	Members   []Field           `json:"members,omitempty"`
	Digest    *digest.Challenge `json:"digest,omitempty"`
	Until     time.Time         `json:"until,omitzero"`
	Pins      []pinned          `json:"pins,omitempty"`
	Taken     map[string]string `json:"taken,omitempty"`
	Secrets   []string          `json:"secrets,omitempty"`
	Username  string            `json:"username,omitempty"`
	Cookies   []cookie.Cookie   `json:"cookies,omitempty"`
	Rotated   []string          `json:"rotated,omitempty"`
}

// Marshal is the session as JSON, in the clear: seal it before it is stored. It clears Changed.
func (s *Session) Marshal() ([]byte, error) {
	s.changed.Store(false) // before reading: a change from now on counts again
	s.mu.Lock()
	rotated := slices.Clone(s.rotated)
	s.mu.Unlock()
	challenge := s.digest
	if challenge != nil {
		challenge = challenge.ToStore()
	}
	return json.Marshal(sessionDoc{Version: 1, Scheme: s.scheme, Authority: s.authority, Headers: s.headers, Query: s.query, Members: s.members, Digest: challenge, Until: s.until, Pins: s.pins,
		Taken: s.taken, Secrets: s.secrets, Username: s.username, Cookies: s.jar.Cookies(), Rotated: rotated})
}

// Restore takes up a session that Marshal wrote. The error never holds a part of it.
func (a *Adapter) Restore(text []byte) (*Session, error) {
	var doc sessionDoc
	if err := json.Unmarshal(text, &doc); err != nil {
		return nil, errors.New("the stored session is not readable")
	}
	if doc.Version != 1 || doc.Authority == "" {
		return nil, fmt.Errorf("the stored session has version %d: this program reads 1", doc.Version)
	}
	s := &Session{sessionState: &sessionState{scheme: doc.Scheme, authority: doc.Authority, headers: doc.Headers, query: doc.Query, members: doc.Members, digest: doc.Digest, until: doc.Until, pins: doc.Pins, taken: doc.Taken,
		secrets: doc.Secrets, username: doc.Username, rotated: doc.Rotated}}
	if s.digest != nil && !s.digest.Resume() {
		return nil, errors.New("the stored session has an unknown digest algorithm")
	}
	s.jar.Replace(doc.Cookies)
	a.remask(s)
	return s, nil
}
