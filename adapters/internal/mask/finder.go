package mask

import (
	"bytes"
	"io"
)

// Search looks for secrets in a text that comes in pieces.
type Search struct {
	mask   *Mask
	before []byte // the end of the text so far, in which a secret may begin
}

// Search returns a search for the secrets of m. A nil Mask finds nothing.
func (m *Mask) Search() *Search { return &Search{mask: m} }

// Add reads the next piece of the text. It returns the label of a secret that is now
// complete.
func (s *Search) Add(piece []byte) (label string, found bool) {
	if s.mask == nil {
		return "", false
	}

	text := piece
	if len(s.before) > 0 {
		text = append(bytes.Clone(s.before), piece...)
	}
	label, open, found := s.mask.find(text, false)
	s.before = append(s.before[:0], text[max(open, len(text)-maxContext):]...)
	return label, found
}

// Pending returns how many bytes of the text so far may belong to a secret that is not
// complete.
func (s *Search) Pending() int { return len(s.before) }

// finder passes on what it reads until a secret is complete.
type finder struct {
	search *Search
	source io.Reader
	found  func(label string) error
	err    error
}

// Finder returns a reader of r that fails with the error of found when r has given a
// secret. The bytes that complete it are not passed on. A nil Mask finds nothing.
func (m *Mask) Finder(r io.Reader, found func(label string) error) io.Reader {
	if m == nil {
		return r
	}
	return &finder{search: m.Search(), source: r, found: found}
}

func (f *finder) Read(p []byte) (int, error) {
	if f.err != nil {
		return 0, f.err
	}

	n, err := f.source.Read(p)
	if label, ok := f.search.Add(p[:n]); ok {
		f.err = f.found(label)
		return 0, f.err
	}
	return n, err
}
