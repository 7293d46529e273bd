package adapters

import (
	"io"
	"strings"
)

// Masker overwrites secrets in text with as many asterisks, so that lengths and offsets stay true. It is immutable and
// safe for concurrent use. A nil Masker changes nothing. Secrets shorter than 6 bytes and common words are not masked:
// text that holds them by chance would be destroyed, and asterisks in their place would tell where they are.
type Masker struct {
	forms [][]byte
	least int // length of the shortest form
	most  int
	shift [shiftSize]uint8 // Wu and Manber: how far the window may move for a hash of its last two bytes
	first [256]bool        // bytes that some form begins with
}

const shiftSize = 4096

func shiftHash(a, b byte) uint16 { return (uint16(a)<<5 ^ uint16(b)) & (shiftSize - 1) }

// newMasker is nil when there is nothing to mask.
func newMasker(secrets []string) *Masker {
	var forms [][]byte
	for _, s := range secrets {
		forms = append(forms, formsOf(s)...)
	}
	return maskerOf(forms)
}

// maskerOf takes forms as formsOf gives them; it keeps the slice.
func maskerOf(forms [][]byte) *Masker {
	if len(forms) == 0 {
		return nil
	}
	m := &Masker{forms: forms, least: len(forms[0])}
	for _, f := range forms {
		m.least, m.most = min(m.least, len(f)), max(m.most, len(f))
		m.first[f[0]] = true
	}
	m.least = min(m.least, 255)
	for i := range m.shift {
		m.shift[i] = uint8(m.least - 1)
	}
	for _, f := range forms {
		for end := 1; end < m.least; end++ {
			h := shiftHash(f[end-1], f[end])
			m.shift[h] = min(m.shift[h], uint8(m.least-1-end))
		}
	}
	return m
}

// next finds the first form in b at or after from, and the longest one there; start is -1 when there is none.
func next[T string | []byte](m *Masker, b T, from int) (start, end int) {
	last := m.least - 1
	for i := from + last; i < len(b); {
		if skip := m.shift[shiftHash(b[i-1], b[i])]; skip > 0 {
			i += int(skip)
			continue
		}
		if at := i - last; m.first[b[at]] {
			if n := formAt(m, b[at:]); n > 0 {
				return at, at + n
			}
		}
		i++
	}
	return -1, -1
}

func formAt[T string | []byte](m *Masker, text T) (longest int) {
	for _, f := range m.forms {
		if len(f) > longest && len(text) >= len(f) && text[0] == f[0] && string(text[:len(f)]) == string(f) {
			longest = len(f)
		}
	}
	return longest
}

// spans calls mark for every masked stretch of b, merged, in order. A stretch is final when mark sees it: forms are
// found by rising start, so nothing found later begins in it and mark may overwrite it.
func (m *Masker) spans(b []byte, mark func(start, end int)) {
	from, start, end := 0, -1, -1
	for {
		s, e := next(m, b, from)
		if s < 0 {
			break
		}
		if start >= 0 && s > end {
			mark(start, end)
			start = -1
		}
		if start < 0 {
			start, end = s, e
		}
		end, from = max(end, e), s+1
	}
	if start >= 0 {
		mark(start, end)
	}
}

// InPlace masks b. It does not allocate.
func (m *Masker) InPlace(b []byte) {
	if m == nil {
		return
	}
	m.spans(b, func(start, end int) { stars(b[start:end]) })
}

// text masks a header value; the same string when there is nothing to mask.
func (m *Masker) text(s string) string {
	if m == nil {
		return s
	}
	if start, _ := next(m, s, 0); start < 0 {
		return s
	}
	b := []byte(s)
	m.InPlace(b)
	return string(b)
}

func stars(b []byte) {
	for i := range b {
		b[i] = '*'
	}
}

// held is how many bytes at the end of b may be the beginning of a form.
func (m *Masker) held(b []byte) int {
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

// maskReader masks in the caller's own buffer, so that a body costs no copy and no memory of its own.
type maskReader struct {
	veil  Veil
	r     io.Reader
	later []stretch // of the veil's second mask
	tail  []byte    // held back, as the SaaS sent it
	dark  int       // so many bytes at the front of tail are already known to be masked
	ready []byte    // masked, to be handed out; only for callers with little room
	room  []byte    // behind ready
	err   error
}

// leastRoom is what the caller's buffer must have beyond the longest form.
const leastRoom = 512

func (r *maskReader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for len(r.ready) == 0 {
		if r.err != nil {
			return 0, r.err
		}
		m, also := r.veil.masks()
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
func (r *maskReader) fill(b []byte) int {
	have := copy(b, r.tail)
	n, err := r.r.Read(b[have:])
	b, r.err = b[:have+n], err
	m, also := r.veil.masks() // after the read: it may have waited for long
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

// Maskable reports whether an answer of that content type is text in which a secret could come back. Unknown and
// missing types are text; only types that are certainly not (images, audio, video, fonts, archives, PDF) are not.
func Maskable(contentType string) bool {
	media, _, _ := strings.Cut(contentType, ";")
	media = strings.TrimSpace(media)
	for _, prefix := range [...]string{"image/", "audio/", "video/", "font/"} {
		if len(media) > len(prefix) && strings.EqualFold(media[:len(prefix)], prefix) {
			return strings.EqualFold(media, "image/svg+xml")
		}
	}
	for _, binary := range [...]string{"application/octet-stream", "application/zip", "application/gzip", "application/x-gzip", "application/pdf",
		"application/x-tar", "application/vnd.ms-excel", "application/msword", "application/wasm", "application/x-7z-compressed"} {
		if strings.EqualFold(media, binary) {
			return false
		}
	}
	return true
}
