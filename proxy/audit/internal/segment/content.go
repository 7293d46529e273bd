package segment

import (
	"bytes"
	"io"
)

// ContentSize returns the length of in, which has size bytes, without the zeros at
// its end.
func ContentSize(in io.ReaderAt, size int64) (int64, error) {
	block := make([]byte, 256<<10)
	for size > 0 {
		start := max(0, size-int64(len(block)))
		part := block[:size-start]
		if _, err := in.ReadAt(part, start); err != nil {
			return 0, err
		}

		content := len(bytes.TrimRight(part, "\x00"))
		if content > 0 {
			return start + int64(content), nil
		}
		size = start
	}

	return 0, nil
}
