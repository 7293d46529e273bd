package segment

import (
	"errors"
	"io"
	"strings"
	"testing"
)

// TestReaderAtTheEndOfASegment reads segments with every kind of tail.
func TestReaderAtTheEndOfASegment(t *testing.T) {
	zeros := func(n int) string { return strings.Repeat("\x00", n) }
	long := strings.Repeat("x", MaxLine+400<<10)

	for name, c := range map[string]struct {
		text  string
		lines int
		torn  int64 // length of the torn tail; 0: there is none
		err   error // error other than io.EOF and a torn tail
	}{
		"nothing":                     {"", 0, 0, nil},
		"whole lines":                 {"a\nb\n", 2, 0, nil},
		"zeros after lines":           {"a\nb\n" + zeros(200<<10), 2, 0, nil},
		"only zeros":                  {zeros(200 << 10), 0, 0, nil},
		"a line without newline":      {"a\nbc", 1, 2, nil},
		"the same and zeros":          {"a\nbc" + zeros(100<<10), 1, 2, nil},
		"a line with a zero":          {"a\nb\x00c\nd\n", 1, 6, nil},
		"lines after a hole":          {"a\n" + zeros(512) + "b\n", 1, 514, nil},
		"a longest line":              {"a\n" + long[:MaxLine] + "\n", 2, 0, nil},
		"a line that is too long":     {"a\n" + long + "\n", 1, 0, ErrLongLine},
		"the same with a zero inside": {"a\n\x00" + long + "\n", 1, int64(len(long) + 2), nil},
	} {
		t.Run(name, func(t *testing.T) {
			in := NewReader(strings.NewReader(c.text))
			var err error
			for err == nil {
				_, err = in.Next()
			}

			var torn *TornTail
			switch {
			case in.Lines != c.lines:
				t.Errorf("read %d lines, want %d", in.Lines, c.lines)
			case c.err != nil && !errors.Is(err, c.err):
				t.Errorf("ended with %v, want %v", err, c.err)
			case c.torn > 0 && (!errors.As(err, &torn) || torn.Bytes != c.torn || torn.Offset != in.Offset):
				t.Errorf("ended with %v, want a torn tail of %d bytes", err, c.torn)
			case c.torn == 0 && c.err == nil && err != io.EOF:
				t.Errorf("ended with %v, want io.EOF", err)
			}

			live := NewLiveReader(strings.NewReader(c.text))
			for err = nil; err == nil; {
				_, err = live.Next()
			}
			if live.Lines != c.lines || c.err == nil && err != io.EOF {
				t.Errorf("the live reader read %d lines and ended with %v, want %d lines and io.EOF", live.Lines, err, c.lines)
			}
		})
	}
}

func TestTornTailIsBounded(t *testing.T) {
	in := NewReader(io.MultiReader(strings.NewReader("a\nx\x00"), io.LimitReader(repeat('y'), MaxTornTail)))
	var err error
	for err == nil {
		_, err = in.Next()
	}

	var torn *TornTail
	if err == io.EOF || errors.As(err, &torn) {
		t.Errorf("a tail of more than %d bytes ended with %v, want another error", MaxTornTail, err)
	}
}

// repeat is a reader that returns one byte for ever.
type repeat byte

func (r repeat) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(r)
	}
	return len(p), nil
}
