package journal

// zeroChunk is how many zeros are written at a time ahead of the lines, in bytes.
const zeroChunk = 1 << 20

var zeros [zeroChunk]byte

// zeroFilledFile is a segment file with zeros after its lines, so that most
// writes do not extend the file and a sync need not write its new size. The
// committer alone uses it.
type zeroFilledFile struct {
	file
	filled int64 // offset up to which the file holds lines or zeros
}

// WriteAt writes lines. It first appends zeros if the lines reach past those that
// are there.
func (f *zeroFilledFile) WriteAt(b []byte, off int64) (int, error) {
	end := off + int64(len(b))
	for f.filled < end {
		if _, err := f.file.WriteAt(zeros[:], f.filled); err != nil {
			return 0, err
		}
		f.filled += zeroChunk
	}

	return f.file.WriteAt(b, off)
}
