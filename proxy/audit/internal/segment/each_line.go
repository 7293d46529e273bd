package segment

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// ErrStop is returned by a callback to end [EachLine].
var ErrStop = errors.New("stop reading")

// EachLine calls do with each whole line of the segment at path, without its
// newline. The slice is valid during the call. An error of do ends the loop and
// is returned, with the place of the line, also if it is [ErrStop].
func EachLine(path string, do func(line []byte) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()

	in := NewLiveReader(f)
	for {
		line, err := in.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}

		if err := do(line[1:]); err != nil {
			return fmt.Errorf("%s line %d: %w", path, in.Lines, err)
		}
	}
}

// CountLines returns the number of whole lines of the segment at path.
func CountLines(path string) (n int, err error) {
	err = EachLine(path, func([]byte) error {
		n++
		return nil
	})

	return n, err
}
