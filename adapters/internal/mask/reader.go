package mask

import "io"

// reader masks in the caller's own buffer, so that a body costs no copy and no memory of its own.
type reader struct {
	masker Masker
	r      io.Reader
	later  []stretch // of the masker's second mask
	tail   []byte    // held back, as the SaaS sent it
	dark   int       // so many bytes at the front of tail are already known to be masked
	ready  []byte    // masked, to be handed out; only for callers with little room
	room   []byte    // behind ready
	err    error
}

// leastRoom is what the caller's buffer must have beyond the longest form.
const leastRoom = 512

func (r *reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for len(r.ready) == 0 {
		if r.err != nil {
			return 0, r.err
		}
		m, also := r.masker.masks()
		need := m.most + leastRoom
		if also != nil {
			need = max(m.most, also.most) + leastRoom
		}
		if len(p) >= need {
			if n := r.fill(p); n > 0 {
				return n, nil
			}
			continue
		}
		if len(r.room) < need {
			r.room = make([]byte, need+4<<10)
		}
		r.ready = r.room[:r.fill(r.room)]
	}
	n := copy(p, r.ready)
	r.ready = r.ready[n:]
	return n, nil
}

// fill reads once behind what was held back and returns how much of b is masked and may go.
func (r *reader) fill(b []byte) int {
	have := copy(b, r.tail)
	n, err := r.r.Read(b[have:])
	b, r.err = b[:have+n], err
	m, also := r.masker.masks() // after the read: it may have waited for long
	hold := 0
	if err != io.EOF {
		hold = m.held(b)
		if also != nil {
			hold = max(hold, also.held(b))
		}
	}
	free := len(b) - hold
	if r.tail = r.tail[:0]; err == nil { // else nothing follows: what was held back is dropped
		r.tail = append(r.tail, b[free:]...)
	}
	known, dark := min(r.dark, free), max(r.dark-free, 0)
	mask := func(start, end int) {
		if start < free {
			stars(b[start:min(end, free)])
			dark = max(dark, end-free)
		}
	}
	r.later = also.stretches(r.later[:0], b) // before m changes b
	m.spans(b, mask)
	for _, l := range r.later {
		mask(l.start, l.end)
	}
	stars(b[:known])
	r.dark = dark
	return free
}

// held is how many bytes at the end of b may be the beginning of a form.
func (m *Mask) held(b []byte) int {
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
