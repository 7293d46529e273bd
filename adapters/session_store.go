package adapters

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/byline-proxy/byline/adapters/internal/cookie"
	"github.com/byline-proxy/byline/adapters/internal/digest"
)

// storedVersion is the version of sessionDoc.
const storedVersion = 1

// sessionDoc is a session as it is stored. All of it is secret.
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
	Proofs    []string          `json:"proofs,omitempty"`
	Username  string            `json:"username,omitempty"`
	Landing   string            `json:"landing,omitempty"`
	ShownAs   string            `json:"shown_as,omitempty"`
	Cookies   []cookie.Cookie   `json:"cookies,omitempty"`
	Rotated   []Field           `json:"replaced,omitempty"`

	// OldRotated is where Rotated stood, without names.
	OldRotated []string `json:"rotated,omitempty"`
}

// Marshal returns the session as JSON, in the clear: the caller must encrypt it before it stores it.
// Marshal resets Changed.
func (s *Session) Marshal() ([]byte, error) {
	s.changed.Store(false) // before the session is read, so that a change during Marshal counts

	s.mu.Lock()
	shownAs := s.shownAs
	rotated := make([]Field, 0, len(s.rotated))
	for _, c := range s.rotated {
		rotated = append(rotated, Field{Name: c.name, Value: c.value})
	}
	s.mu.Unlock()

	challenge := s.digest
	if challenge != nil {
		challenge = challenge.ToStore()
	}
	return json.Marshal(sessionDoc{
		Version:   storedVersion,
		Scheme:    s.scheme,
		Authority: s.authority,
		Headers:   s.headers,
		Query:     s.query,
		Members:   s.members,
		Digest:    challenge,
		Until:     s.until,
		Pins:      s.pins,
		Taken:     s.taken,
		Secrets:   s.secrets,
		Proofs:    s.proofs,
		Username:  s.username,
		Landing:   s.landing,
		ShownAs:   shownAs,
		Cookies:   s.jar.Cookies(),
		Rotated:   rotated,
	})
}

// Restore returns a session that Marshal wrote. The error holds nothing of the session.
func (a *Adapter) Restore(text []byte) (*Session, error) {
	var doc sessionDoc
	if err := json.Unmarshal(text, &doc); err != nil {
		return nil, errors.New("the stored session cannot be read")
	}
	if doc.Version != storedVersion || doc.Authority == "" {
		return nil, fmt.Errorf("the stored session has version %d; this program reads version %d", doc.Version, storedVersion)
	}

	s := &Session{sessionState: &sessionState{
		scheme:    doc.Scheme,
		authority: doc.Authority,
		username:  doc.Username,
		headers:   doc.Headers,
		query:     doc.Query,
		members:   doc.Members,
		digest:    doc.Digest,
		pins:      doc.Pins,
		until:     doc.Until,
		taken:     doc.Taken,
		secrets:   doc.Secrets,
		proofs:    doc.Proofs,
		landing:   doc.Landing,
		shownAs:   doc.ShownAs,
	}}
	for _, v := range doc.OldRotated {
		s.rotated = append(s.rotated, rotatedCookie{value: v})
	}
	for _, c := range doc.Rotated {
		s.rotated = append(s.rotated, rotatedCookie{c.Name, c.Value})
	}
	if s.digest != nil && !s.digest.Resume() {
		return nil, errors.New("the stored session has an unknown digest algorithm")
	}

	s.jar.Replace(doc.Cookies)
	a.remask(s)
	return s, nil
}
