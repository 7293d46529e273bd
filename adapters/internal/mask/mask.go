// Package mask overwrites secrets in text that goes to an agent, in every encoding in which
// applications repeat them.
package mask

// Mask overwrites secrets in text with asterisks. Lengths and offsets do not change. A Mask is
// immutable and safe for concurrent use; nil changes nothing. Secrets shorter than 6 bytes and common
// words are not masked: text that has them by chance would be destroyed, and asterisks in their place
// would tell where they are.
type Mask struct {
	forms [][]byte
	least int              // length of the shortest form, at most 255
	most  int              // length of the longest form
	shift [shiftSize]uint8 // Wu and Manber: how far the window may move for a hash of its last two bytes
	first [256]bool        // bytes that some form begins with
}

const shiftSize = 4096

func shiftHash(a, b byte) uint16 { return (uint16(a)<<5 ^ uint16(b)) & (shiftSize - 1) }

// New returns a Mask of forms as Forms returns them, and nil if there are none. It keeps the slice.
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

// findForm returns the range of the first form in b at or after from, and of the longest one that
// begins there. It returns -1 if there is none.
func findForm[T string | []byte](m *Mask, b T, from int) (start, end int) {
	last := m.least - 1
	for i := from + last; i < len(b); {
		if skip := m.shift[shiftHash(b[i-1], b[i])]; skip > 0 {
			i += int(skip)
			continue
		}

		start := i - last
		if m.first[b[start]] {
			if n := longestForm(m, b[start:]); n > 0 {
				return start, start + n
			}
		}
		i++
	}
	return -1, -1
}

// longestForm returns the length of the longest form that text begins with, and 0 if there is none.
func longestForm[T string | []byte](m *Mask, text T) (longest int) {
	for _, f := range m.forms {
		if len(f) > longest && len(text) >= len(f) && text[0] == f[0] && string(text[:len(f)]) == string(f) {
			longest = len(f)
		}
	}
	return longest
}

// spans calls mark with every range of b to be masked, in order; overlapping forms are one range. mark
// may overwrite the range: forms are found by rising start, so no form that is found later begins in
// it.
func (m *Mask) spans(b []byte, mark func(start, end int)) {
	from, start, end := 0, -1, -1
	for {
		s, e := findForm(m, b, from)
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
		end = max(end, e)
		from = s + 1
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
	m.spans(b, func(start, end int) { overwrite(b[start:end]) })
}

// Text returns a header value masked, and s itself if there is nothing to mask.
func (m *Mask) Text(s string) string {
	if m == nil {
		return s
	}
	if start, _ := findForm(m, s, 0); start < 0 {
		return s
	}

	b := []byte(s)
	m.InPlace(b)
	return string(b)
}

// overwrite fills b with asterisks.
func overwrite(b []byte) {
	for i := range b {
		b[i] = '*'
	}
}
