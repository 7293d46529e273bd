package adapters

import (
	"io"
	"strings"
	"sync/atomic"

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

	last := known.last.Load()
	if last != nil && last.own != own {
		last = nil
	}
	hits, next := 0, 0
	for i := range fields {
		at := last.indexOf(&fields[i], next)
		if at >= 0 {
			hits++
			next = at + 1
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

	if hits < (len(fields)+1)/2 {
		known.keep(own, fields)
	}
	return "", false
}

// KnownFields remembers the fields of a request in which no secret of a session's account was found. It
// holds for the very secrets that were looked for, and compares names and values byte by byte. The zero
// value knows none. It is safe for concurrent use.
type KnownFields struct {
	last atomic.Pointer[knownFields]
}

// knownFields does not change.
type knownFields struct {
	own    *mask.Mask // what was looked for
	fields []Field
}

// Bounds of what KnownFields keeps. Fields that are longer, or come after these, are looked at each time.
const (
	maxKnownFields = 32
	maxKnownBytes  = 4 << 10
	maxKnownField  = 1 << 10
)

// keep replaces what is known by fields in which own found nothing.
func (k *KnownFields) keep(own *mask.Mask, fields []Field) {
	kept := &knownFields{own: own, fields: make([]Field, 0, min(len(fields), maxKnownFields))}
	bytes := 0
	for i := range fields {
		n := len(fields[i].Name) + len(fields[i].Value)
		if n > maxKnownField || bytes+n > maxKnownBytes {
			continue
		}
		if len(kept.fields) == maxKnownFields {
			break
		}
		bytes += n
		kept.fields = append(kept.fields, Field{Name: strings.Clone(fields[i].Name), Value: strings.Clone(fields[i].Value)}) // they are parts of a whole head
	}
	k.last.Store(kept)
}

// indexOf returns where f is among the known fields, or -1. It begins at start, where the next field of
// an agent that keeps their order is.
func (k *knownFields) indexOf(f *Field, start int) int {
	if k == nil {
		return -1
	}
	for i := start; i < len(k.fields); i++ {
		if k.fields[i] == *f {
			return i
		}
	}
	for i := range min(start, len(k.fields)) {
		if k.fields[i] == *f {
			return i
		}
	}
	return -1
}

// FindOwnIn is FindOwn for a body.
func (s *Session) FindOwnIn(text []byte) (what string, found bool) { return s.own.Load().Find(text) }

// OwnReader returns a reader of r that fails with the error of found once r has given a secret of the
// session's account; see FindOwn. The bytes that complete the secret are not passed on.
func (s *Session) OwnReader(r io.Reader, found func(what string) error) io.Reader {
	return s.own.Load().Finder(r, found)
}
