package journal

const chunk = 1 << 20 // zeros are written so many at a time

var zeros [chunk]byte

// padded is a segment that is filled with zeros ahead of its lines; a [spare]
// is so from its beginning. The committer alone uses it.
type padded struct {
	file
	filled int64 // up to here there are zeros, or lines
}

// WriteAt writes lines; first zeros, where there are none yet.
func (p *padded) WriteAt(b []byte, off int64) (int, error) {
	for end := off + int64(len(b)); p.filled < end; p.filled += chunk {
		if _, err := p.file.WriteAt(zeros[:], p.filled); err != nil {
			return 0, err
		}
	}
	return p.file.WriteAt(b, off)
}
