package body

import "bytes"

// longJSON is the length of a text from which on growing nodes step by step would hold
// several times what they need.
const longJSON = 16 << 10

// reserveNodes makes room for the values and keys of a long text, of which there are
// at most as many as there are signs before them.
func (d *JSON) reserveNodes(src []byte, most int) {
	if len(src) < longJSON {
		return
	}
	n := 1
	for _, sign := range []byte("{[,:") {
		n += bytes.Count(src, []byte{sign})
	}
	if most > 0 {
		n = min(n, most)
	}
	if cap(d.nodes) < n {
		d.nodes = make([]jsonNode, 0, n)
	}
}
