package adapters

import (
	"io"
)

// FindOwn looks for a secret of the session's account in text that an agent sends: a secret of the
// vault, a token of the login, or a cookie that proves the session. No agent can have one, so a request
// that holds one was made to try it out, or the secret has leaked. It returns what the secret is,
// without its value. Mask masks each of these secrets as well.
func (s *Session) FindOwn(text string) (what string, found bool) { return s.own.Load().FindText(text) }

// FindOwnInFields is FindOwn for the names and values of header fields. It does not look at fields again
// that known holds for the same secrets: agents send most of theirs with every request.
func (s *Session) FindOwnInFields(known *KnownFields, fields []Field) (what string, found bool) {
	own := s.own.Load()
	if own == nil {
		return "", false
	}

	k := known.under(own)
	for i := range fields {
		if k.has(&fields[i]) {
			continue
		}
		what, found = own.FindText(fields[i].Value)
		if !found {
			what, found = own.FindText(fields[i].Name)
		}
		if found {
			return what, true
		}
	}

	known.learn(&k, fields)
	return "", false
}

// FindOwnIn is FindOwn for a body.
func (s *Session) FindOwnIn(text []byte) (what string, found bool) { return s.own.Load().Find(text) }

// OwnReader returns a reader of r that fails with the error of found once r has given a secret of the
// session's account; see FindOwn. The bytes that complete the secret are not passed on.
func (s *Session) OwnReader(r io.Reader, found func(what string) error) io.Reader {
	return s.own.Load().Finder(r, found)
}
