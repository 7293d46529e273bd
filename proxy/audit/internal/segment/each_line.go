package segment

import (
	"errors"
	"fmt"
	"io"
)

// ErrStop is returned by a callback to end [EachLine].
var ErrStop = errors.New("stop reading")

// EachLine calls do with each whole line of the segment, without its newline. The
// slice is valid during the call. An error of do ends the loop and is returned,
// with the place of the line, also if it is [ErrStop].
func (f File) EachLine(do func(line []byte) error) error {
	file, err := f.Open()
	if err != nil {
		return err
	}
	defer file.Close()

	in := NewLiveReader(file)
	for {
		line, err := in.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", f.Path, err)
		}

		if err := do(line[1:]); err != nil {
			return fmt.Errorf("%s line %d: %w", f.Path, in.Lines, err)
		}
	}
}

// CountLines returns the number of whole lines of the segment.
func (f File) CountLines() (n int, err error) {
	err = f.EachLine(func([]byte) error {
		n++
		return nil
	})

	return n, err
}
