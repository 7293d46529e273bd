package adapters

import (
	"bytes"
	"io"

	"github.com/byline-proxy/byline/adapters/internal/mask"
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

// FindOwnInCoded is FindOwn for what a whole body decodes to. err says why it cannot be decoded within bounds.
// fields are those of the body.
func (s *Session) FindOwnInCoded(text []byte, fields []Field) (what string, found bool, err error) {
	if len(contentCodings(fields)) == 0 {
		return "", false, nil // before findOwnInCoded, whose results are on the heap
	}
	return s.findOwnInCoded(text, fields)
}

//go:noinline
func (s *Session) findOwnInCoded(text []byte, fields []Field) (what string, found bool, err error) {
	note := func(label string) error {
		what, found = label, true
		return io.EOF
	}
	_, err = io.Copy(io.Discard, s.OwnReader(bytes.NewReader(text), fields, note))
	return what, found, err
}

// OwnReader returns a reader of the body r that fails with the error of found once r has given a secret of the
// session's account, or something that decodes to one; see FindOwn. The bytes that complete the secret are not
// passed on.
func (s *Session) OwnReader(r io.Reader, fields []Field, found func(what string) error) io.Reader {
	own := s.own.Load()
	plain := own.Finder(r, found)

	codings := contentCodings(fields)
	if own == nil || len(codings) != 1 || !isJudgedCoding(codings[0]) {
		return plain // no server undoes several, nor what the judge of bodies refuses
	}
	return newCodedReader(&ownSource{Reader: plain}, &ownText{own.Search(), found}, codings[0])
}

// ownSource keeps the error of a body.
type ownSource struct {
	io.Reader
	err error
}

func (o *ownSource) Read(p []byte) (int, error) {
	n, err := o.Reader.Read(p)
	o.err = err
	return n, err
}

func (o *ownSource) lastError() error { return o.err }

// ownText looks for secrets of the account in the text to which a body decodes.
type ownText struct {
	search *mask.Search
	found  func(what string) error
}

func (o *ownText) check(piece []byte, _ bool) error {
	what, found := o.search.Add(piece)
	if found {
		return o.found(what)
	}
	return nil
}

func (o *ownText) pending() int { return o.search.Pending() }

func (o *ownText) refuse(why *BodyError) error { return why }
