package sinks

import (
	"bytes"
	"context"
)

func init() {
	register("http", kind{
		schemes: []string{"https", "http"},
		open: func(c *Config, a access) (Sink, error) {
			return &httpSink{newPoster(c.URL, a), c.Format}, nil
		},
	})
}

// httpSink posts JSON lines (application/x-ndjson). A 2xx status means that the
// receiver has all of them.
type httpSink struct {
	poster
	format string
}

// Deliver implements [Sink] with one request.
func (s *httpSink) Deliver(ctx context.Context, lines [][]byte) error {
	bodies, err := formatLines(s.format, lines)
	if err != nil {
		return err
	}
	_, err = s.post(ctx, "application/x-ndjson", append(bytes.Join(bodies, []byte("\n")), '\n'))
	return err
}
