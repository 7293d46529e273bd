package mask

import (
	"io"
	"sync/atomic"
)

// Masker masks what one exchange may show its agent: the session's secrets as they are at the moment, and those that the
// session had when the request went out. The SaaS may replace a cookie any number of times before it answers, and may
// still repeat what it was sent. The zero value masks nothing.
type Masker struct {
	current *atomic.Pointer[Mask]
	sent    *Mask
}

// NewMasker is for an exchange whose session is put on now; current holds the session's mask.
func NewMasker(current *atomic.Pointer[Mask]) Masker { return Masker{current, current.Load()} }

// masks are the two that count; the second is nil when it would add nothing.
func (v Masker) masks() (m, also *Mask) {
	if v.current == nil {
		return v.sent, nil
	}
	m, also = v.current.Load(), v.sent
	if m == nil || m == also {
		return also, nil
	}
	return m, also
}

// InPlace masks b.
func (v Masker) InPlace(b []byte) {
	m, also := v.masks()
	var kept [8]stretch
	later := also.stretches(kept[:0], b) // before m changes b
	m.InPlace(b)
	for _, l := range later {
		stars(b[l.start:l.end])
	}
}

// Text masks a header value; the same string when there is nothing to mask.
func (v Masker) Text(s string) string {
	m, also := v.masks()
	if also == nil {
		return m.Text(s)
	}
	b := []byte(s)
	v.InPlace(b)
	return string(b)
}

// Masks reports whether there is anything to mask.
func (v Masker) Masks() bool {
	m, _ := v.masks()
	return m != nil
}

// Reader masks what r gives. It holds back only bytes that may be the beginning of a secret, so events are not
// delayed. When r fails other than with io.EOF the bytes held back are dropped. The Reader is for one goroutine.
func (v Masker) Reader(r io.Reader) io.Reader {
	if !v.Masks() {
		return r
	}
	return &reader{masker: v, r: r}
}

// Reader is that of a Masker which does not change.
func (m *Mask) Reader(r io.Reader) io.Reader { return Masker{sent: m}.Reader(r) }

type stretch struct{ start, end int }

// stretches are what would be masked of b.
func (m *Mask) stretches(dst []stretch, b []byte) []stretch {
	if m != nil {
		m.spans(b, func(start, end int) { dst = append(dst, stretch{start, end}) })
	}
	return dst
}
