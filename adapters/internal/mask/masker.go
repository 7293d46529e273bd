package mask

import (
	"io"
	"sync"
	"sync/atomic"
)

// Masker masks what one exchange may show its agent: the secrets that the session has
// at the moment, and those that it had when the request went out. The application may
// replace a cookie any number of times before it answers, and may still repeat what it
// was sent. The zero value masks nothing.
type Masker struct {
	current *atomic.Pointer[Mask]
	sent    *Mask
	notes   *Notes
}

// NewMasker returns the masker for an exchange whose session is put on now. current
// holds the session's mask. notes learns what is masked; it may be nil.
func NewMasker(current *atomic.Pointer[Mask], notes *Notes) Masker {
	return Masker{current: current, sent: current.Load(), notes: notes}
}

// masks returns the two masks that count. The second is nil if it adds nothing.
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

// spans appends to dst the stretches that either mask finds; see Mask.spans.
func (v Masker) spans(dst []span, b []byte, isWhole bool) (all []span, open int) {
	m, also := v.masks()
	dst, open = m.spans(dst, b, isWhole)
	if also != nil {
		var second int
		dst, second = also.spans(dst, b, isWhole)
		open = min(open, second)
	}
	return dst, open
}

// Masks reports whether there is anything to mask.
func (v Masker) Masks() bool {
	m, _ := v.masks()
	return m != nil
}

// InPlace masks b, which is a whole text, such as a message.
func (v Masker) InPlace(b []byte) {
	var few [8]span
	found, _ := v.spans(few[:0], b, true)
	for _, s := range found {
		stars(b[s.start:s.end])
	}
	v.notes.add(found)
}

// Text masks a whole text, such as the name or the value of a field. It returns the
// same string if there is nothing to mask.
func (v Masker) Text(s string) string {
	var few [8]span
	found, _ := v.spans(few[:0], bytesOf(s), true)
	if len(found) == 0 {
		return s
	}

	b := []byte(s)
	for _, f := range found {
		stars(b[f.start:f.end])
	}
	v.notes.add(found)
	return string(b)
}

// Reader returns a reader of the masked text of r. When it passes on how much depends
// on the length of the text, on its line ends and on pauses, and never on a secret. The
// Reader is for one goroutine. It may read r in another goroutine, also after its own Read has returned:
// the caller must close r.
func (v Masker) Reader(r io.Reader) io.Reader {
	if !v.Masks() {
		return r
	}
	return &reader{masker: v, source: r}
}

// Reader returns a reader for a mask that does not change.
func (m *Mask) Reader(r io.Reader) io.Reader { return Masker{sent: m}.Reader(r) }

// Notes collects the labels of secrets that were masked. It is safe for concurrent
// use.
type Notes struct {
	mu   sync.Mutex
	seen map[string]bool
	new  []string
}

// Take returns the labels that were added for the first time since the last call.
func (n *Notes) Take() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	labels := n.new
	n.new = nil
	return labels
}

func (n *Notes) add(found []span) {
	if n == nil || len(found) == 0 {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.seen == nil {
		n.seen = map[string]bool{}
	}
	for _, s := range found {
		if !n.seen[s.label] {
			n.seen[s.label] = true
			n.new = append(n.new, s.label)
		}
	}
}
