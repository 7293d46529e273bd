package agents

import (
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/byline-proxy/byline/proxy/wire"
)

// TestExactBodyRefusesAnotherLength shows that a body of another length than declared
// is refused before a reader has as many bytes as were declared.
func TestExactBodyRefusesAnotherLength(t *testing.T) {
	for _, c := range []struct {
		body   string
		length int64
		wrong  bool
	}{
		{"abc", 3, false},
		{"", 0, false},
		{"abcd", 3, true},
		{"ab", 3, true},
		{"", 3, true},
		{"x", 0, true},
	} {
		for name, cut := range map[string]func(io.Reader) io.Reader{
			"one byte": iotest.OneByteReader, "data with EOF": iotest.DataErrReader, "half": iotest.HalfReader,
		} {
			called := false
			b, err := io.ReadAll(&exactBody{body: cut(strings.NewReader(c.body)), left: c.length, wrongLength: func() { called = true }})

			if called != c.wrong || (wire.BodyFault(err) != nil) != c.wrong {
				t.Errorf("%q with length %d, read as %s: %v, wrongLength called: %v", c.body, c.length, name, err, called)
			}
			if c.wrong && int64(len(b)) >= c.length && c.length > 0 {
				t.Errorf("%q with length %d, read as %s: %q was returned", c.body, c.length, name, b)
			}
			if !c.wrong && string(b) != c.body {
				t.Errorf("%q with length %d, read as %s: got %q", c.body, c.length, name, b)
			}
		}
	}
}
