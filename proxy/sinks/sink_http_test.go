package sinks

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
)

// bodyLines collects the lines of JSON lines bodies.
type bodyLines struct {
	mu    sync.Mutex
	lines []string
}

func (b *bodyLines) add(body []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for line := range strings.Lines(string(body)) {
		b.lines = append(b.lines, strings.TrimSuffix(line, "\n"))
	}
}

func (b *bodyLines) get(*testing.T) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.lines)
}

func TestHTTPContract(t *testing.T) {
	var got bodyLines
	r := startHTTPS(t, func(_ http.ResponseWriter, _ *http.Request, body []byte) { got.add(body) })
	testSink(t, sinkContract{
		config:   Config{Kind: "http", URL: r.url, CA: r.ca},
		received: got.get,
		stop:     r.stop,
	})
}

func TestHTTPSendsTheTokenAndNeedsA2xx(t *testing.T) {
	var contentType, authorization string
	status := http.StatusAccepted
	r := startHTTPS(t, func(w http.ResponseWriter, r *http.Request, _ []byte) {
		contentType = r.Header.Get("Content-Type")
		authorization = r.Header.Get("Authorization")
		w.WriteHeader(status)
	})
	s := openSink(t, Config{Kind: "http", URL: r.url, CA: r.ca, SecretFile: writeFile(t, "token", "tok-1\n")})

	deliver(t, s, testLines(3))
	if contentType != "application/x-ndjson" || authorization != "Bearer tok-1" {
		t.Errorf("Content-Type %q and Authorization %q, want application/x-ndjson and the token", contentType, authorization)
	}
	for _, status = range []int{301, 400, 429, 503} {
		err := s.Deliver(t.Context(), testLines(1))
		if err == nil || strings.Contains(err.Error(), "tok-1") {
			t.Errorf("status %d: Deliver returned %v, want an error without the token", status, err)
		}
	}
}

func TestHTTPRefusesAnUnknownAuthority(t *testing.T) {
	r := startHTTPS(t, func(http.ResponseWriter, *http.Request, []byte) { t.Error("a request arrived") })
	s := openSink(t, Config{Kind: "http", URL: r.url})
	if err := s.Deliver(t.Context(), testLines(1)); err == nil {
		t.Error("Deliver accepted a certificate of an authority that is not trusted")
	}
}
