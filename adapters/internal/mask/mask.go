// Package mask overwrites secrets in text that goes to an agent, in every encoding in which applications repeat them.
package mask

// Mask overwrites secrets in text with as many asterisks, so that lengths and offsets stay true. It is immutable and
// safe for concurrent use. A nil Mask changes nothing. Secrets shorter than 6 bytes and common words are not masked:
// text that holds them by chance would be destroyed, and asterisks in their place would tell where they are.
type Mask struct {
	forms [][]byte
	least int // length of the shortest form
	most  int
	shift [shiftSize]uint8 // Wu and Manber: how far the window may move for a hash of its last two bytes
	first [256]bool        // bytes that some form begins with
}

const shiftSize = 4096

func shiftHash(a, b byte) uint16 { return (uint16(a)<<5 ^ uint16(b)) & (shiftSize - 1) }

// New takes forms as Forms gives them; it keeps the slice.
func New(forms [][]byte) *Mask {
	if len(forms) == 0 {
		return nil
	}
	m := &Mask{forms: forms, least: len(forms[0])}
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
func next[T string | []byte](m *Mask, b T, from int) (start, end int) {
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

func formAt[T string | []byte](m *Mask, text T) (longest int) {
	for _, f := range m.forms {
		if len(f) > longest && len(text) >= len(f) && text[0] == f[0] && string(text[:len(f)]) == string(f) {
			longest = len(f)
		}
	}
	return longest
}

// spans calls mark for every masked stretch of b, merged, in order. A stretch is final when mark sees it: forms are
// found by rising start, so nothing found later begins in it and mark may overwrite it.
func (m *Mask) spans(b []byte, mark func(start, end int)) {
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
func (m *Mask) InPlace(b []byte) {
	if m == nil {
		return
	}
	m.spans(b, func(start, end int) { stars(b[start:end]) })
}

// text masks a header value; the same string when there is nothing to mask.
func (m *Mask) Text(s string) string {
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
