package mask

import (
	"io"
	"sync/atomic"
)

// Masker masks what one exchange may show its agent: the secrets that the session has at the moment,
// and those that it had when the request went out. The application may replace a cookie any number of
// times before it answers, and may still repeat what it was sent. A Masker is safe for concurrent use.
// The zero value masks nothing.
type Masker struct {
	current *atomic.Pointer[Mask] // of the session
	sent    *Mask                 // as it was when the request went out
}

// NewMasker returns the Masker of an exchange whose request is about to go out. current is the
// session's Mask, which may change later.
func NewMasker(current *atomic.Pointer[Mask]) Masker { return Masker{current, current.Load()} }

// masks returns the masks to apply. also is nil if m covers it; m is nil only if there is nothing to
// mask.
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
	var buf [8]span
	spans := also.appendSpans(buf[:0], b) // before m changes b
	m.InPlace(b)
	for _, s := range spans {
		overwrite(b[s.start:s.end])
	}
}

// Text returns a header value masked, and s itself if there is nothing to mask.
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

// Reader returns a reader of what r returns, masked. It holds back only bytes that may be the beginning
// of a secret, so events are not delayed. If r fails with another error than io.EOF the bytes that are
// held back are dropped. The reader belongs to one goroutine.
func (v Masker) Reader(r io.Reader) io.Reader {
	if !v.Masks() {
		return r
	}
	return &reader{masker: v, r: r}
}

// Reader returns the reader of a Masker that never changes.
func (m *Mask) Reader(r io.Reader) io.Reader { return Masker{sent: m}.Reader(r) }

// span is a range of bytes.
type span struct{ start, end int }

// appendSpans appends to dst the ranges of b that m masks.
func (m *Mask) appendSpans(dst []span, b []byte) []span {
	if m != nil {
		m.spans(b, func(start, end int) { dst = append(dst, span{start, end}) })
	}
	return dst
}
