package mask

import "io"

// reader masks a body in the buffer of its caller, without a copy. For a small buffer it uses one of
// its own.
type reader struct {
	masker Masker
	r      io.Reader
	err    error // of r; returned once ready is empty

	tail   []byte // held back, as the application sent it
	masked int    // how many bytes at the start of tail are known to be masked
	spans  []span // what the masker's second mask finds; kept for its memory

	ready []byte // masked, and not returned yet
	buf   []byte // the reader's own buffer, which ready is a part of
}

// minRoom is how many bytes a buffer must have beyond the longest form.
const minRoom = 512

// Read implements [io.Reader].
func (r *reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}

	for len(r.ready) == 0 {
		if r.err != nil {
			return 0, r.err
		}

		m, also := r.masker.masks()
		need := m.most + minRoom
		if also != nil {
			need = max(m.most, also.most) + minRoom
		}
		if len(p) >= need {
			if n := r.fill(p); n > 0 {
				return n, nil
			}
			continue
		}

		if len(r.buf) < need {
			r.buf = make([]byte, need+4<<10)
		}
		r.ready = r.buf[:r.fill(r.buf)]
	}

	n := copy(p, r.ready)
	r.ready = r.ready[n:]
	return n, nil
}

// fill reads once, after what was held back, and returns how many bytes of b are masked and complete.
func (r *reader) fill(b []byte) int {
	have := copy(b, r.tail)
	n, err := r.r.Read(b[have:])
	b = b[:have+n]
	r.err = err
	m, also := r.masker.masks() // after the read, which may have taken long

	hold := 0
	if err != io.EOF {
		hold = m.countHeld(b)
		if also != nil {
			hold = max(hold, also.countHeld(b))
		}
	}
	free := len(b) - hold
	r.tail = r.tail[:0]
	if err == nil { // after an error nothing follows, and what is held back is dropped
		r.tail = append(r.tail, b[free:]...)
	}

	// A form may begin in the free bytes and end in the held ones, which are then masked, too.
	known := min(r.masked, free)
	r.masked = max(r.masked-free, 0)
	mask := func(start, end int) {
		if start < free {
			overwrite(b[start:min(end, free)])
			r.masked = max(r.masked, end-free)
		}
	}
	r.spans = also.appendSpans(r.spans[:0], b) // before m changes b
	m.spans(b, mask)
	for _, s := range r.spans {
		mask(s.start, s.end)
	}
	overwrite(b[:known])
	return free
}

// countHeld returns how many bytes at the end of b may be the beginning of a form.
func (m *Mask) countHeld(b []byte) int {
	for i := max(len(b)-m.most+1, 0); i < len(b); i++ {
		if !m.first[b[i]] {
			continue
		}
		for _, f := range m.forms {
			if rest := b[i:]; len(rest) < len(f) && string(f[:len(rest)]) == string(rest) {
				return len(rest)
			}
		}
	}
	return 0
}
