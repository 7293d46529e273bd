package mask

import (
	"bytes"
	"io"
)

// finder passes on what it reads until a secret is complete.
type finder struct {
	mask   *Mask
	source io.Reader
	found  func(label string) error
	before []byte // the end of what was passed on, in which a secret begins
	err    error
}

// Finder returns a reader of r that fails with the error of found when r has given a
// secret. The bytes that complete it are not passed on. A nil Mask finds nothing.
func (m *Mask) Finder(r io.Reader, found func(label string) error) io.Reader {
	if m == nil {
		return r
	}
	return &finder{mask: m, source: r, found: found}
}

func (f *finder) Read(p []byte) (int, error) {
	if f.err != nil {
		return 0, f.err
	}

	n, err := f.source.Read(p)
	text := p[:n]
	if len(f.before) > 0 {
		text = append(bytes.Clone(f.before), text...)
	}
	label, open, ok := f.mask.find(text, false)
	if ok {
		f.err = f.found(label)
		return 0, f.err
	}
	f.before = append(f.before[:0], text[max(open, len(text)-maxContext):]...)
	return n, err
}
