package sinks

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"time"
)

// web posts lines to one address.
type web struct {
	client *http.Client
	url    string
	bearer string
}

func newWeb(c *Config, t *tls.Config, secret []string, url string) web {
	w := web{url: url, client: &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{TLSClientConfig: t, ForceAttemptHTTP2: true, IdleConnTimeout: time.Minute},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}} // the token goes where it was meant to
	if len(secret) > 0 {
		w.bearer = secret[0]
	}
	return w
}

// post sends a body and returns the answer's, which a 2xx status must have.
func (w *web) post(ctx context.Context, kind string, body []byte) ([]byte, error) {
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	q.Header.Set("Content-Type", kind)
	if w.bearer != "" {
		q.Header.Set("Authorization", "Bearer "+w.bearer)
	}
	a, err := w.client.Do(q)
	if err != nil {
		return nil, err
	}
	defer a.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(a.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	if a.StatusCode/100 != 2 {
		return nil, fmt.Errorf("%s answered %s", q.URL.Host, a.Status)
	}
	return answer, nil
}

// Close gives up idle connections.
func (w *web) Close() error {
	w.client.CloseIdleConnections()
	return nil
}

// httpSink posts JSON lines (application/x-ndjson). A 2xx status means that the
// receiver has all of them.
type httpSink struct {
	web
	format string
}

func newHTTP(c *Config, t *tls.Config, secret []string) Sink {
	return &httpSink{newWeb(c, t, secret, c.URL), c.Format}
}

// Deliver posts the lines in one request.
func (s *httpSink) Deliver(ctx context.Context, lines [][]byte) error {
	out, err := formatted(s.format, lines)
	if err != nil {
		return err
	}
	_, err = s.post(ctx, "application/x-ndjson", append(bytes.Join(out, []byte("\n")), '\n'))
	return err
}
