package segment

import (
	"bufio"
	"errors"
	"io"
	"os"
)

// Differ compares two files of the same segment, without the zeros at their ends.
// It returns the number of the first line that differs, from 1, or 0.
func Differ(a, b string) (line int, err error) {
	fa, err := os.Open(a)
	if err != nil {
		return 0, err
	}
	defer fa.Close()
	fb, err := os.Open(b)
	if err != nil {
		return 0, err
	}
	defer fb.Close()

	// The end of a file and zeros at it look alike: as zeros.
	ra := bufio.NewReaderSize(fa, 256<<10)
	rb := bufio.NewReaderSize(fb, 256<<10)
	for line = 1; ; {
		x, errA := ra.ReadByte()
		y, errB := rb.ReadByte()
		if errors.Is(errA, io.EOF) && errors.Is(errB, io.EOF) {
			return 0, nil
		}
		for _, err := range []error{errA, errB} {
			if err != nil && !errors.Is(err, io.EOF) {
				return 0, err
			}
		}
		if x != y {
			return line, nil
		}
		if x == '\n' {
			line++
		}
	}
}
